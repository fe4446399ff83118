# SPDX-License-Identifier: BSD-2-Clause
"""tools/lab: its words are an interface, its topology is written down, and it
leaves nothing behind, whoever stops it."""
import os
import signal
import subprocess
import time

import pytest

from mailkit import ROOT, net, poll

LAB = str(ROOT / "tools/lab")
GOOD = "default may\ndomain a.example encrypt\n"


def lab(*words, **kw):
    return subprocess.run([LAB, *words], capture_output=True, text=True,
                          check=False, **kw)


@pytest.fixture(autouse=True)
def nothing_left():
    net.down(None)
    yield
    net.down(None)


@pytest.fixture(name="running")
def running_fixture():
    r = lab("up")
    assert r.returncode == 0, r.stderr


def addresses(space):
    out = net.ip("-n", net.SPACES[space], "-o", "addr", "show", "scope",
                 "global")
    return {tuple(l.split()[1:4:2]) for l in out.splitlines()}


@pytest.mark.usefixtures("running")
def test_topology():
    assert addresses("mail") == {("eth0", "10.77.0.10/24"),
                                 ("eth0", "fd77::10/64")}
    assert addresses("net") == {("eth0", "10.77.0.1/24"),
                                ("eth0", "fd77::1/64")}
    assert not {a for a in addresses("box") if a[0] in ("inside", "outside")}
    for family, gate in (("-4", "10.77.0.1"), ("-6", "fd77::1")):
        route = net.ip("-n", "sw-mail", family, "route", "show", "default")
        assert f"via {gate} " in route
    for mx in ("198.51.100.77", "2001:db8:25::77"):
        route = net.ip("-n", "sw-net", "route", "get", mx)
        assert route.startswith(f"local {mx}")


def test_two_boxes(tmp_path):
    """Back to back, and each has its own words and its own configuration."""
    one, two = tmp_path / "one.conf", tmp_path / "two.conf"
    one.write_text(GOOD)
    two.write_text("default may\ndomain b.example encrypt\n")
    r = lab("up", "--config", str(one), "--pair", str(two))
    assert r.returncode == 0, r.stderr
    assert addresses("mail2") == {("eth0", "10.79.0.10/24"),
                                  ("eth0", "fd79::10/64")}
    assert not {a for a in addresses("box2") if a[0] in ("inside", "outside")}
    assert "domain a.example" in lab("cli", "show running-config").stdout
    assert "domain b.example" in lab("--second", "cli",
                                     "show running-config").stdout
    for address in ("10.79.0.10", "fd79::10"):
        r = lab("exec", "mail", "ping", "-c1", "-W2", address)
        assert r.returncode == 0, r.stdout
    assert "sw-mail2 up" in lab("status").stdout
    assert lab("down").returncode == 0 and not net.here()
    assert "sw-mail2" not in lab("status").stdout
    r = lab("up", "--pair", str(tmp_path / "none"))
    assert r.returncode != 0 and not net.here()


@pytest.mark.usefixtures("running")
def test_words_and_their_status(tmp_path):
    r = lab("up")
    assert r.returncode != 0 and "there is a lab already" in r.stderr
    for words in (["show status"], ["show sessions"], ["show counters"],
                  ["show status", "show counters"]):
        r = lab("cli", *words)
        assert r.returncode == 0 and r.stdout.strip(), r.stderr
    good, bad = tmp_path / "good.conf", tmp_path / "bad.conf"
    good.write_text(GOOD)
    bad.write_text("default may\ndomain a.example encript\n")
    assert lab("cli", f"config check {good}").returncode == 0
    r = lab("cli", f"config check {bad}")
    assert r.returncode != 0
    assert "line 2, column 18" in r.stderr and "encript" in r.stderr
    r = lab("cli", f"config load {bad}")
    assert r.returncode != 0
    assert "domain a.example" not in lab("cli", "show running-config").stdout
    assert lab("cli", f"config load {good}").returncode == 0
    assert "domain a.example" in lab("cli", "show running-config").stdout
    r = lab("cli", "no such command", "show status")
    assert r.returncode != 0 and "now 0" not in r.stdout, "it went on"
    assert lab("cli", f"config load {tmp_path}/none").returncode != 0
    assert lab("exec", "mail", "true").returncode == 0
    assert lab("exec", "mail", "false").returncode == 1
    assert "sw-box   up" in lab("status").stdout
    assert lab("down").returncode == 0
    assert lab("down").returncode == 0, "twice is no error"
    assert lab("cli", "show status").returncode != 0
    assert "sw-box   down" in lab("status").stdout


def test_up_without_a_good_configuration_leaves_nothing(tmp_path):
    r = lab("up", "--config", str(tmp_path / "none"))
    assert r.returncode != 0
    assert not net.here()


def processes():
    """Of the lab: those that use its folder or its programs."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                line = f.read().replace(b"\0", b" ")
        except OSError:
            continue
        if str(net.LAB).encode() in line or str(net.OUT / "bin").encode() in \
                line:
            found.append(line)
    return found


def gone():
    return not net.here() and not processes()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM,
                                  signal.SIGHUP])
@pytest.mark.parametrize("after", [0.1, 0.3, 0.8])
def test_up_that_is_interrupted(sign, after):
    p = subprocess.Popen([LAB, "up"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, preexec_fn=interruptible)
    time.sleep(after)
    p.send_signal(sign)
    if p.wait(20) == 0:
        assert lab("down").returncode == 0, "it was faster"
    assert poll(gone), (net.here(), processes())


def interruptible():
    """As from a terminal: what a shell starts with & ignores SIGINT, and so would
    what is started from there, as we may be."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("what", ["make run", "test"])
def test_a_run_that_is_interrupted(sign, what, tmp_path):
    """make run while its servers and mail are under way; and a test."""
    command = ["make", "--no-print-directory", "-C", str(ROOT), "run"]
    if what == "test":
        (tmp_path / "conftest.py").write_text(
            (ROOT / "tests/net/conftest.py").read_text())
        (tmp_path / "test_it.py").write_text(
            "import time\ndef test(lab):\n    time.sleep(60)\n")
        command = [ROOT / "tools/test-report", "--pytest", str(tmp_path)]
    env = dict(os.environ, PYTHONPATH=str(ROOT / "tests/net"))
    p = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, env=env,
                         start_new_session=True, preexec_fn=interruptible)
    assert poll(lambda: len(net.here()) and len(net.pids_in("sw-box")) > 4, 60)
    time.sleep(0.5)
    if sign == signal.SIGINT:  # as a terminal: to all of them
        os.killpg(p.pid, sign)
    else:
        p.send_signal(sign)
    assert p.wait(60) != 0
    assert poll(gone, 30), (net.here(), processes())


def test_help_says_the_words():
    text = lab("--help").stdout
    for word in ("up", "down", "cli", "console", "exec", "status", "--config",
                 "--offloads", "sw-mail", "198.51.100.0/24"):
        assert word in text
