# SPDX-License-Identifier: BSD-2-Clause
"""route: another server than the one that the mail server chose, by the rule of the
recipient's domain alone."""
import pytest

from mailkit import Box, Client, ca, server_tls, transact

ROUTE, ROUTE6 = "198.51.100.200", "2001:db8:25::c8"
OTHER, OTHER6 = "198.51.100.201", "2001:db8:25::c9"
CONFIG = """\
default may
domain enc.example encrypt route {ROUTE}:2525 [{ROUTE6}]:2526
domain four.example encrypt route {ROUTE}
domain pin.example pin {pin} route {ROUTE}:2525
domain may.example may route {OTHER}:26 {OTHER6}
"""


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, authority):
    cert, _ = authority.cert("mx.route.example")
    box = Box(tmp_path_factory.mktemp("lab"),
              CONFIG.format(pin=ca.pin(cert), **globals()), up=["--sanitized"])
    yield box
    box.down()


@pytest.fixture(name="tls")
def tls_fixture(authority):
    return server_tls(authority, "mx.route.example")


@pytest.mark.parametrize("domain,own,at,port", [
    ("enc.example", False, ROUTE, 2525), ("enc.example", True, ROUTE6, 2526),
    ("pin.example", False, ROUTE, 2525), ("may.example", False, OTHER, 26),
    ("may.example", True, OTHER6, 25)])
def test_it_is_taken(box, tls, domain, own, at, port):
    """Of the kind of address that the mail server uses; a port that no rule of
    the classifier names comes back all the same. Its own server hears nothing of
    the message."""
    usual = box.mx(v6=own, tls=tls)
    route = box.mx(address=at, port=port, tls=tls)
    r = box.send(usual.address, [f"x@{domain}"], protected=True)
    assert r.final == 250, r.text
    assert len(route.stored) == 1 and route.stored[0][2]
    assert not usual.stored and not any(
        l.startswith((b"MAIL", b"RCPT")) for l, _ in usual.heard)


def test_none_of_that_kind(box, tls):
    """A rule with IPv4 alone, a mail server with IPv6: not its own server instead."""
    usual = box.mx(v6=True, tls=tls)
    box.mx(address=ROUTE, tls=tls)
    r = box.send(usual.address, ["x@four.example"], protected=True)
    assert r.rcpt == [451], r.text
    assert not usual.stored


@pytest.mark.parametrize("domain", ["enc.example", "pin.example"])
@pytest.mark.parametrize("there", ["clear", "stranger", "nobody"])
def test_never_weaker_than_the_rule(box, authority, tls, domain, there):
    """Whatever is there, or is not: no other way is tried."""
    usual = box.mx(tls=tls)
    if there != "nobody":
        stranger = server_tls(authority, "mx.stranger.example")
        route = box.mx(address=ROUTE, port=2525,
                       tls=None if there == "clear" else stranger)
    r = box.send(usual.address, [f"x@{domain}"], protected=True)
    if there == "stranger" and domain == "enc.example":
        assert r.final == 250 and len(route.stored) == 1
        return
    assert r.rcpt[0] in (451, 550) and not usual.stored, r.text
    assert there == "nobody" or not route.envelope_in_clear()


def test_two_ways_in_one_session(box, tls):
    """A recipient with a route and one without are two transactions."""
    usual = box.mx(tls=tls)
    route = box.mx(address=ROUTE, port=2525, tls=tls)
    body = box.body(True)
    with Client(usual.address) as c:
        c.hello()
        r = transact(c, ["x@free.example", "x@enc.example"], body)
        assert r.rcpt == [250, 452] and r.final == 250, r.text
        box.note(r, body)
        body = box.body(True)
        r = transact(c, ["x@enc.example"], body)
        assert r.final == 250, r.text
        box.note(r, body)
    assert len(usual.stored) == len(route.stored) == 1
