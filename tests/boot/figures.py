#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Figures of a board that QEMU plays, in its own time: how long from the start of
the kernel until it forwards, and what memory is left while so many sessions in TLS
are open. Run as root:  tests/boot/figures.py [SESSIONS]"""
import contextlib
import pathlib
import re
import sys
import tempfile

import conftest  # noqa: F401  where things are
from bootkit import CANARY, Board, Images, net
from mailkit import Client, Mx, server_tls

SERVER = "198.51.100.67"


def memory(board):
    """MiB that programs could still get."""
    return int(re.search(r"memory (\d+) MiB free",
                         board.cli("show status")).group(1))


def session(stack):
    """One that has reached RCPT, in TLS outside, and stays."""
    c = stack.enter_context(Client(SERVER, wait=60))
    c.hello()
    c.cmd(f"MAIL FROM:<{CANARY}@corp.example>")
    return c.cmd("RCPT TO:<bob@enc.example>")[0] == 250


def figures(board, sessions):
    board.install()
    board.configure()
    board.hammer.hush()
    ms = re.search(r"event=forwarding after-ms=(\d+)",
                   board.cli("show log")).group(1)
    print(f"from kernel start to forwarding: {int(ms) / 1000:.1f} s")
    print(f"memory free without sessions: {memory(board)} MiB")
    mx = Mx(SERVER, tls=server_tls(board.authority, "mx.enc.example"))
    try:
        with contextlib.ExitStack() as stack:
            there = sum(session(stack) for _ in range(sessions))
            print(f"memory free with {there} of {sessions} sessions in TLS: "
                  f"{memory(board)} MiB")
    finally:
        mx.close()
    print(*(l for l in board.cli("show status").splitlines()
            if l.startswith("restarts")))


def main():
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "images").mkdir()
        board = Board(folder, Images(net.BOARD, net.OUT, folder / "images"))
        try:
            figures(board, sessions)
        finally:
            board.down()


if __name__ == "__main__":
    main()
