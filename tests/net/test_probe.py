# SPDX-License-Identifier: BSD-2-Clause
"""probe: what a server has and what is on the way to it, as mail would see it; a
scripted middlebox for every name that it gives, Cisco's ways in front of Postfix.
"""
import contextlib
import itertools
import re
import socket
import struct
import threading

import pytest

from lablib import peers
from mailkit import Client, Gone, Talk, ca, net, poll, server_tls, \
    socket_in, transact
from resolverkit import RESOLVER, labels, resolver_fixture  # noqa: F401

MAIL = "10.77.0.10"
ACCEPTED = [b"HELO", b"EHLO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"NOOP",
            b"QUIT", b"HELP", b"VRFY"]


def ask(words):
    try:
        return True, net.cli(f"probe {words}")
    except net.LabError as e:
        return False, str(e)


def probe(words):
    """(did it go well, what it says). Towards a resolver there is one port to come
    from: that is free when the connection before has ended."""
    said = []

    def free():
        said[:] = ask(words)
        return "no connection is free" not in said[1]
    assert poll(free), said
    return said[0], said[1]


def row(text, label):
    found = re.search(rf"^{re.escape(label)} +(.*)$", text, re.M)
    assert found, f"no {label!r} in\n{text}"
    return found[1]


@pytest.fixture(name="seen")
def seen_fixture(box):
    """The mail server has sent something, so its address can be borrowed."""
    assert box.send(box.mx().address, ["eve@other.example"]).final == 250
    return box


# --- what goes wrong before anything is found -------------------------------------
def test_nobody_to_borrow_from(box):
    """First in this file: nothing has passed the box yet."""
    good, text = probe("198.51.100.9")
    assert not good and "no server that has sent mail through" in text


def test_what_cannot_be_asked(seen):
    for words, why in (("not_a..name", "not a domain"),
                       ("partner.example", "which resolver?"),
                       ("198.51.100.9 port 0", "port: a number"),
                       ("198.51.100.9 from here", "from: an address"),
                       ("198.51.100.9 level ntlm-seal", "level: clear"),
                       ("198.51.100.9 slowly", "port, from, resolver"),
                       ("198.51.100.9 from 10.77.0.99", "no server that has"),
                       ("2001:db8:25::9", "no server that has")):
        good, text = probe(words)
        assert not good and why in text, text
    good, text = probe(seen.address())
    assert not good and "refuses the connection" in text, text


# --- the resolver that is asked inside ------------------------------------------------
def question(flags=0x0100):
    return struct.pack("!HHHHHH", 4711, flags, 1, 0, 0, 0) + \
        labels("any.example") + b"\0\1\0\1"


def frame_of(source, resolver, octets=None, tag=b""):
    data = octets or question()
    udp = struct.pack("!HHHH", 40000, 53, 8 + len(data), 0) + data
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0,
                     socket.inet_aton(source), socket.inet_aton(resolver))
    return bytes.fromhex("027700000001" "027700000010") + tag + b"\x08\0" + \
        ip + udp


@contextlib.contextmanager
def mail_port():
    with socket_in("mail", socket.AF_PACKET, socket.SOCK_RAW) as port:
        port.bind(("eth0", 0))
        yield port


def asks(resolver, source=MAIL, **how):
    """As a host inside does; what comes of it does not matter."""
    with mail_port() as port:
        port.send(frame_of(source, resolver, **how))


def named(text):
    found = re.search(r"^(?:resolver +|the resolver )(.*)$", text, re.M)
    return found[1] if found else text


def until_seen(resolver, who=MAIL):
    def seen():
        asks(resolver, who)
        return named(probe("ver.example")[1]) == f"{resolver}; seen: {who} asks it"
    assert poll(seen), probe("ver.example")[1]


