# SPDX-License-Identifier: BSD-2-Clause
"""What is only there on a board: a clock that is the box's own, and a kernel that
knows VLANs."""
import contextlib
import datetime
import re
import struct
import threading
import time

import pytest
from bootkit import CONFIG, SERVER, line, net
from ntpkit import Server, answer, chrony
from wirekit import Port, frame, ip4, mac

DAY = 86400
NEAR = 45  # seconds: asking takes some, and the clock of QEMU lags behind
HOST, GATE = mac("02:77:00:00:00:9a"), "10.90.0.1"
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


class Host:
    """On raw frames behind the port inside, in the management VLAN: it answers ARP,
    takes the log, and knows the time."""

    def __init__(self):
        self.port, self.done = Port("mail"), False
        self.log, self.asked, self.arp = [], 0, []
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while not self.done:
            for f in self.port.collect(1, 0.2):
                self.take(f)

    def take(self, f):
        if f[12:16] != TAG:
            return
        if f[16:18] == b"\x08\x06":
            self.arp.append(f)
            if f[24:26] == b"\0\1" and f[42:46] == bytes([10, 90, 0, 1]):
                self.port.send(f[6:12] + HOST + TAG + b"\x08\x06" + f[18:24] +
                               b"\0\2" + HOST + f[42:46] + f[26:36])
        elif f[16:18] == b"\x08\x00" and f[27] == 17:
            data = f[18 + 4 * (f[18] & 15):]
            sport, dport, n = struct.unpack("!HHH", data[:6])
            if dport == 514:
                self.log.append(data[8:n])
            elif dport == 123:
                self.asked += 1
                said = answer(data[8:n])
                self.port.send(frame(f[6:12] + HOST + TAG, ip4(
                    GATE, BOX, 17, struct.pack("!HHHH", 123, sport, 8 + len(said),
                                               0) + said)))

    def close(self):
        self.done = True
        self.thread.join()
        self.port.close()


def who_has(l2=TAG):
    return bytes([255] * 6) + HOST + l2 + b"\x08\x06" + struct.pack(
        "!HHBBH", 1, 0x0800, 6, 4, 1) + HOST + bytes([10, 90, 0, 1]) + bytes(
            6) + bytes([10, 90, 0, 2])


def until(what, message):
    end = time.monotonic() + line.PATIENCE
    while not what():
        assert time.monotonic() < end, message
        time.sleep(0.1)


def test_the_management_address_in_a_vlan_of_inside(managed, tmp_path):
    """The log and the time by it; from outside it is not there, and nothing of it
    comes out there."""
    box = managed
    with contextlib.closing(Host()) as host, \
            contextlib.closing(Port("net")) as outside:
        load(box, tmp_path, "default may\ndomain enc.example encrypt\n"
             f"management address {BOX}/24\nmanagement vlan 100\n"
             f"syslog {GATE}\nntp {GATE}\n")
        until(lambda: any(b"event=management port=manage-vlan" in l
                          for l in host.log), "the log has not come")
        box.until("show clock", "1 of 1 agree")
        assert host.asked
        assert "ATTENTION    management" not in box.cli("show status")
        # from outside nobody asks, from inside everybody
        host.arp.clear()
        for _ in range(5):
            outside.send(who_has())
        host.port.send(who_has())
        until(lambda: [f for f in host.arp if f[24:26] == b"\0\2"], "no answer")
        answers = [f for f in host.arp if f[24:26] == b"\0\2"]
        assert len(answers) == 1, "one question from inside"
        assert not [f for f in outside.drain() if TAG in f[12:20]]
        assert not [f for f in outside.seen if TAG in f[12:20]]
    # and away again: a wire
    box.configure()
    with contextlib.closing(Port("mail")) as here, \
            contextlib.closing(Port("net")) as there:
        ask = who_has()
        here.send(ask)
        assert there.collect(1, 10, match=lambda f: f == ask) == [ask]
