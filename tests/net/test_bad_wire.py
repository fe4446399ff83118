# SPDX-License-Identifier: BSD-2-Clause
"""Mail over a wire outside that loses, doubles, delays and reorders: slower, and
otherwise the same."""
import time

import pytest

from badwire import BadWire
from mailkit import Box, net, server_tls
from test_mail_hostile import parallel

WIRES = {
    "far": dict(delay_ms=80),
    "lossy": dict(loss=20, delay_ms=10),
    "very-lossy": dict(loss=50, delay_ms=2),
    "twice-and-late": dict(twice=100, late=150, delay_ms=5),
    "all": dict(loss=20, twice=50, late=100, delay_ms=20),
}


class BadBox(Box):
    """The lab with such a wire on the side of the world."""

    def __init__(self, folder, config, **how):
        self.wire = BadWire(**how)
        super().__init__(folder, config)

    def start(self, file, _):
        plain = net.cable
        net.cable = self.wire.cable(plain)
        try:
            net.up(net.Choices(config=file, build="bin-san", offloads="off"))
        finally:
            net.cable = plain

    def down(self):
        super().down()
        self.wire.down()


@pytest.fixture(name="lab", scope="module", params=WIRES)
def lab_fixture(request, tmp_path_factory, config):
    box = BadBox(tmp_path_factory.mktemp("lab"), config, **WIRES[request.param])
    yield box
    box.down()


def test_mail_arrives_whole(box, authority):
    """16 messages at once, up to 200 KiB, half of them protected; in TLS and in
    clear; each within a minute."""
    tls, plain = box.mx(tls=server_tls(authority)), box.mx()

    def one(n):
        began = time.monotonic()
        mx, to = (tls, "b@ver.example") if n % 2 else (plain, "b@clr.example")
        r = box.send(mx.address, [to], protected=bool(n % 2),
                     size=200_000 if n % 4 < 2 else 500, wait=60)
        assert r.final == 250, (r.rcpt, r.text)
        return time.monotonic() - began

    assert max(parallel(one, range(16), threads=16)) < 60
    assert len(tls.stored) == len(plain.stored) == 8
    assert not tls.envelope_in_clear()
