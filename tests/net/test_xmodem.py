# SPDX-License-Identifier: BSD-2-Clause
"""Files over the serial line: the console with the sx and rx of lrzsz at the
other end, and with people and noise in between."""
import os
import select
import socket
import subprocess
import time

import pytest

import test_terminal
from test_terminal import Box, shows

TAKE = "send the file with XMODEM now"
GIVE = "receive the file with XMODEM now"
CAN, EOT, ACK, NAK = b"\x18", b"\x04", b"\x06", b"\x15"


@pytest.fixture(name="box")
def box_fixture(tmp_path):
    b = Box(tmp_path)
    yield b
    b.stop()


def crc(data):
    c = 0
    for b in data:
        c ^= b << 8
        for _ in range(8):
            c = (c << 1 ^ 0x1021 if c & 0x8000 else c << 1) & 0xffff
    return c.to_bytes(2, "big")


def block(number, data, size=128):
    data = data.ljust(size, b"\x1a")
    start = bytes([1 if size == 128 else 2, number & 255, ~number & 255])
    return start + data + crc(data)


def sx(box, *command):
    """Send with the person's end of the line."""
    with open(box.paths[0], "r+b", buffering=0) as line:
        r = subprocess.run(command, stdin=line, stdout=line, timeout=120,
                           stderr=subprocess.PIPE, check=False)
    assert r.returncode == 0, r.stderr


def rx(box, *command, file):
    """Receive, as under a terminal program: rx throws away what it has written
    and a pty has not yet delivered, its last ACK, too. It takes no name that begins
    with a slash."""
    ours, theirs = socket.socketpair()
    line = os.open(box.paths[0], os.O_RDWR | os.O_NOCTTY)
    with subprocess.Popen([*command, file.name], cwd=file.parent, stdin=theirs,
                          stdout=theirs, stderr=subprocess.PIPE) as p:
        theirs.close()
        while ready := select.select([ours, line], [], [])[0]:
            if line in ready:
                ours.sendall(os.read(line, 65536))
            if ours in ready:
                data = ours.recv(65536)
                if not data:
                    break
                os.write(line, data)
        os.close(line)
        ours.close()
        assert p.wait() == 0, p.stderr.read()


def starts(box, line, what):
    """Type a command that moves a file, and leave the line to the file."""
    t = box.login()
    t.type(line + "\r")
    t.until(what)
    t.close()


def lines(n):
    return [f"domain d{i}.example verify match mx{i}.example"
            for i in range(n)]


# --- in ------------------------------------------------------------------------
@pytest.mark.parametrize("how,n,end", [
    (["sx"], 40, "\n"), (["sx", "-k"], 2000, "\r\n"), (["sx"], 1, "\n"),
    (["sx", "-k"], 500, "\n")])
def test_load_with_sx(box, tmp_path, how, n, end):
    file = tmp_path / "config"
    text = end.join(lines(n)) + end
    file.write_bytes(text.encode())
    starts(box, "load replace xmodem", TAKE)
    sx(box, *how, file)
    t = box.terminal()
    t.until("it is the candidate", 10)
    t.prompt()
    shows(t, f"{len(text)} octets\n")
    assert box.confd.asked[-1] == ("REPLACE", 0, text)
    assert "frames of mail" in t.command("show interfaces")


def test_merge_with_sx(box, tmp_path):
    file = tmp_path / "lines"
    file.write_text("domain a.example may\n")
    starts(box, "load merge xmodem", TAKE)
    sx(box, "sx", file)
    t = box.terminal()
    t.until("21 octets")
    t.prompt()
    assert box.confd.asked[-1] == ("EDIT", 0, "domain a.example may\n")


def test_an_error_in_the_file_is_told(box, tmp_path):
    box.confd.answers["REPLACE"] = (-400, "line 1, column 1: no\n")
    file = tmp_path / "lines"
    file.write_text("x")
    starts(box, "load replace xmodem", TAKE)
    sx(box, "sx", file)
    t = box.terminal()
    t.until("% line 1, column 1: no")
    t.prompt()


# --- out -----------------------------------------------------------------------
@pytest.mark.parametrize("how,n", [
    (["rx"], 30), (["rx", "-c"], 30), (["rx", "-c"], 3000), (["rx"], 0)])
def test_show_with_rx(box, tmp_path, how, n):
    box.confd.running = lines(n)
    starts(box, "show running-config | xmodem", GIVE)
    file = tmp_path / "config"
    rx(box, *how, file=file)
    t = box.terminal()
    want = "".join(l + "\n" for l in lines(n))
    t.until(f"{len(want)} octets", 10)
    t.prompt()
    assert file.read_bytes().rstrip(b"\x1a").decode() == want


def test_filtered_and_in_and_out_again(box, tmp_path):
    box.confd.running = lines(300)
    starts(box, "show running-config | exclude d7 | xmodem", GIVE)
    file = tmp_path / "config"
    rx(box, "rx", "-c", file=file)
    t = box.terminal()
    t.until("octets", 10)
    t.prompt()
    t.type("load replace xmodem\r")
    t.until(TAKE)
    t.close()
    sx(box, "sx", "-k", file)
    t = box.terminal()
    t.until("it is the candidate", 10)
    assert box.confd.candidate == [l for l in lines(300) if " d7" not in l]


