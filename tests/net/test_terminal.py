# SPDX-License-Identifier: BSD-2-Clause
"""The console as a person at a serial line has it: the program with a pty, a
confd that says what the test wants, and a screen of 80x24 that is looked at."""
import os
import pty
import re
import socket
import struct
import time
import tty

import pytest

from fake_boss import (BOSS, CONFD, CONSOLE, E_CONF, FLASHD, KEYS, OK, RELAY, WIRE, WITNESS,
                       Program, contents, memfd, pair, send, stats_fd)
from fake_confd import NEWEST, Confd
from fake_flashd import Flashd
from fake_witness import Witness
from mailkit import poll
from screen import Terminal
from statskit import Stats
from test_console import Reader, stuffed

PASSWORD = "correct horse"
CONFIG, VIEW = "sealwire(config)# ", "sealwire> "


class Box:
    """console; this test is everybody else."""

    def __init__(self, tmp_path, password=PASSWORD, terminals=1,
                 build="bin-san"):
        self.path = str(tmp_path / "console.sock")
        door = socket.socket(socket.AF_UNIX)
        door.bind(self.path)
        door.listen(8)
        self.masters, self.paths, self.terminals = [], [], []
        given = [("LISTEN", b"", [door.fileno()])]
        self.stats = {r: stats_fd() for r in (BOSS, WIRE, RELAY, CONFD, KEYS, FLASHD,
                                           WITNESS)}
        for role, fd in self.stats.items():
            given.append(("STATS_OF", struct.pack("<BI", role, 0), [fd]))
        for i in range(terminals):
            master, slave = pty.openpty()
            tty.setraw(slave)
            self.masters.append((master, slave))
            self.paths.append(os.ttyname(slave))
            given.append(("TTY", struct.pack("<BI", CONSOLE, i), [master]))
        own = stats_fd()
        given.append(("STATS_OF", struct.pack("<BI", CONSOLE, 0), [own]))
        self.console = Program(CONSOLE, given, stats=own, build=build)
        door.close()
        self.confd = None
        self.join(password)
        self.flashd = Flashd(self.console.join(FLASHD))
        self.witness = Witness(self.console.join(WITNESS))

    def join(self, password=PASSWORD):
        ours, theirs = pair()
        send(self.console.sock, "PEER", struct.pack("<BI", CONFD, 0),
             [theirs.fileno()])
        theirs.close()
        self.confd = Confd(ours, password)

    def terminal(self, i=0):
        t = Terminal(self.paths[i])
        self.terminals.append(t)
        return t

    def login(self, i=0, password=PASSWORD, prompt="sealwire# "):
        t = self.terminal(i)
        t.until("Press Enter")
        t.type("\r")
        t.until("Password: ")
        t.type(password + "\r")
        t.prompt(prompt)
        return t

    def log(self, role, severity, text):
        """A line of the log of another program."""
        stats = Stats(self.stats[role])
        stats.log(severity, text)
        stats.close()

    def stop(self):
        for t in self.terminals:
            if t.open:
                t.close()
        for fd in sum(self.masters, ()) + tuple(self.stats.values()):
            os.close(fd)
        errors = self.console.stderr()
        alive = self.console.alive()
        self.console.stop()
        assert alive and "Sanitizer" not in errors, errors
        assert "runtime error" not in errors, errors


@pytest.fixture(name="box")
def box_fixture(tmp_path):
    b = Box(tmp_path)
    yield b
    b.stop()


def shows(t, *what):
    text = t.screen.text()
    for w in what:
        assert w in text, text


# --- login ---------------------------------------------------------------------
def test_login_and_logout(box):
    t = box.terminal()
    t.until("Press Enter to log in")
    t.type("x?\t\x1b[A")  # no Enter: nothing
    t.type("\r\n")
    t.until("Password: ")
    t.type("correct\x17cor\x7frect horse\r\n")
    t.until("wrong password")
    t.type("\r")
    t.until(lambda s: s.line(s.row) == "Password:")
    t.type(PASSWORD + "\r")
    t.until("1 wrong passwords since the last login")
    t.prompt()
    assert "correct" not in t.screen.all() and "horse" not in t.screen.all()
    t.type("logout\r")
    t.until(lambda s: s.text().count("Press Enter") == 3)
    t.type("show status\r")
    t.until(lambda s: s.line(s.row) == "Password:")
    assert "ports" not in t.screen.all()


def test_a_new_box_wants_a_password_first(tmp_path):
    b = Box(tmp_path, password=None)
    t = b.terminal()
    t.until("Press Enter")
    t.type("\r")
    t.until("no password yet")
    t.type("short\r")
    t.until("at least 8 characters")
    t.type("äöüäöüä\r")  # 14 octets, 7 characters
    t.until(lambda s: s.text().count("at least 8 characters") == 2)
    t.type("long enough\r")
    t.until("The same again")
    t.type("long enouhg\r")
    t.until("not the same")
    t.type("long enough\r")
    t.until(lambda s: s.text().count("The same again") == 2)
    assert "PASSWORD" not in b.confd.ops()
    t.type("long enough\r")
    t.prompt()
    assert b.confd.password == "long enough"
    assert "enough" not in t.screen.all()
    b.stop()


