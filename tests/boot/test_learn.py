# SPDX-License-Identifier: BSD-2-Clause
"""What was learned is in flash: the power goes, and a partner that had TLS is still sent
nothing without. And a capture that the board itself sends by TFTP."""
import subprocess

import pytest
from bootkit import CANARY, CONFIG, SERVER, net
from mailkit import Client, Mx, server_tls, transact

PARTNER = "198.51.100.72"


@pytest.fixture(name="learns")
def learns_fixture(box):
    file = box.folder / "learn.conf"
    file.write_text(CONFIG.replace("default may", "default may learn"))
    box.cli(f"config load {file}")
    yield box
    box.cli("clear learned partner.example")  # asks nobody
    box.configure()


def mail(rcpt, secret=True):
    with Client(PARTNER, wait=60) as c:
        c.hello()
        return transact(c, [rcpt], f"Subject: {CANARY if secret else 'x'}\r\n"
                        "\r\nwords\r\n".encode())


def test_the_power_goes_and_it_is_known(learns):
    box = learns
    mx = Mx(PARTNER, tls=server_tls(box.authority, "mx.partner.example"))
    assert mail("bob@partner.example").final == 250
    mx.close()
    box.until("show learned", "1 of at most 1024 domains, all of it stored")
    box.cut()
    box.again()
    assert "partner.example" in box.cli("show learned")
    plain = Mx(PARTNER)
    try:
        r = mail("bob@partner.example")
        assert r.rcpt == [451] and "had TLS before" in r.text, r.text
        assert not [l for l in plain.envelope_in_clear()
                    if b"partner.example" in l]
        assert "partner.example: had TLS before" in box.cli("show alarms")
        assert mail("bob@other.example", secret=False).final == 250
    finally:
        plain.close()


def test_a_capture_leaves_by_tftp(box):
    mx = Mx(PARTNER)
    box.cli("capture start both")
    assert mail("bob@other.example", secret=False).final == 250
    mx.close()
    box.cli("capture stop")
    folder = net.LAB / "tftp-files"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o777)
    with box.fetched(folder / "x", "--create"):
        assert box.cli(f"capture export tftp {SERVER} board.pcapng").endswith(
            " octets sent")
    file = folder / "board.pcapng"
    r = subprocess.run(["tshark", "-n", "-r", file, "-T", "fields", "-e",
                        "frame.interface_name", "-e", "ip.dst"],
                       capture_output=True, text=True, check=True)
    assert "cut short" not in r.stderr, r.stderr
    assert {l.split("\t")[0] for l in r.stdout.splitlines()} == {
        "inside", "outside"}
    assert PARTNER in r.stdout