def test_the_resolver_that_is_asked_inside(seen, resolver, config):
    """No resolver was ever named here. It is that of a host that sends mail, and of
    one that has not, it is nobody's business."""
    resolver.table[labels("null.example"), 15] = [struct.pack("!H", 0) + b"\0"]
    asks(seen.address(), "10.77.0.66")
    asks(seen.address(), octets=question(0x8180))  # an answer
    asks(seen.address(), octets=question(0x0000))  # asks the root servers itself
    asks(seen.address(), octets=b"\0")
    assert "which resolver? No server that" in probe("null.example")[1]
    until_seen(RESOLVER)
    good, text = probe("null.example")
    assert not good and "it takes no mail" in text, text
    assert resolver.asked[-1][0][0] == MAIL
    # the last one counts, and nobody else's
    other = seen.address()
    until_seen(other)
    asks(RESOLVER, "10.77.0.66")
    until_seen(other)
    # what somebody has configured counts more
    seen.load(config + f"\nresolver {RESOLVER}\n")
    assert poll(lambda: named(probe("null.example")[1]) ==
                f"{RESOLVER}; configured")
    seen.load(config)
    until_seen(other)


def test_a_resolver_behind_a_tag_and_of_the_other_family(seen):
    """With a tag the host is the same one. In IPv6 it is one that has not sent mail,
    until it has."""
    far = seen.address()

    def tag_seen():
        asks(far, tag=b"\x81\0\0\7")
        return named(probe("ver.example")[1]).startswith(f"{far};")
    assert poll(tag_seen), probe("ver.example")[1]
    mx = seen.mx(v6=True)
    assert seen.send(mx.address, ["eve@other.example"]).final == 250
    six = "2001:db8:25::53"

    def six_seen():
        with socket_in("mail", socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.sendto(question(), (six, 53))
        return named(probe("ver.example from fd77::10")[1]).startswith(six)
    assert poll(six_seen), probe("ver.example from fd77::10")[1]
    until_seen(RESOLVER)


def test_a_storm_of_questions(seen):
    """Faster than anybody looks, one in ten from who sends mail: they all pass, mail goes
    on, and he is still seen."""
    far, over = seen.address(), threading.Event()
    storm = itertools.cycle([frame_of("10.77.0.66", "198.51.100.9")] * 9 +
                            [frame_of(MAIL, far)])

    def rage():
        with mail_port() as port:
            while not over.is_set():
                with contextlib.suppress(BlockingIOError):
                    port.send(next(storm))
    t = threading.Thread(target=rage)
    taken = seen.counter("frames-taken-inside")
    t.start()
    try:
        until_seen(far)
        assert seen.send(seen.mx().address, ["eve@other.example"]).final == 250
    finally:
        over.set()
        t.join()
    assert seen.counter("frames-taken-inside") - taken < 1000, \
        "they do not come to wire as mail does"
    until_seen(RESOLVER)


# --- a server with all there is -----------------------------------------------------
def test_what_a_server_has(seen, authority):
    mx = seen.mx(tls=server_tls(authority), caps=["PIPELINING", "SIZE 1000",
                                                  "AUTH PLAIN SCRAM-SHA-256"])
    good, text = probe(mx.address)
    assert good, text
    assert row(text, "server").startswith(f"{mx.address} port 25")
    assert text.splitlines()[0].endswith(f"as if from {MAIL}")
    assert row(text, "greeting") == "220 mx.example ESMTP"
    assert row(text, "offers") == "PIPELINING SIZE AUTH STARTTLS"
    assert row(text, "STARTTLS") == "220 go"
    assert row(text, "TLS").startswith("TLS 1.3, TLS1-3-")
    assert row(text, "TLS 1.2") == "to be had"
    assert row(text, "resumption").startswith("offered")
    assert "mx.ver.example" in row(text, "chain")
    assert "valid, from a CA that the box trusts" in text
    assert re.match(r"20\d\d-\d\d-\d\dT", row(text, "expires"))
    assert row(text, "names") == "mx.ver.example"
    cert, _ = authority.cert("mx.ver.example")
    assert row(text, "public key") == ca.pin(cert)
    assert row(text, "AUTH in TLS") == "PLAIN SCRAM-SHA-256"
    assert row(text, "large segments") == "arrive"
    assert "ON THE WAY" not in text
    for level in ("clear", "may", "encrypt", "pin"):
        assert row(text, level) == "would hold now"
    assert row(text, "verify").startswith("certificate-host-mismatch: ")
    # it is no mail, and no command of mail
    assert not mx.stored
    said = {l.split(b" ")[0] for l, _ in mx.heard if l[:1] != b"\x16"}
    assert {l for l in said if l.isalpha()} <= {b"EHLO", b"STARTTLS", b"NOOP",
                                                b"QUIT"}
    assert (f"EHLO [{MAIL}]".encode(), False) in mx.heard


def test_a_level_that_has_to_hold(seen, authority):
    mx = seen.mx(tls=server_tls(authority))
    assert probe(f"{mx.address} level encrypt")[0]
    assert not probe(f"{mx.address} level verify")[0]
    assert not probe(f"{seen.mx().address} level encrypt")[0]


def test_mx_of_a_domain(seen, authority, resolver):
    mx = seen.mx(tls=server_tls(authority, "mx.ver.example"))
    name, host = labels("ver.example"), labels("mx.ver.example")
    resolver.table.update({
        (name, 15): [struct.pack("!H", 20) + labels("far.ver.example"),
                     struct.pack("!H", 5) + host],
        (host, 1): [socket.inet_aton(mx.address)],
        (labels("far.ver.example"), 1): [],
        (labels("null.example"), 15): [struct.pack("!H", 0) + b"\0"]})
    good, text = probe(f"ver.example resolver {RESOLVER}")
    assert good, text
    assert row(text, "MX") == f"5 mx.ver.example {mx.address}"
    assert "20 far.ver.example (no address)" in text
    assert resolver.asked[0][0][0] == MAIL
    assert row(text, "verify") == "would hold now"
    assert row(text, "in force now") == "would hold now"
    # the lines that it prints are lines of the configuration
    lines = re.findall(r"^  (domain .*)$", text, re.M)
    assert [l.split()[2] for l in lines] == ["verify", "pin", "encrypt"]
    for line in lines:
        with net.Cli() as c:
            c("configure")
            c(line)
            c("commit check")
            c("discard")
    # the resolver is remembered
    assert "there is no such name" in probe("no.example")[1]
    assert "it takes no mail" in probe("null.example")[1]


def test_all_mx_in_their_order(seen, authority, resolver):
    """One with TLS, one that is not there, one without: the domain is as its weakest."""
    first = seen.mx(tls=server_tls(authority, "mx.ver.example"))
    last, gone = seen.mx(), seen.address()
    name = labels("many.example")
    hosts = {5: first.address, 7: gone, 9: last.address}
    resolver.table[name, 15] = [
        struct.pack("!H", n) + labels(f"mx{n}.many.example")
        for n in (9, 5, 7)]
    for n, address in hosts.items():
        resolver.table[labels(f"mx{n}.many.example"), 1] = [
            socket.inet_aton(address)]
    good, text = probe(f"many.example resolver {RESOLVER} level encrypt")
    assert not good
    parts = text.split("\nserver        ")
    assert [p.split()[0] for p in parts[1:]] == [first.address, gone,
                                                 last.address]
    assert "as if from " + MAIL in parts[1]
    assert row(parts[1], "encrypt") == "would hold now"
    assert parts[2].rstrip().endswith("it refuses the connection")
    assert row(parts[3], "encrypt").startswith("starttls-not-supported")
    # without the last one the level holds: who is not there has no say
    resolver.table[name, 15].pop(0)
    assert probe("many.example level encrypt")[0]
    # and of a domain of which none is there
    resolver.table[name, 15] = [struct.pack("!H", 7) +
                                labels("mx7.many.example")]
    good, text = probe("many.example")
    assert not good and "it refuses the connection" in text


def test_a_resolver_that_does_not_answer(seen):
    good, text = probe(f"ver.example resolver {seen.address()}")
    assert not good and "refuses the connection; it is asked over TCP" in text


# --- middleboxes -------------------------------------------------------------------
def swallow(session):
    with contextlib.suppress(OSError):
        while True:
            session.talk.more()


def no_tls_then(session):
    """STARTTLS is understood by something that knows no TLS."""
    session.say(b"220 go\r\n")
    session.talk.more()
    session.say(b"500 5.5.1 what was that?\r\n")
    raise Gone("as told")


def eaten(session):
    session.say(b"220 go\r\n")
    swallow(session)


def only_small(session):
    """A ClientHello of more than one segment is lost."""
    session.say(b"220 go\r\n")
    sock = session.talk.sock
    head = sock.recv(5, socket.MSG_PEEK | socket.MSG_WAITALL)
    if struct.unpack("!H", head[3:5])[0] > 1400:
        swallow(session)
    session.talk = Talk(session.mx.tls.wrap_socket(sock, server_side=True))
    session.tls = True


HIDDEN = b"250-mx.example\r\n250-PIPELINING\r\n250 SIZE 1000\r\n"
MIDDLEBOXES = [
    ("stars", {"GREETING": b"220 ****************************2******\r\n"},
     "greeting is masked", "Cisco PIX and ASA", "no inspect esmtp"),
    ("crossed", {"EHLO": b"250-mx.example\r\n250-8BITMIME\r\n250 XXXXXXXA\r\n",
                 "STARTTLS": b"500 #5.5.1 command not recognized\r\n"},
     "a keyword is crossed out", "Cisco ASA", "allow-tls"),
    ("no ehlo", {"EHLO": b"500 5.5.1 command unrecognized: XXXX\r\n",
                 "STARTTLS": b"500 5.5.1 command unrecognized\r\n"},
     "EHLO is refused, HELO is taken", "Cisco PIX", "no fixup protocol smtp"),
    ("hidden", {"EHLO": lambda s: s.capabilities() if s.tls else HIDDEN},
     "STARTTLS works and is not offered", "FortiGate", "allow TLS"),
    ("empty", {"STARTTLS": no_tls_then}, "and then there is no TLS",
     "SMTP proxies", "take the proxy out"),
    ("eaten", {"STARTTLS": eaten}, "the handshake is eaten",
     "FortiGate SSL inspection", "exempt the mail server"),
    ("large", {"STARTTLS": only_small}, "a ClientHello of two segments",
     "Palo Alto", "update it"),
]


@pytest.mark.parametrize("name, reply, sign, known, change", MIDDLEBOXES,
                         ids=[m[0] for m in MIDDLEBOXES])
def test_a_middlebox_has_a_name(seen, authority, name, reply, sign, known,
                                change):
    mx = seen.mx(tls=server_tls(authority), reply=reply)
    _, text = probe(mx.address)
    assert text.count("ON THE WAY") == 1, text
    assert sign in row(text, "ON THE WAY")
    assert known in row(text, "  known for it")
    assert change in row(text, "  to change")
    assert row(text, "clear") == "would hold now"
    encrypt = row(text, "encrypt")
    if name in ("stars", "hidden", "large"):
        assert encrypt == "would hold now"
    elif name in ("crossed", "no ehlo"):
        assert encrypt.startswith("starttls-not-supported: ")
    else:
        assert encrypt.startswith("validation-failure: ")


def test_a_path_mtu_hole(seen, authority):
    """The server's link carries 1000 octets, and nobody says so: full segments of
    the box vanish, small ones arrive."""
    mx = seen.mx(tls=server_tls(authority))
    off = ("ethtool", "-K", "outside", "tx", "off", "tso", "off", "gso", "off")
    route = [l.split() for l in
             net.inside("net", "ip", "route", capture_output=True,
                        text=True).stdout.splitlines()]
    back, = [r for r in route if r[0] == "10.77.0.0/24"] or \
        [r for r in route if r[0] == "default"]
    try:
        assert net.inside("box", *off, capture_output=True).returncode == 0
        net.inside("net", "ip", "route", "replace", *back, "advmss", "1460")
        net.inside("net", "ip", "link", "set", "eth0", "mtu", "1000")
        _, text = probe(mx.address)
    finally:
        net.inside("net", "ip", "link", "set", "eth0", "mtu", "1500")
        net.inside("net", "ip", "route", "replace", *back)
        net.inside("box", *(w if w != "off" else "on" for w in off),
                   capture_output=True)
    assert "full-sized segments are lost" in row(text, "ON THE WAY"), text
    assert "ICMP" in row(text, "  known for it")


# --- beside mail ---------------------------------------------------------------------
def test_mail_goes_on_beside_it(seen, authority):
    slow = seen.mx(tls=server_tls(authority), reply={"STARTTLS": eaten})
    mx = seen.mx(tls=server_tls(authority))
    said = []
    t = threading.Thread(target=lambda: said.append(probe(slow.address)))
    t.start()
    assert poll(lambda: slow.sessions)
    good, text = probe(mx.address)
    assert not good and "somebody else has a probe running" in text
    assert seen.send(mx.address, ["bob@enc.example"], True).final == 250
    # the tuple of the probe is the mail server's own, if it wants it
    sport = next(int(l.split(":")[1].split()[0])
                 for l in established(slow.address) if f"{MAIL}:" in l)
    with Client(slow.address, source=(MAIL, sport)) as c:
        assert c.reply()[0] == 220
    t.join()
    assert said and row(said[0][1], "TLS").startswith("it hung up")


def established(address):
    """Peers of connections to address, as its own host sees them."""
    out = net.inside("net", "ss", "-Htn", "src", address, capture_output=True,
                     text=True).stdout
    return [l.split()[4] for l in out.splitlines()]


def test_who_leaves_ends_it(seen, authority):
    slow = seen.mx(tls=server_tls(authority), reply={"STARTTLS": eaten})
    with net.Cli() as c:
        c.sock.sendall(f"probe {slow.address}\n".encode())
        assert poll(lambda: slow.sessions)
    assert poll(lambda: not established(slow.address))
    assert probe(seen.mx().address)[0]


# --- Cisco's inspection before a real server ------------------------------------------
class Inspection:
    """What PIX and ASA do to SMTP: the banner is stars, keywords and commands that
    they do not know are crossed out."""

    def __init__(self, address, server):
        self.server = server
        self.listener = socket_in("net", socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, 25))
        self.listener.listen(8)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket_in("net", socket.AF_INET)
                server.connect((self.server, 25))
                for end in (Talk(client), Talk(server)):
                    other = server if end.sock is client else client
                    threading.Thread(
                        target=self.pass_on, daemon=True,
                        args=(end, other, end.sock is client)).start()

    @staticmethod
    def command(line):
        word = line[:4].upper()
        return line if word in ACCEPTED else b"X" * len(line)

    @staticmethod
    def answer(line, first):
        if first:
            return line[:4] + b"*" * (len(line) - 4)
        if re.fullmatch(rb"250[- ]STARTTLS", line):
            return line[:4] + b"XXXXXXXA"
        return line

    def pass_on(self, end, other, from_client):
        first, text = True, False
        try:
            while True:
                line = end.line()
                if from_client and not text:
                    text = line.upper() == b"DATA"
                    line = self.command(line)
                elif from_client:
                    text = line != b"."
                else:
                    line = self.answer(line, first)
                first = False
                other.sendall(line + b"\r\n")
        except (Gone, OSError):
            with contextlib.suppress(OSError):
                other.shutdown(socket.SHUT_WR)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def test_cisco_before_postfix(seen, authority):
    bare, behind = seen.address(), seen.address()
    postfix = peers.Postfix("mx.ver.example", "net", [bare],
                            cert=authority.cert("mx.ver.example"))
    postfix.start()
    inspection = Inspection(behind, bare)
    try:
        postfix.wait([bare])
        good, text = probe(bare)
        assert good and "ON THE WAY" not in text, text
        assert row(text, "encrypt") == "would hold now"
        good, text = probe(behind)
        assert good and text.count("ON THE WAY") == 2, text
        assert "greeting is masked with asterisks" in text
        assert "a keyword is crossed out, which was STARTTLS" in text
        assert row(text, "encrypt").startswith("starttls-not-supported: ")
        # and so it is with mail
        assert seen.send(behind, ["bob@enc.example"], True).rcpt == [451]
        with Client(behind) as c:
            c.hello()
            body = b"Subject: past the inspection\r\n\r\nwords\r\n"
            assert transact(c, ["eve@other.example"], body).final == 250
    finally:
        inspection.close()
