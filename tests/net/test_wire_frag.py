# SPDX-License-Identifier: BSD-2-Clause
"""Fragments: mail hides in none of them, legal ones deliver, and what is not
mail goes on as it came."""
import itertools
import os
import random

import pytest
from wirekit import (ACK, CANARY, FIN, PSH, RST, SYN, Lab, Net, evenly,
                     fragments, frame, tcp)

V = pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])


@pytest.fixture(scope="module")
def lab():
    with Lab() as up:
        yield up


@pytest.fixture
def net(lab):
    inside, outside = lab.ports()
    yield Net(inside, outside)
    inside.close()
    outside.close()


def fragmented(end, size, order):
    """From now on what end sends goes out in fragments."""
    ident = itertools.count(random.getrandbits(15))

    def emit(flags, data=b"", seq=None, **kw):
        seg = tcp(end.src, end.dst, end.sport, end.dport,
                  end.snd if seq is None else seq, end.rcv or 0, flags, data,
                  **kw)
        parts = fragments(end.src, end.dst, seg, evenly(len(seg), size),
                          ident=next(ident))
        end.port.send(*(frame(end.l2, p) for p in order(parts)))
    end.emit = emit


@V
@pytest.mark.parametrize("name,order", [
    ("forwards", list), ("backwards", lambda p: p[::-1]),
    ("shuffled", lambda p: random.sample(p, len(p)))],
    ids=lambda x: x if isinstance(x, str) else "")
def test_a31_session_in_fragments_is_delivered(net, v6, name, order):
    c = net.client(v6=v6)
    s = net.server(c)
    for end in (c, s):
        fragmented(end, 24, order)
    net.connect(c, s)
    s.line("220 mx.example ESMTP")
    net.until(lambda: b"220 " in c.data, what="greeting")
    s.serving = True
    net.say(c, "EHLO client.example", "250 ")
    net.message(c, s, b"".join(b"line %d\r\n" % i for i in range(120)))
    net.quit(c, s)


def shapes(n):
    """Cuts of a segment of n octets that hosts put together differently."""
    for size in (24, 32, 40):
        cuts = evenly(n, size)
        yield cuts                                    # legal
        yield cuts[::-1]
        yield cuts + cuts[:1]                         # the same again
        yield [(0, 8)] + evenly(n, 8)[1:]             # tiny (RFC 1858)
        yield [(8, n), (0, 24)]                       # overlap by 16
        yield [(0, 24), (16, n)]
        yield [(0, 40), (8, 40), (40, n)]
        yield [(0, 24), (8, n)]                       # RFC 3128
        yield [(0, size), (size, n - 8), (size, n)]
        yield cuts[:-1]                               # never whole
        yield cuts[1:]


@V
@pytest.mark.parametrize("side", ["client", "server"])
def test_a31_no_fragment_of_an_unknown_session_passes(net, v6, side):
    c = net.client(v6=v6)
    end = c if side == "client" else net.server(c)
    here, there = (net.inside, net.outside) if side == "client" \
        else (net.outside, net.inside)
    end.rcv = 1
    sent = 0
    for flags in (ACK, ACK | PSH | FIN, SYN | ACK, SYN | PSH):
        if flags & SYN and side == "client" and not flags & ACK:
            continue  # begins a session
        seg = tcp(end.src, end.dst, end.sport, end.dport, 5, 6, flags,
                  CANARY * 5)
        for cuts in shapes(len(seg)):
            sent += 1
            here.send(*(frame(end.l2, p) for p in fragments(
                end.src, end.dst, seg, cuts, ident=1000 + sent)))
    net.run(0.2)
    assert sent > 60
    assert not [f for f in there.drain() + there.seen if CANARY[:8] in f]
    assert end.saw(RST), "whole ones are answered"


@V
def test_a31_fragments_of_other_tcp_go_on_as_they_came(net, v6):
    c = net.client(v6=v6, dport=8080)
    seg = tcp(c.src, c.dst, c.sport, c.dport, 5, 6, ACK, os.urandom(300))
    sent = []
    for n, cuts in enumerate([evenly(len(seg), 64), evenly(len(seg), 24),
                              evenly(len(seg), 160)[::-1]]):
        part = [frame(c.l2, p) for p in
                fragments(c.src, c.dst, seg, cuts, ident=50 + n)]
        # what follows the packet in a short frame is not ours to judge
        part = [f + b"\xa5" * (60 - len(f)) for f in part]
        net.inside.send(*part)
        sent += part
    got = net.outside.collect(len(sent), 2)
    assert got == sent


def test_a31_overlaps_of_other_tcp_are_dropped_and_counted(lab, net):
    c = net.client(dport=8080)
    seg = tcp(c.src, c.dst, c.sport, c.dport, 5, 6, ACK, os.urandom(300))
    was = lab.counter("fragments-dropped")
    net.inside.send(*(frame(c.l2, p) for p in fragments(
        c.src, c.dst, seg, [(0, 80), (64, len(seg))])))
    net.run(0.1)
    assert net.outside.seen == []
    assert lab.counter("fragments-dropped") > was


@V
@pytest.mark.parametrize("proto", [17, 1], ids=["udp", "icmp"])
def test_o6_fragments_of_other_protocols_never_leave_the_kernel(lab, net, v6,
                                                                proto):
    proto = 58 if v6 and proto == 1 else proto
    c = net.client(v6=v6)
    was = lab.counter("frames-taken-inside")
    sent = [frame(c.l2, p) for cuts in
            (evenly(2000, 512), evenly(2000, 8)[:40], [(0, 512), (256, 2000)])
            for p in fragments(c.src, c.dst, os.urandom(2000), cuts,
                               proto=proto)]
    sent = [f for f in sent if len(f) <= 1514]
    net.inside.send(*sent)
    assert net.outside.collect(len(sent), 2) == sent
    if proto != 58:  # a fragment of ICMPv6 may quote: wire looks at it
        assert lab.counter("frames-taken-inside") == was


def test_a31_flood_of_unfinished_datagrams_is_bounded(lab, net):
    """And a session in between is still served."""
    c, s = net.session()
    pid = lab.pids("wire")[0]

    def rss():
        with open(f"/proc/{pid}/statm") as f:
            return int(f.read().split()[1]) * 4096
    before = rss()
    for i in range(4000):
        seg = os.urandom(1400)
        net.inside.send(*(frame(c.l2, p) for p in fragments(
            c.src, c.dst, seg, [(0, 1400 - 24)], ident=i)))
    net.message(c, s)
    net.quit(c, s)
    assert rss() - before < 8 << 20
