# SPDX-License-Identifier: BSD-2-Clause
"""Settings about the box itself: its name, banner and time-out, from confd to the
console and onto the screen."""
import os
import struct

import pytest

from confdkit import Confd
from fake_boss import memfd, send
from test_terminal import Box, PASSWORD

LONG = "This box belongs to the mail department. " * 9 + "Do not touch."


def test_confd_tells_what_is_in_force(tmp_path):
    (tmp_path / "store").mkdir(mode=0o700)
    p = Confd(store=tmp_path / "store")
    p.agree()
    p.do("EDIT", b"hostname gate-7\nbanner \"No entry.\"\n"
                 b"console timeout 60\n")
    assert p.boxes == [(600, "sealwire", "")]
    p.commit()
    p.do("RUNNING")
    assert p.boxes[1:] == [(60, "gate-7", "No entry.")]
    assert b"banner \"No entry.\"\nconsole timeout 60\n" in p.running()
    # one on trial that nobody confirms is taken back here too
    p.do("EDIT", b"hostname other\n")
    p.commit(1)
    p.agree()
    p.do("RUNNING")
    assert [b[1] for b in p.boxes[2:]] == ["other", "gate-7"]
    p.stop()


@pytest.fixture(name="box")
def box_fixture(tmp_path):
    b = Box(tmp_path)
    yield b
    b.stop()


def tell(box, name, banner="", seconds=600):
    fd = memfd(f"{name}\n{banner}".encode())
    send(box.confd.sock, "BOX", struct.pack("<Q", seconds), [fd])
    os.close(fd)


def test_name_and_banner_at_the_terminal(box):
    tell(box, "gate-7", LONG)
    t = box.login(prompt="gate-7# ")
    t.type("logout\r")
    t.until("Sealwire gate-7. Press Enter to log in.")
    text = " ".join(t.screen.text().split())
    assert LONG in text
    assert all(len(l) < 80 for l in t.screen.lines())
    t.type("\r")
    t.until("Password:")
    t.type(PASSWORD + "\r")
    t.prompt("gate-7# ")
    t.type("conf t\r")
    t.prompt("gate-7(config)# ")
    # the mark under a wrong word counts from the new prompt
    answer = t.command("domain x.example wrong", "gate-7(config)# ")
    assert answer.split("\n")[0] == \
        " " * len("gate-7(config)# domain x.example ") + "^"
    # a prompt that stands stays; the next one has the name, once it has come
    tell(box, "gate-8")
    for _ in range(40):
        t.type("\r")
        t.quiet(0.1)
        if t.screen.line(t.screen.row) == "gate-8(config)#":
            break
    t.command("show clock", "gate-8(config)# ")


def test_a_banner_cannot_steer_a_terminal(box):
    tell(box, "x\x1b[2Jy", "a\x1b[31mb\rc " + "w" * 500)
    t = box.login(prompt="x?[2Jy# ")
    t.type("logout\r")
    t.until("Sealwire x?[2Jy. Press")
    assert "a?[31mb?c" in t.screen.text()


def test_time_out_from_the_configuration(box):
    one = box.login()
    tell(box, "sealwire", "", 1)
    one.until("no key for too long", 8)
    one.type("\r")
    one.until(lambda s: s.line(s.row) == "Password:")
    one.type(PASSWORD + "\r")
    one.prompt()
    # what is said at the terminal is for this terminal, until logout
    one.command("terminal timeout 600")
    tell(box, "sealwire", "", 1)
    one.quiet(2)
    assert "show clock" not in one.screen.text()
    assert "20" in one.command("show clock")
