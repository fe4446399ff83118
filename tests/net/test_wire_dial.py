# SPDX-License-Identifier: BSD-2-Clause
"""How a server that does not answer looks to the client: just as without the
box. And floods of SYNs, which cost nobody else his session."""
import errno
import random
import socket
import struct
import time

import pytest
from wirekit import (ACK, FIN, RST, SYN, Lab, Net, checksum, frame, icmp_error,
                     in_space, ip4, lablib, packed, read, tcp, until)

V = pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
UNREACHABLE = {
    False: [(3, 0), (3, 1), (3, 3), (3, 9), (3, 10), (3, 13), (11, 0)],
    True: [(1, 0), (1, 1), (1, 3), (1, 4), (3, 0)]}


@pytest.fixture(scope="module", params=["box", "cable"])
def place(request):
    """The same tests with the box and with a cable in its place."""
    with Lab(direct=request.param == "cable") as up:
        up.is_box = request.param == "box"
        inside, outside = up.ports()

        def passes():  # a bridge takes its time
            inside.send(b"\xff" * 6 + Net.MAC_C + b"\x88\xb5" + bytes(46))
            outside.send(b"\xff" * 6 + Net.MAC_S + b"\x88\xb5" + bytes(46))
            mine = lambda f: f[12:14] == b"\x88\xb5"  # noqa: E731
            return outside.collect(1, 0.05, match=mine) and \
                inside.collect(1, 0.05, match=mine)
        until(passes)
        inside.close(), outside.close()
        yield up


@pytest.fixture
def net(place):
    inside, outside = place.ports()
    yield Net(inside, outside)
    inside.close()
    outside.close()


@V
def test_refused_is_a_reset_with_the_right_number(net, v6):
    c = net.client(v6=v6)
    s = net.server(c)
    c.syn()
    net.until(lambda: s.saw(SYN), what="SYN")
    s.emit(RST | ACK, seq=0)
    net.until(lambda: c.got, what="RST")
    r = c.got[0]
    assert r.flags == RST | ACK and r.seq == 0 and r.ack == c.snd
    assert not r.data
    assert (r.src_mac, r.dst_mac) == (net.MAC_S, net.MAC_C)
    net.run(0.05)
    assert len(c.got) == 1


@V
def test_unreachable_quotes_the_clients_own_segment(net, v6):
    for kind, code in UNREACHABLE[v6]:
        c = net.client(v6=v6)
        s = net.server(c)
        isn = c.snd
        c.syn()
        net.until(lambda: s.saw(SYN), what="SYN")
        net.inside.seen.clear()
        net.outside.send(icmp_error(s.got[0], kind, code))
        net.until(lambda: net.inside.seen, what=f"the error {kind}/{code}")
        e = read(net.inside.seen[0])
        assert e.proto == (58 if v6 else 1) and e.dst == c.src
        assert e.src == ("2001:db8:ff::1" if v6 else "192.0.2.254")
        body = e.raw[e.l4:e.end]
        assert tuple(body[:2]) == (kind, code)
        pseudo = packed(e.src) + packed(e.dst) + struct.pack(
            "!II", len(body), 58) if v6 else b""
        assert checksum(pseudo + body) == 0
        sport, dport, seq = struct.unpack_from(
            "!HHI", body, 8 + (40 if v6 else 20))
        assert (sport, dport, seq) == (c.sport, c.dport, isn)
        assert not c.got


@V
def test_silent_server_is_silence_and_syns(net, v6):
    c = net.client(v6=v6)
    s = net.server(c)
    for _ in range(3):
        c.emit(SYN, options=c.options)
        net.run(0.4)
    assert not c.got and s.saw(SYN) and not s.flags & (RST | ACK)
    assert s.got[0].option(2) == struct.pack("!H", 1440 if v6 else 1460)


@V
def test_server_that_resets_before_the_client_has_answered(net, v6):
    """Between its SYN-ACK and the client's ACK: the client has a connection that
    must not stay open for the minutes that a greeting may take."""
    c = net.client(v6=v6)
    s = net.server(c)
    c.syn()
    net.until(lambda: s.saw(SYN), what="SYN")
    s.syn(SYN | ACK)
    net.until(lambda: c.saw(SYN | ACK), what="SYN-ACK")
    s.reset()
    net.run(0.1)
    c.emit(ACK)
    net.until(lambda: c.saw(RST), what="RST at the client")


def connect_error(address, seconds):
    """(errno of a real connect, how long it took)."""
    began = time.monotonic()
    with in_space("mail"):
        s = socket.socket(socket.AF_INET6 if ":" in address
                          else socket.AF_INET)
    s.settimeout(seconds)
    try:
        s.connect((address, 25))
        return 0, time.monotonic() - began
    except socket.timeout:
        return errno.ETIMEDOUT, time.monotonic() - began
    except OSError as e:
        return e.errno, time.monotonic() - began
    finally:
        s.close()


