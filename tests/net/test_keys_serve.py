# SPDX-License-Identifier: BSD-2-Clause
"""The program keys as a server: what a relay gets to say to a partner that logs on,
and what it never gets. The relay is played; NTLM at the other end is Samba's."""
import base64
import hashlib
import hmac
import random
import statistics
import struct
import time

import pytest

from fake_boss import CONFD, KEYS, OK, RELAY, Program, receive, send
from test_accounts import give
from test_auth_oracles import V1, samba_client
from test_keys_logon import (CRAM, LOGIN, LOGON_OK, MALFORMED, NO_KEYS, NTLM,
                             PLAIN, REFUSED, REFUSED_NOW, SCRAM256, WEAK)

SERVE, HEARD = 3, 4
INITIAL = 8
SECRET = "a password of theirs"
HERE = b"\0" * 10 + b"\xff\xff" + bytes([192, 0])


def table(*accounts):
    """(name, NT domain, mechanisms, seal, legacy, bits, and bound or nothing)"""
    out = b"SWSECRET" + struct.pack("<IIQ", 2, len(accounts), 0)
    for name, domain, mechs, seal, legacy, bits, *bound in accounts:
        terms = struct.pack("<IBBBB", sum(1 << m for m in mechs), seal, legacy,
                            bits, *(bound or [0]))
        fields = [name, domain, b"", SECRET.encode(), b"x", terms]
        out += struct.pack("<BBH", 3, len(fields), 0)
        out += struct.pack(f"<{len(fields)}I", *map(len, fields))
        out += b"".join(fields)
    return out


ALL = [(b"bob", b"", [PLAIN, LOGIN, CRAM, SCRAM256], 0, 0, 128),
       (b"doug", b"DOM", [NTLM], 1, 0, 128),
       (b"old", b"", [NTLM], 1, 1, 40),
       (b"eve", b"DOM", [NTLM], 0, 0, 128)]


@pytest.fixture(name="keys")
def keys_fixture():
    p = Program(KEYS, [])
    p.confd, p.relay = p.join(CONFD), p.join(RELAY, 0)
    assert give(p, 1, table(*ALL)) == OK
    yield p
    assert p.alive(), p.stderr()
    assert "Sanitizer" not in p.stderr() and SECRET not in p.stderr()
    p.stop()


def ask(p, step, mech=0, text=b"", flow=1, flags=0, source=1):
    ask.number += 1
    body = struct.pack("<IQ", flow, ask.number)
    body += struct.pack("<BBBBB64s", step, mech, flags, 0, 0, b"")
    body += bytes(1 + 32 + 1 + 64) + HERE + struct.pack(">H", source) + text
    send(p.relay, "LOGON", body)
    return ask.number


ask.number = 0


def reply(p, wait=20):
    """(result, proven?, text, bits, key, wait)"""
    kind, body, _ = receive(p.relay, wait)
    assert kind == "LOGON_REPLY"
    assert struct.unpack_from("<IQ", body)[1] == ask.number
    result, flags, bits, _, key, late = struct.unpack_from("<BBBI16sI", body,
                                                           12)
    return result, bool(flags & 4), body[39:], bits, key, late


def step(p, *args, **how):
    ask(p, *args, **how)
    return reply(p)


def b64(octets):
    return base64.b64encode(octets)


def plain(user, password=SECRET):
    return b64(f"\0{user}\0{password}".encode())


def cram(p, user, password=SECRET, **how):
    r = step(p, SERVE, CRAM, **how)
    assert r[0] == LOGON_OK and not r[1]
    mac = hmac.new(password.encode(), base64.b64decode(r[2]), hashlib.md5)
    return step(p, HEARD, text=b64(f"{user} {mac.hexdigest()}".encode()), **how)


def ntlm(p, user, options=None, domain="DOM", password=SECRET, **how):
    g = samba_client(options or {}, password, domain, user)
    r = step(p, SERVE, NTLM, b64(g.update(b"")[1]), flags=INITIAL, **how)
    if r[0] != LOGON_OK:
        return r, g
    t3 = g.update(base64.b64decode(r[2]))[1]
    return step(p, HEARD, text=b64(t3), **how), g