def test_two_people_cannot_both_choose_the_first_password(tmp_path):
    b = Box(tmp_path, password=None, terminals=2)
    one, two = b.terminal(0), b.terminal(1)
    for t in (one, two):
        t.until("Press Enter")
        t.type("\r")
        t.until("New password")
    two.type("second one\r")
    two.until("The same again")
    one.type("the first\rthe first\r")
    one.prompt()
    two.until("another terminal has set one")
    two.type("second one\r")
    two.until("Password:")
    assert b.confd.password == "the first"
    b.stop()


def test_lock_out_grows(box):
    t = box.terminal()
    t.until("Press Enter")
    for i in range(3):
        t.type("\r")
        t.until(lambda s: s.line(s.row) == "Password:")
        t.type(f"guess number {i}\r")
        t.until(lambda s, n=i: s.all().count("wrong password\n") == n + 1)
    t.until("too many wrong passwords; wait 5 seconds")
    before = len(box.confd.asked)
    t.type("\r" + PASSWORD + "\r")
    t.until(lambda s: s.all().count("too many wrong passwords") >= 3)
    assert len(box.confd.asked) == before, "not even the right one is tried"
    time.sleep(5.1)
    t.type("\r")
    t.until(lambda s: s.line(s.row) == "Password:")
    t.type("guess number 4\r")
    t.until("wait 10 seconds")


def test_lock_out_is_for_all_terminals(tmp_path):
    b = Box(tmp_path, terminals=2)
    one, two = b.terminal(0), b.terminal(1)
    two.until("Press Enter")
    two.type("\r")
    two.until("Password:")
    one.until("Press Enter")
    for i in range(3):
        one.type("\r")
        one.until(lambda s: s.line(s.row) == "Password:")
        one.type("guess\r")
        one.until(lambda s, n=i: s.all().count("wrong password\n") == n + 1)
    two.type(PASSWORD + "\r")
    two.until("too many wrong passwords")
    b.stop()


def test_no_key_for_too_long(box):
    t = box.login()
    t.command("configure", CONFIG)
    t.command("terminal timeout 1", CONFIG)
    t.type("show sta")
    t.until("no key for too long", 10)
    t.type("\r")
    t.until(lambda s: s.line(s.row) == "Password:")
    t.type(PASSWORD + "\r")
    t.prompt()  # not (config)
    t.type("\x10")
    time.sleep(0.2)
    t.prompt()  # and without a history


def test_hang_up_logs_out(box):
    master, slave = box.masters[0]
    t = box.login()
    t.type("configure\r")
    t.prompt(CONFIG)
    t.close()
    os.close(slave)
    box.masters[0] = (master,)
    time.sleep(0.5)
    t = box.terminal()
    t.until("Press Enter", 5)
    t.type("\r")
    t.until("Password: ")


def test_password_command(box):
    t = box.login()
    t.type("password\r")
    t.until("Password now: ")
    t.type("not it at all\r")
    t.until("wrong password")
    t.prompt()
    t.type("password\r")
    t.until(lambda s: s.line(s.row) == "Password now:")
    t.type(PASSWORD + "\r")
    t.until("New password: ")
    t.type("\x03")
    t.prompt()
    assert box.confd.password == PASSWORD
    t.type(f"password\r{PASSWORD}\rbattery staple\rbattery staple\r")
    t.until("the password is set")
    t.prompt()
    assert box.confd.password == "battery staple"
    t.type("\x10")
    t.until(lambda s: s.line(s.row) == "sealwire# password")
    assert "staple" not in t.screen.all()


# --- words ----------------------------------------------------------------------
def test_abbreviations_modes_and_do(box):
    t = box.login()
    assert "frames of mail taken" in t.command("sh int")
    t.command("conf t", CONFIG)
    t.command("dom a.example enc min-tls 1.3", CONFIG)
    assert box.confd.asked[-1] == ("EDIT", 0,
                                   "domain a.example encrypt min-tls 1.3")
    t.command("no lim sess per", CONFIG)
    assert box.confd.asked[-1][2] == "no limit sessions per-source"
    assert "frames of mail" in t.command("do sh int", CONFIG)
    assert "+ domain a.ex" in t.command("sh comp", CONFIG)
    assert "in force" in t.command("commit", CONFIG)
    t.command("end")
    assert "domain a.example encrypt" in t.command("show running-config")
    t.command("configure", CONFIG)
    t.type("\x1a")
    t.prompt()
    t.command("configure", CONFIG)
    t.type("\x04")
    t.prompt()
    t.command("configure", CONFIG)
    t.command("exit")
    t.type("exit\r")
    t.until("Press Enter")


