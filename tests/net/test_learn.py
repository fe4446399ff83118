# SPDX-License-Identifier: BSD-2-Clause
"""learn: a domain whose mail left in TLS once. STARTTLS taken away, by the server and by
a box on the way; what is shown, forgotten, and made lines of; over restarts."""
import os
import re
import signal
import socket
import ssl
import threading

import pytest

from mailkit import Box, Client, ca, net, poll, server_tls, socket_in
from lablib import peers

CONFIG = """\
default may learn
domain plain.example may
domain enc.example encrypt learn
domain ver.example verify match mx.ver.example learn
ca certificate
{ca}
"""


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, authority):
    box = Box(tmp_path_factory.mktemp("lab"), CONFIG.format(
        ca=authority.pem().strip()), up=["--sanitized"])
    yield box
    box.down()


@pytest.fixture(autouse=True)
def forgotten(box):
    yield
    box.cli("clear learned all")


def learned(box, domain, what):
    """Its row of show learned, once it is there: then all relays know."""
    def row():
        m = re.search(rf"^{re.escape(domain)} .*{what}$",
                      box.cli("show learned"), re.M)
        return m and m[0]
    found = poll(row)
    assert found, box.cli("show learned")
    return found


def refused(box, mx, domain, protected=True):
    r = box.send(mx.address, [f"bob@{domain}"], protected=protected)
    assert r.rcpt == [451], r.text
    assert "had TLS before, which its policy learns" in r.text, r.text
    assert not [l for l in mx.envelope_in_clear() if domain.encode() in l]
    return r.text


def has_tls(box, authority, domain, name="mx.ver.example", **limits):
    """Mail for the domain leaves in TLS, and the server is gone again; its address."""
    mx = box.mx(tls=server_tls(authority, name, **limits))
    assert box.send(mx.address, [f"bob@{domain}"], True).final == 250
    mx.close()
    return mx.address


@pytest.fixture(name="restarted")
def restarted_fixture(lab):
    yield lab
    lab.wait_ready()
    lab.restarts = lab.counters("restarts")
    lab.files = lab.descriptors()


class Stripper:
    """A box on the way to a real server: to what the client reads it lets all pass, or
    all but STARTTLS."""

    def __init__(self, address, server):
        self.server, self.strips = server, False
        self.heard = b""
        self.listener = socket_in("net", socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, 25))
        self.listener.listen(16)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket_in("net", socket.AF_INET)
            far.connect((self.server, 25))
            for way in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=way,
                                 daemon=True).start()

    def pump(self, a, b):
        to_client = a.getpeername()[0] == self.server
        try:
            while data := a.recv(65536):
                if self.strips and to_client:
                    data = data.replace(b"250-STARTTLS\r\n", b"")
                if self.strips and not to_client:
                    self.heard += data
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            a.close()
            b.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


# the first one, since what is new then is in flash within seconds
def test_a_real_server_and_a_box_that_strips(restarted, authority):
    """Postfix has STARTTLS; the whole box is restarted; then somebody strips it."""
    box = restarted
    real, way = box.address(), box.address()
    postfix = peers.Postfix("mx.real.example", "net", [real],
                            cert=authority.cert("mx.ver.example"))
    postfix.start()
    postfix.wait([real])
    stripper = Stripper(way, real)
    try:
        assert box.send(way, ["bob@real.example"], True).final == 250
        learned(box, "real.example", "TLS is required")
        assert poll(lambda: "all of it stored" in box.cli("show learned"))
        old = box.pids("relay")
        box.cli("reload")
        assert poll(lambda: box.pids("relay") and
                    not set(box.pids("relay")) & set(old))
        box.wait_ready()
        learned(box, "real.example", "TLS is required")
        stripper.strips = True
        for _ in range(2):
            r = box.send(way, ["bob@real.example"], True)
            assert r.rcpt == [451] and "had TLS before" in r.text, r.text
        assert b"EHLO" in stripper.heard and \
            b"real.example" not in stripper.heard
        assert re.search(r"starttls-vanished .*\n  real\.example: had TLS",
                         box.cli("show alarms"))
        assert box.send(way, ["bob@unseen.example"]).final == 250
        assert poll(lambda: len(postfix.messages()) == 2)
        stripper.strips = False
        assert box.send(way, ["bob@real.example"], True).final == 250
        # what was acknowledged is there: with a server that is none of ours
        assert len(box.acked) == 3
        assert poll(lambda: len(postfix.messages()) == 3)
        box.acked.clear()
    finally:
        stripper.close()


