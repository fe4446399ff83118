# SPDX-License-Identifier: BSD-2-Clause
"""Clients outside that we did not write, and that log on to the box."""
import pytest

from inboundkit import INSIDE, NAME, arrived, inbound_lab, outside
from mailkit import net

SECRET = "correct-horse-7f3b"
CONFIG = f"""\
default may
inbound on
inbound account bob auth plain login cram-md5 scram-sha-1 scram-sha-256 password {SECRET}
inbound account doug nt-domain DOM auth ntlm legacy password {SECRET}
inbound account tom auth scram-sha-256 bound password {SECRET}
inbound require auth.example auth
inbound require bob.example tls account bob
"""


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, authority):
    with inbound_lab(tmp_path_factory, authority, CONFIG) as box:
        yield box


@pytest.fixture(name="box")
def box_fixture(lab):
    lab.protected.add(SECRET)
    yield lab
    lab.check()


@pytest.fixture(name="server")
def server_fixture(box):
    mx = box.mx(address=INSIDE, space="mail")
    yield mx
    assert not [l for l, _ in mx.heard if l.upper().startswith(b"AUTH")]


@pytest.mark.parametrize("mech", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_swaks(box, server, mech):
    body = box.body(True)
    code, out = outside(
        "swaks", "--server", INSIDE, "--tls", "--ehlo", "swaks.example",
        "--auth", mech, "--auth-user", "bob", "--auth-password", SECRET,
        "--from", "a@bob.example", "--to", "bob@corp.example", "--data", "-",
        text=body.decode().replace("\r\n", "\n"))
    assert code == 0 and "235 2.7.0 logged on" in out, out
    arrived(box, server, body)


def test_swaks_with_another_password(box, server):
    code, out = outside(
        "swaks", "--server", INSIDE, "--ehlo", "swaks.example", "--auth",
        "CRAM-MD5", "--auth-user", "bob", "--auth-password", "another",
        "--from", "a@auth.example", "--to", "bob@corp.example")
    assert code != 0 and "535 5.7.8 log-on refused" in out, out
    assert not server.stored


def curl(box, folder, user, options, sender):
    body = box.body(True)
    (folder / "mail").write_bytes(body)
    return body, outside(
        "curl", "-sv", "--ssl-reqd", "--cacert", box.roots, "--connect-to",
        f"{NAME}:25:{INSIDE}:25", f"smtp://{NAME}:25/curl.example",
        "--user", f"{user}:{SECRET}", "--login-options", f"AUTH={options}",
        "--mail-from", sender, "--mail-rcpt", "bob@corp.example",
        "--upload-file", folder / "mail")


@pytest.mark.parametrize("user,mech", [
    ("DOM\\doug", "NTLM"), ("bob", "PLAIN"), ("bob", "LOGIN"),
    ("bob", "CRAM-MD5")])
def test_curl(box, server, tmp_path, user, mech):
    body, (code, out) = curl(box, tmp_path, user, mech, "a@auth.example")
    assert code == 0 and f"> AUTH {mech}" in out, out
    arrived(box, server, body)


def test_curl_of_another_domain(box, server, tmp_path):
    _, (code, out) = curl(box, tmp_path, "OTHER\\doug", "NTLM",
                          "a@auth.example")
    assert code != 0 and "535 5.7.8" in out, out
    assert not server.stored


@pytest.mark.parametrize("auth", ["plain", "login", "cram-md5",
                                  "scram-sha-256"])
def test_msmtp(box, server, tmp_path, auth):
    body = box.body(True)
    rc = tmp_path / "msmtprc"
    rc.write_text(f"""account default
host {INSIDE}
port 25
domain msmtp.example
from a@bob.example
auth {auth}
user bob
password {SECRET}
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


@pytest.mark.parametrize("mech,tls", [
    ("PLAIN", True), ("LOGIN", True), ("CRAM-MD5", False),
    ("SCRAM-SHA-1", False), ("SCRAM-SHA-256", False), ("SCRAM-SHA-256", True),
    ("SCRAM-SHA-256-PLUS", True)])
def test_gsasl(box, server, mech, tls):
    code, out = outside(
        "gsasl", "--smtp", "--connect", f"{INSIDE}:25", "--mechanism", mech,
        "--authentication-id", "bob",
        "--password", SECRET, "--starttls" if tls else "--no-starttls",
        "--x509-ca-file=", "--verbose",
        *([] if mech.endswith("-PLUS") else ["--no-cb"]),
        text="QUIT\n")
    assert "235 2.7.0 logged on" in out, out


@pytest.mark.parametrize("user,extra,want", [
    ("bob", ["--authorization-id", "bob"], "235 2.7.0 logged on"),
    ("bob", ["--authorization-id", "doug"], "535 5.7.8 log-on refused"),
    ("tom", ["--authorization-id", "tom"], "535 5.7.8 log-on refused")])
def test_gsasl_for_whom(box, server, user, extra, want):
    """SCRAM's "a=": for itself (RFC 5802 5.1). And an account that has to be bound to
    TLS is not, without -PLUS."""
    code, out = outside(
        "gsasl", "--smtp", "--connect", f"{INSIDE}:25", "--mechanism",
        "SCRAM-SHA-256", "--authentication-id", user, "--password", SECRET,
        "--starttls", "--x509-ca-file=", "--verbose", "--no-cb", *extra,
        text="QUIT\n")
    assert want in out, out


def test_gsasl_bound(box, server):
    code, out = outside(
        "gsasl", "--smtp", "--connect", f"{INSIDE}:25", "--mechanism",
        "SCRAM-SHA-256-PLUS", "--authentication-id", "tom", "--password",
        SECRET, "--starttls", "--x509-ca-file=", "--verbose", text="QUIT\n")
    assert "235 2.7.0 logged on" in out, out


def test_shown(box, server):
    text = net.cli("show running-config")
    assert "inbound account doug nt-domain DOM auth ntlm legacy password " \
        "sealed " in text
    assert SECRET not in text
