# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures of the tests that run the whole box."""
import sys

import pytest

sys.dont_write_bytecode = True  # nothing but output/ is written

from mailkit import Box, ca, net  # noqa: E402

net.interruptible()  # the lab goes down whoever stops the tests

DOMAINS = """\
default may
domain enc.example encrypt
domain ver.example verify match mx.ver.example
domain pin.example pin {pin}
domain clr.example clear
domain t13.example encrypt min-tls 1.3
domain rej.example encrypt on-fail reject
domain def.example verify match mx.ver.example on-fail defer
domain .below.example encrypt
ca certificate
{ca}
"""


@pytest.fixture(name="authority", scope="session")
def authority_fixture():
    return ca.Authority("tests")


@pytest.fixture(name="config", scope="session")
def config_fixture(authority):
    cert, _ = authority.cert("mx.ver.example")
    return DOMAINS.format(pin=ca.pin(cert), ca=authority.pem().strip())


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, config):
    box = Box(tmp_path_factory.mktemp("lab"), config, up=["--sanitized"])
    yield box
    box.down()


@pytest.fixture(name="box")
def box_fixture(lab):
    """The lab of this module; the oracles are asked when the test is over."""
    yield lab
    lab.check()
