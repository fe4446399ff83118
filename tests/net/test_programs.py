# SPDX-License-Identifier: BSD-2-Clause
"""A program that dies or hangs is back within two seconds; until then mail
stops and the rest flows; what it had not acknowledged is not lost."""
import os
import re
import signal
import threading
import time

import pytest

from mailkit import WAIT, Client, Gone, net, poll, reset, transact

# A sanitized program takes longer to start than the two seconds promised.
BACK = 10.0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP],
                         ids=["killed", "hung"])
@pytest.mark.parametrize("program", ["wire", "relay", "confd", "console", "keys"])
def test_back_after(lab, program, how):
    lab.wait_ready()
    old = lab.pids(program)
    for pid in old:
        os.kill(pid, how)
    began = time.monotonic()
    assert poll(lambda: len(lab.pids(program)) == len(old) and
                not set(lab.pids(program)) & set(old), BACK)

    def answers():
        try:
            return "not intercepting" not in net.cli("show status")
        except (OSError, net.LabError):
            return False

    def passes():
        try:
            mx = lab.mx(address="198.51.100.11")
            try:
                r = lab.send(mx.address, ["x@enc.example", "x@honest.example"])
                return r.final == 250 and r.rcpt == [451, 250]
            finally:
                mx.close()
        except (OSError, Gone, AssertionError):
            return False
    assert poll(answers, BACK) and poll(passes, BACK)
    print(f"{program}: {time.monotonic() - began:.2f} s")
    lab.check(restarted=True)


def test_a_relay_that_came_back_gets_its_share(lab):
    """Sessions that it had finished when it died, and whose client stays a while,
    are not counted as its own later."""
    mx = lab.mx()
    stay = [Client(mx.address) for _ in range(8)]
    for c in stay:
        c.hello()
        assert c.cmd("QUIT")[0] == 221
    assert poll(lambda: "now 0," in net.cli("show status"))
    os.kill(lab.pids("relay")[0], signal.SIGKILL)
    time.sleep(0.3)
    lab.wait_ready()
    for c in stay:
        c.talk.sock.close()
    time.sleep(0.5)
    clients = [Client(mx.address) for _ in range(8)]
    for c in clients:
        c.hello()
    shown = net.cli("show sessions detail")
    for i in range(len(lab.pids("relay"))):
        assert f"on relay {i}" in shown, shown
    for c in clients:
        c.talk.sock.close()
    lab.check(restarted=True)


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(l.rstrip("\n").split(":\t", 1) for l in f)


def files_of(pid):
    """What it has open beside sockets, epoll and the standard three."""
    links = {os.readlink(f"/proc/{pid}/fd/{fd}")
             for fd in os.listdir(f"/proc/{pid}/fd") if int(fd) > 2}
    return {os.path.basename(l).removesuffix(" (deleted)") for l in links
            if not l.startswith(("socket:", "anon_inode:"))}


FILES = {"confd": {"memfd:configuration", "memfd:snapshot", "memfd:secrets",
                   "memfd:certificates", "memfd:settings", "store"},
         "console": {"ptmx"}}


def test_each_program_has_no_more_than_it_needs(lab):
    """A uid of its own, no rights, seccomp, and only what boss handed over."""
    lab.wait_ready()
    uids = []
    for program in ("wire", "relay", "confd", "console", "keys",
                    "witness"):
        for pid in lab.pids(program):
            s = status_of(pid)
            ids = set(s["Uid"].split() + s["Gid"].split())
            assert len(ids) == 1 and ids != {"0"} and not s["Groups"].strip()
            assert int(s["CapEff"], 16) == int(s["CapPrm"], 16) == 0
            assert s["NoNewPrivs"] == "1" and s["Seccomp"] == "2"
            assert files_of(pid) <= FILES.get(program, set())
            # the list of boss, which it inherits, lets it ask for that
            assert os.sched_getscheduler(pid) == os.SCHED_BATCH
            uids += ids
    boss, = map(status_of, lab.pids("boss"))
    assert boss["NoNewPrivs"] == "1" and boss["Seccomp"] == "2"
    assert len(set(uids)) == len(uids), "two share one"
    lab.check(restarted=True)


def memfds_of(pid):
    """{name: contents} of the files in memory that the program has mapped."""
    found = {}
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for m in re.finditer(r"^(\w+)-(\w+) .*/memfd:(\S+)", maps.read(), re.M):
            low, high = (int(x, 16) for x in m.groups()[:2])
            mem.seek(low)
            found[m.group(3)] = mem.read(high - low)
    return found


