# SPDX-License-Identifier: BSD-2-Clause
"""What is not mail passes as through a cable: every frame bit for bit, in
order, both ways, and never through a program of ours."""
import os
import random
import struct

import pytest
from wirekit import (ACK, CANARY, PSH, SYN, Lab, Port, frame, ip4, ip6,
                     ip_packet, lablib, mac, tcp, until)

A, B = mac("02:77:00:00:00:99"), mac("02:77:00:00:00:25")
VLAN = b"\x81\x00\x00\x64"
QINQ = b"\x88\xa8\x00\xc8\x81\x00\x00\x64"
GROUPS = ["01:80:c2:00:00:00", "01:80:c2:00:00:01", "01:80:c2:00:00:02",
          "01:80:c2:00:00:03", "01:80:c2:00:00:0e", "01:80:c2:00:00:21",
          "01:00:0c:cc:cc:cc", "01:00:5e:00:00:fb", "33:33:00:00:00:01",
          "01:1b:19:00:00:00", "ff:ff:ff:ff:ff:ff"]


@pytest.fixture(scope="module")
def lab():
    with Lab() as up:
        up.mtu(9000)
        yield up


@pytest.fixture
def ports(lab):
    both = lab.ports()
    for p in both:
        p.drain()
    yield both
    for p in both:
        p.close()


def udp(sport, dport, data):
    return struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data


def zoo(rnd):
    """Frames of all kinds that are not mail."""
    types = [0x0806, 0x8035, 0x8100, 0x88a8, 0x888e, 0x8809, 0x88cc, 0x88e5,
             0x88f7, 0x8863, 0x8864, 0x0842, 0x9000, 0x88b5, 0x22f3, 0x8847,
             0x0000, 0x05dc, 0x05dd, 0x0600, 0xffff, 0x0800, 0x86dd]
    for t in types + rnd.sample(range(0x10000), 300):
        for n in (46, rnd.randrange(60, 1500)):
            # octets that are no IP packet, whatever announces them
            yield B + A + struct.pack("!H", t) + b"\xe5" + rnd.randbytes(n)
    for group in GROUPS:
        for t in (0x8809, 0x88cc, 0x888e, 0x0027, 0x88f7):
            body = b"\x42\x42\x03" if t == 0x0027 else b""
            yield mac(group) + A + struct.pack("!H", t) + body + \
                rnd.randbytes(60)
    for l2 in (B + A, B + A + VLAN, B + A + QINQ, B + A + b"\x88\x64",
               B + A + VLAN * 2, B + A + VLAN * 3):
        for src, dst in (("10.77.0.99", "203.0.113.9"),
                         ("fd77::99", "2001:db8::9")):
            data = rnd.randbytes(200)
            yield frame(l2, ip_packet(src, dst, udp(25, 25, data), proto=17))
            yield frame(l2, ip_packet(src, dst, b"\x08\0\0\0" + data,
                                      proto=58 if ":" in src else 1))
            yield frame(l2, ip_packet(src, dst, data, proto=132))
            yield frame(l2, ip_packet(src, dst, data, proto=50))
            yield frame(l2, ip_packet(src, dst, tcp(
                src, dst, 1025, 2525, 1, 2, ACK, data), proto=6))
            yield frame(l2, ip_packet(src, dst, tcp(
                src, dst, 2500, 26, 1, 2, SYN, data, offset=3,
                good=False), proto=6))
    for n in range(15):  # too short for anything
        yield B + A + b"\x88\xb5" + rnd.randbytes(n)


@pytest.mark.parametrize("way", ["out", "in"])
def test_o6_every_kind_of_frame_is_bit_equal_and_in_order(lab, ports, way):
    here, there = ports if way == "out" else ports[::-1]
    was = lab.counter("frames-taken-inside") + \
        lab.counter("frames-taken-outside")
    sent = list(zoo(random.Random(way)))
    random.Random(1).shuffle(sent)
    got = []
    for i in range(0, len(sent), 64):
        here.send(*sent[i:i + 64])
        got += there.collect(len(sent[i:i + 64]), 2)
    assert len(sent) > 700
    assert got == sent
    assert lab.counter("frames-taken-inside") + \
        lab.counter("frames-taken-outside") == was


def test_o6_frames_that_end_within_a_header_pass(lab, ports):
    """The classifier says neither yes nor no where there is nothing to read:
    such a frame must not stay with the kernel of the box."""
    inside, outside = ports
    whole = []
    for src, dst, kind in (("10.77.0.99", "203.0.113.9", b"\3\4"),
                           ("fd77::99", "2001:db8::9", b"\2\0")):
        quoted = ip_packet(dst, src, tcp(dst, src, 80, 999, 1, 1, ACK))
        error = ip_packet(src, dst, kind + bytes(6) + quoted,
                          proto=58 if ":" in src else 1)
        web = ip_packet(src, dst, tcp(src, dst, 999, 80, 1, 1, ACK))
        for l2 in (B + A, B + A + VLAN, B + A + QINQ, B + A + b"\x88\x64"):
            # Linux itself drops what ends with a VLAN tag
            whole += [(len(l2) + 4, frame(l2, p)) for p in (error, web)]
    was = lab.counter("frames-taken-inside")
    for head, f in whole:
        sent = [f[:n] for n in range(head, len(f))]
        inside.send(*sent)
        assert outside.collect(len(sent), 2) == sent
    assert lab.counter("frames-taken-inside") == was


