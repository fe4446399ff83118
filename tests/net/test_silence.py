# SPDX-License-Identifier: BSD-2-Clause
"""Peers that say nothing any more, at every place where they could speak. The
relays' clock runs 200 times as fast (tests/fault), all other clocks as ever."""
import socket
import threading
import time

import pytest

from faultkit import Faults
from mailkit import Box, Client, Gone, poll, server_tls, transact
from test_mail_hostile import parallel, run_one

FASTER = 200
MINUTE = 60 / FASTER
SLACK = 2.5  # seconds, for a machine that has other things to do


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, config):
    clock = Faults("relay")
    box = Box(tmp_path_factory.mktemp("lab"), config, up=["--faults"])
    clock.faster(FASTER)
    yield box
    box.down()
    clock.close()


def silent(_):
    """Answer nothing, and hold the connection."""
    time.sleep(60 * MINUTE)


def deaf(session):
    session.say(b"354 go\r\n")
    time.sleep(60 * MINUTE)


def shakes_no_hand(session):
    session.say(b"220 go\r\n")
    time.sleep(60 * MINUTE)


# what the server does; minutes of RFC 5321 4.5.3.2; what the client is told last
STALLS = {
    "greeting": ({"GREETING": silent}, 5, None),
    "ehlo": ({"EHLO": silent}, 5, 421),
    "starttls": ({"STARTTLS": silent}, 5, 421),
    "mail": ({"MAIL": silent}, 5, 421),
    "rcpt": ({"RCPT": silent}, 5, 421),
    "data": ({"DATA": silent}, 2, 421),
    "text": ({"DATA": deaf}, 3, 451),
    "dot": ({"TEXT": silent}, 10, 421),
    "quit": ({"QUIT": silent}, 5, 421),
}


class Told:
    """The last code that a client was told, and when."""

    def __init__(self, address, rcpt, body):
        self.code, self.began = None, time.monotonic()
        try:
            with Client(address) as c:
                self.talk(c, rcpt, body)
        except (Gone, socket.timeout, ValueError):
            pass
        self.seconds = time.monotonic() - self.began

    def said(self, code):
        self.code = code
        return code

    def talk(self, c, rcpt, body):
        steps = ["EHLO c.example", "MAIL FROM:<a@corp.example>",
                 f"RCPT TO:<{rcpt}>", "DATA"]
        self.said(c.reply()[0])
        for line in steps:
            self.began = time.monotonic()
            if self.said(c.cmd(line)[0]) >= 400:
                return
        self.began = time.monotonic()
        c.say(body + b".\r\n")
        if self.said(c.reply()[0]) < 400:
            self.began = time.monotonic()
            self.said(c.cmd("QUIT")[0])


@pytest.mark.parametrize("state", STALLS)
def test_a21_server_falls_silent(box, authority, state):
    """Not sooner than RFC 5321 4.5.3.2 says, and not much later."""
    reply, minutes, code = STALLS[state]
    mx = box.mx(reply=reply, tls=server_tls(authority))
    body = box.body(size=5_000_000 if state == "text" else 200)
    told = Told(mx.address, "b@clr.example", body)
    assert told.code == code
    if code is None:
        assert told.code is None
    assert minutes * MINUTE - 0.1 < told.seconds < minutes * MINUTE + SLACK
    if state == "quit":
        box.acked.append(body)


@pytest.mark.parametrize("rcpt,code", [("b@other.example", 250),
                                       ("b@enc.example", 451)])
def test_a21_handshake_falls_silent(box, authority, rcpt, code):
    """Two minutes; then may goes in clear over another connection, and what is
    protected waits."""
    mx = box.mx(reply={"STARTTLS": shakes_no_hand}, tls=server_tls(authority))
    began = time.monotonic()
    r = box.send(mx.address, [rcpt], protected=code == 451)
    assert r.rcpt == [code]
    assert 2 * MINUTE - 0.1 < time.monotonic() - began < 2 * MINUTE + SLACK
    assert mx.sessions == 2
    assert not [l for l, _ in mx.heard if b"enc.example" in l]


def test_a21_client_falls_silent(box):
    """At each of its lines: the session ends, and the server has no message."""
    mx = box.mx()
    lines = [b"", b"EHLO c.exam", b"EHLO c.example\r\n",
             b"MAIL FROM:<a@corp.example>\r\n",
             b"RCPT TO:<b@other.example>\r\n", b"DATA\r\n", b"Subject: h\r\n"]

    def one(n):
        with Client(mx.address) as c:
            c.reply()
            for line in lines[1 + (n > 1):n + 1]:
                c.say(line)
                if line.endswith(b"\r\n") and b":" not in line[:8]:
                    c.reply()
            began = time.monotonic()
            assert c.closed()
            return time.monotonic() - began

    spent = parallel(one, range(len(lines)))
    assert all(3 * MINUTE - 0.1 < s < 10 * MINUTE + SLACK for s in spent)
    assert not mx.stored


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_a18_server_falls_silent_at_each_octet(box, authority, tls):
    """2xx reached the client only if all of the server's 2xx had been said."""
    ctx = server_tls(authority) if tls else None
    rcpt = "bob@enc.example" if tls else "bob@other.example"
    mx = box.mx(tls=ctx)
    said = []
    mx.reply["QUIT"] = lambda s: said.append(s.said)
    box.send(mx.address, [rcpt], protected=tls)
    assert poll(lambda: said)
    del mx.reply["QUIT"]
    whole = said[0]
    places = iter(range(0, whole + 1, 1))
    lock, good, run = threading.Lock(), [], mx.run

    def falling_silent(sock):
        with lock:
            at = next(places, whole)
        run_one(mx, run, sock, (at, "silent"))

    def one(_):
        body = box.body(protected=tls)
        try:
            with Client(mx.address) as c:
                c.hello()
                r = transact(c, [rcpt], body)
                box.note(r, body)
                good.append(r.final)
        except (OSError, Gone, AssertionError, ValueError):
            pass

    mx.run = falling_silent
    parallel(one, range(whole + 1), threads=64)
    assert good.count(250) <= mx.sent_ok
