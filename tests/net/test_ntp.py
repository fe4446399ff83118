# SPDX-License-Identifier: BSD-2-Clause
"""Time servers: what the program ntp makes of their answers, and what the box does
with it. Here its clock is that of the PC, which is compared and left alone; that it is
moved is seen on a board (tests/boot/test_manage.py)."""
import contextlib
import os
import pathlib
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

from fake_boss import OUT
from mailkit import net, poll
from ntpkit import (FORGED, REFUSES, SHORT, UNSURE, Server, answer,
                    chrony)

SILENT, GAVE, NOT_SURE, REFUSED = range(4)  # enum ntp_state
DAY = 86400


# At the end of a program the check for leaks begins a thread that traces it, which the
# filter of system calls does not let it do: it would wait for ever.
NO_LEAK_CHECK = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")


# --- the program alone ------------------------------------------------------------
def ask(*servers, build="bin-san"):
    """[(state, error_ms, raw_ms, unix_ms)] of servers, as their samples say."""
    sockets = []
    for s in servers:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect(s if isinstance(s, tuple) else s.sock.getsockname())
        sockets.append(sock)
    fds = [s.fileno() for s in sockets]
    report = os.memfd_create("ntp")

    def place():
        high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i, inheritable=True)

    p = subprocess.run([OUT / build / "ntp", str(len(servers))],
                       stdin=subprocess.DEVNULL, stdout=report, check=True,
                       stderr=subprocess.PIPE, preexec_fn=place, timeout=30,
                       env=NO_LEAK_CHECK,
                       pass_fds=[3 + i for i in range(len(fds))])
    assert not p.stderr, p.stderr
    data = os.pread(report, 4096, 0)
    os.close(report)
    for s in sockets:
        s.close()
    assert len(data) == 24 * len(servers)
    return list(struct.iter_unpack("<IIQQ", data))


def there(**how):
    return Server(port=0, **how)


def test_three_servers_are_asked_at_once():
    with there() as a, there(away=-DAY) as b, there(away=0.25) as c:
        before, begun = time.time(), time.monotonic()
        samples = ask(a, b, c)
        took = time.monotonic() - begun
    assert took < 2.5, "nobody was waited for"
    for sample, away in zip(samples, (0, -DAY, 0.25)):
        state, error, _, unix = sample
        assert state == GAVE and error < 1500
        assert -0.1 < unix / 1000 - away - before < took + 0.1
    # a question says nothing of the box but that it is asked
    (q1, _), (q2, _) = a.asked[0], b.asked[0]
    assert q1[:40] == b"\x23" + bytes(39) and len(q1) == 48
    assert q1[40:] != q2[40:]


@pytest.mark.parametrize("how,state", [
    (REFUSES, REFUSED), (UNSURE, NOT_SURE), (FORGED, SILENT), (SHORT, SILENT),
    (None, SILENT)])
def test_what_else_can_come(how, state):
    with there(how=how) as a, there() as good:
        assert [s[0] for s in ask(a, good)] == [state, GAVE]


def test_nobody_on_that_host():
    with there() as good:
        begun = time.monotonic()
        assert [s[0] for s in ask(("127.0.0.1", 9), good)] == [SILENT, GAVE]
        assert time.monotonic() - begun < 2.5, "its refusal counts at once"


