# SPDX-License-Identifier: BSD-2-Clause
"""TCP under a mail session: strangers, injections, windows, and tuples that
are used again."""
import os
import random
import struct

import pytest
from wirekit import ACK, CANARY, FIN, PSH, RST, SYN, URG, Lab, Net, frame, ip4, tcp

V = pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
HUB = "203.0.113.77"
BODY = b"".join(b"line %d of a message\r\n" % i for i in range(400))


@pytest.fixture(scope="module")
def lab():
    with Lab(f"default may\ndomain hub.example may route {HUB}\n") as up:
        yield up


@pytest.fixture
def net(lab):
    inside, outside = lab.ports()
    yield Net(inside, outside)
    inside.close()
    outside.close()


# --- A34: what began without the box ----------------------------------------

@V
@pytest.mark.parametrize("side", ["client", "server"])
def test_a34_segments_of_an_old_session_are_reset(net, v6, side):
    c = net.client(v6=v6)
    end = c if side == "client" else net.server(c)
    there = net.outside if side == "client" else net.inside
    end.rcv = 4242
    for flags in (ACK, ACK | PSH, ACK | FIN, ACK | URG, FIN, PSH, 0):
        was = len(end.got)
        end.emit(flags, CANARY)
        net.until(lambda was=was: len(end.got) > was, what=f"RST to {flags}")
        r = end.got[-1]
        assert r.flags & RST and not r.data
        if flags & ACK:  # RFC 9293 3.10.7.1
            assert r.seq == 4242 and not r.flags & ACK
        else:
            n = len(CANARY) + bool(flags & FIN)
            assert r.seq == 0 and r.ack == (end.snd + n) & 0xffffffff
        assert (r.dst_mac, r.src_mac) == (end.l2[6:12], end.l2[:6])
    was = len(end.got)
    end.emit(RST | ACK, CANARY)
    net.run(0.05)
    assert len(end.got) == was
    assert there.never_saw(CANARY)


# --- A36: blind attackers ------------------------------------------------------

@pytest.mark.parametrize("side", ["client", "server"])
def test_a36_blind_reset_syn_and_data_do_no_harm(net, side):
    """Everything right but the numbers, 63 steps over the whole space."""
    c, s = net.session()
    end = c if side == "client" else s
    for i in range(63):
        seq = end.snd + (1 + i) * (1 << 26)
        end.emit(RST, seq=seq)
        end.emit(RST | ACK, seq=seq)
        end.emit(SYN, seq=seq)
        end.emit(SYN | ACK, seq=seq)
        end.emit(ACK | PSH, b"QUIT\r\n", seq=seq, ack=end.rcv + (i << 26))
        end.emit(ACK | FIN, seq=seq)
    net.run(0.1)
    net.message(c, s, BODY)
    net.quit(c, s)


@pytest.mark.parametrize("side", ["client", "server"])
def test_a36_data_in_the_window_needs_the_right_acknowledgement(net, side):
    """RFC 5961 5.2: a guess of the sequence number alone is not enough."""
    c, s = net.session()
    end, other = (c, s) if side == "client" else (s, c)
    for wrong in (1 << 20, 1 << 24, 1 << 31, -1 << 22):
        end.emit(ACK | PSH, b"QUIT\r\n", ack=end.rcv + wrong)
        end.emit(PSH, b"QUIT\r\n", ack=0)
        end.emit(ACK | PSH, b"XXXX\r\n", seq=end.snd + 6,
                 ack=end.rcv + wrong)
        end.emit(ACK | FIN, ack=end.rcv + wrong)
    net.run(0.1)
    assert not other.saw(FIN) and b"QUIT" not in s.data
    net.message(c, s, BODY)
    assert b"XXXX" not in s.data + c.data
    net.quit(c, s)


def test_a36_a_stray_segment_cannot_close_the_window(net):
    """An ACK from outside the window changes nothing, above all not how much
    the peer can take."""
    c, s = net.session()
    for step in range(1, 9):
        s.emit(ACK, seq=s.snd + (step << 27), window=0)
        c.emit(ACK, seq=c.snd + (step << 27), window=0)
    net.message(c, s, BODY, seconds=2)
    net.quit(c, s)


