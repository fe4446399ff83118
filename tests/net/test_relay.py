# SPDX-License-Identifier: BSD-2-Clause
"""relay alone: a session is two sockets and a few words with wire."""
import socket
import struct
import time

import pytest

from fake_boss import send
from faultkit import Faults
from relaykit import CLIENT, MX, SERVER, Flow, Relay

CONFIG = """\
ca none
default may
domain enc.example encrypt
domain route.example may route 192.0.2.9
"""
HALF = (b"MAIL FROM:<a@c.example>\r\n", b"RCPT TO:<b@o.example>\r\n")


@pytest.fixture(name="start")
def start_fixture():
    running = []

    def start(*args, **kw):
        running.append(Relay(CONFIG, *args, **kw))
        return running[-1]

    yield start
    for r in running:
        assert r.alive(), r.stderr()
        assert "AddressSanitizer" not in r.stderr(), r.stderr()
        assert "runtime error" not in r.stderr(), r.stderr()
        r.stop()


@pytest.fixture(name="relay")
def relay_fixture(start):
    return start()


def begin_message(flow):
    flow.ehlo()
    flow.client.recv(1000)
    flow.says(CLIENT, HALF[0], b"")
    flow.hears(CLIENT, b"250 ok\r\n")
    flow.says(CLIENT, HALF[1], HALF[0] + HALF[1])
    flow.says(SERVER, b"250 s\r\n250 r\r\n", b"250 r\r\n")
    flow.says(CLIENT, b"DATA\r\n", b"DATA\r\n")
    flow.says(SERVER, b"354 go\r\n", b"354 go\r\n")
    return flow


def test_the_first_session_has_all_the_time_it_needs(start):
    """It came before the first turn, and was timed out at once."""
    flow = Flow(1)
    start(early=[flow])
    begin_message(flow)


def test_sessions_wait_for_the_first_policy(start):
    flow = Flow(1)
    relay = start(early=[flow], policy=False)
    flow.server.sendall(b"220 mx\r\n")
    flow.client.settimeout(0.5)
    with pytest.raises(socket.timeout):
        flow.client.recv(100)
    relay.configure(CONFIG)
    flow.client.settimeout(5)
    flow.hears(CLIENT, b"220 mx\r\n")


def test_an_orderly_end_is_announced_before_the_close(relay):
    flow = relay.flow().ehlo()
    flow.client.recv(1000)
    flow.says(CLIENT, b"QUIT\r\n", b"QUIT\r\n")
    flow.says(SERVER, b"221 bye\r\n", b"221 bye\r\n")
    assert flow.heard_all(CLIENT) == b"" and flow.heard_all(SERVER) == b""
    said = [relay.told(0.1), relay.told(0.1)]
    assert said == [("FLOW_FINISH", flow.number, b"\0"),
                    ("FLOW_FINISH", flow.number, b"\1")]


@pytest.mark.parametrize("how", ["client-fin", "client-gone", "server-gone"])
def test_a_break_in_a_message_is_not_announced(relay, how):
    """The server's connection must end with RST (DESIGN, "Death")."""
    flow = begin_message(relay.flow())
    flow.says(CLIENT, b"half\r\n" * 10, b"half\r\n" * 9)
    if how == "client-fin":
        flow.client.shutdown(socket.SHUT_WR)
    else:
        side = CLIENT if how == "client-gone" else SERVER
        relay_gone(relay, flow, side)
    if how == "server-gone":
        flow.client.sendall(b".\r\n")
        assert flow.heard_all(CLIENT)[:1] == b"4"
    else:
        flow.heard_all(SERVER)
    while (said := relay.told(0.3)) is not None:
        assert said[0] == "FLOW_FINISH" and said[2] == b"\0", said


def relay_gone(relay, flow, side):
    send(relay.wire, "FLOW_GONE", struct.pack("<IBi", flow.number, side, -108))
    (flow.client, flow.server)[side].close()


def test_a_dead_server_costs_no_time(relay):
    """Its stream has hung up, and the client takes its time with a message that
    is thrown away: relay sleeps."""
    flow = begin_message(relay.flow())
    relay_gone(relay, flow, SERVER)
    flow.client.sendall(b"more\r\n")
    time.sleep(0.2)
    before = relay.busy()
    time.sleep(1)
    assert relay.busy() - before < 0.2


def test_a_client_that_reads_nothing_costs_no_time(relay):
    """It has said a lot, reads no answer, and hangs up."""
    flow = relay.flow().ehlo()
    flow.client.setblocking(False)
    try:
        while True:
            flow.client.send(b"HELP\r\n" * 1000)
    except BlockingIOError:
        pass
    before = relay.busy()
    time.sleep(1)
    assert relay.busy() - before < 0.2


def test_a_client_that_leaves_before_the_greeting(relay):
    """The server, which may be silent for minutes, is told at once."""
    flow = relay.flow()
    flow.client.shutdown(socket.SHUT_WR)
    assert flow.heard_all(SERVER) == b""
    assert relay.told() == ("FLOW_FINISH", flow.number, b"\0")


@pytest.mark.parametrize("said", [b"", b"EHLO c.example\r\n"],
                         ids=["nothing", "ehlo"])
