# SPDX-License-Identifier: BSD-2-Clause
"""What the console shows of what the programs do, their memory written by this
test: figures, refusals, notices, the log, sessions and domains."""
import re
import time

import pytest

from fake_boss import BOSS, CONFD, CONSOLE, RELAY, WIRE, WITNESS
from statskit import Stats, endpoint
from test_terminal import Box, Reader, door, plain

INFO, NOTICE, WARNING, ALARM = range(4)


class Shown(Box):
    """The box, and the memory of its programs."""

    def __init__(self, tmp_path):
        super().__init__(tmp_path)
        self.of = {role: Stats(fd) for role, fd in self.stats.items()}
        self.of[CONSOLE] = Stats(self.console.stats)

    def says(self, command):
        with door(self) as s:
            s.sendall(command.encode() + b"\n")
            text, status = Reader(s).answer()
            assert status == "ok", text
            return text

    def stop(self):
        for s in self.of.values():
            s.close()
        super().stop()


@pytest.fixture(name="box")
def box_fixture(tmp_path):
    b = Shown(tmp_path)
    yield b
    b.stop()


BUSY = """\
time         TIME, up 00:00:00; (n): in the last hour
image        0.1.0 in slot a; memory 37 MiB free; flash 25% of 15 MiB used
ports        inside up, outside DOWN; intercepting mail
configuration snapshot 7 in force on 1 of 3 programs
sessions     now 12, peak 40, waiting for a server 3, all 1000 (0)
messages     encrypted 900 (0), clear 80 (0), refused 7 (0)
recipients   refused by policy 5 (0), deferred 6 (0)
tls          handshakes 910 (0), trusted 850 (0), failed 4 (0)
alarms       STARTTLS vanished 1 (0), back to clear 2 (0)
errors       of clients 0 (0), of servers 0 (0)
verify       clear text 0, frames watched 0 (0), missed 0, self-tests 0
programs     boss 00:00:00         wire 0/1              relay 00:00:00
             confd 0/1             console 00:00:00      keys 0/1
             flashd 0/1            witness 0/1
restarts     wire 2 relay 0 confd 0 console 0 keys 0 flashd 0 witness 0
ATTENTION    the clock is not set: certificates are judged at the floor
last refusals
  WHEN c.example 550 certificate-expired: it ended on 2026-01-01
  WHEN d.example 451 starttls-not-supported: not offered
last warnings
  WHEN boss alarm event=link inside=up outside=down
"""


def write_busy(box):
    boss, relay, wire = box.of[BOSS], box.of[RELAY], box.of[WIRE]
    now = int(time.monotonic() * 1000)
    boss.put(boss.at["pid"], "I", 77)
    boss.put(boss.at["started_ms"], "Q", now - 2000)
    relay.put(relay.at["pid"], "I", 78)
    relay.put(relay.at["started_ms"], "Q", now - 1000)
    boss.image("0.1.0 in slot a")
    boss.put(boss.at["flash_size"], "QQ", 15 << 20, 11796480)
    boss.put(boss.at["memory_free"], "Q", 37 << 20)
    boss.put(boss.at["ports_up"], "II", 1, 1)
    boss.counter("restarts-wire", 2)
    for owner, name, value in (
            (relay, "sessions", 1000), (relay, "sessions-now", 12),
            (relay, "sessions-peak", 40), (wire, "half-open-now", 3),
            (relay, "messages-encrypted", 900), (relay, "messages-clear", 80),
            (relay, "messages-refused-by-server", 7),
            (relay, "recipients-refused", 5), (relay, "recipients-deferred", 6),
            (relay, "tls-handshakes", 910), (relay, "tls-handshakes-failed", 4),
            (relay, "tls-handshakes-trusted-chain", 850),
            (relay, "tls-fallbacks-to-clear", 2),
            (relay, "starttls-vanished", 1)):
        owner.counter(name, value)
    for role in (RELAY, CONFD):
        box.of[role].put(relay.at["snapshot"], "Q", 7)
    relay.refusal("c.example 550 certificate-expired: it ended on 2026-01-01")
    relay.refusal("d.example 451 starttls-not-supported: not offered")
    box.of[CONFD].notice(
        1, "the clock is not set: certificates are judged at the floor")
    boss.log(ALARM, "event=link inside=up outside=down")


