# SPDX-License-Identifier: BSD-2-Clause
"""The program keys signs handshakes: for whom, with which keys, and what it refuses.
The relay is played; the judge of signatures is the cryptography package."""
import os
import struct
import threading
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import (ec, padding, rsa, utils)

from fake_boss import (CONFD, E_CONF, KEYS, OK, RELAY, Program, receive, send)
from relaykit import (HASHES, SIGN_ECDSA, SIGN_RSA_PKCS1, SIGN_RSA_PSS, pin,
                      sign_ask)
from test_accounts import give
from test_relay_identity import certificate

EC256 = ec.generate_private_key(ec.SECP256R1())
EC384 = ec.generate_private_key(ec.SECP384R1())
EC521 = ec.generate_private_key(ec.SECP521R1())
RSA2 = rsa.generate_private_key(65537, 2048)
RSA4 = rsa.generate_private_key(65537, 4096)
BARE = ec.generate_private_key(ec.SECP256R1())  # has no certificate


def table(*keys):
    """secret/secret_table.h, with the keys."""
    out = b"SWSECRET" + struct.pack("<IIQ", 2, len(keys), 0)
    for fields in keys:
        out += struct.pack("<BBH", 2, 3, 0)
        out += struct.pack("<3I", *map(len, fields)) + b"".join(fields)
    return out


def entry(name, key, chain=True):
    _, der, pem = certificate(name + ".example", key=key)
    return name.encode(), der, pem if chain else b""


ALL = table(entry("ec256", EC256), entry("bare", BARE, False),
            entry("ec384", EC384), entry("ec521", EC521), entry("rsa2", RSA2),
            entry("rsa4", RSA4))


@pytest.fixture(name="keys")
def keys_fixture():
    p = Program(KEYS, [])
    p.confd, p.relay = p.join(CONFD), p.join(RELAY, 0)
    yield p
    assert p.alive(), p.stderr()
    assert "Sanitizer" not in p.stderr()
    p.stop()


def ask(p, scheme, key_pin, digest, flow=7):
    ask.number += 1
    send(p.relay, "SIGN", struct.pack("<IQ", flow, ask.number) +
         sign_ask(scheme, key_pin, digest))
    return ask.number


ask.number = 0


def answer(p, wait=20):
    kind, body, _ = receive(p.relay, wait)
    flow, error, number = struct.unpack_from("<IiQ", body)
    assert (kind, flow, number) == ("SIGNED", 7, ask.number)
    return error, body[16:]


def signed(p, scheme, key, digest):
    ask(p, scheme, pin(key.public_key()), digest)
    return answer(p)


@pytest.mark.parametrize("size", [32, 48, 64])
def test_every_kind(keys, size):
    assert give(keys, 1, ALL) == OK
    digest = os.urandom(size)
    md = HASHES[size]
    how = utils.Prehashed(md)
    for key in EC256, EC384, EC521:
        error, s = signed(keys, SIGN_ECDSA, key, digest)
        assert error == OK
        key.public_key().verify(s, digest, ec.ECDSA(how))
    pss = padding.PSS(padding.MGF1(md), size)
    for key in RSA2, RSA4, RSA2:
        for scheme, pad in ((SIGN_RSA_PKCS1, padding.PKCS1v15()),
                            (SIGN_RSA_PSS, pss)):
            error, s = signed(keys, scheme, key, digest)
            assert error == OK and len(s) == key.key_size // 8
            key.public_key().verify(s, digest, pad, how)


def test_what_is_refused(keys):
    assert give(keys, 1, ALL) == OK
    digest = bytes(32)
    for scheme, key in ((SIGN_ECDSA, RSA2), (SIGN_RSA_PSS, EC256),
                        (SIGN_RSA_PKCS1, EC384), (SIGN_ECDSA, BARE),
                        (SIGN_ECDSA, ec.generate_private_key(ec.SECP256R1()))):
        assert signed(keys, scheme, key, digest) == (E_CONF, b"")
    assert "event=signature-refused" in keys.stderr()
    assert signed(keys, SIGN_ECDSA, EC256, digest)[0] == OK


