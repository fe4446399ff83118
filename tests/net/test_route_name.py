# SPDX-License-Identifier: BSD-2-Clause
"""route to the host of a name: found by DNS as if from the mail server; whoever lies
about it, or says nothing, gets no mail and costs none."""
import re
import struct
import threading

import pytest

from mailkit import Box, Client, ca, net, poll, server_tls, transact
from resolverkit import (A, AAAA, CNAME, RESOLVER, labels, record,
                         resolver_fixture)  # noqa: F401

PORT = 2525
ROUTE, ROUTE6 = "198.51.100.200", "2001:db8:25::c8"
# a name is asked for once in a minute: each test has its own
NAMES = ["found", "six", "kept", "moved", "none", "kind", "private", "itself",
         "silent", "refused", "servfail", "clear", "stranger", "other", "gone",
         "id", "question", "cut", "loop", "short", "explained", "seen", "lost",
         "away"]
CONFIG = """\
default may
resolver {RESOLVER}
{rules}
domain pin.example pin {pin} route mx.pin.example
ca certificate
{ca}
"""


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, authority):
    pin = ca.pin(authority.cert("mx.ver.example")[0])
    rules = "\n".join(f"domain {n}.example verify match mx.ver.example route "
                      f"mx.{n}.example:{PORT}" for n in NAMES)
    box = Box(tmp_path_factory.mktemp("lab"), CONFIG.format(
        pin=pin, rules=rules, ca=authority.pem().strip(), RESOLVER=RESOLVER),
        up=["--sanitized"])
    yield box
    box.down()


@pytest.fixture(name="tls")
def tls_fixture(authority):
    return server_tls(authority)


def send(box, name, protected=True, v6=False):
    """To the domain with this route; (what came of it, its usual server)."""
    usual = box.mx(v6=v6)
    r = box.send(usual.address, [f"x@{name}.example"], protected=protected)
    assert not usual.stored
    assert not any(l.startswith((b"MAIL", b"RCPT")) for l, _ in usual.heard)
    return r


# --- it is found --------------------------------------------------------------------
def test_found_by_the_first_session_ever(box, tls, resolver):
    """First in this file: the box has seen no mail server before."""
    resolver.host("mx.found.example", ROUTE)
    route = box.mx(address=ROUTE, port=PORT, tls=tls)
    r = send(box, "found")
    assert r.final == 250, r.text
    assert len(route.stored) == 1 and route.stored[0][2]
    assert resolver.asked[0][0] == ("10.77.0.10", 25)
    assert resolver.questions("mx.found.example") == [A]


def shown(name):
    """What show routes says of the host, a line for each word."""
    text = net.cli("show routes") + "\n\n"
    found = re.search(rf"^mx\.{name}\.example, (IPv[46])\n((?:  .*\n)*)", text,
                      re.M)
    assert found, text
    return found[1], dict(re.findall(r"^  (\w+) +(.*)$", found[2], re.M))


def test_shown(box, tls, resolver):
    """Where it is, and since when; what went wrong last, at any relay."""
    resolver.host("mx.seen.example", ROUTE, "198.51.100.201")
    box.mx(address=ROUTE, port=PORT, tls=tls)
    assert send(box, "seen").final == 250
    kind, lines = shown("seen")
    assert kind == "IPv4" and list(lines) == ["address", "answered"]
    assert lines["address"] == f"{ROUTE}, 198.51.100.201"
    when = r"\d\d-\d\d \d\d:\d\d"
    assert re.fullmatch(rf"{when}, good until {when}", lines["answered"])


def test_shown_when_it_goes_wrong(box, resolver):
    refused(box, "lost", "there is no such name")
    assert shown("lost")[1]["address"] == "none is known"
    assert shown("lost")[1]["failed"].endswith(": there is no such name")
    resolver.host("mx.away.example", ROUTE)  # where nobody listens
    r = send(box, "away")
    assert r.rcpt == [451], r.text
    assert shown("away")[1]["unreached"].endswith(
        f": {ROUTE} did not take a connection")


def test_of_the_kind_that_the_mail_server_uses(box, tls, resolver):
    resolver.host("mx.six.example", ROUTE, ROUTE6)
    route = box.mx(address=ROUTE6, port=PORT, tls=tls)
    r = send(box, "six", v6=True)
    assert r.final == 250, r.text
    assert len(route.stored) == 1
    assert resolver.questions("mx.six.example") == [AAAA]


def test_kept_for_a_while(box, tls, resolver):
    """Each relay asks once."""
    resolver.host("mx.kept.example", ROUTE)
    route = box.mx(address=ROUTE, port=PORT, tls=tls)
    for _ in range(6):
        assert send(box, "kept").final == 250
    assert len(route.stored) == 6
    assert 1 <= len(resolver.questions("mx.kept.example")) <= \
        len(box.pids("relay"))


def test_a_pinned_key(box, tls, resolver):
    resolver.host("mx.pin.example", ROUTE)
    route = box.mx(address=ROUTE, tls=tls)
    assert send(box, "pin").final == 250
    assert len(route.stored) == 1


