# SPDX-License-Identifier: BSD-2-Clause
"""What `keys` gives to a relay, and what it does not, however it is asked
(firmware/ipc/ipc_logon.h)."""
import base64
import hashlib
import hmac
import struct
import time

import pytest

from fake_boss import CONFD, KEYS, OK, RELAY, Program, receive, send
from faultkit import Faults
from lablib import ntlm
from test_accounts import give, memory, table

PLAIN, LOGIN, CRAM, SCRAM1, SCRAM256, NTLM = range(1, 7)
BEGIN, CHALLENGE, DONE = range(3)
LOGON_OK, NOT_OFFERED, REFUSED, REFUSED_NOW, WEAK, UNPROVEN, MALFORMED, \
    ACCOUNT, NO_KEYS = range(9)
SEAL = 1
SECRET = "a password of its own"


@pytest.fixture(name="keys")
def keys_fixture(tmp_path):
    ntlm.users_file(tmp_path / "users", {("DOM", "User"): SECRET})
    p = Program(KEYS, [])
    p.confd, p.relay = p.join(CONFD), p.join(RELAY, 0)
    yield p
    assert p.alive(), p.stderr()
    assert "Sanitizer" not in p.stderr() and SECRET not in p.stderr()
    p.stop()


def use(p, *mechs):
    """An account that rules use with these."""
    data = table(["hub", "DOM", "User", SECRET, "x"],
                 uses=sum(1 << m for m in mechs))
    assert give(p, 1, data) == OK


def ask(p, step, mech=0, text=b"", flow=1, flags=0, account=b"hub", bits=128):
    ask.number += 1
    body = struct.pack("<IQ", flow, ask.number)
    body += struct.pack("<BBBBB64s", step, mech, flags, bits, len(account),
                        account) + bytes(1 + 32 + 1 + 64 + 16) + text
    send(p.relay, "LOGON", body)
    return ask.number


ask.number = 0


def reply(p):
    """(result, said?, text, bits, key)"""
    kind, body, _ = receive(p.relay)
    assert kind == "LOGON_REPLY"
    _, number = struct.unpack_from("<IQ", body)
    assert number == ask.number
    result, flags, bits, _, key = struct.unpack_from("<BBBI16s", body, 12)
    return result, bool(flags & 1), body[39:], bits, key


def step(p, *args, **how):
    ask(p, *args, **how)
    return reply(p)


def test_the_password_itself_where_the_server_is_shown_it(keys):
    use(keys, PLAIN, LOGIN)
    r, said, text, _, _ = step(keys, BEGIN, PLAIN)
    assert (r, said) == (LOGON_OK, True)
    assert base64.b64decode(text) == b"\0DOM\\User\0" + SECRET.encode()
    assert step(keys, DONE)[0] == LOGON_OK
    assert step(keys, BEGIN, LOGIN, flow=2)[:2] == (LOGON_OK, False)


@pytest.mark.parametrize("mech", [PLAIN, LOGIN, CRAM, SCRAM1, NTLM])
def test_with_no_other_mechanism(keys, mech):
    """A relay that was taken over asks for more than any rule does."""
    use(keys, SCRAM256)
    r = step(keys, BEGIN, mech)
    assert r[0] == ACCOUNT and r[2:] == (b"", 0, bytes(16))
    assert "event=account-misused account=hub" in keys.stderr()
    assert step(keys, BEGIN, SCRAM256)[0] == LOGON_OK


def test_an_account_that_is_not_there(keys):
    use(keys, PLAIN)
    assert step(keys, BEGIN, PLAIN, account=b"bob")[0] == ACCOUNT
    assert step(keys, CHALLENGE, flow=7)[0] == NO_KEYS  # never begun


def test_a_proof(keys):
    use(keys, CRAM)
    assert step(keys, BEGIN, CRAM)[:2] == (LOGON_OK, False)
    r, _, text, _, _ = step(keys, CHALLENGE, text=base64.b64encode(b"<1@mx>"))
    want = hmac.new(SECRET.encode(), b"<1@mx>", hashlib.md5).hexdigest()
    assert r == LOGON_OK and base64.b64decode(text).decode() == "User " + want