def busy(text):
    text = re.sub(r"(boss|relay) 00:00:0\d", r"\1 00:00:00", plain(text))
    return "\n".join(l.rstrip() for l in text.split("\n"))


def test_status_of_a_busy_box(box):
    # a sample was taken at the start, so all of this is of the last hour
    write_busy(box)
    text = box.says("show status")
    assert max(map(len, text.splitlines())) < 80
    for name, n in (("all", 1000), ("encrypted", 900)):
        assert f"{name} {n} ({n})" in text
    # as if it had been long ago: a sample of now for each minute
    past(box)
    assert busy(box.says("show status")) + "\n" == BUSY


def past(box):
    """The hour before had what there is now."""
    own = box.of[CONSOLE]
    for i in range(own.at["minutes"]):
        for role, stats in box.of.items():
            for c in range(own.at["counters"]):
                at = stats.at["counter"] + 8 * c
                value = stats.m[at:at + 8]
                if value != bytes(8):
                    where = own.at["past.counter"] + 8 * (
                        i * own.at["counters"] + c)
                    own.m[where:where + 8] = value


def test_status_stays_one_screen(box):
    write_busy(box)
    for role in (BOSS, WIRE, RELAY, CONFD):
        for i in range(4):
            box.of[role].notice(i, f"{'x' * 90}")
        for i in range(20):
            box.of[role].log(ALARM, "event=" + "y" * 200)
            box.of[role].refusal("z" * 200)
    t = box.login()
    t.type("\x0cshow status\r")
    t.until("last warnings")
    t.prompt()
    assert t.screen.line(0) == "sealwire# show status"
    assert t.screen.text().count("ATTENTION") >= 3
    t.type("monitor\r")
    t.until("Any key")
    assert t.screen.line(0).startswith("time "), t.screen.text()
    t.type("q")


def test_large_figures_keep_their_row(box):
    for name in box.of[RELAY].at:
        if "-" in name and not name.startswith("stats"):
            for role in (BOSS, WIRE, RELAY, CONFD):
                box.of[role].counter(name, 2 ** 63 + 1)
    box.of[RELAY].counter("messages-clear", 9999)
    box.of[RELAY].counter("messages-encrypted", 10000)
    box.of[RELAY].counter("messages-refused-by-server", 12345678)
    box.of[RELAY].counter("sessions-now", 65536)
    text = box.says("show status")
    assert max(map(len, text.splitlines())) < 80, text
    assert "encrypted 10k (10k), clear 9999 (9999), refused 12M (12M)" in text
    assert "now 65k, peak 9E," in text


def test_the_last_hour(box):
    box.of[RELAY].counter("sessions", 50)
    assert "all 50 (50)" in box.says("show status")
    past(box)
    box.of[RELAY].counter("sessions", 53)
    assert "all 53 (3)" in box.says("show status")


def test_clear(box):
    write_busy(box)
    past(box)
    assert box.says("clear counters") == ""
    text = box.says("show status")
    assert "encrypted 0 (0)" in text and "now 12, peak 40" in text
    box.of[RELAY].counter("messages-encrypted", 905)
    assert "encrypted 5 (5)" in box.says("show status")
    assert "messages-encrypted          5" in box.says("show counters")
    assert "link" in box.says("show log")
    box.says("clear log")
    box.says("clear refusals")
    assert box.says("show log") == "nothing has happened"
    assert "refusals\n  none\nlast warnings\n  none" in box.says("show status")
    box.of[BOSS].log(NOTICE, "event=again")
    box.of[RELAY].refusal("e.example")
    assert box.says("show log").endswith("boss notice event=again")
    assert "e.example\n" in box.says("show status")


