# SPDX-License-Identifier: BSD-2-Clause
"""What is lost in flash: the box protects nobody less than before."""
import pytest
from mailkit import Client, Gone
from bootkit import PLAIN


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
    assert box.part("config") == [spoilt]
    box.cut()
    box.write("config", config)
    box.again()
    box.enforces()
