# SPDX-License-Identifier: BSD-2-Clause
"""Servers and clients that break the protocol, die at any octet, or try to
smuggle something through."""
import concurrent.futures
import re
import socket
import time

import pytest

from mailkit import (SMUGGLED, Client, Gone, poll, reset, server_tls,
                     transact)

RCPT = "bob@other.example"


# --- A14: where does a message end? -------------------------------------------------
# Ends of data that some servers see and others do not; after each comes a second
# message. (Postfix CVE-2023-51764, Exim CVE-2023-51766, SEC Consult 2023.)
SMUGGLING = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r",
             b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\n\n.\r\n", b"\r\r\n.\r\n",
             b"\r\n.\r\r\n", b"\x00\r\n.\n", b"\n.\n.\r\n"]
SECOND = (b"MAIL FROM:<evil@corp.example>\r\nRCPT TO:<victim@other.example>\r\n"
          b"DATA\r\nSubject: SMUGGLED\r\n\r\nSMUGGLED\r\n.\r\n")


@pytest.mark.parametrize("pieces", [0, 1], ids=["whole", "octets"])
@pytest.mark.parametrize("end", SMUGGLING, ids=repr)
def test_a14_smuggling(box, end, pieces):
    """Refused, or passed so that no server sees a second message in it."""
    mx = box.mx()
    text = box.body()[:-2] + end + SECOND
    with Client(mx.address) as c:
        c.hello()
        for line in ("MAIL FROM:<a@corp.example>", f"RCPT TO:<{RCPT}>"):
            assert c.cmd(line)[0] == 250
        assert c.cmd("DATA")[0] == 354
        if pieces:
            c.talk.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(0, len(text), 1):
                c.say(text[i:i + 1])
        else:
            c.say(text)
        code, _ = c.reply()
        if code == 250:  # it was one message with an odd line in it
            box.acked.append(mx.stored[0][1])
            box.submitted.add(mx.stored[0][1])
            assert b"\x00" in end
    assert len(mx.stored) <= 1
    assert not [b for _, b, _ in mx.stored if SMUGGLED in b and
                b"\x00" not in end]
    assert not [l for l, _ in mx.heard if b"evil" in l or b"victim" in l]


def test_a14_dots_are_kept(box):
    mx = box.mx()
    body = b"Subject: dots\r\n\r\n..\r\n...\r\n..a\r\n. b\r\n\r\n..\r\n"
    box.submitted.add(body)
    assert box.send(mx.address, [RCPT], body=body).final == 250
    assert mx.stored[0][1] == body


# --- A16 ------------------------------------------------------------------------------
@pytest.mark.parametrize("size", ["40 LAST", "0 LAST", "-1", "", "4x",
                                  "18446744073709551616", "86 LAST"])
def test_a16_bdat_is_the_end(box, size):
    mx = box.mx(caps=["CHUNKING", "PIPELINING"])
    with Client(mx.address) as c:
        assert "CHUNKING" not in c.hello()
        assert c.cmd("MAIL FROM:<a@corp.example>")[0] == 250
        assert c.cmd(f"RCPT TO:<{RCPT}>")[0] == 250
        c.say(f"BDAT {size}\r\n".encode() +
              b"RSET\r\nMAIL FROM:<SMUGGLED@corp.example>\r\n"
              b"RCPT TO:<victim@other.example>\r\nDATA\r\n")
        assert c.reply()[0] == 503
        assert c.closed()
    assert not [l for l, _ in mx.heard if b"SMUGGLED" in l or b"BDAT" in l]


# --- A18, A19: death at every octet -------------------------------------------------
def parallel(work, items, threads=24):
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_a18_server_dies_at_each_octet(box, authority, tls, how):
    """2xx reached the client only if all of the server's 2xx had been said."""
    ctx = server_tls(authority) if tls else None
    rcpt = "bob@enc.example" if tls else RCPT
    probe = box.mx(tls=ctx)
    said = []
    probe.reply["QUIT"] = lambda s: said.append(s.said)
    box.send(probe.address, [rcpt], protected=tls)
    assert poll(lambda: said)
    probe.close()
    whole = said[0]
    mx = box.mx(address=probe.address, tls=ctx)
    counter = iter(range(whole + 1))
    good = []

    # each connection takes the next place to die at; which client it belongs
    # to does not matter
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

    run = mx.run

    def dying(sock):
        at = next(counter, whole)
        run_one(mx, run, sock, (at, how))

    mx.run = dying
    parallel(one, range(whole + 1))
    assert good.count(250) <= mx.sent_ok


