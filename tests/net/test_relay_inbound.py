# SPDX-License-Identifier: BSD-2-Clause
"""relay alone between a client outside and a server inside: who says nothing, and
lines of any length."""
import pytest

from fake_boss import receive
from faultkit import Faults
from relaykit import CLIENT, SERVER, Relay
from test_relay_identity import CONFIG, GOOD, greet

DIALOGUE = [(b"MAIL FROM:<a@o.example>\r\n", b"250 m\r\n"),
            (b"RCPT TO:<b@c.example>\r\n", b"250 r\r\n"),
            (b"DATA\r\n", b"354 go\r\n")]
TEXT = b"Subject: x\r\n\r\nhi\r\n.\r\n"


@pytest.fixture(name="relay")
def relay_fixture():
    r = Relay(CONFIG, certificates=[GOOD])
    assert receive(r.confd)[0] == "SNAPSHOT_ACK"
    yield r
    assert r.alive(), r.stderr()
    assert "Sanitizer" not in r.stderr(), r.stderr()
    r.stop()


@pytest.mark.parametrize("other", ["ca none\ndefault may\n", CONFIG])
def test_tls_only_is_what_wire_says(other):
    """A commit that adds "inbound port" reaches wire before relay: the settings that
    relay has by then, or has not yet, do not matter."""
    relay = Relay(other, certificates=[GOOD])
    try:
        flow = relay.flow(outside=True, tls_only=True)
        greet(flow)
        flow.client.sendall(DIALOGUE[0][0])
        assert flow.client.recv(1000).startswith(b"530 ")
        flow.says(CLIENT, b"NOOP\r\n", b"NOOP\r\n")
    finally:
        relay.stop()


# what is answered before, and what is said then, to which nothing comes
SILENT = {"greeting": (0, None), "MAIL": (0, DIALOGUE[0][0]),
          "RCPT": (1, DIALOGUE[1][0]), "DATA": (2, DIALOGUE[2][0]),
          "half a text": (3, b"Subject: half\r\n"), "dot": (3, TEXT)}


@pytest.mark.parametrize("state", SILENT)
def test_a21_silence_in_each_state(state):
    """The client is told so, and nobody waits any more, when the time of RFC 5321
    4.5.3.2 is over and not before; half a message is reset."""
    answered, last = SILENT[state]
    fault = Faults("relay")
    relay = Relay(CONFIG, certificates=[GOOD], build="bin-fault")
    try:
        flow = relay.flow(outside=True)
        if last:
            greet(flow)
            for say, answer in DIALOGUE[:answered]:
                flow.says(CLIENT, say, say)
                flow.says(SERVER, answer, answer)
            flow.client.sendall(last)
        flow.client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            flow.client.recv(100)
        fault.faster(1000)
        flow.client.settimeout(10)
        told = flow.heard_all(CLIENT)
        assert told == b"" if state in ("greeting", "half a text") else \
            told.startswith(b"421 "), told
        flow.server.settimeout(10)
        flow.heard_all(SERVER)
    finally:
        fault.close()
        relay.stop()


@pytest.mark.parametrize("n", [511, 512, 513, 514, 2000, 2046])
def test_a22_long_commands(relay, n):
    """What is taken goes on as it is."""
    flow = relay.flow(outside=True)
    greet(flow)
    line = b"NOOP " + b"x" * (n - 7) + b"\r\n"
    flow.says(CLIENT, line, line)
    flow.says(SERVER, b"250 ok\r\n", b"250 ok\r\n")


@pytest.mark.parametrize("n", [2100, 12288, 60000])
def test_a22_too_long_commands(relay, n):
    """What is not is answered, and none of it is a command."""
    flow = relay.flow(outside=True)
    greet(flow)
    flow.client.sendall(b"NOOP " + b"x" * n + b"\r\n")
    assert flow.client.recv(1000).startswith(b"500 ")
    flow.says(CLIENT, b"NOOP\r\n", b"NOOP\r\n")


@pytest.mark.parametrize("line", [
    *(b"x" * n for n in (998, 999, 1000, 1001, 1002, 12288, 100000)),
    b"a\0b", bytes(range(128, 256)), b"\ttab\t", b".", b"..", b""],
    ids=lambda l: f"{len(l)}-{l[:3].hex()}")
def test_a22_text(relay, line):
    """Every octet of a line, whatever its length."""
    flow = relay.flow(outside=True)
    greet(flow)
    for say, answer in DIALOGUE:
        flow.says(CLIENT, say, say)
        flow.says(SERVER, answer, answer)
    text = b"Subject: x\r\n\r\n." * (line[:1] == b".") + line + b"\r\n.\r\n"
    if line == b"":
        text = b"\r\n" + text
    flow.says(CLIENT, text, text)
    flow.says(SERVER, b"250 taken\r\n", b"250 taken\r\n")