def test_view_mode(box):
    """A terminal that is left to whoever wants to look."""
    t = box.login()
    t.command("show clock")
    t.command("terminal timeout 3600")
    t.command("disable", VIEW)
    t.type("\x10")  # nothing to go back to
    t.quiet()
    assert t.screen.line(t.screen.row) == "sealwire>"
    assert "frames of mail" in t.command("show interfaces", VIEW)
    before = len(box.confd.asked)
    for wrong in ("configure", "show running-config", "commit", "clear log",
                  "reload", "factory-reset", "do show clock", "end", "no x",
                  "crypto key delete mail", "load merge", "password"):
        assert "unknown; one of:" in t.command(wrong, VIEW), wrong
    assert len(box.confd.asked) == before
    t.type("\x1a")  # ^Z is no way up
    t.quiet()
    assert "unknown" in t.command("configure", VIEW)
    t.type("enable\rnot the password\r")
    t.until("wrong password")
    t.prompt(VIEW)
    t.type("enable\r\x03")
    t.quiet()
    t.prompt(VIEW)
    t.type(f"enable\r{PASSWORD}\r")
    t.prompt()
    t.command("configure", CONFIG)
    t.command("end")
    t.command("disable", VIEW)
    t.type("\x04")
    t.until("Press Enter to log in")


def test_the_wrong_word_is_marked(box):
    t = box.login()
    assert t.command("show foo").split("\n")[:2] == [
        "               ^", "% \"foo\": unknown; one of: status sessions "
        "counters log alarms interfaces versio"]
    assert "could be several; one of: status sessions" in t.command("sh s")
    assert "% \"0\": not a number" in t.command("commit confirmed 0")
    t.command("conf", CONFIG)
    assert t.command("domain x.example wrong", CONFIG).split("\n")[0] == \
        " " * len(CONFIG + "domain x.example ") + "^"
    # confd found it, in what the line means
    assert t.command("dom x enc wrong", CONFIG).split("\n") == [
        " " * len(CONFIG) + "domain x encrypt wrong",
        " " * len(CONFIG + "domain x encrypt ") + "^",
        "% \"wrong\": not right"]
    assert "do show foo" in t.screen.text() or \
        t.command("do show foo", CONFIG).split("\n")[0] == \
        " " * len(CONFIG + "do show ") + "^"


def test_question_mark_and_tab(box):
    t = box.login()
    t.type("sh\t")
    t.until(lambda s: s.line(s.row) == "sealwire# show" and s.column == 15)
    t.type("sta\t")
    t.until(lambda s: s.line(s.row) == "sealwire# show status")
    t.type("\x15show s?")
    t.until(lambda s: s.line(s.row) == "sealwire# show s" and
            "  status             the box on one screen" in s.text())
    shows(t, "  sessions ", "  security ")
    t.type("t\x09| i\t")
    t.until(lambda s: s.line(s.row) == "sealwire# show status | include")
    t.type("\x15show | ?")
    t.until("count              how many")
    t.type("\x15conf\r")
    t.prompt(CONFIG)
    t.type("domain a.example verify ?")
    t.until(lambda s: "  min-tls" in s.text() and "<Enter>" in s.text() and
            s.line(s.row) == CONFIG + "domain a.example verify")
    t.type("mi\t1.3\x15limit sessions ?")
    t.until("NUMBER             mail sessions at the same time, 1..65536")
    t.type("\x15no tls ?")
    t.until("fallback-memory    back to 3600")
    t.type("\x15")
    t.type("?")
    t.until("--More--")
    t.type("q")
    t.prompt(CONFIG)
    t.type("nonsense ?")
    t.until("nothing fits here")
    t.type('\x15! why?\r')
    t.prompt(CONFIG)


def test_history_and_editing(box):
    t = box.login()
    t.command("show clock")
    t.command("show version")
    t.type("\x1b[A\x1b[A")
    t.until(lambda s: s.line(s.row) == "sealwire# show clock")
    t.type("\x1bOB\x01\x1b[3~S\x05 | count Z\r")
    t.until("lines\n")
    t.prompt()
    long = "domain " + "x" * 300
    t.type(long)
    t.until(lambda s: s.line(s.row).endswith("x" * 20) and "<" in
            s.line(s.row))
    t.type("\x03")
    t.prompt()