def test_who_it_is(keys):
    r = step(keys, SERVE, PLAIN, plain("BOB"), flags=INITIAL)
    assert r == (LOGON_OK, True, b"bob", 0, bytes(16), 0)
    assert step(keys, HEARD)[0] == NO_KEYS  # forgotten
    assert cram(keys, "bob")[:3] == (LOGON_OK, True, b"bob")
    r, g = ntlm(keys, "doug")
    assert r[:4] == (LOGON_OK, True, b"doug", 128)
    assert r[4] == g.session_key()
    r, _ = ntlm(keys, "eve")        # offers a seal, which is not for her
    assert r[:5] == (LOGON_OK, True, b"eve", 0, bytes(16))
    r, g = ntlm(keys, "old", V1, domain="ANY")
    assert r[:4] == (LOGON_OK, True, b"old", 128) and r[4] == g.session_key()


def test_who_it_is_not(keys):
    """Whatever it is that is wrong, once there is a name it is the same."""
    source = iter(range(2, 200))

    def same(r):
        # two sources may share what is counted
        return r[:5] == (REFUSED, False, b"", 0, bytes(16)) and \
            r[5] in (1000, 2000)

    for user, password in (("bob", "x"), ("nobody", SECRET), ("doug", SECRET)):
        assert same(step(keys, SERVE, PLAIN, plain(user, password),
                         flags=INITIAL, source=next(source)))
        assert same(cram(keys, user, password, source=next(source)))
    for who in (dict(user="doug", password="x"), dict(user="nobody"),
                dict(user="bob"), dict(user="doug", domain="OTHER"),
                dict(user="doug", options=V1),
                dict(user="doug", options={"ntlmssp_client:128bit": "no"})):
        assert same(ntlm(keys, source=next(source), **who)[0]), who


def test_what_is_no_log_on(keys):
    assert step(keys, SERVE, NTLM, b"!", flags=INITIAL)[0] == MALFORMED
    assert step(keys, SERVE, CRAM, b"YQ==", flags=INITIAL)[0] == MALFORMED
    assert step(keys, SERVE, 4)[0] == NO_KEYS  # nobody has SCRAM-SHA-1
    weak = bytearray(samba_client({}).update(b"")[1])
    weak[12:16] = struct.pack("<I", 0x1)  # nothing but Unicode
    assert step(keys, SERVE, NTLM, b64(weak), flags=INITIAL)[0] == WEAK


def scram_first(p, user, flow=1):
    text = b64(f"n,,n={user},r=fyko".encode())
    r = step(p, SERVE, SCRAM256, text, flags=INITIAL, flow=flow)
    assert r[0] == LOGON_OK
    return dict(f.split(b"=", 1) for f in base64.b64decode(r[2]).split(b","))


def test_a30_a_salt_for_everybody(keys):
    """Of its own, always the same, and so many rounds."""
    seen = [scram_first(keys, u) for u in ("bob", "nobody", "bob", "nobody",
                                           "none")]
    assert len({s[b"i"] for s in seen}) == 1
    salts = [s[b"s"] for s in seen]
    assert salts[:2] == salts[2:4] and len(set(salts)) == 3
    assert {len(s) for s in salts} == {24}


def test_a30_slower_then_none(keys):
    late = [step(keys, SERVE, PLAIN, plain("bob", "x"), flags=INITIAL)[5]
            for _ in range(10)]
    assert late == [1000, 2000, 4000] + [8000] * 7
    for text in plain("bob"), plain("nobody"):
        r = step(keys, SERVE, PLAIN, text, flags=INITIAL)
        assert r[:2] == (REFUSED_NOW, False)
    # a log-on that was under way counts, too
    assert step(keys, SERVE, PLAIN, plain("bob"), flags=INITIAL,
                source=9)[1]


def test_a30_at_the_same_time(keys):
    """They are counted when they are judged, not when they begin."""
    for flow in range(20):
        assert step(keys, SERVE, CRAM, flow=flow)[0] == LOGON_OK
    r = [step(keys, HEARD, flow=f, text=b64(b"bob " + b"0" * 32))[0]
         for f in range(20)]
    assert r == [REFUSED] * 10 + [REFUSED_NOW] * 10


