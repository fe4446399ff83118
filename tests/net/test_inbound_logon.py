# SPDX-License-Identifier: BSD-2-Clause
"""Partners that log on to the box (DESIGN, "The receiving side"): who is let in,
whose mail it may be, what is sealed, and what the server inside never hears. NTLM
at the other end is Samba's. Real clients are in test_inbound_logon_clients.py."""
import base64
import hashlib
import hmac
import itertools
import socket
import ssl
import threading

import pytest

from inboundkit import INSIDE, Outside, deliver, inbound_lab, wait_offer
from mailkit import Client, Gone, Talk, net, poll, transact
from sealkit import Sealed, ntlm
from test_auth_oracles import V1, Ours, samba_client

SECRET = "correct-horse-7f3b"
CONFIG = """\
default may
inbound on
inbound account doug nt-domain DOM auth ntlm-seal password {secret}
inbound account old auth ntlm-seal min-bits 40 legacy password {secret}
inbound account bob auth plain login cram-md5 scram-sha-1 scram-sha-256 password {secret}
inbound account eve auth ntlm password {secret}
inbound require auth.example auth
inbound require bob.example tls account bob
inbound require seal.example seal account doug
inbound require old.example seal min-bits 56
inbound require both.example seal min-tls 1.2
inbound account tom auth ntlm scram-sha-256 bound password {secret}
"""
HERE = (f"198.51.100.{n}" for n in itertools.count(120))


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, authority):
    with inbound_lab(tmp_path_factory, authority, CONFIG.format(secret=SECRET)) as box:
        yield box


@pytest.fixture(name="box")
def box_fixture(lab):
    """A password is never seen in clear or base64 on the wire outside."""
    lab.protected.add(SECRET)
    yield lab
    lab.check()


@pytest.fixture(name="server")
def server_fixture(box):
    mx = box.mx(address=INSIDE, space="mail")
    yield mx
    # whatever happened: nothing of a log-on comes to the server inside
    for line, _ in mx.heard:
        assert not line.upper().startswith(b"AUTH"), mx.heard
        assert b"AUTH=" not in line.upper()
    assert SECRET.encode() not in b"".join(l for l, _ in mx.heard)


def client(**how):
    """From an address of its own: what it gets wrong is its own affair."""
    return Outside(source=(next(HERE), 0), **how)


def b64(octets):
    return base64.b64encode(octets).decode()


def plain(user="bob", password=SECRET):
    return "AUTH PLAIN " + b64(f"\0{user}\0{password}".encode())


def cram(c, user="bob", password=SECRET):
    code, text = c.cmd("AUTH CRAM-MD5")
    assert code == 334
    mac = hmac.new(password.encode(), base64.b64decode(text[4:]),
                   hashlib.md5).hexdigest()
    return c.cmd(b64(f"{user} {mac}".encode()))


class End:
    """Samba's, as sealkit wants it."""

    def __init__(self, options=None, user="doug", **how):
        self.g = samba_client(options or {}, user=user,
                              **{"domain": "DOM", "password": SECRET, **how})

    def seal(self, octets):
        return self.g.wrap(octets)

    def open(self, block):
        try:
            return self.g.unwrap(block)
        except Exception as e:
            raise ntlm.Altered(str(e)) from e


def log_on(c, end, initial=True, change=None):
    """change: of T3."""
    t1 = b64(end.g.update(b"")[1])
    code, text = c.cmd("AUTH NTLM " + t1 if initial else "AUTH NTLM")
    if code == 334 and not initial:
        assert text == "334 "
        code, text = c.cmd(t1)
    if code != 334:
        return code, text
    t3 = end.g.update(base64.b64decode(text[4:]))[1]
    return c.cmd(b64(change(t3) if change else t3))


