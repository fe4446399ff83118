# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the wire at the level of frames: the lab, raw ports, a small TCP.

The hosts of these tests are not kernels: they are Ends on raw ports, with
addresses that no kernel of the lab has, so every frame is one that the test
has built, and every frame that comes out is looked at as it lies.

    with Lab(config) as lab:
        inside, outside = lab.ports()
        net = Net(inside, outside)
        c, s = net.session()          (a session through the box)
"""
import contextlib
import ctypes
import os
import select
import socket
import struct
import sys
import time

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
sys.path.insert(0, os.path.abspath(os.path.join(ROOT, "tools")))

from lablib import net as lablib  # noqa: E402

FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
CANARY = b"canary-5d1e77a0c3"
LIBC = ctypes.CDLL(None, use_errno=True)


# --- the lab ------------------------------------------------------------------

class Lab:
    """The lab up with this configuration text; down at the end."""

    def __init__(self, config="default may\n", offloads=True, direct=False,
                 sanitized=False, box=True):
        self.config, self.box = config, box
        self.args = lablib.Choices(
            offloads="on" if offloads else "off", direct=direct,
            build="bin-san" if sanitized else "bin")

    def __enter__(self):
        lablib.down(None)
        lablib.LAB.mkdir(parents=True, exist_ok=True)
        file = lablib.LAB / "wire-test.conf"
        file.write_text(self.config)
        self.args.config = file
        if self.box:
            lablib.up(self.args)
            return self
        try:  # everything but the box; the test starts it
            (lablib.LAB / "box.log").write_text("")
            lablib.build(self.args)
        except BaseException:
            lablib.down(None)
            raise
        return self

    def __exit__(self, *_):
        lablib.down(None)

    def start(self):
        lablib.start_box(self.args)

    def ports(self):
        return Port("mail"), Port("net")

    @staticmethod
    def mtu(size):
        """What the hosts on both sides take in one frame."""
        for space in ("mail", "net"):
            lablib.ip("-n", lablib.SPACES[space], "link", "set", "eth0",
                      "mtu", str(size))

    @staticmethod
    def cli(command):
        return lablib.cli(command)

    @staticmethod
    def counter(name):
        for line in lablib.cli("show counters").splitlines():
            if line.split()[:1] == [name]:
                return int(line.split()[-1])
        raise KeyError(name)

    @staticmethod
    def log():
        return (lablib.LAB / "box.log").read_text(errors="replace")

    @staticmethod
    def pids(program):
        """{pid} of one of the box's programs."""
        found = []
        for pid in lablib.pids_in("sw-box"):
            with contextlib.suppress(OSError):
                exe = os.readlink(f"/proc/{pid}/exe")
                if os.path.basename(exe) == program:
                    found.append(pid)
        return found


@contextlib.contextmanager
def in_space(space):
    """Sockets that are made in here belong to a namespace of the lab."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{lablib.SPACES[space]}", os.O_RDONLY)
    try:
        if LIBC.setns(there, 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        if LIBC.setns(here, 0x40000000) != 0:
            os.abort()  # nothing after this could be believed
        os.close(here)
        os.close(there)


def until(condition, seconds=20.0, what="it"):
    """Poll; the value of condition, or a failure."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not happen in {seconds} s"
        time.sleep(0.02)


# --- raw ports ------------------------------------------------------------------

SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23


# A host joins its multicast groups whenever it likes: reports to all MLDv2
# routers, solicitations to all routers (RFC 3810 5.2.14, RFC 4861 4.1).
CHATTER = (bytes.fromhex("333300000016"), bytes.fromhex("333300000002"))
# The box proves to itself that it sees what it sends (firmware/proto/canary.h).
CANARY_HEAD = bytes.fromhex("0180c200000e" "025345414c57" "88b5")


