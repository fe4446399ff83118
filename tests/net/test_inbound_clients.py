# SPDX-License-Identifier: BSD-2-Clause
"""Clients outside that we did not write, and servers inside that know no TLS."""
import re
import sys

import pytest

from inboundkit import INSIDE, NAME, arrived, inbound_lab, outside
from mailkit import ROOT, Client, poll

sys.path.insert(0, str(ROOT / "tools"))
from lablib import peers  # noqa: E402

CONFIG = """\
default may
inbound on
inbound require req.example tls
"""


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, authority):
    with inbound_lab(tmp_path_factory, authority, CONFIG) as box:
        yield box


@pytest.fixture(name="server")
def server_fixture(box):
    return box.mx(address=INSIDE, space="mail")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl(box, server, version):
    code, out = outside(
        "openssl", "s_client", "-connect", f"{INSIDE}:25", "-starttls", "smtp",
        "-name", "openssl.example", version, "-CAfile", box.roots,
        "-verify_hostname", NAME, "-verify_return_error", "-ign_eof", "-crlf",
        text="EHLO again.example\nQUIT\n")
    assert code == 0, out
    assert "Verify return code: 0 (ok)" in out and "\n221 " in out, out


def test_gnutls(box, server):
    # it makes one CRLF of what it reads at once, and says goodbye at its end
    code, out = outside(
        "sh", "-c", "(echo EHLO gnutls.example; sleep 1; echo QUIT; sleep 1) | "
        f"gnutls-cli --crlf --starttls-proto=smtp --x509cafile={box.roots} "
        f"--verify-hostname={NAME} --port=25 {INSIDE}")
    assert code == 0 and "The certificate is trusted" in out, out
    assert "221 " in out, out


def test_swaks(box, server):
    body = box.body(True)
    code, out = outside(
        "swaks", "--server", INSIDE, "--tls", "--ehlo", "swaks.example",
        "--from", "a@req.example", "--to", "bob@corp.example", "--data", "-",
        text=body.decode().replace("\r\n", "\n"))
    assert code == 0, out
    arrived(box, server, body)


def test_swaks_is_refused_in_clear(box, server):
    code, out = outside("swaks", "--server", INSIDE, "--ehlo", "swaks.example",
                        "--from", "a@req.example", "--to", "b@corp.example")
    assert code != 0 and "530 5.7.0 mail from req.example must" in out, out
    assert not server.stored


def test_curl(box, server, tmp_path):
    body = box.body(True)
    (tmp_path / "mail").write_bytes(body)
    code, out = outside(
        "curl", "-sv", "--ssl-reqd", "--cacert", box.roots, "--connect-to",
        f"{NAME}:25:{INSIDE}:25", f"smtp://{NAME}:25/curl.example",
        "--mail-from", "a@req.example", "--mail-rcpt", "bob@corp.example",
        "--upload-file", tmp_path / "mail")
    assert code == 0, out
    arrived(box, server, body)


def test_msmtp(box, server, tmp_path):
    body = box.body(True)
    rc = tmp_path / "msmtprc"
    rc.write_text(f"""account default
host {INSIDE}
port 25
domain msmtp.example
from a@req.example
tls on
tls_starttls on
tls_trust_file {box.roots}
tls_host_override {NAME}
""")
    rc.chmod(0o600)
    code, out = outside("msmtp", "-C", rc, "bob@corp.example",
                        text=body.decode().replace("\r\n", "\n"))
    assert code == 0, out
    arrived(box, server, body)


def submit(address, sender, body):
    """To a mail server outside, by one of its own users."""
    with Client(address, space="net") as c:
        c.hello()
        for line, code in ((f"MAIL FROM:<{sender}>", 250),
                           ("RCPT TO:<bob@corp.example>", 250), ("DATA", 354)):
            assert c.cmd(line)[0] == code
        c.say(body + b".\r\n")
        assert c.reply()[0] == 250


def outcome(postfix, seconds=30):
    return poll(lambda: re.findall(r"status=(\w+) \((.*)\)",
                                   postfix.log.read_text()), seconds)