def test_passwords_are_not_remembered(box):
    """Not on the screen, not in the history, not behind ^Y, not in the log;
    whatever else is wrong with the line."""
    t = box.login()
    t.command("configure", CONFIG)
    for line in ("account a user u password hush-hush",
                 "acc a us u passw hush-hush",
                 "account a user wrong password hush-hush",
                 "acount a user u password hush-hush",
                 "do account a user u password hush-hush"):
        t.command(line, CONFIG)
        assert "hush" not in t.screen.text(), t.screen.text()
        t.type("\x19\x10")
        t.until(lambda s: s.line(s.row) == "sealwire(config)# configure")
        t.type("\x15")
        t.prompt(CONFIG)
    assert "hush" not in t.command("do show log", CONFIG)
    assert "hush" not in box.console.stderr()
    edits = [a[2] for a in box.confd.asked if a[0] == "EDIT"]
    assert edits[:2] == ["account a user u password hush-hush",
                         "account a us u passw hush-hush"]
    # the password of nobody
    t.command("domain pass.example may", CONFIG)
    t.type("\x10")
    t.until(lambda s: s.line(s.row).endswith("domain pass.example may"))
    t.type("\x15")
    t.prompt(CONFIG)


def test_keys(box):
    """What the console asks for them, and that no private key is on the
    screen."""
    t = box.login()
    box.confd.answers["CRYPTO"] = (OK, "keys\n  mail  ECDSA, 256 bits\n")
    assert "mail  ECDSA" in t.command("show cry")
    box.confd.answers["KEY_CSR"] = (OK, "-----BEGIN X-----\nAA\n")
    assert t.command('crypto csr mail "CN=a b" mx.example').endswith("AA")
    t.command("cry key gen rsa 2048 mail")
    t.type("crypto key delete mail\r")
    t.until("The key will be lost. yes or no? ")
    t.type("no\r")
    t.prompt()
    assert "KEY_DELETE" not in box.confd.ops()
    t.type("crypto key delete mail\ryes\r")
    t.prompt()
    t.type("crypto import mail\r")
    t.until("a line with one dot ends it")
    t.type("-----BEGIN PRIVATE KEY-----\rc2VjcmV0\r-----END PRIVATE KEY-----\r"
           ".\r")
    t.prompt()
    assert "c2VjcmV0" not in t.screen.text()
    t.type("crypto import mail\r")
    t.until("a line with one dot ends it")
    t.type("c2Vj\x03")
    t.prompt()
    asked = [(a[0], a[2]) for a in box.confd.asked if "KEY" in a[0]]
    assert asked == [
        ("KEY_CSR", 'mail "CN=a b" mx.example'),
        ("KEY_GENERATE", "rsa 2048 mail"), ("KEY_DELETE", "mail"),
        ("KEY_IMPORT", "mail\n-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n"
                       "-----END PRIVATE KEY-----\n")]


def test_messages_redraw_the_line(box):
    t = box.login()
    t.type("show ver\x02")
    t.until(lambda s: s.line(s.row) == "sealwire# show ver")
    box.log(WIRE, 1, "event=not-shown")
    box.log(WIRE, 2, "event=port-down port=outside \x1b[2J")
    t.until("wire warning event=port-down port=outside ?[2J")
    t.until(lambda s: s.line(s.row) == "sealwire# show ver" and s.column == 17)
    assert "not-shown" not in t.screen.text()
    t.command("\x05\x15terminal monitor off")
    box.log(WIRE, 3, "event=second")
    time.sleep(0.7)
    assert "event=second" not in t.screen.text()
    assert "event=second" in t.command("show log | include second")


def test_log_follow_and_interrupt(box):
    t = box.login()
    box.log(RELAY, 0, "event=before")
    t.type("show log follow\r")
    t.until("new lines follow")
    shows(t, "relay 0 info event=before")
    box.log(RELAY, 0, "event=after")
    t.until("relay 0 info event=after")
    t.type("xyz\x03")
    t.prompt()
    box.log(RELAY, 0, "event=late")
    time.sleep(0.5)
    assert "event=late" not in t.screen.text()


def test_interrupt_of_a_slow_answer(box):
    t = box.login()
    box.confd.slow.clear()
    t.type("show history\r")
    box.confd.wait_for("HISTORY")
    t.type("show clock\r\x03")
    t.until("not waited for any more")
    t.prompt()
    box.confd.slow.set()
    assert "0 2026-" in t.command("show history")


# --- answers ------------------------------------------------------------------------
def test_paging_and_pipes(box):
    box.confd.running = [f"domain d{i}.example may" for i in range(200)]
    t = box.login()
    t.type("show running-config\r")
    t.until("--More--")
    assert t.screen.line(22) == "domain d22.example may"
    t.type("\r")
    t.until(lambda s: s.line(22) == "domain d23.example may")
    t.type(" ")
    t.until(lambda s: s.line(22) == "domain d46.example may")
    t.type("q")
    t.prompt()
    assert t.command("show run | include d19 | exclude d199 | count") == \
        "10 lines"
    assert t.command("show run | begin d198") == \
        "domain d198.example may\ndomain d199.example may"
    assert t.command("show run | section d7.") == "domain d7.example may"
    assert "one of: include exclude" in t.command("show run | foo")
    t.command("terminal length 0")
    assert len(t.command("show running-config").split("\n")) == 200
    t.command("terminal length 5")
    t.type("show run\r")
    t.until("--More--")
    t.type("\x03")
    t.prompt()


