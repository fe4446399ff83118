# SPDX-License-Identifier: BSD-2-Clause
"""The power goes while an image is written, into either slot. The plan is written last:
it never names a slot that is not whole."""
import time

import pytest
from bootkit import net
import cuts


def about_to_write(box, serial, file, folder):
    """The image has come; the first block is not yet erased. Who looks too late lets it
    end, and does it again."""
    for _ in range(5):
        was = cuts.written(box)
        with box.fetched(file) as command:
            serial.type(f"{command} downgrade\r")
            cuts.served(box.tftpd)
            cuts.stand_still(box)
        if cuts.written(box) == was:
            return cuts.Frozen(box, folder)
        box.machine.qmp("cont")
        serial.until("is in slot")
    pytest.fail("each time it was being written already")


@pytest.mark.parametrize("slot", "ba")
def test_while_an_image_is_written(box, images, tmp_path, slot):
    """Whenever it is: what was meant starts, and knows what it has to protect."""
    rnd = cuts.chance()
    file = images.signed("cut", version="0.9.0")
    box.hammer.hush()
    with net.Cli() as console:
        frozen = about_to_write(box, console.line, file, tmp_path)
    with frozen.thaw() as serial:
        began = time.time_ns()
        serial.until(f"is in slot {slot}")
    took = (cuts.written(box) - began) / 1e9
    with cuts.Log() as log:
        for _ in range(-(-cuts.cuts(10) // 2)):
            with frozen.thaw() as serial:
                cuts.cut_in(box, serial, rnd.uniform(0, 1.1) * took)
            cuts.comes_back(box, log)
    with frozen.thaw() as serial:
        serial.until(f"is in slot {slot}")
    box.again()
    box.cli("upgrade confirm")
    assert box.runs(slot, "confirmed")
    box.hammer.go()
    box.enforces()