def test_the_key_of_a_seal_only_at_the_end(keys):
    """And what was used is nowhere in memory then but in the table."""
    use(keys, NTLM)
    end = ntlm.Gss()
    assert step(keys, BEGIN, NTLM, flags=SEAL, flow=3)[0] == LOGON_OK
    assert step(keys, DONE, flow=3)[0] in (MALFORMED, UNPROVEN)
    _, _, t1, _, key = step(keys, BEGIN, NTLM, flags=SEAL)
    assert key == bytes(16)
    t2 = end.challenge(base64.b64decode(t1))
    r, _, t3, _, key = step(keys, CHALLENGE, text=base64.b64encode(t2))
    assert r == LOGON_OK and key == bytes(16)
    assert end.finish(base64.b64decode(t3))
    r, _, _, bits, key = step(keys, DONE)
    assert (r, bits) == (LOGON_OK, 128) and key != bytes(16)
    assert key not in memory(keys)
    assert memory(keys).count(SECRET.encode()) == 1
    assert step(keys, DONE)[0] == NO_KEYS


def test_what_is_given_up_is_forgotten(keys):
    use(keys, PLAIN, NTLM)
    for flow in range(1, 100):
        assert step(keys, BEGIN, NTLM, flow=flow)[0] == LOGON_OK
    assert memory(keys).count(SECRET.encode()) > 1
    for flow in range(1, 50):
        send(keys.relay, "LOGON_END", struct.pack("<I", flow))
    assert step(keys, CHALLENGE, flow=49)[0] == NO_KEYS
    # the successor of the relay knows nothing of the rest
    keys.relay = keys.join(RELAY, 0)
    assert step(keys, CHALLENGE, flow=99)[0] == NO_KEYS
    assert memory(keys).count(SECRET.encode()) == 1


def test_too_many_at_once(keys):
    use(keys, NTLM)
    results = [step(keys, BEGIN, NTLM, flow=f)[0] for f in range(600)]
    assert results[:512] == [LOGON_OK] * 512 and set(results[512:]) == {NO_KEYS}


def test_what_nobody_said_is_over_gives_way(tmp_path):
    """A relay that was unable to say so costs nothing for ever."""
    ntlm.users_file(tmp_path / "users", {("DOM", "User"): SECRET})
    clock = Faults("keys")
    p = Program(KEYS, [], build="bin-fault")
    try:
        p.confd, p.relay = p.join(CONFD), p.join(RELAY, 0)
        use(p, NTLM)
        begun = [step(p, BEGIN, NTLM, flow=f)[0] for f in range(513)]
        assert begun == [LOGON_OK] * 512 + [NO_KEYS]
        clock.faster(10000)  # a quarter of an hour in 0.09 seconds
        time.sleep(0.5)
        assert step(p, BEGIN, NTLM, flow=600)[0] == LOGON_OK
        assert step(p, CHALLENGE, flow=0)[0] == NO_KEYS
    finally:
        p.stop()
        clock.close()


@pytest.mark.parametrize("body", [
    b"", bytes(12), bytes(20), struct.pack("<IQ", 1, 1) + b"\xff" * 200,
    struct.pack("<IQBBBBB", 1, 1, 0, 99, 0, 128, 3) + bytes(162)],
    ids=lambda b: str(len(b)))
def test_what_no_relay_says(keys, body):
    """That relay is not listened to any more; another is."""
    use(keys, PLAIN)
    send(keys.relay, "LOGON", body)
    assert receive(keys.relay) is None
    keys.relay = keys.join(RELAY, 0)
    assert step(keys, BEGIN, PLAIN)[0] == LOGON_OK


def test_rounds_of_scram_hold_nobody_up(keys):
    """100000 of them are under way while others get their answers."""
    use(keys, SCRAM256, PLAIN)
    keys.other = keys.join(RELAY, 1)
    first = base64.b64decode(step(keys, BEGIN, SCRAM256)[2])
    nonce = first.split(b"r=")[1]
    text = base64.b64encode(b"r=%sxyz,s=QUJDREVGR0g=,i=100000" % nonce)
    slow = ask(keys, CHALLENGE, text=text)
    keys.relay, keys.other = keys.other, keys.relay
    for flow in range(5):
        assert step(keys, BEGIN, PLAIN, flow=flow)[0] == LOGON_OK
    kind, body, _ = receive(keys.other, 60)
    assert kind == "LOGON_REPLY"
    assert struct.unpack_from("<IQ", body) == (1, slow)
    assert body[12] == LOGON_OK and b",p=" in base64.b64decode(body[35:])
