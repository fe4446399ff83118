# SPDX-License-Identifier: BSD-2-Clause
"""watch: the next session on a screen, inside left, outside right, and the moment
where it becomes unreadable."""
import os
import re

from mailkit import net, poll, server_tls
from test_capture import line_fixture  # noqa: F401

BAR = 37


def begin(line, command):
    line.type(command)
    line.until(b"(the next session follows)")


def rows(line, end=b"(that was all)"):
    """(left halves, right halves, row of the switch or None)"""
    text = line.until(end).decode().replace("\r", "")
    line.until(b"# ")
    left, right, switch = [], [], None
    for i, row in enumerate(text.strip("\n").split("\n")):
        assert len(row) < 80 and row[BAR:BAR + 1] in "|+", row
        left.append(row[:BAR].rstrip())
        right.append(row[BAR + 1:].strip())
        if "from here on TLS" in row:
            assert switch is None
            switch = i
    return left, right, switch


def test_a_protected_session(box, authority, line):
    mx = box.mx(tls=server_tls(authority))
    begin(line, "watch")
    r = box.send(mx.address, ["bob@enc.example"], protected=True)
    assert r.final == 250
    left, right, switch = rows(line)
    said = [l[2:] for l in left if l.startswith("> ")]
    assert said[0] == "EHLO mail.corp.example"
    assert "RCPT TO:<bob@enc.example>" in said and "QUIT" in said
    assert any(l.startswith("< 354") for l in left)
    before, behind = right[:switch], [r for r in right[switch + 1:] if r]
    assert before[-1] == "< 220 go" and "> STARTTLS" in before
    assert not [r for r in before if "RCPT" in r or "MAIL" in r]
    assert behind and all(
        re.fullmatch(r"[<>]( [0-9a-f]{2}){1,8}( \.\.\. \d+ octets)?", r)
        for r in behind), behind
    assert behind[0].startswith("> 16 03")


def test_the_next_one_of_a_domain(box, authority, line):
    mx = box.mx(tls=server_tls(authority))
    plain = box.mx()
    begin(line, "watch domain ENC.example")
    assert box.send(plain.address, ["eve@other.example"]).final == 250
    assert box.send(mx.address, ["bob@enc.example"], True).final == 250
    left, right, switch = rows(line)
    assert switch and "> RCPT TO:<bob@enc.example>" in left
    # from its beginning, and nothing of the one before
    assert "> EHLO mail.corp.example" in left
    assert not [r for r in left + right if "other.example" in r]


def test_the_next_one_of_a_host(box, line):
    mx, other = box.mx(), box.mx()
    begin(line, f"watch peer {mx.address}")
    assert box.send(other.address, ["eve@other.example"]).final == 250
    assert box.send(mx.address, ["eve@peer.example"]).final == 250
    left, right, switch = rows(line)
    assert switch is None
    for half in left, right:
        assert "> RCPT TO:<eve@peer.example>" in half
    assert not [r for r in left + right if "other.example" in r]


def test_it_ends(box, line):
    begin(line, "watch")
    os.write(line.fd, b"\x03")
    line.until(b"# ")
    assert box.send(box.mx().address, ["eve@other.example"]).final == 250
    begin(line, "watch")
    pid, = box.pids("witness")
    os.kill(pid, 9)
    line.until(b"witness has stopped)")
    line.until(b"# ")
    assert poll(lambda: box.pids("witness") not in ([], [pid]))
    assert poll(lambda: "self-test    passed" in net.cli("verify"))
    begin(line, "watch")
    assert box.send(box.mx().address, ["eve@again.example"]).final == 250
    left, _, _ = rows(line)
    assert "> RCPT TO:<eve@again.example>" in left
    for wrong in ("watch domain -", "watch peer mx.example"):
        line.type(wrong)
        line.until(b"% ")
        line.until(b"# ")
    box.restarts = box.counters("restarts")
