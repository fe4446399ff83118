# SPDX-License-Identifier: BSD-2-Clause
"""A lab with scripted servers and clients, and the oracles that every mail test
ends with.

    O1  no canary of a protected message on the outside wire; the box, which
        watches it too, has not seen one either
    O2  what a client was told is taken, a server has, octet for octet
    O3  what a server has, a client has submitted; nothing was smuggled in
    O4  an honest message still passes
    O5  no program died, no sanitizer spoke, no session, no descriptor is left
"""
import contextlib
import ctypes
import itertools
import os
import pathlib
import re
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from lablib import ca, capture, net  # noqa: E402

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
WAIT = 20.0  # for whatever must happen
SMUGGLED = b"SMUGGLED"


def socket_in(space, family, kind=socket.SOCK_STREAM):
    """A socket that belongs to a namespace: made by a thread that entered it."""
    made = []

    def make():
        with open(f"/run/netns/{net.SPACES[space]}", "rb") as ns:
            if LIBC.setns(ns.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        made.append(socket.socket(family, kind))

    t = threading.Thread(target=make)
    t.start()
    t.join()
    return made[0]


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def reset(sock):
    """Close with RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 0))
    sock.close()


def poll(what, seconds=WAIT):
    """Wait until what() is true; its value."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


class Gone(Exception):
    """The other end closed."""


class Talk:
    """Lines over a socket."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(WAIT)
        self.got = b""

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as e:
            raise Gone(str(e)) from e

    def more(self):
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            raise
        except OSError as e:
            raise Gone(str(e)) from e
        if not data:
            raise Gone("closed")
        self.got += data

    def line(self):
        """One line without its end."""
        while b"\n" not in self.got:
            self.more()
        line, self.got = self.got.split(b"\n", 1)
        return line.removesuffix(b"\r")

    def until(self, mark):
        while mark not in self.got:
            self.more()
        data, self.got = self.got.split(mark, 1)
        return data


# --- the server -----------------------------------------------------------------
CAPS = ["PIPELINING", "SIZE 50000000", "8BITMIME", "SMTPUTF8", "DSN",
        "ENHANCEDSTATUSCODES", "CHUNKING"]


class Mx:
    """A server at an address of the world, or inside, that does what it is told.

    reply   {verb: octets} instead of the usual answer; GREETING, TEXT (the
            dot), and the verbs. A function is called with the connection.
    cut     (after how many octets of the dialogue, how): "fin", "rst", "silent"
    """

    def __init__(self, address, tls=None, reply=None, cut=None, caps=None,
                 space="net", port=25):
        self.address, self.tls, self.cut = address, tls, cut
        self.reply = reply or {}
        self.caps = CAPS if caps is None else caps
        self.stored = []    # (recipients, octets, TLS version or None)
        self.heard = []     # (verb line, in TLS)
        self.sessions = 0
        self.sent_ok = 0    # complete 250 to a message
        self.listener = socket_in(space, family_of(address))
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(128)
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.sessions += 1
            threading.Thread(target=self.run, args=(sock,),
                             daemon=True).start()

    def run(self, sock):
        s = Session(self, sock)
        try:
            s.dialogue()
        except (Gone, OSError, ssl.SSLError):
            pass
        with contextlib.suppress(OSError):
            s.talk.sock.close()

    def envelope_in_clear(self):
        return [l for l, tls in self.heard
                if not tls and re.match(rb"(?i)(MAIL|RCPT|DATA)", l)]


class Session:
    """One connection of an Mx."""

    def __init__(self, mx, sock):
        self.mx, self.talk, self.said = mx, Talk(sock), 0
        self.tls = None

    def say(self, data):
        cut = self.mx.cut
        if cut and self.said + len(data) > cut[0]:
            self.talk.send(data[:cut[0] - self.said])
            if cut[1] == "rst":
                reset(self.talk.sock)
            if cut[1] == "silent":  # until the other end has had enough
                while True:
                    self.talk.more()
            raise Gone("as told")
        self.talk.send(data)
        self.said += len(data)

    def answer(self, what, usual):
        r = self.mx.reply.get(what, usual)
        if callable(r):
            r = r(self)
        if r is not None:
            self.say(r)
        return r

    def capabilities(self):
        lines = ["mx.example", *self.mx.caps]
        if self.mx.tls and not self.tls:
            lines.append("STARTTLS")
        text = "".join(f"250-{l}\r\n" for l in lines[:-1])
        return (text + f"250 {lines[-1]}\r\n").encode()

    def starttls(self):
        r = self.answer("STARTTLS", b"220 go\r\n" if self.mx.tls
                        else b"502 no\r\n")
        if self.mx.tls and r == b"220 go\r\n":
            sock = self.mx.tls.wrap_socket(self.talk.sock, server_side=True)
            self.talk = Talk(sock)
            self.tls = sock.version()

    def text(self, rcpts):
        body = self.talk.until(b"\r\n.\r\n") + b"\r\n"
        self.mx.stored.append((rcpts, body, self.tls))
        r = self.answer("TEXT", b"250 2.0.0 taken\r\n")
        self.mx.sent_ok += bool(r and r.startswith(b"250"))

    def dialogue(self):
        rcpts = []
        self.answer("GREETING", b"220 mx.example ESMTP\r\n")
        while True:
            line = self.talk.line()
            self.mx.heard.append((line, bool(self.tls)))
            verb = line.split(b" ")[0].split(b":")[0].upper().decode(
                errors="replace")
            if verb == "EHLO":
                rcpts = []
                self.answer(verb, self.capabilities())
            elif verb == "STARTTLS":
                self.starttls()
            elif verb == "DATA":
                r = self.answer(verb, b"354 go\r\n")
                if r and r.startswith(b"354"):
                    self.text(rcpts)
                    rcpts = []
            elif verb == "QUIT":
                self.answer(verb, b"221 2.0.0 bye\r\n")
                return
            elif verb in ("HELO", "MAIL", "RCPT", "RSET", "NOOP"):
                r = self.answer(verb, b"250 2.1.0 ok\r\n")
                if verb == "RCPT" and r and r.startswith(b"250"):
                    rcpts.append(line)
                if verb == "RSET":
                    rcpts = []
            else:
                self.answer(verb, b"502 5.5.1 what\r\n")


# --- the client -------------------------------------------------------------------
class Client:
    """A mail server inside, without TLS, or one outside, as a script uses it."""

    def __init__(self, address, port=25, source=None, connect=True, wait=WAIT,
                 space="mail"):
        sock = socket_in(space, family_of(address))
        sock.settimeout(wait)
        if source:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(source)
        self.talk = Talk(sock)
        if not connect:
            return
        try:
            sock.connect((address, port))
        except ConnectionResetError:  # a RST can be faster than connect()
            raise Gone("reset") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.talk.sock.close()

    def reply(self):
        """(code, whole text)"""
        lines = []
        while True:
            line = self.talk.line()
            lines.append(line.decode(errors="replace"))
            if line[3:4] != b"-":
                return int(line[:3]), "\n".join(lines)

    def say(self, data):
        self.talk.send(data)

    def cmd(self, line):
        self.say(line.encode(errors="surrogateescape") + b"\r\n")
        return self.reply()

    def ehlo(self):
        code, text = self.cmd("EHLO mail.corp.example")
        assert code == 250, text
        return text

    def hello(self):
        code, text = self.reply()
        assert code == 220, text
        return self.ehlo()

    def starttls(self, context, name=None):
        """The rest of the session in TLS; the other end's certificate, DER."""
        code, text = self.cmd("STARTTLS")
        assert code == 220, text
        sock = context.wrap_socket(self.talk.sock, server_hostname=name)
        self.talk = Talk(sock)
        return sock.getpeercert(True)

    def closed(self):
        """Does the other end close, whatever it still says?"""
        try:
            while True:
                self.talk.more()
        except (Gone, ssl.SSLError):
            return True
        except socket.timeout:
            return False


class Result:
    """What became of one message, as its sender sees it."""

    def __init__(self):
        self.rcpt, self.final, self.text = [], None, ""


def transact(client, rcpts, body, sender="alice@corp.example"):
    """MAIL to dot on a client that has said EHLO. body has CRLF at its end."""
    r = Result()
    code, r.text = client.cmd(f"MAIL FROM:<{sender}>")
    if code != 250:
        return r
    for to in rcpts:
        code, text = client.cmd(f"RCPT TO:<{to}>")
        r.rcpt.append(code)
        r.text = text
    if not any(c // 100 == 2 for c in r.rcpt):
        client.cmd("RSET")
        return r
    code, text = client.cmd("DATA")
    if code != 354:
        r.final, r.text = code, text
        return r
    client.say(body + b".\r\n")
    r.final, text = client.reply()
    r.text += "\n" + text
    return r


# --- the box ------------------------------------------------------------------------
class Box:
    """The lab, up with a configuration, watched from outside."""

    def __init__(self, folder, config, up=()):
        self.folder = folder
        self.addresses = itertools.count(20)
        self.numbers = itertools.count(1)
        self.opened = []
        self.submitted, self.acked, self.protected = set(), [], set()
        self.leaks = 0  # that the test has made
        file = folder / "box.conf"
        file.write_text(config)
        self.pcap = folder / "outside.pcap"
        self.seen = capture.Frames.HEAD
        try:
            self.start(file, up)
            self.capture = capture.Capture("net", "eth0", self.pcap)
            self.restarts = self.counters("restarts")
            self.wait_ready()
            # what comes with a snapshot is open while it is read
            assert poll(lambda: re.search(r"in force on (\d+) of \1 programs",
                                          net.cli("show status"))), net.tail()
            self.files = self.descriptors()
        except BaseException:  # whoever stops us here: there is no down() yet
            net.down(None)
            raise

    def start(self, file, up):
        subprocess.run([ROOT / "tools/lab", "up", "--config", file, *up],
                       check=True, capture_output=True, text=True)

    def down(self):
        with contextlib.suppress(ProcessLookupError):
            self.capture.process.terminate()
        self.capture.process.communicate()
        subprocess.run([ROOT / "tools/lab", "down"], check=True)

    def address(self, v6=False):
        n = next(self.addresses)
        if v6:
            return f"2001:db8:25::{n:x}"
        assert n < 255, "no address left: a module takes too many"
        return f"198.51.100.{n}"

    def mx(self, v6=False, address=None, **how):
        m = Mx(address or self.address(v6), **how)
        self.opened.append(m)
        return m

    def body(self, protected=False, size=200):
        """A message nobody else has; its canary is on the list if it must not
        be seen."""
        canary = f"canary-{'P' if protected else 'C'}-{os.getpid()}-" \
                 f"{next(self.numbers)}-x"
        if protected:
            self.protected.add(canary)
        text = f"Subject: {canary}\r\n\r\n"
        text += f"{canary} and some words\r\n" * (1 + size // 40)
        self.submitted.add(text.encode())
        return text.encode()

    def send(self, address, rcpts, protected=False, size=200, body=None,
             wait=WAIT):
        """One message over a connection of its own. O2's ledger is kept."""
        body = body or self.body(protected, size)
        with Client(address, wait=wait) as c:
            c.hello()
            r = transact(c, rcpts, body)
            self.note(r, body)
            with contextlib.suppress(Gone):
                c.cmd("QUIT")
        return r

    def note(self, result, body):
        if result.final and result.final // 100 == 2:
            self.acked.append(body)

    def cli(self, command):
        return net.cli(command)

    def load(self, text):
        file = self.folder / "next.conf"
        file.write_text(text)
        return net.cli(f"config load {file}")

    def counters(self, begin):
        return sorted(l for l in net.cli("show counters").splitlines()
                      if begin in l)

    def counter(self, name):
        line, = (l for l in net.cli("show counters").splitlines()
                 if l.split()[0] == name)
        return int(line.split()[1])

    def programs(self):
        """{name: pids} of what runs."""
        out = {}
        for pid in net.pids_in("sw-box"):
            with contextlib.suppress(OSError):
                exe = os.readlink(f"/proc/{pid}/exe")
                out.setdefault(os.path.basename(exe), []).append(pid)
        return out

    def pids(self, program):
        return self.programs().get(program, [])

    def wait_ready(self):
        """Until the last word about each program is that it works, and it runs: of
        one that has just been killed nobody has said yet that it died."""
        def ready():
            there = self.programs()
            there.pop("boss", None)
            if sum(map(len, there.values())) < net.PROGRAMS:
                return False
            state = {}
            log = (net.LAB / "box.log").read_text(errors="replace")
            for what, who in re.findall(
                    r"event=program-(ready|died) program=(\w+ index=\d+)",
                    log):
                state[who] = what
            with contextlib.suppress(OSError, net.LabError):
                return list(state.values()) == ["ready"] * net.PROGRAMS and \
                    "not intercepting" not in net.cli("show status")
            return False
        assert poll(ready), net.tail()

    # --- oracles ---
    def check(self, restarted=False):
        try:
            self.check_o4()
            self.check_o1()
            self.check_o2_o3()
            self.check_o5(restarted)
        finally:
            for m in self.opened:
                m.close()
            self.opened.clear()
            self.acked.clear()

    def check_o1(self):
        time.sleep(0.05)
        frames = capture.Frames(self.pcap, self.seen)
        self.seen = frames.end
        leaked = frames.contains(*self.protected)
        assert not leaked, f"O1: in clear on the outside wire: {leaked}"
        assert self.counter("clear-text-seen") == self.leaks, "O1: an alarm"

    def check_o2_o3(self):
        stored = [b for m in self.opened for _, b, _ in m.stored]
        for body in self.acked:
            assert body in stored, f"O2: acknowledged, not stored: {body[:80]}"
        for body in stored:
            assert SMUGGLED not in body.split(b"\r\n\r\n", 1)[0], "O3"
            assert body in self.submitted, f"O3: never submitted: {body[:200]}"

    def check_o4(self):
        server = self.mx(address="198.51.100.10")
        r = self.send(server.address, ["x@honest.example"])
        assert r.final == 250, f"O4: {r.rcpt} {r.final} {r.text}"
        server.close()

    def check_o5(self, restarted):
        log = (net.LAB / "box.log").read_text(errors="replace")
        assert "AddressSanitizer" not in log and "runtime error" not in log, \
            f"O5: {log[-3000:]}"
        if not restarted:
            assert self.counters("restarts") == self.restarts, "O5: a restart"
        self.restarts = self.counters("restarts")
        none = poll(lambda: re.search(r"sessions +now 0,",
                                      net.cli("show status")))
        assert none, "O5: sessions are left:\n" + net.cli("show sessions")
        assert poll(lambda: self.descriptors() == self.files, 25), \
            f"O5: descriptors: {self.files} became {self.descriptors()}"

    def descriptors(self):
        """How many each program that carries mail has open; sorted, because a
        restarted one has another number."""
        return {p: sorted(len(os.listdir(f"/proc/{pid}/fd"))
                          for pid in self.pids(p)) for p in ("wire", "relay")}


def server_tls(authority, name="mx.ver.example", san=None, days=365, **limits):
    """A context for Mx(tls=...)."""
    cert, key = authority.cert(name, san, days, limits.get("rsa", False))
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(cert, key)
    if "ciphers" in limits:
        ctx.set_ciphers(limits["ciphers"])
    if "low" in limits:
        ctx.minimum_version = limits["low"]
    if "high" in limits:
        ctx.maximum_version = limits["high"]
    return ctx


def readable(sock, seconds):
    return bool(select.select([sock], [], [], seconds)[0])


__all__ = ["Box", "Client", "Gone", "Mx", "SMUGGLED", "Talk", "WAIT", "ca",
           "net", "poll", "readable", "reset", "server_tls", "socket_in",
           "transact"]
