# SPDX-License-Identifier: BSD-2-Clause
"""relay alone, as a server: which certificates it takes, and what it offers."""
import datetime
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from fake_boss import E_CORRUPT, E_FULL, OK, receive
from faultkit import MEMORY, Faults
from mailkit import poll
from relaykit import Flow, Relay

CONFIG = "ca none\ndefault may\ninbound on\ninbound require r.example tls\n"
E_IO = -300
GREETING = b"220 mx ESMTP\r\n"
EHLO = b"EHLO c.example\r\n"


def certificate(name, usage=None, key=None):
    """(name, DER of its key, PEM)"""
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    b = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
         .public_key(key.public_key()).serial_number(1)
         .not_valid_before(now - datetime.timedelta(days=1))
         .not_valid_after(now + datetime.timedelta(days=30))
         .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]),
                        critical=False))
    if usage:
        b = b.add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
    cert = b.sign(key, hashes.SHA256())
    return (name.encode(), key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption()),
        cert.public_bytes(serialization.Encoding.PEM))


GOOD, OTHER = certificate("a.example"), certificate("b.example")
NO_SERVER = certificate("c.example", ExtendedKeyUsageOID.CLIENT_AUTH)
KEYLESS = (b"d.example", GOOD[1], certificate("d.example")[2])


@pytest.fixture(name="start")
def start_fixture():
    running = []

    def start(certificates, **kw):
        running.append(Relay(CONFIG, certificates=certificates, **kw))
        return running[-1]

    yield start
    for r in running:
        assert r.alive(), r.stderr()
        assert "Sanitizer" not in r.stderr(), r.stderr()
        assert "runtime error" not in r.stderr(), r.stderr()
        r.stop()


def greet(flow):
    """What the client is offered."""
    flow.says(1, GREETING, GREETING)
    flow.says(0, EHLO, EHLO)
    flow.server.sendall(b"250-mx\r\n250 SIZE\r\n")
    text = b""
    while b"250 " not in text:
        text += flow.client.recv(1000)
    return text


def shown(flow, name, version=None):
    """The certificate, DER, that a client which names a host gets."""
    assert b"250-STARTTLS\r\n" in greet(flow)
    flow.client.sendall(b"STARTTLS\r\n")
    assert flow.client.recv(100).startswith(b"220 ")
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    c.maximum_version = version or ssl.TLSVersion.MAXIMUM_SUPPORTED
    return c.wrap_socket(flow.client, server_hostname=name).getpeercert(True)


def der(certified):
    return ssl.PEM_cert_to_DER_cert(certified[2].decode())


def test_the_first_session_waits_for_the_proof(start):
    """It would be refused for want of TLS that is there in a moment."""
    early = Flow(1, outside=True)
    start([GOOD, OTHER, certificate("e.example")], early=[early])
    assert b"STARTTLS" in greet(early)


def test_what_fails_is_left_out(start):
    relay = start([NO_SERVER, GOOD, KEYLESS, OTHER])
    for name, want in (("a.example", GOOD), ("b.example", OTHER),
                       ("c.example", GOOD), ("d.example", GOOD)):
        assert shown(relay.flow(outside=True), name) == der(want)
    assert "event=certificate-not-used name=c.example" in relay.stderr()
    assert "event=certificate-not-used name=d.example" in relay.stderr()
    assert "name=a.example" not in relay.stderr()


@pytest.mark.parametrize("have", [[], [NO_SERVER], [NO_SERVER, KEYLESS]],
                         ids=["none", "one", "two"])
def test_none_is_left(start, have):
    flow = start(have).flow(outside=True)
    assert b"STARTTLS" not in greet(flow)
    flow.client.sendall(b"MAIL FROM:<a@r.example>\r\n")
    assert flow.client.recv(1000).startswith(b"454 ")
    flow.says(0, b"MAIL FROM:<a@o.example>\r\n", b"MAIL FROM:<a@o.example>\r\n")


def test_the_next_ones(start):
    """They take the place of those before; what cannot be read does not."""
    relay = start([GOOD])
    before = relay.flow(outside=True)
    assert shown(before, "a.example") == der(GOOD)
    assert receive(relay.confd)[0] == "SNAPSHOT_ACK"
    relay.configure(CONFIG, [OTHER])
    assert receive(relay.confd)[1][:4] == OK.to_bytes(4, "little")
    assert poll(lambda: shown(relay.flow(outside=True), "b.example") ==
                der(OTHER))
    relay.configure(CONFIG, b"SWSECRET is what it says, and no more of it")
    assert receive(relay.confd)[1][:4] == E_CORRUPT.to_bytes(4, "little",
                                                             signed=True)
    assert shown(relay.flow(outside=True), "b.example") == der(OTHER)


def test_the_same_again_costs_nothing(start):
    relay = start([GOOD])
    assert receive(relay.confd)[0] == "SNAPSHOT_ACK"
    assert shown(relay.flow(outside=True), "a.example") == der(GOOD)
    before = relay.busy()
    for _ in range(5):
        relay.configure(CONFIG, [GOOD])
        assert receive(relay.confd)[0] == "SNAPSHOT_ACK"
    assert relay.busy() - before < 1


def test_a43_memory(start):
    """Whatever fails: no certificate is left out for it, what was there stays, and
    the new one is there when there is memory again."""
    fault = Faults("relay")
    try:
        relay = start([GOOD], build="bin-fault")
        assert receive(relay.confd)[0] == "SNAPSHOT_ACK"
        assert shown(relay.flow(outside=True), "a.example") == der(GOOD)
        was, reached, n = GOOD, True, 1
        while reached:
            want = OTHER if was is GOOD else GOOD
            fault.arm(MEMORY, n, lasting=True)
            relay.configure(CONFIG, [want])
            error = int.from_bytes(receive(relay.confd)[1][:4], "little",
                                   signed=True)
            assert error in (OK, E_FULL, E_IO)
            time.sleep(0.02)
            reached = fault.disarm()
            if error != OK:  # as confd does
                relay.configure(CONFIG, [want])
                assert receive(relay.confd)[1][:4] == bytes(4)
            name = want[0].decode()
            assert poll(lambda: shown(relay.flow(outside=True), name) ==
                        der(want), 5)
            was, n = want, n + 11 * (1 + n // 50)
        assert "certificate-not-used" not in relay.stderr()
    finally:
        fault.close()


def test_a43_memory_for_the_first(start):
    """Sessions wait until it is proved, however often that fails before."""
    fault = Faults("relay")
    try:
        relay = start([], build="bin-fault")
        assert receive(relay.confd)[1][:4] == bytes(4)
        reached, n = True, 40
        while reached:
            fault.arm(MEMORY, n, lasting=True)
            relay.configure(CONFIG, [GOOD])
            error = receive(relay.confd)[1][:4]
            time.sleep(0.02)
            reached = fault.disarm()
            if error != bytes(4):
                relay.configure(CONFIG, [GOOD])
                assert receive(relay.confd)[1][:4] == bytes(4)
            assert shown(relay.flow(outside=True), "a.example") == der(GOOD)
            relay.configure(CONFIG)
            assert receive(relay.confd)[1][:4] == bytes(4)
            n += 97
        assert "event=certificates-wait" in relay.stderr()
    finally:
        fault.close()