def test_a_kernel_client_cannot_tell_the_difference(place):
    """connect() of the host inside: the same error, as soon."""
    lablib.ip("-n", "sw-net", "route", "replace", "unreachable",
              "198.18.7.0/24")
    lablib.ip("-n", "sw-net", "-6", "route", "replace", "unreachable",
              "2001:db8:7::/64")
    lablib.ip("-n", "sw-net", "route", "replace", "blackhole",
              "198.18.9.0/24")
    lablib.sysctl("net", "net.ipv4.ip_forward=1",
                  "net.ipv6.conf.all.forwarding=1",
                  "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
    for address, want in (("198.51.100.9", errno.ECONNREFUSED),
                          ("2001:db8:25::9", errno.ECONNREFUSED),
                          ("198.18.7.1", errno.EHOSTUNREACH),
                          ("2001:db8:7::1", errno.ENETUNREACH),
                          ("198.18.9.1", errno.ETIMEDOUT)):
        got, took = connect_error(address, 1.5)
        assert got == want, (address, errno.errorcode.get(got))
        # a machine under load is late, but not by a second SYN
        assert took < 1.9


@pytest.mark.parametrize("place", ["box"], indirect=True)
def test_forged_answers_to_a_dial_are_not_believed(net, place):
    """RST and errors that do not know the number of our SYN. (With a cable that
    is up to the client.)"""
    assert place.is_box
    c = net.client()
    s = net.server(c)
    c.syn()
    net.until(lambda: s.saw(SYN), what="SYN")
    for wrong in (1, -1, 1 << 20, 1 << 31):
        s.emit(RST | ACK, seq=0, ack=s.rcv + wrong)
        s.emit(RST, seq=wrong, ack=0)
        s.emit(SYN | ACK, ack=s.rcv + wrong)
        q = s.got[0]
        seq = (q.seq + wrong + 3) & 0xffffffff
        forged = q.raw[:q.l4 + 4] + struct.pack("!I", seq) + q.raw[q.l4 + 8:]
        net.outside.send(icmp_error(read(forged), 3, 3))
    net.run(0.1)
    assert not c.got
    assert not [f for f in map(read, net.inside.seen) if f and f.proto == 1]
    s.syn(SYN | ACK)
    net.until(lambda: c.saw(SYN | ACK), what="SYN-ACK")


# --- floods (box only) -------------------------------------------------------------

LIMITS = """default may
limit half-open 200
limit half-open per-source 20
limit sessions 500
limit sessions per-source 40
"""


@pytest.fixture
def limited():
    with Lab(LIMITS) as up:
        yield up


def syn_frame(net, src, sport, dst="203.0.113.200", isn=7):
    return frame(net.MAC_S + net.MAC_C, ip4(src, dst, 6, tcp(
        src, dst, sport, 25, isn, 0, SYN)))


def test_syn_flood_of_one_source_stays_below_its_cap(limited):
    inside, outside = limited.ports()
    net = Net(inside, outside)
    inside.send(*(syn_frame(net, "10.77.0.66", p)
                  for p in range(1024, 3024)))
    net.run(0.2)
    assert limited.counter("half-open-now") == 20
    assert limited.counter("syn-dropped-source-cap") == 1980
    c, s = net.session()
    net.message(c, s)
    inside.close(), outside.close()


def test_syn_flood_of_all_sources_lets_the_honest_client_through(limited):
    """8000 SYNs a second of addresses that do not exist, to servers that do
    not answer; one try after the other of an honest client, as its kernel
    would make them. It is through within a minute, in fact at once."""
    inside, outside = limited.ports()
    net = Net(inside, outside)
    rnd = random.Random(3)

    def burst():
        inside.send(*(syn_frame(net, socket.inet_ntoa(
            struct.pack("!I", rnd.getrandbits(32) & 0x7fffffff | 1 << 28)),
            rnd.randrange(1024, 65535)) for _ in range(40)))
        net.run(0.005)
    began = time.monotonic()
    while time.monotonic() - began < 1:
        burst()
        assert limited.counter("half-open-now") <= 200
    c = net.client()
    s = net.server(c)
    isn = c.snd
    c.snd += 1
    began, pause = time.monotonic(), 0.0
    while not c.saw(SYN | ACK):
        assert time.monotonic() - began < 60
        if time.monotonic() - began >= pause:
            c.emit(SYN, seq=isn, options=c.options)
            pause = pause * 2 + 1
        burst()
        if s.saw(SYN) and not s.saw(ACK):
            s.emit(SYN | ACK, options=s.options)
            s.snd = (s.snd + 1) & 0xffffffff
            s.flags |= ACK
    c.emit(ACK)
    assert time.monotonic() - began < 10
    s.line("220 mx.example")
    s.serving = True
    net.until(lambda: b"220" in c.data, what="greeting")
    burst()
    net.say(c, "EHLO client.example", "250 ")
    for _ in range(20):
        burst()
    net.message(c, s)
    assert limited.counter("flows-now") <= 500
    inside.close(), outside.close()


def test_sessions_of_one_source_stay_below_the_cap(limited):
    """40 open sessions of one source; the 41st gets no answer until one of
    them is over, another source is served at once."""
    inside, outside = limited.ports()
    net = Net(inside, outside)
    held = []
    for _ in range(40):
        c = net.client()
        s = net.server(c)
        held.append(net.connect(c, s))
    c = net.client()
    isn = c.snd
    c.syn()
    net.run(0.1)
    assert not c.got and limited.counter("syn-dropped-source-cap") == 1
    other = net.session(src="10.77.0.98")
    net.message(*other)
    held[0][0].emit(RST, seq=held[0][0].snd)
    net.run(0.2)
    s = net.server(c)
    c.emit(SYN, seq=isn, options=c.options)
    net.until(lambda: s.saw(SYN), what="room for another")
    inside.close(), outside.close()


def test_who_never_says_fin_is_reset(limited):
    """The session is over, one end has closed, the other acknowledges that and
    stays: twenty seconds, then it costs nothing any more."""
    inside, outside = limited.ports()
    net = Net(inside, outside)
    pairs = [net.session() for _ in range(2)]
    for (c, s), leaves in zip(pairs, "sc"):
        net.say(c, "QUIT", "221")
        (s if leaves == "s" else c).fin()
    stays = pairs[0][0], pairs[1][1]
    net.until(lambda: all(e.saw(FIN) for e in stays), what="FIN")
    net.run(10)
    assert not any(e.saw(RST) for e in stays), "too soon"
    net.until(lambda: all(e.saw(RST) for e in stays), 15, "RST")
    until(lambda: limited.counter("flows-now") == 0, 2)
    inside.close(), outside.close()


@pytest.mark.parametrize("leaves", ["client", "server"])
def test_who_never_takes_the_last_words_is_reset(limited, leaves):
    """The session is over, one end answers each probe of its shut window: it costs
    nothing any more after twenty seconds either."""
    inside, outside = limited.ports()
    net = Net(inside, outside)
    c, s = net.session()
    stays, other = (s, c) if leaves == "client" else (c, s)
    stays.window = 0
    net.say(c, "NOOP", "250") if leaves == "client" else c.line("QUIT")
    stays.quiet, at, seen = True, stays.rcv, len(stays.got)
    if leaves == "client":
        c.line("NOOP")
        c.fin()
    end = time.monotonic() + 30
    while time.monotonic() < end and not stays.saw(RST):
        net.turn()
        if len(stays.got) > seen:
            seen = len(stays.got)
            stays.emit(ACK, ack=at)
    assert stays.saw(RST) and other.saw(FIN)
    other.emit(RST, seq=other.snd)
    until(lambda: limited.counter("flows-now") == 0, 2)
    inside.close(), outside.close()


def test_client_that_never_finishes_its_handshake_is_forgotten(limited):
    """The server has answered, the client is gone: the dial is reset."""
    inside, outside = limited.ports()
    net = Net(inside, outside)
    for _ in range(300):
        c = net.client(src=f"10.77.{random.randrange(1, 250)}."
                       f"{random.randrange(1, 250)}")
        s = net.server(c)
        c.syn()
        net.turn(0)
        if s.saw(SYN):
            s.syn(SYN | ACK)
        net.turn(0)
    assert limited.counter("half-open-now") <= 200
    c, s = net.session()
    net.message(c, s)
    inside.close(), outside.close()


def test_500_idle_sessions_cost_little_memory():
    """Proportional memory of all programs of the box, after EHLO."""
    with Lab("default may\n") as up:
        inside, outside = up.ports()
        net = Net(inside, outside)
        net.message(*net.session())

        def pss():
            total = 0
            for pid in lablib.pids_in("sw-box"):
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    total += sum(int(l.split()[1]) for l in f
                                 if l.startswith("Pss:"))
            return total
        before = pss()
        for _ in range(500):
            net.session()
            net.ends.clear()
        each = (pss() - before) / 500
        assert up.counter("flows-now") >= 500
        assert each < 40
        inside.close(), outside.close()


def test_a_flood_of_unread_data_costs_only_its_own_sessions():
    """150 sessions whose servers do not read, each with all that the box
    takes; a session in between is as fast as before."""
    with Lab("default may\n") as up:
        inside, outside = up.ports()
        net = Net(inside, outside)
        body = (b"x" * 70 + b"\r\n") * 900
        for _ in range(150):
            c, s = net.session()
            for line, code in (("MAIL FROM:<a@client.example>", "250"),
                               ("RCPT TO:<b@x.example>", "250"),
                               ("DATA", "354")):
                net.say(c, line, code)
            s.window = 0
            s.emit(ACK)
            c.pump(body, 0.3, stall=0.05)
            net.ends.clear()
        began = time.monotonic()
        c, s = net.session()
        net.message(c, s, body)
        net.quit(c, s)
        assert time.monotonic() - began < 2
        inside.close(), outside.close()
