# SPDX-License-Identifier: BSD-2-Clause
"""Mail from outside to a server inside (DESIGN, "The receiving side"): what the
client sees, what the server hears, what is on the wire outside."""
import contextlib
import re
import socket
import ssl
import threading
import time

import pytest

from inboundkit import (INSIDE, Outside, context, deliver, import_key,
                        inbound_lab, wait_offer)
from mailkit import CAPS, Client, Gone, ca, net, poll, reset, transact

CONFIG = """\
default may
inbound on
inbound require req.example tls
inbound require .req.example tls
inbound require t13.example tls min-tls 1.3
inbound require pin.example tls client-cert {pin}
domain enc.example encrypt
"""


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, authority):
    config = CONFIG.format(pin=ca.pin(authority.cert("client.pin.example")[0]))
    with inbound_lab(tmp_path_factory, authority, config) as box:
        yield box


@pytest.fixture(name="server")
def server_fixture(box):
    """The server inside, without TLS."""
    return box.mx(address=INSIDE, space="mail")


# --- what both ends see -----------------------------------------------------------
def test_capabilities(box, server, authority):
    with Outside() as c:
        clear = c.hello().splitlines()
        assert clear[0] == "250-mx.example"
        words = {l[4:] for l in clear[1:]}
        assert words == set(CAPS) - {"CHUNKING"} | {"STARTTLS"}
        c.starttls(context(authority), "mx.corp.example")
        assert c.talk.sock.version() == "TLSv1.3"
        secure = {l[4:] for l in c.ehlo().splitlines()[1:]}
        assert secure == words - {"STARTTLS"} | {"XSEALWIRE"}
        assert c.cmd("STARTTLS")[0] == 503
        assert c.cmd("QUIT")[0] == 221
        assert c.closed()
    assert [l for l, _ in server.heard] == [
        b"EHLO mail.corp.example", b"EHLO mail.corp.example", b"QUIT"]


@pytest.mark.parametrize("high", [None, ssl.TLSVersion.TLSv1_2])
def test_mail_in_tls(box, server, authority, high):
    limits = {"high": high} if high else {}
    with Outside() as c:
        assert c.in_tls(authority, **limits) == box.certificate
        r = deliver(box, c, "alice@req.example")
        assert r.final == 250, r.text
        assert c.cmd("QUIT")[0] == 221
    assert len(server.stored) == 1 and not server.stored[0][2]


def test_mail_in_clear_passes_as_it_came(box, server):
    """Nobody asked for more; every octet is the client's and the server's."""
    with Outside() as c:
        c.hello()
        body = (b"X-Odd: \t \x80\xff\r\n\r\n..dot\r\n" + b"y" * 998 +
                b"\r\n\r\n")
        box.submitted.add(body)
        r = transact(c, ["bob@corp.example"], body, "alice@free.example")
        box.note(r, body)
        assert r.final == 250 and r.text.endswith("250 2.0.0 taken")
        assert c.cmd("NOOP  two  blanks")[0] == 250
    assert (b"NOOP  two  blanks", False) in server.heard


def test_large_in_both_directions(box, server, authority):
    """20 MiB in TLS while another one passes in clear."""
    with Outside() as a, Outside() as b:
        a.in_tls(authority)
        b.hello()
        for c, protected in ((a, True), (b, False)):
            body = box.body(protected, 20 << 20)
            r = transact(c, ["bob@corp.example"], body, "x@free.example")
            box.note(r, body)
            assert r.final == 250, r.text


def test_the_server_sees_the_client(box, server):
    """Address and port are those of the client outside, as without a box."""
    with Outside(source=("198.51.100.77", 34567)) as c:
        c.hello()
        shown = net.inside("mail", "ss", "-Htn", "sport = :25",
                           capture_output=True, text=True).stdout
        assert "198.51.100.77:34567" in shown


def test_v6(box, authority):
    server = box.mx(address="fd77::10", space="mail")
    with Outside("fd77::10") as c:
        c.in_tls(authority)
        assert deliver(box, c, "alice@req.example").final == 250
    assert len(server.stored) == 1


