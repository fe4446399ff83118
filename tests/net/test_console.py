# SPDX-License-Identifier: BSD-2-Clause
"""console with a real confd behind it: commands, answers, bad clients."""
import os
import socket
import struct
import threading
import time

import pytest

from fake_boss import (BOSS, CONFD, CONSOLE, OK, RELAY, WIRE, Program, memfd,
                       pair, receive, send, stats_fd)
from test_confd import GOOD, ack, files, snapshot

COMMANDS = ["show status", "show sessions", "show counters", "show log",
            "help"]


class Box:
    """confd and console joined; this test is boss, wire and one relay."""

    def __init__(self, tmp_path, text=GOOD):
        self.path = str(tmp_path / "console.sock")
        door = socket.socket(socket.AF_UNIX)
        door.bind(self.path)
        door.listen(32)
        self.confd = Program(CONFD, files(text))
        given = [("LISTEN", b"", [door.fileno()])]
        for role in (BOSS, WIRE, RELAY, CONFD, CONSOLE):
            fd = self.confd.stats if role == CONFD else stats_fd()
            given.append(("STATS_OF", struct.pack("<BI", role, 0), [fd]))
        self.console = Program(CONSOLE, given)
        door.close()
        self.join()

    def join(self):
        a, b = pair()
        for p, s, role in ((self.confd, a, CONSOLE), (self.console, b, CONFD)):
            send(p.sock, "PEER", struct.pack("<BI", role, 0), [s.fileno()])
            s.close()

    def connect(self):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(self.path)
        return s

    def stop(self):
        for p in (self.confd, self.console):
            assert p.alive(), p.stderr()
            assert "AddressSanitizer" not in p.stderr(), p.stderr()
            assert "runtime error" not in p.stderr(), p.stderr()
            p.stop()


@pytest.fixture(name="box")
def box_fixture(tmp_path):
    b = Box(tmp_path)
    yield b
    b.stop()


class Reader:
    """Answers from a socket, one after the other."""

    def __init__(self, s):
        self.s, self.data = s, b""

    def line(self):
        while b"\n" not in self.data:
            got = self.s.recv(65536)
            if not got:
                raise EOFError(self.data)
            self.data += got
        line, self.data = self.data.split(b"\n", 1)
        return line

    def answer(self):
        lines = []
        while (line := self.line()) != b".":
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"\n".join(lines).decode(), self.line().decode()


def stuffed(text):
    return b"".join(b"." * l.startswith(b".") + l + b"\n"
                    for l in text.split(b"\n")) + b".\n"


def ask(box, command, text=None):
    with box.connect() as s:
        s.sendall(command.encode() + b"\n" +
                  (stuffed(text) if text is not None else b""))
        return Reader(s).answer()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command(box, command):
    text, status = ask(box, command)
    assert status == "ok" and text
    short = " ".join(w[:3] for w in command.split())
    again, status = ask(box, short)
    assert status == "ok" and again.split()[0] == text.split()[0]


def test_status(box):
    text, _ = ask(box, "show status")
    assert "snapshot 1 in force on 0 of 2 programs" in text
    assert "not intercepting" in text, "nobody has said that it does"
    assert len(text.splitlines()) <= 24
    assert max(map(len, text.splitlines())) <= 80
    counters, _ = ask(box, "show counters")
    assert "commits                     1" in counters.splitlines()
    log, _ = ask(box, "show log")
    assert "confd notice event=configuration-in-force number=1" in log


def test_a_long_log_is_shown(box):
    """So many lines that the C library sorts them in memory of its own."""
    for _ in range(80):
        assert ask(box, "config load -", GOOD)[1] == "ok"
    log, status = ask(box, "show log")
    assert status == "ok" and log.count("configuration-in-force") == 81


def test_broken_configuration_is_seen(tmp_path):
    b = Box(tmp_path, b"default maybe\n")
    text, _ = ask(b, "show status")
    assert "NONE IN FORCE" in text
    assert "line 1, column 9" in text
    assert ask(b, "config load -", GOOD)[1] == "ok"
    assert "snapshot 1 in force" in ask(b, "show status")[0]
    b.stop()


def test_check_and_load(box):
    assert ask(box, "config check -", GOOD) == ("no error", "ok")
    text, status = ask(box, "config check -", b"default may\n\ndomain x foo\n")
    assert status == "error"
    assert text == ('line 3, column 10: "foo": unknown policy level; one of: '
                    "clear may ntlm-seal encrypt verify pin")
    wire = box.confd.join(WIRE)
    ack(wire, snapshot(wire)[0])
    with box.connect() as s:
        s.sendall(b"config load -\n" + stuffed(b"! .\n.dots\n"))
        text, status = Reader(s).answer()
        assert status == "error" and '".dots": unknown command' in text
        s.sendall(b"config l -\r\n" + stuffed(GOOD))
        number, _ = snapshot(wire)
        ack(wire, number)
        assert Reader(s).answer() == (f"in force, as snapshot {number}", "ok")


@pytest.mark.parametrize("line,want", [
    ("show", "column 5: more must follow"),
    ("show s", "column 6: \"s\": could be several; one of: status sessions"),
    ("shw status", 'column 1: "shw": unknown; one of: show '),
    ("show status now", 'column 13: "now": nothing more is expected'),
    ("config load", "\"-\" must follow"),
    ("config load /etc/passwd", "nothing more is expected here"),
    ("\x01\x7f", "unknown"),
])
def test_wrong_commands(box, line, want):
    text, status = ask(box, line)
    assert status == "error" and want in text


