# SPDX-License-Identifier: BSD-2-Clause
"""The power goes, at any moment, and comes back.
BOOT_CUTS=20 cuts more often."""
import contextlib
import os
import random
import re
import time

from bootkit import Knocker, line, net, qemu

CUTS = int(os.environ.get("BOOT_CUTS") or 2)


def test_closed_from_power_on(box):
    """A client tries all the time, and another one knocks without waiting;
    box.check() is told by the wire. The box forwards 0.2 s after the kernel has
    begun, which is ten knocks."""
    refused = box.hammer.refused
    box.cut()
    with Knocker() as knocker, box.power() as serial:
        def knocks(until):
            was = knocker.knocks
            until()
            return knocker.knocks - was

        in_loader = knocks(lambda: serial.until(qemu.STOP))
        serial.type(b"\r\x03 s t o p\r\xff\0xx")  # noise stops no start
        waiting = knocks(lambda: serial.until("Starting kernel"))
        in_kernel = knocks(lambda: serial.until("Press Enter"))
    box.works()
    assert waiting >= 25 and in_kernel >= 25, (in_loader, waiting, in_kernel)
    end = time.monotonic() + line.PATIENCE
    while box.hammer.refused == refused:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_while_a_commit_is_on_its_way(box):
    rnd = random.Random(os.environ.get("BOOT_SEED"))
    kept = None
    for n in range(CUTS):
        with net.Cli() as console:
            for command in ("configure", f"hostname sure-{n}", "commit"):
                console(command)
            kept = f"sure-{n}"
            console(f"hostname perhaps-{n}")
            console.line.type("commit\r")
            time.sleep(rnd.uniform(0, 0.5))
            box.cut()
        box.again()
        name = re.search(r"hostname (\S+)", box.cli(
            "show running-config")).group(1)
        assert name in (kept, f"perhaps-{n}")
        box.enforces()


def test_while_an_image_is_written(box, images):
    """Whenever it is: what starts is whole, and knows what it has to protect."""
    rnd = random.Random(os.environ.get("BOOT_SEED"))
    file = images.signed("cut", version="0.9.0")
    began = time.monotonic()
    box.upgrade(file)
    took = time.monotonic() - began
    for _ in range(CUTS):
        with box.fetched(file) as command, net.Cli() as console:
            console.line.type(f"{command} downgrade\r")
            with contextlib.suppress(line.LineError):
                console.line.until("is in slot", timeout=rnd.uniform(0.3, 1) *
                                   took)
            box.cut()
        box.again()
        box.enforces()
