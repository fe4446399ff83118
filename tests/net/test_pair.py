# SPDX-License-Identifier: BSD-2-Clause
"""Two boxes back to back, a mail server that knows no TLS behind each: Postfix on
both ends, mail both ways, at each level, log-ons of one box to the other, and what
is on the wire between."""
import pytest

from inboundkit import import_key, wait_offer
from mailkit import Client, net, poll
from pairkit import (HERE, REFUSED, SECRET, SIX, TAKEN, THERE,  # noqa: F401
                     deliver, lab_fixture, look, own_key, peers_of)


@pytest.fixture(name="box")
def box_fixture(lab):
    lab.protected.add(SECRET)
    yield lab
    look(lab)


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("level", TAKEN)
def test_mail(box, way, level):
    """From a server without TLS to one without, nothing to be read between."""
    near, far = box.ends[way]
    rcpt, body = f"{way}@{level}.{near.other}", box.body(True, 60000)
    near.submit(f"alice@{level}.{near.name}", rcpt, body)
    status, text = near.outcome(rcpt)
    assert status == "sent", text
    assert far.has(body)


def logged_on(end, how):
    """What the box of the receiving end says of a log-on there."""
    return poll(lambda: how in end.cli("show log"))


@pytest.mark.parametrize("way", ["there", "back"])
def test_who_logged_on(box, way):
    """It is the other box, by the account that is its own here."""
    near, far = box.ends[way]
    for level, how in (("seal", f"ntlm {near.name} sealed 128"),
                       ("scram", f"scram-sha-256 {near.name}")):
        rcpt, body = f"who@{level}.{near.other}", box.body(True)
        near.submit(f"bob@{level}.{near.name}", rcpt, body)
        assert near.outcome(rcpt)[0] == "sent"
        assert far.has(body) and logged_on(far, how)


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.parametrize("level", REFUSED)
def test_not_who_was_meant(box, way, level):
    """A box that is not the one that the rule names gets nothing."""
    near, far = box.ends[way]
    rcpt, body = f"{way}@{level}.{near.other}", box.body(True)
    near.submit(f"alice@{near.name}", rcpt, body)
    status, text = near.outcome(rcpt)
    assert status == "bounced" and "nothing was sent" in text
    assert not any(b"@" + level.encode() in m.read_bytes()
                   for m in far.inbox.messages())


def test_what_is_required_from_outside(box):
    """Mail of the other organisation that does not come through its box."""
    for address in (HERE, THERE):
        near, _ = box.ends["back" if address == HERE else "there"]
        with Client(address, space="net") as c:
            c.hello()
            code, text = c.cmd(f"MAIL FROM:<a@enc.{near.name}>")
            assert code == 530 and "must come inside TLS" in text


def test_sealed_without_tls(box, authority):
    """The other box has no certificate: the seal is all there is between the two,
    and nothing can be read there."""
    near, far = box.ends["there"]
    net.cli("crypto key delete mx", far.place)
    try:
        wait_offer(False, at=far.address)
        rcpt, body = f"bare@seal.{near.other}", box.body(True, 200000)
        near.submit(f"carol@seal.{near.name}", rcpt, body)
        status, text = near.outcome(rcpt)
        assert status == "sent", text
        assert far.has(body)
        rcpt = f"bare@enc.{near.other}"
        near.submit(f"carol@enc.{near.name}", rcpt, box.body(True))
        assert near.outcome(rcpt)[0] == "deferred"
    finally:
        import_key(authority, f"mx.{far.name}", place=far.place)
        wait_offer(at=far.address)


# --- boxes know each other -----------------------------------------------------------
@pytest.mark.parametrize("way", ["there", "back"])
def test_recognised(box, way):
    """Who was met with mail is shown, with its key; nobody else sees a word of it:
    neither the server inside nor a client in clear."""
    near, far = box.ends[way]
    domain = f"free.{near.other}"
    rcpt, body = f"known{way}@{domain}", box.body(True)
    near.submit(f"alice@ver.{near.name}", rcpt, body)
    assert near.outcome(rcpt)[0] == "sent"
    assert poll(lambda: domain in peers_of(near))
    assert peers_of(near)[domain][:2] == (own_key(far), False)
    assert f"event=box-recognised key={own_key(far)}" in near.cli("show log")
    with Client(far.address, space="net") as c:
        assert "XSEALWIRE" not in c.hello()
    with Client(far.address, space=near.space) as c:
        assert "XSEALWIRE" not in c.hello()