def test_long_answer_can_be_interrupted(box):
    box.confd.running = ["domain d%d.example may" % i for i in range(300000)]
    t = box.login()
    t.command("terminal length 0")
    t.type("show running-config\r")
    t.until(lambda s: len(s.scrolled) > 1000)
    t.type("\x03")
    t.until("^C")
    t.prompt()
    assert "d299999" not in t.screen.text()


STATUS = """\
time         TIME, up 00:00:00; (n): in the last hour
image        unknown; flash NONE: nothing is kept
ports        inside DOWN, outside DOWN; not intercepting
configuration NONE IN FORCE: no mail passes; see show log
sessions     now 0, peak 0, waiting for a server 0, all 0 (0)
messages     encrypted 0 (0), clear 0 (0), refused 0 (0)
recipients   refused by policy 0 (0), deferred 0 (0)
tls          handshakes 0 (0), trusted 0 (0), failed 0 (0)
alarms       STARTTLS vanished 0 (0), back to clear 0 (0)
errors       of clients 0 (0), of servers 0 (0)
verify       clear text 0, frames watched 0 (0), missed 0, self-tests 0
programs     boss 0/1              wire 0/1              relay 0/1
             confd 0/1             console 00:00:00      keys 0/1
             flashd 0/1            witness 0/1
restarts     wire 0 relay 0 confd 0 console 0 keys 0 flashd 0 witness 0
last refusals
  none
last warnings
  WHEN wire warning event=long xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...
"""


def plain(text):
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    text = re.sub(r"\n  \d\d-\d\d \d\d:\d\d ", "\n  WHEN ", text)
    text = re.sub(r"up (\d+d )?\d\d:\d\d:\d\d", "up 00:00:00", text)
    text = re.sub(r"console \d\d:\d\d:\d\d *", "console 00:00:00      ", text)
    return re.sub(r"x{20,}", "x" * 47, text)


def test_status_is_one_screen(box):
    box.log(WIRE, 2, "event=long " + "x" * 150)
    t = box.login()
    t.type("\x0cshow status\r")
    t.until("last warnings")
    t.prompt()
    lines = t.screen.lines()
    assert lines[0] == "sealwire# show status"
    assert plain("\n".join(lines[1:20])) + "\n" == STATUS
    assert lines[20] == "sealwire#"


def test_monitor_is_the_status_until_a_key(box):
    t = box.login()
    t.type("monitor\r")
    t.until("Any key ends this.")
    assert plain("\n".join(t.screen.lines()[:14])) == \
        "\n".join(STATUS.split("\n")[:14])
    first = t.screen.line(0)
    t.until(lambda s: s.line(0) != first and s.line(0), 5)
    assert t.screen.scrolled == t.screen.scrolled[:200]
    t.type("\x1b[A")
    t.prompt()


# --- texts ---------------------------------------------------------------------------
def test_paste_of_5000_lines_into_load(box):
    t = box.login()
    t.type("load\r")
    t.until("a line with one dot")
    lines = [f"domain d{i}.example\tverify match mx{i}.example ! why?"
             for i in range(5000)]
    t.type("\r\n".join(lines) + "\r\n.\r\n")
    t.until("it is the candidate", 60)
    t.prompt()
    assert box.confd.candidate == [l.replace("\t", " ") for l in lines]


def test_paste_of_5000_settings(box):
    t = box.login()
    t.command("configure", CONFIG)
    lines = [f"domain d{i}.example\tencrypt" for i in range(5000)]
    t.type("\n".join(lines) + "\nshow clock\n")
    t.until(re.compile(r"^\d{4}-", re.M).search and
            (lambda s: re.search(r"(?m)^\d{4}-\d\d-", s.text())), 120)
    t.prompt(CONFIG)
    assert box.confd.candidate == ["default may"] + [
        l.replace("\t", " ") for l in lines]


def test_certificate_by_paste(box):
    t = box.login()
    t.command("configure", CONFIG)
    pem = ("-----BEGIN CERTIFICATE-----\nAAAA\nBBB?\n"
           "-----END CERTIFICATE-----\n")
    t.type("ca cert\r")
    t.until("paste the certificate")
    t.type(pem.replace("\n", "\r\n"))
    t.prompt(CONFIG)
    assert box.confd.asked[-1] == ("EDIT", 0, "ca certificate\n" + pem)
    t.type("ca cert\r")
    t.until(lambda s: s.text().count("paste the certificate") == 2)
    t.type("AAAA\r\x03")
    t.until("nothing was done")
    t.prompt(CONFIG)
    assert box.confd.ops().count("EDIT") == 1


