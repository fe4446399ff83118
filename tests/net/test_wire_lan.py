# SPDX-License-Identifier: BSD-2-Clause
"""What changes on the wire under a session: the size that a path takes, the
routers' addresses, the tags; and frames that come from the wrong side."""
import struct

import pytest
from wirekit import (ACK, PSH, RST, Lab, Net, frame, icmp_error, in_space,
                     ip4, ip6, lablib, mac, read, socket, tcp, time)

V = pytest.mark.parametrize("v6", [False, True], ids=["v4", "v6"])
LINES = b"".join(b"line %d of a message\r\n" % i for i in range(700))
OTHER = mac("02:77:00:00:00:ee")


@pytest.fixture(scope="module")
def lab():
    with Lab(offloads=False) as up:  # what is sent is what is seen
        yield up


@pytest.fixture
def net(lab):
    inside, outside = lab.ports()
    yield Net(inside, outside)
    inside.close()
    outside.close()


def sizes(segments):
    return [g.end - g.ip for g in segments if g.data]


def too_big(quote, mtu, v6):
    return icmp_error(quote, 2, 0, mtu) if v6 else \
        icmp_error(quote, 3, 4, mtu)


def under_way(net, c, s):
    """A message whose first part the server has not acknowledged: its frames."""
    net.say(c, "MAIL FROM:<a@client.example>", "250")
    net.say(c, "RCPT TO:<b@x.example>", "250")
    net.say(c, "DATA", "354")
    s.quiet, seen = True, len(s.got)
    c.write(LINES, 1440)
    net.until(lambda: sizes(s.got[seen:]), what="the first part")
    net.run(0.1)
    return [g for g in s.got[seen:] if g.data]


def finish(net, c, s):
    c.write(b".\r\n")
    s.quiet = False
    s.emit(ACK)
    net.until(lambda: s.bodies, 15, "the body")
    assert s.bodies[-1] == LINES
    net.quit(c, s)


# --- A40: the size that a path takes -------------------------------------------------
@V
@pytest.mark.parametrize("mtu,most", [(1280, 1280), (600, 600), (0, 576)])
def test_a40_smaller_frames_when_a_router_says_so(lab, net, v6, mtu, most):
    """A valid error is obeyed, down to what every path must take, and what was
    lost is sent again at once."""
    most = max(most, 1280) if v6 else most
    c, s = net.session(v6=v6)
    first = under_way(net, c, s)
    assert max(sizes(first)) > 1300
    obeyed, seen = lab.counter("icmp-obeyed"), len(s.got)
    net.outside.send(too_big(first[0], mtu, v6))
    net.until(lambda: sizes(s.got[seen:]), 2, "the same, in pieces")
    assert s.got[seen].seq == first[0].seq
    finish(net, c, s)
    assert max(sizes(s.got[seen:])) <= most
    assert lab.counter("icmp-obeyed") == obeyed + 1


@V
def test_a40_a_forged_error_changes_nothing(lab, net, v6):
    """One that quotes a number that is not under way (RFC 5927)."""
    c, s = net.session(v6=v6)
    first = under_way(net, c, s)
    forged, seen = lab.counter("icmp-forged"), len(s.got)
    for wrong in (-1, 1 << 20, 1 << 31):
        q = first[0]
        seq = (q.seq + wrong) & 0xffffffff
        q = read(q.raw[:q.l4 + 4] + struct.pack("!I", seq) + q.raw[q.l4 + 8:])
        net.outside.send(too_big(q, 600, v6))
    net.run(0.2)
    finish(net, c, s)
    assert max(sizes(s.got[seen:]) + sizes(first)) > 1300
    assert lab.counter("icmp-forged") == forged + 3