def test_only_at_a_terminal(box):
    with test_terminal.door(box) as s:
        r = test_terminal.Reader(s)
        for line in (b"show running-config | xmodem", b"load merge xmodem",
                     b"load replace xmodem"):
            s.sendall(line + b"\n")
            assert r.answer() == ("only at a terminal", "error")


def test_an_error_is_shown_and_not_sent(box):
    box.confd.answers["COMPARE"] = (-301, "nothing verifies\n")
    t = box.login()
    assert t.command("show compare 3 | xmodem") == "% nothing verifies"


# --- people --------------------------------------------------------------------
class Line:
    """Octets at the person's end; no screen."""

    def __init__(self, box):
        self.fd = os.open(box.paths[0], os.O_RDWR | os.O_NOCTTY)
        os.set_blocking(self.fd, False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def send(self, data):
        os.write(self.fd, data)

    def until(self, what, seconds=6.0):
        """What came up to and with these octets."""
        data, end = b"", time.monotonic() + seconds
        while what not in data:
            assert time.monotonic() < end, data
            try:
                data += os.read(self.fd, 1)
            except BlockingIOError:
                time.sleep(0.005)
        return data


def usable(box):
    t = box.terminal()
    t.type("\r")
    t.quiet()
    t.prompt()
    t.screen.errors.clear()  # what was left of a transfer
    assert "frames of mail" in t.command("show interfaces")
    return t


@pytest.mark.parametrize("command,what", [
    ("load replace xmodem", TAKE), ("show version | xmodem", GIVE)])
@pytest.mark.parametrize("key", ["\x03", "\x18\x18"])
def test_who_has_no_program_gets_out(box, command, what, key):
    t = box.login()
    t.type(command + "\r")
    t.until(what)
    t.type("help?" + key if what == GIVE else key)
    t.until("stopped", 10)
    t.prompt()
    t.screen.errors.clear()  # the CAN that stop a program at this end
    assert "REPLACE" not in box.confd.ops()
    assert "frames of mail" in t.command("show interfaces")


def test_sender_that_is_stopped_in_the_middle(box):
    starts(box, "load replace xmodem", TAKE)
    with Line(box) as line:
        line.until(b"C")
        line.send(block(1, b"domain a.example may\n" * 6))
        line.until(ACK)
        line.send(block(2, b"reload\r" * 18)[:60] + CAN * 8 + b"\b" * 8)
        line.until(b"nothing was done: stopped")
    t = usable(box)
    assert "REPLACE" not in box.confd.ops()
    t.type("\x10")
    t.until(lambda s: "reload" not in s.text())


def test_a_block_that_is_missing_and_what_follows_is_not_run(box):
    starts(box, "load replace xmodem", TAKE)
    with Line(box) as line:
        line.until(b"C")
        line.send(block(1, b"x"))
        line.until(ACK)
        line.send(block(3, b"x"))
        line.until(CAN * 8)
        for _ in range(5):  # a sender that does not listen
            line.send(block(4, b"\rfactory-reset\ryes\r"))
            time.sleep(0.2)
        line.until(b"a block is missing")
    usable(box)
    assert not {"REPLACE", "FACTORY"} & set(box.confd.ops())


def test_damage_is_mended_and_duplicates_are_dropped(box):
    starts(box, "load replace xmodem", TAKE)
    good = [block(1, b"domain a.example may\n" * 48, 1024),
            block(2, b"!" * 100)]
    with Line(box) as line:
        line.until(b"C")
        line.send(good[0][:500] + b"~" + good[0][501:])
        line.until(b"C")
        line.send(good[0])
        line.until(ACK)
        line.send(good[0])
        line.until(ACK)
        line.send(b"\xff\x80" + good[1])  # noise in front
        line.until(NAK)
        line.send(good[1])
        line.until(ACK)
        line.send(EOT)
        line.until(NAK)
        line.send(EOT)
        line.until(ACK)
        line.until(b"it is the candidate")
    text = box.confd.asked[-1][2]
    assert text == "domain a.example may\n" * 48 + "\x1a" * 16 + "!" * 100


def test_a_line_that_is_only_noise(box):
    starts(box, "load replace xmodem", TAKE)
    with Line(box) as line:
        for _ in range(30):
            line.send(os.urandom(200).replace(b"\x03", b"").replace(
                b"\x18", b"").replace(b"\x04", b""))
            time.sleep(0.05)
        time.sleep(1.5)
        line.send(b"\x03")
        line.until(b"stopped", 10)
    usable(box)


def test_the_other_end_goes_away(box):
    starts(box, "load replace xmodem", TAKE)
    for master, slave in box.masters:
        os.close(slave)  # nobody has it open any more: it hangs up
    box.masters = [(m,) for m, _ in box.masters]
    time.sleep(0.7)
    t = box.terminal()
    t.until("Press Enter", 5)
    t.type("\r")
    t.until("Password:")


def test_other_terminals_go_on(tmp_path):
    b = Box(tmp_path, terminals=2)
    starts(b, "load replace xmodem", TAKE)
    two = b.login(1)
    b.log(test_terminal.WIRE, 3, "event=alarm")
    two.until("event=alarm")
    with Line(b) as line:
        assert b"alarm" not in line.until(b"CC", 12)
        line.send(b"\x03")
        line.until(b"stopped")
    usable(b)
    b.stop()
