# SPDX-License-Identifier: BSD-2-Clause
"""confd with a store: what is edited, committed, confirmed, taken back, kept
over a start, and what of it survives damage."""
import os
import re
import shutil
import subprocess
import time

import pytest

from confdkit import E_PEER_ORDER, E_PEER_SYNTAX, OK, RESCUE_COPY, RUNNING, Confd
from fake_boss import receive

FACTORY = b"""\
hostname sealwire
banner none
console timeout 600
management address none
management vlan none
management gateway none
syslog none
ntp none
link-propagation off
intercept port 25
resolver none
limit sessions 8192
limit sessions per-source 2048
limit half-open 1024
limit half-open per-source 256
tls fallback-memory 3600
bare-eol refuse
log addresses on
clock floor 2026-01-01T00:00:00Z
ca builtin
inbound off
inbound tls own
inbound port 0
inbound address none
inbound server none
peers on
default may
"""  # every setting, as it is printed
LINE = b"domain b.example verify\n"


@pytest.fixture(name="start")
def start_fixture(tmp_path):
    started = []
    (tmp_path / "store").mkdir(mode=0o700)

    def start(agree=True, **kw):
        kw.setdefault("store", tmp_path / "store")
        p = Confd(**kw)
        started.append(p)
        p.first = p.agree() if agree else None
        return p

    start.folder = tmp_path / "store"
    yield start
    for p in started:
        assert p.alive(), p.stderr()
        assert "AddressSanitizer" not in p.stderr()
        assert "runtime error" not in p.stderr()
        p.stop()


def again(p, start, **kw):
    """As after a power cut: nothing is told to the program that goes."""
    p.stop()
    return start(**kw)


def stored(folder, kind="cfg"):
    return sorted(folder.glob(f"{kind}.*"))


def test_new_box_begins_with_the_factory_default(start):
    p = start()
    assert p.running() == FACTORY
    assert stored(start.folder) == []
    assert "factory default" in p.do("HISTORY")
    assert not p.do("COMPARE", number=RUNNING)


def test_what_is_committed_is_there_after_a_start(start):
    p = start()
    p.do("EDIT", b"domain a.example encrypt\n" + LINE)
    assert p.running() == FACTORY, "an edit is not a commit"
    assert b"b.example" in p.commit()
    text = p.running()
    assert text == FACTORY + b"domain a.example encrypt\n" + LINE
    q = again(p, start)
    assert b"b.example" in q.first
    assert q.running() == text
    assert len(q.do("HISTORY").splitlines()) == 1
    # sealed: neither the names nor the words can be read from the flash
    for f in start.folder.iterdir():
        assert b"example" not in f.read_bytes()


def test_edits_are_all_or_nothing(start):
    p = start()
    p.do("EDIT", LINE)
    before = p.do("CANDIDATE")
    answer = p.refused("EDIT", b"domain c.example verify\ndomain ..\n")
    assert "line 2" in answer and '".."' in answer
    assert p.do("CANDIDATE") == before
    answer = p.refused("EDIT", b"no domain nobody.example\n")
    assert "nobody.example" in answer
    assert p.do("CANDIDATE") == before
    p.do("EDIT", b"no domain b.example\n")
    assert not p.do("COMPARE", number=RUNNING)


def test_compare_and_discard(start):
    p = start()
    p.do("EDIT", LINE)
    assert p.do("COMPARE", number=RUNNING) == "+ " + LINE.decode()
    p.do("DISCARD")
    assert not p.do("COMPARE", number=RUNNING)
    p.do("REPLACE", LINE)
    assert p.do("COMPARE", number=RUNNING).splitlines()[-1] == \
        "+ " + LINE.decode().strip()


def test_check_says_what_a_commit_would(start):
    p = start()
    p.do("REPLACE", b"default may\ndomain a.example encrpt\n")
    answer = p.refused("COMMIT_CHECK")
    assert 'line 2, column 18: "encrpt"' in answer
    assert p.refused("COMMIT") == answer
    assert p.running() == FACTORY
    assert receive(p.peers[0], 0.1) is None


def test_rollback(start):
    p = start()
    for n in range(4):
        p.do("EDIT", b"domain d%d.example verify\n" % n)
        p.commit()
    assert len(p.do("HISTORY").splitlines()) == 4
    p.do("ROLLBACK", number=2)
    assert p.do("CANDIDATE").count("domain") == 2
    assert "d3" in p.running().decode(), "not before the commit"
    assert p.do("COMPARE", number=2) == ""
    p.commit()
    assert p.running().count(b"domain") == 2
    assert "no such" in p.refused("ROLLBACK", number=17)