def test_too_long_lines_do_nothing(box):
    t = box.login()
    t.type("show clock " + "x" * 9000 + "\r")
    t.until("the line is too long; nothing was done")
    t.prompt()
    assert t.screen.bells >= 1
    t.type("load merge\r" + "y" * 9000 + "\rdefault may\r.\r")
    t.until("or a line of it, is too long")
    t.prompt()
    assert "EDIT" not in box.confd.ops()


def test_factory_reset_asks_back(box):
    t = box.login()
    t.type("factory-reset\r")
    t.until("yes or no?")
    t.type("y\r")
    t.until("nothing was done")
    assert "FACTORY" not in box.confd.ops()
    t.prompt()
    t.type("factory-reset\ryes\r")
    t.until("factory default is in force")
    assert box.confd.ops()[-1] == "FACTORY"


def test_peer_pin_shows_what_is_to_be_compared(box):
    key = bytes(range(32)).hex()
    t = box.login()
    t.type(f"peer pin A.example sha256:{key}\r")
    t.until("Is it the same key? yes or no? ")
    shown = " ".join(key[i:i + 4] for i in range(0, 32, 4))
    t.until(shown)
    t.until('what "show peers" there calls "this box"')
    t.type("no\r")
    t.until("nothing was done")
    assert "PIN" not in box.confd.ops()
    t.prompt()
    t.type(f"peer pin A.example sha256:{key}\ryes\r")
    t.until("pinned, and in force")
    assert box.confd.asked[-1] == ("PIN", 0, f"a.example sha256:{key}")


def test_lines_of_what_was_learned_are_asked_about(box):
    box.confd.answers["ACCEPT"] = 0, "domain a.example encrypt\n"
    t = box.login()
    for words, asks in ("accept a.example", ("ACCEPT", 0, "a.example")), \
            ("accept all pin", ("ACCEPT", 1, "")):
        answer = t.command(f"learned {words}\rno")
        assert "Lines for the candidate. yes or no? no" in answer
        assert "nothing was done" in answer
        assert asks not in box.confd.asked
        assert "domain a.example encrypt" in t.command(
            f"learned {words}\ryes")
        assert box.confd.asked[-1] == asks
    assert "All of it will be forgotten. yes or no? " in t.command(
        "clear learned all\ryes")
    assert box.confd.asked[-1] == ("FORGET", 0, "")
    assert t.command("clear learned a.example") == "forgotten"
    assert box.confd.asked[-1] == ("FORGET", 0, "a.example")
    t.command("show learned a.example")
    assert box.confd.asked[-1] == ("LEARNED", 0, "a.example")


# --- all of it ------------------------------------------------------------------------
def all_commands(box, mode):
    with door(box) as s:
        r = Reader(s)
        if mode != "enable":
            s.sendall(mode.encode() + b"\n")
            r.answer()
        s.sendall(b"help\n")
        text, status = r.answer()
    assert status == "ok"
    return [re.split("  +", l.strip())[0] for l in text.splitlines()]


def door(box):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(box.path)
    return s


ARGUMENTS = {"SESSION": "4711", "HOSTNAME": "gate-7", "TEXT": '"No  entry"',
             "ADDRESS/LENGTH": "192.0.2.5/24", "ADDRESS": "192.0.2.1",
             "ADDRESS...": "192.0.2.1 192.0.2.2",
             "HOST": "192.0.2.9:514", "NAME": "a.example", "NUMBER": "60",
             "MINUTES": "5", "ROWS": "0",
             "SECONDS": "600", "BYTES": "65536", "TIME": "2026-01-01", "PORT...": "25 587",
             "PIN...": "sha256:" + "0" * 64, "ATTRIBUTE...": "",
             "ACCOUNT": "bob", "KEY": "mail", "HOST...": "mx.example",
             "FILE": "new.itb", "OPTION...": "",
             "FINGERPRINT": "sha256:" + "ab" * 32,
             "COMMAND...": "show clock", "VALUE...": "x"}
TEXT = {"load", "load replace", "load merge", "config check", "config load",
        "ca certificate", "password", "crypto import KEY"}
LEAVE = {"exit", "end", "logout"}
REFUSED = {"peer pin NAME": "has met no box",  # here
           "probe NAME OPTION...": "relay is not there"}
ONLY_TYPED = [r".* follow", r"monitor", r".* xmodem( downgrade)?", r"enable",
              r"watch( .*)?"]
LIVE = [(r"monitor", "Any key ends"), (r"watch( .*)?", "^C ends"),
        (r"show log .*follow", "^C ends"),
        (r"(load .*|crypto import KEY|upgrade|capture export) xmodem( downgrade)?",
         "gives up")]


def typed(command):
    """A row of the table with its arguments. A row that has another one fails:
    it needs an example here."""
    return " ".join(ARGUMENTS[w] if w[0].isupper() else w
                    for w in command.split())


def live(command):
    """What a command that goes on until a key says first; None: it ends."""
    return next((says for what, says in LIVE if re.fullmatch(
        what.replace(" .*", "( .*)?"), command)), None)


