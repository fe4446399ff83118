# SPDX-License-Identifier: BSD-2-Clause
"""A mail server that seals with NTLM, as another box or an old Exchange would:
gss-ntlmssp behind just enough SMTP, because no mail server in Debian seals. It
takes nothing before it is sealed.

usage: ntlm_mx.py ADDRESS FOLDER USERS    serve; messages go into FOLDER/new
"""
import base64
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from lablib import ntlm, peers  # noqa: E402


class NtlmMx(peers.Server):
    """The program below, as the other servers are started. users: as
    ntlm.users_file takes them."""

    def __init__(self, name, space, address, users):
        self.addresses, self.users = [address], users
        super().__init__(name, space)

    def configure(self):
        (self.dir / "mail/new").mkdir()
        ntlm.users_file(self.dir / "etc/users", self.users)

    def shell(self, command):
        return f"exec {command}"  # nothing of it is Debian's package

    def command(self):
        return (f"/usr/bin/python3 -B {__file__} {self.addresses[0]} "
                f"{self.dir}/mail {self.dir}/etc/users")


class Wire:
    """Lines over a socket; once there is an end, over its blocks."""

    def __init__(self, sock):
        self.sock, self.raw, self.got, self.end = sock, b"", b"", None

    def octets(self, n):
        while len(self.raw) < n:
            self.raw += self.sock.recv(65536) or sys.exit()
        out, self.raw = self.raw[:n], self.raw[n:]
        return out

    def until(self, mark):
        while mark not in self.got:
            if self.end:
                n = struct.unpack(">I", self.octets(4))[0]
                self.got += self.end.open(self.octets(n))
            else:
                self.got += self.octets(1)
        text, self.got = self.got.split(mark, 1)
        return text

    def say(self, text):
        data = text.encode() + b"\r\n"
        if self.end:
            data = self.end.seal(data)
            data = struct.pack(">I", len(data)) + data
        self.sock.sendall(data)

    def ask(self, octets):
        self.say("334 " + base64.b64encode(octets).decode())
        return base64.b64decode(self.until(b"\r\n"))


def log_on(wire, first):
    end = ntlm.Gss()
    user = end.finish(wire.ask(end.challenge(base64.b64decode(first))))
    if not user:
        wire.say("535 5.7.8 who are you")
        return
    wire.say("235 2.7.0 welcome")
    wire.end = end


def serve(sock, folder):
    wire = Wire(sock)
    wire.say("220 mx.ntlm.example ESMTP")
    while True:
        verb, _, rest = wire.until(b"\r\n").decode().partition(" ")
        verb = verb.upper()
        if verb == "EHLO":
            wire.say("250-mx.ntlm.example\r\n250-SIZE 60000000\r\n"
                     "250 AUTH NTLM")
        elif verb == "AUTH" and not wire.end:
            log_on(wire, rest.split(" ")[1])
        elif verb == "QUIT":
            wire.say("221 2.0.0 bye")
            return
        elif not wire.end:
            wire.say("530 5.7.0 log on first")
        elif verb == "DATA":
            wire.say("354 go")
            text = wire.until(b"\r\n.\r\n") + b"\r\n"
            name = f"{os.getpid()}-{threading.get_ident()}"
            (folder / f"new/{name}").write_bytes(
                b"Received: sealed with NTLM\r\n" + text.replace(
                    b"\r\n.", b"\r\n"))
            wire.say("250 2.0.0 taken")
        else:
            wire.say("250 2.1.0 ok")


def main():
    address, folder, users = sys.argv[1:]
    os.environ["NTLM_USER_FILE"] = users
    with socket.create_server((address, 25), backlog=64) as listener:
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=serve, args=(sock, pathlib.Path(folder)),
                             daemon=True).start()


if __name__ == "__main__":
    main()