class Port:
    """An interface as a raw port; frames as they are on the wire."""

    def __init__(self, space, dev="eth0"):
        with in_space(space):
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        s.setsockopt(socket.SOL_SOCKET, 32, 64 << 20)  # SO_SNDBUFFORCE
        s.bind((dev, 3))
        s.setblocking(False)
        self.sock = s
        self.seen = []  # every frame that came, for the oracle

    def fileno(self):
        return self.sock.fileno()

    def send(self, *frames):
        for f in frames:
            try:
                self.sock.send(f)
            except BlockingIOError:
                select.select([], [self.sock], [], 1)
                self.sock.send(f)

    def take(self):
        """The next frame that has come, or None."""
        try:
            data, aux, _, _ = self.sock.recvmsg(70000, 64)
        except (BlockingIOError, OSError):
            return None
        for _, kind, value in aux:
            if kind != PACKET_AUXDATA:
                continue
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH",
                                                          value[:20])
            if status & 0x10:  # TP_STATUS_VLAN_VALID
                tpid = tpid if status & 0x40 else 0x8100
                data = data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
        if data.startswith(CANARY_HEAD):
            return self.take()
        self.seen.append(data)
        return data

    def drain(self):
        out = []
        while (f := self.take()) is not None:
            out.append(f)
        return out

    def collect(self, count, seconds=5.0,
                match=lambda f: f[:6] not in CHATTER):
        """count frames that match, or as many as came in time."""
        out, end = [], time.monotonic() + seconds
        while len(out) < count and (left := end - time.monotonic()) > 0:
            select.select([self.sock], [], [], left)
            out += [f for f in self.drain() if match(f)]
        return out

    def never_saw(self, octets):
        self.drain()
        return not any(octets in f for f in self.seen)

    def close(self):
        self.sock.close()


# --- building and reading frames ---------------------------------------------

def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def is6(address):
    return ":" in address


def packed(address):
    return socket.inet_pton(
        socket.AF_INET6 if is6(address) else socket.AF_INET, address)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def tcp(src, dst, sport, dport, seq, ack, flags, data=b"", options=b"",
        window=0xffff, urg=0, offset=None, good=True):
    """A TCP segment with its checksum; offset lies about the header."""
    options += b"\0" * (-len(options) % 4)
    off = (20 + len(options)) // 4 if offset is None else offset
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff,
                       ack & 0xffffffff, off << 4, flags, window, 0, urg)
    seg = head + options + data
    pseudo = packed(src) + packed(dst) + (
        struct.pack("!II", len(seg), 6) if is6(src)
        else struct.pack("!HH", 6, len(seg)))
    c = checksum(pseudo + seg)
    return seg[:16] + struct.pack("!H", c if good else c ^ 0x5555) + seg[18:]


def ip4(src, dst, proto, data, ident=1, frag=0, options=b"", ttl=64):
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0,
                       20 + len(options) + len(data), ident, frag, ttl,
                       proto, 0, packed(src), packed(dst)) + options
    c = checksum(head)
    return head[:10] + struct.pack("!H", c) + head[12:] + data


def ip6(src, dst, next_, data):
    return struct.pack("!IHBB16s16s", 6 << 28, len(data), next_, 64,
                       packed(src), packed(dst)) + data


def ip_packet(src, dst, data, proto=6, **kw):
    return (ip6 if is6(src) else ip4)(src, dst, proto, data, **kw)


def frame(l2, packet):
    """l2: everything in front of the packet, without the last type."""
    kind = 0x86dd if packet[0] >> 4 == 6 else 0x0800
    if l2[-2:] == b"\x88\x64":  # PPPoE session 0x1234
        return l2 + struct.pack("!BBHHH", 0x11, 0, 0x1234, len(packet) + 2,
                                0x57 if kind == 0x86dd else 0x21) + packet
    return l2 + struct.pack("!H", kind) + packet


