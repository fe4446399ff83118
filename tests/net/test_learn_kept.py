# SPDX-License-Identifier: BSD-2-Clause
"""What domains were seen to have, in confd: from relays to relays, over a start, what
gives way, and a file that is damaged. And a relay that is told."""
import os
import select
import struct
import time

import pytest

from confdkit import Confd, snapshot
from fake_boss import RELAY, contents, receive, send
from faultkit import Faults
from mailkit import poll
from relaykit import Relay, sealed

FACTORY = b"default may learn\ndomain own.example may learn\n" \
    b"domain .below.example encrypt learn\ndomain not.example may\n"
TODAY = 20421  # days since 1970


def record(name, low=4, high=4, first=TODAY, last=TODAY, keys=(1,), more=0):
    """firmware/policy/learned.h"""
    n = name.encode()
    out = bytes([len(n)]) + n + struct.pack("<BBHHBB", low, high, first, last,
                                            len(keys), more)
    return out + b"".join(bytes([k]) * 32 + struct.pack("<HH", first, last)
                          for k in keys)


def names(records):
    out = []
    while records:
        n = records[0]
        out.append(records[1:1 + n].decode())
        records = records[9 + n + 36 * records[1 + n + 6]:]
    return out


@pytest.fixture(name="start")
def start_fixture(tmp_path):
    started = []
    (tmp_path / "store").mkdir(mode=0o700)

    def start(agree=True, **kw):
        p = Confd(**{"factory": FACTORY, "store": tmp_path / "store", **kw})
        started.append(p)
        if agree:
            p.agree()
        return p

    start.folder = tmp_path / "store"
    yield start
    for p in started:
        assert p.alive(), p.stderr()
        assert "AddressSanitizer" not in p.stderr()
        assert "runtime error" not in p.stderr()
        p.stop()


def stored(start):
    return sorted(start.folder.glob("learned.*"))


def say(p, *records, relay=1):
    send(p.peers[relay], "LEARNED", b"".join(records))


def wait_known(p, text):
    assert poll(lambda: text in p.do("LEARNED")), p.do("LEARNED")


def wait_stored(p, n):
    wait_known(p, f"{n} of at most 1024 domains, all of it stored")


def all_of(sock):
    m = receive(sock)
    assert m[0] == "LEARNED_ALL"
    return contents(m[2][0])


def test_nothing_is_known_of_a_new_box(start):
    p = start()
    assert p.do("LEARNED") == "0 of at most 1024 domains, all of it stored\n"
    assert p.refused("LEARNED", b"a.example") == \
        "nothing was learned of this domain\n"
    assert p.refused("LEARNED", b"-x") == "this is not a domain\n"
    assert p.refused("FORGET", b"a.example").startswith("nothing was learned")
    assert "nothing was learned" in p.refused("ACCEPT")
    assert stored(start) == []


def test_one_relay_learns_and_all_know(start):
    p = start()
    other = p.join(RELAY, 1)
    p.agree([other])
    say(p, record("a.example"), record("b.below.example", 3, 4, keys=(1, 2)))
    for sock in p.peers[1], other:
        assert names(all_of(sock)) == ["a.example", "b.below.example"]
    text = p.do("LEARNED")
    assert text.splitlines()[0].split() == [
        "a.example", "TLS", "1.3", "2025-11-29", "TLS", "is", "required"]
    assert text.splitlines()[1].split() == [
        "b.below.example", "TLS", "1.2-1.3", "2025-11-29", "remembered"]
    one = p.do("LEARNED", b"B.Below.Example")
    assert "sha256:" + "02" * 32 + "\n    2025-11-29 to 2025-11-29\n" in one
    assert "its mail left in TLS" in p.do("DOMAIN", b"a.example")
    assert "none leaves without" in p.do("DOMAIN", b"a.example")
    assert "learned" not in p.do("DOMAIN", b"c.example")
    other.close()


def test_kept_over_a_start_and_known_before_the_first_session(start):
    p = start()
    say(p, record("a.example"))
    wait_stored(p, 1)
    assert [f.name for f in stored(start)] == ["learned.00000001"]
    p.stop()
    p = start(agree=False)
    assert names(all_of(p.peers[1])) == ["a.example"]  # and then
    p.agree()
    wait_known(p, "a.example")
    fresh = p.join(RELAY, 1)
    assert names(all_of(fresh)) == ["a.example"]
    snapshot(receive(fresh), p)
    fresh.close()


