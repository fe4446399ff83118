# SPDX-License-Identifier: BSD-2-Clause
"""A43, beside test_faults.py: a call of each kind fails in programs that no mail goes
through, and under sessions that log on, in both directions.

Whatever fails: nothing protected is seen in clear (O1), what was acknowledged is
stored (O2), nobody gets in who has not logged on, and afterwards all is well.
"""
import contextlib
import itertools
import os
import signal
import threading

import pytest

import sealkit
from faultkit import (KIND, MEMORY, SEND, at_once, box_fixture,  # noqa: F401
                      failing_lab, faults_fixture, lost, sweep,
                      two_mails)
from inboundkit import (INSIDE, NAME, Outside, deliver, import_key,
                        wait_offer)
from mailkit import Mx, poll, server_tls
from sealkit import ntlm
from test_inbound_logon import End, log_on, plain, seal

SECRET = "correct-horse-7f3b"
CONFIG = """\
default may
account partner user box password {secret}
account hub nt-domain DOM user User password {secret}
domain enc.example encrypt
domain scram.example encrypt auth scram-sha-256 account partner
domain seal.example ntlm-seal account hub
inbound on
inbound account doug nt-domain DOM auth ntlm-seal password {secret}
inbound account bob auth plain scram-sha-256 password {secret}
inbound require bob.example tls account bob
inbound require dom.example seal account doug
ca certificate
{ca}
"""
# From where somebody guesses, or is refused: each has a few tries before it waits.
HERE = itertools.cycle(f"198.51.100.{n}" for n in range(120, 250))
PROGRAMS = ["wire", "relay", "confd", "keys", "boss", "console", "witness"]


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, authority):
    folder = tmp_path_factory.mktemp("lab")
    ntlm.users_file(folder / "users", {("DOM", "User"): SECRET})
    config = CONFIG.format(secret=SECRET, ca=authority.pem().strip())
    with failing_lab(folder, config, PROGRAMS) as lab:
        import_key(authority, NAME)
        server = Mx(INSIDE, space="mail")
        wait_offer()
        server.close()
        lab[0].protected.add(SECRET)
        yield lab


# --- log-ons ------------------------------------------------------------------------
LOG_ONS = pytest.mark.parametrize("program", ["relay", "keys"])
# Of 500, most are for a signature; an answer of keys that is lost is waited for 10 s.
STRIDE = {("keys", MEMORY): 13, ("keys", SEND): 4}


@KIND
@LOG_ONS
def test_a43_log_on(box, authority, faults, program, kind):
    """One is sealed, the other logs on inside TLS. A log-on that has begun and
    does not end is one without mail."""
    sealed = box.mx(caps=["PIPELINING", "AUTH NTLM"], reply={
        "AUTH": sealkit.ntlm_reply(ntlm.Gss)})
    scram = box.mx(tls=server_tls(authority), caps=["AUTH SCRAM-SHA-256"],
                   reply={"AUTH": sealkit.scram_reply("box", SECRET)})

    def work():
        at_once(lambda: box.send(sealed.address, ["b@seal.example"], True),
                lambda: box.send(scram.address, ["b@scram.example"], True))

    sweep(faults, program, kind, work, stride=STRIDE.get((program, kind), 1))
    logged_on = len(sealed.stored), len(scram.stored)
    box.wait_ready()
    work()
    assert (len(sealed.stored), len(scram.stored)) == \
        tuple(n + 1 for n in logged_on), "nothing fails any more"
    for mx in (sealed, scram):
        assert not [l for l in mx.envelope_in_clear() if mx.tls or
                    SECRET.encode() in l]


@KIND
@LOG_ONS
def test_a43_partner(box, authority, faults, program, kind):
    """A partner's log-on in TLS, one with a seal, and who has no password, or a wrong
    one: they never get in."""
    server = box.mx(address=INSIDE, space="mail")
    into = []

    def in_tls():
        with Outside() as c:
            c.in_tls(authority)
            if c.cmd(plain())[0] == 235:
                deliver(box, c, "x@bob.example")

    def sealed():
        with Outside() as c:
            end = End()
            c.hello()
            if log_on(c, end)[0] == 235:
                seal(c, end)
                c.ehlo()
                deliver(box, c, "x@dom.example")

    def without():
        with Outside(source=(next(HERE), 0)) as c:
            c.hello()
            into.append(c.cmd("MAIL FROM:<x@dom.example>"))

    def wrong():
        with Outside(source=(next(HERE), 0)) as c:
            c.hello()
            into.append(log_on(c, End(password="wrong")))
            into.append(c.cmd("MAIL FROM:<x@dom.example>"))

    works = [in_tls, sealed, without, *[wrong] * (program == "keys")]
    sweep(faults, program, kind, lambda: at_once(*works),
          stride=STRIDE.get((program, kind), 1))
    assert into and not [c for c, _ in into if c // 100 in (2, 3)], into
    box.wait_ready()
    wait_offer()
    before = len(server.stored)
    at_once(in_tls, sealed)
    assert len(server.stored) == before + 2, "nothing fails any more"


# --- programs that no mail goes through -----------------------------------------------
@contextlib.contextmanager
def traffic(box, authority):
    """Mail all the while: what becomes of it is for the oracles."""
    encrypted, clear = box.mx(tls=server_tls(authority)), box.mx()
    over = threading.Event()

    def send():
        while not over.is_set():
            two_mails(box, encrypted, clear)

    t = threading.Thread(target=send)
    t.start()
    try:
        yield encrypted, clear
    finally:
        over.set()
        t.join()


@KIND
def test_a43_restarts(box, authority, faults, kind):
    """boss starts others, and something fails: it tries again."""
    def work():
        for p in ("wire", "confd", "keys"):
            for pid in box.pids(p):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        box.wait_ready()

    boss = box.pids("boss")
    with traffic(box, authority):
        sweep(faults, "boss", kind, work, stride={SEND: 5}.get(kind, 2))
    assert box.pids("boss") == boss


@KIND
def test_a43_console(box, faults, kind):
    """What is asked is answered, or the line is closed: nothing is half done."""
    file = box.folder / "box.conf"
    asked = ["show status", "show log", "show running-config", "show crypto",
             f"config check {file}", "verify", "show sessions detail",
             "capture start both", "capture stop", "explain last",
             "probe 198.51.100.9"]

    def work():
        for words in asked:
            lost(words)

    sweep(faults, "console", kind, work,
          lambda: poll(lambda: lost("show status")) or pytest.fail("silent"))
    assert box.cli(f"config check {file}") == "no error"


@KIND
def test_a43_witness(box, authority, faults, kind):
    """Who watches sees nothing that is not there, and says that it has passed when it
    has; mail does not wait for it."""
    encrypted, clear = box.mx(tls=server_tls(authority)), box.mx()

    def work():
        passed = box.counter("self-tests-passed")
        two_mails(box, encrypted, clear)
        said = lost("verify")
        if said and "self-test    passed" in said:
            assert box.counter("self-tests-passed") > passed
        lost("capture start both")
        lost("capture stop")

    sweep(faults, "witness", kind, work)
    assert len(encrypted.stored) == len(box.acked) - len(clear.stored)
    assert poll(lambda: "self-test    passed" in (lost("verify") or ""))