def test_taken_away(box, authority):
    address = has_tls(box, authority, "a.example")
    row = learned(box, "a.example", "TLS is required")
    assert " TLS 1.3 " in row
    mx = box.mx(address=address)
    for _ in range(2 * len(box.pids("relay"))):
        text = refused(box, mx, "a.example")
    assert "starttls-not-supported; server " + address in text
    assert "nothing was sent (policy for default, line " in text
    # another server of it is none either, and was never seen to have it
    text = refused(box, box.mx(), "a.example")
    alarms = box.cli("show alarms")
    assert re.search(r"starttls-vanished .*\n  a\.example: had TLS before "
                     r"\(learned\), and now: it does not offer STARTTLS",
                     alarms), alarms
    for other in "sub.a.example", "b.example", "plain.example":
        assert box.send(address, [f"bob@{other}"]).final == 250
    number = re.search(r"; explain (\d+)\)", text)[1]
    text = box.cli(f"explain {number}")
    assert "rule         default may learn  (line " in text
    assert re.search(r"learned +its mail left in TLS before, from \d{4}-\d\d-"
                     r"\d\d to .*; \"clear learned a\.example\" forgets it",
                     text), text
    assert "none leaves without" in box.cli("show domain a.example")


def test_a_handshake_that_is_eaten(box, authority):
    address = has_tls(box, authority, "h.example")
    learned(box, "h.example", "TLS is required")
    mx = box.mx(address=address, caps=["STARTTLS"], reply={
        "STARTTLS": lambda s: s.say(b"220 go\r\n") or s.talk.sock.close()})
    for _ in range(3):  # the second time it is known to have failed
        assert "validation-failure" in refused(box, mx, "h.example")
    assert box.send(address, ["bob@other.example"]).final == 250


def test_two_domains_in_one_transaction(box, authority):
    address = has_tls(box, authority, "t.example")
    learned(box, "t.example", "TLS is required")
    mx = box.mx(address=address)
    with Client(address) as c:
        c.hello()
        assert c.cmd("MAIL FROM:<alice@corp.example>")[0] == 250
        assert c.cmd("RCPT TO:<bob@free.example>")[0] == 250
        assert c.cmd("RCPT TO:<bob@t.example>")[0] == 451
        assert c.cmd("RSET")[0] == 250
    assert not [l for l in mx.envelope_in_clear() if b"@t.example" in l]


def test_forgotten_and_learned_anew(box, authority):
    address = has_tls(box, authority, "f.example")
    learned(box, "f.example", "TLS is required")
    mx = box.mx(address=address)
    refused(box, mx, "f.example")
    assert box.cli("clear learned F.Example") == "forgotten"
    assert poll(lambda: box.send(address, ["bob@f.example"]).final == 250)
    with pytest.raises(net.LabError, match="nothing was learned"):
        box.cli("clear learned f.example")
    mx.close()
    has_tls(box, authority, "f.example")
    learned(box, "f.example", "TLS is required")


def test_remembered_and_no_more(box, authority):
    """Levels above may ask for what they asked before; versions and keys are shown."""
    has_tls(box, authority, "enc.example")
    has_tls(box, authority, "enc.example", "mx.two.example",
            high=ssl.TLSVersion.TLSv1_2)
    assert " TLS 1.2-1.3 " in learned(box, "enc.example", "remembered")
    assert poll(lambda: " TLS 1.2-1.3 " in learned(box, "enc.example",
                                                   "remembered"))
    text = box.cli("show learned enc.example")
    for name in "mx.ver.example", "mx.two.example":
        assert ca.pin(authority.cert(name)[0]) in text
    r = box.send(box.mx().address, ["bob@enc.example"], True)
    assert r.rcpt == [451] and "requires encrypt" in r.text
    # what does not learn leaves nothing behind
    has_tls(box, authority, "plain.example")
    assert "plain.example" not in box.cli("show learned")


def test_lines_by_one_command(box, authority):
    has_tls(box, authority, "l.example")
    learned(box, "l.example", "TLS is required")
    has_tls(box, authority, "ver.example")
    learned(box, "ver.example", "remembered")
    pin = ca.pin(authority.cert("mx.ver.example")[0])
    with net.Cli() as c:
        assert c("learned accept l.example") == \
            "domain l.example encrypt min-tls 1.3"
        assert c("show compare") == "+ domain l.example encrypt min-tls 1.3"
        c("discard")
        assert c("learned accept all pin") == (
            f"domain l.example pin {pin} min-tls 1.3\n"
            f"domain ver.example pin {pin} min-tls 1.3")
        c("discard")
        assert c("learned accept all") == (
            "domain l.example encrypt min-tls 1.3\n"
            "domain ver.example verify match mx.ver.example min-tls 1.3")
        c("commit")
    try:
        r = box.send(box.mx().address, ["bob@l.example"], True)
        assert r.rcpt == [451] and "requires encrypt" in r.text
        with pytest.raises(net.LabError, match="does not learn"):
            box.cli("learned accept l.example")
    finally:
        box.load(CONFIG.format(ca=authority.pem().strip()))


@pytest.mark.parametrize("program", ["relay", "confd"])
def test_a_program_that_dies(restarted, authority, program):
    box = restarted
    address = has_tls(box, authority, f"{program}.example")
    learned(box, f"{program}.example", "TLS is required")
    old = box.pids(program)
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    assert poll(lambda: len(box.pids(program)) == len(old) and
                not set(box.pids(program)) & set(old))
    box.wait_ready()
    mx = box.mx(address=address)
    refused(box, mx, f"{program}.example")
    learned(box, f"{program}.example", "TLS is required")
