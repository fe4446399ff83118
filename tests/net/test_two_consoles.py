# SPDX-License-Identifier: BSD-2-Clause
"""Two people and a script at once, on a whole box with mail in it: one candidate,
each answer to who asked, and in the end what all of them did."""
import contextlib
import threading

import pytest

from mailkit import Client, Mx, net
from test_serial import first_login, lab


@pytest.fixture(name="box")
def box_fixture():
    lab("down")
    lab("up")
    yield
    lab("down")


def all_at_once(*work):
    """Run them; what the first that failed has to say."""
    failed = []

    def run(what):
        try:
            what()
        except (AssertionError, net.LabError, OSError) as e:
            failed.append(e)
    threads = [threading.Thread(target=run, args=(w,)) for w in work]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failed, failed


def test_one_candidate(box):
    """20 edits and commits by each of three, of which some come while another
    commit is under way: that one is said, and tried again."""
    assert box is None
    person = first_login()
    person.command("configure", "sealwire(config)# ")
    busy = "another configuration is being put into force"

    def by_hand():
        for i in range(20):
            person.command(f"domain hand-{i}.example encrypt",
                           "sealwire(config)# ")
            while busy in person.command("commit", "sealwire(config)# "):
                pass

    def by_script(name):
        with net.Cli() as cli:
            cli("configure")
            for i in range(20):
                cli(f"domain {name}-{i}.example verify")
                done = False
                while not done:
                    with contextlib.suppress(net.LabError):
                        done = cli("commit").startswith("in force")

    all_at_once(by_hand, lambda: by_script("one"), lambda: by_script("two"))
    running = net.cli("show running-config").splitlines()
    for i in range(20):
        assert f"domain hand-{i}.example encrypt" in running
        assert f"domain one-{i}.example verify" in running
        assert f"domain two-{i}.example verify" in running
    assert net.cli("show compare") == "no difference"
    # what is kept is what is in force
    lab("down")
    lab("up", "--keep-store")
    assert net.cli("show running-config").splitlines() == running
    person.p.close()


def test_answers_do_not_mix(box):
    """While one loads a long list, the other asks for this and that."""
    assert box is None
    person = first_login()
    text = "default may\n" + "".join(
        f"domain d{i}.example encrypt\n" for i in range(50_000))
    file = net.LAB / "long.conf"
    file.write_text(text)

    def load():
        for _ in range(3):
            assert "candidate" in net.cli(f"load replace {file}")
            assert net.cli("commit check") == "no error"
            net.cli("discard")

    def ask():
        for i in range(30):
            assert "default may" in person.command(f"show domain x{i}.example")
            assert "confd" in person.command("show version | include confd")

    all_at_once(load, ask)
    person.p.close()


def test_mail_goes_on(box):
    """50 sessions open, keys are made and configurations committed from two
    places: every session ends as it began."""
    assert box is None
    mx = Mx("198.51.100.9")
    sessions = [Client(mx.address) for _ in range(50)]
    for c in sessions:
        c.hello()
        for line in ("MAIL FROM:<a@corp.example>",
                     "RCPT TO:<b@other.example>", "DATA"):
            c.cmd(line)

    def keys():
        for i in range(5):
            net.cli(f"crypto key generate ecdsa k{i}")
            net.cli(f"crypto csr k{i} mx.example")
        net.cli("crypto key delete k0")

    def commits():
        with net.Cli() as cli:
            cli("configure")
            for i in range(5):
                cli(f"account a{i} user u password secret-{i}")
                cli(f"domain d{i}.example encrypt")
                cli("commit")

    all_at_once(keys, commits)
    for c in sessions:
        c.say(b"Subject: x\r\n\r\nx\r\n.\r\n")
        assert c.reply()[0] == 250
        c.cmd("QUIT")
        c.talk.sock.close()
    assert len(mx.stored) == 50 and mx.sessions == 50
    mx.close()
    assert "secret-" not in net.cli("show tech-support")
    shown = net.cli("show crypto")
    assert "  k4  " in shown and "  k0  " not in shown
