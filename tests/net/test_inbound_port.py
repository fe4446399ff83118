# SPDX-License-Identifier: BSD-2-Clause
"""The port for protected sessions alone: "inbound port"."""
import pytest

from inboundkit import INSIDE, Outside, deliver, inbound_lab
from mailkit import Gone, net, poll

PORT = 2525
CONFIG = f"""\
default may
intercept port 25 {PORT}
inbound on
inbound port {PORT}
"""


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, authority):
    with inbound_lab(tmp_path_factory, authority, CONFIG) as box:
        yield box


@pytest.fixture(name="server")
def server_fixture(box):
    """Inside, and only on port 25."""
    return box.mx(address=INSIDE, space="mail")


@pytest.mark.parametrize("v6", [False, True])
def test_it_leads_to_the_server(box, server, authority, v6):
    six = box.mx(address="fd77::10", space="mail") if v6 else None
    with Outside("fd77::10" if v6 else INSIDE, port=PORT) as c:
        c.in_tls(authority)
        assert deliver(box, c, "a@any.example").final == 250
        assert f":{PORT}" in net.cli("show sessions")
    (_, body, tls), = (six or server).stored
    assert body and tls is None


def test_nothing_in_clear(box, server):
    with Outside(port=PORT) as c:
        c.hello()
        code, text = c.cmd("MAIL FROM:<a@any.example>")
        assert code == 530 and "must come inside TLS" in text
        assert c.cmd("RCPT TO:<b@corp.example>")[0] != 354
    assert not any(l.startswith(b"MAIL") for l, _ in server.heard)
    with Outside() as c:  # as ever on the other one
        c.hello()
        assert deliver(box, c, "a@any.example", False).final == 250


def test_both_at_once(box, server, authority):
    """From one address: each has its own session."""
    with Outside() as one, Outside(port=PORT) as two:
        one.hello()
        two.in_tls(authority)
        assert deliver(box, one, "a@any.example", False).final == 250
        assert deliver(box, two, "a@any.example").final == 250
    assert len(server.stored) == 2


def test_the_same_port_of_the_client(box, server, authority):
    """To the server both sessions would be the same connection: the first one has
    it, whatever comes behind; when it is over, the second."""
    source = ("10.77.0.1", 40001)
    with Outside(source=source) as one:
        one.hello()
        with pytest.raises((Gone, OSError)):
            Outside(port=PORT, source=source, wait=2)
        assert deliver(box, one, "a@any.example", False).final == 250
        one.cmd("QUIT")
        assert one.closed()
    with Outside(port=PORT, source=source) as two:
        two.in_tls(authority)
        assert deliver(box, two, "a@any.example").final == 250


def test_no_server(box):
    """Refused as without the box."""
    with pytest.raises((Gone, ConnectionError)):
        Outside(port=PORT, wait=5)


def test_off(box, server):
    text = net.cli("show running-config")
    file = box.folder / "off.conf"
    file.write_text(text.replace(f"inbound port {PORT}", "inbound port 0"))
    net.cli(f"config load {file}")
    try:
        with pytest.raises((Gone, ConnectionError)):
            Outside(port=PORT, wait=5)
    finally:
        file.write_text(text)
        net.cli(f"config load {file}")
    assert poll(lambda: "inbound port 2525" in net.cli("show running-config"))