@pytest.fixture(name="as_before")
def as_before_fixture(box):
    texts = {e: e.cli("show running-config") for e in box.ends["there"]}
    yield
    for end, text in texts.items():
        file = box.folder / "before.conf"
        file.write_text(text)
        end.cli(f"config load {file}")


@pytest.mark.usefixtures("as_before")
def test_pinned_by_one_command_on_each_side(box):
    left, right = box.ends["there"]
    for near, far in (left, right), (right, left):
        domain = f"free.{far.name}"
        with pytest.raises(net.LabError, match="name its key"):
            near.cli(f"peer pin {domain}")  # nobody to ask at the door
        near.cli(f"peer pin {domain} sha256:{own_key(far)}")
        text = near.cli("show running-config") + "\n"
        assert f"domain {domain} pin sha256:{own_key(far)}\n" in text
        # what was required before stays, and the key comes with it
        assert (f"inbound require {domain} tls min-tls 1.3 client-cert "
                f"sha256:{own_key(far)}\n") in text
        # the other side has done nothing yet, or has: mail goes on both ways
        for one, other, who in (near, far, "out"), (far, near, "in"):
            (status, said), body = deliver(
                one, box, f"{who}-{near.space}", f"free.{one.other}")
            assert status == "sent", said
            assert other.has(body)
        assert peers_of(near)[domain][:2] == (own_key(far), True)


@pytest.mark.usefixtures("as_before")
def test_another_key_is_not_taken(box, authority):
    """Somebody with another key, and a good certificate, is nobody."""
    left, right = box.ends["there"]
    known = own_key(right)
    left.cli(f"peer pin free.partner.example sha256:{known}")
    import_key(authority, "mx.partner.example", key="other", place=right.place,
               rsa=True)
    right.cli("crypto key delete mx")
    try:
        assert poll(lambda: own_key(right) != known)
        (status, said), body = deliver(right, box, "stranger",
                                       "free.corp.example")
        assert status == "bounced" and "not a pinned one" in said, said
        assert not left.has(body, 0)
    finally:
        import_key(authority, "mx.partner.example", place=right.place)
        right.cli("crypto key delete other")
        wait_offer(at=right.address)
        assert poll(lambda: own_key(right) == known)


@pytest.mark.usefixtures("as_before")
def test_around_the_filter(box):
    """The rule chooses the other port; nobody who sends knows of it."""
    left, right = box.ends["there"]
    for end, lines in ((left, ["domain free.partner.example pin sha256:"
                               f"{own_key(right)} route {THERE}:2525 "
                               f"[{SIX[THERE]}]:2525"]),
                       (right, ["intercept port 25 2525",
                                "inbound port 2525"])):
        with net.Cli(end.place) as c:
            c("configure")
            for l in lines:
                c(l)
            c("commit")
    (status, said), body = deliver(left, box, "around", "free.partner.example")
    assert status == "sent", said
    assert right.has(body)
    assert f" {THERE}:2525 TLSv1.3\n" in left.cli("show peers")


def test_pin_is_alone(box):
    """Not together with what somebody else is about to change."""
    left, _ = box.ends["there"]
    with net.Cli() as c:
        c("configure")
        c("hostname other")
        with pytest.raises(net.LabError, match="commit or discard"):
            c(f"do peer pin free.partner.example sha256:{'11' * 32}")
        c("discard")
    for wrong in ("sha256:12", "x", "sha256:" + "g" * 64):
        with pytest.raises(net.LabError, match="not a key"):
            left.cli(f"peer pin free.partner.example {wrong}")
    assert "11" * 32 not in left.cli("show running-config")


@pytest.mark.usefixtures("as_before")
def test_turned_off(box):
    """Nothing is said of being a box, and no certificate shown."""
    left, right = box.ends["there"]
    right.cli("peer pin free.corp.example sha256:" + own_key(left))
    with net.Cli() as c:
        c("configure")
        c("peers off")
        c("commit")
    (status, said), _ = deliver(left, box, "off", "free.partner.example")
    assert status == "bounced" and "no client certificate" in said
