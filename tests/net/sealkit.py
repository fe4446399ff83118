# SPDX-License-Identifier: BSD-2-Clause
"""Scripted servers with log-ons: replies for mailkit.Mx, and what lies under a
session once it is sealed."""
import base64
import functools
import hashlib
import hmac
import os
import struct

from mailkit import Gone, Talk

from lablib import ntlm


class Sealed(Talk):
    """Lines over sealed blocks. mangle(direction, number, block) gives the blocks
    that are sent instead, or taken. size: clear octets in a block. crumbs: each
    octet goes out by itself."""

    def __init__(self, talk, end, mangle=None, size=4096, crumbs=False):
        super().__init__(talk.sock)
        self.under, self.end, self.size, self.crumbs = talk, end, size, crumbs
        self.mangle = mangle or (lambda d, n, b: [b])
        self.n = {"in": 0, "out": 0}
        self.blocks = []    # clear octets of each block that came

    def send(self, data):
        wire = b""
        for at in range(0, len(data), self.size):
            block = self.end.seal(data[at:at + self.size])
            self.n["out"] += 1
            wire += b"".join(struct.pack(">I", len(b)) + b for b in
                             self.mangle("out", self.n["out"], block))
        step = 1 if self.crumbs else len(wire) or 1
        for at in range(0, len(wire), step):
            self.under.send(wire[at:at + step])

    def more(self):
        while len(self.under.got) < 4:
            self.under.more()
        n = struct.unpack(">I", self.under.got[:4])[0]
        while len(self.under.got) < 4 + n:
            self.under.more()
        block = self.under.got[4:4 + n]
        self.under.got = self.under.got[4 + n:]
        self.n["in"] += 1
        for b in self.mangle("in", self.n["in"], block):
            try:
                clear = self.end.open(b)
            except ntlm.Altered as e:
                raise Gone(str(e)) from e
            self.blocks.append(clear)
            self.got += clear


def text_of(line):
    return base64.b64decode(line, validate=True)


def say(session, text):
    """334, and what the client says to it; None: it gives up."""
    session.say(b"334 " + text + b"\r\n")
    line = session.talk.line()
    session.mx.heard.append((line, bool(session.tls)))
    if line == b"*":
        session.say(b"501 5.7.0 as you like\r\n")
        return None
    return text_of(line)


def initial(session):
    """The initial response of the AUTH line that was heard last."""
    words = session.mx.heard[-1][0].split(b" ")
    return text_of(words[2]) if len(words) > 2 else None


def ntlm_reply(make_end, seal=True, prose=None, change_t2=None, **blocks):
    """An answer to AUTH NTLM: with an end of lablib.ntlm, and sealed. blocks: what
    Sealed is told."""
    def reply(session):
        end = make_end()
        t1 = initial(session)
        if t1 is None or prose:
            t1 = say(session, prose or b"")
        t2 = end.challenge(t1)
        t3 = say(session, base64.b64encode(change_t2(t2) if change_t2
                                           else t2))
        if t3 is None:
            return None
        session.user = end.finish(t3)
        if not session.user:
            session.say(b"535 5.7.3 Authentication unsuccessful\r\n")
            return None
        session.say(b"235 2.7.0 ntlm authentication successful\r\n")
        if seal:
            session.talk = Sealed(session.talk, end, **blocks)
            session.mx.sealed = session.talk
        return None
    return reply


def scram_reply(user, password, digest="sha256", iterations=4096, nonce=None,
                proof=None):
    """SCRAM (RFC 5802). nonce, proof: what changes the server's nonce and its
    last message, and so what it is."""
    def reply(session):
        first = initial(session)
        bare = first.split(b",", 2)[2]
        theirs = dict(f.split(b"=", 1) for f in bare.split(b","))
        salt, both = os.urandom(12), theirs[b"r"] + os.urandom(9).hex().encode()
        both = nonce(both) if nonce else both
        ours = b"r=%s,s=%s,i=%d" % (both, base64.b64encode(salt), iterations)
        last = say(session, base64.b64encode(ours))
        if last is None:
            return None
        bound, _, p = last.rpartition(b",p=")
        key = hashlib.pbkdf2_hmac(digest, password.encode(), salt, iterations)
        mac = functools.partial(hmac.digest, digest=digest)
        signed = b",".join([bare, ours, bound])
        client = mac(key, b"Client Key")
        stored = hashlib.new(digest, client).digest()
        want = bytes(a ^ b for a, b in zip(client, mac(stored, signed)))
        if theirs[b"n"] != user.encode() or base64.b64decode(p) != want:
            session.say(b"535 5.7.8 no such user or password\r\n")
            return None
        server = b"v=" + base64.b64encode(mac(mac(key, b"Server Key"), signed))
        server = proof(server) if proof else server
        if server is None or say(session, base64.b64encode(server)) == b"":
            session.say(b"235 2.7.0 ok\r\n")
        return None
    return reply


def simple_reply(user, password):
    """PLAIN, LOGIN and CRAM-MD5."""
    def check(session, u, p):
        good = (u, p) == (user.encode(), password.encode())
        session.say(b"235 2.7.0 ok\r\n" if good else
                    b"535 5.7.8 no such user or password\r\n")

    def reply(session):
        mech = session.mx.heard[-1][0].split(b" ")[1].upper()
        if mech == b"PLAIN":
            r = initial(session)
            r = say(session, b"") if r is None else r
            if r is not None:
                check(session, *r.split(b"\0")[1:])
        elif mech == b"LOGIN":
            u = say(session, b"VXNlcm5hbWU6")
            p = say(session, b"UGFzc3dvcmQ6") if u is not None else None
            if p is not None:
                check(session, u, p)
        elif mech == b"CRAM-MD5":
            c = b"<%s@mx.example>" % os.urandom(6).hex().encode()
            r = say(session, base64.b64encode(c))
            if r is not None:
                u, _, d = r.rpartition(b" ")
                want = hmac.new(password.encode(), c, hashlib.md5).hexdigest()
                check(session, u, password.encode() if d == want.encode()
                      else b"")
        else:
            session.say(b"504 5.5.4 what\r\n")
        return None
    return reply


__all__ = ["Gone", "Sealed", "initial", "ntlm", "ntlm_reply", "say",
           "scram_reply", "simple_reply", "text_of"]
