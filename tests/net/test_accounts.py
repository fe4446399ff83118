# SPDX-License-Identifier: BSD-2-Clause
"""Accounts: a password that was typed is sealed at once, is never seen again in
clear but by the program `keys`, and opens on this box alone."""
import re
import shutil
import struct

import pytest

from confdkit import CONFD, RESCUE_COPY, Confd, agree_keys
from fake_boss import (E_CORRUPT, KEYS, OK, Program, contents, memfd,
                       receive, send)
from test_confd_store import again, start_fixture  # noqa: F401

HUSH = "h\u00fcsh hush"
TYPED = f'account Bob nt-domain CORP user svc password "{HUSH}"\n'.encode()
SEALED = re.compile(
    rb"^account bob nt-domain CORP user svc password sealed \S+$", re.M)


@pytest.fixture(name="box")
def box_fixture(start):  # noqa: F811
    p = start()
    p.keys = p.join(KEYS)
    agree_keys(p)
    return p


def nothing_in_clear(p, *texts):
    for text in (*texts, p.stderr()):
        if isinstance(text, str):
            text = text.encode()
        for part in HUSH.split():
            assert part.encode() not in text


def commit(p):
    """What keys and the others got."""
    p.ask("COMMIT")
    secrets = agree_keys(p)
    data = p.agree()
    error, answer = p.result()
    assert error == OK, (answer, p.stderr())
    return secrets, data


def test_typed(box, start):
    assert box.do("EDIT", TYPED) == ""
    candidate = box.do("CANDIDATE")
    assert SEALED.search(candidate.encode())
    compared = box.do("COMPARE", number=RESCUE_COPY)
    secrets, snapshot = commit(box)
    assert HUSH.encode() in secrets
    running = box.running()
    nothing_in_clear(box, candidate, compared, snapshot, running,
                     box.do("HISTORY"))
    line = SEALED.search(running).group()
    # stable, whatever is committed later
    box.do("EDIT", b"log addresses off\n")
    commit(box)
    assert line in box.running()
    # it re-creates itself
    box.do("REPLACE", box.running())
    secrets, _ = commit(box)
    assert line in box.running() and HUSH.encode() in secrets
    # and after a power cut
    p = again(box, start)
    assert line in p.running()
    assert HUSH.encode() in agree_keys(p, p.join(KEYS))
    for f in start.folder.iterdir():
        nothing_in_clear(p, f.read_bytes())


@pytest.mark.parametrize("way", ["REPLACE", "CONF_LOAD", "factory", "kept"])
def test_sealed_in_every_text(start, way):  # noqa: F811
    text = b"! the password of Bob\ndefault may\n" + TYPED
    if way in ("factory", "kept"):
        p = start(**{way: text})
    else:
        p = start()
    if way == "REPLACE":
        p.do("REPLACE", text)
        nothing_in_clear(p, p.do("CANDIDATE"))
        p.commit()
    elif way == "CONF_LOAD":
        fd = memfd(text)
        send(p.console, "CONF_LOAD", fds=[fd])
        p.agree()
        assert p.result()[0] == OK
    assert SEALED.search(p.running())
    nothing_in_clear(p, p.running(), p.first,
                     contents(p.wait_for("CONF_KEEP")[2][0]))


def test_moved(box, tmp_path, start):
    """To another account, another box, or with a character changed."""
    box.do("EDIT", TYPED)
    commit(box)
    word = SEALED.search(box.running()).group().split()[-1].decode()
    other = "sealed by another box, for another account, or was changed"
    changed = word[:30] + ("A" if word[30] != "A" else "B") + word[31:]
    for line, column in ((f"account eve user u password sealed {word}", 36),
                         (f"account bob user u password sealed {changed}",
                          36)):
        answer = box.refused("EDIT", line.encode())
        shown = line.split()[-1][:64]
        assert answer.startswith(f'line 1, column {column}: "{shown}...": '
                                 "this password was " + other), answer
        box.do("EDIT", b"no account bob")
        text = box.do("CANDIDATE") + line + "\n"
        answer = box.refused("REPLACE", text.encode())
        assert other in answer and f"line {text.count(chr(10))}," in answer
        box.do("DISCARD")
    assert "not a sealed password" in box.refused(
        "EDIT", b"account bob user u password sealed QUJD")
    # another user of the same account keeps its password
    box.do("EDIT", f"account bob user u password sealed {word}".encode())
    secrets, _ = commit(box)
    assert HUSH.encode() in secrets
    (tmp_path / "other").mkdir()
    p = start(store=tmp_path / "other", secret=bytes(32))
    assert other in p.refused(
        "EDIT", f"account bob user u password sealed {word}".encode())


def test_older_ones_bring_their_passwords(box):
    """A rollback and the rescue copy open as well: they are of this box."""
    box.do("EDIT", TYPED)
    commit(box)
    box.do("RESCUE")
    box.do("EDIT", b"account bob user svc password other-password\n")
    secrets, _ = commit(box)
    assert b"other-password" in secrets and HUSH.encode() not in secrets
    for number in (1, RESCUE_COPY):
        box.do("ROLLBACK", number=number)
        secrets, _ = commit(box)
        assert HUSH.encode() in secrets and b"other" not in secrets
        box.do("EDIT", b"no account bob\n")
        commit(box)


def test_factory_reset(start):  # noqa: F811
    """The store has another secret afterwards; the factory's own account is
    sealed with that one, and opens after a start."""
    p = start(factory=b"default may\n" + TYPED, secret=None)
    p.keys = p.join(KEYS)
    agree_keys(p)
    before = SEALED.search(p.running()).group()
    p.do("EDIT", b"log addresses off\n")
    commit(p)
    p.factory_reset()
    assert HUSH.encode() in agree_keys(p)
    p.agree()
    assert p.result()[0] == OK
    after = SEALED.search(p.running()).group()
    assert after != before
    assert "sealed by another box" in p.refused("EDIT", before)
    kept = p.running()
    p = again(p, start, secret=None, kept=kept)
    assert after in p.running()
    assert HUSH.encode() in agree_keys(p, p.join(KEYS))


