# SPDX-License-Identifier: BSD-2-Clause
"""Calls of the box's programs that fail when a test says so, and clocks that
run (tests/fault/fault.h)."""
import contextlib
import mmap
import os
import struct
import threading

import pytest

from mailkit import Box, Gone, net

MEMORY, SEND, DESCRIPTOR, RANDOM = KINDS = range(4)
NAMES = ["memory", "send", "descriptor", "random"]
SIZE = 4 * 4 + 16 + 4 * 8
LASTING, FASTER, LOST, CALLS = 16, 20, 24, 32


class Faults:
    """Of one program (all relays are one)."""

    def __init__(self, program):
        folder = net.OUT / "fault"
        folder.mkdir(exist_ok=True)
        self.path = folder / program
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        os.fchmod(fd, 0o666)
        os.ftruncate(fd, SIZE)
        self.map = mmap.mmap(fd, SIZE)
        os.close(fd)

    def put(self, at, value):
        struct.pack_into("<I", self.map, at, value)

    def arm(self, kind, n, lasting=False):
        """The n-th call of this kind from now on fails."""
        self.put(LASTING, lasting)
        self.put(kind * 4, n)

    def disarm(self):
        """Was it reached?"""
        left = struct.unpack_from("<4I", self.map, 0)
        lasting = struct.unpack_from("<I", self.map, LASTING)[0]
        for kind in KINDS:
            self.arm(kind, 0)
        return not any(n > lasting for n in left)

    def calls(self, kind):
        """So far, since the last question."""
        n = struct.unpack_from("<Q", self.map, CALLS + kind * 8)[0]
        struct.pack_into("<Q", self.map, CALLS + kind * 8, 0)
        return n

    def faster(self, times):
        self.put(FASTER, times)

    def lose(self, octets):
        """So many, in all, has the line lost."""
        self.put(LOST, octets)

    def close(self):
        self.map.close()
        self.path.unlink(missing_ok=True)


# --- a call of each kind fails (A43) ------------------------------------------------
KIND = pytest.mark.parametrize("kind", KINDS, ids=NAMES)
GAVE_UP = (OSError, Gone, AssertionError, ValueError, net.LabError)


@contextlib.contextmanager
def failing_lab(folder, config, programs):
    """A lab of programs whose calls can fail: (box, {program: its Faults})."""
    faults = {p: Faults(p) for p in programs}
    try:
        box = Box(folder, config, up=["--faults"])
        try:
            yield box, faults
        finally:
            box.down()
    finally:
        for one in faults.values():
            one.close()


@contextlib.contextmanager
def gets_well(box, faults):
    """After the test no call fails any more, and the oracles are asked."""
    yield box
    for f in faults.values():
        f.disarm()
    box.wait_ready()
    box.check(restarted=True)


@pytest.fixture(name="faults")
def faults_fixture(lab):
    return lab[1]


@pytest.fixture(name="box")
def box_fixture(lab):
    with gets_well(*lab) as box:
        yield box


def sweep(faults, program, kind, work, check=lambda: None, stride=1):
    """work() with the 1st, 2nd, ... call failing, until none is reached; after
    each, check() with none failing. FAULT_STRIDE=1: each one, whatever a test
    says."""
    for n in range(1, 1 << 20, int(os.environ.get("FAULT_STRIDE", stride))):
        faults[program].arm(kind, n)
        work()
        reached = faults[program].disarm()
        check()
        if not reached:
            return


def lost(question):
    """What the console answers; None: nothing."""
    with contextlib.suppress(*GAVE_UP):
        return net.cli(question)
    return None


def at_once(*works):
    """All of these; that they fail is for the oracles."""
    def one(work):
        with contextlib.suppress(*GAVE_UP):
            work()
    threads = [threading.Thread(target=one, args=[w]) for w in works]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def two_mails(box, encrypted, clear):
    """One over TLS, one in clear, at the same time."""
    at_once(lambda: box.send(encrypted.address, ["b@enc.example"], True),
            lambda: box.send(clear.address, ["b@other.example"]))
