# SPDX-License-Identifier: BSD-2-Clause
"""Another image over the serial line: a small one, for a whole one would take minutes
on it. What is refused is refused before flash is written."""
import binascii
import contextlib
import struct

import pytest
from bootkit import line

NEWER = "0.9.0"


@pytest.fixture(name="file", scope="session")
def file_fixture(images, tiny):
    return images.signed("tiny", tiny, version=NEWER)


@contextlib.contextmanager
def asked(box):
    """The line, when the console waits for a file."""
    with box.machine.line() as serial:
        line.Console(serial)
        serial.type("upgrade xmodem\r")
        serial.until("send the file with XMODEM now")
        yield serial


def block(number, data):
    return struct.pack(">BBB128sH", 1, number, 255 - number, data,
                       binascii.crc_hqx(data, 0))


def sent(box, file):
    """What is said to it. Block by block, for the socket of QEMU is no terminal that
    sx could clear of what is old (sx itself: tests/net/test_xmodem)."""
    data = file.read_bytes()
    with asked(box) as serial:
        serial.until("gives up")
        serial.until("C")
        for n in range(0, len(data), 128):
            serial.type(block((n // 128 + 1) & 255,
                              data[n:n + 128].ljust(128, b"\x1a")))
            serial.until("\x06")
        for answer in "\x15\x06":  # the end is asked for twice
            serial.type(b"\x04")
            serial.until(answer)
        _, m = serial.until(r"(?s)octets\r\n(.*)# $")
        return m.group(1).decode()


@pytest.mark.parametrize("how", [b"\x03\x03", b"\x18\x18"])
def test_broken_off(box, file, how):
    """By a key here, or by the program that sends."""
    was = box.images_and_plan()
    data = file.read_bytes()
    with asked(box) as serial:
        serial.until("C")
        for n in range(3):
            serial.type(block(n + 1, data[128 * n:128 * n + 128]))
            serial.until("\x06")
        serial.type(how)
        serial.until("% nothing was done: stopped")
        serial.until("# $")
    assert box.images_and_plan() == was


def test_altered_on_the_way(box, images, file):
    """In a block whose sum is right all the same."""
    was = box.images_and_plan()
    octets = file.read_bytes()
    other = images.file("altered", images.changed(len(octets) // 2, octets))
    assert "damaged: it is not what was signed" in sent(box, other)
    assert box.images_and_plan() == was


def test_as_it_was_sent(box, file):
    """It is in the slot that does not run, octet for octet, and would start next."""
    with box.untried():
        said = sent(box, file)
        assert f"version {NEWER} is in slot b" in said, said
        assert "slot b, on trial" in box.cli("show image")
        assert box.part("slot-b")[0].startswith(file.read_bytes())