class Segment:
    """A received frame with TCP or ICMP in it; .tcp is None for ICMP."""

    def __init__(self, data):
        self.raw, at = data, 14
        self.dst_mac, self.src_mac = data[:6], data[6:12]
        kind = struct.unpack_from("!H", data, 12)[0]
        self.tags = []
        while kind in (0x8100, 0x88a8):
            tci, inner = struct.unpack_from("!HH", data, at)
            self.tags.append((kind, tci))
            kind, at = inner, at + 4
        self.pppoe = None
        if kind == 0x8864:
            self.pppoe = struct.unpack_from("!HH", data, at + 2)
            kind = {0x21: 0x0800, 0x57: 0x86dd}[
                struct.unpack_from("!H", data, at + 6)[0]]
            at += 8
        self.l2 = data[:at]
        self.ip = at
        if kind == 0x0800:
            size = (data[at] & 15) * 4
            self.frag = struct.unpack_from("!H", data, at + 6)[0] & 0x3fff
            self.proto = data[at + 9]
            self.end = at + struct.unpack_from("!H", data, at + 2)[0]
            self.src, self.dst = (socket.inet_ntop(
                socket.AF_INET, data[at + o:at + o + 4]) for o in (12, 16))
        elif kind == 0x86dd:
            size, self.frag, self.proto = 40, 0, data[at + 6]
            self.end = at + 40 + struct.unpack_from("!H", data, at + 4)[0]
            self.src, self.dst = (socket.inet_ntop(
                socket.AF_INET6, data[at + o:at + o + 16]) for o in (8, 24))
        else:
            raise ValueError("not IP")
        self.l4 = at = at + size
        if self.proto == 6 and self.frag & 0x1fff == 0:
            (self.sport, self.dport, self.seq, self.ack, off, self.flags,
             self.window) = struct.unpack_from("!HHIIBBH", data, at)
            self.options = data[at + 20:at + (off >> 4) * 4]
            self.data = data[at + (off >> 4) * 4:self.end]
        elif self.proto not in (1, 58):
            raise ValueError("neither TCP nor ICMP")

    def option(self, number):
        o = self.options
        while o and o[0]:
            if o[0] == 1:
                o = o[1:]
                continue
            if o[0] == number:
                return o[2:o[1]]
            o = o[o[1]:]
        return None


def read(data):
    with contextlib.suppress(ValueError, struct.error, KeyError, IndexError):
        return Segment(data)
    return None


def icmp_error(quote, kind, code, rest=0, router=None):
    """An ICMP error of a router about the frame that quote was read from."""
    packet = quote.raw[quote.ip:quote.end]
    v6 = ":" in quote.src
    router = router or ("2001:db8:ff::1" if v6 else "192.0.2.254")
    body = struct.pack("!BBHI", kind, code, 0, rest) + \
        packet[:1200 if v6 else 548]
    if v6:
        pseudo = packed(router) + packed(quote.src) + struct.pack(
            "!II", len(body), 58)
        c = checksum(pseudo + body)
    else:
        c = checksum(body)
    body = body[:2] + struct.pack("!H", c) + body[4:]
    back = quote.src_mac + quote.dst_mac
    return frame(back, ip6(router, quote.src, 58, body) if v6
                 else ip4(router, quote.src, 1, body))


# --- a small TCP ------------------------------------------------------------------

