# SPDX-License-Identifier: BSD-2-Clause
"""confd with a store, asked as a console asks it (firmware/ipc/ipc.h)."""
import os
import struct

from fake_boss import (CONFD, CONSOLE, OK, OPS, RELAY, WIRE, Program, answered,
                       contents, memfd, receive, send)

RUNNING = RESCUE_COPY = (1 << 64) - 1
SECRET = bytes(range(32))
FACTORY = b"default may\n"
CA = b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
E_PEER_SYNTAX, E_PEER_ORDER = -100, -101


def given(factory, store=None, secret=SECRET, kept=None):
    """What boss gives to confd, in its order."""
    def file(index, fd):
        return "CONF_FILE", struct.pack("<BI", CONFD, index), [fd]
    out = [file(0, memfd(factory)), file(1, memfd(CA))]
    if kept is not None:
        out.append(file(2, memfd(kept)))
    if store is not None:
        out.append(file(3, os.open(store, os.O_RDONLY | os.O_DIRECTORY)))
        if secret is not None:
            out.append(file(4, memfd(secret)))
    return out


def agree_keys(p, sock=None, what="secrets", error=OK):
    """keys takes the next table of secrets; what is in it, or its number."""
    sock = sock or p.keys
    m = receive(sock, 8.0)
    assert m and m[0] == "SECRETS", (m, p.stderr())
    number, p.may_sign = struct.unpack("<QB", m[1])
    send(sock, "SNAPSHOT_ACK", struct.pack("<iQ", error, number))
    table = contents(m[2][0])
    return table if what == "secrets" else number


def snapshot(m, p):
    """(number, contents) of one that p sent to wire or a relay; what the relays
    get with it is in p.certificates."""
    assert m and m[0] in ("SNAPSHOT", "SNAPSHOT_KEYS"), (m, p.stderr())
    if m[0] == "SNAPSHOT_KEYS":
        p.certificates = contents(m[2][1])
    return struct.unpack("<Q", m[1])[0], contents(m[2][0])


class Confd(Program):
    """With wire and one relay that take what they get, and a console."""

    def __init__(self, factory=FACTORY, build=None, **kw):
        files = given(factory, **kw)
        super().__init__(CONFD, files, **({"build": build} if build else {}))
        for _, _, (fd,) in files:
            os.close(fd)
        self.peers = [self.join(WIRE), self.join(RELAY, 0)]
        self.console = self.join(CONSOLE)
        self.boxes = []  # (time-out, name, banner) as the console gets them

    def agree(self, peers=None, error=OK, timeout=30.0):
        """Each peer takes the next snapshot; what is in it."""
        data = None
        for s in self.peers if peers is None else peers:
            m = receive(s, timeout)
            number, data = snapshot(m, self)
            send(s, "SNAPSHOT_ACK", struct.pack("<iQ", error, number))
        return data

    def ask(self, op, text=b"", number=0):
        fd = memfd(text)
        send(self.console, "CONF_ASK", struct.pack(
            "<QB", number, OPS.index(op) + 1), [fd])
        os.close(fd)

    def factory_reset(self):
        """It is asked for, and the relays are told to forget what they have learned;
        then agree()."""
        self.ask("FACTORY")
        for relay in self.peers[1:]:
            m = receive(relay)
            assert m and m[:2] == ("FORGET", b""), (m, self.stderr())

    def result(self, timeout=30.0):
        """(error, answer)"""
        m = answered(self.console, timeout, self.boxes)
        assert m and m[0] == "CONF_RESULT", (m, self.stderr())
        return struct.unpack("<iQ", m[1])[0], contents(m[2][0]).decode()

    def do(self, op, text=b"", number=0):
        """Ask and get the answer of what must work."""
        self.ask(op, text, number)
        error, answer = self.result()
        assert error == OK, (op, error, answer, self.stderr())
        return answer

    def refused(self, op, text=b"", number=0):
        self.ask(op, text, number)
        error, answer = self.result()
        assert error != OK, (op, answer)
        return answer

    def commit(self, seconds=0):
        self.ask("COMMIT", number=seconds)
        assert not answered(self.console, 0.01, self.boxes), "sooner than anybody agreed"
        data = self.agree()
        error, answer = self.result()
        assert error == OK, (answer, self.stderr())
        return data

    def running(self):
        return self.do("RUNNING").encode()