def test_wire_knows_no_domain(lab):
    """It gets the settings, relay what is asked of whom."""
    relay, *_ = lab.pids("relay")
    assert b"pin.example" in memfds_of(relay)["snapshot"]
    wire, = lab.pids("wire")
    told = memfds_of(wire)
    assert "settings" in told and "snapshot" not in told
    assert not [name for name, octets in told.items() if b".example" in octets]


def test_boss_keeps_nothing_of_the_dead(lab):
    """A program may die any number of times."""
    def descriptors():
        return len(os.listdir(f"/proc/{boss}/fd"))
    (boss,) = lab.pids("boss")
    before = descriptors()
    for _ in range(4):
        for pid in lab.pids("console") + lab.pids("relay"):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
        lab.wait_ready()
    assert descriptors() == before
    lab.check(restarted=True)


@pytest.mark.parametrize("program", ["wire", "relay"])
def test_death_in_the_middle_of_a_message(lab, program):
    """The client sees an error, never a 2xx; the server stores nothing."""
    mx = lab.mx()
    with Client(mx.address) as c:
        c.hello()
        for line, code in (("MAIL FROM:<a@corp.example>", 250),
                           ("RCPT TO:<b@other.example>", 250), ("DATA", 354)):
            assert c.cmd(line)[0] == code
        c.say(b"Subject: half\r\n\r\nhalf\r\n")
        time.sleep(0.1)
        for pid in lab.pids(program):
            os.kill(pid, signal.SIGKILL)
        with pytest.raises((Gone, ValueError)):
            c.say(b"the other half\r\n.\r\n")
            code, text = c.reply()
            assert code // 100 != 2, text
            c.reply()
    assert not mx.stored
    lab.wait_ready()
    lab.check(restarted=True)


def test_a_new_configuration_drops_no_session(box, config):
    """50 sessions in the middle of a message each, 5 commits, all end well."""
    mx = box.mx()
    open_, bodies = [], []
    for _ in range(50):
        c = Client(mx.address)
        c.hello()
        for line in ("MAIL FROM:<a@corp.example>",
                     "RCPT TO:<b@other.example>", "DATA"):
            c.cmd(line)
        bodies.append(box.body())
        c.say(bodies[-1][:100])
        open_.append(c)
    for n in range(5):
        box.load(config + f"domain d{n}.example encrypt\n")
    for c, body in zip(open_, bodies):
        c.say(body[100:] + b".\r\n")
        assert c.reply()[0] == 250
        box.acked.append(body)
        r = transact(c, ["b@d4.example"], box.body(protected=True))
        assert r.rcpt == [451]
        c.cmd("QUIT")
        c.talk.sock.close()
    box.load(config)
    assert mx.sessions == 50


@pytest.mark.parametrize("dies", ["relay", "client-fin", "client-rst"])
def test_a_message_that_is_given_up_ends_with_a_reset(lab, dies):
    """A careless server may take an orderly end for the end of a message: no
    FIN reaches it in the middle of one, whoever died."""
    ends = []

    def careless(s):
        s.say(b"354 go\r\n")
        try:
            s.talk.until(b"\r\n.\r\n")
            ends.append("whole")
        except Gone as e:
            ends.append("fin" if str(e) == "closed" else "rst")
        raise Gone
    mx = lab.mx(reply={"DATA": careless})

    def half(n):
        with Client(mx.address) as c:
            c.hello()
            for line in ("MAIL FROM:<a@corp.example>",
                         "RCPT TO:<b@other.example>", "DATA"):
                c.cmd(line)
            for _ in range(20):
                c.say(b"half of a message, and more of it\r\n" * 20)
            if dies == "client-rst":
                reset(c.talk.sock)
            if dies == "relay":
                begun.wait(WAIT)
                killed.wait(WAIT)

    begun, killed = threading.Barrier(33), threading.Event()
    for _ in range(1 if dies == "relay" else 6):
        threads = [threading.Thread(target=half, args=(n,)) for n in range(32)]
        for t in threads:
            t.start()
        if dies == "relay":
            begun.wait(WAIT)
            for pid in lab.pids("relay"):
                os.kill(pid, signal.SIGKILL)
            killed.set()
        for t in threads:
            t.join()
    assert poll(lambda: len(ends) == mx.sessions)
    assert set(ends) == {"rst"}, ends
    lab.wait_ready()
    lab.check(restarted=True)
