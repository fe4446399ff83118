# SPDX-License-Identifier: BSD-2-Clause
"""A relay alone: this test is boss, confd and wire, and both ends of the mail
sessions (firmware/ipc/ipc.h). No network is needed."""
import fcntl
import hashlib
import os
import socket
import struct
import threading

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

from confdkit import Confd
from fake_boss import (CONFD, E_CONF, KEYS, OK, RELAY, WIRE, Program, pair,
                       receive, send)

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
    """(name, DER of a key, PEM) each, as secret/secret_table.h has it; as relay gets
    it, without the key."""
    if isinstance(keys, bytes):
        return keys
    out = b"SWSECRET" + struct.pack("<IIQ", 2, len(keys), 0)
    for name, _, pem in keys:
        fields = name, b"", pem
        out += struct.pack("<BBH", 2, len(fields), 0)
        out += struct.pack(f"<{len(fields)}I", *map(len, fields))
        out += b"".join(fields)
    return out


SIGN_RSA_PKCS1, SIGN_RSA_PSS, SIGN_ECDSA = range(3)
HASHES = {32: hashes.SHA256(), 48: hashes.SHA384(), 64: hashes.SHA512()}


def pin(public):
    return hashlib.sha256(public.public_bytes(
        serialization.Encoding.DER,
        serialization.PublicFormat.SubjectPublicKeyInfo)).digest()


def sign_ask(scheme, key_pin, digest):
    """As ipc/ipc_sign.h has it."""
    return bytes([scheme]) + key_pin + digest


def signature(key, scheme, digest):
    how = utils.Prehashed(HASHES[len(digest)])
    if scheme == SIGN_ECDSA:
        return key.sign(digest, ec.ECDSA(how))
    pad = padding.PKCS1v15() if scheme == SIGN_RSA_PKCS1 else padding.PSS(
        padding.MGF1(HASHES[len(digest)]), len(digest))
    return key.sign(digest, pad, how)


class Keys(threading.Thread):
    """Who signs for a relay; what it was asked is in asked."""

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock, self.keys, self.asked = sock, {}, []
        self.mute = False  # hears, and says nothing
        self.start()

    def learn(self, certificates):
        for _, der, _ in certificates:
            key = serialization.load_der_private_key(der, None)
            self.keys[pin(key.public_key())] = key

    def end(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.join()
        self.sock.close()

    def run(self):
        while m := receive(self.sock, 3600):
            if m[0] != "SIGN":
                continue
            flow, number = struct.unpack_from("<IQ", m[1])
            scheme, digest = m[1][12], m[1][45:]
            self.asked.append((flow, scheme, len(digest)))
            if self.mute:
                continue
            key = self.keys.get(m[1][13:45])
            send(self.sock, "SIGNED",
                 struct.pack("<IiQ", flow, OK if key else E_CONF, number) +
                 (signature(key, scheme, digest) if key else b""))


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
        ours, keys = pair()
        self.keys = Keys(ours)
        self.text = text
        if policy:
            self.configure(text, certificates)
        for f in early:
            f.give(self.wire)
        super().__init__(RELAY, [
            ("PEER", struct.pack("<BI", CONFD, 0), [confd.fileno()]),
            ("PEER", struct.pack("<BI", WIRE, 0), [wire.fileno()]),
            ("PEER", struct.pack("<BI", KEYS, 0), [keys.fileno()])], **kw)
        for s in wire, confd, keys:
            s.close()
        self.numbers = iter(range(100, 1000))

    def new_keys(self, seen=True):
        """keys has died, and is back; not seen: before relay hears that it died."""
        old, (ours, theirs) = self.keys, pair()
        if seen:
            old.end()
        self.keys = Keys(ours)
        self.keys.keys = old.keys
        send(self.sock, "PEER", struct.pack("<BI", KEYS, 0), [theirs.fileno()])
        theirs.close()

    def new_wire(self):
        """wire has died, and is back; it counts its flows from the first one."""
        self.wire.close()
        self.wire, theirs = pair()
        send(self.sock, "PEER", struct.pack("<BI", WIRE, 0), [theirs.fileno()])
        theirs.close()
        self.numbers = iter(range(100, 1000))

    def configure(self, text, certificates=()):
        if not isinstance(certificates, bytes):
            self.keys.learn(certificates)
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