def test_history_is_ten_long(start):
    p = start()
    for n in range(14):
        p.do("EDIT", b"domain d%d.example verify\n" % n)
        p.commit()
    assert len(stored(start.folder)) == 10
    lines = p.do("HISTORY").splitlines()
    assert len(lines) == 10
    assert re.match(r" *0 +file 14 ", lines[0]), lines[0]


def test_trial_comes_back_by_itself(start):
    """Not stored; after a power cut the one before is in force."""
    p = start()
    p.do("EDIT", LINE)
    p.commit(seconds=60)
    assert LINE in p.running()
    assert stored(start.folder) == []
    q = again(p, start)
    assert q.running() == FACTORY


def test_trial_that_is_confirmed_stays(start):
    p = start()
    p.do("EDIT", LINE)
    p.commit(seconds=60)
    p.do("CONFIRM")
    assert len(stored(start.folder)) == 1
    assert "nothing waits" in p.refused("CONFIRM")
    assert LINE in again(p, start).running()


def test_trial_that_nobody_confirms(start):
    p = start()
    p.do("EDIT", LINE)
    p.commit(seconds=1)
    assert b"b.example" not in p.agree(timeout=10), "the one before"
    assert p.running() == FACTORY
    assert "event=configuration-not-confirmed" in p.stderr()


def test_a_trial_that_cannot_be_ended_is_ended_later(start):
    """wire does not answer just then: what nobody confirmed must not stay."""
    p = start()
    p.do("EDIT", LINE)
    p.commit(seconds=1)
    wire, relay = p.peers
    assert b"b.example" not in p.agree([relay], timeout=10)
    assert b"b.example" in p.agree([relay], timeout=10), "taken back"
    assert "another configuration" in p.refused("CONFIRM")
    for _ in range(2):
        p.agree([wire])
    assert b"b.example" not in p.agree(timeout=10), "once more"
    assert p.running() == FACTORY
    assert stored(start.folder) == []


def test_rescue_copy(start):
    p = start()
    assert "no rescue copy" in p.refused("ROLLBACK", number=RESCUE_COPY)
    p.do("EDIT", LINE)
    p.commit()
    p.do("RESCUE")
    p.do("EDIT", b"no domain b.example\n")
    p.commit()
    p.do("ROLLBACK", number=RESCUE_COPY)
    p.commit()
    assert LINE in p.running()


def test_password(start):
    p = start()
    p.ask("LOGIN", b"")
    assert p.result()[0] == E_PEER_ORDER, "none is set"
    assert "at least 8" in p.refused("PASSWORD", b"short")
    p.do("PASSWORD", b"correct horse")
    p.refused("LOGIN", b"incorrect horse")
    p.do("LOGIN", b"correct horse")
    q = again(p, start)
    q.do("LOGIN", b"correct horse")
    q.refused("LOGIN", b"")
    q.do("PASSWORD", b"battery staple")
    q.do("EDIT", LINE)
    q.commit()
    q = again(q, start)
    q.refused("LOGIN", b"correct horse")
    q.do("LOGIN", b"battery staple")
    assert "administrator password: set" in q.do("SECURITY")
    for f in start.folder.iterdir():
        assert b"staple" not in f.read_bytes()
        assert b"pbkdf2" not in f.read_bytes(), "sealed too"


def test_whether_there_is_a_password_is_known_without_hashing(start):
    """Enter at a terminal asks so; on a slow box to hash takes seconds."""
    def took(password, answer):
        begin = time.monotonic()
        p.ask("LOGIN", password)
        assert p.result()[0] == answer
        return time.monotonic() - begin

    p = start()
    p.do("PASSWORD", b"correct horse")
    hashing = min(took(b"correct horse", OK) for _ in range(3))
    assert 10 * min(took(b"", E_PEER_SYNTAX) for _ in range(3)) < hashing


def test_a_rollback_never_brings_an_old_password_back(start):
    p = start()
    p.do("PASSWORD", b"first password")
    p.do("EDIT", LINE)
    p.commit()
    p.do("PASSWORD", b"second password")
    p.do("EDIT", b"no domain b.example\n")
    p.commit()
    p.do("ROLLBACK", number=1)
    p.commit()
    p.refused("LOGIN", b"first password")
    p.do("LOGIN", b"second password")


