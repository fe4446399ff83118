# SPDX-License-Identifier: BSD-2-Clause
"""What ordinary clients and servers get from the gate, on a whole box: old
clients, old servers, routes, what is answered here, and how it leaves."""
import socket

import pytest

from lablib import capture
from mailkit import Client, poll, server_tls, transact

HERE = [("NOOP", 250), ("VRFY bob", 252), ("HELP", 214), ("HELP MAIL", 214),
        ("RSET", 250)]


def helo(address):
    c = Client(address)
    assert c.reply()[0] == 220
    code, text = c.cmd("HELO mail.corp.example")
    assert code == 250 and "\n" not in text, "one line, no extension"
    return c


def test_a_client_that_says_helo(box, authority):
    """It gets TLS as others do, and is told no more than it has asked for."""
    mx = box.mx(tls=server_tls(authority))
    body = box.body(protected=True)
    with helo(mx.address) as c:
        r = transact(c, ["b@enc.example"], body)
        box.note(r, body)
        assert r.final == 250
        assert c.cmd("QUIT")[0] == 221
    assert mx.stored[0][2] == "TLSv1.3" and not mx.envelope_in_clear()
    plain = box.mx()
    with helo(plain.address) as c:
        assert transact(c, ["b@enc.example"], box.body(True)).rcpt == [451]
    assert not plain.envelope_in_clear()


def test_a_server_that_knows_helo_alone(box):
    """Its refusal of EHLO is the answer; with HELO mail goes on."""
    mx = box.mx(reply={"EHLO": b"502 5.5.1 what\r\n"})
    body = box.body()
    with Client(mx.address) as c:
        assert c.reply()[0] == 220
        assert c.cmd("EHLO mail.corp.example")[0] == 502
        assert c.cmd("HELO mail.corp.example")[0] == 250
        r = transact(c, ["b@other.example"], body)
        box.note(r, body)
        assert r.final == 250
        assert transact(c, ["b@enc.example"], box.body(True)).rcpt == [451]
    assert not [l for l, _ in mx.heard if b"enc.example" in l]


def test_what_is_answered_in_the_middle_of_a_transaction(box):
    mx = box.mx()
    body = box.body()
    with Client(mx.address) as c:
        c.hello()
        for line, code in HERE:
            assert c.cmd(line)[0] == code, line
        assert c.cmd("MAIL FROM:<alice@corp.example>")[0] == 250
        for line, code in HERE[:-1]:
            assert c.cmd(line)[0] == code, line
        assert c.cmd("RCPT TO:<b@other.example>")[0] == 250
        assert c.cmd("RSET")[0] == 250
        assert c.cmd("DATA")[0] == 503
        r = transact(c, ["b@other.example"], body)
        box.note(r, body)
        assert r.final == 250
    assert not [l for l, _ in mx.heard if l[:4] in (b"VRFY", b"HELP")]


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
def test_a_route_is_where_it_goes(box, authority, config, v6):
    """Not to the server that the client has chosen, which hears nothing of it; in
    the next message the client's own server counts again, and may be spoken to in
    clear: what had been said in TLS of that one is no secret there."""
    chosen, route = box.mx(v6), box.mx(v6, tls=server_tls(authority))
    box.load(config + f"domain rt.example encrypt route {route.address}\n")
    body, other = box.body(protected=True), box.body()
    with Client(chosen.address) as c:
        c.hello()
        r = transact(c, ["b@rt.example"], body)
        box.note(r, body)
        assert r.final == 250, r.text
        r = transact(c, ["b@other.example"], other)
        box.note(r, other)
        assert r.final == 250, r.text
    box.load(config)
    assert [b for _, b, _ in route.stored] == [body]
    assert [b for _, b, _ in chosen.stored] == [other]
    assert not [l for l, _ in chosen.heard if b"rt.example" in l]


def test_a_route_where_nobody_is(box, config):
    chosen, nobody = box.mx(), box.address()
    box.load(config + f"domain rt.example may route {nobody}\n")
    r = box.send(chosen.address, ["b@rt.example"], protected=True)
    box.load(config)
    assert r.final is None and r.rcpt == [451]
    assert nobody in r.text, r.text
    assert not chosen.envelope_in_clear()


def test_starttls_that_vanishes_is_an_alarm(box, authority):
    """A server that had offered it before: mail to may goes on, and it is said."""
    def alarms():
        return [l for l in box.cli("show log alarm").splitlines()
                if "starttls-vanished" in l and mx.address in l]
    mx = box.mx(tls=server_tls(authority))
    assert box.send(mx.address, ["b@other.example"]).final == 250
    assert not alarms()
    mx.close()
    mx = box.mx(address=mx.address)
    assert box.send(mx.address, ["b@other.example"]).final == 250
    assert poll(alarms)
    assert "STARTTLS vanished 1 (1)" in box.cli("show status")


def test_bare_line_ends_where_they_are_let_pass(box, config):
    mx = box.mx()
    body = b"Subject: odd\r\n\r\na\nb\rc\n\n.\nd\r\n"
    box.submitted.add(body)
    box.load("bare-eol pass\n" + config)
    assert box.send(mx.address, ["b@other.example"], body=body).final == 250
    box.load(config)
    assert mx.stored[0][1] == body


def test_what_belongs_together_leaves_in_one_segment(box, authority):
    """Some middleboxes look for the end of a message, or for a ClientHello, in one
    segment; and two cost more than one."""
    tls, plain = box.mx(tls=server_tls(authority)), box.mx()
    assert box.send(tls.address, ["b@enc.example"], True).final == 250
    body = box.body()
    with Client(plain.address) as c:
        c.talk.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        c.hello()
        r = transact(c, ["b@other.example"], body)
        box.note(r, body)

    def sent(mx):
        frames = capture.Frames(box.pcap, box.seen)
        return [t[5] for t in map(capture.tcp_of, frames.packets)
                if t and t[2] == mx.address and t[5]]

    assert poll(lambda: any(p.endswith(b"\r\n.\r\n") for p in sent(plain)))
    hello = next(p for p in sent(tls) if p[:2] == b"\x16\x03")
    assert hello[5] == 1 and len(hello) == 5 + int.from_bytes(hello[3:5], "big")