def run_one(mx, run, sock, cut):
    """mx.cut is looked at when an answer is said: give it to this one only."""
    class One:
        def __getattr__(self, name):
            return cut if name == "cut" else getattr(mx, name)

        def __setattr__(self, name, value):
            setattr(mx, name, value)
    run.__func__(One(), sock)


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_a19_client_dies_at_each_octet(box, authority, tls, how):
    """A server never has a part of a message for a whole one."""
    mx = box.mx(tls=server_tls(authority) if tls else None)
    rcpt = b"bob@enc.example" if tls else RCPT.encode()
    body = b"Subject: short\r\n\r\n..\r\ntext\r\n"
    box.submitted.add(body)
    talk = (b"EHLO mail.corp.example\r\nMAIL FROM:<a@corp.example>\r\n"
            b"RCPT TO:<" + rcpt + b">\r\nDATA\r\n" + body + b".\r\n")

    def one(n):
        rest = talk[:n]
        try:
            with Client(mx.address) as c:
                c.reply()
                while rest:
                    line, end, rest = rest.partition(b"\r\n")
                    c.say(line + end)
                    if end and re.match(rb"EHLO|MAIL|RCPT|DATA", line):
                        c.reply()
                if how == "rst":
                    reset(c.talk.sock)
        except (Gone, OSError):
            pass

    parallel(one, range(len(talk) + 1))
    assert poll(lambda: "now 0," in box.cli("show status"))
    assert all(b == body for _, b, _ in mx.stored)
    assert len(mx.stored) <= 2  # only where all but the answer was there


# --- A20: a server that talks too much, too early, or nonsense ------------------------
BAD_REPLIES = {
    "greeting-endless": {"GREETING": b"220 " + b"x" * 70000 + b"\r\n"},
    "greeting-nul": {"GREETING": b"220 a\x00b\r\n"},
    "greeting-bare-lf": {"GREETING": b"220 a\n"},
    "ehlo-endless": {"EHLO": b"250-x\r\n" * 20000},
    "ehlo-bare-lf": {"EHLO": b"250-x\n250 y\n"},
    "ehlo-mixed-codes": {"EHLO": b"250-x\r\n550 y\r\n"},
    "ehlo-3xx": {"EHLO": b"354 go\r\n"},
    "mail-354": {"MAIL": b"354 go\r\n"},
    "rcpt-354": {"RCPT": b"354 go\r\n"},
    "rcpt-twice": {"RCPT": b"250 ok\r\n250 ok\r\n"},
    "rcpt-megabyte": {"RCPT": b"250-x\r\n" * 150000 + b"250 y\r\n"},
    "data-250": {"DATA": b"250 ok\r\n"},
    "data-350": {"DATA": b"350 go\r\n"},
    "data-then-250": {"DATA": b"354 go\r\n250 taken\r\n"},
    "text-3xx": {"TEXT": b"354 go\r\n"},
    "text-nul": {"TEXT": b"250 o\x00k\r\n"},
    "text-bare-lf": {"TEXT": b"250 ok\n"},
    "text-bare-cr": {"TEXT": b"250 ok\r250 ok\r\n"},
    "text-no-code": {"TEXT": b"ok\r\n"},
    "text-code-900": {"TEXT": b"900 ok\r\n"},
    "text-half-line": {"TEXT": lambda s: s.say(b"250 o") or
                       s.talk.sock.shutdown(1)},
    "text-half-multi": {"TEXT": lambda s: s.say(b"250-ok\r\n") or
                        s.talk.sock.shutdown(1)},
}


@pytest.mark.parametrize("case", BAD_REPLIES)
def test_a20_server_breaks_the_protocol(box, case):
    mx = box.mx(reply=BAD_REPLIES[case])
    body = box.body()
    try:
        with Client(mx.address) as c:
            c.hello()
            r = transact(c, [RCPT], body)
            box.note(r, body)
            assert r.final is None or 400 <= r.final < 500, r.__dict__
    except Gone:
        pass
    except (AssertionError, ValueError) as e:
        assert "421" in str(e) or "354" in str(e), e


def test_a20_server_talks_before_it_is_asked(box):
    mx = box.mx(reply={"GREETING": b"220 mx\r\n250 early\r\n"})
    with pytest.raises((Gone, AssertionError)):
        box.send(mx.address, [RCPT])


def test_a20_server_refuses_in_the_middle_of_a_message(box):
    """An early 552 of a server must end as a refusal, not as a hang."""
    def early(s):
        s.say(b"354 go\r\n")
        s.talk.sock.settimeout(0.5)
        try:
            while len(s.talk.got) < 100000:
                s.talk.more()
        except (socket.timeout, Gone):
            pass
        s.say(b"552 5.3.4 too big\r\n")
        s.talk.sock.settimeout(10)
    mx = box.mx(reply={"DATA": early})
    r = box.send(mx.address, [RCPT], size=1000000)
    assert r.final == 552