def test_a36_in_window_reset_is_challenged(net):
    """RFC 5961 3.2: only the exact number resets."""
    c, s = net.session()
    was = len(c.got)
    c.emit(RST, seq=c.snd + 100)
    net.until(lambda: len(c.got) > was, what="challenge ACK")
    assert c.got[-1].ack == c.snd
    net.message(c, s)
    c.emit(RST, seq=c.snd)
    net.until(lambda: s.saw(RST) or s.saw(FIN), what=f"end {s.flags}")


def test_a36_ack_flood_leaves_the_session_alive(net):
    c, s = net.session()
    strange = net.client()
    strange.rcv = 1
    burst = [c.raw(ACK, ack=c.rcv + random.getrandbits(32)) for _ in
             range(50)] + [strange.raw(ACK, seq=random.getrandbits(32))
                           for _ in range(50)]
    for _ in range(300):
        net.inside.send(*burst)
        net.turn(0)
    net.message(c, s, BODY)
    net.quit(c, s)


# --- A38: tuples -----------------------------------------------------------------

def test_a38_one_source_port_to_two_servers(net):
    a = net.session()
    sport = a[0].sport
    b = net.session(sport=sport, dst="203.0.113.26")
    net.message(*a)
    net.message(*b, body=BODY)
    net.message(*a, body=BODY)
    net.quit(*b)
    net.message(*a)
    net.quit(*a)


def test_a38_one_source_port_to_two_servers_that_are_one(net):
    """The first session was led by a route to where the second one goes."""
    c, s = net.session()
    net.say(c, "MAIL FROM:<a@client.example>", "250")
    hub = net.server(c, dst=HUB)
    was = len(c.data)
    c.line("RCPT TO:<b@hub.example>")
    net.until(lambda: hub.saw(SYN), what="SYN at the hub")
    hub.syn(SYN | ACK)
    hub.line("220 hub.example")
    hub.serving = True
    net.until(lambda: c.data[was:].startswith(b"250"), what="250 to RCPT")
    second = net.client(sport=c.sport, dst=HUB)
    isn = second.snd
    second.syn()
    net.run(0.3)
    assert not c.saw(RST) and not hub.saw(RST)
    net.say(c, "DATA", "354")
    c.write(BODY + b".\r\n")
    net.until(lambda: hub.bodies == [BODY], what="the body")
    net.say(c, "QUIT", "221")
    hub.fin()
    c.fin()
    net.until(lambda: hub.saw(FIN) and c.saw(FIN), what="FIN")
    net.ends.remove(hub)
    hub = net.server(second)
    net.run(0.1)
    second.emit(SYN, seq=isn, options=second.options)
    net.until(lambda: hub.saw(SYN), what="the second SYN")


@V
@pytest.mark.parametrize("first", ["client", "server"])
@pytest.mark.parametrize("pause", [0.1, 0.0])
def test_a38_tuple_is_used_again_after_close(net, v6, first, pause):
    sport = net.fresh_port()
    for _ in range(4):
        c, s = net.session(v6=v6, sport=sport)
        net.message(c, s)
        if first == "client":
            c.fin()
            net.until(lambda: s.saw(FIN), what="FIN at the server")
            s.fin()
            net.until(lambda: c.saw(FIN), what="FIN at the client")
        else:
            net.quit(c, s)
        net.ends.clear()
        net.run(pause)


def test_a38_tuple_is_used_again_while_the_server_lingers(net):
    """The client is done, the server does not close: the next SYN counts."""
    sport = net.fresh_port()
    for _ in range(3):
        c, s = net.session(sport=sport)
        net.say(c, "QUIT", "221")
        c.fin()
        net.until(lambda: c.una == c.snd, what="ACK of the FIN")
        net.until(lambda: c.saw(FIN), what="FIN at the client")
        net.ends.clear()
        net.run(0.1)


def test_a38_client_that_forgot_connects_again(net):
    """A SYN with the tuple of a session that is open here, as after a restart
    of the client (RFC 9293 3.5.1)."""
    c, s = net.session()
    net.ends.clear()
    again = net.client(sport=c.sport)
    again.isn = again.snd
    again.syn()
    net.until(lambda: again.got, what="an answer")
    ack = again.got[-1]
    assert ack.flags == ACK and ack.ack == c.snd
    again.emit(RST, seq=ack.ack)
    net.run(0.05)
    again.got.clear()
    server = net.server(again)
    again.emit(SYN, seq=again.isn, options=again.options)
    net.until(lambda: server.saw(SYN), what="the new SYN at the server")


# --- A39: windows, urgent octets, overlaps ------------------------------------------

