# SPDX-License-Identifier: BSD-2-Clause
"""The box as an image: a wire for what is not mail, and the gate for what is."""
import random
import socket
import struct
import time

import pytest
from mailkit import Client, Mx, server_tls, socket_in, transact
from test_wire_pass import zoo
from bootkit import CANARY, SERVER, line, net
from wirekit import Lab, Port

WAYS = {"out": ("mail", "net"), "in": ("net", "mail")}


def plain(frame):
    """Not TCP, whose ports in the zoo are these. The driver of the port holds TCP
    back until it has looked at all that has come (GRO): it is behind the rest then,
    and in order for itself."""
    return not any(struct.pack("!HH", *ports) in frame[:90]
                   for ports in ((1025, 2525), (2500, 26)))


@pytest.mark.parametrize("way", WAYS)
def test_frames_of_every_kind_pass_as_they_are(box, way):
    here, there = (Port(space) for space in WAYS[way])
    rnd = random.Random(way)
    sent = list(zoo(rnd))
    rnd.shuffle(sent)
    got = []
    box.hammer.hush()
    time.sleep(1)  # what is on its way
    there.drain()
    was = Lab.counter("frames-taken-inside")
    for i in range(0, len(sent), 16):  # what its queue has room for
        here.send(*sent[i:i + 16])
        got += there.collect(len(sent[i:i + 16]), 5)
    assert Lab.counter("frames-taken-inside") == was
    box.hammer.go()
    here.close()
    there.close()
    assert len(sent) > 700
    assert sorted(got) == sorted(sent)
    assert list(filter(plain, got)) == list(filter(plain, sent))


def test_mail_is_lifted_or_held_back(box):
    """The same message, for a domain that is protected: not to a server without
    TLS, and to one with it."""
    box.enforces()
    mx = Mx("198.51.100.67", tls=server_tls(box.authority, "mx.enc.example"))
    body = f"Subject: {CANARY}\r\n\r\n{CANARY} and words\r\n".encode()
    try:
        with Client("198.51.100.67") as c:
            c.hello()
            r = transact(c, ["bob@enc.example"], body)
        assert r.final == 250, (r.rcpt, r.final, r.text)
        (_, stored, version), = mx.stored
        assert stored == body and version == "TLSv1.3"
        assert not mx.envelope_in_clear()
    finally:
        mx.close()


def test_the_console_is_all_that_the_line_has(box):
    assert "domain enc.example encrypt" in box.cli("show running-config")
    for command in ("busybox sh", "/bin/sh", "$(ls)", "|sh"):
        with pytest.raises(net.LabError):
            box.cli(command)


def test_the_log_goes_to_the_management_network(box):
    with socket_in("admin", socket.AF_INET, socket.SOCK_DGRAM) as host:
        host.bind((SERVER, 514))
        host.settimeout(line.PATIENCE)
        box.configure()
        while b"event=configuration-in-force" not in host.recv(2048):
            pass


def test_no_program_has_died_in_64_mib(box):
    assert " ".join(box.machine.options()).count("-m 64") == 1
    lines = [l.split() for l in box.cli("show counters").splitlines()]
    counts = [int(l[1]) for l in lines if l and l[0].startswith("restarts")]
    assert counts and not any(counts)