class End:
    """One end of one TCP connection, on a raw port. Sends what it is told,
    acknowledges what comes unless quiet, never retransmits by itself."""

    def __init__(self, net, port, l2, src, dst, sport, dport, isn):
        self.net, self.port, self.l2 = net, port, l2
        self.src, self.dst, self.sport, self.dport = src, dst, sport, dport
        self.snd, self.una, self.rcv = isn, isn, None
        self.data = b""
        self.window, self.quiet, self.ip = 0xffff, False, ip_packet
        self.flags = 0        # all that were seen
        self.peer_window = None
        self.got = []         # segments, as they came
        self.serving, self.served = False, 0
        self.bodies, self.in_data = [], False
        self.options = struct.pack("!BBH", 2, 4, 1440 if is6(src) else 1460)
        net.ends.append(self)

    def raw(self, flags, data=b"", seq=None, ack=None, **kw):
        """The frame of a segment."""
        seq = self.snd if seq is None else seq
        ack = (self.rcv or 0) if ack is None else ack
        kw.setdefault("window", self.window)
        ip_kw = {k: kw.pop(k) for k in ("ident", "frag") if k in kw}
        seg = tcp(self.src, self.dst, self.sport, self.dport, seq, ack, flags,
                  data, **kw)
        return frame(self.l2, self.ip(self.src, self.dst, seg, **ip_kw))

    def emit(self, flags, data=b"", **kw):
        self.port.send(self.raw(flags, data, **kw))

    def syn(self, flags=SYN, **kw):
        kw.setdefault("options", self.options)
        self.emit(flags, **kw)
        self.snd = (self.snd + 1) & 0xffffffff

    def write(self, data, size=1000):
        for i in range(0, len(data), size):
            part = data[i:i + size]
            self.emit(ACK | PSH, part)
            self.snd = (self.snd + len(part)) & 0xffffffff

    def pump(self, data, seconds=10.0, size=1440, stall=None):
        """Send data within the peer's window, again what is lost. With stall:
        give up when nothing moved for so long. How much was accepted."""
        start, end = self.snd, time.monotonic() + seconds
        moved, una, sent = time.monotonic(), 0, 0
        while una < len(data) and time.monotonic() < end:
            room = una + min(self.peer_window or 0, 60000) - sent
            while sent < len(data) and room > 0:
                part = data[sent:sent + min(size, room)]
                self.emit(ACK | PSH, part, seq=start + sent)
                sent, room = sent + len(part), room - len(part)
            self.net.turn()
            now = (self.una - start) & 0xffffffff
            if 0 < now - una < 1 << 30:
                una, moved = now, time.monotonic()
            idle = time.monotonic() - moved
            if stall and idle > stall:
                break
            if idle > 0.2:
                sent = una
        self.snd = (start + una) & 0xffffffff
        return una

    def line(self, text):
        self.write(text.encode() + b"\r\n")

    def fin(self):
        self.emit(ACK | FIN)
        self.snd = (self.snd + 1) & 0xffffffff

    def reset(self):
        self.emit(RST | ACK)

    def mine(self, s):
        return (s.src, s.dst, s.sport, s.dport) == (
            self.dst, self.src, self.dport, self.sport)

    def take(self, s):
        self.got.append(s)
        self.flags |= s.flags
        self.peer_window = s.window
        if s.flags & ACK and 0 < (s.ack - self.una) & 0xffffffff < 1 << 30:
            self.una = s.ack
        if s.flags & RST:
            return
        if s.flags & SYN:
            self.rcv = (s.seq + 1) & 0xffffffff
            return
        new = s.data
        if self.rcv is None:
            return
        skip = (self.rcv - s.seq) & 0xffffffff
        if skip < 1 << 30:
            fin = s.flags & FIN and skip <= len(new)
            new = new[skip:]
            self.data += new
            self.serve()
            self.rcv = (self.rcv + len(new) + bool(fin)) & 0xffffffff
        if not self.quiet and (s.data or s.flags & FIN):
            self.emit(ACK)

    def serve(self):
        """A mail server without TLS that accepts everything."""
        while self.serving:
            rest = self.data[self.served:]
            if self.in_data:
                n = 0 if rest.startswith(b".\r\n") else \
                    rest.find(b"\r\n.\r\n") + 2
                if n == 1:
                    return
                self.bodies.append(rest[:n])
                self.served += n + 3
                self.in_data = False
                self.line("250 stored")
                continue
            n = rest.find(b"\r\n")
            if n < 0:
                return
            self.served += n + 2
            verb = rest[:4].upper()
            self.in_data = verb == b"DATA"
            self.line({b"EHLO": "250-mx.example\r\n250 SIZE 50000000",
                       b"DATA": "354 go", b"QUIT": "221 bye"}.get(
                           verb, "250 ok"))

    def saw(self, flags):
        return self.flags & flags == flags