def test_a_relay_that_comes_back_brings_what_it_knows(start):
    """As after a crash of confd, which had not stored it yet."""
    p = start()
    say(p, record("a.example", keys=(1,)))
    wait_stored(p, 1)
    say(p, record("a.example", keys=(2,)), record("b.example"))
    wait_known(p, "2 of at most 1024 domains, the last news not yet stored")
    p.stop()
    p = start(agree=False)
    assert names(all_of(p.peers[1])) == ["a.example"]
    p.agree()
    say(p, record("a.example", keys=(1, 2)), record("b.example"))
    assert sorted(names(all_of(p.peers[1]))) == ["a.example", "b.example"]
    wait_known(p, "b.example")
    assert "02" * 32 in p.do("LEARNED", b"a.example")


@pytest.mark.parametrize("damage", ["octet", "short", "empty"])
def test_a_damaged_file_is_an_alarm_and_an_empty_memory(start, damage):
    p = start()
    say(p, record("a.example"))
    wait_stored(p, 1)
    p.stop()
    file = stored(start)[0]
    data = bytearray(file.read_bytes())
    data[200 if damage == "octet" else 0] ^= damage == "octet"
    file.write_bytes({"octet": data, "short": data[:170], "empty": b""}[damage])
    p = start()  # it goes on: nothing but what was learned is missing
    assert p.do("LEARNED").startswith("0 of")
    assert "event=learned-lost" in p.stderr() and file.name in p.stderr()
    say(p, record("b.example"))
    wait_stored(p, 1)
    p.stop()
    p = start(agree=False)
    assert names(all_of(p.peers[1])) == ["b.example"]
    p.agree()


@pytest.fixture(name="clock")
def clock_fixture():
    """That of confd, which can run."""
    clock = Faults("confd")
    yield clock
    clock.close()


@pytest.mark.parametrize("news,faster,seconds", [
    (record("b.example"), 600, 3600 / 600),
    (record("a.example", last=TODAY + 1), 20000, 86400 / 20000)],
    ids=["an-hour", "dates-a-day"])
def test_flash_is_spared(start, clock, news, faster, seconds):
    """What is new is not written within the hour, dates alone not within the day; and
    then in one write, however often it was said."""
    p = start(build="bin-fault")
    say(p, record("a.example"))
    wait_stored(p, 1)
    began = time.monotonic()
    clock.faster(faster)
    say(p, news)
    while len(stored(start)) == 1 and stored(start)[0].name.endswith("1"):
        say(p, news)
        assert time.monotonic() < began + 60 + seconds
        time.sleep(0.01)
    assert time.monotonic() - began > 0.95 * seconds
    assert poll(lambda: [f.name for f in stored(start)] == [
        "learned.00000002"])
    assert "all of it stored" in p.do("LEARNED")


def test_another_secret_reads_nothing(start):
    p = start()
    say(p, record("a.example"))
    wait_stored(p, 1)
    p.stop()
    p = start(secret=b"x" * 32)
    assert p.do("LEARNED").startswith("0 of")
    assert "event=learned-lost" in p.stderr()


def test_forgotten_at_once_everywhere(start):
    p = start()
    say(p, record("a.example"), record("b.example"))
    all_of(p.peers[1])
    p.do("FORGET", b"A.example")
    assert receive(p.peers[1])[:2] == ("FORGET", b"a.example")
    assert "a.example" not in p.do("LEARNED")
    p.stop()
    p = start(agree=False)
    assert names(all_of(p.peers[1])) == ["b.example"]
    p.agree()
    p.do("FORGET")
    assert receive(p.peers[1])[:2] == ("FORGET", b"")
    p.stop()
    p = start()  # without a word to the relay
    assert p.do("LEARNED").startswith("0 of")


def test_a_factory_reset_forgets(start):
    p = start()
    say(p, record("a.example"))
    wait_stored(p, 1)
    all_of(p.peers[1])
    p.factory_reset()
    p.agree()
    assert p.result()[0] == 0
    assert stored(start) == []
    assert p.do("LEARNED").startswith("0 of")


def test_what_is_none_is_refused_as_a_whole(start):
    p = start()
    good = record("a.example")
    for tried, bad in enumerate((good + b"x", good[:-1], record("A.example"),
                record("a.example", 2), record("a.example", keys=()),
                record("a.example", first=9, last=8), b"\x00",
                record("b.example") + record("b c.example"))):
        say(p, bad)
        assert poll(lambda: p.stderr().count(
            "event=learned-not-understood") == 1 + tried)
        assert p.do("LEARNED").startswith("0 of")
    say(p, good)
    wait_known(p, "1 of")


def test_who_gives_way(start):
    """The domain that nothing learns any more, then the oldest of default; one with a
    line stays."""
    p = start()
    full = [record("own.example", first=5, last=5),
            record("x.below.example", first=6, last=6),
            record("not.example"), record("old.example", first=7, last=7)]
    full += [record(f"d{i}.example") for i in range(1020)]
    for i in range(0, 1024, 40):
        say(p, *full[i:i + 40])
    wait_known(p, "1024 of")
    while receive(p.peers[1], 0.2):
        pass
    for new, gone in ("one", "not.example"), ("two", "old.example"):
        say(p, record(f"{new}.example", last=TODAY + 1))
        m = receive(p.peers[1])
        while m[0] == "LEARNED_ALL":
            m = receive(p.peers[1])
        assert m[:2] == ("FORGET", gone.encode())
    text = p.do("LEARNED")
    assert "1024 of at most" in text
    for here in ("own", "x.below", "one", "two"):
        assert f"{here}.example " in text
    assert "event=learned-gives-way domain=not.example" in p.stderr()


