# SPDX-License-Identifier: BSD-2-Clause
"""The lamps of a board, by the pins that its device tree has them on: what QEMU's
chip puts there is what would shine."""
import time

from lablib import line

DATA = 0x3fc  # PL061: all eight pins
WELL = {"power", "encrypting"}  # what shines when all is


class Lamps:
    def __init__(self, board):
        self.monitor = board.machine.monitor
        chip, = (n for n in board.dtb.values()
                 if "arm,pl061" in n.props.get("compatible", b"").decode())
        self.at = chip.cells("reg")[1] + DATA
        self.pins = {n.text("label"): n.cells("gpios")[1]
                     for n in board.dtb["leds"].values()}

    def on(self):
        """The names of those that are on."""
        said = self.monitor(f"xp /1wx {self.at:#x}")
        pins = int(said.split()[-1], 16)
        return {name for name, pin in self.pins.items() if pins >> pin & 1}

    def until(self, good):
        """All that was seen until then."""
        end, seen = time.monotonic() + line.PATIENCE, []
        while not seen or not good(seen[-1]):
            assert time.monotonic() < end, seen
            seen.append(self.on())
            time.sleep(0.02)
        return seen
