# SPDX-License-Identifier: BSD-2-Clause
"""A43: memory, sending, descriptors and randomness fail at the n-th call, in
each program, for every n until nothing is left to fail.

Whatever fails, nothing protected is seen in clear (O1), what was acknowledged is
stored (O2), and afterwards mail flows (O4). Of relay's memory each 13th is tried, or
each one with FAULT_STRIDE=1. Programs that no mail goes through, and log-ons, are in
test_faults_x.py.
"""
import contextlib
import re

import pytest

from faultkit import (GAVE_UP, KIND, MEMORY, box_fixture,  # noqa: F401
                      failing_lab, faults_fixture, lost, sweep,
                      two_mails)
from mailkit import Client, net, poll, server_tls, transact

CONFIG = """\
default may
domain enc.example encrypt
domain {other} encrypt
account who user bob password "not a word"
ca certificate
{ca}
"""
STRIDE = {("relay", MEMORY): 13}
PROGRAMS = ["wire", "relay", "confd", "keys", "boss"]


@pytest.fixture(name="config", scope="module")
def config_fixture(authority):
    return lambda other: CONFIG.format(other=other, ca=authority.pem().strip())


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, config):
    with failing_lab(tmp_path_factory.mktemp("lab"), config("a.example"),
                     PROGRAMS) as lab:
        yield lab


@KIND
@pytest.mark.parametrize("program", ["wire", "relay"])
def test_a43_mail(box, authority, faults, program, kind):
    encrypted, clear = box.mx(tls=server_tls(authority)), box.mx()
    sweep(faults, program, kind, lambda: two_mails(box, encrypted, clear),
          stride=STRIDE.get((program, kind), 1))
    assert box.counters("restarts") == box.restarts, "only sessions are lost"


@KIND
@pytest.mark.parametrize("program", PROGRAMS)
def test_a43_configuration(box, config, faults, program, kind):
    """When a commit is said to be in force, it is so on all programs; when not,
    what was before is."""
    plain = box.mx()
    protected = []

    def commit():
        new = f"d{next(box.numbers)}.example"
        try:
            box.load(config(new))
        except GAVE_UP:
            text = poll(lambda: lost("show running-config"))
            new, = re.findall(r"domain (d\d+\.example)", text)
        protected[:] = [new]

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
    sweep(faults, program, kind, commit, check,
          stride=STRIDE.get((program, kind), 1))
    before = list(protected)
    commit()
    assert protected != before, "nothing fails any more"
    check()


@KIND
@pytest.mark.parametrize("program", ["confd", "keys"])
def test_a43_keys(box, faults, program, kind):
    """A key that is said to be made, imported or gone is so, also after a start;
    and whatever fails, no other key is lost."""
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