# --- what a sender's domain must bring ------------------------------------------------
@pytest.mark.parametrize("sender", ["a@req.example", "a@sub.Req.Example",
                                    "a@t13.example", "a@pin.example"])
def test_refused_in_clear(box, server, sender):
    with Outside() as c:
        c.hello()
        code, text = c.cmd(f"MAIL FROM:<{sender}> SIZE=1000")
        assert code == 530 and text.startswith("530 5.7.0 mail from ")
        assert "it came in clear; say STARTTLS first" in text
        assert re.search(r"\(policy for \S+, line \d+\)$", text)
        # another sender may, on the same connection
        assert deliver(box, c, "a@free.example", False).final == 250
    assert not [l for l, _ in server.heard if sender.encode() in l]
    assert "event=sender-refused" in net.cli("show log")


def test_who_goes_on_with_what_is_refused_waits(box, server):
    """By where he is, and for the refusals alone."""
    with Outside(source=("198.51.100.78", 0)) as c:
        c.hello()
        took = []
        for _ in range(10):
            began = time.monotonic()
            assert c.cmd("MAIL FROM:<a@req.example>")[0] == 530
            took.append(time.monotonic() - began)
        assert took[8] > 0.9 and took[9] > 1.9 and took[0] < took[9], took
        assert deliver(box, c, "a@free.example", False).final == 250
    assert len(server.stored) == 1


def test_version_too_low(box, server, authority):
    with Outside() as c:
        c.in_tls(authority, high=ssl.TLSVersion.TLSv1_2)
        code, text = c.cmd("MAIL FROM:<a@t13.example>")
        assert code == 530 and "its TLS version is too low" in text
    with Outside() as c:
        c.in_tls(authority)
        assert deliver(box, c, "a@t13.example").final == 250


def test_client_certificate(box, server, authority):
    with Outside() as c:
        c.in_tls(authority)
        code, text = c.cmd("MAIL FROM:<a@pin.example>")
        assert code == 530 and "no client certificate was shown" in text
    with Outside() as c:
        c.in_tls(authority, cert=authority.cert("other.example"))
        code, text = c.cmd("MAIL FROM:<a@pin.example>")
        assert code == 530 and "is not a pinned one" in text
        assert deliver(box, c, "a@req.example").final == 250
    with Outside() as c:
        c.in_tls(authority, cert=authority.cert("client.pin.example"))
        assert deliver(box, c, "a@pin.example").final == 250


def test_bounces_and_literals(box, server):
    """No domain, no rule."""
    with Outside() as c:
        c.hello()
        assert c.cmd("MAIL FROM:<>")[0] == 250
        assert c.cmd("RSET")[0] == 250
        assert c.cmd("MAIL FROM:<a@[192.0.2.1]>")[0] in (250, 553)


# --- what somebody on the way could try -----------------------------------------------
@pytest.mark.parametrize("pieces", [1, 2, 3])
@pytest.mark.parametrize("more", [b"NOOP\r\n", b"MAIL FROM:<a@req.example>\r\n",
                                  b"\r\n", b"x"], ids=repr)
def test_a05_injected_behind_starttls(box, server, more, pieces):
    """A05, CVE-2011-0411: not one octet of it is read as a command."""
    with Outside() as c:
        c.hello()
        data = b"STARTTLS\r\n" + more
        for i in range(pieces):
            at = len(data) * i // pieces, len(data) * (i + 1) // pieces
            c.say(data[at[0]:at[1]])
            time.sleep(0.05 * (pieces > 1))
        c.talk.sock.settimeout(5)
        assert c.closed()
    assert [l for l, _ in server.heard] == [b"EHLO mail.corp.example"]


@pytest.mark.parametrize("first", [
    b"GET / HTTP/1.1\r\nHost: mx\r\n\r\n",
    b"POST / HTTP/1.1\r\n\r\nMAIL FROM:<a@b.example>\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\xff" * 100000], ids=["get", "post", "tls", "ssh", "garbage"])
def test_a24_other_protocols(box, server, first):
    """A24: closed after at most three errors, nothing of it goes on."""
    with Outside() as c:
        assert c.reply()[0] == 220
        try:
            c.say(first)
        except Gone:
            pass
        c.talk.sock.settimeout(5)
        assert c.closed()
    assert not server.heard


