# SPDX-License-Identifier: BSD-2-Clause
"""relay alone, whose handshakes somebody else signs: late, wrongly, not at all, and
after it has died."""
import ssl
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from fake_boss import receive
from mailkit import poll
from relaykit import (CLIENT, SERVER, SIGN_ECDSA, SIGN_RSA_PKCS1, SIGN_RSA_PSS,
                      Relay)
from test_relay_identity import CONFIG, GOOD, certificate, der, greet, shown

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
RSA = certificate("r.example", key=rsa.generate_private_key(65537, 2048))


@pytest.fixture(name="relay")
def relay_fixture():
    r = Relay(CONFIG, certificates=[GOOD, RSA])
    assert receive(r.confd)[0] == "SNAPSHOT_ACK"
    # the first session waits for the proof, which asks keys as well
    assert b"STARTTLS" in greet(r.flow(outside=True))
    yield r
    assert r.alive(), r.stderr()
    assert "Sanitizer" not in r.stderr(), r.stderr()
    r.stop()


class Shake(threading.Thread):
    """A client in its handshake; came: the certificate, or what went wrong."""

    def __init__(self, flow, name="a.example", version=None):
        super().__init__(daemon=True)
        self.flow, self.name, self.version = flow, name, version
        self.came = None
        flow.client.settimeout(30)
        self.start()

    def run(self):
        try:
            self.came = shown(self.flow, self.name, self.version)
        except OSError as e:
            self.came = e

    def ends(self):
        self.join(20)
        return self.came


def asked_by(relay, flow):
    return [a for a in relay.keys.asked if a[0] == flow.number]


def clear_session(relay):
    flow = relay.flow(outside=True)
    greet(flow)
    flow.says(CLIENT, b"NOOP\r\n", b"NOOP\r\n")
    flow.says(SERVER, b"250 ok\r\n", b"250 ok\r\n")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cert", [GOOD, RSA], ids=["ec", "rsa"])
def test_what_is_asked(relay, cert, version):
    """One signature for a handshake, of the kind that its version has."""
    flow = relay.flow(outside=True)
    name = cert[0].decode()
    assert Shake(flow, name, version).ends() == der(cert)
    rsa_has = SIGN_RSA_PKCS1 if version == VERSIONS[0] else SIGN_RSA_PSS
    (_, scheme, size), = asked_by(relay, flow)
    assert scheme == (SIGN_ECDSA if cert is GOOD else rsa_has)
    assert size in (32, 48, 64)


@pytest.mark.parametrize("seen", [True, False], ids=["seen", "not seen"])
@pytest.mark.parametrize("version", VERSIONS)
def test_keys_dies_while_it_is_asked(relay, version, seen):
    """The other sessions go on; the one that waits is there when keys is back."""
    relay.keys.mute = True
    flows = [relay.flow(outside=True) for _ in range(5)]
    waiting = [Shake(f, version=version) for f in flows]
    assert poll(lambda: all(asked_by(relay, f) for f in flows))
    for _ in range(3):
        clear_session(relay)
    assert not any(w.came for w in waiting)
    relay.new_keys(seen)
    # at once, not for want of an answer after five seconds
    assert poll(lambda: all(len(asked_by(relay, f)) == 1 for f in flows), 4)
    assert [w.ends() for w in waiting] == [der(GOOD)] * 5


def test_an_answer_that_is_lost(relay):
    """keys lives, and says nothing: it is asked again after a while."""
    relay.keys.mute = True
    flow = relay.flow(outside=True)
    waiting = Shake(flow)
    assert poll(lambda: asked_by(relay, flow))
    relay.keys.mute = False
    assert waiting.ends() == der(GOOD)
    assert len(asked_by(relay, flow)) == 2


@pytest.mark.parametrize("version", VERSIONS)
def test_the_key_has_gone(relay, version):
    """Its handshake fails, and nothing else."""
    relay.keys.keys.clear()
    flow = relay.flow(outside=True)
    assert isinstance(Shake(flow, version=version).ends(), OSError)
    clear_session(relay)


def test_keys_is_late_at_the_start():
    """Sessions wait for the proof, but not for ever; then they go without TLS until
    it is there."""
    relay = Relay("default may\n")
    try:
        relay.keys.mute = True
        relay.configure(CONFIG, [GOOD])
        first = relay.flow(outside=True)
        first.client.settimeout(20)
        first.server.settimeout(20)
        assert b"STARTTLS" not in greet(first)
        clear_session(relay)
        assert relay.keys.asked
        relay.keys.mute = False

        def offered():
            return b"STARTTLS" in greet(relay.flow(outside=True))
        assert poll(offered, 20)
        assert Shake(relay.flow(outside=True)).ends() == der(GOOD)
    finally:
        relay.stop()