def test_lines_for_the_candidate(start):
    p = start(factory=FACTORY + b"domain ver.example verify match "
              b"mx.ver.example route 192.0.2.1:25 learn\n")
    say(p, record("a.example", keys=(1, 2)), record("b.example", 3, 4),
        record("not.example"), record("ver.example"),
        record("many.example", keys=range(1, 9), more=1))
    wait_known(p, "5 of")
    pins = " sha256:" + "01" * 32 + " sha256:" + "02" * 32
    assert p.do("ACCEPT", b"a.example") == \
        "domain a.example encrypt min-tls 1.3\n"
    # the candidate alone, and the second one does not undo the first
    assert b"a.example" not in p.running()
    assert p.do("ACCEPT", b"b.example", 1) == \
        "domain b.example pin sha256:" + "01" * 32 + "\n"
    assert p.do("COMPARE", number=2 ** 64 - 1).splitlines() == [
        "+ domain a.example encrypt min-tls 1.3",
        "+ domain b.example pin sha256:" + "01" * 32]
    # what has a line now that does not learn is left alone
    for name in b"a.example", b"not.example":
        assert "its rule does not learn" in p.refused("ACCEPT", name)
    assert "more keys than" in p.refused("ACCEPT", b"many.example", 1)
    p.do("DISCARD")
    assert p.do("ACCEPT", b"a.example", 1) == \
        f"domain a.example pin{pins} min-tls 1.3\n"
    p.do("DISCARD")
    # never weaker than what the line said before
    assert p.do("ACCEPT") == (
        "domain a.example encrypt min-tls 1.3\n"
        "domain b.example encrypt\n"
        "domain many.example encrypt min-tls 1.3\n"
        "domain ver.example verify match mx.ver.example min-tls 1.3 "
        "route 192.0.2.1:25\n")
    all_of(p.peers[1])  # of what was learned above
    p.commit()
    assert b"domain b.example encrypt\n" in p.running()
    assert "its rule does not learn" in p.do("LEARNED", b"a.example")


def test_a_candidate_that_is_wrong(start):
    p = start()
    say(p, record("a.example"))
    wait_known(p, "a.example")
    p.do("REPLACE", b"domain x.example strong\n")
    assert "unknown policy level" in p.refused("ACCEPT", b"a.example")


# --- a relay alone -------------------------------------------------------------------
def rcpt(relay, name):
    """The code of the answer to a recipient, to a server without TLS."""
    f = relay.flow().ehlo()
    f.client.recv(4096)
    f.client.sendall(b"MAIL FROM:<a@c.example>\r\n")
    assert f.client.recv(4096).startswith(b"250")
    f.client.sendall(f"RCPT TO:<b@{name}>\r\n".encode())
    heard, _, _ = select.select([f.client, f.server], [], [], 10)
    if f.server in heard:
        assert b"MAIL FROM" in f.server.recv(4096)
        code = 250
    else:
        code = int(f.client.recv(4096)[:3])
    f.client.close()
    f.server.close()
    return code


def test_a_relay_knows_what_confd_says_and_forgets(tmp_path):
    text = "ca none\n" + FACTORY.decode()
    relay = Relay(text, policy=False)
    fd = sealed(record("a.example") + record("b.example"))
    send(relay.confd, "LEARNED_ALL", b"", [fd])
    os.close(fd)
    relay.configure(text)
    m = receive(relay.confd)
    assert m[0] == "SNAPSHOT_ACK" and m[1][:4] == bytes(4), (
        m, relay.stderr())
    assert rcpt(relay, "a.example") == 451
    assert rcpt(relay, "c.example") == 250
    send(relay.confd, "FORGET", b"a.example")
    assert poll(lambda: rcpt(relay, "a.example") == 250)
    assert rcpt(relay, "b.example") == 451
    send(relay.confd, "FORGET", b"")
    assert poll(lambda: rcpt(relay, "b.example") == 250)
    # what is damaged is not taken, and nothing dies of it
    fd = sealed(record("a.example")[:-1])
    send(relay.confd, "LEARNED_ALL", b"", [fd])
    os.close(fd)
    assert poll(lambda: "event=learned-not-taken" in relay.stderr())
    assert rcpt(relay, "a.example") == 250
    assert relay.alive()
    relay.stop()