# how to get there; "enable": it is there
@pytest.mark.parametrize("mode", ["enable", "configure", "disable"])
def test_every_command_of_the_table_by_the_door(box, mode):
    commands = all_commands(box, mode)
    assert len(commands) > (20 if mode == "disable" else 60)
    for command in commands:
        line = typed(command)
        with door(box) as s:
            r = Reader(s)
            if mode != "enable":
                s.sendall(mode.encode() + b"\n")
                assert r.answer()[1] == "ok"
            if command in TEXT:
                s.sendall(line.encode() + b" -\n" + stuffed(b"x" * 10))
            else:
                s.sendall(line.encode() + b"\n")
            text, status = r.answer()
            if any(re.fullmatch(w, command) for w in ONLY_TYPED):
                assert (text, status) == ("only at a terminal", "error")
            elif command in REFUSED:
                assert REFUSED[command] in text and status == "error"
            else:
                assert status == "ok", (line, text)


# how to get there; "enable": it is there
@pytest.mark.parametrize("mode", ["enable", "configure", "disable"])
def test_every_command_of_the_table_at_a_terminal(box, mode):
    commands = all_commands(box, mode)
    t = box.login()
    prompt = "sealwire# "
    t.command("terminal length 0")
    if mode != "enable":
        prompt = {"configure": CONFIG, "disable": VIEW}[mode]
        t.command(mode, prompt)
    for command in commands:
        if command in LEAVE or command.startswith("config "):
            continue
        line = typed(command)
        if live(command):
            t.type("\x0c")
            t.until(lambda s: s.row == 0)
            t.type(line + "\r")
            t.until(live(command))
            t.type("\x03")
            t.prompt(prompt)
            t.screen.errors.clear()  # what stops a program at this end
            continue
        if command in TEXT:
            line += {"password": f"\r{PASSWORD}\r{PASSWORD}\r{PASSWORD}",
                     }.get(command, "\rx\r.")
        if command in ("factory-reset", "crypto key delete KEY", "reload",
                       "peer pin NAME FINGERPRINT",
                       "clear learned all") or \
                command.startswith("learned accept "):
            line += "\ryes"
        now = CONFIG if command.startswith("configure") else \
            VIEW if command == "disable" else prompt
        if command == "enable":
            line += "\r" + PASSWORD
            now = "sealwire# "
        answer = t.command(line, now)
        if command in REFUSED:
            assert REFUSED[command] in answer
            continue
        assert "% " not in answer.replace("% \n", ""), (line, answer)
        if now == CONFIG != prompt:
            t.command("end", prompt)
        elif now != prompt:
            t.command(f"enable\r{PASSWORD}" if now == VIEW else "disable",
                      prompt)


def test_two_terminals_and_the_door_have_modes_of_their_own(tmp_path):
    b = Box(tmp_path, terminals=2)
    one, two = b.login(0), b.login(1)
    one.command("configure", CONFIG)
    one.type("domain half.ex")
    with door(b) as s:
        r = Reader(s)
        s.sendall(b"domain a.example may\n")
        assert r.answer()[1] == "error"
        s.sendall(b"conf\ndom a.example m\nshow compare\nexit\nexit\n")
        assert r.answer()[1] == "ok" and r.answer()[1] == "ok"
        assert r.answer() == ("+ domain a.example may", "ok")
        assert r.answer()[1] == "ok" and r.answer()[1] == "ok"
        assert s.recv(1) == b""
    assert "+ domain a.example may" in two.command("show compare")
    two.command("discard")
    one.type("ample may\r")
    one.prompt(CONFIG)
    assert "half.example" in two.command("show candidate-config")
    b.stop()


def test_door_password(box):
    with door(box) as s:
        r = Reader(s)
        s.sendall(b"password -\n" + stuffed(b"1234567"))
        assert r.answer()[1] == "error"
        s.sendall(b"password -\n" + stuffed(b"12345678"))
        assert r.answer() == ("the password is set", "ok")
        s.sendall(b"show clock -\n" + stuffed(b"12345678"))
        assert r.answer() == ("this command takes no text", "error")
    assert box.confd.password == "12345678"


def test_errors_of_confd_are_shown(box):
    box.confd.answers["COMMIT"] = (E_CONF, "line 3, column 1: no\n"
                                           "line 4, column 1: no\n")
    box.confd.answers["ROLLBACK"] = (-301, "")
    t = box.login()
    assert t.command("commit") == "% line 3, column 1: no\nline 4, column 1: no"
    assert t.command("rollback 3") == "% confd refuses it: corrupt"
    assert t.command("show compare 3") == "no difference"
    assert box.confd.asked[-1][:2] == ("COMPARE", 3)
    t.command("show compare")
    assert box.confd.asked[-1][:2] == ("COMPARE", NEWEST)
    t.command("commit confirmed")
    assert box.confd.asked[-1][:2] == ("COMMIT", 600)


