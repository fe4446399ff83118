# SPDX-License-Identifier: BSD-2-Clause
"""The floor of the clock: from the setting, the build, and what a person has
vouched for; no other time moves it."""
import struct
import time

import pytest

from fake_boss import (CONFD, OK, WIRE, Program, contents, memfd, receive,
                       send)
from test_confd_store import again, start_fixture, stored  # noqa: F401

FOREIGN, UNSET, CHIP, SET = range(4)  # enum stats_clock
BUILD = 1767225600                    # 2026-01-01: what a build for a PC has
DAY, YEAR = 86400, 365 * 86400


def floor_of(data):
    return struct.unpack_from("<Q", data, 88)[0]


def unset(data):
    return bool(struct.unpack_from("<I", data, 120)[0] & 1 << 7)


def says(p, source, when):
    send(p.sock, "CLOCK", struct.pack("<QB", int(when), source))


def clock_set(p, when):
    """"clock set" at the console; what the programs have afterwards."""
    says(p, SET, when)
    return p.agree()


def floor_at_start(p):
    return floor_of(p.first)


def test_floor_of_the_setting_and_of_the_build(start):  # noqa: F811
    p = start()
    assert floor_at_start(p) == BUILD
    assert not unset(p.first)
    p.do("EDIT", b"clock floor 2020-01-01\n")
    assert floor_of(p.commit()) == BUILD
    assert b"clock floor 2020-01-01T00:00:00Z\n" in p.running()
    p.do("EDIT", b"clock floor 2030-01-01\n")
    assert floor_of(p.commit()) == 1893456000
    assert "before 2030-01-01T00:00:00Z" in p.do("SECURITY")


def test_clock_set_is_kept_and_can_be_taken_back(start):  # noqa: F811
    p = start()
    wrong, right = BUILD + 20 * YEAR, BUILD + YEAR
    assert floor_of(clock_set(p, wrong)) == wrong
    p = again(p, start)
    assert floor_at_start(p) == wrong, "it was said, it counts"
    assert floor_of(clock_set(p, right)) == right
    p = again(p, start)
    assert floor_at_start(p) == right
    assert floor_of(clock_set(p, BUILD - 9 * YEAR)) == BUILD
    p = again(p, start)
    assert floor_at_start(p) == BUILD
    assert len(stored(start.folder, "clock")) == 1


@pytest.mark.parametrize("source", [FOREIGN, UNSET, CHIP])
def test_no_other_time_moves_it(start, source):  # noqa: F811
    """Time pushed 20 years ahead, commits, a power cut: as it was."""
    p = start()
    says(p, source, BUILD + 20 * YEAR)
    if source == UNSET:  # that it is not set has to be known everywhere
        data = p.agree()
        assert unset(data) and floor_of(data) == BUILD
    p.do("EDIT", b"log addresses off\n")
    assert floor_of(p.commit()) == BUILD
    assert not stored(start.folder, "clock")
    assert floor_at_start(again(p, start)) == BUILD


def test_a_commit_moves_it_when_the_clock_was_set(start):  # noqa: F811
    p = start()
    clock_set(p, BUILD + YEAR // 2)  # long ago, by the clock of this test
    now = int(time.time())
    assert now > BUILD + YEAR // 2 + DAY
    p.do("EDIT", b"log addresses off\n")
    p.commit()
    # once a day is enough for flash
    files = stored(start.folder, "clock")
    p.do("EDIT", b"log addresses on\n")
    assert abs(floor_of(p.commit()) - now) < 60
    assert stored(start.folder, "clock") == files
    assert abs(floor_at_start(again(p, start)) - now) < 60


def test_setting_it_changes_nothing_else(start):  # noqa: F811
    """Not the candidate, not a trial, not what is stored."""
    p = start()
    p.do("EDIT", b"log addresses off\n")
    p.commit(3)
    p.do("EDIT", b"domain b.example encrypt\n")
    data = clock_set(p, BUILD + YEAR)
    assert floor_of(data) == BUILD + YEAR
    assert "domain b.example" in p.do("CANDIDATE")
    assert b"log addresses off" in p.running()
    assert not stored(start.folder)
    p.agree(timeout=10)  # nobody confirms
    assert b"log addresses on" in p.running()


def test_what_depends_on_it_says_so(start):  # noqa: F811
    p = start()
    says(p, UNSET, 0)
    assert unset(p.agree())
    p.do("EDIT", b"log addresses off\n")
    p.commit()
    assert "clock was not set" in p.do("HISTORY")
    assert "is believed; it is not set" in p.do("SECURITY")
    assert not unset(clock_set(p, BUILD + YEAR))
    p.do("EDIT", b"log addresses on\n")
    p.commit()
    newest, older = p.do("HISTORY").splitlines()
    assert "clock was not set" not in newest
    assert "clock was not set" in older
    assert "it is not set" not in p.do("SECURITY")


def test_busy(start):  # noqa: F811
    """It is set while a commit is under way: after it."""
    p = start()
    p.do("EDIT", b"log addresses off\n")
    p.ask("COMMIT")
    first = receive(p.peers[0])
    says(p, SET, BUILD + YEAR)
    time.sleep(0.3)
    number = struct.unpack("<Q", first[1])[0]
    send(p.peers[0], "SNAPSHOT_ACK", struct.pack("<iQ", OK, number))
    p.agree(peers=p.peers[1:])
    assert p.result()[0] == OK
    assert floor_of(p.agree()) == BUILD + YEAR
    assert b"log addresses off" in p.running()


def test_known_before_the_first_configuration():
    p = Program(CONFD, [("CONF_FILE", struct.pack("<BI", CONFD, 0),
                         [memfd(b"default may\n")]),
                        ("CLOCK", struct.pack("<QB", 0, UNSET), [])])
    try:
        m = receive(p.join(WIRE))
        assert m[0] == "SNAPSHOT" and unset(contents(m[2][0]))
    finally:
        p.stop()
