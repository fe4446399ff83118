# SPDX-License-Identifier: BSD-2-Clause
"""Mail in tags: sessions behind VLAN tags, priority tags, two tags and PPPoE
run through the box and keep what is in front of IP on both legs."""
import struct

import pytest
from wirekit import Lab, Net

VLAN = b"\x81\x00" + struct.pack("!H", 0x0064)
PRIO = b"\x81\x00" + struct.pack("!H", 0xa000)
QINQ = b"\x88\xa8" + struct.pack("!H", 0x00c8) + VLAN
PPPOE = b"\x88\x64"


@pytest.fixture(scope="module")
def lab():
    with Lab() as up:
        up.mtu(2000)
        yield up


@pytest.fixture
def net(lab):
    inside, outside = lab.ports()
    yield Net(inside, outside)
    inside.close()
    outside.close()


@pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
@pytest.mark.parametrize("tags", [b"", VLAN, PRIO, QINQ, VLAN + VLAN, PPPOE,
                                  VLAN + PPPOE, QINQ + PPPOE],
                         ids=["none", "vlan", "prio", "qinq", "two-8100",
                              "pppoe", "vlan-pppoe", "qinq-pppoe"])
def test_a33_tags_are_the_same_on_the_other_leg(net, tags, v6):
    c, s = net.session(tags=tags, v6=v6)
    net.message(c, s, b"x" * 60 + b"\r\n" + b"line of text\r\n" * 400)
    net.quit(c, s)
    for end in (c, s):
        for seg in end.got:
            n = 12 + len(tags)
            assert seg.raw[12:n] == tags
            if tags.endswith(PPPOE):
                assert seg.pppoe[0] == 0x1234
                assert seg.pppoe[1] == seg.end - seg.ip + 2
    assert all(g.src_mac == net.MAC_C and g.dst_mac == net.MAC_S
               for g in s.got)
    assert all(g.src_mac == net.MAC_S and g.dst_mac == net.MAC_C
               for g in c.got)
