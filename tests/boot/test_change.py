# SPDX-License-Identifier: BSD-2-Clause
"""Another image: what is refused before flash is written, what is taken, that it
has to prove itself, and the way back."""
import re

import pytest
from bootkit import DyingTftp, SERVER, net

NEWER = "0.9.0"


@pytest.mark.parametrize("what,why", [
    ("unsigned", "not an image|not whole"),
    ("another key", "not signed with the key"),
    ("altered fit", "damaged: it is not what was signed"),
    ("altered trailer", "not signed with the key"),
    ("truncated", "not whole"),
    ("overlong", "not whole, or longer"),
    ("another board", "is for the board"),
    ("older", "is older than the one in use"),
    ("no image", "not an image"),
    ("larger than a slot", "larger than an image can be"),
    ("empty", "empty|too large"),
])
def test_refused_before_flash_is_written(box, images, tiny, what, why):
    def signed(name, **how):
        return images.signed(name, tiny, **{"version": NEWER} | how)

    def of(name, octets):
        return images.file(name, octets)

    files = {
        "unsigned": lambda: of("u", tiny),
        "another key": lambda: signed("k", key=images.other_key),
        "altered fit": lambda: of("a", images.changed(
            images.within("ramdisk"))),
        "altered trailer": lambda: of("t", images.changed(
            len(tiny) + 90, signed("t").read_bytes())),
        "truncated": lambda: of("s", images.octets[:-1]),
        "overlong": lambda: of("l", signed("l").read_bytes() + b"\0"),
        "another board": lambda: signed("b", board="other-board"),
        "older": lambda: signed("o", version="0.0.9"),
        "no image": lambda: of("n", b"GIF89a" * 1000),
        "larger than a slot": lambda: of("h", bytes((24 << 20) + 1)),
        "empty": lambda: of("e", b""),
    }
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(box.refuses(files[what]()))


def test_a_server_that_dies(box, images):
    was = box.images_and_plan()
    with DyingTftp("admin", SERVER, images.octets, 700) as dying:
        with pytest.raises(net.LabError):
            box.cli(f"upgrade tftp {SERVER} file")
        assert dying.asked
    assert box.images_and_plan() == was


def test_upgrade_and_back(box, images):
    """What is well confirms itself; on the way back a person does."""
    assert box.runs("a", "confirmed")
    said = box.upgrade(images.signed("newer", version=NEWER))
    assert f"{NEWER} is in slot b" in said
    box.restarts()
    assert box.runs("b", "trial")
    box.until("show image", "confirmed")
    assert box.runs("b", "confirmed")
    assert "is in slot a" in box.upgrade(images.good, "downgrade")
    box.restarts()
    assert box.runs("a", "trial")
    box.cli("upgrade confirm")
    assert box.runs("a", "confirmed")
    box.enforces()


def test_an_image_that_does_not_get_well_is_left(box, images):
    """It starts three times, restarts by itself, and the old one runs again."""
    runs = re.search("running   slot ([ab])", box.cli("show image")).group(1)
    file = images.signed("unwell", images.broken(), version=NEWER)
    assert f"is in slot {'ab'[runs == 'a']}" in box.upgrade(file)
    with box.reload() as serial:
        for _ in range(3):
            serial.until("Loading kernel from FIT Image at")
            serial.until("Starting kernel")
        serial.until("has not done well in 3 starts")
        box.boots(serial)
    box.works()
    shown = box.cli("show image")
    assert f"running   slot {runs}" in shown and "confirmed" in shown, shown
    assert "image-fell-back" in box.cli("show log")
    box.enforces()


def test_a_slot_that_is_damaged_is_not_started(box, images):
    """A bit of the slot that should start is turned: the other one starts."""
    assert "is in slot b" in box.upgrade(images.signed("whole", version=NEWER))
    box.cut()
    box.write_environment(slot="a")
    box.turn_a_bit("slot-a", images.within("ramdisk"))
    with box.power() as serial:
        serial.until("Bad hash|Bad Data Hash|ERROR")
        box.boots(serial)
    box.works()
    assert "running   slot b" in box.cli("show image")
    box.enforces()


def test_factory_reset(box):
    """What was set is gone, and the image is not."""
    box.unprotected()
    with box.machine.line() as serial:
        box.agree(serial, "factory-reset")
        serial.until("#|New password|Press Enter")
    with box.power() as serial:
        box.boots(serial)
    assert "enc.example" not in box.cli("show running-config")
    assert "slot a" in box.cli("show image")
    box.configure()
    box.enforces()