def timed(p, user, n, source, mech):
    """How long it takes to be told that a password is wrong."""
    if mech == PLAIN:
        begin = time.perf_counter()
        r = step(p, SERVE, PLAIN, plain(user, "x" * 20), flags=INITIAL, flow=n,
                 source=source)
    else:
        assert step(p, SERVE, CRAM, flow=n, source=source)[0] == LOGON_OK
        text = b64(user.encode() + b" " + b"0" * 32)
        begin = time.perf_counter()
        r = step(p, HEARD, text=text, flow=n, source=source)
    took = time.perf_counter() - begin
    assert r[0] == REFUSED
    return took


def welch(a, b):
    """The t of both, without the fifth of each that took longest: there the
    machine was at something else."""
    a, b = (sorted(x)[:len(x) * 4 // 5] for x in (a, b))
    spread = statistics.variance(a) / len(a) + statistics.variance(b) / len(b)
    return (statistics.mean(a) - statistics.mean(b)) / spread ** 0.5


@pytest.mark.parametrize("mech", [PLAIN, CRAM])
def test_a30_it_takes_as_long(mech):
    """Somebody and nobody, 2000 times; two from each source. p > 0.01 is |t| < 2.58;
    chance alone is beyond that once in a hundred, so three in a row count."""
    seen = []
    while len(seen) < 3 and all(abs(t) >= 2.58 for t in seen):
        p = Program(KEYS, [])
        p.confd, p.relay = p.join(CONFD), p.join(RELAY, 0)
        assert give(p, 1, table(*ALL)) == OK
        took = {"bob": [], "eva": []}
        who = ["bob", "eva"] * 1000
        random.shuffle(who)
        for n, user in enumerate(who):
            took[user].append(timed(p, user, n, n // 2, mech))
        p.stop()
        seen.append(welch(*took.values()))
    assert abs(seen[-1]) < 2.58, seen


def test_too_many_at_once(keys):
    """The oldest gives way, so nobody keeps others out."""
    for flow in range(300):
        assert step(keys, SERVE, CRAM, flow=flow)[0] == LOGON_OK
    assert step(keys, HEARD, flow=0)[0] == NO_KEYS
    assert cram(keys, "bob", flow=400)[1]


def test_a28_a_question_of_our_own(keys):
    """Somebody lets us answer as a client what we have asked as a server."""
    mine = table(*ALL) + b""
    account = [b"us", b"DOM", b"eve", SECRET.encode(), b"x",
               struct.pack("<I", 1 << NTLM | 1 << CRAM)]
    mine += struct.pack("<BBH", 1, 6, 0) + struct.pack("<6I",
                                                       *map(len, account))
    mine += b"".join(account)
    mine = mine[:12] + struct.pack("<I", len(ALL) + 1) + mine[16:]
    assert give(keys, 2, mine) == OK

    def as_client(step_, mech, text=b"", flow=7):
        ask.number += 1
        body = struct.pack("<IQ", flow, ask.number)
        body += struct.pack("<BBBBB64s", step_, mech, 0, 128, 2, b"us")
        send(keys.relay, "LOGON", body + bytes(98 + 16) + text)
        return reply(keys)

    t1 = as_client(0, NTLM)[2]
    t2 = step(keys, SERVE, NTLM, t1, flags=INITIAL)[2]
    r = as_client(1, NTLM, t2)
    assert r[0] not in (LOGON_OK,) and r[2] == b"", r
    assert "event=logon-reflected mechanism=ntlm" in keys.stderr()
    as_client(0, CRAM)
    question = step(keys, SERVE, CRAM, flow=3)[2]
    r = as_client(1, CRAM, question)
    assert r[0] != LOGON_OK and r[2] == b""
    # once it is answered it is nobody's any more
    as_client(0, CRAM)
    step(keys, HEARD, flow=3, text=b64(b"bob " + b"0" * 32))
    assert as_client(1, CRAM, question)[0] == LOGON_OK


def test_the_rounds_of_one_do_not_hold_up_another(keys):
    keys.other = keys.join(RELAY, 1)
    text = b64(b"n,,n=bob,r=fyko")
    for flow in range(50):
        ask(keys, SERVE, SCRAM256, text, flags=INITIAL, flow=flow)
    keys.relay, keys.other = keys.other, keys.relay
    assert step(keys, SERVE, PLAIN, plain("bob"), flags=INITIAL)[1]