@V
def test_a40_unreachable_ends_no_session(net, v6):
    """RFC 5927 5.2: a hard error for a connection that is up is a soft one."""
    c, s = net.session(v6=v6)
    first = under_way(net, c, s)
    for kind, code in ((1, 0), (1, 4)) if v6 else ((3, 1), (3, 3), (3, 13)):
        net.outside.send(icmp_error(first[0], kind, code))
    net.run(0.2)
    assert not s.flags & RST and not c.flags & RST
    finish(net, c, s)


def test_a40_a_client_that_takes_64_octets(net):
    """MSS 64: what the server says comes in pieces of that, and all of it."""
    c = net.client()
    c.options = struct.pack("!BBH", 2, 4, 64)
    s = net.server(c)
    net.connect(c, s)
    s.line("220 " + "x" * 300)
    net.until(lambda: c.data.endswith(b"\r\n"), what="greeting")
    assert max(len(g.data) for g in c.got) <= 64
    s.serving = True
    net.say(c, "EHLO client.example", "250")
    net.message(c, s)
    net.quit(c, s)


# --- what stands between IP and TCP ---------------------------------------------------
def hop_by_hop(src, dst, seg):
    return ip6(src, dst, 0, bytes([60, 0, 5, 2, 0, 0, 1, 0]) +  # router alert
               bytes([6, 1, 1, 12] + [0] * 12) + seg)  # destination options


@pytest.mark.parametrize("way", [
    lambda a, b, seg: ip4(a, b, 6, seg, options=b"\x94\x04\0\0"),
    lambda a, b, seg: ip4(a, b, 6, seg, options=b"\x01" * 37 + b"\0" * 3),
    hop_by_hop], ids=["router-alert", "nops", "ipv6-chain"])
def test_options_and_extension_headers(net, way):
    c = net.client(v6=way is hop_by_hop)
    s = net.server(c)
    c.ip = s.ip = way
    net.connect(c, s)
    s.line("220 mx.example ESMTP")
    net.until(lambda: b"220 " in c.data, what="greeting")
    s.serving = True
    net.say(c, "EHLO client.example", "250 ")
    net.message(c, s)
    net.quit(c, s)


# --- A42: who is where, changes -------------------------------------------------------
def test_a42_the_servers_router_changes(net):
    """Its frames come from another address: those to the client do as well."""
    c, s = net.session()
    s.l2 = net.MAC_C + OTHER
    seen = len(c.got)
    net.message(c, s)
    assert c.got[-1].src_mac == OTHER and c.got[-1].dst_mac == net.MAC_C
    assert len(c.got) > seen
    net.quit(c, s)


def test_a42_the_client_takes_another_router(net):
    c, s = net.session()
    c.l2 = OTHER + net.MAC_C
    net.message(c, s)
    assert s.got[-1].dst_mac == OTHER and s.got[-1].src_mac == net.MAC_C
    net.quit(c, s)


def test_a42_tags_change_in_the_middle(net):
    c, s = net.session()
    tag = b"\x81\x00" + struct.pack("!H", 0x0123)
    c.l2 += tag
    net.message(c, s)
    assert s.got[-1].tags == [(0x8100, 0x123)]
    assert not c.got[-1].tags, "its own answer is the server's way"
    net.quit(c, s)


def test_a42_who_only_guesses_moves_nobody(net):
    """Right addresses and ports, wrong numbers, another MAC address."""
    c, s = net.session()
    for wrong in (1 << 24, 1 << 30, -(1 << 24)):
        seq = (c.snd + wrong) & 0xffffffff
        net.inside.send(net.MAC_S + OTHER + c.raw(ACK, seq=seq)[12:])
        seq = (s.snd + wrong) & 0xffffffff
        net.outside.send(net.MAC_C + OTHER + s.raw(ACK, seq=seq)[12:])
    net.run(0.1)
    seen = len(c.got), len(s.got)
    net.message(c, s)
    assert all(g.src_mac == net.MAC_S for g in c.got[seen[0]:])
    assert all(g.src_mac == net.MAC_C for g in s.got[seen[1]:])
    net.quit(c, s)