@pytest.mark.parametrize("way", ["out", "in"])
def test_o6_jumbo_frames_pass(ports, way):
    here, there = ports if way == "out" else ports[::-1]
    sent = [B + A + tags + b"\x88\xb5" + os.urandom(n)
            for tags in (b"", VLAN) for n in (1501, 4000, 8990)]
    sent += [frame(B + A, ip4("10.77.0.99", "203.0.113.9", 6, tcp(
        "10.77.0.99", "203.0.113.9", 1, 80, 1, 1, ACK, os.urandom(8900))))]
    here.send(*sent)
    assert there.collect(len(sent), 2) == sent


def test_o6_jumbo_frame_of_a_passing_session_is_put_back_whole(lab, ports):
    """A client outside, a server inside: goes through the program, as large
    as it is."""
    inside, outside = ports
    s, c = "10.77.0.99", "203.0.113.9"
    was = lab.counter("frames-put-back")
    sent = [frame(A + B, ip4(c, s, 6, tcp(c, s, 999, 25, i, 1, ACK | PSH,
                                          os.urandom(n))))
            for i, n in enumerate((0, 1, 1460, 4000, 8940))]
    outside.send(*sent)
    assert inside.collect(len(sent), 2) == sent
    back = [frame(B + A, ip4(s, c, 6, tcp(s, c, 25, 999, i, 1, ACK,
                                          os.urandom(n))))
            for i, n in enumerate((0, 1, 1460, 4000, 8940))]
    inside.send(*back)
    assert outside.collect(len(back), 2) == back
    assert lab.counter("frames-put-back") - was == len(sent + back)


def hidden_frames():
    for src, dst in (("10.77.0.99", "203.0.113.9"),
                     ("fd77::99", "2001:db8::9")):
        seg = tcp(src, dst, 999, 25, 1, 2, ACK | PSH, CANARY)
        p = ip_packet(src, dst, seg)
        kind = struct.pack("!H", 0x86dd if ":" in src else 0x0800)
        snap = b"\xaa\xaa\x03\0\0\0" + kind + p
        yield "three tags", frame(B + A + VLAN * 3, p)
        yield "five tags", frame(B + A + QINQ * 2 + VLAN, p)
        yield "six tags", frame(B + A + VLAN * 6, p)
        yield "SNAP", B + A + struct.pack("!H", len(snap)) + snap
        yield "SNAP in VLAN", B + A + VLAN + struct.pack(
            "!H", len(snap)) + snap
        yield "SNAP, other length", B + A + struct.pack("!H", 9) + snap
        for depth in (1, 3):
            yield "MPLS", B + A + b"\x88\x47" + b"\0\1\0\x40" * (depth - 1) + \
                b"\0\2\1\x40" + p
        yield "short PPP", B + A + b"\x88\x64\x11\0\0\1" + struct.pack(
            "!H", len(p) + 1) + (b"\x57" if ":" in src else b"\x21") + p
        if ":" in src:
            chain = b"".join(bytes([60, 0]) + b"\x01\x04\0\0\0\0"
                             for _ in range(9))
            yield "long chain", frame(B + A, ip6(
                src, dst, 60, chain[:-8] + b"\x06\0\x01\x04\0\0\0\0" + seg))
            yield "routing header", frame(B + A, ip6(
                src, dst, 43, b"\x06\x02\x00\x01\0\0\0\0" + b"\x20" * 16 +
                seg))
        else:
            yield "source route", frame(B + A, ip4(
                src, dst, 6, seg, options=b"\x83\x07\x04\x01\x02\x03\x04\0"))


@pytest.mark.parametrize("way", ["out", "in"])
def test_a33_hidden_mail_is_dropped_and_counted(lab, ports, way):
    here, there = ports if way == "out" else ports[::-1]
    for name, f in hidden_frames():
        was = lab.counter("frames-dropped-hidden-mail") + \
            lab.counter("frames-dropped-bad")
        here.send(f)
        here.send(B + A + b"\x88\xb5" + name.encode())
        assert there.collect(1, 2)[0][14:] == name.encode(), name
        until(lambda was=was: lab.counter("frames-dropped-hidden-mail") +
              lab.counter("frames-dropped-bad") == was + 1, 2, name)
    assert there.never_saw(CANARY)


def test_port_is_promiscuous_and_says_nothing_itself(lab):
    """No frame has an address of the box."""
    inside, outside = Port("mail"), Port("net")
    inside.drain(), outside.drain()
    for port in (inside, outside):
        sent = [B + A + b"\x88\xb5" + os.urandom(60)]
        other = outside if port is inside else inside
        port.send(*sent)
        assert other.collect(1) == sent
    inside.collect(1000, 0.3), outside.drain()
    own = (mac("02:77:00:00:00:a1"), mac("02:77:00:00:00:a2"))
    assert not [f for f in inside.seen + outside.seen if f[6:12] in own]
    inside.close()
    outside.close()
    r = lablib.inside("box", "ip", "-o", "link", capture_output=True)
    assert r.stdout.count(b"PROMISC") == 2 and r.stdout.count(b"NOARP") == 2
    r = lablib.inside("box", "ip", "-o", "addr", "show", capture_output=True)
    assert b"inside" not in r.stdout and b"outside" not in r.stdout
