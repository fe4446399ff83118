# SPDX-License-Identifier: BSD-2-Clause
"""Servers that log a client on with NTLM and seal what follows. None of it is
ours but NT 4's way to seal, whose one key stream is written down here (MS-NLMP
3.4.4.1): gss-ntlmssp accepts and seals, Samba's ntlm_auth accepts.

An end has:
    challenge(T1) -> T2     finish(T3) -> the user's name, or None
    seal(octets), open(octets) -> octets; open raises Altered
"""
import base64
import os
import struct
import subprocess
import zlib


class Altered(Exception):
    """A block is not the next one of the other end."""


def users_file(file, accounts):
    """What gss-ntlmssp reads: {(domain, user): password}."""
    file.write_text("".join(f"{d}:{u}:{p}\n"
                            for (d, u), p in accounts.items()))
    os.environ["NTLM_USER_FILE"] = str(file)


class Gss:
    """gss-ntlmssp; users_file() has been called."""

    def __init__(self):
        import gssapi
        self.gss, self.context = gssapi, None
        mech = gssapi.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")
        self.cred = gssapi.raw.acquire_cred(None, mechs=[mech],
                                            usage="accept").creds

    def step(self, token):
        r = self.gss.raw.accept_sec_context(token, acceptor_creds=self.cred,
                                            context=self.context)
        self.context = r.context
        return r

    def challenge(self, t1):
        return self.step(t1).token

    def finish(self, t3):
        try:
            r = self.step(t3)
        except self.gss.raw.GSSError:
            return None
        return None if r.more_steps else str(r.initiator_name)

    def seal(self, octets):
        return self.gss.raw.wrap(self.context, octets).message

    def open(self, block):
        try:
            return self.gss.raw.unwrap(self.context, block).message
        except self.gss.raw.GSSError as e:
            raise Altered(str(e)) from e


class Rc4:
    """A key stream."""

    def __init__(self, key):
        self.s, self.i, self.j = list(range(256)), 0, 0
        j = 0
        for i in range(256):
            j = (j + self.s[i] + key[i % len(key)]) & 255
            self.s[i], self.s[j] = self.s[j], self.s[i]

    def __call__(self, octets):
        out = bytearray()
        for c in octets:
            self.i = (self.i + 1) & 255
            self.j = (self.j + self.s[self.i]) & 255
            self.s[self.i], self.s[self.j] = self.s[self.j], self.s[self.i]
            out.append(c ^ self.s[(self.s[self.i] + self.s[self.j]) & 255])
        return bytes(out)


class Samba:
    """Samba's ntlm_auth; for the log-on alone."""

    options = []

    def __init__(self, domain, user, password):
        self.p = subprocess.Popen(
            ["ntlm_auth", "--helper-protocol=squid-2.5-ntlmssp",
             f"--domain={domain}", f"--username={user}",
             f"--password={password}",
             *(f"--option={o}" for o in self.options)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, bufsize=1)
        self.key = None
        self.ask("SF NTLMSSP_FEATURE_SESSION_KEY NTLMSSP_FEATURE_SIGN "
                 "NTLMSSP_FEATURE_SEAL")

    def ask(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def challenge(self, t1):
        word, _, t2 = self.ask("YR " + b64(t1)).partition(" ")
        return base64.b64decode(t2) if word == "TT" else b""

    def finish(self, t3):
        word, _, user = self.ask("KK " + b64(t3)).partition(" ")
        if word == "AF":
            self.key = base64.b64decode(self.ask("GK").partition(" ")[2])
        self.p.stdin.close()
        self.p.wait(10)
        self.p.stdout.close()
        return user if word == "AF" else None


class Nt4(Samba):
    """A server of 1997: no extended session security, and no target information
    in its challenge, so NTLMv1 is the answer. One key stream for both ways."""

    options = ["ntlm auth=yes", "lanman auth=yes", "ntlmssp_server:ntlm2=no"]
    rc4, seq = None, 0

    def challenge(self, t1):
        t2 = super().challenge(t1)
        flags = struct.unpack_from("<I", t2, 20)[0] & ~0x00800000
        return t2[:20] + struct.pack("<I", flags) + t2[24:]

    def finish(self, t3):
        user = super().finish(t3)
        self.rc4 = Rc4(self.seal_key()) if user else None
        return user

    def seal_key(self):
        return self.key

    def sign(self, clear):
        tail = struct.pack("<III", 0, zlib.crc32(clear), self.seq)
        self.seq += 1
        return struct.pack("<I", 1) + self.rc4(tail)

    def seal(self, clear):
        data = self.rc4(clear)
        return self.sign(clear) + data

    def open(self, block):
        clear = self.rc4(block[16:])
        if self.sign(clear) != block[:16]:
            raise Altered("signature")
        return clear


class Exchange55(Nt4):
    """With the flags that a log of Exchange 5.5 shows: the LM key makes 40 bits
    of it (MS-NLMP 3.4.5.3)."""

    options = [*Nt4.options, "ntlmssp_server:allow_lm_key=yes",
               "ntlmssp_server:128bit=no", "ntlmssp_server:56bit=no"]

    def seal_key(self):
        return self.key[:5] + b"\xe5\x38\xb0"


def b64(octets):
    return base64.b64encode(octets).decode()