def test_a39_zero_window_at_the_server_stops_the_client(net):
    c, s = net.session()
    net.say(c, "MAIL FROM:<a@client.example>", "250")
    net.say(c, "RCPT TO:<b@x.example>", "250")
    net.say(c, "DATA", "354")
    s.window = 0
    s.emit(ACK)
    body = (b"x" * 70 + b"\r\n") * 60000
    sent = c.pump(body, stall=0.5)
    assert 10000 < sent < len(body), "what the box takes is bounded"
    assert len(s.data) - s.served < 0xffff, "what was under way, probes"
    s.window = 0xffff
    s.emit(ACK)
    assert c.pump(body[sent:] + b".\r\n", 60) == len(body) - sent + 3
    net.until(lambda: s.bodies, 8, "the rest")
    assert s.bodies[-1] == body


@pytest.mark.parametrize("window,enough", [(1, 3), (7, 21)])
def test_a39_window_of_few_octets_still_delivers(net, window, enough):
    c = net.client()
    s = net.server(c)
    s.window = window
    net.connect(c, s)
    s.line("220 mx.example")
    net.until(lambda: b"220 " in c.data, what="greeting")
    c.line("EHLO client.example")
    net.until(lambda: len(s.data) >= enough, 10, "octets")
    assert b"EHLO client.example\r\n".startswith(s.data)


def test_a39_urgent_octets_are_octets(net):
    c, s = net.session()
    c.emit(ACK | PSH | URG, b"NOOP\r\n", urg=3)
    c.snd += 6
    net.until(lambda: c.data.endswith(b"250 ok\r\n") or b"250" in c.data[-40:],
              what="the answer")
    net.message(c, s)
    net.quit(c, s)


def test_a39_the_first_accepted_octets_count(net):
    """Retransmissions with other octets, and overlaps of both kinds."""
    c, s = net.session()
    net.say(c, "MAIL FROM:<a@client.example>", "250")
    net.say(c, "RCPT TO:<b@x.example>", "250")
    net.say(c, "DATA", "354")
    start, good = c.snd, b""
    rnd = random.Random(1)
    for i in range(40):
        part = b"good line %d\r\n" % i
        evil = b"EVIL" * 30
        c.emit(ACK | PSH, part)
        good += part
        net.until(lambda n=len(good): (c.una - start) & 0xffffffff >= n,
                  what="ACK")
        c.snd = (start + len(good)) & 0xffffffff
        back = rnd.randrange(1, len(part) + 1)
        c.emit(ACK | PSH, evil[:back], seq=c.snd - back)
        # from before what was accepted to behind it: only the rest counts
        tail = b"tail %d\r\n" % i
        c.emit(ACK | PSH, evil[:back] + tail, seq=c.snd - back)
        good += tail
        c.snd = (start + len(good)) & 0xffffffff
    c.write(b".\r\n")
    net.until(lambda: s.bodies, what="the body")
    assert s.bodies[-1] == good
    net.quit(c, s)


def test_a39_out_of_order_segments_make_one_stream(net):
    c, s = net.session()
    net.say(c, "MAIL FROM:<a@client.example>", "250")
    net.say(c, "RCPT TO:<b@x.example>", "250")
    net.say(c, "DATA", "354")
    body, at = BODY * 4 + b".\r\n", c.snd
    parts = [(i, body[i:i + 700]) for i in range(0, len(body), 700)]
    random.Random(2).shuffle(parts)
    for i, p in parts + parts[:9]:
        c.emit(ACK | PSH, p, seq=at + i)
    c.snd = (at + len(body)) & 0xffffffff
    net.until(lambda: s.bodies, 5, "the body")
    assert s.bodies[-1] == body[:-3]
    net.quit(c, s)


# --- segments that are odd --------------------------------------------------------

def test_bad_checksum_is_not_accepted(net):
    c, s = net.session()
    c.emit(ACK | PSH, b"QUIT\r\n", good=False)
    net.run(0.1)
    assert b"QUIT" not in s.data and c.una != c.snd + 6
    net.message(c, s)


