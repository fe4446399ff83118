# SPDX-License-Identifier: BSD-2-Clause
"""The log to a host at the management port (RFC 5424), and what the box is at
that port: an address, a way to that host, and nothing that listens."""
import os
import re
import socket
import subprocess
import time

import pytest

from fake_boss import RELAY, WIRE, send
from mailkit import net, poll, socket_in
from test_show import Shown

RFC5424 = re.compile(
    r"<(\d+)>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ) (\S{1,255}) (\S{1,48}) "
    r"(\S{1,128}) (\S{1,32}) - (event=.*)")


def parsed(datagram):
    m = RFC5424.fullmatch(datagram.decode("ascii"))
    assert m, datagram
    return (int(m[1]), *m.groups()[2:])


# --- console alone -------------------------------------------------------------
@pytest.fixture(name="box")
def box_fixture(tmp_path):
    b = Shown(tmp_path)
    yield b
    b.stop()


class Host:
    """Where the log goes; the console has a socket that is connected to it."""

    def __init__(self, box):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(5)
        self.attach(box)

    def attach(self, box):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as theirs:
            theirs.setblocking(False)
            theirs.connect(self.sock.getsockname())
            send(box.console.sock, "SYSLOG", b"", [theirs.fileno()])

    def lines(self, until):
        """All that comes, up to the one with this text."""
        found = []
        while not found or until not in found[-1][-1]:
            found.append(parsed(self.sock.recv(2048)))
        return found


def test_every_line_is_a_message(box):
    box.of[WIRE].log(0, "event=before-it-was-set", 1)
    host = Host(box)
    box.of[RELAY].log(3, "event=starttls-vanished server=192.0.2.9")
    box.of[WIRE].log(2, "event=odd \x1b[2J\xff")
    box.of[WIRE].log(1, "event=" + "x" * 40)
    time.sleep(0.01)  # the order is that of the time
    box.of[RELAY].log(0, "event=last")
    lines = host.lines("event=last")
    # what was there when the host was set is sent, too
    assert (134, "sealwire", "wire", "0", "before-it-was-set",
            "event=before-it-was-set") in lines
    assert (129, "sealwire", "relay", "0", "starttls-vanished",
            "event=starttls-vanished server=192.0.2.9") in lines
    assert any(l[0] == 132 and l[4] == "odd" and l[5].startswith(
        "event=odd ?[2J?") for l in lines)
    assert any(l[0] == 133 and l[4] == "x" * 32 for l in lines)
    assert len([l for l in lines if l[4] == "last"]) == 1
    assert "syslog-sent" in box.says("show counters")


def test_off_and_on_again(box):
    host = Host(box)
    box.of[WIRE].log(0, "event=one")
    host.lines("event=one")
    send(box.console.sock, "SYSLOG_OFF")
    box.says("show clock")
    box.of[WIRE].log(0, "event=two")
    box.says("show clock")
    host.attach(box)
    box.of[WIRE].log(0, "event=three")
    assert [l[4] for l in host.lines("event=three")] == ["two", "three"]


def test_nobody_takes_it(box):
    """The host has no syslog: its refusals cost nothing."""
    host = Host(box)
    host.sock.close()
    for i in range(300):
        box.of[WIRE].log(0, f"event=n{i}")
    assert "time " in box.says("show status")
    assert box.console.alive()


# --- the whole box ----------------------------------------------------------------
CONFIG = """\
hostname gate-7
management address {address}
{gateway}
syslog {host}
log addresses {log}
default may
domain enc.example encrypt
"""


@pytest.fixture(name="listen")
def listen_fixture():
    """Sockets of the host that gets the log."""
    made = []

    def listen(family, address):
        s = socket_in("admin", family, socket.SOCK_DGRAM)
        made.append(s)
        s.bind((address, 514))
        s.settimeout(10)
        return s

    yield listen
    for s in made:
        s.close()


def configure(tmp_path, **what):
    what = {"gateway": "", "log": "on"} | what
    file = tmp_path / "box.conf"
    file.write_text(CONFIG.format(**what))
    net.cli(f"config load {file}")
    # once more: now the log goes where it says
    net.cli(f"config load {file}")


@pytest.fixture(name="lab", scope="module")
def lab_fixture():
    subprocess.run([net.ROOT / "tools/lab", "down"], check=True)
    subprocess.run([net.ROOT / "tools/lab", "up"], check=True)
    yield
    subprocess.run([net.ROOT / "tools/lab", "down"], check=True)


def heard(s, *, what):
    while True:
        line = parsed(s.recv(2048))
        if what in line[-1]:
            return line


@pytest.mark.parametrize("family,address,host", [
    (socket.AF_INET, "10.78.0.5/24", "10.78.0.1"),
    (socket.AF_INET6, "fd78::5/64", "fd78::1")])