def log_on_bound(c, user, seen):
    """With our own client, in TLS with a certificate, DER, that it has seen; None: it
    says nothing of TLS."""
    words = ["endpoint=" + hashlib.sha256(seen).hexdigest()] if seen else []
    with Ours("client", *words, password=SECRET, user=user) as ours:
        t1 = ours.ask("first").partition(" ")[2]
        code, text = c.cmd("AUTH NTLM " + t1)
        assert code == 334, text
        return c.cmd(b64(ours.say(base64.b64decode(text[4:]))))


def seal(c, end, **how):
    c.talk = Sealed(c.talk, end, **how)


# --- it works ---------------------------------------------------------------------
def test_offered(box, server, authority):
    def words(text):
        line, = (l for l in text.splitlines() if l[4:8] == "AUTH")
        return set(line.split()[1:])
    proofs = {"CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "NTLM"}
    with client() as c:
        assert words(c.hello()) == proofs
        assert c.cmd(plain(password="x"))[0] == 538
        assert c.cmd("AUTH LOGIN")[0] == 538
    with client() as c:
        c.in_tls(authority)
        assert words(c.text) == proofs | {"PLAIN", "LOGIN", "SCRAM-SHA-1-PLUS",
                                          "SCRAM-SHA-256-PLUS"}


def test_plain(box, server, authority):
    with client() as c:
        c.in_tls(authority)
        r = deliver(box, c, "x@bob.example")
        assert r.rcpt == [] or r.final is None
        assert c.cmd("MAIL FROM:<x@bob.example>")[1] == (
            "530 5.7.0 mail from bob.example must come inside TLS and logged "
            "on as bob: nobody has logged on; say AUTH first (policy for "
            "bob.example, line 8)")
        assert c.cmd(plain()) == (235, "235 2.7.0 logged on")
        r = deliver(box, c, "x@bob.example")
        assert r.final == 250, r.text
        assert "plain bob" in net.cli("show sessions detail")
        assert c.cmd("AUTH PLAIN")[0] == 503
    assert poll(lambda: "event=partner-logon client=198.51.100." in
                net.cli("show log"))


def test_login_and_cram_md5(box, server, authority):
    with client() as c:
        c.in_tls(authority)
        assert c.cmd("AUTH LOGIN")[1] == "334 VXNlcm5hbWU6"
        assert c.cmd(b64(b"BOB"))[1] == "334 UGFzc3dvcmQ6"
        assert c.cmd(b64(SECRET.encode()))[0] == 235
    with client() as c:
        c.hello()
        assert cram(c)[0] == 235
        assert deliver(box, c, "x@auth.example", False).final == 250


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@pytest.mark.parametrize("initial", [False, True])
def test_sealed(box, server, authority, tls, initial):
    end = End()
    with client() as c:
        if tls:
            c.in_tls(authority)
        else:
            c.hello()
        assert log_on(c, end, initial)[0] == 235
        seal(c, end)
        # RFC 4954 4: as if nothing had been said
        assert c.cmd("MAIL FROM:<x@seal.example>")[0] == 503
        text = c.ehlo()
        assert "AUTH" not in text and "STARTTLS" not in text
        assert c.cmd("STARTTLS")[0] == 503
        r = deliver(box, c, "x@seal.example")
        assert r.final == 250, r.text
        shown = net.cli("show sessions detail")
        assert "ntlm doug, sealed with 128 bits, NTLMv2, flags " in shown
        assert deliver(box, c, "x@both.example").final == (250 if tls else None)
        assert c.cmd("QUIT")[0] == 221
    assert len(server.stored) == 1 + tls


# --- bound to the certificate that the client has seen ------------------------------
@pytest.mark.parametrize("high", [ssl.TLSVersion.TLSv1_2,
                                  ssl.TLSVersion.TLSv1_3])
def test_ntlm_bound_to_tls(box, server, authority, high):
    """RFC 5929 4: ours, none, or another one, for accounts that ask for it and that
    do not."""
    for user, seen, want in (("eve", True, 235), ("eve", None, 235),
                             ("eve", b"another", 535), ("tom", True, 235),
                             ("tom", None, 535), ("tom", b"another", 535)):
        with client() as c:
            shown = c.in_tls(authority, high=high)
            code, text = log_on_bound(c, user, shown if seen is True else seen)
            assert code == want, (user, seen, text)
            if code == 235:
                assert ("bound to TLS" in net.cli("show sessions detail")) == \
                    (seen is True)
    assert poll(lambda: "event=logon-misbound account=tom mechanism=ntlm" in
                net.cli("show log"))


def test_scram_where_it_must_be_bound(box, server, authority):
    """Only the -PLUS form: gsasl in test_inbound_logon_clients.py. In clear there is
    nothing that a log-on could be bound to."""
    with client() as c:
        c.hello()
        assert log_on_bound(c, "tom", None)[0] == 535
        assert log_on_bound(c, "eve", b"another")[0] == 535


def test_ntlm_through_a_man_in_the_middle(box, server, authority, tmp_path):
    """He ends the partner's TLS with a certificate of his own, which the partner does
    not verify, and carries the log-on into his TLS with us."""
    his, key = authority.cert("mallory.example")
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(his, key)
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    near, far = socket.socketpair()
    heard = []

    def carry(to_us):
        with served.wrap_socket(far, server_side=True) as theirs, \
                theirs.makefile("rb") as lines:
            for line in lines:
                code, text = to_us.cmd(line.decode().rstrip("\r\n"))
                heard.append(code)
                theirs.sendall(text.replace("\n", "\r\n").encode() + b"\r\n")

    with client() as to_us:
        to_us.in_tls(authority)
        mallory = threading.Thread(target=carry, args=[to_us], daemon=True)
        mallory.start()
        partner = Client.__new__(Client)
        partner.talk = Talk(careless.wrap_socket(near))
        seen = partner.talk.sock.getpeercert(True)
        assert log_on_bound(partner, "eve", seen)[0] == 535
        partner.talk.sock.close()
        mallory.join(10)
    assert heard == [334, 535]
    assert poll(lambda: "event=logon-misbound account=eve" in
                net.cli("show log"))


@pytest.mark.parametrize("options,bits,half", [
    ({"ntlmssp_client:keyexchange": "no"}, 128, False),
    ({"ntlmssp_client:128bit": "no"}, 56, False), (V1, 128, True)],
    ids=["ess", "ess 56", "nt4"])
def test_sealed_as_old_clients_do(box, server, options, bits, half):
    """With extended session security and without: there one key stream is for
    both directions, and EHLO is not said again."""
    end = End(options, user="old", domain="ANY")
    with client() as c:
        c.hello()
        assert log_on(c, end)[0] == 235
        seal(c, end)
        if not half:
            c.ehlo()
        for sender in "x@old.example", "y@auth.example":
            body = box.body(True, 3000)
            assert c.cmd(f"MAIL FROM:<{sender}>")[0] == 250
            assert c.cmd("RCPT TO:<bob@corp.example>")[0] == 250
            assert c.cmd("DATA")[0] == 354
            c.say(body + b".\r\n")
            assert c.reply()[0] == 250
            box.acked.append(body)
        shown = net.cli("show sessions detail")
        assert f"sealed with {bits} bits" in shown
        assert ("one key stream" in shown) == half
    assert len(server.stored) == 2


@pytest.mark.parametrize("how", [{"size": 1}, {"crumbs": True},
                                 {"size": 7, "crumbs": True}], ids=str)
def test_blocks_as_the_client_likes_them(box, server, how):
    end = End()
    with client() as c:
        c.hello()
        assert log_on(c, end)[0] == 235
        seal(c, end, **how)
        c.ehlo()
        assert deliver(box, c, "x@seal.example").final == 250


def test_a_large_message_sealed(box, server):
    end = End()
    with client() as c:
        c.hello()
        assert log_on(c, end)[0] == 235
        seal(c, end, size=60000)
        c.ehlo()
        body = box.body(True, 2000000)
        r = transact(c, ["bob@corp.example"], body, "x@seal.example")
        box.note(r, body)
        assert r.final == 250
    assert server.stored[0][1] == body


# --- it is refused ------------------------------------------------------------------
@pytest.mark.parametrize("end,code", [
    (lambda: End(password="another"), 535),
    (lambda: End(user="nobody"), 535),
    (lambda: End(domain="OTHER"), 535),
    (lambda: End(user="bob"), 535),         # not with NTLM
    (lambda: End(V1), 535),                 # less than the account asks
    (lambda: End({"ntlmssp_client:128bit": "no"}), 535),
    (lambda: End({"ntlmssp_client:keyexchange": "no"}), 535)],
    ids=["password", "nobody", "domain", "mechanism", "v1", "56", "key"])
def test_ntlm_refused(box, server, end, code):
    """All with the same words, a second later."""
    with client() as c:
        c.hello()
        assert log_on(c, end()) == (code, "535 5.7.8 log-on refused")
        assert c.cmd("NOOP")[0] == 250
        r = deliver(box, c, "x@seal.example")
        assert r.final is None
    assert not server.stored


def test_the_same_for_who_is_nobody(box, server, authority):
    def answers(user, password=SECRET):
        with client() as c:
            c.in_tls(authority)
            return [c.cmd(plain(user, password)), cram(c, user, password)]
    assert answers("bob", "x") == answers("nobody") == answers("doug") == \
        [(535, "535 5.7.8 log-on refused")] * 2


def test_three_in_a_session(box, server):
    with client() as c:
        c.hello()
        assert [cram(c, password="x")[0] for _ in range(2)] == [535, 535]
        assert cram(c, password="y") == \
            (421, "421 4.7.0 too many failed log-ons")
        assert c.closed()
    before = box.counter("inbound-log-ons-failed")
    with client() as c:
        c.hello()
        c.cmd("AUTH NTLM")
        assert c.cmd("*") == (501, "501 5.7.0 log-on given up")
        assert c.cmd("AUTH CRAM-MD5 PDE+")[0] == 501
        assert c.cmd("AUTH NTLM TlRMTVNTUAAB")[0] == 501
        assert c.cmd("AUTH NTLM !")[0] == 501
        assert c.cmd("AUTH GSSAPI")[0] == 504
        assert c.cmd("NOOP")[0] == 250
    assert box.counter("inbound-log-ons-failed") >= before + 4


def test_a30_then_none_from_there(box, server):
    """Ten wrong ones, over many sessions and accounts; then not even the right
    one; somebody else is not troubled."""
    source = (next(HERE), 0)
    wrong = 0
    clients = [Outside(source=source) for _ in range(12)]
    for c in clients:
        c.hello()
        _, text = c.cmd("AUTH CRAM-MD5")
        c.say(b64(b"bob " + b"0" * 32).encode() + b"\r\n")
    for c in clients:
        wrong += c.reply()[0] == 535
        c.talk.sock.close()
    assert wrong == 10
    with Outside(source=source) as c:
        c.hello()
        assert c.cmd("AUTH CRAM-MD5")[1] == (
            "454 4.7.0 too many failed log-ons from there; try again later")
        assert deliver(box, c, "x@free.example", False).final == 250
    with client() as c:
        c.hello()
        assert cram(c)[0] == 235


def test_a29_the_mic(box, server):
    """A bit of T3 is not what the client made of it."""
    for at in -1, 60, 80:
        def change(t3, at=at):
            t3 = bytearray(t3)
            t3[at] ^= 1
            return bytes(t3)
        with client() as c:
            c.hello()
            assert log_on(c, End(), change=change)[0] in (501, 535)


class Mangled:
    """One of the client's blocks is not what it was."""

    def __init__(self, number, how):
        self.number, self.how, self.held = number, how, None

    def __call__(self, direction, number, block):
        if direction == "in":
            return [block]
        if number == self.number + 1 and self.how == "swap":
            return [block, self.held]
        if number != self.number:
            return [block]
        self.held = block
        flip = bytes([block[-1] ^ 1])
        return {"flip": [block[:-1] + flip], "drop": [], "swap": [],
                "signature": [bytes([block[0]]) + flip + block[2:]],
                "repeat": [block, block], "truncate": [block[:-1]],
                "empty": [b""], "huge": [block + bytes(70000)]}[self.how]


@pytest.mark.parametrize("how", ["flip", "signature", "drop", "repeat", "swap",
                                 "truncate", "empty", "huge"])
@pytest.mark.parametrize("user,options", [("doug", {}), ("old", V1)],
                         ids=["ess", "nt4"])
def test_a29_blocks(box, server, how, user, options):
    """The session ends, and the message is not taken."""
    end = End(options, user=user)
    with client() as c:
        c.hello()
        assert log_on(c, end)[0] == 235
        seal(c, end, size=500, mangle=Mangled(6, how))
        c.talk.sock.settimeout(5)
        try:
            c.ehlo()
            body = box.body(True, 5000)
            r = transact(c, ["bob@corp.example"], body, "x@auth.example")
            box.note(r, body)
            assert not r.final or r.final // 100 == 4, r.text
        except (Gone, TimeoutError):
            pass
        assert c.talk.n["out"] > 6
    assert not server.stored


def test_a29_clear_words_behind_235(box, server):
    """What comes in clear where blocks must be is no command, at once or later."""
    for wait in False, True:
        end = End()
        with client() as c:
            c.hello()
            t1 = b64(end.g.update(b"")[1])
            _, text = c.cmd("AUTH NTLM " + t1)
            t3 = b64(end.g.update(base64.b64decode(text[4:]))[1]).encode()
            more = b"MAIL FROM:<x@auth.example>\r\n" * 3
            c.say(t3 + b"\r\n" + (b"" if wait else more))
            if wait:
                assert c.reply()[0] == 235
                c.say(more)
            assert c.closed()  # with 235, or without
    assert not [l for l, _ in server.heard if l.startswith(b"MAIL")]


def test_a28_our_own_question(box, server, authority):
    """The box logs on to somebody who asks what the box asks him as its client."""
    box.load(CONFIG.format(secret=SECRET) +
             f"account us nt-domain DOM user eve password {SECRET}\n"
             "domain there.example ntlm-seal account us\n")
    try:
        with client() as c:
            c.hello()

            def reply(session):
                t1 = session.mx.heard[-1][0].split(b" ")[2].decode()
                code, text = c.cmd("AUTH NTLM " + t1)
                assert code == 334
                session.say(text.encode() + b"\r\n")
                line = session.talk.line()
                session.mx.heard.append((line, False))
                session.say(b"501 5.7.0 as you like\r\n")
            mx = box.mx(caps=["PIPELINING", "AUTH NTLM"],
                        reply={"AUTH": reply})
            r = box.send(mx.address, ["bob@there.example"], protected=True)
            assert r.final is None and r.rcpt[0] // 100 == 4, r.__dict__
            assert b"*" in [l for l, _ in mx.heard]
            assert "event=logon-reflected mechanism=ntlm" in \
                net.cli("show log")
    finally:
        box.load(CONFIG.format(secret=SECRET))
        wait_offer()


def test_with_another_configuration(box, server):
    """An account that is taken away is gone from the next log-on on."""
    with client() as c:
        c.hello()
        box.load("default may\ninbound on\n")
        assert c.cmd("AUTH NTLM")[0] == 502
    box.load(CONFIG.format(secret=SECRET))
    wait_offer()
    with client() as c:
        c.hello()
        assert cram(c)[0] == 235

