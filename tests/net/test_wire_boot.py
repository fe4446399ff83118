# SPDX-License-Identifier: BSD-2-Clause
"""No clear byte of mail at any moment of a start, a restart, or without us.

A process hammers port 25 with segments of sessions that the box has never
seen, each with the canary in it, while the box comes up, while its programs
are killed, and after all of them are dead. The outside is watched throughout.
"""
import contextlib
import os
import signal
import time

import pytest
from wirekit import ACK, CANARY, PSH, SYN, Lab, Net, Port, until

PROGRAMS = ["wire", "relay", "confd", "console", "keys", "witness",
            "boss"]
VLAN = b"\x81\x00\x00\x07"


@contextlib.contextmanager
def hammer(seconds=60):
    """Segments of 16 old sessions, as fast as they go, until the end."""
    port = Port("mail")
    net = Net(port, port)
    frames = []
    for i in range(16):
        c = net.client(v6=i % 2 == 1, tags=VLAN if i % 4 > 1 else b"")
        c.rcv = 77
        frames.append(c.raw(ACK | PSH, b"RCPT TO:<b@x>\r\n" + CANARY))
        frames.append(c.raw(SYN))
        frames.append(c.raw(SYN | PSH, CANARY, options=b"\x22\x02\x01\x01"))
    pid = os.fork()
    if pid == 0:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for f in frames:
                with contextlib.suppress(OSError):
                    port.send(f)
            port.drain()
            port.seen.clear()
            time.sleep(0.0005)
        os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        port.close()


@pytest.fixture
def outside():
    """Opened when the lab is there."""
    opened = []

    def watch():
        opened.append(Port("net"))
        return opened[0]
    yield watch
    for p in opened:
        p.close()


def test_boot_lets_no_clear_byte_out(outside):
    with Lab(box=False) as lab:
        port = outside()
        with hammer():
            time.sleep(0.1)
            assert port.drain() == []
            lab.start()
            until(lambda: lab.counter("unknown-sessions-reset") > 100,
                  what="the hammer being answered")
            port.drain()
        assert any(f[12:14] == b"\x08\x00" for f in port.seen)
        assert port.never_saw(CANARY)


@pytest.mark.parametrize("program", ["wire", "confd", "relay"])
def test_i1_killed_program_lets_no_clear_byte_out(outside, program):
    with Lab() as lab:
        port = outside()
        with hammer():
            until(lambda: lab.counter("unknown-sessions-reset") > 0)
            for _ in range(8 if program == "wire" else 2):
                old = lab.pids(program)
                for pid in old:
                    os.kill(pid, signal.SIGKILL)
                began = time.monotonic()
                until(lambda: lab.pids(program) and
                      not set(lab.pids(program)) & set(old), 2,
                      f"{program} is back")
                if program != "wire":
                    continue
                was = lab.counter("unknown-sessions-reset")
                until(lambda: lab.counter("unknown-sessions-reset") > was, 2,
                      "mail is taken again")
                assert time.monotonic() - began < 2
                port.drain()
        assert port.never_saw(CANARY)


def test_p4_all_programs_killed_the_rest_flows_and_mail_does_not(outside):
    with Lab() as lab:
        port, inside = outside(), Port("mail")
        for p in PROGRAMS:
            for pid in lab.pids(p):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not any(lab.pids(p) for p in PROGRAMS), 2)
        with hammer():
            frames = [b"\x02\x77\x00\x00\x00\x25\x02\x77\x00\x00\x00\x99" +
                      b"\x88\xb5" + bytes([i]) * 60 for i in range(100)]
            inside.send(*frames)
            got = port.collect(100, match=lambda f: f[12:14] == b"\x88\xb5")
            assert got == frames
            time.sleep(0.2)
        assert port.never_saw(CANARY)
        # but the groups that the kernel inside joins (MLD)
        assert not [f for f in port.seen
                    if f not in frames and f[:2] != b"33"]
        inside.close()
