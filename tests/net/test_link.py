# SPDX-License-Identifier: BSD-2-Clause
"""Link state: a port that is pulled out takes the other one down, if the settings
say so, and both come back."""
import time

import pytest

from mailkit import Box, net, poll


@pytest.fixture(name="box", scope="module")
def box_fixture(tmp_path_factory):
    box = Box(tmp_path_factory.mktemp("lab"), "default may\n",
              up=["--sanitized"])
    yield box
    box.down()


def carrier(space):
    out = net.ip("-n", net.SPACES[space], "-o", "link", "show", "eth0")
    return "NO-CARRIER" not in out and "LOWER_UP" in out


def pull(space):
    net.ip("-n", net.SPACES[space], "link", "set", "eth0", "down")


def plug(space):
    net.ip("-n", net.SPACES[space], "link", "set", "eth0", "up")
    if space == "net":
        net.ip("-n", net.SPACES[space], "route", "replace", "local",
               "198.51.100.0/24", "dev", "lo")
    else:
        net.ip("-n", net.SPACES[space], "route", "replace", "default", "via",
               "10.77.0.1")


def set_(box, value):
    with net.Cli() as cli:
        cli("configure")
        cli(f"link-propagation {value}")
        cli("commit")


def test_off_the_other_port_stays_up(box):
    pull("net")
    assert poll(lambda: "outside DOWN" in box.cli("show status"), 5)
    time.sleep(1.5)
    assert carrier("mail")
    plug("net")
    assert poll(lambda: "outside up" in box.cli("show status"), 5)


@pytest.mark.parametrize("pulled,other", [("net", "mail"), ("mail", "net")])
def test_on_it_goes_down_and_comes_back(box, pulled, other):
    set_(box, "on")
    time.sleep(6)  # the grace of a port that has just been plugged in
    pull(pulled)
    assert poll(lambda: not carrier(other), 5)
    assert "held down (link-propagation)" in box.cli("show status")
    held = time.monotonic()
    plug(pulled)
    assert poll(lambda: carrier(other), 30)
    assert time.monotonic() - held >= 2
    if pulled == "mail":  # its own address went with the link
        net.ip("-n", net.SPACES["mail"], "-6", "addr", "replace",
               "fd77::10/64", "dev", "eth0", "nodad")
    assert poll(lambda: "held down" not in box.cli("show status"), 5)
    assert poll(lambda: net.inside("mail", "ping", "-qc1", "-W1", "10.77.0.1",
                                   capture_output=True).returncode == 0, 20)
    box.check()


def test_switched_off_while_a_port_is_held(box):
    set_(box, "on")
    time.sleep(6)
    pull("net")
    assert poll(lambda: not carrier("mail"), 5)
    set_(box, "off")
    assert poll(lambda: carrier("mail"), 3)
    plug("net")
