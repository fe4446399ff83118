# SPDX-License-Identifier: BSD-2-Clause
"""Where the private keys of our certificates are, and what becomes of handshakes when
the program that has them dies (DESIGN, "keys signs")."""
import os
import signal
import ssl
import threading

import pytest
from cryptography.hazmat.primitives import serialization

from inboundkit import INSIDE, Outside, import_key, wait_offer
from mailkit import Box, Gone, net, poll
from test_accounts import memory_of

NAMES = {"mx.corp.example": False, "rsa.corp.example": True}
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(name="box", scope="module")
def box_fixture(tmp_path_factory, authority):
    box = Box(tmp_path_factory.mktemp("lab"), "default may\ninbound on\n")
    box.private = []
    for name, rsa in NAMES.items():
        import_key(authority, name, key=name[:3].strip("."), rsa=rsa)
        _, file = authority.cert(name, rsa=rsa)
        box.private.append(serialization.load_pem_private_key(
            file.read_bytes(), None))
    box.server = box.mx(address=INSIDE, space="mail")
    wait_offer()
    yield box
    box.down()


def secrets_of(key):
    """The numbers that only who has the key knows, as memory can have them: either
    end first, as mbedTLS keeps them and as DER does."""
    n = key.private_numbers()
    numbers = [n.private_value] if hasattr(n, "private_value") else \
        [n.d, n.p, n.q, n.dmp1, n.dmq1, n.iqmp]
    for v in numbers:
        octets = v.to_bytes((v.bit_length() + 7) // 8, "big")
        # no more than one can be sure to find in one piece
        yield octets[:24]
        yield octets[::-1][:24]


def shake(authority, name, version):
    with Outside() as c:
        c.in_tls(authority, name=name, high=version)
        assert c.cmd("QUIT")[0] == 221


def test_no_private_key_is_in_a_relay(box, authority):
    """After handshakes of every kind, so that whatever they take has been there; and
    it would be found: in keys it is."""
    for name in NAMES:
        for version in VERSIONS:
            for _ in range(6):
                shake(authority, name, version)
    for pid in box.pids("relay"):
        found = memory_of(pid)
        assert found
        for key in box.private:
            for s in secrets_of(key):
                assert s not in found
    pid, = box.pids("keys")
    found = memory_of(pid)
    for key in box.private:
        assert any(s in found for s in secrets_of(key))


def test_every_signature_is_counted(box, authority):
    def counted():
        for line in net.cli("show counters").splitlines():
            if line.startswith("handshakes-signed"):
                return int(line.split()[1])
        return -1
    before = counted()
    for version in VERSIONS:
        shake(authority, "rsa.corp.example", version)
    assert poll(lambda: counted() == before + 2), (before, counted())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP],
                         ids=["killed", "hung"])
def test_keys_dies_during_handshakes(box, authority, how):
    """Handshakes that it was asked for wait for the next one; nobody is turned away,
    no relay goes with it, and mail in clear does not notice."""
    relays, (keys,) = box.pids("relay"), box.pids("keys")
    done, wrong = [], []

    def many(name, version):
        for _ in range(8):
            try:
                shake(authority, name, version)
                done.append(name)
            except (OSError, Gone, AssertionError) as e:
                wrong.append(e)

    all_ = [threading.Thread(target=many, args=(n, v))
            for n in NAMES for v in VERSIONS]
    for t in all_:
        t.start()
    assert poll(lambda: len(done) > 4)
    os.kill(keys, how)
    with Outside() as c:
        assert "STARTTLS" in c.hello()
        assert c.cmd("NOOP")[0] == 250
    for t in all_:
        t.join(60)
    assert not any(t.is_alive() for t in all_)
    assert len(done) == 32 and not wrong, wrong
    assert box.pids("keys") != [keys]
    assert box.pids("relay") == relays
