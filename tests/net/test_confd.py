# SPDX-License-Identifier: BSD-2-Clause
"""confd alone: one configuration on all programs, or on none."""
import fcntl
import os
import struct
import time

import pytest

from fake_boss import (CONFD, CONSOLE, E_AGAIN, E_CONF, E_CORRUPT,
                       E_FULL, E_PEER_TIME, OK, RELAY, WIRE, Program, answered,
                       contents, memfd, pair, receive, send)

GOOD = b"default may\ndomain a.example encrypt\n"
BETTER = b"default may\ndomain a.example verify\nintercept port 25 587\n"
NO_VLAN = bytes(8)
CA = b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"


def files(text, ca=CA):
    return [("CONF_FILE", struct.pack("<BI", CONFD, 0), [memfd(text)]),
            ("CONF_FILE", struct.pack("<BI", CONFD, 1), [memfd(ca)])]


@pytest.fixture(name="start")
def start_fixture():
    programs = []

    def start(text, extra=()):
        p = Program(CONFD, files(text) + list(extra))
        programs.append(p)
        return p

    yield start
    for p in programs:
        assert p.alive(), p.stderr()
        assert "AddressSanitizer" not in p.stderr()
        assert "runtime error" not in p.stderr()
        p.stop()


def snapshot(sock, timeout=30.0):
    """(number, contents) of the snapshot that comes next."""
    m = receive(sock, timeout)
    assert m and m[0] in ("SNAPSHOT", "SNAPSHOT_KEYS"), m
    for fd in m[2][1:]:
        os.close(fd)
    seals = fcntl.fcntl(m[2][0], fcntl.F_GET_SEALS)
    assert seals == (fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK |
                     fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    number = struct.unpack("<Q", m[1])[0]
    data = contents(m[2][0])
    assert data[:8] == b"SWPOLICY"
    assert struct.unpack_from("<Q", data, 80)[0] == number
    return number, data


def ack(sock, number, error=OK):
    send(sock, "SNAPSHOT_ACK", struct.pack("<iQ", error, number))


def result(console, timeout=10.0):
    """(error, number, report)"""
    m = answered(console, timeout)
    assert m and m[0] == "CONF_RESULT", m
    error, number = struct.unpack("<iQ", m[1])
    return error, number, contents(m[2][0]).decode()


def ask(console, kind, text):
    fd = memfd(text)
    send(console, kind, fds=[fd])
    os.close(fd)


def all_there(p):
    """wire, two relays and a console; each has the first snapshot."""
    peers = [p.join(WIRE), p.join(RELAY, 0), p.join(RELAY, 1)]
    for s in peers:
        ack(s, snapshot(s)[0])
    return peers, p.join(CONSOLE)


def test_start(start):
    p = start(GOOD)
    assert p.wait_for("INTERCEPT")[1] == NO_VLAN + b"\x01\x19\x00"
    kept = p.wait_for("CONF_KEEP")
    assert contents(kept[2][0]).endswith(GOOD)
    number, data = snapshot(p.join(RELAY, 0))
    assert number == 1 and b"a.example" in data and CA in data
    number, data = snapshot(p.join(WIRE))
    assert number == 1 and b"a.example" not in data and CA not in data


def test_broken_start_stays_closed(start):
    p = start(b"intercept port 587\ndomain a.example encrpt\n")
    ports = p.wait_for("INTERCEPT")[1]
    assert ports == NO_VLAN + b"\x02" + struct.pack("<HH", 25, 587)
    wire = p.join(WIRE)
    assert receive(wire, 0.5) is None, "a snapshot from a broken text"
    assert "line 2, column 18: 'encrpt'" in p.stderr()
    # and a good text opens it
    console = p.join(CONSOLE)
    ask(console, "CONF_LOAD", GOOD)
    ack(wire, snapshot(wire)[0])
    assert result(console)[0] == OK


@pytest.mark.parametrize("text", [b"", b"\0" * 5000, b"\xff" * 70000,
                                  b"x" * (1 << 20), b"default may\r\r\n"])
def test_not_a_configuration(start, text):
    p = start(text)
    assert p.wait_for("INTERCEPT")[1] == NO_VLAN + b"\x01\x19\x00"
    assert receive(p.join(WIRE), 0.3) is None


def test_load(start):
    p = start(GOOD)
    peers, console = all_there(p)
    p.wait_for("INTERCEPT")
    p.wait_for("CONF_KEEP")
    ask(console, "CONF_LOAD", BETTER)
    assert p.wait_for("INTERCEPT")[1] == NO_VLAN + b"\x02" + struct.pack("<HH", 25, 587)
    for s in peers:
        assert answered(console, 0.1) is None, "an answer before all agreed"
        number, _ = snapshot(s)
        assert number == 2
        ack(s, number)
    assert result(console) == (OK, 2, "")
    kept = contents(p.wait_for("CONF_KEEP")[2][0])
    assert b"intercept port 25 587\n" in kept
    assert kept.endswith(b"default may\ndomain a.example verify\n")


def test_check_changes_nothing(start):
    p = start(GOOD)
    peers, console = all_there(p)
    ask(console, "CONF_CHECK", BETTER)
    assert result(console)[::2] == (OK, "")
    ask(console, "CONF_CHECK", b"default maybe\n")
    error, _, report = result(console)
    assert error == E_CONF
    assert report.startswith('line 1, column 9: "maybe": unknown policy level')
    assert all(receive(s, 0.1) is None for s in peers)


def test_error_keeps_the_old_one(start):
    p = start(GOOD)
    peers, console = all_there(p)
    p.wait_for("INTERCEPT")
    ask(console, "CONF_LOAD", b"default may\nfoo\nbar\n")
    error, _, report = result(console)
    assert error == E_CONF and report.count("unknown command") == 2
    assert all(receive(s, 0.1) is None for s in peers)
    with pytest.raises(AssertionError):
        p.wait_for("INTERCEPT", 0.2)


def test_one_refuses(start):
    p = start(GOOD)
    peers, console = all_there(p)
    ask(console, "CONF_LOAD", BETTER)
    for s in peers:
        number, _ = snapshot(s)
        ack(s, number, E_CORRUPT if s is peers[2] else OK)
    for s in peers:
        number, data = snapshot(s)
        assert number == 1
        assert (b"a.example" in data) == (s is not peers[0])  # wire
        ack(s, number)
    error, _, report = result(console)
    assert error == E_CORRUPT
    assert "relay 1 did not take it" in report and "in force again" in report
    # the next one works
    ask(console, "CONF_LOAD", BETTER)
    for s in peers:
        ack(s, snapshot(s)[0])
    assert result(console)[0] == OK


def test_a_vlan_is_off_the_wire_before_and_back_on_it_after(start):
    """The VLAN of the management address comes with the ports, before any program
    hears of it, and goes as it came if one refuses."""
    def vlan():
        return struct.unpack_from("<Q", p.wait_for("INTERCEPT")[1])[0]

    p = start(GOOD)
    peers, console = all_there(p)
    assert vlan() == 0
    text = GOOD + b"management address 192.0.2.5/24\nmanagement vlan 100\n"
    ask(console, "CONF_LOAD", text)
    assert vlan() == 100
    for s in peers:
        ack(s, snapshot(s)[0], E_CORRUPT if s is peers[2] else OK)
    assert vlan() == 0
    for s in peers:
        ack(s, snapshot(s)[0])
    assert result(console)[0] == E_CORRUPT
    ask(console, "CONF_LOAD", text)
    assert vlan() == 100
    for s in peers:
        ack(s, snapshot(s)[0])
    assert result(console)[0] == OK
    ask(console, "CONF_LOAD", GOOD)
    assert vlan() == 0
    for s in peers:
        ack(s, snapshot(s)[0])
    assert result(console)[0] == OK


def test_a_vlan_of_a_broken_text_stays_off_the_wire(start):
    p = start(b"management vlan 100\nmanagement address 192.0.2.5/24\nfoo\n")
    assert struct.unpack_from("<Q", p.wait_for("INTERCEPT")[1])[0] == 100


def test_who_could_not_take_what_is_in_force_is_asked_again(start):
    """A relay that has restarted had no memory for the snapshot; without one it
    would keep its sessions waiting for ever."""
    p = start(GOOD)
    peers, console = all_there(p)
    ask(console, "CONF_LOAD", BETTER)
    for s in peers:
        ack(s, snapshot(s)[0])
    assert result(console)[0] == OK
    peers[2].close()
    back = p.join(RELAY, 1)
    for _ in range(2):
        number, _ = snapshot(back)
        assert number == 2
        ack(back, number, E_FULL)
    ack(back, snapshot(back)[0])
    assert not receive(back, 1.5)
    assert not receive(peers[0], 0.01), "nobody else is bothered"


def test_one_is_silent(start):
    p = start(GOOD)
    peers, console = all_there(p)
    ask(console, "CONF_LOAD", BETTER)
    begun = time.monotonic()
    for s in peers[:2]:
        ack(s, snapshot(s)[0])
    snapshot(peers[2])
    for s in peers[:2]:
        ack(s, snapshot(s)[0])
    assert 1.5 < time.monotonic() - begun < 4
    error, _, report = result(console)
    assert error == E_PEER_TIME and "relay 1 did not answer" in report
    assert "relay 1 has not yet said that it has the one before" in report
    assert snapshot(peers[2])[0] == 1


def test_in_force_again_is_said_when_it_is(start):
    p = start(GOOD)
    peers, console = all_there(p)
    ask(console, "CONF_LOAD", BETTER)
    for s in peers:
        ack(s, snapshot(s)[0], E_CORRUPT if s is peers[0] else OK)
    for s in peers:
        number, data = snapshot(s)
        assert number == 1
        assert (b"a.example" in data) == (s is not peers[0])  # wire
        assert not answered(console, 0.2), "one has the new one, still"
        ack(s, number)
    error, _, report = result(console)
    assert error == E_CORRUPT and "in force again" in report


def test_an_answer_that_is_lost_costs_one_commit(start):
    p = start(GOOD)
    peers, console = all_there(p)
    ask(console, "CONF_LOAD", BETTER)
    for s in peers[:2]:
        ack(s, snapshot(s)[0])
        ack(s, snapshot(s, 10)[0])
    snapshot(peers[2])
    ack(peers[2], snapshot(peers[2])[0])
    assert result(console)[0] == E_PEER_TIME
    ask(console, "CONF_LOAD", BETTER)
    for s in peers:
        ack(s, snapshot(s)[0])
    assert result(console)[0] == OK


def test_a_late_answer_is_not_taken_for_that_to_the_next_one(start):
    """A relay that says only now that it has what was taken back does not say that
    it has what came after it."""
    p = start(GOOD)
    peers, console = all_there(p)
    ask(console, "CONF_LOAD", BETTER)
    for s in peers[:2]:
        ack(s, snapshot(s)[0])
        ack(s, snapshot(s, 10)[0])
    assert result(console)[0] == E_PEER_TIME
    ask(console, "CONF_LOAD", BETTER + b"domain b.example encrypt\n")
    for s in peers[:2]:
        ack(s, snapshot(s)[0])
    queue = [snapshot(peers[2]) for _ in range(3)]
    assert [number for number, _ in queue] == [2, 1, 3]
    for number, data in queue[:2]:
        assert b"b.example" not in data
        ack(peers[2], number)
        assert not answered(console, 0.2), "it has not taken the last one"
    ack(peers[2], 3, E_FULL)
    for s in peers:
        ack(s, snapshot(s)[0])
    error, _, report = result(console)
    assert error == E_FULL and "relay 1 did not take it" in report


def test_who_cannot_go_back_begins_anew(start):
    """It has what is not in force, and without memory it keeps it."""
    p = start(GOOD)
    peers, console = all_there(p)
    ask(console, "CONF_LOAD", BETTER)
    for s in peers:
        ack(s, snapshot(s)[0], E_CORRUPT if s is peers[1] else OK)
    for s in peers:
        ack(s, snapshot(s)[0], E_FULL if s is peers[2] else OK)
    error, _, report = result(console)
    assert error == E_CORRUPT
    assert "relay 1 could not yet take the one before" in report
    for _ in range(2):
        ack(peers[2], snapshot(peers[2])[0], E_FULL)
    peers[2].settimeout(5.0)
    assert peers[2].recv(1) == b"", "it is hung up on"
    assert "event=program-begins-anew program=relay index=1" in p.stderr()
    fresh = p.join(RELAY, 1)
    assert snapshot(fresh)[0] == 1


def test_one_dies_meanwhile(start):
    p = start(GOOD)
    peers, console = all_there(p)
    ask(console, "CONF_LOAD", BETTER)
    for s in peers[:2]:
        ack(s, snapshot(s)[0])
    snapshot(peers[2])
    peers[2].close()
    assert result(console)[0] == OK
    fresh = p.join(RELAY, 1)
    assert snapshot(fresh)[0] == 2, "who comes back gets what is in force"


def test_ports_cannot_be_taken(start):
    p = start(GOOD)
    peers, console = all_there(p)
    p.intercept_error = E_FULL
    ask(console, "CONF_LOAD", BETTER)
    error, _, report = result(console)
    assert error == E_FULL and "ports" in report
    assert all(receive(s, 0.1) is None for s in peers)


def test_busy(start):
    p = start(GOOD)
    peers, console = all_there(p)
    ask(console, "CONF_LOAD", BETTER)
    ask(console, "CONF_LOAD", GOOD)
    assert result(console)[::2] == (E_AGAIN,
                                    "another configuration is being loaded\n")
    ask(console, "CONF_CHECK", b"default\n")
    assert result(console)[0] == E_CONF
    for s in peers:
        ack(s, snapshot(s)[0])
    assert result(console) == (OK, 2, "")


def test_restarted_confd(start):
    """Its peers are there before it is; it brings back the kept text."""
    p = start(GOOD)
    kept = contents(p.wait_for("CONF_KEEP")[2][0])
    p.stop()
    ours, theirs = pair()
    q = start(kept, [("PEER", struct.pack("<BI", RELAY, 0),
                      [theirs.fileno()])])
    number, data = snapshot(ours)
    assert b"a.example" in data
    ack(ours, number)
    q.wait_for("CONF_KEEP")


def test_clock_before_floor(start):
    p = start(GOOD + b"clock floor 9000-01-01\n")
    p.wait_for("CONF_KEEP")
    assert "event=clock-before-floor" in p.stderr()


def test_bad_messages(start):
    """What wire may not say costs wire its socket, not confd its life."""
    p = start(GOOD)
    wire = p.join(WIRE)
    snapshot(wire)
    send(wire, "CONF_LOAD", fds=[memfd(BETTER)])
    assert receive(wire, 2) is None and p.alive()
    console = p.join(CONSOLE)
    ask(console, "CONF_CHECK", GOOD)
    assert result(console)[0] == OK


def test_text_that_is_no_file(start):
    p = start(GOOD)
    console = p.join(CONSOLE)
    r, w = os.pipe()
    send(console, "CONF_CHECK", fds=[r])
    error, _, report = result(console)
    assert error != OK and "cannot be read" in report
    os.close(r)
    os.close(w)


def test_hundred_thousand_domains(start):
    p = start(GOOD)
    peers, console = all_there(p)
    text = b"".join(b"domain d%d.partner.example verify\n" % i
                    for i in range(100000))
    begun = time.monotonic()
    ask(console, "CONF_LOAD", text)
    for s in peers:
        number, data = snapshot(s, 20)
        ack(s, number)
    assert result(console)[0] == OK
    assert time.monotonic() - begun < 10
    assert len(data) < 100 * 100000
