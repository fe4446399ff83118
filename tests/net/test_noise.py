# SPDX-License-Identifier: BSD-2-Clause
"""Any octets at the serial line, whatever it is doing: the box stays as it was,
and after ^C somebody can log in and work."""
import random
import time

import pytest

from faultkit import Faults
from test_terminal import CONFIG, PASSWORD, VIEW, Box

# What nobody types by accident, and what noise must never do.
HARMFUL = {"COMMIT", "FACTORY", "PASSWORD", "REPLACE", "ROLLBACK", "RESCUE",
           "KEY_DELETE", "KEY_IMPORT"}


@pytest.fixture(name="box")
def box_fixture(tmp_path):
    b = Box(tmp_path)
    b.confd.running = [f"domain d{i}.example may" for i in range(200)]
    yield b
    b.stop()


def to_password(t, _):
    t.type("logout\r")
    t.quiet()
    t.type("\r")
    t.until(lambda s: s.line(s.row) == "Password:")


def to_press(t, _):
    t.type("logout\r")
    t.quiet()


def to_wait(t, box):
    box.confd.slow.clear()
    t.type("show history\r")
    box.confd.wait_for("HISTORY")


def typed(keys, until):
    def go(t, _):
        t.type(keys)
        t.until(until)
    return go


STATES = {
    "press": to_press,
    "password": to_password,
    "line": lambda t, _: None,
    "config": lambda t, _: t.command("configure", CONFIG),
    "view": lambda t, _: t.command("disable", VIEW),
    "text": typed("load merge\r", "one dot ends it"),
    "certificate": typed("configure\rca certificate\r", "paste the cert"),
    "yes": typed("factory-reset\r", "yes or no?"),
    "old password": typed("password\r", "Password now:"),
    "new password": typed(f"password\r{PASSWORD}\r", "New password:"),
    "wait": to_wait,
    "page": typed("show running-config\r", "--More--"),
    "follow": typed("show log follow\r", "^C ends"),
    "monitor": typed("monitor\r", "Any key ends"),
    "file in": typed("load replace xmodem\r", "gives up"),
    "file out": typed("show running-config | xmodem\r", "gives up"),
}


def step(t):
    """What a person does next, from what can be seen; True: logged in."""
    here = t.screen.line(t.screen.row)
    above = t.screen.line(t.screen.row - 1) if t.screen.row else ""
    if here in ("sealwire#", "sealwire(config)#", "sealwire>"):
        return True
    if here == "Password:":
        t.type(PASSWORD + "\r")
    elif "Press Enter" in above or "too many wrong" in above:
        time.sleep(0.5)
        t.type("\r")
    else:
        t.type(b"\x03\x03")  # a transfer ends when the line is quiet, too
        time.sleep(0.5)
    t.quiet()
    return False


def recover(box, t):
    """Log in afresh, in at most a minute."""
    box.confd.slow.set()
    t.quiet()
    for last in (False, True):
        end = time.monotonic() + 60
        while not step(t):
            assert time.monotonic() < end, t.screen.text()
        t.type("\r" if last else "logout\r")
        t.quiet()
    t.prompt()
    t.screen.errors.clear()
    assert "frames of mail" in t.command("show interfaces")


@pytest.mark.parametrize("state", STATES)
def test_noise(box, state):
    t = box.login()
    STATES[state](t, box)
    before = list(box.confd.running)
    rng = random.Random(state)
    for _ in range(5):
        # all octets but those that finish a line or the session
        t.type(bytes(b for b in rng.randbytes(1500)
                     if b not in b"\r\n\x03\x04\x1a"))
        time.sleep(0.02)
    recover(box, t)
    assert not HARMFUL & set(box.confd.ops())
    assert box.confd.running == before


@pytest.mark.parametrize("state", ["press", "line", "text", "page", "file in"])
def test_noise_of_every_octet(box, state):
    """With line ends too: it may log out, but it does no more than that."""
    t = box.login()
    STATES[state](t, box)
    rng = random.Random("all" + state)
    t.type(rng.randbytes(3000) + bytes(range(256)) * 4)
    recover(box, t)
    assert not HARMFUL & set(box.confd.ops()), box.confd.ops()


def test_every_short_sequence(box):
    """Each octet alone, behind ESC, and behind CSI with and without a number."""
    t = box.login()
    quiet = bytes(b for b in range(256) if b not in b"\r\n\x03\x04\x1a?\t")
    for start in (b"", b"\x1b", b"\x1b[", b"\x1b[1;2", b"\x1bO", b"\xe2\x82"):
        for b in quiet:
            t.type(start + bytes([b]) + b"\x15")
    t.type(b"\x15\x03")
    t.quiet()
    t.screen.errors.clear()
    assert "frames of mail" in t.command("show interfaces")




@pytest.fixture(name="gap")
def gap_fixture(tmp_path):
    """A console whose line loses octets when the test says so."""
    faults = Faults("console")
    b = Box(tmp_path, build="bin-fault")
    b.faults = faults
    yield b
    b.stop()
    faults.close()


@pytest.mark.parametrize("command,paste", [
    ("load replace", "default may\rdomain a.example encrypt\r.\r"),
    ("configure", "default may\r"), ("show clock", "reload\ryes\r")])
def test_what_has_a_gap_is_not_done(gap, command, paste):
    t = gap.login()
    t.type(command + "\r")
    t.quiet()
    before = len(gap.confd.asked)
    gap.faults.lose(3)
    t.type(paste + "configure\rno domain a.example\rcommit\r")
    t.until("the line has lost octets")
    assert len(gap.confd.asked) == before, gap.confd.asked[before:]
    prompt = "sealwire(config)# " if command == "configure" else "sealwire# "
    t.prompt(prompt)
    assert "frames of mail" in t.command("show interfaces", prompt)
    assert "errors=3" in t.command("show log", prompt)


def test_noise_before_somebody_logs_in_does_not_matter(gap):
    gap.faults.lose(1)
    t = gap.terminal()
    t.until("Press Enter")
    gap.faults.lose(7)
    t.type("\r")
    t.until("Password: ")
    t.type(PASSWORD + "\r")
    t.prompt()
    gap.faults.lose(8)
    t.type("logout\r")
    t.until("the line has lost octets")
    t.until("# ")


def test_a_password_with_a_gap_is_not_judged(gap):
    t = gap.terminal()
    t.until("Press Enter")
    t.type("\r")
    t.until("Password: ")
    before = len(gap.confd.asked)
    gap.faults.lose(1)
    t.type("lab pasword\r")
    t.until("the line has lost octets")
    t.until("Press Enter")
    assert len(gap.confd.asked) == before