def test_a_flood_does_not_keep_the_answer_out():
    """Two thousand datagrams that are none, and the answer among them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        host.bind(("127.0.0.1", 0))
        host.settimeout(20)

        def serve():
            question, peer = host.recvfrom(512)
            for i in range(2000):
                host.sendto(b"\x24\x02" + bytes(46), peer)
                if i == 50:
                    host.sendto(answer(question), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        assert ask(host.getsockname())[0][0] == GAVE
        thread.join()


# --- the whole box ------------------------------------------------------------------
@pytest.fixture(name="lab", scope="module")
def lab_fixture():
    net.down(None)
    net.up(net.Choices())
    for last in (3, 4):
        net.ip("-n", net.SPACES["admin"], "addr", "add", f"10.78.0.{last}/24",
               "dev", "eth0")
    yield
    net.down(None)


@pytest.fixture(name="says")
def says_fixture(lab, tmp_path):
    """Ask these; what show clock says of it once it says this."""
    def says(what, *servers, more=""):
        file = tmp_path / "box.conf"
        file.write_text("management address 10.78.0.5/24\n" + more +
                        f"ntp {' '.join(servers)}\n")
        net.cli(f"config load {file}")
        return poll(lambda: (t := net.cli("show clock")) and what in t and t)

    yield says
    net.cli(f"config load {net.ROOT / 'config/default.conf'}")
    assert poll(lambda: "time servers" not in net.cli("show clock"))
    assert "ntp:" not in net.cli("show status")


def test_chrony_is_asked_and_agrees(says, tmp_path):
    with chrony(tmp_path):
        shown = says("1 of 1 agree", "10.78.0.1")
        assert shown, (tmp_path / "chrony.log").read_text()
    assert "from the PC" in shown
    assert "the clock here was 0.0" in shown, shown
    assert "ATTENTION" not in net.cli("show status")
    assert "event=ntp state=fine" in net.cli("show log")


def test_asked_from_the_management_address_and_no_more_when_off(says):
    with Server("10.78.0.1", space="admin") as a:
        assert says("1 of 1 agree", "10.78.0.1")
        assert {peer[0] for _, peer in a.asked} == {"10.78.0.5"}
        assert len({peer[1] for _, peer in a.asked}) == len(a.asked)


def test_a_liar_is_outvoted(says):
    with Server("10.78.0.1", space="admin") as _, \
            Server("10.78.0.3", space="admin", away=-400 * DAY) as _, \
            Server("10.78.0.4", space="admin") as _:
        shown = says("2 of 3 agree", "10.78.0.1", "10.78.0.3", "10.78.0.4")
    assert shown and "the clock here was 0.0" in shown, shown


def test_two_that_do_not_agree(says):
    with Server("10.78.0.1", space="admin") as _, \
            Server("10.78.0.3", space="admin", away=60) as _:
        assert says("DO NOT AGREE; 1 of 2 agree", "10.78.0.1", "10.78.0.3")


@pytest.mark.parametrize("away,why", [
    (-DAY, "clock set"), (DAY, "clock set"), (660, "clock set"),
    (-9 * 366 * DAY, "")])
def test_too_far_away(says, away, why):
    """A person has to look: an alarm, and in the status for as long as it is so."""
    with Server("10.78.0.1", space="admin", away=away) as a:
        assert says("NOT BELIEVED", "10.78.0.1")
        assert a.asked
    line, = (l for l in net.cli("show status").splitlines()
             if "ATTENTION    ntp: NOT BELIEVED: " in l)
    assert why in line
    assert "clock-untrusted" in net.cli("show alarms")
    with Server("10.78.0.3", space="admin", away=60) as a:
        shown = says("servers: 1 of 1 agree, ", "10.78.0.3")
        assert shown and re.search(r" was (59\.9|60\.0)\d+ s slow;", shown), shown
    assert poll(lambda: "ATTENTION" not in net.cli("show status"))


def test_before_the_floor(says):
    with Server("10.78.0.1", space="admin") as _:
        assert says("NOT BELIEVED", "10.78.0.1",
                    more="clock floor 2040-01-01\n")
    assert "before the floor" in net.cli("show status")


def test_who_refuses_is_not_asked_again(says):
    with Server("10.78.0.1", space="admin", how=REFUSES) as a:
        assert says("NONE GIVES A TIME", "10.78.0.1")
        time.sleep(1)
        assert len(a.asked) == 1


def test_through_a_gateway(says, lab):
    net.ip("-n", net.SPACES["admin"], "addr", "replace", "203.0.113.77/32",
           "dev", "lo")
    with Server("203.0.113.77", space="admin") as _:
        assert says("1 of 1 agree", "203.0.113.77",
                    more="management gateway 10.78.0.1\n")
    routes = net.ip("-n", net.SPACES["box"], "route")
    assert "203.0.113.77 via 10.78.0.1" in routes and "default" not in routes


def running():
    """The programs ntp of the box."""
    found = []
    for pid in net.pids_in(net.SPACES["box"]):
        with contextlib.suppress(OSError):
            if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "ntp":
                found.append(pid)
    return found


def test_it_has_no_rights_and_nothing_but_its_sockets(says):
    """While it waits for a server that is silent, and is in its sandbox."""
    with Server("10.78.0.1", space="admin", how=None) as a:
        says("asked for the first time", "10.78.0.1")
        assert poll(lambda: a.asked)
        pid, = running()
        status = dict(l.split(":\t", 1) for l in pathlib.Path(
            f"/proc/{pid}/status").read_text().splitlines())
        files = sorted(os.readlink(f"/proc/{pid}/fd/{n}").split(":")[0]
                       for n in os.listdir(f"/proc/{pid}/fd"))
    ids = set(status["Uid"].split() + status["Gid"].split())
    assert len(ids) == 1 and ids != {"0"} and not status["Groups"].strip()
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert len(files) == 4 and files.count("socket") == 1, files
    assert "/dev/null" in files and "/memfd" in files, files


def test_no_program_of_it_stays(says):
    with Server("10.78.0.1", space="admin") as _:
        assert says("1 of 1 agree", "10.78.0.1")
    assert poll(lambda: not running())
