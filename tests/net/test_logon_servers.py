# SPDX-License-Identifier: BSD-2-Clause
"""Log-ons at real servers: Postfix with Cyrus SASL, and Exim, which takes no mail
from anybody who has not logged on."""
import re

import pytest

from mailkit import Box, poll
from lablib import peers

SECRET = "a password, with blanks"
CONFIG = """\
default may
account postfix user box password "{secret}"
account nobody user box password "something else"
account exim nt-domain DOM user box password "{secret}"
domain plain.example verify match mx.ver.example auth plain account postfix
domain login.example verify match mx.ver.example auth login account postfix
domain cram.example encrypt auth cram-md5 account postfix
domain scram1.example verify match mx.ver.example auth scram-sha-1 account postfix
domain scram2.example verify match mx.ver.example auth scram-sha-256 account postfix
domain wrong1.example verify match mx.ver.example auth plain account nobody
domain wrong2.example verify match mx.ver.example auth scram-sha-256 account nobody
domain wrong3.example verify match mx.ver.example auth cram-md5 account nobody
domain ntlm.example verify match mx.ver.example auth ntlm account exim legacy
domain strong.example verify match mx.ver.example auth ntlm account exim
domain none.example encrypt auth scram-sha-256 account exim
ca certificate
{ca}
"""
POSTFIX, EXIM = "198.51.100.201", "198.51.100.202"


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, authority):
    box = Box(tmp_path_factory.mktemp("logon-servers"), CONFIG.format(
        secret=SECRET, ca=authority.pem().strip()), up=["--sanitized"])
    cert = authority.cert("mx.ver.example")
    try:
        box.postfix = peers.PostfixSasl("mx.sasl.example", "net", [POSTFIX],
                                        cert, {"box": SECRET}).start()
        box.exim = peers.Exim("mx.spa.example", "net", [EXIM], cert,
                              ("box", SECRET)).start()
        box.postfix.wait([POSTFIX])
        box.exim.wait([EXIM])
        yield box
    finally:
        box.down()


def arrived(server, body):
    """The message, as the server keeps it; with the head that it wrote."""
    subject = body.split(b"\r\n")[0]
    files = poll(lambda: [t for f in server.messages()
                          if subject in (t := f.read_bytes())])
    assert len(files) == 1
    return files[0].decode()


@pytest.mark.parametrize("domain,mech", [
    ("plain.example", "PLAIN"), ("login.example", "LOGIN"),
    ("cram.example", "CRAM-MD5"), ("scram1.example", "SCRAM-SHA-1"),
    ("scram2.example", "SCRAM-SHA-256")])
def test_postfix_with_cyrus(box, domain, mech):
    body = box.body(protected=True)
    r = box.send(POSTFIX, [f"bob@{domain}"], protected=True, body=body)
    assert r.final == 250, r.__dict__
    box.acked.clear()  # the ledger is of scripted servers
    assert "Authenticated sender: box" in arrived(box.postfix, body)
    assert f"sasl_method={mech}, sasl_username=box" in \
        box.postfix.log.read_text()


@pytest.mark.parametrize("domain", ["wrong1.example", "wrong2.example",
                                    "wrong3.example"])
def test_postfix_refuses(box, domain):
    r = box.send(POSTFIX, [f"bob@{domain}"], protected=True)
    assert r.rcpt == [535], r.__dict__
    assert f"authentication failed for {domain}, account nobody" in r.text
    assert "it said 535" in r.text


def test_exim_with_spa(box):
    """It knows NTLMv1 alone: what `legacy` is for."""
    body = box.body(protected=True)
    r = box.send(EXIM, ["bob@ntlm.example"], protected=True, body=body)
    assert r.final == 250, r.__dict__
    box.acked.clear()
    assert re.search(r"with esmtpsa", arrived(box.exim, body))
    assert "NTLMv1" in box.cli("show domain ntlm.example")


def test_a27_exim_is_too_weak_for_more(box):
    r = box.send(EXIM, ["bob@strong.example"], protected=True)
    assert r.rcpt == [534], r.__dict__


def test_a27_exim_offers_no_scram(box):
    r = box.send(EXIM, ["bob@none.example"], protected=True)
    assert r.rcpt == [454] and "does not offer" in r.text, r.__dict__
