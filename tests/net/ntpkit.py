# SPDX-License-Identifier: BSD-2-Clause
"""Time servers: chrony, which is not ours, and one that says what it is told."""
import contextlib
import socket
import struct
import subprocess
import threading
import time

from mailkit import net, socket_in

TO_UNIX = 2208988800
GOOD, REFUSES, UNSURE, FORGED, SHORT = range(5)


def answer(question, away=0.0, how=GOOD):
    """What a server of stratum 2 says whose clock is away seconds ahead."""
    now = time.time() + away + TO_UNIX
    stamp = struct.pack("!II", int(now) % 2**32, int(now % 1 * 2**32))
    first = (3 << 6 if how == UNSURE else 0) | 4 << 3 | 4
    head = struct.pack("!BBBbIIII", first, 0 if how == REFUSES else 2, 6, -20,
                       0, 0, 0x0a000001, 0)
    origin = bytes(8) if how == FORGED else question[40:48]
    whole = head[:16] + stamp + origin + stamp + stamp
    return whole[:40] if how == SHORT else whole


class Server:
    """At an address of the management network, or in this namespace."""

    def __init__(self, address="127.0.0.1", port=123, space=None, away=0.0,
                 how=GOOD):
        self.away, self.how, self.asked = away, how, []
        self.sock = socket_in(space, socket.AF_INET, socket.SOCK_DGRAM) \
            if space else socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, port))
        self.sock.settimeout(0.1)
        self.done = False
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while not self.done:
            try:
                question, peer = self.sock.recvfrom(512)
            except TimeoutError:
                continue
            self.asked.append((question, peer))
            if self.how is not None:
                self.sock.sendto(answer(question, self.away, self.how), peer)

    def close(self):
        self.done = True
        self.thread.join()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@contextlib.contextmanager
def chrony(folder, address="10.78.0.1"):
    """chronyd on the management network, with the clock of this PC, which it leaves
    alone (-x)."""
    conf = folder / "chrony.conf"
    conf.write_text("local stratum 3\nallow all\ncmdport 0\n"
                    f"bindaddress {address}\n"
                    f"pidfile {folder}/chrony.pid\nbindcmdaddress /\n")
    with open(folder / "chrony.log", "wb") as log:
        p = subprocess.Popen(
            ["ip", "netns", "exec", net.SPACES["admin"], "chronyd", "-x", "-d",
             "-u", "root", "-f", conf], stdin=subprocess.DEVNULL, stdout=log,
            stderr=log)
    try:
        until_synchronised(address)
        yield p
    finally:
        p.terminate()
        p.wait()


def until_synchronised(address):
    """A box whose first question is lost asks again only after a minute."""
    end = time.monotonic() + 60
    with socket_in("admin", socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.connect((address, 123))
        while True:
            assert time.monotonic() < end, "chronyd gives no time"
            with contextlib.suppress(OSError):
                sock.send(bytes([4 << 3 | 3]) + bytes(47))
                if sock.recv(512)[0] >> 6 != 3:
                    return
                time.sleep(0.1)
