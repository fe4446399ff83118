# SPDX-License-Identifier: BSD-2-Clause
"""A box that explains itself: explain says why a recipient was refused, show alarms
what must not stay unseen. Every alarm is provoked once; clear-text-seen and
verify-failed in test_verify.py."""
import os
import re
import time

import pytest

from mailkit import Box, Client, ca, net, poll, server_tls

LINES = ["session", "recipient in", "client", "server", "TLS", "rule",
         "refused", "what helps"]


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, config):
    box = Box(tmp_path_factory.mktemp("lab"), config, up=["--sanitized"])
    yield box
    box.down()


def refuse(box, mx, rcpt, code):
    """One recipient is refused: what the reply names, and its explanation."""
    r = box.send(mx.address, [rcpt], protected=True)
    assert r.rcpt == [code], r.text
    number = re.search(r"; explain (\d+)\)", r.text)[1]
    text = box.cli(f"explain {number}")
    assert text == box.cli("explain last")
    assert f"session      {number}, " in text
    assert f"recipient in {rcpt.split('@')[1]}\n" in text
    assert [l for l in LINES if f"\n{l:<13}" not in "\n" + text] == []
    assert all(len(l) < 200 for l in text.splitlines())
    return text


def alarm(box, name):
    """(first, last, times, owner, what), or None"""
    m = re.search(rf"^{name} +(\S+ \S+)  (now|\S+ \S+) +(\d+) times?, (.*)\n"
                  r"  (.*)$", box.cli("show alarms"), re.M)
    return m and m.groups()


def test_nothing_yet(box):
    assert box.cli("show alarms") == "none"
    assert box.cli("explain last").startswith("no recipient was refused")
    assert box.cli("explain 4000000000").startswith("nothing is known")


def test_no_starttls(box):
    text = refuse(box, box.mx(), "bob@enc.example", 451)
    assert "TLS          starttls-not-supported" in text
    assert "rule         domain enc.example encrypt  (line 2)" in text
    assert "refused      451 starttls-not-supported: it does not offer " \
        "STARTTLS" in text
    assert "who runs firewalls" in text
    first, last, times, owner, what = alarm(box, "tls-required-failed")
    assert first == last and times == "1" and owner.startswith("relay ")
    assert what.startswith("enc.example: it does not offer STARTTLS; server ")
    assert "event=alarm alarm=tls-required-failed why=\"enc.example: " in \
        box.cli("show log alarm")


def test_a_handshake_that_fails_and_what_was_before(box):
    mx = box.mx(caps=["STARTTLS"], reply={
        "STARTTLS": lambda s: s.say(b"220 go\r\n") or s.talk.sock.close()})
    text = refuse(box, mx, "bob@enc.example", 451)
    assert f"before       at {mx.address}:25: TLS failed: handshake: " in text
    assert "refused      451 validation-failure: " in text
    assert "which TLS versions" in text


@pytest.mark.parametrize("name,days,result,says", [
    ("mx.other.example", 365, "host-mismatch", "put it behind match"),
    ("mx.late.example", -1, "expired", "show clock")])
def test_a_certificate_that_is_wrong(box, authority, name, days, result, says):
    mx = box.mx(tls=server_tls(authority, name, days=days))
    text = refuse(box, mx, "bob@ver.example", 550)
    assert re.search(r"TLS +1\.3 TLS1-3-", text)
    assert f"its names    {name}\n" in text and "its key      sha256:" in text
    assert "verify match mx.ver.example  (line 3)" in text
    assert f"refused      550 certificate-{result}: " in text and says in text
    if result == "expired":
        assert "certificate  certificate-expired" in text
    else:
        assert "certificate  trusted\n" in text