def test_a16_bdat(box, server):
    """A16: its octets are never commands."""
    with Outside() as c:
        c.hello()
        c.say(b"BDAT 30 LAST\r\nMAIL FROM:<evil@free.example>\r\n")
        assert c.reply()[0] == 503
        assert c.closed()
    assert b"MAIL" not in b"".join(l for l, _ in server.heard)


@pytest.mark.parametrize("end", [b"\n.\n", b"\r.\r", b"\r\n.\n", b"\n.\r\n",
                                 b"\r.\r\n", b"\r\n.\r"])
def test_a14_smuggling(box, server, authority, end):
    """A14: a dot between anything but CRLF is no end, and is refused."""
    with Outside() as c:
        c.in_tls(authority)
        assert c.cmd("MAIL FROM:<a@req.example>")[0] == 250
        assert c.cmd("RCPT TO:<b@corp.example>")[0] == 250
        assert c.cmd("DATA")[0] == 354
        c.say(b"Subject: x\r\n\r\nhi" + end +
              b"MAIL FROM:<SMUGGLED@free.example>\r\n.\r\n")
        assert c.reply()[0] == 550
    assert not server.stored
    assert b"SMUGGLED" not in b"".join(l for l, _ in server.heard)


def test_garbage_in_the_handshake(box, server):
    with Outside() as c:
        c.hello()
        assert c.cmd("STARTTLS")[0] == 220
        c.say(b"EHLO again\r\n")
        c.talk.sock.settimeout(5)
        assert c.closed()
    assert [l for l, _ in server.heard] == [b"EHLO mail.corp.example"]


@pytest.mark.parametrize("offer,taken", [
    (["smtp"], True), (["esmtp", "h2"], True), (["h2", "http/1.1"], False)])
def test_alpn(box, server, authority, offer, taken):
    """ALPN: who was to reach a web server does not reach this one."""
    c = context(authority)
    c.set_alpn_protocols(offer)
    with Outside() as o:
        o.hello()
        if taken:
            o.starttls(c, "mx.corp.example")
            assert o.ehlo()
        else:
            with pytest.raises(ssl.SSLError, match="(?i)alert"):
                o.starttls(c, "mx.corp.example")


# --- ends -----------------------------------------------------------------------------
HALF = (b"MAIL FROM:<a@req.example>\r\n", b"RCPT TO:<b@corp.example>\r\n",
        b"DATA\r\n")


@pytest.mark.parametrize("how", ["rst", "fin"])
@pytest.mark.parametrize("tls", [True, False])
def test_a_client_that_dies_in_a_message(box, server, authority, tls, how):
    """A19: the server never takes half a message for a whole one."""
    c = Outside()
    if tls:
        c.in_tls(authority)
    else:
        c.hello()
    for line in HALF:
        sender = line if tls else line.replace(b"req.", b"free.")
        c.say(sender)
        assert c.reply()[0] in (250, 354)
    c.say(b"Subject: half\r\n\r\nhalf\r\n")
    time.sleep(0.1)
    if how == "rst":
        reset(c.talk.sock)
    else:
        c.talk.sock.shutdown(socket.SHUT_RDWR)
        c.talk.sock.close()
    assert poll(lambda: re.search(r"sessions +now 0,",
                                  net.cli("show status")))
    assert not server.stored


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("tls", [True, False])
def test_a_server_that_dies(box, authority, tls, how):
    """A18: at every 23rd octet of what it says; never a 2xx that it did not
    give, and the client is told or reset."""
    for at in range(0, 420, 23):
        server = box.mx(address=INSIDE, space="mail", cut=(at, how))
        try:
            with Outside() as c:
                if tls:
                    c.in_tls(authority)
                else:
                    c.hello()
                sender = "a@req.example" if tls else "a@free.example"
                deliver(box, c, sender, tls)
                c.cmd("QUIT")
        except (Gone, AssertionError, ssl.SSLError, OSError):
            pass
        server.close()
        stored = [b for _, b, _ in server.stored]
        assert all(b in stored for b in box.acked), at
        box.opened.remove(server)
        box.acked.clear()


