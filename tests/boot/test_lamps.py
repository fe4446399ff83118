# SPDX-License-Identifier: BSD-2-Clause
"""What the lamps say."""
import time

import pytest
from bootkit import qemu
from lamps import WELL, Lamps


@pytest.fixture(name="lamps")
def lamps_fixture(box):
    return Lamps(box)


def test_a_start(box, lamps):
    """Power from the kernel on; look at me, until all is well; mail is encrypted."""
    with box.power() as serial:
        serial.until(qemu.STOP)
    assert lamps.on() == set()
    seen = lamps.until(lambda on: on == WELL)
    assert {"power", "fault"} in seen, seen
    box.works()
    assert lamps.on() == WELL


def test_a_port_without_a_link(box, lamps):
    lamps.until(lambda on: on == WELL)
    box.machine.qmp("set_link", name="port1", up=False)
    try:
        lamps.until(lambda on: on == WELL | {"fault"})
    finally:
        box.machine.qmp("set_link", name="port1", up=True)
    lamps.until(lambda on: on == WELL)


def test_a_certificate_that_ends_soon(box, lamps):
    """The lamp for faults flashes, and that for encryption stays."""
    def flashes():
        """On and off again, three times."""
        for _ in range(3):
            lamps.until(lambda on: on == WELL | {"fault"})
            lamps.until(lambda on: on == WELL)

    cert, key = box.authority.cert("soon.corp.example", days=20)
    file = box.folder / "soon.pem"
    file.write_text(key.read_text() + cert.read_text() + box.authority.pem())
    lamps.until(lambda on: on == WELL)
    box.cli(time.strftime("clock set %Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    box.cli(f"crypto import soon {file}")
    flashes()
    with box.machine.line() as serial:
        box.agree(serial, "crypto key delete soon")
        serial.until("# $")
    lamps.until(lambda on: on == WELL)
    end = time.monotonic() + 5  # it would have flashed twice
    while time.monotonic() < end:
        assert lamps.on() == WELL