def test_only_while_the_box_is_a_server(keys):
    """inbound off: a relay that was taken over gets none."""
    assert give(keys, 1, ALL, may_sign=False) == OK
    assert signed(keys, SIGN_ECDSA, EC256, bytes(32)) == (E_CONF, b"")
    assert give(keys, 2, ALL) == OK
    assert signed(keys, SIGN_ECDSA, EC256, bytes(32))[0] == OK
    assert give(keys, 3, table(entry("rsa2", RSA2))) == OK
    assert signed(keys, SIGN_ECDSA, EC256, bytes(32)) == (E_CONF, b"")
    assert signed(keys, SIGN_RSA_PSS, RSA2, bytes(32))[0] == OK


def test_before_the_first_table(keys):
    """It waits, and is answered."""
    ask(keys, SIGN_ECDSA, pin(EC256.public_key()), bytes(32))
    assert receive(keys.relay, 0.5) is None
    assert give(keys, 1, ALL) == OK
    assert answer(keys)[0] == OK


@pytest.mark.parametrize("octets", [
    b"", b"\2", sign_ask(3, bytes(32), bytes(32)),
    sign_ask(2, bytes(32), bytes(31)), sign_ask(2, bytes(32), bytes(65)),
    sign_ask(2, bytes(32), b""), sign_ask(0, bytes(32), bytes(20))],
    ids=lambda o: str(len(o)))
def test_what_is_none(keys, octets):
    """No relay says so: that one is not heard any more, and the next one is."""
    assert give(keys, 1, ALL) == OK
    send(keys.relay, "SIGN", struct.pack("<IQ", 7, 1) + octets)
    assert receive(keys.relay, 10) is None
    keys.relay = keys.join(RELAY, 0)
    assert signed(keys, SIGN_ECDSA, EC256, bytes(32))[0] == OK


def test_a_key_that_is_none(keys):
    """It is left out, and the others sign."""
    bad = (b"bad", b"\x30\x03\x02\x01\x00", entry("x", EC384)[2])
    assert give(keys, 1, table(bad, entry("ec256", EC256))) == OK
    assert "event=key-unusable name=bad" in keys.stderr()
    assert signed(keys, SIGN_ECDSA, EC256, bytes(32))[0] == OK


def test_a_relay_that_asks_too_fast(keys):
    """More than a storm of mail can need: it is heard at 500 a second from then on,
    not refused; that is an alarm; and the others do not feel it."""
    assert give(keys, 1, ALL) == OK
    other = keys.join(RELAY, 1)
    done = threading.Event()

    def listen():
        while not done.is_set():
            receive(keys.relay, 0.2)

    def flood(n):
        for _ in range(n):
            ask(keys, SIGN_ECDSA, bytes(32), bytes(32))

    reader = threading.Thread(target=listen)
    reader.start()
    try:
        end = time.monotonic() + 60
        while "event=signatures-limited relay=0 per-second=500" not in \
                keys.stderr():
            assert time.monotonic() < end
            flood(100)
        send(other, "SIGN", struct.pack("<IQ", 7, 1) +
             sign_ask(SIGN_ECDSA, pin(EC256.public_key()), bytes(32)))
        kind, body, _ = receive(other, 20)
        assert kind == "SIGNED" and struct.unpack_from("<i", body, 4)[0] == OK
        began = time.monotonic()
        flood(300 + 500)  # a socket holds fewer than 300
        assert time.monotonic() - began > 0.9
    finally:
        done.set()
        reader.join()
    assert keys.stderr().count("event=signatures-limited") == 1
    last = ask(keys, SIGN_ECDSA, pin(EC256.public_key()), bytes(32))
    while True:
        _, body, _ = receive(keys.relay, 20)
        if struct.unpack_from("<Q", body, 8)[0] == last:
            break
    assert struct.unpack_from("<i", body, 4)[0] == OK
