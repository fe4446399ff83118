# SPDX-License-Identifier: BSD-2-Clause
"""What falls over, or hangs, comes back by itself, and says afterwards why."""
import re
import struct

from bootkit import net
from debugger import FOR_EVER, MASKED, PC, STATE, Debugger, code, kernel


def crashes(box):
    """What is recorded, newest first: [(number, text)]."""
    parts = re.split(r"(?m)^=== (\d+), recorded .*\n", box.cli("show crash"))
    return list(zip(map(int, parts[1::2]), parts[2::2]))


def comes_back(box, hurt):
    """Without anybody's help, to what it did before; what it says of it."""
    last = max((n for n, _ in crashes(box)), default=0)
    box.up = False
    with Debugger(box.machine) as debugger:
        hurt(debugger)
    with box.machine.line() as serial:
        serial.until("U-Boot 20")
        box.boots(serial)
    box.works()
    assert "restarted-by-itself" in box.cli("show log")
    box.enforces()
    number, text = crashes(box)[0]
    assert number == last + 1
    return text


def test_boss_hangs(box):
    """An instruction of boss has become another one: it turns in a circle, and
    nobody pats the watchdog."""
    offset, octets = code(net.OUT / "bin/boss", "boss_health_tick")

    def hurt(debugger):
        at, = debugger.find(octets, offset)
        debugger.poke(at, FOR_EVER, physical=True)

    assert "The watchdog has restarted the box." in comes_back(box, hurt)


def test_the_kernel_hangs(box):
    """Every processor turns in a circle and hears of nothing."""
    def hurt(debugger):
        debugger.in_kernel()
        for _ in debugger.processors():
            debugger.poke(debugger.read(PC), FOR_EVER)
            debugger.write(STATE, debugger.read(STATE) | MASKED)

    assert "The watchdog has restarted the box." in comes_back(box, hurt)


def test_the_kernel_falls_over(box):
    """A processor jumps to where there is nothing. The three seconds for which the
    kernel waits then, in a loop, would be minutes in QEMU: it does not wait."""
    timeout = kernel(net.OUT, "panic_timeout")

    def hurt(debugger):
        assert debugger.peek(timeout, 4) == struct.pack("<i", 3)
        debugger.poke(timeout, struct.pack("<i", -1), physical=True)
        debugger.in_kernel()
        for n in debugger.processors():
            if n == 0:
                debugger.write(PC, 0)

    text = comes_back(box, hurt)
    assert "Kernel panic" in text and "pc : 0x0" in text, text
    assert "The watchdog" not in text
