# SPDX-License-Identifier: BSD-2-Clause
"""What the board itself says of mail, over its serial line: watch, probe, capture,
verify, explain."""
import re
import subprocess

import pytest
from mailkit import Client, Mx, server_tls, transact
from bootkit import CANARY
from lablib import line

SERVER = "198.51.100.68"


@pytest.fixture(name="mx")
def mx_fixture(box):
    mx = Mx(SERVER, tls=server_tls(box.authority, "mx.enc.example"))
    yield mx
    mx.close()


def protected(rcpt="bob@enc.example", server=SERVER):
    body = f"Subject: {CANARY}\r\n\r\nwords\r\n".encode()
    with Client(server, wait=60) as c:
        c.hello()
        return transact(c, [rcpt], body)


def test_probe(box, mx):
    assert protected().final == 250
    answer = box.cli(f"probe {SERVER} level encrypt")
    assert re.search(r"^TLS +TLS 1\.3, ", answer, re.M), answer
    assert re.search(r"^names +mx\.enc\.example$", answer, re.M)
    assert re.search(r"^encrypt +would hold now$", answer, re.M)
    assert "ON THE WAY" not in answer
    assert not [l for l, tls in mx.heard if not tls and l[:4] == b"RCPT"]


def test_verify(box, mx):
    assert protected().final == 250
    answer = box.cli("verify")
    assert "self-test    passed" in answer and "clear text   0" in answer


def test_explain(box):
    plain = Mx("198.51.100.69")
    try:
        assert protected(server=plain.address).rcpt[0] == 451
    finally:
        plain.close()
    answer = box.cli("explain last")
    assert "enc.example" in answer and "STARTTLS" in answer


def test_watch(box, mx):
    with box.machine.line() as serial:
        line.Console(serial)
        serial.type(f"watch peer {SERVER}\r")
        serial.until(r"the next session follows")
        assert protected().final == 250
        _, m = serial.until(r"(?s)^(.*)\(that was all\)")
        rows = m.group(1)
        assert b"RCPT TO:<bob@enc.example>" in rows
        assert b"from here on TLS" in rows
        serial.until(r"# $")


def test_capture(box, mx, tmp_path):
    file = tmp_path / "mail.pcapng"
    box.cli(f"capture start both host {SERVER} bytes 65536")
    assert protected().final == 250
    box.cli("capture stop")
    with box.machine.line() as serial:
        line.Console(serial)
        serial.type("capture export xmodem\r")
        serial.until("receive the file with XMODEM now")
        serial.sock.setblocking(True)
        # rx takes no name that begins with a slash
        subprocess.run(["rx", "-c", file.name], cwd=file.parent,
                       stdin=serial.sock.fileno(),
                       stdout=serial.sock.fileno(), check=True,
                       stderr=subprocess.DEVNULL)
        serial.until(r"octets\r\n(.*)# $")
    read = subprocess.run(
        ["tshark", "-n", "-r", file, "-T", "fields", "-e",
         "frame.interface_name", "-e", "frame.comment"],
        capture_output=True, text=True, check=True).stdout
    assert {r.split("\t")[0] for r in read.splitlines()} == {"inside",
                                                              "outside"}
    assert "recipient let pass by encrypt" in read
