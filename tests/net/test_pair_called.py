# SPDX-License-Identifier: BSD-2-Clause
"""Two boxes, and mail in one direction alone: the one that is called knows the other,
too, and each pins its key with one command that a person has confirmed."""
import ssl

import pytest

from inboundkit import import_key, wait_offer
from mailkit import Client, net, poll
from pairkit import (HERE, THERE, deliver, lab_fixture, look,  # noqa: F401
                     own_key, peer_rows, peers_of)
from screen import Terminal

FROM, TO = "free.corp.example", "free.partner.example"
PASSWORD = "correct horse"
RELAYS = 2 + 1  # each asks who has called it before


@pytest.fixture(name="box")
def box_fixture(lab):
    yield lab
    look(lab)


@pytest.fixture(name="people", scope="module")
def people_fixture(lab):
    """Somebody at the serial line of each box."""
    people = [Terminal(end.place.run / "tty0") for end in lab.ends["there"]]
    for t in people:
        t.type("\r")
        t.until("New password: ")
        t.type(PASSWORD + "\r")
        t.until("gain: ")
        t.type(PASSWORD + "\r")
        t.prompt(timeout=20)
    yield people
    for t in people:
        t.close()


def asks_for_certificate():
    """Is this host asked for one by the right box?"""
    p = net.inside("net", "openssl", "s_client", "-connect", f"{THERE}:25",
                   "-starttls", "smtp", "-msg", input=b"QUIT\r\n",
                   capture_output=True, timeout=60)
    assert b"ServerHello" in p.stdout, p.stdout[-2000:]
    return b"CertificateRequest" in p.stdout


def test_a_stranger_gains_a_line(box):
    """Who says the word is shown, and asked for a key when he comes again; nobody
    else is asked. The server inside does not hear it."""
    _, right = box.ends["there"]
    before = right.cli("show running-config")
    assert not asks_for_certificate()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with Client(THERE, space="net") as c:
        c.hello()
        c.starttls(context)
        assert "XSEALWIRE" in c.ehlo()
        assert c.cmd("MAIL FROM:<a@stranger.example> XSEALWIRE")[0] == 250
        assert c.cmd("RCPT TO:<b@free.partner.example>")[0] == 250
        here = c.talk.sock.getsockname()[0]
    assert peers_of(right, "client") == {"stranger.example": (None, False, here)}
    assert poll(asks_for_certificate)
    with pytest.raises(net.LabError, match="has not shown its key yet"):
        right.cli("peer pin stranger.example")
    assert right.cli("show running-config") == before


def test_each_knows_the_other(box):
    left, right = box.ends["there"]
    for n in range(2 * RELAYS):
        (status, said), body = deliver(left, box, f"one{n}", TO)
        assert status == "sent", said
        assert right.has(body)
        if peers_of(right, "client").get(FROM, [None])[0]:
            break
    assert peers_of(right, "client")[FROM] == (own_key(left), False, HERE)
    assert peers_of(left)[TO][:2] == (own_key(right), False)
    assert f"event=box-recognised key={own_key(left)} from={FROM}" in \
        right.cli("show log")
    # there was no mail the other way
    assert peers_of(right) == {} == peers_of(left, "client")


def test_not_while_others_judge(box):
    """There is nothing to write where mail from outside is not ours to judge."""
    left, right = box.ends["there"]
    before = right.cli("show running-config")
    with net.Cli(right.place) as c:
        c("configure")
        c("inbound off")
        c("commit")
    with pytest.raises(net.LabError, match="not ours to judge"):
        right.cli(f"peer pin {FROM} sha256:{own_key(left)}")
    file = box.folder / "before.conf"
    file.write_text(before)
    right.cli(f"config load {file}")
    wait_offer(at=right.address)


def test_each_pins_with_one_command(box, people):
    left, right = box.ends["there"]
    for end, t, domain, far in (left, people[0], TO, right), \
            (right, people[1], FROM, left):
        t.type(f"peer pin {domain}\r")
        t.until("Is it the same key? yes or no? ")
        key = own_key(far)
        t.until(" ".join(key[i:i + 4] for i in range(0, 32, 4)))
        t.type("yes\r")
        t.until("pinned, and in force")
        t.prompt()
    text = right.cli("show running-config") + "\n"
    assert (f"inbound require {FROM} tls min-tls 1.3 client-cert "
            f"sha256:{own_key(left)}\n") in text
    # who has only called may have mail received elsewhere
    assert f"domain {FROM} " not in text
    text = left.cli("show running-config") + "\n"
    assert f"domain {TO} pin sha256:{own_key(right)}\n" in text
    (status, said), body = deliver(left, box, "pinned", TO)
    assert status == "sent", said
    assert right.has(body)
    assert peers_of(right, "client")[FROM] == (own_key(left), True, HERE)
    assert peers_of(left)[TO][:2] == (own_key(right), True)


def test_a_third_one_is_refused(box, authority):
    """Another box, with a good certificate and its own key, in the same name; it is
    shown, for that is how a new key is seen."""
    left, right = box.ends["there"]
    known = own_key(left)
    import_key(authority, "mx.corp.example", key="other", place=left.place,
               rsa=True)
    left.cli("crypto key delete mx")
    try:
        assert poll(lambda: own_key(left) != known)
        (status, said), body = deliver(left, box, "third", TO)
        assert status == "bounced", said
        assert "530" in said and "pinned client certificate" in said and \
            "the key of its client certificate is not a pinned one" in said
        assert not right.has(body, 0)
        assert (FROM, own_key(left), False, HERE) in \
            peer_rows(right, "client")
    finally:
        import_key(authority, "mx.corp.example", place=left.place)
        left.cli("crypto key delete other")
        wait_offer(at=left.address)
        assert poll(lambda: own_key(left) == known)