@pytest.mark.parametrize("reply", [
    {"TEXT": b"250 2.0.0 taken\r\n250 again\r\n"},
    {"RCPT": b"354 go\r\n"}, {"DATA": b"250 what\r\n"},
    {"MAIL": b"250 a\nb\r\n"}, {"MAIL": b"250 \0\r\n"},
    {"MAIL": b"250-" + b"x" * 100000 + b"\r\n"},
    {"MAIL": b"250-x\r\n" * 10000 + b"250 x\r\n"}],
    ids=["twice", "354", "250 to DATA", "LF", "NUL", "line", "lines"])
def test_a_server_that_breaks_the_protocol(box, authority, reply):
    """A20, and what was not asked for never looks like an answer."""
    server = box.mx(address=INSIDE, space="mail", reply=reply)
    with Outside() as c:
        c.in_tls(authority)
        with contextlib.suppress(Gone):
            r = deliver(box, c, "a@req.example")
            assert r.final == 250 if "TEXT" in reply else \
                r.final is None or r.final >= 400, r.text
        c.talk.sock.settimeout(5)
        assert c.closed(), "and 421 before, which transact() may have read"
    assert len(server.stored) == ("TEXT" in reply)


# --- both directions at once ----------------------------------------------------------
def test_storm_in_both_directions(box, server, authority):
    """What everybody was told is taken has arrived, octet for octet, where it was
    sent, and nothing of it was readable outside."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.cert("mx.enc.example"))
    world = box.mx(tls=tls)
    each, lock, sent = 8, threading.Lock(), {"in": set(), "out": set()}

    def note(way, r, body):
        with lock:
            box.note(r, body)
            if r.final == 250:
                sent[way].add(body)

    def from_outside():
        for i in range(each):
            with Outside() as c:
                c.in_tls(authority)
                with lock:
                    body = box.body(True, 500 << i)
                note("in", transact(c, ["b@corp.example"], body,
                                    "a@req.example"), body)

    def from_inside():
        for i in range(each):
            with Client(world.address) as c:
                c.hello()
                with lock:
                    body = box.body(True, 500 << i)
                note("out", transact(c, ["b@enc.example"], body), body)

    storm = [threading.Thread(target=f)
             for f in [from_outside, from_inside] * 6]
    for t in storm:
        t.start()
    for t in storm:
        t.join(120)
    assert len(sent["in"]) == len(sent["out"]) == 6 * each
    assert {b for _, b, _ in server.stored} == sent["in"]
    assert {b for _, b, _ in world.stored} == sent["out"]
    assert all(v for _, _, v in world.stored)


# --- settings -------------------------------------------------------------------------
def test_shown(box, server, authority):
    with Outside() as c:
        c.in_tls(authority)
        assert deliver(box, c, "a@req.example").final == 250
        assert poll(lambda: "from outside" in net.cli("show sessions detail"))
        shown = net.cli("show sessions detail")
        assert re.search(r"channel +TLSv1.3 TLS\S+\n", shown), shown
        assert re.search(r"domain +req.example", shown)
    assert re.search(r"from outside +encrypted [1-9]", net.cli("show status"))


def renew(authority, key, name):
    """Another certificate for the key that the box has; DER."""
    csr, ext, cert = (net.LAB / f"renew.{e}" for e in ("csr", "ext", "pem"))
    csr.write_text(net.cli(f"crypto csr {key} {name}") + "\n")
    ext.write_text(f"subjectAltName=DNS:{name}\n")
    ca.openssl("x509", "-req", "-in", str(csr), "-CA",
               str(authority.cert_file), "-CAkey", str(authority.key_file),
               "-days", "90", "-extfile", str(ext), "-out", str(cert))
    net.cli(f"crypto import {key} {cert}")
    return ssl.PEM_cert_to_DER_cert(cert.read_text())


def test_renewed_without_a_restart(box, server, authority):
    """A session goes on with what it had; the next one sees the new one."""
    with Outside() as c:
        assert c.in_tls(authority) == box.certificate
        fresh = renew(authority, "mx", "mx.corp.example")
        assert fresh != box.certificate
        box.certificate = fresh
        assert poll(lambda: shown_now(authority) == {fresh})
        assert deliver(box, c, "a@req.example").final == 250


def shown_now(authority, name="mx.corp.example"):
    """What is shown to those who name a host, by whichever relay."""
    seen = set()
    c = ssl.create_default_context(cadata=authority.pem())
    c.check_hostname = False
    for _ in range(6):
        with Outside() as o:
            o.hello()
            seen.add(o.starttls(c, name))
    return seen


def test_rsa_and_names_beside(box, server, authority):
    """A client that has no ECDSA gets RSA; one that names a host gets its own."""
    rsa = import_key(authority, "mx.corp.example", key="old", rsa=True)
    other = import_key(authority, "mail.second.example", key="second")
    try:
        old = context(authority, high=ssl.TLSVersion.TLSv1_2)
        old.set_ciphers("aRSA")

        def shown(c, name):
            with Outside() as o:
                o.hello()
                return o.starttls(c, name)

        assert poll(lambda: shown_now(authority, "mail.second.example") ==
                    {other})
        assert shown(old, "mx.corp.example") == rsa
        assert shown(context(authority), "mx.corp.example") == box.certificate
    finally:
        net.cli("crypto key delete old")
        net.cli("crypto key delete second")


def test_without_a_certificate(box, server, authority):
    """STARTTLS is not offered, what is required waits, and it is said."""
    net.cli("crypto key delete mx")
    try:
        wait_offer(False)
        with Outside() as c:
            c.hello()
            code, text = c.cmd("MAIL FROM:<a@req.example>")
            assert code == 454 and "cannot be offered at the moment" in text
            assert c.cmd("STARTTLS")[0] == 502
            assert deliver(box, c, "a@free.example", False).final == 250
        assert "inbound: no certificate that works" in net.cli("show status")
    finally:
        box.certificate = import_key(authority, "mx.corp.example")
    wait_offer()
    assert "no certificate" not in net.cli("show status")


@pytest.fixture(name="settings")
def settings_fixture(lab):
    before = net.cli("show running-config")

    def change(*lines):
        with net.Cli() as c:
            c("configure")
            for l in lines:
                c(l)
            c("commit")

    yield change
    lab.load(before)


def test_a_server_with_tls_of_its_own(box, settings, authority):
    """own: what it offers is not asked for, and not shown twice. pass: the
    session is its own, up to the certificate."""
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(*authority.cert("inside.corp.example"))
    server = box.mx(address=INSIDE, space="mail", tls=own)
    with Outside() as c:
        assert c.hello().count("STARTTLS") == 1
    with Outside() as c:
        assert c.in_tls(authority) == box.certificate
        assert deliver(box, c, "a@req.example").final == 250
    assert server.stored[0][2] is None and (b"STARTTLS", False) not in \
        server.heard
    settings("no inbound require req.example", "no inbound require .req.example",
             "no inbound require t13.example", "no inbound require pin.example",
             "inbound tls pass")
    with Outside() as c:
        text = c.hello()
        assert "CHUNKING" in text and text.count("STARTTLS") == 1
        shown = c.starttls(context(authority), "inside.corp.example")
        assert shown != box.certificate
        c.ehlo()
        assert deliver(box, c, "a@free.example").final == 250
        assert c.cmd("QUIT")[0] == 221
    assert server.stored[1][2] == "TLSv1.3"


def test_off(box, server, settings):
    """As on a wire: neither seen nor counted."""
    settings("inbound off")
    before = box.counters("sessions ")
    with Outside() as c:
        text = c.hello()
        assert "CHUNKING" in text and "STARTTLS" not in text
        assert deliver(box, c, "a@req.example", False).final == 250
    assert box.counters("sessions ") == before


def test_turned_on_under_way(box, server, settings):
    """A session that is older than the setting is not left in clear."""
    settings("inbound off")
    with Outside() as c:
        c.hello()
        settings("inbound on")
        with contextlib.suppress(Gone):
            c.say(b"NOOP\r\n")
        assert c.closed()
    assert (b"NOOP", False) not in server.heard
