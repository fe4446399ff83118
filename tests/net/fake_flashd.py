# SPDX-License-Identifier: BSD-2-Clause
"""A flashd for tests of the console: says what it was asked (firmware/ipc/ipc.h,
enum flash_op), or what the test wants."""
import fcntl
import os
import re
import struct
import threading

from fake_boss import HEADER, OK, contents, memfd, receive, send

FLASH_OPS = re.findall(r"^\tFLASH_OP_(\w+)(?: = 1)?,", HEADER, re.M)
SEALED = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK


class Flashd:
    """Answers at once, unless told to wait (slow)."""

    def __init__(self, sock):
        self.sock = sock
        self.asked = []
        self.answers = {}  # op: (error, text)
        self.slow = threading.Event()
        self.slow.set()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                m = receive(self.sock, 3600)
            except (OSError, ValueError):
                return
            if not m:
                return
            op = FLASH_OPS[struct.unpack("<Q", m[1])[0] - 1]
            sealed = fcntl.fcntl(m[2][0], fcntl.F_GET_SEALS) & SEALED
            self.asked.append((op, contents(m[2][0]), sealed == SEALED))
            self.slow.wait()
            error, text = self.answers.get(op) or (OK, f"{op} done\n")
            fd = memfd(text.encode())
            try:
                send(self.sock, "FLASH_RESULT", struct.pack("<iQ", error, 0),
                     [fd])
            except OSError:
                return
            finally:
                os.close(fd)