def test_the_next_address_when_one_is_gone(box, tls, resolver):
    """The first one refuses: another try, as every mail server makes it, arrives."""
    resolver.host("mx.moved.example", ROUTE, "198.51.100.201")
    route = box.mx(address="198.51.100.201", port=PORT, tls=tls)
    assert poll(lambda: send(box, "moved").final == 250)
    assert len(route.stored) == 1


# --- it is not ----------------------------------------------------------------------
def refused(box, name, why):
    r = send(box, name)
    assert r.rcpt == [451] and why in r.text, r.text
    assert f"{name}.example has the route mx.{name}.example: " in r.text
    return r


def test_no_such_name(box, resolver):
    refused(box, "none", "there is no such name")


def test_none_of_that_kind(box, resolver):
    resolver.host("mx.kind.example", ROUTE6)
    refused(box, "kind", "the name has no address of this kind")


@pytest.mark.parametrize("name,address", [
    ("private", "192.168.1.1"), ("itself", "10.77.0.10")])
def test_an_address_of_a_host_inside(box, resolver, name, address):
    resolver.host(f"mx.{name}.example", address)
    refused(box, name, "private address")


def test_a_resolver_that_is_not_there(box):
    refused(box, "refused", "the resolver refuses the connection")


def test_a_resolver_that_cannot(box, resolver):
    resolver.twist[labels("mx.servfail.example")] = \
        lambda m: m[:3] + b"\x82" + m[4:]
    refused(box, "servfail", "the resolver refuses or cannot answer")


def test_a_silent_resolver_stops_no_other_mail(box, tls, resolver):
    resolver.twist[labels("mx.silent.example")] = lambda m: None
    said = []
    t = threading.Thread(target=lambda: said.append(send(box, "silent")))
    t.start()
    assert poll(lambda: resolver.questions("mx.silent.example"))
    for _ in range(4):
        r = box.send(box.mx(tls=tls).address, ["x@free.example"])
        assert r.final == 250
    t.join()
    assert said[0].rcpt == [451]
    assert "the resolver does not answer" in said[0].text


# --- what is no answer --------------------------------------------------------------
def other_question(m):
    return m.replace(labels("mx.question.example"),
                     labels("mx.qu3stion.example"))


LIES = {
    "id": lambda m: bytes([m[0] ^ 1]) + m[1:],
    "question": other_question,
    "cut": lambda m: m[:2] + struct.pack("!H", 0x8380) + m[4:],
    "loop": lambda m: m[:6] + b"\0\1" + m[8:len(m) - 16] +
    record(CNAME, b"\xc0\x0c"),
    "short": lambda m: m[:-2],
}


@pytest.mark.parametrize("name", LIES)
def test_a48_what_is_no_answer(box, tls, resolver, name):
    resolver.host(f"mx.{name}.example", ROUTE)
    resolver.twist[labels(f"mx.{name}.example")] = LIES[name]
    box.mx(address=ROUTE, port=PORT, tls=tls)
    refused(box, name, "the resolver says what cannot be understood")


@pytest.mark.parametrize("name", ["clear", "stranger", "other"])
def test_a48_who_lies_gets_no_mail(box, authority, resolver, name):
    """The address of somebody else: he gets a connection, and nothing of the mail,
    neither does the usual server."""
    tls = {"clear": None,
           "stranger": server_tls(authority, "mx.stranger.example"),
           "other": server_tls(ca.Authority("other"))}[name]
    resolver.host(f"mx.{name}.example", "198.51.100.202")
    liar = box.mx(address="198.51.100.202", port=PORT, tls=tls)
    r = send(box, name)
    assert r.rcpt[0] in (451, 550), r.text
    assert liar.sessions and not liar.stored
    assert not any(l.startswith((b"MAIL", b"RCPT")) for l, _ in liar.heard)


def test_explained(box, resolver):
    refused(box, "explained", "there is no such name")
    text = net.cli("explain last")
    assert "route mx.explained.example port 2525" in text, text
    assert "its route: there is no such name" in text, text
    assert "probe that host with the resolver" in text, text


def test_a_client_that_does_not_wait(box, resolver):
    """It leaves while the resolver is asked; the oracles see that nothing is left."""
    resolver.twist[labels("mx.gone.example")] = lambda m: None
    with Client(box.mx().address) as c:
        c.hello()
        assert c.cmd("MAIL FROM:<a@corp.example>")[0] == 250
        c.say(b"RCPT TO:<x@gone.example>\r\n")
        assert poll(lambda: resolver.questions("mx.gone.example"))


def test_one_transaction_goes_one_way(box, tls, resolver):
    resolver.host("mx.found.example", ROUTE)
    route = box.mx(address=ROUTE, port=PORT, tls=tls)
    body = box.body(True)
    with Client(box.mx().address) as c:
        c.hello()
        r = transact(c, ["x@found.example", "y@found.example",
                         "z@free.example"], body)
        assert r.rcpt == [250, 250, 452] and r.final == 250, r.text
        box.note(r, body)
    assert len(route.stored) == 1 and len(route.stored[0][0]) == 2