def test_what_is_cleared_stays_cleared(tmp_path):
    """The console dies and comes back with the memory it had."""
    b = Shown(tmp_path)
    write_busy(b)
    b.says("clear counters")
    own = b.of[CONSOLE]
    before = bytes(own.m[:own.at["session"]])
    b.console.process.kill()
    b.console.process.wait()
    assert bytes(own.m[:own.at["session"]]) == before
    b.console.stopped = True
    b.stop()


def test_log_by_severity_and_age(box):
    now = time.time()
    for i, (role, severity) in enumerate([
            (BOSS, INFO), (WIRE, NOTICE), (RELAY, WARNING), (CONFD, ALARM)]):
        box.of[role].log(severity, f"event=number-{i}", now - i)
    def shown(command):
        return [int(l.rsplit("-", 1)[1]) for l in
                box.says(command).splitlines() if "number-" in l]
    assert shown("show log") == [3, 2, 1, 0]
    assert shown("show log notice") == [3, 2, 1]
    assert shown("show log warning") == [3, 2]
    assert shown("show log alarm") == [3]
    assert shown("show log | include wire") == [1]


def test_follow_by_severity(box):
    t = box.login()
    box.of[WIRE].log(WARNING, "event=old")
    box.of[WIRE].log(NOTICE, "event=less")
    t.type("show log warning follow\r")
    t.until("new lines follow")
    box.of[WIRE].log(NOTICE, "event=not-this")
    box.of[WIRE].log(ALARM, "event=this")
    t.until("event=this")
    assert "event=old" in t.screen.text()
    assert "not-this" not in t.screen.text()
    assert "less" not in t.screen.text()
    t.type("q")
    t.prompt()


def test_follow_through_a_pipe(box):
    t = box.login()
    box.of[WIRE].log(INFO, "event=link old")
    box.of[WIRE].log(INFO, "event=other")
    t.type("show log follow | include link | exclude down\r")
    t.until("new lines follow")
    box.of[WIRE].log(INFO, "event=link down")
    box.of[WIRE].log(INFO, "event=other")
    box.of[WIRE].log(INFO, "event=link up")
    t.until("event=link up")
    assert "event=link old" in t.screen.text()
    assert "other" not in t.screen.text()
    assert "link down" not in t.screen.text()
    t.type("\x03")
    t.prompt()


SESSION = """\
session 4711 on relay 0
  client     10.77.0.10:40000 1234 octets
  server     [2001:db8::25]:25 99 octets
  since      AGE, messages 3, now idle
  channel    TLSv1.3 TLS_AES_256_GCM_SHA384 successful
  domain     partner.example
session 4712 on relay 0
  client     10.77.0.11:40001 0 octets
  server     198.51.100.9:25 0 octets
  since      AGE, messages 0, now greeting
  channel    clear
  domain     none yet
session 4713 on relay 0
  client     198.51.100.7:40002 9 octets, from outside
  server     10.77.0.10:25 8 octets
  since      AGE, messages 1, now idle
  channel    TLSv1.2 TLS_ECDHE_RSA
  domain     none yet
3 sessions"""


def test_sessions(box):
    now = int(time.monotonic() * 1000)
    box.of[RELAY].record(
        "session", 0, flow=4711, client=endpoint("10.77.0.10", 40000),
        server=endpoint("2001:db8::25", 25), since_ms=now - 61000,
        octets=(1234, 99), messages=3, tls_version=0x304, chain=0,
        suite="TLS_AES_256_GCM_SHA384", phase="idle", domain="partner.example")
    box.of[RELAY].record(
        "session", 9, flow=4712, client=endpoint("10.77.0.11", 40001),
        server=endpoint("198.51.100.9", 25), since_ms=now, phase="greeting")
    box.of[RELAY].record(
        "session", 10, flow=4713, inbound=1,
        client=endpoint("198.51.100.7", 40002), octets=(9, 8), messages=1,
        server=endpoint("10.77.0.10", 25), since_ms=now, phase="idle",
        tls_version=0x303, chain=7, suite="TLS_ECDHE_RSA")
    text = box.says("show sessions detail")
    assert "since      00:01:01," in text.replace("00:01:02", "00:01:01")
    lines = [l if "since" not in l else l[:13] + "AGE" + l[21:]
             for l in text.splitlines()]
    assert "\n".join(lines) == SESSION
    table = box.says("show sessions").splitlines()
    assert table[1].startswith("10.77.0.10:40000      [2001:db8::25]:25     ")
    assert table[1].endswith("idle     3    TLSv1.3 TLS_AES_256_GCM_SHA384 "
                             "successful partner.example")
    assert table[-1] == "3 sessions"


