# SPDX-License-Identifier: BSD-2-Clause
"""The watch over the outside port: it sees what is readable there, is not fooled by
what may be, and proves that it would see it."""
import os
import re
import signal
import socket
import struct

import pytest

from mailkit import Client, net, poll, server_tls, socket_in, transact

LINE = "X-Confidential: the tender of the {} is at 4711 gold pieces"


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frame(text, sport, dport=25, seq=1):
    """TCP from 10.77.0.10, as it would leave if nobody held it back."""
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(text), 1, 0, 64, 6, 0,
                     socket.inet_aton("10.77.0.10"),
                     socket.inet_aton("198.51.100.99"))
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, 1, 0x50, 0x18, 8192, 0,
                      0)
    return bytes.fromhex("027700000001" "027700000010" "0800") + ip + tcp + text


@pytest.fixture(name="hole")
def hole_fixture():
    """What a box with a hole in it would send out of its outside port."""
    sock = socket_in("box", socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind(("outside", 0))
    yield sock
    sock.close()


def verify():
    """(did it pass, what it says)"""
    try:
        return True, net.cli("verify")
    except net.LabError as e:
        return False, str(e)


def deliver(box, authority, line, rcpt="bob@enc.example", mx=None):
    mx = mx or box.mx(tls=server_tls(authority))
    body = f"{line}\r\n\r\nwords\r\n".encode()
    box.submitted.add(body)
    return box.send(mx.address, [rcpt], body=body)


def test_it_tests_itself(box):
    assert poll(lambda: box.counter("self-tests-passed") > 0)
    tests = box.counter("self-tests-passed")
    passed, text = verify()
    assert passed and "self-test    passed" in text, text
    assert "clear text   0 times" in text
    assert box.counter("self-tests-passed") == tests + 1
    assert re.search(r"^verify +clear text 0, frames watched \d+",
                     box.cli("show status"), re.M)


@pytest.mark.parametrize("what", ["line", "rcpt", "address", "pieces"])
def test_what_is_readable_is_an_alarm(box, authority, hole, what):
    line = LINE.format(what)
    assert deliver(box, authority, line, f"{what}@enc.example").final == 250
    assert box.counter("texts-watched-for") > 0
    before = box.counter("clear-text-seen")
    text = {"rcpt": f"RCPT TO:<{what}@enc.example>",
            "address": f"To: <{what}@enc.example>"}.get(what, line).encode()
    if what == "pieces":
        for at in range(len(text)):
            hole.send(frame(text[at:at + 1], 4000, seq=100 + at))
    else:
        hole.send(frame(b"words before it " + text + b" and after", 4000))
    assert poll(lambda: box.counter("clear-text-seen") > before), what
    box.leaks = box.counter("clear-text-seen")
    assert box.leaks == before + 1
    status = box.cli("show status")
    assert "VERIFY       CLEAR TEXT SEEN" in status
    # at most once a minute; what was seen before is counted in it
    assert "event=clear-text-seen client=10.77.0.10 client-port=4000 " \
        "server=198.51.100.99 port=25 times=1" in box.cli("show log alarm")
    assert "ATTENTION    CLEAR TEXT OF PROTECTED MAIL" in status
    passed, text = verify()
    assert not passed and f"CLEAR TEXT   {box.leaks} times" in text


def test_nobodys_words_are_none(box, authority, hole):
    assert deliver(box, authority, LINE.format("nobody")).final == 250
    hole.send(frame(b"X-Confidential: the tender of somebody else", 4000))
    hole.send(frame(LINE.format("nobody").encode(), 4000, dport=80))
    assert verify()[1].startswith("self-test    passed")


def test_the_same_message_may_leave_in_clear_to_others(box, authority):
    """One message, two recipients, two sessions: what is readable in the one is
    what must not be in the other."""
    plain = box.mx()
    line = LINE.format("crowd")
    protected = box.mx(tls=server_tls(authority))
    body = f"{line}\r\nTo: bob@enc.example, eve@other.example\r\n\r\n".encode()
    box.submitted.add(body)
    for _ in range(3):
        assert box.send(protected.address, ["bob@enc.example"],
                        body=body).final == 250
        assert box.send(plain.address, ["eve@other.example"],
                        body=body).final == 250
    with Client(plain.address) as c:
        c.hello()
        r = transact(c, ["bob@enc.example", "eve@other.example"], body)
        assert r.rcpt == [451, 250] and r.final == 250
        box.note(r, body)
        r = transact(c, ["eve@other.example", "bob@enc.example"], body)
        assert r.rcpt == [250, 451] and r.final == 250
        box.note(r, body)


def test_what_was_in_clear_before_is_no_alarm(box):
    """witness is slow: it sees the sender of mail that may leave in clear when he is
    named already in that of the next one, which must not."""
    mx, body = box.mx(), box.body()
    witness, = box.pids("witness")
    with Client(mx.address) as c:
        c.hello()
        os.kill(witness, signal.SIGSTOP)
        try:
            r = transact(c, ["b@other.example"], body)
            box.note(r, body)
            assert r.final == 250
            assert transact(c, ["b@enc.example"], box.body(True)).rcpt == [451]
        finally:
            os.kill(witness, signal.SIGCONT)
        assert c.cmd("QUIT")[0] == 221
    assert verify()[1].startswith("self-test    passed")
    assert box.counter("clear-text-seen") == box.leaks


def test_a_port_that_does_not_send_is_noticed(box):
    net.ip("-n", net.SPACES["box"], "link", "set", "outside", "down")
    try:
        passed, text = verify()
        assert not passed and "FAILED" in text
        assert "mail is not watched" in box.cli("show status")
    finally:
        net.ip("-n", net.SPACES["box"], "link", "set", "outside", "up")
    assert poll(lambda: verify()[1].startswith("self-test    passed"))
    assert "mail is not watched" not in box.cli("show status")


def test_mail_does_not_wait_for_it(lab, authority):
    pid, = lab.pids("witness")
    os.kill(pid, signal.SIGSTOP)
    assert deliver(lab, authority, LINE.format("stopped")).final == 250
    os.kill(pid, signal.SIGKILL)
    assert deliver(lab, authority, LINE.format("killed")).final == 250
    assert poll(lambda: lab.pids("witness") not in ([], [pid]))
    assert poll(lambda: verify()[1].startswith("self-test    passed"))
    # what was seen in this lab is not forgotten
    assert ("ATTENTION    CLEAR TEXT" in lab.cli("show status")) == \
        (lab.leaks > 0)
    named = lab.counter("texts-watched-for")
    assert deliver(lab, authority, LINE.format("back")).final == 250
    assert lab.counter("texts-watched-for") > named
    lab.check(restarted=True)


def test_a_port_that_a_protected_session_had(box, authority):
    """The same sender from the same port again, in clear as it may be."""
    for mx, to in ((box.mx(tls=server_tls(authority)), "b@enc.example"),
                   (box.mx(), "x@honest.example")):
        body = box.body()
        with Client(mx.address, source=("10.77.0.10", 41234)) as c:
            c.hello()
            r = transact(c, [to], body)
            box.note(r, body)
            c.cmd("QUIT")
        assert r.final == 250, r.__dict__
