# SPDX-License-Identifier: BSD-2-Clause
"""Much data, between kernels: offloads on and off in all places, mail and
other traffic, and the list of ports."""
import hashlib
import itertools
import random
import socket
import threading

import pytest
from wirekit import (ACK, CANARY, PSH, SYN, Lab, Net, in_space, lablib)


def reader(space, address, digests):
    """Take one connection on port 8080 and note the digest of its octets."""
    with in_space(space):
        s = socket.create_server((address, 8080))

    def run():
        conn, _ = s.accept()
        s.close()
        h = hashlib.sha256()
        with conn:
            while data := conn.recv(1 << 16):
                h.update(data)
        digests.append(h.hexdigest())
    t = threading.Thread(target=run, daemon=True)
    t.start()
    return t


class Sink(threading.Thread):
    """A mail server without TLS, as simple as can be: takes one message."""

    def __init__(self, address):
        super().__init__(daemon=True)
        with in_space("net"):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            self.sock = socket.create_server((address, 25), family=family)
        self.body = b""
        self.start()

    def run(self):
        conn, _ = self.sock.accept()
        self.sock.close()
        f = conn.makefile("rwb")
        self.say(f, "220 mx.example")
        for line in f:
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                self.say(f, "354 go")
                parts = []
                while (line := f.readline()) not in (b".\r\n", b""):
                    parts.append(line)
                self.body = b"".join(parts)
                self.say(f, "250 stored")
            elif verb == b"QUIT":
                self.say(f, "221 bye")
                break
            else:
                self.say(f, "250 ok")
        f.close()
        conn.close()

    @staticmethod
    def say(f, text):
        f.write(text.encode() + b"\r\n")
        f.flush()


def deliver(address, body, seconds=30):
    """One message from the kernel of the inside to that of the outside."""
    sink = Sink(address)
    with in_space("mail"):
        c = socket.create_connection((address, 25), seconds)
    with c, c.makefile("rb") as f:
        assert f.readline().startswith(b"220")
        for line in (b"EHLO a.example", b"MAIL FROM:<a@a.example>",
                     b"RCPT TO:<b@x.example>", b"DATA"):
            c.sendall(line + b"\r\n")
            while (answer := f.readline())[3:4] == b"-":
                pass
            assert answer[:1] in b"23", answer
        c.sendall(body + b".\r\n")
        assert f.readline().startswith(b"250")
        c.sendall(b"QUIT\r\n")
        f.read()
    sink.join(5)
    return sink.body


def offloads(space, dev, on):
    word = "on" if on else "off"
    lablib.inside(space, "ethtool", "-K", dev, "tx", word, "rx", word, "tso",
                  word, "gso", word, "gro", word, capture_output=True)


BODY = b"".join(b"%07d a line of a message of five megabytes\r\n" % i
                for i in range(5 * 1024 * 1024 // 50))


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
def test_a41_offload_matrix(v6):
    """5 MB each, with every mix of offloads on the two hosts and the box."""
    address = "2001:db8:25::7" if v6 else "198.51.100.7"
    with Lab():
        for mail, box, net in itertools.product((True, False), repeat=3):
            offloads("mail", "eth0", mail)
            offloads("net", "eth0", net)
            for dev in ("inside", "outside"):
                offloads("box", dev, box)
            assert deliver(address, BODY) == BODY, (mail, box, net)


@pytest.mark.parametrize("mtu", [576, 1280, 9000])
def test_a40_small_and_large_mtu_of_the_hosts(mtu):
    with Lab() as up:
        up.mtu(mtu)
        assert deliver("198.51.100.7", BODY[:1 << 20] + b"\r\n") == \
            BODY[:1 << 20] + b"\r\n"


@pytest.mark.parametrize("offloads", [True, False], ids=["on", "off"])
def test_o6_bulk_of_another_port_passes(offloads):
    with Lab(offloads=offloads) as up:
        for here, there, address in (("mail", "net", "198.51.100.7"),
                                     ("net", "mail", "10.77.0.10")):
            digests = []
            t = reader(there, address, digests)
            with in_space(here):
                c = socket.create_connection((address, 8080), 5)
            data = random.Random(here).randbytes(1 << 20)
            h = hashlib.sha256()
            for _ in range(40):
                c.sendall(data)
                h.update(data)
            c.close()
            t.join(30)
            assert digests == [h.hexdigest()]
        r = lablib.inside("mail", "ping", "-c", "3", "-i", "0.01", "-s",
                          "1400", "10.77.0.1", capture_output=True)
        assert b"3 received" in r.stdout
        assert up.counter("frames-taken-inside") == 0


def test_intercept_ports_are_a_list():
    with Lab("intercept port 25 2525 587\ndefault may\n") as up:
        inside, outside = up.ports()
        net = Net(inside, outside)
        for dport in (2525, 587, 25):
            c, s = net.session(dport=dport)
            net.message(c, s)
            net.quit(c, s)
        for dport in (24, 26, 588, 465):
            c = net.client(dport=dport)
            f = c.raw(ACK | PSH, CANARY)
            inside.send(f)
            assert outside.collect(1, 2, lambda x: CANARY in x) == [f]
        # A shorter list is put back by wire, not taken from the kernel.
        up.args.config.write_text("intercept port 25\ndefault may\n")
        up.cli(f"config load {up.args.config}")
        c = net.client(dport=2525)
        f = c.raw(SYN)
        inside.send(f)
        assert outside.collect(1, 2, lambda x: x == f) == [f]
        c, s = net.session()
        net.message(c, s)
        inside.close()
        outside.close()
