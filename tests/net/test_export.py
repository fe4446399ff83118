# SPDX-License-Identifier: BSD-2-Clause
"""capture export tftp: BusyBox's client in the box, tftpd-hpa on the management network,
and what becomes of a server that is not there, refuses, or is full."""
import base64
import contextlib
import shutil
import socket
import struct
import subprocess
import threading

import pytest

from mailkit import Client, Mx, net, poll, socket_in, transact

HOST, BOX, MX = "10.78.0.1", "10.78.0.2", "198.51.100.20"
SECRET = base64.b64encode(b"\0alice\0correct horse").decode()
CONFIG = "default may\n"
MANAGED = f"management address {BOX}/24\n"


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory):
    file = tmp_path_factory.mktemp("lab") / "box.conf"
    file.write_text(CONFIG + MANAGED)
    busybox = net.OUT / "net/busybox"
    shutil.copy("/usr/bin/busybox", busybox)
    net.down(None)
    net.up(net.Choices(config=file, build="bin-san", tftp=busybox))
    mx = Mx(MX)
    yield file
    mx.close()
    net.down(None)
    text = net.FIRST.log.read_text(errors="replace")
    assert "AddressSanitizer" not in text and "runtime error" not in text


@pytest.fixture(name="folder")
def folder_fixture():
    """Where the server, who is nobody, may write."""
    folder = net.LAB / "tftp-files"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    return folder


@contextlib.contextmanager
def server(folder, *options):
    with subprocess.Popen(
            ["ip", "netns", "exec", net.SPACES["admin"], "in.tftpd",
             "--foreground", "--secure", *options, "--address", f"{HOST}:69",
             folder], stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL) as p:
        try:
            # it is there when its port is taken
            assert poll(lambda: taken("admin", HOST, 69))
            yield
        finally:
            p.terminate()


def taken(space, address, port):
    try:
        socket_in(space, socket.AF_INET, socket.SOCK_DGRAM).bind(
            (address, port))
    except OSError:
        return True
    return False


def fill(size=200):
    """Capture a session in which somebody tries to log on."""
    net.cli("capture start both")
    with Client(MX) as c:
        c.hello()
        assert c.cmd(f"AUTH PLAIN {SECRET}")[0] // 100 == 5
        r = transact(c, ["bob@x.example"],
                     b"Subject: hello\r\n\r\n" + b"some words\r\n" * size)
        assert r.final == 250
        c.cmd("QUIT")
    net.cli("capture stop")


def refused(*words):
    with pytest.raises(net.LabError) as error:
        net.cli(f"capture export tftp {HOST} mail.pcapng")
    assert any(w in str(error.value) for w in words), error.value


@pytest.mark.usefixtures("lab")
def test_nothing_was_captured():
    refused("nothing was captured")


@pytest.mark.usefixtures("lab")
def test_sent_and_read(folder):
    fill()
    with server(folder, "--create"):
        said = net.cli(f"capture export tftp {HOST} mail.pcapng")
    file = folder / "mail.pcapng"
    assert said == f"{file.stat().st_size} octets sent"
    r = subprocess.run(["tshark", "-n", "-r", file, "-T", "fields", "-e",
                        "frame.interface_name", "-e", "ip.dst"],
                       capture_output=True, text=True, check=True)
    assert "cut short" not in r.stderr and "damaged" not in r.stderr, r.stderr
    rows = [l.split("\t") for l in r.stdout.splitlines()]
    assert {row[0] for row in rows} == {"inside", "outside"}
    assert {row[1] for row in rows} >= {MX}
    data = file.read_bytes()
    assert b"some words" in data and b"AUTH" in data
    assert SECRET.encode() not in data and SECRET[4:20].encode() not in data
    assert f"event=send host={HOST} file=mail.pcapng" in net.cli("show log")
    # once more, over what is there
    with server(folder):
        assert net.cli(f"capture export tftp {HOST} mail.pcapng") == said
    assert file.read_bytes() == data


@pytest.mark.usefixtures("lab")
def test_a_server_that_does_not_want_it(folder):
    fill()
    with server(folder):  # it takes no file that is not there
        refused("server error")
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("lab")
def test_a_server_without_room():
    """tftpd-hpa says nothing when its disk is full, so this one is played."""
    fill(2000)
    full = socket_in("admin", socket.AF_INET, socket.SOCK_DGRAM)
    full.bind((HOST, 69))
    full.settimeout(20)

    def serve():
        block = 0
        data, peer = full.recvfrom(2048)
        while block < 5:  # in blocks of 512, whatever was asked for
            full.sendto(struct.pack("!HH", 4, block), peer)
            data, peer = full.recvfrom(2048)
            kind, block = struct.unpack("!HH", data[:4])
            assert kind == 3
        full.sendto(b"\0\5\0\3the disk is full\0", peer)

    threading.Thread(target=serve, daemon=True).start()
    try:
        refused("the disk is full")
    finally:
        full.close()


@pytest.mark.usefixtures("lab")
def test_nobody_there_and_nobody_who_speaks():
    fill()
    refused("refused", "timeout")
    silent = socket_in("admin", socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((HOST, 69))
    try:
        refused("timeout")
        assert silent.recv(1000).startswith(b"\0\2mail.pcapng\0octet\0")
    finally:
        silent.close()


@pytest.mark.usefixtures("lab")
def test_one_at_a_time(folder):
    fill()
    silent = socket_in("admin", socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind((HOST, 69))
    silent.settimeout(20)
    first = threading.Thread(target=refused, args=("timeout",))
    first.start()
    try:
        silent.recv(1000)  # it is under way
        refused("another file is under way")
        first.join(120)
        assert not first.is_alive()
    finally:
        silent.close()
    with server(folder, "--create"):
        assert " octets sent" in net.cli(
            f"capture export tftp {HOST} mail.pcapng")


def test_without_a_management_address(lab, tmp_path):
    fill()
    file = tmp_path / "box.conf"
    file.write_text(CONFIG)
    net.cli(f"config load {file}")
    try:
        refused("there is no management address")
    finally:
        net.cli(f"config load {lab}")
    for wrong in f"{HOST} -x", "host.example x", "10.78.0.1x x":
        with pytest.raises(net.LabError, match="an address and a file name"):
            net.cli(f"capture export tftp {wrong}")
