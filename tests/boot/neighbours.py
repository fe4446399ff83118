# SPDX-License-Identifier: BSD-2-Clause
"""Who is on the wires of the board: a server that dies, and clients that do not give
up."""
import collections
import contextlib
import errno
import socket
import struct
import threading
import time

from lablib import net
from mailkit import Client, Gone, Mx, socket_in

CANARY = "canary-4c1d90aa7e"
PLAIN = "198.51.100.66"  # a server without TLS


class DyingTftp:
    """Answers one request as RFC 1350 says, up to that block, and is gone."""

    def __init__(self, space, address, octets, blocks):
        self.octets, self.blocks = octets, blocks
        self.sock = socket_in(space, socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, 69))
        self.sock.settimeout(0.2)
        self.asked = self.gone = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        block = 0
        while not self.gone:
            try:
                data, peer = self.sock.recvfrom(2048)
            except TimeoutError:
                continue
            if data[:2] == b"\0\1":
                self.asked, block = True, 0
            elif data[:2] == b"\0\4":
                block, = struct.unpack("!H", data[2:4])
            if block < self.blocks:
                part = self.octets[512 * block:512 * block + 512]
                self.sock.sendto(struct.pack("!HH", 3, block + 1) + part, peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gone = True
        self.thread.join()
        self.sock.close()


# --- a client that does not give up ---------------------------------------------------
class Hammer:
    """Tries to send mail for a protected domain to a server without TLS, all the
    time, whatever state the box is in."""

    def __init__(self):
        self.mx = Mx(PLAIN)
        self.tries = self.refused = 0
        self.gone = self.silent = False
        self.turn = threading.Lock()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.gone:
            with self.turn:
                if not self.silent:
                    self.attempt()
            time.sleep(0.1)

    def hush(self):
        """From now on it says nothing, until go()."""
        with self.turn:
            self.silent = True

    def go(self):
        self.silent = False

    def attempt(self):
        self.tries += 1
        with contextlib.suppress(OSError, Gone, ValueError, AssertionError), \
                Client(PLAIN, wait=2) as c:
            c.hello()
            c.cmd(f"MAIL FROM:<{CANARY}@corp.example>")
            code, _ = c.cmd(f"RCPT TO:<{CANARY}@enc.example>")
            if code // 100 == 2 and c.cmd("DATA")[0] == 354:
                c.say(f"{CANARY}\r\n.\r\n".encode())
                c.reply()
            self.refused += code // 100 in (4, 5)

    def stop(self):
        self.gone = True
        self.thread.join(10)
        self.mx.close()


class Knocker:
    """Beside the hammer: fifty times a second a new connection to that server, and
    no waiting for an answer; what gets through says all that it has at once. So the
    shortest moment in which a box were open would be on the wire. The neighbour's
    MAC address is known to it: a box that is off must not keep its SYNs at home."""

    EVERY, KEPT = 0.02, 25  # seconds; connections that it still listens to
    SAYS = (f"EHLO mail.corp.example\r\nMAIL FROM:<{CANARY}@corp.example>\r\n"
            f"RCPT TO:<{CANARY}@enc.example>\r\nDATA\r\n{CANARY}\r\n.\r\n")

    def __init__(self):
        self.knocks = 0  # SYNs that have left
        self.gone = False
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        waits, said = collections.deque(), collections.deque()
        while not self.gone:
            sock = socket_in("mail", socket.AF_INET)
            sock.setblocking(False)
            self.knocks += sock.connect_ex((PLAIN, 25)) == errno.EINPROGRESS
            waits.append(sock)
            for s in list(waits):
                with contextlib.suppress(OSError):  # not yet
                    s.send(self.SAYS.encode())
                    waits.remove(s)
                    said.append(s)
            for old in waits, said:
                while len(old) > self.KEPT:
                    old.popleft().close()
            time.sleep(self.EVERY)
        for s in *waits, *said:
            s.close()

    def neighbour(self, state):
        net.ip("-n", net.SPACES["mail"], "neigh", "replace", "10.77.0.1",
               "lladdr", "02:77:00:00:00:01", "dev", "eth0", "nud", state)

    def __enter__(self):
        self.neighbour("permanent")
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.gone = True
        self.thread.join()
        self.neighbour("stale")
