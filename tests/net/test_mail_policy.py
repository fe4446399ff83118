# SPDX-License-Identifier: BSD-2-Clause
"""Where mail goes, and where it does not: policy against servers that offer
TLS, refuse it, spoil it, or have the wrong certificate."""
import ssl
import warnings

import pytest

from mailkit import Client, Gone, server_tls, transact

warnings.simplefilter("ignore", DeprecationWarning)


def refused(result, code):
    assert result.final is None and result.rcpt and \
        all(c == code for c in result.rcpt), result.__dict__


# --- A01 --------------------------------------------------------------------------
@pytest.mark.parametrize("v6", [False, True], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("domain", ["enc.example", "ver.example",
                                    "pin.example", "sub.below.example"])
def test_a01_protected_and_delivered(box, authority, domain, version, v6):
    mx = box.mx(v6, tls=server_tls(authority, low=version, high=version))
    r = box.send(mx.address, [f"bob@{domain}"], protected=True, size=30000)
    assert r.final == 250, r.__dict__
    assert [t for _, _, t in mx.stored] == [
        "TLSv1.2" if version == ssl.TLSVersion.TLSv1_2 else "TLSv1.3"]
    assert not mx.envelope_in_clear()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_a01_server_with_an_rsa_certificate(box, authority, version):
    ctx = server_tls(authority, rsa=True, low=version, high=version)
    mx = box.mx(tls=ctx)
    r = box.send(mx.address, ["bob@ver.example"], protected=True)
    assert r.final == 250, r.__dict__


def test_a01_may_is_lifted_and_clear_is_not_refused(box, authority):
    mx = box.mx(tls=server_tls(authority))
    r = box.send(mx.address, ["a@other.example", "b@clr.example"],
                 protected=True)
    assert r.final == 250 and mx.stored[0][2] == "TLSv1.3"
    plain = box.mx()
    r = box.send(plain.address, ["a@other.example", "b@clr.example"])
    assert r.final == 250 and plain.stored[0][2] is None


# --- A02, A03 -----------------------------------------------------------------------
@pytest.mark.parametrize("domain", ["enc.example", "ver.example",
                                    "pin.example", "t13.example",
                                    "x.below.example", "ENC.Example",
                                    "enc.example."])
def test_a02_starttls_not_offered(box, domain):
    mx = box.mx()
    r = box.send(mx.address, [f"bob@{domain}"], protected=True)
    refused(r, 451)
    assert "starttls-not-supported" in r.text and mx.address in r.text
    assert not mx.envelope_in_clear()


def test_a02_reject_instead_of_defer(box):
    mx = box.mx()
    refused(box.send(mx.address, ["bob@rej.example"], protected=True), 550)


@pytest.mark.parametrize("answer", [
    b"454 4.7.0 not now\r\n", b"502 what\r\n", b"354 go\r\n", b"221 bye\r\n",
    b"421 bye\r\n", b"501 no\r\n", b"250 ok\r\n", b"garbage\r\n", b"220\r\n",
    b"220-go\r\n", b"\x16\x03\x01\x00\x05hello", b"220 go\r\n250 more\r\n",
    b"220 go\r\n\x15\x03\x01\x00\x02\x02\x28", b"220 go\rnot\r\n"])
def test_a03_starttls_answered_wrongly(box, answer):
    mx = box.mx(caps=["STARTTLS", "PIPELINING"],
                reply={"STARTTLS": lambda s: s.talk.send(answer)
                       or s.talk.sock.shutdown(1)})
    try:
        r = box.send(mx.address, ["bob@enc.example"], protected=True)
        assert r.final is None and all(400 <= c < 500 for c in r.rcpt), \
            r.__dict__
    except (Gone, AssertionError) as e:
        assert isinstance(e, Gone) or "421" in str(e), e
    assert not mx.envelope_in_clear()


def test_a03_refused_starttls_and_may(box):
    mx = box.mx(caps=["STARTTLS"], reply={"STARTTLS": b"454 not now\r\n"})
    r = box.send(mx.address, ["bob@other.example"])
    assert r.final == 250 and mx.sessions == 1


def test_a03_broken_handshake_and_may_falls_back_once(box):
    """TLS fails, the second dial is in clear and says nothing of TLS. Each
    relay learns it once, then it does not even try."""
    mx = box.mx(caps=["STARTTLS"],
                reply={"STARTTLS": lambda s: s.say(b"220 go\r\n") or
                       s.talk.sock.close()})
    for _ in range(8):
        assert box.send(mx.address, ["bob@other.example"]).final == 250
    assert 9 <= mx.sessions <= 8 + len(box.pids("relay"))
    refused(box.send(mx.address, ["bob@enc.example"], protected=True), 451)
    assert not [l for l in mx.envelope_in_clear() if b"enc.example" in l]


# --- A07, A09 -------------------------------------------------------------------------
@pytest.mark.parametrize("case", ["other-name", "expired", "self-signed",
                                  "wildcard-too-wide", "ip-as-dns"])
def test_a07_certificate_not_for_this_list(box, authority, case):
    from lablib import ca
    make = {
        "other-name": lambda: server_tls(authority, "mx.evil.example"),
        "expired": lambda: server_tls(authority, "mx.old.example",
                                      "DNS:mx.ver.example", days=-1),
        "self-signed": lambda: server_tls(ca.Authority("evil"),
                                          "mx.ver.example"),
        "wildcard-too-wide": lambda: server_tls(authority, "wide.example",
                                                "DNS:*.example"),
        "ip-as-dns": lambda: server_tls(authority, "ip.example",
                                        "DNS:198.51.100.20"),
    }
    mx = box.mx(tls=make[case]())
    r = box.send(mx.address, ["bob@ver.example"], protected=True)
    refused(r, 550)
    assert ("certificate-expired" if case == "expired" else
            "certificate-not-trusted" if case == "self-signed" else
            "certificate-host-mismatch") in r.text, r.text
    refused(box.send(mx.address, ["bob@def.example"], protected=True), 451)
    # whoever answers is enough for encrypt, over the same certificate
    r = box.send(mx.address, ["bob@enc.example"], protected=True)
    assert r.final == 250


def test_a07_pin_of_another_key(box, authority):
    mx = box.mx(tls=server_tls(authority, "mx.pin2.example",
                               "DNS:mx.ver.example"))
    refused(box.send(mx.address, ["bob@pin.example"], protected=True), 550)


OLD = {
    "tls-1.1": {"low": ssl.TLSVersion.TLSv1, "high": ssl.TLSVersion.TLSv1_1,
                "ciphers": "ALL:@SECLEVEL=0"},
    "cbc-only": {"high": ssl.TLSVersion.TLSv1_2,
                 "ciphers": "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"},
    "anonymous": {"high": ssl.TLSVersion.TLSv1_2,
                  "ciphers": "AECDH-AES128-SHA:@SECLEVEL=0"},
}


@pytest.mark.parametrize("how", OLD)
def test_a09_what_is_too_old_is_not_tls(box, authority, how):
    mx = box.mx(tls=server_tls(authority, **OLD[how]))
    r = box.send(mx.address, ["bob@enc.example"], protected=True)
    refused(r, 451)
    assert not mx.envelope_in_clear() and not mx.stored


def test_a09_lowest_version_of_a_domain(box, authority):
    mx = box.mx(tls=server_tls(authority, high=ssl.TLSVersion.TLSv1_2))
    r = box.send(mx.address, ["bob@t13.example"], protected=True)
    refused(r, 550)
    assert "TLS 1.3" in r.text and not mx.stored


# --- A11 ------------------------------------------------------------------------------
ORDERS = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a11_mixed_recipients_without_tls(box, order):
    names = ["a@other.example", "b@enc.example", "c@clr.example"]
    want = [250, 451, 250]
    mx = box.mx()
    r = box.send(mx.address, [names[i] for i in order])
    assert r.rcpt == [want[i] for i in order] and r.final == 250
    assert not [l for l in mx.envelope_in_clear() if b"enc.example" in l]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a11_mixed_recipients_with_a_wrong_certificate(box, authority, order):
    """The server may have another certificate for the name that the rule
    expects. That is another connection: not for a transaction that has begun
    on this one (452, the client brings it again)."""
    names = ["a@other.example", "b@ver.example", "c@enc.example"]
    want = [250, 550 if order[0] == 1 else 452, 250]
    mx = box.mx(tls=server_tls(authority, "mx.evil.example"))
    r = box.send(mx.address, [names[i] for i in order], protected=True)
    assert r.rcpt == [want[i] for i in order] and r.final == 250
    assert not [l for l, _ in mx.heard if b"ver.example" in l]


def test_a11_pipelined(box, authority):
    mx = box.mx(tls=server_tls(authority, "mx.evil.example"))
    body = box.body(protected=True)
    with Client(mx.address) as c:
        c.hello()
        c.say(b"MAIL FROM:<alice@corp.example>\r\nRCPT TO:<a@enc.example>\r\n"
              b"RCPT TO:<b@ver.example>\r\nRCPT TO:<c@other.example>\r\n"
              b"DATA\r\n")
        assert [c.reply()[0] for _ in range(5)] == [250, 250, 452, 250, 354]
        c.say(body + b".\r\n")
        assert c.reply()[0] == 250
        box.acked.append(body)
    assert len(mx.stored[0][0]) == 2


# --- A13 ------------------------------------------------------------------------------
def test_a13_new_rule_between_mail_and_rcpt(box, config):
    mx = box.mx()
    with Client(mx.address) as c:
        c.hello()
        assert c.cmd("MAIL FROM:<alice@corp.example>")[0] == 250
        box.load(config.replace("default may",
                                "default may\ndomain new.example encrypt"))
        assert c.cmd("RCPT TO:<bob@new.example>")[0] == 451
        box.load(config)
        assert c.cmd("RCPT TO:<bob@new.example>")[0] == 250
        assert c.cmd("RSET")[0] == 250
    assert not [l for l in mx.envelope_in_clear() if b"new.example" in l][1:]


def test_a13_new_rule_between_messages_of_one_session(box, config):
    mx = box.mx()
    body = box.body()
    with Client(mx.address) as c:
        c.hello()
        r = transact(c, ["bob@new.example"], body)
        box.note(r, body)
        assert r.final == 250
        box.load(config.replace("default may", "default encrypt"))
        r = transact(c, ["bob@new.example"], box.body(protected=True))
        box.load(config)
        refused(r, 451)
        body = box.body()
        r = transact(c, ["bob@new.example"], body)
        box.note(r, body)
        assert r.final == 250
    assert mx.sessions == 1, "a session was dropped"


def test_a13_wrong_configuration_changes_nothing(box):
    with pytest.raises(Exception) as e:
        box.load("default may\ndomain enc.example\n")
    assert "line 2, column 20" in str(e.value), str(e.value)
    mx = box.mx()
    refused(box.send(mx.address, ["bob@enc.example"], protected=True), 451)