def test_log_of_the_whole_box(lab, tmp_path, listen, family, address, host):
    s = listen(family, host)
    configure(tmp_path, address=address, host=host)
    line = heard(s, what="event=configuration-in-force")
    assert line[:5] == (133, "gate-7", "confd", "0", "configuration-in-force")
    net.cli("show status")
    # nothing else answers there
    for kind, port in ((socket.SOCK_STREAM, 25), (socket.SOCK_STREAM, 22)):
        t = socket_in("admin", family, kind)
        t.settimeout(3)
        with pytest.raises(ConnectionRefusedError):
            t.connect((address.split("/")[0], port))
        t.close()
    # a datagram to the very socket does not reach console
    source = subprocess.run(
        ["ip", "netns", "exec", "sw-box", "ss", "-Hun"], check=True,
        capture_output=True, text=True).stdout
    port = int(re.search(r":(\d+)\s+\S+:514", source)[1])
    s.sendto(b"x" * 500, (address.split("/")[0], port))
    assert "Recv-Q" not in source
    source = subprocess.run(
        ["ip", "netns", "exec", "sw-box", "ss", "-Hun"], check=True,
        capture_output=True, text=True).stdout
    assert re.search(rf"\b0\s+0\s+\S+:{port}\s", source), source


def test_console_that_died_gets_it_again(lab, tmp_path, listen):
    s = listen(socket.AF_INET, "10.78.0.1")
    configure(tmp_path, address="10.78.0.5/24", host="10.78.0.1")
    heard(s, what="event=configuration-in-force")
    for pid in net.pids_in("sw-box"):
        if os.readlink(f"/proc/{pid}/exe").endswith("/console"):
            os.kill(pid, 9)
    assert heard(s, what="program-died program=console")[4] == "program-died"
    assert heard(s, what="program-ready program=console")
    s.settimeout(0.5)
    with pytest.raises(TimeoutError):  # and nothing twice
        heard(s, what="event=management")


def test_through_a_gateway(lab, tmp_path, listen):
    net.ip("-n", "sw-admin", "addr", "replace", "203.0.113.9/32", "dev", "lo")
    s = listen(socket.AF_INET, "203.0.113.9")
    configure(tmp_path, address="10.78.0.5/24", host="203.0.113.9",
              gateway="management gateway 10.78.0.1")
    heard(s, what="event=configuration-in-force")
    routes = net.ip("-n", "sw-box", "route")
    assert "203.0.113.9 via 10.78.0.1 dev manage" in routes
    assert "default" not in routes


def test_gone_again(lab, tmp_path):
    net.cli("config load " + str(net.ROOT / "config/default.conf"))
    assert poll(lambda: "10.78" not in net.ip("-n", "sw-box", "addr"))
    assert "203.0.113" not in net.ip("-n", "sw-box", "route")
    assert "ATTENTION" not in net.cli("show status")


def test_a_port_that_does_not_exist(lab, tmp_path):
    net.ip("-n", "sw-box", "link", "set", "manage", "name", "away")
    configure(tmp_path, address="10.78.0.5/24", host="10.78.0.1")
    status = poll(lambda: (t := net.cli("show status")) and
                  "ATTENTION    management: no such port on manage" in t and t)
    assert status
    net.ip("-n", "sw-box", "link", "set", "away", "name", "manage")
    net.cli("config load " + str(net.ROOT / "config/default.conf"))
    assert poll(lambda: "ATTENTION" not in net.cli("show status"))


def test_addresses_only_where_they_may(lab, tmp_path, listen):
    s = listen(socket.AF_INET, "10.78.0.1")
    for log in ("off", "on"):
        configure(tmp_path, address="10.78.0.5/24", host="10.78.0.1", log=log)
        mail_is_refused()
        line = heard(s, what="event=recipient-refused")
        assert ("198.51.100.77" in line[-1]) == (log == "on"), line


def mail_is_refused():
    """A server without TLS, and a recipient who wants it."""
    server = socket_in("net", socket.AF_INET)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("198.51.100.77", 25))
    server.listen()
    client = socket_in("mail", socket.AF_INET)
    client.settimeout(20)
    client.connect(("198.51.100.77", 25))
    peer = server.accept()[0]
    peer.settimeout(20)
    peer.sendall(b"220 x\r\n")
    assert client.recv(100).startswith(b"220")
    client.sendall(b"EHLO a.example\r\n")
    assert peer.recv(100).startswith(b"EHLO")
    peer.sendall(b"250 x\r\n")
    assert client.recv(1000).startswith(b"250")
    client.sendall(b"MAIL FROM:<a@b.example>\r\n")
    assert client.recv(100).startswith(b"250")
    client.sendall(b"RCPT TO:<a@enc.example>\r\n")
    assert client.recv(1000)[:1] in b"45"
    for x in (client, peer, server):
        x.close()
