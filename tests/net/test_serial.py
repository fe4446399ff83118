# SPDX-License-Identifier: BSD-2-Clause
"""The whole box, and a person at its serial line: first password, a domain,
commit, a power cut, and all of it is still there."""
import os
import pathlib
import re
import signal
import subprocess
import sys

import pexpect
import pytest

from mailkit import net

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = [sys.executable, str(ROOT / "tools/lab")]
PASSWORD = "correct horse"


def lab(*args):
    return subprocess.run(LAB + list(args), check=True, text=True,
                          capture_output=True).stdout


@pytest.fixture(name="box")
def box_fixture():
    lab("down")
    lab("up")
    yield
    lab("down")


class Person:
    """Types at tools/lab console."""

    def __init__(self):
        self.p = pexpect.spawn(LAB[0], LAB[1:] + ["console"], timeout=10,
                               encoding="utf-8", dimensions=(24, 80))
        self.sees("Connected")

    def sees(self, what):
        self.p.expect_exact(what)
        return self.p.before

    def types(self, text):
        self.p.send(text + "\r")

    def command(self, line, prompt="sealwire# "):
        """The answer, as lines."""
        self.types(line)
        self.p.expect_exact("\r\n")
        # the prompt stands at the start of a row
        self.p.expect("(^|\n)" + re.escape(prompt))
        return self.p.before.replace("\r", "").strip("\n")

    def logs_in(self, password=PASSWORD):
        self.p.send("\r")
        self.sees("Password: ")
        self.types(password)
        self.sees("sealwire# ")

    def leaves(self):
        self.p.send("\x1d")
        self.p.expect(pexpect.EOF)
        self.p.close()


def first_login():
    p = Person()
    p.p.send("\r")
    p.sees("New password: ")
    p.types("short")
    p.sees("at least 8")
    p.sees("New password: ")
    p.types(PASSWORD)
    p.p.expect("(?i)again: ")
    p.types(PASSWORD)
    p.sees("sealwire# ")
    return p


def power_cut():
    """All programs at once, without a word."""
    os.killpg(int((net.LAB / "boss.pid").read_text()), signal.SIGKILL)


def test_from_the_first_password_to_a_power_cut(box):
    p = first_login()
    p.command("conf t", "sealwire(config)# ")
    p.command("domain partner.example encrypt on-fail defer",
              "sealwire(config)# ")
    assert "+ domain partner.example encrypt" in p.command(
        "do show compare", "sealwire(config)# ")
    assert "in force" in p.command("commit", "sealwire(config)# ")
    p.command("end")
    text = p.command("show running-config | include partner")
    assert text == "domain partner.example encrypt on-fail defer"
    assert "intercepting mail" in p.command("show interfaces")
    p.leaves()
    power_cut()
    lab("down")
    lab("up", "--keep-store")
    q = Person()
    q.p.send("\r")
    q.sees("Password: ")
    q.types("wrong horse")
    q.p.expect("(?i)wrong password")
    q.logs_in()
    assert "partner.example encrypt" in q.command(
        "show domain partner.example")
    assert PASSWORD not in q.command("show tech-support | include horse")
    q.leaves()


def test_status_of_a_whole_box_is_one_screen(box):
    p = first_login()
    text = p.command("show status")
    lines = text.split("\n")
    assert len(lines) <= 22 and max(map(len, lines)) < 80, text
    assert "inside up, outside up; intercepting mail" in text
    assert re.search(r"programs +boss \d\d:\d\d:\d\d +wire \d\d:", text)
    assert re.search(r"snapshot 1 in force on (\d+) of \1 programs", text)
    p.leaves()
    assert "intercepting mail" in lab("cli", "show status")