def test_no_store(start):  # noqa: F811
    p = start(store=None)
    answer = p.refused("EDIT", TYPED)
    assert answer.startswith("line 1, column 46: a password cannot be kept: "
                             "this box has no store")
    assert "cannot be kept" in p.refused("REPLACE", b"default may\n" + TYPED)
    nothing_in_clear(p, answer, p.do("CANDIDATE"))
    sealed = b"account bob user svc password sealed QUJD\n"
    assert "cannot be opened: this box has no store" in \
        p.refused("EDIT", sealed)


def test_store_from_elsewhere(box, tmp_path, start):
    """The folder of another device: nothing in it can be read, and no password
    of the configuration that boss kept opens."""
    box.do("EDIT", TYPED)
    commit(box)
    kept = box.running()
    shutil.copytree(start.folder, tmp_path / "copy")
    p = start(agree=False, store=tmp_path / "copy", secret=bytes(32),
              kept=kept)
    assert not receive(p.peers[0], 1)
    assert "sealed by another box" in p.stderr()


def test_wrong_lines_do_not_stay(box):
    for line in (b"acount bob user svc password hush\n",
                 b"account bob usr svc password hush\n",
                 b"account bob user svc password my hush\n",
                 b'account bob user svc password "hush\n'):
        answer = box.refused("REPLACE", b"default may\n" + line)
        assert answer.startswith("line 2, column ")
        nothing_in_clear(box, answer, box.do("CANDIDATE"))
        nothing_in_clear(box, box.refused("EDIT", line))


def test_keys_is_asked_too(box):
    """All or nothing: what keys does not take is not in force anywhere."""
    before = box.running()
    box.do("EDIT", TYPED)
    box.ask("COMMIT")
    agree_keys(box, error=E_CORRUPT)
    for s in box.peers:
        assert receive(s)[0].startswith("SNAPSHOT")
    error, answer = box.result()
    assert error == E_CORRUPT and "keys 0 did not take it" in answer
    # what was before, once more, also for keys
    assert HUSH.encode() not in agree_keys(box)
    box.agree()
    assert box.running() == before


def test_secrets_for_keys_alone(box):
    box.do("EDIT", TYPED)
    commit(box)
    number = agree_keys(box, box.join(KEYS), "number")  # it started again
    for s in box.peers:
        assert not receive(s, 0.3)
    assert number == 2


# --- the program --------------------------------------------------------------
def table(*accounts, uses=0):
    """As secret/secret_table.h has it. uses: mechanisms of rules, as bits."""
    out = b"SWSECRET" + struct.pack("<IIQ", 2, len(accounts), 0)
    for fields in accounts:
        fields = [*(f.encode() for f in fields), struct.pack("<I", uses)]
        out += struct.pack("<BBH", 1, len(fields), 0)
        out += struct.pack(f"<{len(fields)}I", *map(len, fields))
        out += b"".join(fields)
    return out


@pytest.fixture(name="keys")
def keys_fixture():
    p = Program(KEYS, [])
    p.confd = p.join(CONFD)
    yield p
    assert p.alive(), p.stderr()
    assert "Sanitizer" not in p.stderr()
    p.stop()


def give(p, number, data, may_sign=True):
    fd = memfd(data)
    send(p.confd, "SECRETS", struct.pack("<QB", number, may_sign), [fd])
    kind, body, _ = receive(p.confd)
    assert kind == "SNAPSHOT_ACK"
    error, of = struct.unpack("<iQ", body)
    assert of == number
    return error


def memory(p):
    return memory_of(p.process.pid)


def memory_of(pid):
    """All that the program has written to."""
    out = b""
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            where, rights = line.split()[:2]
            low, high = (int(x, 16) for x in where.split("-"))
            if rights.startswith("rw") and high - low < 64 << 20:
                try:
                    mem.seek(low)
                    out += mem.read(high - low)
                except OSError:
                    pass  # nothing is mapped there yet
    return out


def test_keys_wipes(keys):
    p = Program(KEYS, [], build="bin")
    try:
        p.confd = p.join(CONFD)
        first, second = "first" + "\u00fc" * 40, "second" + "\u00fc" * 40
        assert give(p, 1, table(["bob", "", "u", first, "x"])) == OK
        assert first.encode() in memory(p)
        assert give(p, 2, table(["bob", "", "u", second, "x"])) == OK
        assert second.encode() in memory(p)
        assert first.encode() not in memory(p)
        # what is no table changes nothing, and does not stay either
        assert give(p, 3, table(["bob", "", "u", first, "x"])[:-1]) == \
            E_CORRUPT
        assert second.encode() in memory(p)
        assert first.encode() not in memory(p)
        assert give(p, 4, table()) == OK
        assert second.encode() not in memory(p)
    finally:
        p.stop()


@pytest.mark.parametrize("data", [
    b"", b"x", b"SWSECRET", b"SWSECRET" + b"\xff" * 16, b"\0" * (5 << 20),
    table(["a", "", "u", "p", "x"]) + b"x", table(["", "", "u", "p", "x"]),
    table(*[["a", "", "u", "p", "x"]] * 257)],
    ids=lambda d: str(len(d)))
def test_keys_refuses(keys, data):
    assert give(keys, 1, data) != OK
    assert give(keys, 2, table(["a", "", "u", "p", "x"])) == OK