# --- A22, A23, A24: clients that are no mail servers ----------------------------------
@pytest.mark.parametrize("n,code", [(505, 250), (2040, 501), (2048, 501),
                                    (2049, 500), (5000, 500), (12300, 500)])
def test_a22_command_lines(box, n, code):
    """NOOP with an argument of so many octets, CRLF not counted; then the next
    command is whole again."""
    mx = box.mx()
    with Client(mx.address) as c:
        c.hello()
        line = "NOOP " + "x" * (n - 5) if code == 250 else \
            "RCPT TO:<" + "x" * (n - 9)
        c.cmd("MAIL FROM:<a@corp.example>")
        assert c.cmd(line)[0] == code
        assert c.cmd(f"RCPT TO:<{RCPT}>")[0] == 250


@pytest.mark.parametrize("line", ["MA\x00IL FROM:<a@corp.example>",
                                  "MAIL FROM:<a\x00@corp.example>",
                                  "MAIL FROM:<a\udcff@corp.example>",
                                  "MAIL FROM:<a\t@corp.example>",
                                  "\tMAIL FROM:<a@corp.example>"])
def test_a22_octets_in_commands(box, line):
    mx = box.mx()
    with Client(mx.address) as c:
        c.hello()
        assert 500 <= c.cmd(line)[0] < 560
        assert c.cmd("MAIL FROM:<a@corp.example>")[0] == 250
    assert not [l for l, _ in mx.heard if b"\x00" in l or b"\xff" in l]


@pytest.mark.parametrize("n", [998, 999, 1000, 1002, 70000])
def test_a22_text_lines_are_not_cut(box, n):
    mx = box.mx()
    body = b"Subject: long\r\n\r\n" + b"y" * n + b"\r\n\xff\x00\x01\r\n"
    box.submitted.add(body)
    assert box.send(mx.address, [RCPT], body=body).final == 250
    assert mx.stored[0][1] == body


@pytest.mark.parametrize("verb", [
    "TURN", "ATRN", "ETRN other.example", "XEXCH50 20 2", "X-LINK2STATE LAST",
    "X-ANONYMOUSTLS", "XCLIENT NAME=x", "BURL imap://x LAST", "LHLO x",
    "SEND FROM:<a@b>", "STARTTLS", "AUTH LOGIN", "WHATEVER", "EXPN list"])
def test_a23_verbs_that_are_not_passed(box, verb):
    mx = box.mx()
    with Client(mx.address) as c:
        c.hello()
        assert c.cmd(verb)[0] in (500, 502)
        assert c.cmd("MAIL FROM:<a@corp.example>")[0] == 250
    assert not [l for l, _ in mx.heard if l.startswith(verb.encode())]


@pytest.mark.parametrize("what", [
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\n"
    b"MAIL FROM:<SMUGGLED@corp.example>\r\nRCPT TO:<a@other.example>\r\n",
    b"GET / HTTP/1.0\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n" * 20,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"z" * 500,
    b"garbage " * 1300000, b"\r\n" * 100, b"\x00" * 10000],
    ids=["post", "get", "ssh", "tls-hello", "10-megabytes", "blank-lines",
         "zeros"])
def test_a24_not_a_mail_server(box, what):
    mx = box.mx()
    with Client(mx.address) as c:
        assert c.reply()[0] == 220
        try:
            c.say(what)
            c.talk.sock.shutdown(socket.SHUT_WR)
        except (Gone, OSError):
            pass
        assert c.closed()
    assert not [l for l, _ in mx.heard if b"SMUGGLED" in l or b"HTTP" in l]
    assert not mx.envelope_in_clear()


def test_a24_garbage_is_closed_after_three_lines(box):
    """By the box, while the client goes on; nothing of it has reached the server."""
    mx = box.mx()
    with Client(mx.address) as c:
        assert c.reply()[0] == 220
        c.say(b"\x01\x02\x03 garbage\r\n" * 50)
        assert [c.reply()[0] for _ in range(3)] == [500, 500, 421]
        assert c.closed()
    assert poll(lambda: "now 0," in box.cli("show status"))
    assert not mx.heard


# --- floods and silence ---------------------------------------------------------------
def test_p7_many_silent_clients_cost_only_themselves(box):
    """200 clients that say nothing, 200 that stop in a message; mail goes on
    (the oracles send some) and the room comes back when they leave."""
    mx = box.mx()
    idle = []
    for i in range(400):
        c = Client(mx.address)
        c.reply()
        idle.append(c)
        if i % 2:
            c.say(b"EHLO a.example\r\nMAIL FROM:<a@corp.example>\r\n")
    t = time.monotonic()
    assert box.send(box.mx().address, [RCPT]).final == 250
    assert time.monotonic() - t < 10
    for c in idle:
        c.talk.sock.close()
