# SPDX-License-Identifier: BSD-2-Clause
"""A relay alone: this test is boss, confd and wire, and both ends of the mail
sessions (firmware/ipc/ipc.h). No network is needed."""
import fcntl
import os
import socket
import struct

from confdkit import Confd
from fake_boss import (CONFD, RELAY, WIRE, Program, pair, receive, send)

CLIENT, SERVER = 0, 1
MX = ("198.51.100.1", 25)


def endpoint(address, port):
    ip = socket.inet_pton(socket.AF_INET6, address) if ":" in address else \
        bytes(10) + b"\xff\xff" + socket.inet_aton(address)
    return ip + struct.pack("<H", port)


def sealed(data):
    fd = os.memfd_create("snapshot", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK |
                fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    return fd


def table(keys):
    """(name, DER of a key, PEM) each, as secret/secret_table.h has it."""
    if isinstance(keys, bytes):
        return keys
    out = b"SWSECRET" + struct.pack("<IIQ", 2, len(keys), 0)
    for fields in keys:
        out += struct.pack("<BBH", 2, len(fields), 0)
        out += struct.pack(f"<{len(fields)}I", *map(len, fields))
        out += b"".join(fields)
    return out


def compiled(text):
    """The snapshot that confd makes of a configuration."""
    confd = Confd(factory=text.encode())
    data = confd.agree()
    confd.stop()
    return data


class Flow:
    """One session: the sockets of its client and of its server. tls_only: wire says
    that no mail may be taken but inside TLS."""

    def __init__(self, number, server=MX, outside=False, tls_only=False):
        self.number = number
        self.client, self.to_client = socket.socketpair()
        self.server, self.to_server = socket.socketpair()
        self.body = struct.pack("<IB", number, outside) + \
            endpoint("10.77.0.10", 40000 + number) + endpoint(*server) + \
            struct.pack("<B", tls_only)
        for s in (self.client, self.server):
            s.settimeout(5)

    def give(self, wire):
        send(wire, "FLOW_OPEN", self.body,
             [self.to_client.fileno(), self.to_server.fileno()])
        self.to_client.close()
        self.to_server.close()
        return self

    def says(self, side, data, other):
        """One side says data; the other one hears `other`."""
        ends = self.client, self.server
        ends[side].sendall(data)
        return self.hears(1 - side, other)

    def hears(self, side, want):
        end, got = (self.client, self.server)[side], b""
        while len(got) < len(want):
            more = end.recv(len(want) - len(got))
            assert more, f"closed after {got}"
            got += more
        assert got == want
        return self

    def ehlo(self, caps=b"250-mx\r\n250 PIPELINING\r\n"):
        self.says(SERVER, b"220 mx\r\n", b"220 mx\r\n")
        self.says(CLIENT, b"EHLO c.example\r\n", b"EHLO c.example\r\n")
        self.server.sendall(caps)
        return self

    def heard_all(self, side):
        """What comes until the end."""
        end, got = (self.client, self.server)[side], b""
        while True:
            more = end.recv(65536)
            if not more:
                return got
            got += more


class Relay(Program):
    """early: flows that are there before its first turn."""

    def __init__(self, text, early=(), policy=True, certificates=(), **kw):
        self.wire, wire = pair()
        self.confd, confd = pair()
        self.text = text
        if policy:
            self.configure(text, certificates)
        for f in early:
            f.give(self.wire)
        super().__init__(RELAY, [
            ("PEER", struct.pack("<BI", CONFD, 0), [confd.fileno()]),
            ("PEER", struct.pack("<BI", WIRE, 0), [wire.fileno()])], **kw)
        wire.close()
        confd.close()
        self.numbers = iter(range(100, 1000))

    def configure(self, text, certificates=()):
        fds = sealed(compiled(text)), sealed(table(certificates))
        send(self.confd, "SNAPSHOT_KEYS", struct.pack("<Q", 1), fds)
        for fd in fds:
            os.close(fd)

    def flow(self, **how):
        return Flow(next(self.numbers), **how).give(self.wire)

    def told(self, timeout=5.0):
        """(what relay says to wire, flow, rest of it)"""
        m = receive(self.wire, timeout)
        return m and (m[0], struct.unpack("<I", m[1][:4])[0], m[1][4:])

    def dial(self, flow):
        """relay wants another server for this flow: its address; the stream to
        it is made and given."""
        kind, number, to = self.told()
        assert (kind, number) == ("FLOW_DIAL", flow.number)
        flow.server.close()
        flow.server, theirs = socket.socketpair()
        flow.server.settimeout(5)
        send(self.wire, "FLOW_DIALED", struct.pack("<I", flow.number),
             [theirs.fileno()])
        theirs.close()
        return socket.inet_ntoa(to[12:16])

    def busy(self):
        """Seconds of processor time so far."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            words = f.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
