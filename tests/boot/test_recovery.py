# SPDX-License-Identifier: BSD-2-Clause
"""What is lost in flash, and the ways back: the box protects nobody less than
before."""
import contextlib
import threading

import pytest
from mailkit import Client, Gone
from bootkit import ASKS, PLAIN, prompt
from lamps import Lamps


@contextlib.contextmanager
def key_held(machine):
    """QEMU's key springs back after a tenth of a second of the board's time."""
    up = threading.Event()

    def hold():
        while not up.wait(0.02):
            machine.qmp("system_powerdown")
    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        up.set()
        thread.join()


def test_both_slots_are_bad(box, images):
    """It gets an image by TFTP; what it has to protect it has not forgotten."""
    box.cut()
    box.turn_a_bit("slot-a", images.within("ramdisk"))
    box.write("slot-b", images.changed(images.within("kernel")))
    with box.nobody_has_it(), box.power() as serial:
        serial.until("No slot has an image that is whole and signed")
        box.recovers(serial)
    box.works()
    box.enforces()


def test_asked_for(box):
    """By a flag in the environment, with another address: what is in the slots is
    whole and is not started, once."""
    with box.nobody_has_it(), box.loader() as serial:
        for command in ("setenv recovery 1", "setenv ipaddr 192.168.1.7",
                        "saveenv"):
            prompt(serial, command)
        serial.type("reset\r")
        serial.until("this is 192\\.168\\.1\\.7")
        box.recovers(serial)
    box.works()
    box.enforces()
    with box.power() as serial:
        first, _ = serial.until("Starting kernel", ASKS)
        assert first == 0
        serial.until("Press Enter")
    box.works()


def test_a_key_is_held(box):
    """Then it asks; with the key let go, the next start is as ever."""
    with box.nobody_has_it(), box.power() as serial, key_held(box.machine):
        serial.until("The key is held")
        serial.until(ASKS)
    box.again()
    box.enforces()


def test_without_its_store_the_box_is_closed(box):
    """Nothing in flash that could be mounted is not a new box: nobody gets mail
    through, the hammer least of all, and nothing is written over what is there."""
    box.cut()
    config, = box.part("config")
    spoilt = config.translate(bytes(octet ^ 0x5a for octet in range(256)))
    box.write("config", spoilt)
    with box.power() as serial:
        box.boots(serial)
        serial.forget(5.0)
        serial.type("\r")
        serial.until("that is not possible now")
    with pytest.raises((OSError, Gone)), Client(PLAIN, wait=5) as c:
        c.hello()
    assert Lamps(box).on() == {"power", "fault"}
    assert box.part("config") == [spoilt]
    box.cut()
    box.write("config", config)
    box.again()
    box.enforces()
