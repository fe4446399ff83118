# SPDX-License-Identifier: BSD-2-Clause
"""A cable that loses, doubles, delays and reorders frames, between two veth ends
in a namespace of its own: for kernels without netem. As a program it is that
cable; its options are per thousand frames, and milliseconds.

    badwire.py LOSS TWICE LATE DELAY_MS A B
"""
import contextlib
import heapq
import itertools
import random
import select
import socket
import subprocess
import sys
import time

SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23


def forward(loss, twice, late, delay_ms, names):
    dice = random.Random(25)
    ends = []
    for name in names:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        s.bind((name, 3))  # ETH_P_ALL
        ends.append(s)
    waiting, order = [], itertools.count()
    while True:
        now = time.monotonic()
        wait = max(0.0, waiting[0][0] - now) if waiting else None
        for s in select.select(ends, [], [], wait)[0]:
            frame, to = s.recv(65536), ends[s is ends[0]]
            due = time.monotonic() + delay_ms / 1000
            if dice.randrange(1000) < loss:
                continue
            if dice.randrange(1000) < late:
                due += dice.uniform(0.002, 0.03)
            for _ in range(1 + (dice.randrange(1000) < twice)):
                heapq.heappush(waiting, (due, next(order), to, frame))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, to, frame = heapq.heappop(waiting)
            with contextlib.suppress(OSError):  # as lost as the others
                to.send(frame)


def main():
    loss, twice, late, delay_ms = map(int, sys.argv[1:5])
    names = sys.argv[5:7]
    while not {n for _, n in socket.if_nameindex()} >= set(names):
        time.sleep(0.01)
    for name in names:
        # whole segments with whole checksums, as on a real cable
        subprocess.run(["ethtool", "-K", name, "tx", "off", "rx", "off", "tso",
                        "off", "gso", "off", "gro", "off"], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["ip", "link", "set", "dev", name, "up"], check=True)
    forward(loss, twice, late, delay_ms, names)


class BadWire:
    """Stands in for lablib's cable() between two namespaces. down() with the
    lab: its ends go with the namespace."""

    def __init__(self, loss=0, twice=0, late=0, delay_ms=0):
        self.process = subprocess.Popen(
            ["unshare", "-n", sys.executable, __file__, str(loss), str(twice),
             str(late), str(delay_ms), "wire0", "wire1"])

    def cable(self, plain):
        """cable() for the lab: this wire on the side of the world, a plain
        one elsewhere."""
        def cable(a, a_if, a_mac, b, b_if, b_mac, offloads):
            if a != "net":
                plain(a, a_if, a_mac, b, b_if, b_mac, offloads)
                return
            plain(a, a_if, a_mac, a, "far", "02:77:00:00:0b:01", False)
            plain(b, b_if, b_mac, b, "far", "02:77:00:00:0b:02", False)
            for space, end in ((a, "wire0"), (b, "wire1")):
                self.take(space, end)
        return cable

    def take(self, space, end):
        from mailkit import net
        net.ip("-n", net.SPACES[space], "link", "set", "far", "name", end,
               "netns", str(self.process.pid))

    def down(self):
        self.process.kill()
        self.process.wait()


if __name__ == "__main__":
    main()
