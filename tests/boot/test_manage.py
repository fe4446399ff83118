# SPDX-License-Identifier: BSD-2-Clause
"""What is only there on a board: a clock that is the box's own, with a chip, and a
kernel that knows VLANs."""
import contextlib
import datetime
import re
import select
import socket
import struct
import threading
import time

import pytest
from bootkit import CONFIG, SERVER, line, net
from mailkit import socket_in
from ntpkit import Server, chrony
from wirekit import Port, mac

DAY = 86400
NEAR = 90  # seconds: asking takes some, and the clock of QEMU lags behind
HOST, GATE = mac("02:77:00:00:00:9a"), "10.90.0.1"
ASKER = mac("02:77:00:00:00:9b")
BOX = "10.90.0.2"
TAG = b"\x81\x00\x00\x64"


def patient(what):
    """A clock that is set moves the floor of the settings in force: for that moment
    others have to wait."""
    end = time.monotonic() + line.PATIENCE
    while True:
        try:
            return what()
        except net.LabError as error:
            if "another configuration" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.5)


def load(box, folder, text):
    file = folder / "manage.conf"
    file.write_text(text)
    patient(lambda: box.cli(f"config load {file}"))


def away(box):
    """Seconds that the clock of the box is ahead of ours, at most a few off."""
    shown = box.cli("show clock")
    when = datetime.datetime.fromisoformat(shown.split("Z", 1)[0] + "+00:00")
    return when.timestamp() - time.time()


def set_clock(box, ahead):
    when = datetime.datetime.fromtimestamp(time.time() + ahead, datetime.timezone.utc)
    box.cli(f"clock set {when:%Y-%m-%dT%H:%M:%SZ}")


@pytest.fixture(name="managed")
def managed_fixture(box):
    yield box
    set_clock(box, 0)
    patient(box.configure)


def test_a_server_sets_the_clock_as_far_as_clocks_drift(managed, tmp_path):
    """chrony, which is not ours; then one that lies; then chrony again."""
    box = managed
    set_clock(box, -180)
    assert abs(away(box) + 180) < NEAR
    with chrony(tmp_path):
        load(box, tmp_path, CONFIG + f"ntp {SERVER}\n")
        box.until("show clock", "1 of 1 agree")
    assert abs(away(box)) < NEAR
    shown = box.cli("show clock")
    slow = re.search(r"the clock here was (\d+)\.\d{3} s slow", shown)
    assert slow and abs(int(slow[1]) - 180) < NEAR, shown
    assert "set by hand" in shown, "a person has vouched for it"
    assert "event=clock-set source=ntp" in box.cli("show log")
    load(box, tmp_path, CONFIG)
    with Server(SERVER, space="admin", away=DAY) as _:
        load(box, tmp_path, CONFIG + f"ntp {SERVER}\n")
        box.until("show clock", "NOT BELIEVED")
    assert abs(away(box)) < NEAR
    assert "ATTENTION    ntp: NOT BELIEVED: " in box.cli("show status")
    set_clock(box, DAY)  # a person says that it is so after all
    load(box, tmp_path, CONFIG)
    with Server(SERVER, space="admin", away=DAY + 300) as _:
        load(box, tmp_path, CONFIG + f"ntp {SERVER}\n")
        box.until("show clock", "1 of 1 agree")
    assert abs(away(box) - DAY - 300) < NEAR
    assert "NOT BELIEVED" not in box.cli("show status")


def test_what_a_server_has_set_outlives_a_restart(managed, tmp_path):
    """In the clock chip: at first it has what a person has set."""
    box = managed
    set_clock(box, -180)
    with chrony(tmp_path):
        load(box, tmp_path, CONFIG + f"ntp {SERVER}\n")
        box.until("show clock", "1 of 1 agree")
    load(box, tmp_path, CONFIG)
    with box.reload() as serial:
        box.quickly(serial)
        serial.until("Press Enter")
    box.works()
    assert abs(away(box)) < NEAR
    assert "from the clock chip" in box.cli("show clock")


