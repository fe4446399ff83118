# SPDX-License-Identifier: BSD-2-Clause
"""The VLAN of inside that has the management address ends at the box: nothing of it
passes, in neither direction, whatever it is; all else does. That something is spoken
there needs a kernel that knows VLANs: tests/boot/test_manage.py."""
import struct
import time

import pytest
from wirekit import (ACK, SYN, Lab, Net, frame, ip4, ip_packet, lablib, mac, tcp,
                     until)

A, B = mac("02:77:00:00:00:9a"), mac("02:77:00:00:00:25")
ALL = mac("ff:ff:ff:ff:ff:ff")
BOX = mac("02:77:00:00:00:a1")
MANAGED = """\
management address 10.90.0.2/24
management vlan 100
default may
"""


def tag(tci, kind=0x8100):
    return struct.pack("!HH", kind, tci)


OWN = [tag(100), tag(0xe064), tag(0x1064)]  # any priority, and the mark to drop
OTHERS = [b"", tag(0), tag(99), tag(101), tag(0x0640), tag(100, 0x88a8),
          tag(200, 0x88a8) + tag(100), tag(7) + tag(100), tag(100, 0x9100)]


def kinds(l2, to=B):
    """What somebody in a VLAN says: ARP, IP, IPv6, mail, and what is in a tag again."""
    head = to + A + l2
    who = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + A + bytes(
        [10, 90, 0, 9]) + bytes(6) + bytes([10, 90, 0, 2])
    yield head + b"\x08\x06" + who
    udp = struct.pack("!HHHH", 123, 123, 8 + 48, 0) + bytes(48)
    yield frame(head, ip4("10.90.0.9", "10.90.0.2", 17, udp))
    yield frame(head, ip_packet("fd90::9", "fd90::2", bytes(40), proto=58))
    yield frame(head, ip4("10.90.0.9", "10.90.0.2", 6, tcp(
        "10.90.0.9", "10.90.0.2", 999, 443, 1, 1, ACK)))
    yield head + b"\x88\xb5" + bytes(60)


def mail(l2, to=B):
    return frame(to + A + l2, ip4("10.90.0.9", "10.90.0.2", 6, tcp(
        "10.90.0.9", "10.90.0.2", 999, 25, 1, 0, SYN)))


@pytest.fixture(name="lab", scope="module")
def lab_fixture():
    with Lab(MANAGED) as up:
        until(lambda: "management" in up.log(), what="the management address")
        yield up


@pytest.fixture(name="ports")
def ports_fixture(lab):
    both = lab.ports()
    for p in both:
        p.drain()
    yield both
    for p in both:
        p.close()


def passes(here, there, frames):
    """Those of them that come out on the other side: a last one says that they are
    all through."""
    end = B + A + b"\x88\xb6" + time.monotonic_ns().to_bytes(8, "big") + bytes(50)
    here.send(*frames, end)
    got = []
    while not got or got[-1] != end:
        more = there.collect(1, 5)
        assert more, "the last one has not come"
        got += more
    return [f for f in got[:-1] if f[6:12] == A]  # what a session left is not ours


@pytest.mark.parametrize("way", ["out", "in"])
@pytest.mark.parametrize("to", [B, BOX, ALL], ids=["other", "box", "all"])
def test_nothing_of_it_passes(ports, way, to):
    here, there = ports if way == "out" else ports[::-1]
    for l2 in OWN:
        assert not passes(here, there, [*kinds(l2, to), mail(l2, to)])


@pytest.mark.parametrize("way", ["out", "in"])
def test_all_else_does(ports, way):
    here, there = ports if way == "out" else ports[::-1]
    for l2 in OTHERS:
        sent = list(kinds(l2))
        assert passes(here, there, sent) == sent


def test_mail_in_it_is_nobodys(lab, ports):
    """It is no session: wire does not see it, and dials nobody outside."""
    inside, outside = ports
    was = [lab.counter(f"frames-taken-{p}") for p in ("inside", "outside")]
    for l2 in OWN:
        assert not passes(inside, outside, [mail(l2)] * 5)
        assert not passes(outside, inside, [mail(l2)] * 5)
    assert was == [lab.counter(f"frames-taken-{p}")
                   for p in ("inside", "outside")]


def session(ports):
    net = Net(*ports)
    c, s = net.session()
    net.message(c, s)
    net.quit(c, s)


def test_mail_beside_it_is_as_ever(ports):
    """Also where the kernel of this PC has no VLANs, and the status says so."""
    session(ports)


def test_none_any_more_and_again(lab, ports, tmp_path):
    inside, outside = ports
    file = tmp_path / "box.conf"
    for text, none in (("default may\n", True), (MANAGED, False)):
        file.write_text(text)
        lab.cli(f"config load {file}")
        sent = list(kinds(tag(100)))
        until(lambda: passes(inside, outside, sent) == (sent if none else []),
              what="the change")
        session(ports)


def settled(lab):
    """Frames taken inside, once the last ones of a session are counted."""
    seen = []

    def still():
        seen.append(lab.counter("frames-taken-inside"))
        return len(seen) > 3 and len(set(seen[-3:])) == 1
    until(still, what="no more frames")
    return seen[-1]


def test_a_wire_that_begins_anew_leaves_it_alone(lab, ports):
    """Its new sockets have the same filter."""
    inside, outside = ports
    def ready():
        return lab.log().count("event=program-ready program=wire")

    pid, = lab.pids("wire")
    before = ready()
    lablib.os.kill(pid, 9)
    until(lambda: ready() > before, what="another wire")
    session(ports)
    was = settled(lab)
    assert not passes(inside, outside, [mail(tag(100))] * 5)
    assert settled(lab) == was


def test_the_kernel_knows_vlans_or_it_is_said(lab):
    probe = lablib.inside("box", "ip", "link", "add", "link", "inside", "name",
                          "probe", "type", "vlan", "id", "9",
                          capture_output=True, text=True)
    lablib.inside("box", "ip", "link", "del", "probe", capture_output=True)
    status = lab.cli("show status")
    if probe.returncode == 0:
        assert "ATTENTION" not in status
        assert "10.90.0.2/24" in lablib.ip(
            "-n", lablib.SPACES["box"], "addr", "show", "manage-vlan")
    else:
        assert "ATTENTION    management: VLAN on inside: " in status