def test_text_of_a_misspelled_command_is_not_run(box):
    with box.connect() as s:
        s.sendall(b"config laod -\n" + stuffed(b"show status\nhelp\n") +
                  b"help\n")
        r = Reader(s)
        assert r.answer()[1] == "error"
        text, status = r.answer()
        assert status == "ok" and "show status" in text
        s.settimeout(0.3)
        with pytest.raises(TimeoutError):
            s.recv(1)


def test_many_at_once_and_piecewise(box):
    with box.connect() as s:
        s.sendall(b"help\n" * 50)
        r = Reader(s)
        assert all(r.answer()[1] == "ok" for _ in range(50))
        for b in b"config check -\r\ndefault may\r\n..\r\n.\rx\r\n.\r\nhelp\n":
            s.sendall(bytes([b]))
        text, status = r.answer()
        assert status == "error" and text.startswith("line 2, column 1")
        assert r.answer()[1] == "ok"


def test_text_that_ends_too_early(box):
    with box.connect() as s:
        s.sendall(b"config load -\ndomain a.example clear\n")
        s.shutdown(socket.SHUT_WR)
        text, status = Reader(s).answer()
        assert status == "error" and "ended before" in text
    with box.connect() as s:
        s.sendall(b"help")
        s.shutdown(socket.SHUT_WR)
        assert Reader(s).answer()[1] == "ok"
        assert s.recv(1) == b""


def test_garbage(box):
    for data in (b"\0" * 100000, b"\n" * 1000, os.urandom(200000),
                 b"a" * 5000 + b"\n", b".\n" * 100, b"-" * 1023 + b"\n"):
        with box.connect() as s:
            s.settimeout(0.5)
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except OSError:
                pass
    assert ask(box, "help")[1] == "ok"


def test_too_many_and_slow(box):
    held = [box.connect() for _ in range(16)]
    for s in held:
        s.sendall(b"show counters\n" * 2000)  # and does not read
    with box.connect() as s:
        assert Reader(s).answer() == ("too many consoles", "error")
    for s in held:
        s.close()
    end = time.monotonic() + 5
    while ask(box, "help")[1] != "ok":
        assert time.monotonic() < end


def test_who_leaves_while_confd_works(box):
    wire = box.confd.join(WIRE)
    ack(wire, snapshot(wire)[0])
    with box.connect() as s:
        s.sendall(b"config load -\n" + stuffed(GOOD))
        number, _ = snapshot(wire)
    time.sleep(0.2)
    with box.connect() as s:
        s.sendall(b"config check -\n" + stuffed(GOOD))
        time.sleep(0.1)
        ack(wire, number)
        assert Reader(s).answer() == ("no error", "ok")


def test_confd_restarts(box):
    wire = box.confd.join(WIRE)
    snapshot(wire)
    with box.connect() as s:
        s.sendall(b"config load -\n" + stuffed(GOOD))
        snapshot(wire)
        box.confd.stop()
        text, status = Reader(s).answer()
        assert status == "error" and "confd stopped" in text
    text, status = ask(box, "config check -", GOOD)
    assert status == "error" and "not there" in text
    box.confd = Program(CONFD, files(GOOD))
    box.join()
    assert ask(box, "config check -", GOOD) == ("no error", "ok")


def test_large_text(box):
    text = b"".join(b"domain d%d.example encrypt\n" % i for i in range(200000))
    assert ask(box, "config check -", text) == ("no error", "ok")


def test_two_consoles_at_once(box):
    """Both change and commit, as fast as they can: each command gets its own
    answer, and nothing that was accepted is lost."""
    wire = box.confd.join(WIRE)
    stop = threading.Event()

    def agree():
        while not stop.is_set():
            m = receive(wire, 0.1)
            if m and m[0] == "SNAPSHOT":
                ack(wire, struct.unpack("<Q", m[1])[0])
                os.close(m[2][0])

    threading.Thread(target=agree, daemon=True).start()
    answers = {0: [], 1: []}

    def person(me):
        with box.connect() as s:
            r = Reader(s)
            s.sendall(b"configure\n")
            assert r.answer()[1] == "ok"
            for i in range(15):
                s.sendall(b"domain d%d-%d.example may\ncommit\n" % (me, i))
                answers[me].append((r.answer(), r.answer()))

    people = [threading.Thread(target=person, args=(i,)) for i in (0, 1)]
    for p in people:
        p.start()
    for p in people:
        p.join(60)
    assert all(len(a) == 15 for a in answers.values()), box.console.stderr()
    committed = 0
    for edit, commit in answers[0] + answers[1]:
        assert edit == ("", "ok")
        assert commit == ("in force", "ok") or \
            commit == ("another configuration is being put into force", "error")
        committed += commit[1] == "ok"
    assert committed > 5
    assert ask(box, "commit")[1] == "ok"
    stop.set()
    running = ask(box, "show running-config")[0]
    for me in (0, 1):
        for i in range(15):
            assert f"domain d{me}-{i}.example may" in running