def test_a_client_that_is_gone_is_not_one_that_leaves(relay, said):
    """What was a reset must not become an orderly end, whatever relay hears of
    first: that wire has closed the stream, or why."""
    for late in (False, True):
        flow = relay.flow()
        if said:
            flow.ehlo()
            flow.client.recv(1000)
        if late:
            flow.client.close()
            time.sleep(0.2)
        relay_gone(relay, flow, CLIENT)
        assert flow.heard_all(SERVER) == b""
        assert relay.told(0.3) is None, "an end was announced"


def test_a_client_that_speaks_before_the_greeting(relay):
    """It is answered when there is somebody to answer, and costs no time until
    then; also if it has closed its half."""
    flow = relay.flow()
    flow.client.sendall(b"EHLO c.example\r\n" + b"HELP\r\n" * 100 +
                        b"QUIT\r\n")
    before = relay.busy()
    time.sleep(0.5)
    flow.client.shutdown(socket.SHUT_WR)
    time.sleep(0.5)
    assert relay.busy() - before < 0.2
    flow.server.sendall(b"220 mx\r\n")
    flow.hears(SERVER, b"EHLO c.example\r\n")
    flow.server.sendall(b"250 mx\r\n")
    flow.hears(SERVER, b"QUIT\r\n")
    flow.server.sendall(b"221 bye\r\n")
    heard = flow.heard_all(CLIENT)
    assert heard.startswith(b"220 mx\r\n250-mx\r\n")
    assert heard.count(b"\r\n214 ") == 100
    assert heard.endswith(b"\r\n221 bye\r\n")


CAPS_TLS = b"250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n"


def test_a_route_that_fails_is_not_held_against_another_server(relay):
    """TLS failed with the route; the server that the client calls itself must
    be asked for TLS as before."""
    flow = relay.flow().ehlo()
    flow.client.recv(1000)
    flow.client.sendall(HALF[0] + b"RCPT TO:<b@route.example>\r\n")
    assert relay.dial(flow) == "192.0.2.9"
    flow.says(SERVER, b"220 route\r\n", b"")
    flow.hears(SERVER, b"EHLO c.example\r\n")
    flow.server.sendall(CAPS_TLS)
    flow.hears(SERVER, b"STARTTLS\r\n")
    flow.server.sendall(b"220 go\r\n")
    assert flow.server.recv(1) == b"\x16", "a ClientHello"
    flow.server.sendall(b"this is no TLS\r\n")
    assert relay.dial(flow) == "192.0.2.9"
    again = relay.flow().ehlo(CAPS_TLS)
    again.hears(SERVER, b"STARTTLS\r\n")


def test_the_answer_to_a_dial_that_was_given_up(start):
    """wire was slow: the session has given up the route and wants its own
    server again. What comes then is the route, and no mail of others may go
    there."""
    fault = Faults("relay")
    try:
        relay = start(build="bin-fault")
        flow = relay.flow().ehlo()
        flow.client.recv(1000)
        flow.client.sendall(HALF[0] + b"RCPT TO:<b@route.example>\r\n")
        flow.hears(CLIENT, b"250 ok\r\n")
        assert relay.told()[:2] == ("FLOW_DIAL", flow.number)
        fault.faster(1000)  # two minutes, in parts of a second
        assert flow.client.recv(1000).startswith(b"451 route.example ")
        fault.faster(0)
        flow.client.sendall(HALF[1])
        route, theirs = socket.socketpair()
        send(relay.wire, "FLOW_DIALED", struct.pack("<I", flow.number),
             [theirs.fileno()])
        theirs.close()
        route.settimeout(5)
        assert route.recv(100) == b"", "nothing is said to it"
        assert relay.dial(flow) == MX[0]
    finally:
        fault.close()


def test_wire_dies_while_a_server_is_dialled(relay):
    """The answer to the dial never comes; the number of the flow is another one's."""
    flow = relay.flow().ehlo()
    flow.client.recv(1000)
    flow.client.sendall(HALF[0] + b"RCPT TO:<b@route.example>\r\n")
    flow.hears(CLIENT, b"250 ok\r\n")
    assert relay.told()[:2] == ("FLOW_DIAL", flow.number)
    relay.new_wire()
    assert flow.heard_all(CLIENT) == b""
    again = relay.flow().ehlo()
    assert again.number == flow.number
    again.client.recv(1000)
    again.client.sendall(HALF[0] + b"RCPT TO:<b@route.example>\r\n")
    again.hears(CLIENT, b"250 ok\r\n")
    assert relay.dial(again) == "192.0.2.9"


def test_a_session_may_last(start):
    """Each wait is counted from its own beginning: nine minutes of silence, which a
    client may take, are not taken from the server's five."""
    fault = Faults("relay")
    try:
        relay = start(build="bin-fault")
        fault.faster(200)  # a minute is 0.3 seconds
        flow = relay.flow().ehlo()
        flow.client.recv(1000)
        for _ in range(2):
            time.sleep(9 * 0.3)
            flow.says(CLIENT, b"NOOP\r\n", b"NOOP\r\n")
            time.sleep(4 * 0.3)
            flow.says(SERVER, b"250 ok\r\n", b"250 ok\r\n")
    finally:
        fault.close()