def test_domain(box):
    now = int(time.time() * 1000)
    box.of[RELAY].record(
        "domain", 5, domain="partner.example", taken_ms=now,
        taken_server=endpoint("198.51.100.9", 25), tls_version=0x303,
        chain=4, suite="TLS_ECDHE_RSA", refused_ms=now, refused_n=3,
        refused_server=endpoint("198.51.100.8", 25), code=451, result=2,
        why="its certificate is not for mx.\x1b[2J")
    lines = box.says("show domain Partner.Example.").splitlines()
    assert box.confd.asked[-1][2] == "Partner.Example."
    assert len(lines) == 3
    assert lines[1].endswith("to 198.51.100.9:25 TLSv1.2 TLS_ECDHE_RSA "
                             "certificate-not-trusted")
    assert lines[2].endswith(
        "at 198.51.100.8:25 451 certificate-host-mismatch: its certificate is "
        "not for mx.?[2J (3 times)")
    assert box.says("show domain other.example").splitlines()[1:] == [
        "  no mail for it lately"]


def test_verify_and_what_it_has_seen(box):
    text = box.says("verify")
    assert text.startswith("self-test    passed") and box.witness.asked == 1
    witness = box.of[WITNESS]
    witness.counter("clear-text-seen", 3)
    witness.notice(0, "CLEAR TEXT OF PROTECTED MAIL LEFT THE OUTSIDE PORT: "
                      "show log alarm")
    for role in (BOSS, CONFD, RELAY):  # nothing else may take its place
        for i in range(4):
            box.of[role].notice(i, f"something else {i}")
    status = box.says("show status")
    assert "\nVERIFY       CLEAR TEXT SEEN 3 (3), frames" in status
    assert "ATTENTION    CLEAR TEXT" in status
    assert len(status.splitlines()) <= 22
    with door(box) as s:
        s.sendall(b"verify\n")
        text, end = Reader(s).answer()
        assert end == "error" and "CLEAR TEXT   3 times" in text


def test_verify_without_a_witness(box):
    box.witness.slow.clear()
    with door(box) as one, door(box) as two, door(box) as gone:
        for s in (one, two, gone):
            s.sendall(b"verify\n")
        deadline = time.monotonic() + 10
        while box.witness.asked == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        gone.close()
        box.witness.sock.close()
        for s in (one, two):
            text, end = Reader(s).answer()
            assert (text, end) == ("witness stopped while it tested itself",
                                   "error")
        box.witness.slow.set()
        one.sendall(b"verify\n")
        text, end = Reader(one).answer()
        assert end == "error" and "nobody watches" in text


def test_capture_is_asked_of_witness(box):
    host = bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 7])
    for line, ports, address, number in (
            ("inside", 1, bytes(16), 1 << 20),
            ("outside bytes 65536", 2, bytes(16), 65536),
            ("both host 192.0.2.7 bytes 70000", 3, host, 70000),
            ("both host 2001:db8::7", 3,
             bytes.fromhex("20010db8" + "00" * 11 + "07"), 1 << 20)):
        assert box.says("capture start " + line).startswith("capturing")
        assert box.witness.captures[-1] == (ports, address, number)
    assert box.says("capture stop") == "stopped"
    assert box.witness.captures[-1][2] == 0
    assert box.says("show capture") == "nothing was captured"
