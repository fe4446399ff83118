# SPDX-License-Identifier: BSD-2-Clause
"""The address for protected sessions alone: "inbound address". No host has it; the
router outside sends it to the server inside, as it would send a network."""
import pytest

from inboundkit import INSIDE, Outside, deliver, inbound_lab
from mailkit import Client, Gone, net, poll

EXTRA = "203.0.113.9"
CONFIG = f"""\
default may
inbound on
inbound address {EXTRA}
inbound server {INSIDE}
"""


def ip(space, *words):
    r = net.inside(space, "ip", *words, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, authority):
    with inbound_lab(tmp_path_factory, authority, CONFIG) as box:
        ip("net", "route", "add", f"{EXTRA}/32", "via", INSIDE)
        yield box


@pytest.fixture(name="server")
def server_fixture(box):
    """Inside, and only at its own address."""
    return box.mx(address=INSIDE, space="mail")


def test_it_leads_to_the_server(box, server, authority):
    with Outside(EXTRA) as c:
        c.in_tls(authority)
        assert deliver(box, c, "a@any.example").final == 250
        assert EXTRA in net.cli("show sessions")
    (_, body, tls), = server.stored
    assert body and tls is None


def test_nothing_in_clear(box, server):
    with Outside(EXTRA) as c:
        c.hello()
        code, text = c.cmd("MAIL FROM:<a@any.example>")
        assert code == 530 and "must come inside TLS" in text
    assert not any(l.startswith(b"MAIL") for l, _ in server.heard)
    with Outside() as c:  # as ever at the other one
        c.hello()
        assert deliver(box, c, "a@any.example", False).final == 250


def test_both_at_once(box, server, authority):
    """From one address: each has its own session."""
    with Outside() as one, Outside(EXTRA) as two:
        one.hello()
        two.in_tls(authority)
        assert deliver(box, one, "a@any.example", False).final == 250
        assert deliver(box, two, "a@any.example").final == 250
    assert len(server.stored) == 2


def test_no_server(box):
    """Refused as without the box."""
    with pytest.raises((Gone, ConnectionError)):
        Outside(EXTRA, wait=5)


def test_another_port_is_not_ours(box):
    """What is no mail goes to the host inside, as on a wire; that one does not have
    the address, and says nothing."""
    with pytest.raises(TimeoutError):
        Outside(EXTRA, port=80, wait=2)


def test_an_address_that_a_host_inside_has(box, authority):
    """It is that host's, then, and not led elsewhere: an alarm, until another one is
    configured. Last in this file."""
    def alarm():
        return [l for l in net.cli("show alarms").splitlines()
                if "address-in-use" in l]
    assert not alarm()
    ip("mail", "address", "add", f"{EXTRA}/32", "dev", "lo")
    other = box.mx()
    with Client(other.address, source=(EXTRA, 0)) as c:
        c.hello()
    assert poll(alarm) and EXTRA in net.cli("show alarms")
    its_own = box.mx(address=EXTRA, space="mail")
    box.mx(address=INSIDE, space="mail")
    with Outside(EXTRA) as c:
        c.in_tls(authority)
        assert deliver(box, c, "a@any.example").final == 250
    assert len(its_own.stored) == 1