def test_confd_goes_and_comes_back(box):
    t = box.login()
    box.confd.slow.clear()
    t.type("commit\r")
    box.confd.wait_for("COMMIT")
    box.confd.sock.close()
    box.confd.slow.set()
    box.join()
    t.until("confd stopped while it worked")
    t.prompt()
    assert "in force" in t.command("commit")


def test_an_upgrade_is_fetched_and_given_to_flashd(box):
    t = box.login()
    assert t.command("upgrade tftp 192.0.2.9 new.itb") == "INSTALL done"
    assert contents(box.console.wait_for("FETCH")[2][0]) == b"192.0.2.9 new.itb"
    assert box.flashd.asked[-1] == ("INSTALL", b"an image", True)
    t.command("upgrade tftp 192.0.2.9 new.itb downgrade")
    assert box.flashd.asked[-1][0] == "INSTALL_OLDER"
    assert t.command("show image") == "SHOW done"
    box.flashd.answers["INSTALL"] = (E_CONF, "it is for another board\n")
    assert t.command("upgrade tftp ::1 x") == "% it is for another board"
    asked = len(box.flashd.asked)
    box.console.fetched = (E_CONF, b"no such file\n")
    assert t.command("upgrade tftp 192.0.2.9 x") == "% no such file"
    assert len(box.flashd.asked) == asked


def test_a_capture_is_given_to_boss(box):
    t = box.login()
    assert t.command("capture export tftp 192.0.2.9 a.pcapng") == \
        "7 octets sent"
    _, _, (where, file) = box.console.wait_for("SEND")
    assert contents(where) == b"192.0.2.9 a.pcapng" and contents(file)
    box.console.fetched = (E_CONF, b"there is no management address\n")
    assert t.command("capture export tftp 192.0.2.9 a.pcapng") == \
        "% there is no management address"
    box.console.wait_for("SEND")
    # one at a time; who gives up is not in the way for ever
    box.console.done_answers = False
    t.type("capture export tftp 192.0.2.9 a.pcapng\r")
    box.console.wait_for("SEND")
    with door(box) as s:
        s.sendall(b"capture export tftp 192.0.2.9 b\n")
        assert Reader(s).answer() == (
            "another file is under way; try again", "error")
    t.type("\x03")
    t.prompt()
    assert "another file is under way" in t.command("upgrade tftp ::1 x")
    fd = memfd(b"")
    send(box.console.sock, "FETCHED", struct.pack("<i", OK), [fd])
    os.close(fd)
    box.console.done_answers = True
    box.console.fetched = (OK, b"")
    assert poll(lambda: t.command(
        "capture export tftp 192.0.2.9 c") == "7 octets sent")


def test_flashd_goes_and_comes_back(box):
    t = box.login()
    box.flashd.slow.clear()
    t.type("upgrade tftp 192.0.2.9 x\r")
    box.console.wait_for("FETCH")
    end = time.monotonic() + 10
    while not box.flashd.asked:
        assert time.monotonic() < end
        time.sleep(0.01)
    box.flashd.sock.close()
    box.flashd.slow.set()
    t.until("flashd stopped while it worked on this")
    t.prompt()
    assert "not there at the moment" in t.command("show crash")
    box.flashd = Flashd(box.console.join(FLASHD))
    # boss tells of it by another socket than the terminal's
    assert poll(lambda: t.command("upgrade confirm") == "CONFIRM done")


def test_who_leaves_gets_no_answer_of_an_upgrade(box):
    t = box.login()
    box.flashd.slow.clear()
    t.type("show image\r")
    end = time.monotonic() + 10
    while not box.flashd.asked:
        assert time.monotonic() < end
        time.sleep(0.01)
    t.type("\x03")
    t.prompt()
    box.flashd.answers["CRASHES"] = (OK, "nothing\n")
    t.type("show crash\r")
    box.flashd.slow.set()
    t.until(lambda s: "nothing" in s.text())
    assert "SHOW done" not in t.screen.all()


def test_who_does_not_read_is_logged_out_and_disturbs_nobody(tmp_path):
    b = Box(tmp_path, terminals=2)
    b.confd.running = [f"domain d{i}.example may" for i in range(100000)]
    one, two = b.login(0), b.login(1)
    one.command("terminal length 0")
    one.command("terminal timeout 2")
    one.open = False
    time.sleep(0.4)  # its reader has ended
    one.type("show running-config\r")
    b.confd.wait_for("RUNNING")
    start = time.monotonic()
    assert "frames of mail" in two.command("show interfaces")
    assert time.monotonic() - start < 2
    end = time.monotonic() + 8
    while "event=logout terminal=0" not in two.command(
            "show log | include logout"):
        assert time.monotonic() < end
        time.sleep(0.1)
    os.close(one.fd)
    b.stop()
