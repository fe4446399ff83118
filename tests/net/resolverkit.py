# SPDX-License-Identifier: BSD-2-Clause
"""A resolver outside: DNS over TCP, from a table, or with lies."""
import contextlib
import socket
import struct
import threading

import pytest

from mailkit import Gone, Talk, socket_in

RESOLVER = "198.51.100.253"
A, CNAME, MX, AAAA = 1, 5, 15, 28


def labels(name):
    return b"".join(bytes([len(l)]) + l.encode()
                    for l in name.split(".") if l) + b"\0"


def record(kind, data, ttl=60):
    """Of the name that was asked for."""
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


class Resolver:
    """Answers over TCP from a table: (name, type) to data of records. twist: by name,
    what becomes of an answer: a function; None instead of octets is silence."""

    def __init__(self, table):
        self.table, self.twist, self.asked = table, {}, []
        self.listener = socket_in("net", socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((RESOLVER, 53))
        self.listener.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                sock, peer = self.listener.accept()
                threading.Thread(target=self.run, args=(sock, peer),
                                 daemon=True).start()

    def run(self, sock, peer):
        with contextlib.suppress(Gone, OSError), sock:
            talk = Talk(sock)
            while True:
                self.answer(talk, peer)

    def answer(self, talk, peer):
        while len(talk.got) < 2 or \
                len(talk.got) < 2 + struct.unpack("!H", talk.got[:2])[0]:
            talk.more()
        n, = struct.unpack("!H", talk.got[:2])
        query, talk.got = talk.got[2:2 + n], talk.got[2 + n:]
        name = query[12:-4]
        kind, = struct.unpack("!H", query[-4:-2])
        self.asked.append((peer, name, kind))
        found = self.table.get((name, kind), [])
        known = any(n == name for n, _ in self.table)
        answer = query[:2] + struct.pack(
            "!HHHHH", 0x8180 if known else 0x8183, 1, len(found), 0, 0) + \
            query[12:] + b"".join(record(kind, d) for d in found)
        if name in self.twist:
            answer = self.twist[name](answer)
        if answer is not None:
            talk.send(struct.pack("!H", len(answer)) + answer)

    def host(self, name, *addresses):
        """It is there."""
        for kind, family, mark in ((A, socket.AF_INET, "."),
                                   (AAAA, socket.AF_INET6, ":")):
            self.table[labels(name), kind] = [
                socket.inet_pton(family, a) for a in addresses if mark in a]

    def questions(self, name):
        return [kind for _, asked, kind in self.asked if asked == labels(name)]

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture(name="resolver")
def resolver_fixture():
    r = Resolver({})
    yield r
    r.close()