def test_another_key_than_the_pinned_one(box, authority):
    before = alarm(box, "tls-required-failed")
    mx = box.mx(tls=server_tls(authority, "mx.new-key.example"))
    text = refuse(box, mx, "bob@pin.example", 550)
    cert, _ = authority.cert("mx.new-key.example")
    assert f"its key      {ca.pin(cert)}\n" in text
    assert "domain pin.example pin, 1 key  (line 4)" in text
    assert "pin it beside the old" in text
    assert alarm(box, "pin-mismatch")[4].startswith(
        "pin.example: its public key is not a pinned one; server ")
    assert before  # it counts, without a line of the log for each
    assert "alarm=pin-mismatch" in box.cli("show log alarm")


def test_starttls_that_was_there_before(box, authority):
    address = box.address()
    relays = len(box.pids("relay"))
    with_tls = box.mx(address=address, tls=server_tls(authority))
    for _ in range(2 * relays):  # each relay remembers for itself
        assert box.send(address, ["bob@enc.example"], True).final == 250
    with_tls.close()
    without = box.mx(address=address)
    text = refuse(box, without, "bob@enc.example", 451)
    assert "STARTTLS was offered at another time, and is not now" in text
    assert alarm(box, "starttls-vanished")


def test_all_recipients_of_a_session(box):
    with Client(box.mx().address) as c:
        c.hello()
        c.cmd("MAIL FROM:<alice@corp.example>")
        for rcpt in ("a@enc.example", "b@def.example"):
            code, text = c.cmd(f"RCPT TO:<{rcpt}>")
            assert code == 451
        number = re.search(r"; explain (\d+)\)", text)[1]
    text = box.cli(f"explain {number}")
    assert text.index("enc.example\n") < text.index("def.example\n")
    assert text.count("session      ") == 2


def test_a_port_without_a_link(box):
    assert alarm(box, "port-down") is None
    net.ip("-n", net.SPACES["net"], "link", "set", "eth0", "down")
    try:
        assert poll(lambda: alarm(box, "port-down"))
        _, last, _, owner, what = alarm(box, "port-down")
        assert (last, owner, what) == ("now", "boss", "outside has no link")
        assert "alarm=port-down why=\"outside has no link\"" in \
            box.cli("show log alarm")
    finally:
        net.ip("-n", net.SPACES["net"], "link", "set", "eth0", "up")
        net.ip("-n", net.SPACES["net"], "route", "replace", "local",
               "198.51.100.0/24", "dev", "lo")
    assert poll(lambda: alarm(box, "port-down")[1] != "now")
    time.sleep(0.5)


def test_a_clock_that_cannot_be_right(box, config):
    box.load(config + "clock floor 2090-01-01T00:00:00Z\n")
    try:
        assert poll(lambda: alarm(box, "clock-untrusted"))
        assert alarm(box, "clock-untrusted")[1] == "now"
    finally:
        box.load(config)
    assert poll(lambda: alarm(box, "clock-untrusted")[1] != "now")


def test_a_certificate_of_ours_that_ends(box, authority, tmp_path):
    cert, key = authority.cert("mx.soon.example", days=20)
    file = tmp_path / "soon.pem"
    file.write_text(key.read_text() + cert.read_text() + authority.pem())
    net.cli(f"crypto import soon {file}")
    assert poll(lambda: alarm(box, "certificate-expiry"))
    assert re.match(r"certificate of soon expires in \d+ days",
                    alarm(box, "certificate-expiry")[4])
    net.cli("crypto key delete soon")
    assert poll(lambda: alarm(box, "certificate-expiry")[1] != "now")


def test_flash_that_does_not_take_it(box, config):
    os.chmod(net.STORE, 0)
    try:
        with pytest.raises(net.LabError):
            box.load(config.replace("default may", "default may\nhostname x"))
        assert poll(lambda: alarm(box, "flash-worn"))
        assert alarm(box, "flash-worn")[3] == "confd"
    finally:
        os.chmod(net.STORE, 0o700)
    box.load(config)


def test_cleared(box):
    assert box.cli("show alarms") != "none"
    box.cli("clear alarms")
    assert box.cli("show alarms") == "none"
    refuse(box, box.mx(), "bob@enc.example", 451)
    assert alarm(box, "tls-required-failed")[2] == "1"
    assert alarm(box, "pin-mismatch") is None