def test_land_and_other_odd_syns_do_no_harm(net):
    l2 = net.MAC_S + net.MAC_C
    for flags in (SYN, SYN | FIN, SYN | PSH | URG, SYN | ACK, SYN | RST,
                  SYN | FIN | ACK | RST | URG | PSH):
        for a, b, sp, dp in (("10.77.0.99", "10.77.0.99", 25, 25),
                             ("10.77.0.99", "203.0.113.25", 25, 25),
                             ("127.0.0.1", "203.0.113.25", 1, 25),
                             ("10.77.0.99", "255.255.255.255", 9, 25),
                             ("10.77.0.99", "203.0.113.25", 0, 25)):
            for port in (net.inside, net.outside):
                port.send(frame(l2, ip4(
                    a, b, 6, tcp(a, b, sp, dp, 1, 2, flags))))
    net.run(0.1)
    c, s = net.session()
    net.message(c, s)
    net.quit(c, s)


def test_fast_open_data_in_the_syn_goes_nowhere(net):
    c = net.client()
    s = net.server(c)
    c.emit(SYN, CANARY, options=struct.pack("!BBHBB8s", 2, 4, 1460, 34, 10,
                                            os.urandom(8)))
    c.snd += 1
    net.until(lambda: s.saw(SYN), what="SYN")
    assert s.got[0].data == b"" and s.got[0].option(34) is None
    s.syn(SYN | ACK)
    net.until(lambda: c.saw(SYN | ACK), what="SYN-ACK")
    assert c.got[-1].ack == c.snd, "the data is not acknowledged"
    assert c.got[-1].option(34) is None
    assert net.outside.never_saw(CANARY)


def test_source_port_25_to_port_25_is_taken(net):
    c, s = net.session(sport=25)
    net.message(c, s)
    net.quit(c, s)


def test_both_sides_dial_at_once(net):
    """Simultaneous open, both with port 25: our client's session stands."""
    c = net.client(sport=25, dst="203.0.113.77")
    s = net.server(c)
    c.syn()
    net.until(lambda: s.saw(SYN), what="SYN")
    s.emit(SYN, options=s.options)
    net.run(0.05)
    assert not c.got, "the server's SYN is not the client's business"
    s.syn(SYN | ACK)
    net.until(lambda: c.saw(SYN | ACK), what="SYN-ACK")
    c.emit(ACK)
    s.line("220 mx.example")
    net.until(lambda: b"220" in c.data, what="greeting")


@pytest.mark.parametrize("answered", [False, True])
def test_a_dial_from_outside_opens_no_way_around(net, answered):
    """Who is outside dials first, from an intercepted port to the very port that
    the client will use: its session passes, and would take the client's with
    it in clear."""
    c = net.client(sport=25, dst="203.0.113.78")
    s = net.server(c)
    s.emit(SYN, options=s.options)
    net.until(lambda: c.saw(SYN), what="the passing SYN")
    if answered:
        c.emit(RST | ACK, ack=s.snd + 1)
    c.got.clear()
    isn = c.snd
    c.syn()
    net.until(lambda: s.saw(SYN), what="a SYN at the server")
    net.run(0.05)
    assert isn not in [g.seq for g in s.got if g.flags & SYN], "passed on"
    s.syn(SYN | ACK)
    net.until(lambda: c.saw(SYN | ACK), what="SYN-ACK")
    c.emit(ACK)
    s.line("220 mx.example ESMTP")
    net.until(lambda: b"220 " in c.data, what="greeting")
    s.serving = True
    net.say(c, "EHLO client.example", "250 ")
    net.quit(c, s)


def test_a_syn_sent_again_is_the_same_dial(net):
    """A server slower than the client's timer still answers the first SYN."""
    c = net.client()
    s = net.server(c)
    isn = c.snd
    c.syn()
    net.until(lambda: s.saw(SYN), what="SYN")
    for _ in range(3):
        c.emit(SYN, seq=isn, options=c.options)
        net.run(0.05)
    assert not s.saw(RST) and len({g.seq for g in s.got}) == 1
    s.syn(SYN | ACK)
    net.until(lambda: c.saw(SYN | ACK), what="SYN-ACK")


def test_another_syn_of_the_tuple_is_another_dial(net):
    """The client gave up and uses the port again: the old dial is over."""
    c = net.client()
    s = net.server(c)
    c.syn()
    net.until(lambda: s.saw(SYN), what="SYN")
    net.ends.remove(c)
    again = net.client(sport=c.sport)
    again.syn()
    net.until(lambda: len({g.seq for g in s.got if g.flags == SYN}) == 2,
              what="the second SYN")
    s.syn(SYN | ACK)
    net.until(lambda: again.saw(SYN | ACK), what="SYN-ACK")
    assert again.got[-1].ack == again.snd