def test_factory_reset(start):
    p = start()
    p.do("PASSWORD", b"correct horse")
    p.do("EDIT", LINE)
    p.commit()
    p.do("RESCUE")
    p.factory_reset()
    p.agree()
    assert p.result()[0] == OK
    assert p.running() == FACTORY
    assert stored(start.folder) == []
    q = again(p, start)
    assert q.running() == FACTORY
    q.ask("LOGIN", b"correct horse")
    assert q.result()[0] == E_PEER_ORDER, "none is set"
    q.do("EDIT", LINE)
    q.commit()
    assert LINE in again(q, start).running()


def test_damaged_newest_leaves_the_one_before(start):
    p = start()
    p.do("EDIT", LINE)
    p.commit()
    p.do("EDIT", b"domain c.example verify\n")
    p.commit()
    p.stop()
    newest = stored(start.folder)[-1]
    data = bytearray(newest.read_bytes())
    data[-40] ^= 1
    newest.chmod(0o600)
    newest.write_bytes(data)
    q = start()
    assert q.running() == FACTORY + LINE
    assert newest.name in q.stderr(), "and says so"
    q.do("EDIT", b"domain d.example verify\n")
    q.commit()
    assert b"d.example" in again(q, start).running()


def test_all_damaged_means_closed(start):
    p = start()
    p.do("EDIT", LINE)
    p.commit()
    p.stop()
    for f in stored(start.folder):
        f.chmod(0o600)
        f.write_bytes(b"\xff" * 100)
    q = start(agree=False)
    assert receive(q.peers[0], 0.5) is None, "no factory default by surprise"
    assert "no-configuration" in q.stderr()
    # the way out
    q.factory_reset()
    q.agree()
    assert q.result()[0] == OK
    assert q.running() == FACTORY


def test_secret_of_another_box(start):
    p = start()
    p.do("EDIT", LINE)
    p.commit()
    p.stop()
    q = start(agree=False, secret=b"\7" * 32)
    assert receive(q.peers[0], 0.5) is None
    q.stop()
    assert LINE in start().running(), "and nothing was lost by trying"


def test_refused_commit_is_not_stored(start):
    p = start()
    p.do("EDIT", LINE)
    p.ask("COMMIT")
    p.agree(peers=p.peers[:1])
    p.agree(peers=p.peers[1:], error=-301)
    p.agree()
    error, answer = p.result()
    assert error != OK and "in force again" in answer
    assert p.running() == FACTORY and stored(start.folder) == []
    assert LINE.decode() in p.do("CANDIDATE"), "the work is not lost"


@pytest.fixture(name="small")
def small_fixture(tmp_path):
    """A medium of 64 KiB."""
    where = tmp_path / "small"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none",
                    where], check=True)
    yield where
    subprocess.run(["umount", where], check=True)


def test_full_flash(small, start):
    p = start(store=small)
    p.do("EDIT", LINE)
    p.commit()
    text = b"".join(b"domain d%d.example verify\n" % i for i in range(20000))
    p.do("EDIT", text)
    p.ask("COMMIT")
    p.agree()
    p.agree()  # taken back
    error, answer = p.result()
    assert error != OK and "the flash is full" in answer
    assert p.running() == FACTORY + LINE
    p.do("DISCARD")
    q = again(p, start, store=small)
    assert q.running() == FACTORY + LINE
    q.do("EDIT", b"domain c.example verify\n")
    q.commit()
    q.stop()


def test_folder_without_write(start):
    p = start()
    p.stop()
    shutil.rmtree(start.folder)
    start.folder.mkdir()
    fd = os.open(start.folder, os.O_RDONLY | os.O_DIRECTORY)
    start.folder.rmdir()  # a folder that takes no file any more
    q = start(store=f"/proc/self/fd/{fd}")
    os.close(fd)
    q.do("EDIT", LINE)
    q.ask("COMMIT")
    q.agree()
    q.agree()
    error, answer = q.result()
    assert error != OK and answer.strip()
    assert q.running() == FACTORY


def test_a_hundred_thousand_domains_are_kept(start):
    p = start()
    text = b"".join(b"domain d%d.partner.example verify\n" % i
                    for i in range(100000))
    p.do("EDIT", text)
    p.commit()
    q = again(p, start)
    assert q.running().count(b"\ndomain ") == 100000
