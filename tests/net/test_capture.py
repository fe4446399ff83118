# SPDX-License-Identifier: BSD-2-Clause
"""capture: what is on both wires becomes a file that tshark reads; it says which
session a frame is of, and has no log-on in it."""
import os
import re
import select
import socket
import struct
import subprocess
import time

import pytest

from mailkit import Client, net, poll, server_tls, socket_in, transact

PASSWORD = "correct horse"


class Line:
    """A person at the serial line of the lab, without a terminal program."""

    def __init__(self):
        self.fd = os.open(net.RUN / "tty0", os.O_RDWR | os.O_NOCTTY)
        self.got = b""

    def close(self):
        os.close(self.fd)

    def until(self, what, seconds=20.0):
        end = time.monotonic() + seconds
        while what not in self.got:
            left = end - time.monotonic()
            assert left > 0, (what, self.got[-500:])
            if select.select([self.fd], [], [], left)[0]:
                self.got += os.read(self.fd, 65536)
        before, self.got = self.got.split(what, 1)
        return before

    def type(self, text):
        os.write(self.fd, text.encode() + b"\r")


@pytest.fixture(name="line", scope="module")
def line_fixture(lab, tmp_path_factory):
    file = tmp_path_factory.mktemp("password") / "text"
    file.write_text(PASSWORD + "\n")
    net.cli(f"password {file}")
    line = Line()
    line.type("")
    line.until(b"Password: ")
    line.type(PASSWORD)
    line.until(b"# ")
    yield line
    line.close()


def receive(line, file):
    """As under a terminal program: rx throws away what it has written and a pty
    has not yet delivered, its last ACK, too. It takes no name that begins with a
    slash."""
    ours, theirs = socket.socketpair()
    with subprocess.Popen(["rx", "-c", file.name], cwd=file.parent,
                          stdin=theirs, stdout=theirs,
                          stderr=subprocess.PIPE) as p:
        theirs.close()
        while ready := select.select([ours, line.fd], [], [])[0]:
            if line.fd in ready:
                ours.sendall(os.read(line.fd, 65536))
            if ours in ready:
                data = ours.recv(65536)
                if not data:
                    break
                os.write(line.fd, data)
        ours.close()
        assert p.wait() == 0, p.stderr.read()


def export(line, file):
    """The file as a terminal program gets it."""
    line.type("capture export xmodem")
    line.until(b"receive the file with XMODEM now")
    receive(line, file)
    line.until(b" octets")
    line.until(b"# ")
    return file


def tshark(file, *args):
    r = subprocess.run(["tshark", "-n", "-r", file, *args],
                       capture_output=True, text=True, check=True)
    assert "cut short" not in r.stderr and "damaged" not in r.stderr, r.stderr
    return r.stdout


def fields(file, *names, only="frame"):
    out = tshark(file, "-Y", only, "-T", "fields", *sum(
        (["-e", n] for n in names), []))
    return [l.split("\t") for l in out.splitlines()]


@pytest.fixture(name="file")
def file_fixture(tmp_path):
    return tmp_path / "mail.pcapng"


def test_both_sides_of_a_protected_session(box, authority, line, file):
    mx = box.mx(tls=server_tls(authority))
    box.cli("capture start both")
    assert "capturing" not in box.cli("show capture")
    r = box.send(mx.address, ["bob@enc.example"], protected=True)
    assert r.final == 250
    assert re.search(r"capture +running.*\nports +inside, outside\n"
                     r"host +all\nframes +[1-9]\d+, ", box.cli("show capture"))
    box.cli("capture stop")
    assert "capture      stopped" in box.cli("show capture")
    export(line, file)
    assert file.stat().st_size % 1024 == 0
    rows = fields(file, "frame.interface_name", "frame.time_epoch", "ip.src",
                  "tcp.srcport")
    assert {r[0] for r in rows} == {"inside", "outside"}
    times = [float(r[1]) for r in rows]
    assert times == sorted(times) and abs(times[0] - time.time()) < 120
    assert {r[2] for r in rows if r[2]} == {"10.77.0.10", mx.address}
    # inside in clear, outside not
    clear = fields(file, "frame.interface_name",
                   only='tcp contains "bob@enc.example"')
    assert clear and {c[0] for c in clear} == {"inside"}
    hello = fields(file, "frame.interface_name",
                   only="tcp.payload[0:2] == 16:03")
    assert hello and {h[0] for h in hello} == {"outside"}
    # the box begins outside what a client has begun inside
    first = fields(file, "frame.interface_name", "frame.packet_flags_direction",
                   only="tcp.flags.syn == 1 && tcp.flags.ack == 0")
    assert [f[0] for f in first] == ["inside", "outside"]
    assert [int(f[1], 0) for f in first] == [1, 2]
    comments = [c[0] for c in fields(file, "frame.comment",
                                     only="frame.comment")]
    assert len(comments) == 1
    assert re.fullmatch(r"session \d+; recipient let pass by encrypt, line 2",
                        comments[0])


