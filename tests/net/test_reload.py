# SPDX-License-Identifier: BSD-2-Clause
"""What the console asks of boss: a restart, now or in a while, and the time."""
import os
import re
import struct
import subprocess

import pytest

from fake_boss import BOSS, E_CONF, E_CORRUPT, OK, send
from mailkit import net, poll
from test_show import Shown
from test_terminal import Reader, door

E_PEER_ORDER, E_IO = -101, -300
LATER = 2 ** 64 - 1


# --- console alone -------------------------------------------------------------
@pytest.fixture(name="box")
def box_fixture(tmp_path):
    b = Shown(tmp_path)
    b.console.done_answers = False
    yield b
    b.stop()


def asked(box, kind):
    return struct.unpack("<Q", box.console.wait_for(kind)[1])[0]


def answer(box, error=OK):
    send(box.console.sock, "DONE", struct.pack("<i", error))


def test_reload_asks_back(box):
    t = box.login()
    t.type("reload\r")
    t.until("The box will restart. yes or no?")
    t.type("no\r")
    t.until("nothing was done")
    t.prompt()
    t.type("reload\ryes\r")
    assert asked(box, "RELOAD") == 0
    answer(box)
    t.until("restarting")
    t.prompt()


def test_reload_in_a_while(box):
    t = box.login()
    t.type("reload in 5\r")
    assert asked(box, "RELOAD") == 300
    answer(box)
    t.until("\"reload cancel\" stops it")
    t.prompt()
    box.of[BOSS].put(box.of[BOSS].at["pid"], "I", 1)
    assert "RESTARTS" not in t.command("show status")
    box.of[BOSS].put(box.of[BOSS].at["reload_ms"], "Q", 2 ** 62)
    assert "; RESTARTS in " in t.command("show status")
    assert "not a number" in t.command("reload in 0")
    t.type("reload cancel\r")
    assert asked(box, "RELOAD") == LATER
    answer(box)
    t.until("no restart\n")
    t.prompt()


@pytest.mark.parametrize("error,says", [
    (OK, ""), (E_PEER_ORDER, "that of the PC"), (E_CONF, "no box can have"),
    (E_CORRUPT, "the clock chip did not take it"), (E_IO, "kernel refuses")])
def test_clock_set(box, error, says):
    t = box.login()
    t.type("clock set 2026-11-24T05:53:07Z\r")
    assert asked(box, "CLOCK_SET") == 1795499587
    answer(box, error)
    t.until(lambda s: says in s.text() and s.line(s.row) == "sealwire#" and
            s.row > 3)


def test_clock_set_wants_a_time(box):
    t = box.login()
    for wrong in ("yesterday", "2026-13-01", "2026-11-24T05:53:07", "12:00"):
        assert "not a time" in t.command("clock set " + wrong)
    assert "more must follow" in t.command("clock set")


def test_answers_come_in_order(box):
    """Two at the door and one who does not wait any more."""
    t = box.login()
    t.type("reload in 7\r")
    assert asked(box, "RELOAD") == 420
    t.type("\x03")
    t.until("not waited for any more")
    with door(box) as one, door(box) as two:
        one.sendall(b"clock set 2026-11-24\n")
        asked(box, "CLOCK_SET")
        two.sendall(b"clock set 2026-11-25\n")
        asked(box, "CLOCK_SET")
        answer(box)  # for the terminal
        answer(box, E_CONF)
        answer(box)
        assert Reader(one).answer()[1] == "error"
        assert Reader(two).answer() == ("", "ok")
    answer(box)  # for nobody
    assert "frames of mail" in t.command("show interfaces")


@pytest.mark.parametrize("source,says", [
    (0, "from the PC"), (1, "not set since the start"),
    (2, "from the clock chip"), (3, "set by hand"), (77, "from the PC")])
def test_show_clock(box, source, says):
    box.of[BOSS].put(box.of[BOSS].at["clock"], "I", source)
    assert says in box.says("show clock")


# --- the whole box ----------------------------------------------------------------
@pytest.fixture(name="lab", scope="module")
def lab_fixture():
    subprocess.run([net.ROOT / "tools/lab", "down"], check=True)
    subprocess.run([net.ROOT / "tools/lab", "up"], check=True)
    yield
    subprocess.run([net.ROOT / "tools/lab", "down"], check=True)


def pids():
    found = {}
    for pid in net.pids_in("sw-box"):
        try:
            name = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
        except OSError:
            continue
        found.setdefault(name, set()).add(pid)
    return found


def status():
    try:
        return net.cli("show status")
    except (OSError, net.LabError):
        return ""


def test_the_clock_of_a_pc_is_not_set(lab):
    with pytest.raises(net.LabError, match="that of the PC"):
        net.cli("clock set 2030-01-01")
    assert "from the PC" in net.cli("show clock")


def test_reload_of_the_whole_box(lab, tmp_path):
    file = tmp_path / "next"
    file.write_text("domain kept.example encrypt\n")
    net.cli(f"load merge {file}")
    net.cli("commit")
    file.write_text("domain lost.example encrypt\n")
    net.cli(f"load merge {file}")
    before = pids()
    net.cli("reload in 1")
    assert re.search("RESTARTS in 00:0[01]:", status())
    assert net.cli("reload cancel") == "no restart"
    assert net.cli("reload cancel") == "no restart was waiting"
    assert "RESTARTS" not in status()
    log = net.cli("show log")
    assert "event=reload-asked seconds=60" in log
    assert "event=reload-cancelled" in log
    assert net.cli("reload") == "restarting"
    assert poll(lambda: (now := pids()).keys() == before.keys() and
                now["wire"] != before["wire"] and
                "; intercepting mail" in status(), 40)
    after = pids()
    assert after["boss"] == before["boss"]
    for name in before.keys() - {"boss"}:
        assert not after[name] & before[name], name
    text = net.cli("show candidate-config")
    assert "kept.example" in text and "lost.example" not in text
    assert "up 00:00:" in status()
    # and its serial line is there again
    assert os.path.exists(net.RUN / "tty0")


def test_ports_are_down_while_it_restarts(lab):
    """Nobody sees a port that is up without the classifier."""
    with subprocess.Popen(
            ["ip", "-n", "sw-box", "monitor", "link"],
            stdout=subprocess.PIPE, text=True) as monitor:
        before = pids()["wire"]
        net.cli("reload")
        assert poll(lambda: pids().get("wire", before) != before and
                    "; intercepting mail" in status(), 40)
        monitor.terminate()
        seen = monitor.stdout.read()
    ports = re.findall(r"\d+: (inside|outside)@\S+ <(\S*)>", seen)
    for name in ("inside", "outside"):
        flags = [f.split(",") for n, f in ports if n == name]
        assert any("UP" not in f for f in flags), seen
        assert "UP" in flags[-1]