@pytest.fixture(name="postfix", scope="module")
def postfix_fixture(lab):
    """A mail server outside that sends encrypted or not at all."""
    p = peers.Postfix(
        "out.partner.example", "net", ["198.51.100.60"],
        routes={"corp.example": INSIDE},
        settings=["smtp_tls_security_level = secure",
                  f"smtp_tls_secure_cert_match = {NAME}",
                  f"smtp_tls_CAfile = {lab.roots}", "smtp_tls_loglevel = 1",
                  "mynetworks = 0.0.0.0/0",
                  "smtp_bind_address = 198.51.100.60"])
    p.start()
    p.wait(p.addresses)
    yield p
    p.process.terminate()


def test_postfix(box, server, postfix):
    body = box.body(True, 1 << 20)
    submit("198.51.100.60", "a@req.example", body)
    status, text = outcome(postfix)[0]
    assert status == "sent", text
    arrived(box, server, body)
    assert "Verified TLS connection established" in postfix.log.read_text()


def test_exim(box, server):
    """With GnuTLS; it says in its log whether the certificate was verified."""
    exim = peers.EximOut("out.exim.example", "net", INSIDE, box.roots)
    body = box.body(True, 1 << 18)
    log = exim.send("a@req.example", "bob@corp.example", body)
    assert "=> bob@corp.example" in log and "CV=yes" in log, log
    assert "X=TLS1.3:" in log, log
    # it puts headers of its own behind those that are there
    arrived(box, server, body.split(b"\r\n\r\n", 1)[1])


def test_opensmtpd(box, server):
    sender = peers.OpenSmtpdOut("out.opensmtpd.example", "net",
                                ["198.51.100.61"], INSIDE)
    sender.start()
    try:
        sender.wait(sender.addresses)
        body = box.body(True, 1 << 16)
        submit("198.51.100.61", "a@req.example", body)
        arrived(box, server, body)
    finally:
        sender.process.terminate()
        sender.process.wait()


def test_a_server_inside_that_we_did_not_write(box):
    """Postfix without TLS: what it stores is what was sent."""
    inside = peers.Postfix("mail.corp.example", "mail", [INSIDE])
    inside.start()
    try:
        inside.wait([INSIDE])
        body = box.body(True, 100000)
        code, out = outside(
            "swaks", "--server", INSIDE, "--tls", "--ehlo", "swaks.example",
            "--from", "a@req.example", "--to", "bob@corp.example", "--data", "-",
            text=body.decode().replace("\r\n", "\n"))
        assert code == 0, out
        stored = poll(inside.messages)
        text = body.split(b"\r\n\r\n", 1)[1].replace(b"\r\n", b"\n")
        assert text in stored[0].read_bytes()
    finally:
        inside.process.terminate()
        inside.process.wait()


def test_scanned(box, server):
    """A09: nothing old is offered."""
    code, out = outside("sslscan", "--no-colour", "--starttls-smtp",
                        f"{INSIDE}:25", timeout=120)
    assert code == 0, out
    for old in ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"):
        assert re.search(rf"{old} +disabled", out), out
    for new in ("TLSv1.2", "TLSv1.3"):
        assert re.search(rf"{new} +enabled", out), out
    assert "renegotiation not supported" in out.lower()
    assert not re.search(r"vulnerable to heartbleed", out.replace(
        "not vulnerable", "")), out
    suites = re.findall(r"(?:Preferred|Accepted) +TLSv1.2 +\d+ bits +(\S+)",
                        out)
    assert suites and all(re.match(r"ECDHE-ECDSA-(AES|CHACHA)", s)
                          for s in suites), suites


@pytest.mark.parametrize("what", ["-p", "-U"])
def test_scanned_by_testssl(box, server, what):
    """Protocols, and what is known to have been done to others."""
    code, out = outside("testssl", "--quiet", "--color", "0", "--warnings",
                        "off", "--starttls", "smtp", what, f"{INSIDE}:25",
                        timeout=300)
    assert "Done" in out, out
    bad = [l for l in out.splitlines() if re.search(
        r"NOT ok|VULNERABLE|not ok", l)]
    assert not bad, bad
    if what == "-p":
        assert re.search(r"TLS 1\.2 +offered \(OK\)", out), out
        assert re.search(r"TLS 1\.3 +offered \(OK\)", out), out
        assert re.search(r"TLS 1(\.1)? +not offered", out), out
    else:
        assert len(re.findall(r"not vulnerable \(OK\)", out)) > 7, out
