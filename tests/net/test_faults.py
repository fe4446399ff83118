# SPDX-License-Identifier: BSD-2-Clause
"""A43: memory, sending, descriptors and randomness fail at the n-th call, in
each program, for every n until nothing is left to fail.

Whatever fails, nothing protected is seen in clear (O1), what was acknowledged is
stored (O2), and afterwards mail flows (O4). The handshake of relay asks for
memory 9000 times: each 13th is tried, or each one with FAULT_STRIDE=1.
"""
import contextlib
import os
import re
import threading

import pytest

from faultkit import KINDS, MEMORY, NAMES, Faults
from mailkit import Box, Client, Gone, net, poll, server_tls, transact

CONFIG = """\
default may
domain enc.example encrypt
domain {other} encrypt
account who user bob password "not a word"
ca certificate
{ca}
"""
LOST = (OSError, Gone, AssertionError, ValueError, net.LabError)
STRIDE = {("relay", MEMORY): 13}
KIND = pytest.mark.parametrize("kind", KINDS, ids=NAMES)


@pytest.fixture(name="faults", scope="module")
def faults_fixture():
    f = {p: Faults(p) for p in ("wire", "relay", "confd", "keys")}
    yield f
    for one in f.values():
        one.close()


@pytest.fixture(name="config", scope="module")
def config_fixture(authority):
    return lambda other: CONFIG.format(other=other, ca=authority.pem().strip())


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, config, faults):
    box = Box(tmp_path_factory.mktemp("lab"), config("a.example"),
              up=["--faults"])
    assert faults
    yield box
    box.down()


@pytest.fixture(name="box")
def box_fixture(lab, faults):
    yield lab
    for f in faults.values():
        f.disarm()
    lab.wait_ready()
    lab.check(restarted=True)


def two_mails(box, encrypted, clear):
    """One over TLS, one in clear, at the same time; what becomes of them is
    for the oracles."""
    def one(mx, to, protected):
        try:
            box.send(mx.address, [to], protected=protected)
        except LOST:
            pass
    both = [threading.Thread(target=one, args=a) for a in (
        (encrypted, "b@enc.example", True), (clear, "b@other.example", False))]
    for t in both:
        t.start()
    for t in both:
        t.join()


def sweep(faults, program, kind, work, check=lambda: None):
    """work() with the 1st, 2nd, ... call failing, until none is reached; after
    each, check() with none failing."""
    stride = STRIDE.get((program, kind), 1)
    for n in range(1, 1 << 20, int(os.environ.get("FAULT_STRIDE", stride))):
        faults[program].arm(kind, n)
        work()
        reached = faults[program].disarm()
        check()
        if not reached:
            return


@KIND
@pytest.mark.parametrize("program", ["wire", "relay"])
def test_a43_mail(box, authority, faults, program, kind):
    encrypted, clear = box.mx(tls=server_tls(authority)), box.mx()
    sweep(faults, program, kind, lambda: two_mails(box, encrypted, clear))
    assert box.counters("restarts") == box.restarts, "only sessions are lost"


@KIND
@pytest.mark.parametrize("program", ["wire", "relay", "confd", "keys"])
def test_a43_configuration(box, config, faults, program, kind):
    """When a commit is said to be in force, it is so on all programs; when not,
    what was before is."""
    plain = box.mx()
    protected = []

    def commit():
        new = f"d{next(box.numbers)}.example"
        try:
            box.load(config(new))
        except LOST:
            text = poll(lambda: asked("show running-config"))
            new, = re.findall(r"domain (d\d+\.example)", text)
        protected[:] = [new]

    def asked(question):
        with contextlib.suppress(*LOST):
            return box.cli(question)
        return None

    def check():
        """As many sessions at once as reach every relay: what one of them does
        not know it would let pass in clear; who knows nothing is silent."""
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Client(plain.address))
                       for _ in range(2 * (net.PROGRAMS - 4))]
            for c in clients:
                c.hello()
            for c in clients:
                r = transact(c, [f"b@{protected[0]}"], box.body(True))
                assert r.rcpt == [451], f"{protected}: {r.rcpt} {r.text}"

    commit()
    check()
    sweep(faults, program, kind, commit, check)
    before = list(protected)
    commit()
    assert protected != before, "nothing fails any more"
    check()


@KIND
@pytest.mark.parametrize("program", ["confd", "keys"])
def test_a43_keys(box, faults, program, kind):
    """A key that is said to be made, imported or gone is so, also after a start;
    and whatever fails, no other key is lost."""
    def lost(question):
        with contextlib.suppress(*LOST):
            return box.cli(question)
        return None

    def known():
        shown = poll(lambda: lost("show crypto"))
        return re.findall(r"^  (k[\w-]+)  (?!is being)", shown, re.M)

    def work():
        name = f"k{next(box.numbers)}"
        made = lost(f"crypto key generate ecdsa {name}")
        if made and "is being made" not in made:
            assert poll(lambda: name in known())
        gone = lost(f"crypto key delete {name}")
        if gone:
            assert poll(lambda: name not in known())
        assert poll(lambda: "kept-for-good" in known())

    for k in known():
        box.cli(f"crypto key delete {k}")
    box.cli("crypto key generate ecdsa kept-for-good")
    assert known() == ["kept-for-good"]
    sweep(faults, program, kind, work)
    assert "kept-for-good" in known()
    box.cli("crypto key delete kept-for-good")