class Net:
    """Both ports, the ends on them, and the turn of the crank."""

    CLIENT, SERVER = "10.77.0.99", "203.0.113.25"
    CLIENT6, SERVER6 = "fd77::99", "2001:db8:113::25"
    MAC_C, MAC_S = mac("02:77:00:00:00:99"), mac("02:77:00:00:00:25")
    next_port = 20000

    def __init__(self, inside, outside):
        self.inside, self.outside = inside, outside
        self.ends = []
        inside.drain(), outside.drain()
        inside.seen.clear(), outside.seen.clear()

    def turn(self, seconds=0.01):
        """Give what has come to the ends it is for."""
        select.select([self.inside, self.outside], [], [], seconds)
        for port in (self.inside, self.outside):
            for data in port.drain():
                s = read(data)
                if not s or s.proto != 6 or s.frag & 0x1fff:
                    continue
                for e in self.ends:
                    if e.port is port and e.mine(s):
                        e.take(s)
                        break

    def until(self, condition, seconds=10.0, what="it"):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, \
                f"{what} did not happen in {seconds} s"
            self.turn()

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn()

    @classmethod
    def fresh_port(cls):
        cls.next_port += 1
        return cls.next_port

    def client(self, v6=False, sport=None, dport=25, tags=b"", src=None,
               dst=None, src_mac=None):
        src = src or (self.CLIENT6 if v6 else self.CLIENT)
        dst = dst or (self.SERVER6 if v6 else self.SERVER)
        l2 = self.MAC_S + (src_mac or self.MAC_C) + tags
        return End(self, self.inside, l2, src, dst,
                   sport or self.fresh_port(), dport,
                   int.from_bytes(os.urandom(4), "big"))

    def server(self, c, tags=b"", dst=None):
        """The other end of c, on the outside."""
        l2 = self.MAC_C + self.MAC_S + tags
        return End(self, self.outside, l2, dst or c.dst, c.src, c.dport,
                   c.sport, int.from_bytes(os.urandom(4), "big"))

    def connect(self, c, s):
        """Both handshakes, through the box."""
        c.syn()
        self.until(lambda: s.saw(SYN), what="SYN at the server")
        s.syn(SYN | ACK)
        self.until(lambda: c.saw(SYN | ACK), what="SYN-ACK at the client")
        c.emit(ACK)
        return c, s

    def session(self, tags=b"", **kw):
        """A connected pair with greeting and EHLO done; the server has no
        STARTTLS, so what follows is seen on both sides."""
        c = self.client(tags=tags, **kw)
        s = self.server(c, tags=tags)
        self.connect(c, s)
        s.line("220 mx.example ESMTP")
        self.until(lambda: b"220 " in c.data, what="greeting")
        s.serving = True
        self.say(c, "EHLO client.example", "250 ")
        return c, s

    def say(self, c, line, answer, seconds=3.0):
        """A command, and how the answer that the client sees begins."""
        was = len(c.data)
        c.line(line)
        self.until(lambda: c.data[was:].endswith(b"\r\n") and
                   c.data[was:].splitlines()[-1].startswith(
                       answer.encode()), seconds, f"{answer} to {line}")

    def message(self, c, s, body=CANARY + b" text\r\n", domain="x.example",
                seconds=5.0):
        """One message through an open session; s.body holds what came."""
        self.say(c, "MAIL FROM:<a@client.example>", "250")
        self.say(c, f"RCPT TO:<b@{domain}>", "250")
        self.say(c, "DATA", "354")
        was, stored = len(c.data), len(s.bodies)
        c.write(body + b".\r\n")
        self.until(lambda: len(s.bodies) > stored, seconds, "the body")
        self.until(lambda: c.data[was:].startswith(b"250"), 3,
                   "250 after the dot")
        assert s.bodies[-1] == body

    def quit(self, c, s):
        """QUIT, 221, FIN from the server, all four FINs."""
        self.say(c, "QUIT", "221")
        s.fin()
        self.until(lambda: c.saw(FIN), what="FIN at the client")
        c.fin()
        self.until(lambda: s.saw(FIN), what="FIN at the server")


def fragments(src, dst, data, cuts, ident=7, proto=6):
    """IP packets with data[a:b] for each (a, b) of cuts; a is a multiple of
    eight. What reaches the end of data says that it is the last."""
    out = []
    for a, b in cuts:
        more = b < len(data)
        if is6(src):
            head = struct.pack("!BBHI", proto, 0, a | more, ident)
            out.append(ip6(src, dst, 44, head + data[a:b]))
        else:
            out.append(ip4(src, dst, proto, data[a:b], ident=ident,
                           frag=a // 8 | more << 13))
    return out


def evenly(n, size):
    """Cuts of n octets in pieces of size."""
    return [(a, min(a + size, n)) for a in range(0, n, size)]