def summed(f):
    """UDP over IPv4 needs no checksum, and that of the board is left to its port, which
    is a tap: nobody has done it."""
    if f[12:14] == b"\x08\0" and f[23] == 17:
        at = 14 + 4 * (f[14] & 15) + 6
        return f[:at] + b"\0\0" + f[at + 2:]
    return f


class Trunk:
    """A switch behind the port inside: what has the tag there is at the port of a host
    that knows no VLANs. This kernel need not know them either."""

    def __init__(self):
        at = ["-n", net.SPACES["admin"]]
        net.ip(*at, "link", "add", "access", "type", "veth", "peer", "name", "host",
               "address", HOST.hex(":"))
        net.ip(*at, "addr", "add", f"{GATE}/24", "dev", "host")
        for dev in ("access", "host"):
            net.inside("admin", "ethtool", "-K", dev, "tx", "off",
                       capture_output=True).check_returncode()
            # says nothing by itself, as IPv6 does
            net.ip(*at, "link", "set", dev, "addrgenmode", "none", "up")
        self.port, self.access = Port("mail"), Port("admin", "access")
        self.done = False
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while not self.done:
            select.select([self.port, self.access], [], [], 0.2)
            for f in self.port.drain():
                if f[12:16] == TAG:
                    self.access.send(summed(f[:12] + f[16:]))
            for f in self.access.drain():
                self.port.send(f[:12] + TAG + f[12:])

    def answers(self):
        """To who_has()."""
        return [f for f in self.port.seen if f[:6] == ASKER and
                f[12:18] == TAG + b"\x08\x06" and f[24:26] == b"\0\2"]

    def close(self):
        self.done = True
        self.thread.join()
        self.port.close()
        self.access.close()
        net.ip("-n", net.SPACES["admin"], "link", "del", "host")


def who_has():
    """The box; asked by a neighbour of the host."""
    return bytes([255] * 6) + ASKER + TAG + b"\x08\x06" + struct.pack(
        "!HHBBH", 1, 0x0800, 6, 4, 1) + ASKER + bytes([10, 90, 0, 9]) + bytes(
            6) + bytes([10, 90, 0, 2])


def until(what, message):
    end = time.monotonic() + line.PATIENCE
    while not what():
        assert time.monotonic() < end, message
        time.sleep(0.1)


def test_the_management_address_in_a_vlan_of_inside(managed, images, tiny, tmp_path):
    """The log, the time and an image by it; from outside it is not there, and nothing
    of it comes out there."""
    box = managed
    with contextlib.closing(Trunk()) as trunk, \
            contextlib.closing(Port("net")) as outside, \
            socket_in("admin", socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.bind((GATE, 514))
        log.settimeout(line.PATIENCE)
        with chrony(tmp_path, GATE):
            load(box, tmp_path, "default may\ndomain enc.example encrypt\n"
                 f"management address {BOX}/24\nmanagement vlan 100\n"
                 f"syslog {GATE}\nntp {GATE}\n")
            while b"event=management port=manage-vlan" not in log.recv(2048):
                pass
            box.until("show clock", "1 of 1 agree")
        assert "ATTENTION    management" not in box.cli("show status")
        # from outside nobody asks, from inside everybody
        for _ in range(5):
            outside.send(who_has())
        trunk.port.send(who_has())
        until(trunk.answers, "no answer")
        with box.untried():
            file = images.signed("by-vlan", tiny, version="0.9.0")
            with box.fetched(file, server=GATE) as command:
                assert "0.9.0 is in slot b" in box.cli(command)
            assert box.part("slot-b")[0].startswith(file.read_bytes())
        assert len(trunk.answers()) == 1, "one question from inside"
        assert not [f for f in outside.drain() if TAG in f[12:20]]
        assert not [f for f in outside.seen if TAG in f[12:20]]
    # and away again: a wire
    box.configure()
    with contextlib.closing(Port("mail")) as here, \
            contextlib.closing(Port("net")) as there:
        ask = who_has()
        here.send(ask)
        assert there.collect(1, 10, match=lambda f: f == ask) == [ask]
