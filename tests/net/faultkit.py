# SPDX-License-Identifier: BSD-2-Clause
"""Calls of the box's programs that fail when a test says so, and clocks that
run (tests/fault/fault.h)."""
import mmap
import os
import struct

from mailkit import net

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
