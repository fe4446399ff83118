# SPDX-License-Identifier: BSD-2-Clause
"""The power goes while flash is written, at a moment that chance picks, again and again
from the same beginning: the board is frozen there once, memory, processors and flash.
What is in flash when QEMU is killed is what its NOR had, for it writes each word and
each erased block into the file at once.

BOOT_CUTS=100 cuts more often; BOOT_SEED picks the same moments once more."""
import os
import random
import re
import secrets
import shlex
import socket
import time

from bootkit import SERVER, line
from mailkit import socket_in


def cuts(usual):
    return int(os.environ.get("BOOT_CUTS") or usual)


def chance():
    """Whoever sees a test fail sees this, too."""
    seed = os.environ.get("BOOT_SEED") or str(secrets.randbits(32))
    print(f"BOOT_SEED={seed}")
    return random.Random(seed)


def written(box):
    """When flash was written last, in ns: by the time stamp of its file."""
    return os.stat(box.machine.flash).st_mtime_ns


def until_written(box, serial, was):
    """When the first write came."""
    end = time.monotonic() + line.PATIENCE
    while (now := written(box)) == was:
        assert time.monotonic() < end, "no flash is written"
        serial.more(0.01)
    return now


def served(server):
    """A process of in.tftpd has begun to send a file, and ended."""
    def busy():
        with open(f"/proc/{server.pid}/task/{server.pid}/children") as f:
            return bool(f.read())

    for now in True, False:
        end = time.monotonic() + line.PATIENCE
        while busy() != now:
            assert time.monotonic() < end, "nobody fetches it"
            time.sleep(0.001)


def stand_still(box):
    """Not where flash is in the middle of a command, which QEMU forgets when it moves a
    machine elsewhere: it is shown as memory while it can be read."""
    end = time.monotonic() + line.PATIENCE
    while True:
        box.machine.qmp("stop")
        tree = box.machine.qmp("human-monitor-command",
                               **{"command-line": "info mtree"})
        if re.search(r" romd\): virt\.flash1", tree):
            return
        assert time.monotonic() < end, "flash is never read"
        box.machine.qmp("cont")
        time.sleep(0.01)


def cut_in(box, serial, seconds):
    """What the box has said until then."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        serial.more(left)
    box.cut()
    return serial.heard


class Frozen:
    """A board as it is now; it stands still from now on."""

    def __init__(self, box, folder):
        self.box, self.file = box, folder / "frozen"
        stand_still(box)
        box.machine.qmp("migrate",
                        uri=f"exec:cat >{shlex.quote(str(self.file))}")
        self.until("query-migrate", "completed")
        box.cut()

    def until(self, ask, status):
        end = time.monotonic() + line.PATIENCE
        while (said := self.box.machine.qmp(ask)).get("status") != status:
            assert time.monotonic() < end and said.get("status") != "failed", said
            time.sleep(0.02)

    def thaw(self):
        """It goes on from there; its line."""
        machine = self.box.machine
        machine.off()
        machine.on("-incoming", f"exec:cat {shlex.quote(str(self.file))}")
        self.until("query-status", "paused")
        serial = machine.line()
        machine.qmp("cont")  # puts the frozen flash into its file first
        return serial


class Log:
    """Where the box sends its log."""

    def __enter__(self):
        self.sock = socket_in("admin", socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((SERVER, 514))
        self.sock.settimeout(line.PATIENCE)
        return self

    def __exit__(self, *_):
        self.sock.close()

    def forget(self):
        self.sock.setblocking(False)
        try:
            while self.sock.recv(2048):
                pass
        except BlockingIOError:
            self.sock.settimeout(line.PATIENCE)

    def name(self):
        """The name in a configuration that has come into force."""
        while True:
            words = self.sock.recv(2048).split()
            if b"event=configuration-in-force" in words:
                return words[2].decode()


def comes_back(box, log):
    """Power on: the slot that was meant starts, a configuration comes into force, and
    a client that does not give up is refused. The name in that configuration."""
    log.forget()
    with box.power() as serial:
        said = box.quickly(serial)
        serial.until("Press Enter")
    assert said.count("Loading kernel from FIT Image at") == 1, said
    name = log.name()
    box.hammer.go()
    refused, end = box.hammer.refused, time.monotonic() + line.PATIENCE
    while box.hammer.refused == refused:
        assert time.monotonic() < end, "it does not refuse"
        time.sleep(0.02)
    box.hammer.hush()
    return name