def test_a42_frames_on_the_wrong_side(lab, net):
    """The server's segments from inside, the client's from outside: with the right
    numbers, and dropped."""
    c, s = net.session()
    net.run(0.3)  # the last ACKs
    spoofed = lab.counter("frames-dropped-wrong-side")
    seen = len(c.got), len(s.got)
    net.inside.send(s.raw(ACK | PSH, b"250 from the wrong side\r\n"))
    net.inside.send(s.raw(RST | ACK))
    net.outside.send(c.raw(ACK | PSH, b"QUIT\r\n"))
    net.outside.send(c.raw(RST | ACK))
    net.run(0.2)
    assert (len(c.got), len(s.got)) == seen
    assert lab.counter("frames-dropped-wrong-side") == spoofed + 4
    net.message(c, s)
    net.quit(c, s)


def test_a42_arp_storm(net):
    """3000 broadcasts each way: all pass, and mail does."""
    c, s = net.session()
    arp = [b"\xff" * 6 + OTHER + struct.pack(
        "!HHHBBH6s4s6s4s", 0x0806, 1, 0x0800, 6, 4, 1, OTHER,
        i.to_bytes(4, "big"), bytes(6), bytes(4)) for i in range(3000)]
    for i in range(0, 3000, 50):
        net.inside.send(*arp[i:i + 50])
        net.outside.send(*arp[i:i + 50])
        net.turn(0.001)
    net.message(c, s)
    net.quit(c, s)
    for port in (net.inside, net.outside):
        assert sum(f[12:14] == b"\x08\x06" and f[6:12] == OTHER
                   for f in port.seen) == 3000


# --- A38, A39 with kernels ------------------------------------------------------------
@pytest.mark.usefixtures("lab")
def test_a38_ephemeral_ports_come_round(net):
    """250 sessions one after the other over 100 source ports; the server's side
    says FIN first, so the client's kernel uses a port again at once."""
    lablib.sysctl("mail", "net.ipv4.ip_local_port_range=42000 42099")
    with in_space("net"):
        listener = socket.socket()
    listener.bind(("198.51.100.38", 25))
    listener.listen(10)
    listener.settimeout(5)
    slowest = 0.0
    for _ in range(250):
        with in_space("mail"):
            c = socket.socket()
        c.settimeout(5)
        began = time.monotonic()
        c.connect(("198.51.100.38", 25))
        slowest = max(slowest, time.monotonic() - began)
        s, _ = listener.accept()
        s.sendall(b"220 mx\r\n")
        assert c.recv(100) == b"220 mx\r\n"
        s.close()
        assert c.recv(100) == b""
        c.close()
    listener.close()
    assert slowest < 2


def test_a39_an_octet_now_and_then(net):
    """A server that takes and says everything one octet at a time."""
    c = net.client()
    s = net.server(c)
    net.connect(c, s)
    for octet in b"220 mx.example ESMTP\r\n":
        s.write(bytes([octet]))
        net.run(0.02)
    net.until(lambda: c.data.endswith(b"\r\n"), what="greeting")
    c.line("EHLO client.example")
    net.until(lambda: s.data.endswith(b"\r\n"), what="EHLO")
    for octet in b"250-mx.example\r\n250 SIZE 1000\r\n":
        s.write(bytes([octet]))
        net.run(0.02)
    net.until(lambda: c.data.endswith(b"PIPELINING\r\n"), what="EHLO's answer")


def test_syn_of_nobody_is_no_use_to_others(net):
    """A stranger's frames with a session's ports, other addresses: his own."""
    c, s = net.session()
    other = net.client(src="10.77.0.98", sport=c.sport)
    net.inside.send(frame(other.l2, ip4(
        other.src, other.dst, 6, tcp(other.src, other.dst, other.sport,
                                     other.dport, c.snd, c.rcv, ACK | PSH,
                                     b"RSET\r\n"))))
    net.until(lambda: other.saw(RST), what="his reset")
    net.message(c, s)
    net.quit(c, s)
