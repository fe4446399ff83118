# SPDX-License-Identifier: BSD-2-Clause
"""Two boxes back to back, an organisation behind each: a mail server that knows no
TLS."""
import contextlib
import re

import pytest

from inboundkit import import_key, wait_offer
from mailkit import Box, Client, ca, net, poll
from lablib import peers

HERE, THERE = "10.77.0.10", "10.79.0.10"  # mail servers, and so the MX of both
SIX = {HERE: "fd77::10", THERE: "fd79::10"}

# the same on both sides, each about the other
CONFIG = """\
default may
inbound on
domain enc.{other} encrypt
domain t13.{other} encrypt min-tls 1.3
domain ver.{other} verify match mx.{other}
domain pin.{other} pin {pin}
domain six.{other} verify match mx.{other}
domain wrong.{other} verify match mx.elsewhere.example
domain other.{other} pin sha256:{zeros}
account hub user {name} password {secret}
inbound account {other} auth ntlm-seal scram-sha-256 password {secret}
domain seal.{other} ntlm-seal account hub
domain scram.{other} verify match mx.{other} auth scram-sha-256 account hub
inbound require seal.{other} seal account {other}
inbound require scram.{other} auth account {other} min-tls 1.3
inbound require enc.{other} tls
inbound require .{other} tls min-tls 1.3
ca certificate
{ca}
"""
TAKEN = ("free", "enc", "t13", "ver", "pin", "six", "seal", "scram")
REFUSED = ("wrong", "other")
SECRET = "correct-horse-7f3b"


class End:
    """One organisation: its box, and a Postfix that sends and one that stores."""

    def __init__(self, name, other, place, space, address):
        self.name, self.other, self.place = name, other, place
        self.space, self.address = space, address
        self.sender = self.inbox = None

    def config(self, authority):
        cert, _ = authority.cert(f"mx.{self.other}")
        return CONFIG.format(other=self.other, name=self.name,
                             secret=SECRET, pin=ca.pin(cert),
                             zeros="00" * 32, ca=authority.pem().strip())

    def start(self, there):
        routes = {f"{l}.{self.other}": there.address
                  for l in TAKEN + REFUSED}
        routes[f"six.{self.other}"] = SIX[there.address]
        self.inbox = peers.Postfix(f"inbox.{self.name}", self.space,
                                   [self.address, SIX[self.address]])
        self.sender = peers.Postfix(
            f"mail.{self.name}", self.space, ["127.0.0.1"], routes=routes,
            settings=[f"smtp_bind_address = {self.address}",
                      f"smtp_bind_address6 = {SIX[self.address]}"])
        for p in (self.inbox, self.sender):
            p.start()
        for p in (self.inbox, self.sender):
            p.wait(p.addresses)

    def submit(self, sender, rcpt, body):
        """As a user's program does."""
        with Client("127.0.0.1", space=self.space) as c:
            c.hello()
            for line, code in ((f"MAIL FROM:<{sender}>", 250),
                               (f"RCPT TO:<{rcpt}>", 250), ("DATA", 354)):
                assert c.cmd(line)[0] == code
            c.say(body + b".\r\n")
            assert c.reply()[0] == 250

    def outcome(self, rcpt, seconds=40):
        """(status, what the other end said) for this recipient."""
        found = poll(lambda: re.findall(
            rf"to=<{re.escape(rcpt)}>.* status=(\w+) \((.*)\)",
            self.sender.log.read_text()), seconds)
        assert found, self.sender.log.read_text()[-2000:]
        return found[0]

    def has(self, body, seconds=10):
        """Has the message arrived, octet for octet?"""
        text = body.split(b"\r\n\r\n", 1)[1].replace(b"\r\n", b"\n")
        return poll(lambda: any(text in m.read_bytes()
                                for m in self.inbox.messages()), seconds)

    def cli(self, command):
        return net.cli(command, self.place)


@contextlib.contextmanager
def pair(folder, authority):
    """Both of them up; .ends has (near, far) by the way that mail goes."""
    left = End("corp.example", "partner.example", net.FIRST, "mail", HERE)
    right = End("partner.example", "corp.example", net.SECOND, "mail2", THERE)
    second = folder / "second.conf"
    second.write_text(right.config(authority))
    box = Box(folder, left.config(authority),
              up=["--sanitized", "--pair", second])
    box.ends = {"there": (left, right), "back": (right, left)}
    try:
        for end in (left, right):
            import_key(authority, f"mx.{end.name}", place=end.place)
        left.start(right)
        right.start(left)
        for end in (left, right):
            wait_offer(at=end.address)
        yield box
    finally:
        box.down()


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, authority):
    with pair(tmp_path_factory.mktemp("lab"), authority) as box:
        yield box


def look(box):
    """The oracles are asked of the first box and the wire, then of the second."""
    box.check()
    text = net.SECOND.log.read_text(errors="replace")
    assert "AddressSanitizer" not in text and "runtime error" not in text
    assert re.search(r"clear-text-seen +0\n", net.cli("show counters",
                                                       net.SECOND))
    assert poll(lambda: re.search(r"sessions +now 0,", net.cli(
        "show status", net.SECOND)))


# --- what show peers says --------------------------------------------------------------
def own_key(end):
    """As show peers has it, as one word."""
    text = end.cli("show peers")
    return "".join(re.search(r"this box +([0-9a-f ]+)\n +([0-9a-f ]+)\n",
                             text).groups()).replace(" ", "")


def peer_rows(end, way):
    """[(domain, key, pinned, address)] of servers that mail met, or of clients that
    came with it; key None: it was not shown."""
    return [(domain, None if "shown" in key else re.sub(r"\s", "", key),
             pinned == "yes", address)
            for domain, key, pinned, what, address in re.findall(
                r"^(\S+)\n  key +([^\n]+(?:\n +[0-9a-f ]+)?)\n"
                r"  pinned +(yes|no)\n  (server|client) +(\S+) ",
                end.cli("show peers"), re.M) if what == way]


def peers_of(end, way="server"):
    """{domain: (key, pinned, address)}, where each has one key."""
    return {row[0]: row[1:] for row in peer_rows(end, way)}


def deliver(near, box, who, domain):
    """(status, what was said), the message."""
    rcpt, body = f"{who}@{domain}", box.body(True)
    near.submit(f"alice@free.{near.name}", rcpt, body)
    return near.outcome(rcpt), body