def test_the_host_alone_and_a_refusal(box, line, file):
    mx, other = box.mx(), box.mx()
    box.cli(f"capture start outside host {mx.address}")
    for _ in range(2):
        box.send(mx.address, ["bob@enc.example"], protected=True)
        box.send(other.address, ["eve@other.example"])
    export(line, file)
    addresses = {a for r in fields(file, "ip.src", "ip.dst") for a in r}
    assert addresses == {"10.77.0.10", mx.address}
    assert {r[0] for r in fields(file, "frame.interface_name")} == {"outside"}
    comments = [c[0] for c in fields(file, "frame.comment",
                                     only="frame.comment")]
    assert len(comments) == 2 and len(set(comments)) == 2
    assert all(re.fullmatch(r"session \d+; recipient refused by encrypt, line 2",
                            c) for c in comments)


def frames_n(box):
    return int(re.search(r"^frames +(\d+),", box.cli("show capture"), re.M)[1])


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H",
                              data + b"\0" * (len(data) % 2)))
    total = (total & 0xffff) + (total >> 16)
    return struct.pack("!H", ~(total + (total >> 16)) & 0xffff)


def packet(protocol, src, dst, data):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 1, 0, 64,
                       protocol, 0, socket.inet_aton(src),
                       socket.inet_aton(dst))
    return head[:10] + checksum(head) + head[12:] + data


def unreachable(server, sport, dport, text):
    """Host unreachable about a segment of the mail server, from that host, as it
    comes to the outside port."""
    segment = struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, 0x18, 8192, 0,
                          0) + text
    error = struct.pack("!BBHI", 3, 1, 0, 0) + packet(6, "10.77.0.10", server,
                                                      segment)
    error = error[:2] + checksum(error) + error[4:]
    return bytes.fromhex("027700000010" "027700000001" "0800") + packet(
        1, server, "10.77.0.10", error)


def test_errors_about_mail_and_one_port(box, line, file):
    """ICMP about a segment of mail is there, without the text that it quotes; ICMP
    about others is not, nor mail of another port."""
    mx = box.mx()
    raw = socket_in("net", socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind(("eth0", 0))
    box.cli("capture start both port 25")
    assert "port 25" in box.cli("show capture")
    with Client(mx.address) as c:
        c.hello()
        _, sport = c.talk.sock.getsockname()
        before = frames_n(box)
        for port in (80, 25):
            raw.send(unreachable(mx.address, sport, port, b"secret-quoted"))
        assert poll(lambda: frames_n(box) > before)
    box.cli("capture stop")
    export(line, file)
    raw.close()
    errors = fields(file, "frame.interface_name", "tcp.dstport", only="icmp")
    assert errors and {e[1] for e in errors} == {"25"}
    assert not fields(file, "frame.number", only='frame contains "secret-q"')
    box.cli("capture start both port 587")
    assert box.send(mx.address, ["eve@other.example"]).final == 250
    assert re.search(r"frames +0, ", box.cli("show capture"))


def test_no_log_on_is_in_it(box, line, file):
    mx = box.mx()
    box.cli("capture start both")
    with Client(mx.address) as c:
        c.hello()
        c.cmd("AUTH PLAIN AGFsaWNlAG9wZW4gc2VzYW1l")
        assert transact(c, ["a@other.example"], box.body()).final == 250
        c.cmd("QUIT")
    export(line, file)
    data = file.read_bytes()
    assert b"AUTH PLAIN" in data and b"AGFsaWNlAG9wZW4" not in data
    assert b"a@other.example" in data


def test_full_is_full(box, line, file):
    mx = box.mx()
    box.cli("capture start both bytes 65536")
    body = box.body(size=200000)
    with Client(mx.address) as c:
        c.hello()
        r = transact(c, ["a@other.example"], body)
        box.note(r, body)
    assert poll(lambda: "capture      full" in box.cli("show capture"))
    kept = int(re.search(r"(\d+) octets of 65536", box.cli("show capture"))[1])
    assert 0 < kept <= 65536
    export(line, file)
    assert fields(file, "frame.number",
                  only="tcp.flags.syn == 1 && tcp.flags.ack == 0")


def test_begun_again(box, line, file):
    box.cli("capture start inside")
    export(line, file)
    assert fields(file, "frame.number") == []
    for wrong in ("capture start inside host mx.example",
                  "capture start inside bytes 5", "capture export xmodem"):
        with pytest.raises(net.LabError):
            box.cli(wrong)
    pid, = box.pids("witness")
    os.kill(pid, 9)
    assert poll(lambda: box.pids("witness") not in ([], [pid]))
    assert poll(lambda: box.cli("show capture") == "nothing was captured")
    line.type("capture export xmodem")
    line.until(b"nothing was captured")
    line.until(b"# ")
    box.restarts = box.counters("restarts")
