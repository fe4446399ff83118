# SPDX-License-Identifier: BSD-2-Clause
"""The power goes, at any moment, and comes back."""
import time

from bootkit import Knocker, line, net, qemu
import cuts

ROUNDS = 4  # each goes on from the flash that the last cut of the one before left


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


def about_to_commit(box, n, folder):
    with net.Cli() as console:
        for command in ("configure", f"hostname sure-{n}", "commit",
                        f"hostname perhaps-{n}"):
            console(command)
        return cuts.Frozen(box, folder)


def commit(box, frozen):
    """(line, when the first write came)"""
    serial = frozen.thaw()
    was = cuts.written(box)
    serial.type("commit\r")
    return serial, cuts.until_written(box, serial, was)


def test_while_a_commit_is_on_its_way(box, tmp_path):
    """What was confirmed is there; else the one before, or the new one."""
    rnd, left = cuts.chance(), cuts.cuts(20)
    box.hammer.hush()
    with cuts.Log() as log:
        for n in range(ROUNDS):
            frozen = about_to_commit(box, n, tmp_path)
            serial, began = commit(box, frozen)
            with serial:
                serial.until("# $")
            took = (cuts.written(box) - began) / 1e9
            for _ in range(-(-left // (ROUNDS - n))):
                left -= 1
                serial, _ = commit(box, frozen)
                with serial:
                    said = cuts.cut_in(box, serial, rnd.uniform(0, 1.2) * took)
                name = cuts.comes_back(box, log)
                assert name == f"perhaps-{n}" or (
                    name == f"sure-{n}" and not said.endswith(b"# ")), said
    box.works()
    box.hammer.go()
    box.enforces()
