# SPDX-License-Identifier: BSD-2-Clause
"""A witness for tests of the console: its self-test ends as the test wants, and
what it captures is what the test says."""
import os
import struct
import threading

from fake_boss import OK, memfd, receive, send


class Witness:
    """Answers at once, unless told to wait (slow)."""

    def __init__(self, sock):
        self.sock = sock
        self.asked = 0
        self.error = OK
        self.captures = []  # (ports, host, bytes) that were asked for
        self.file = b"no file"
        self.slow = threading.Event()
        self.slow.set()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                m = receive(self.sock, 3600)
                if not m:
                    return
                if m[0] == "CAPTURE":
                    self.capture(m[1])
                    continue
                if m[0] == "WATCH":
                    os.close(m[2][0])
                    continue
                self.asked += 1
                self.slow.wait()
                send(self.sock, "VERIFIED", struct.pack("<i", self.error))
            except (OSError, ValueError):
                return

    def capture(self, body):
        ports, host, _, number = struct.unpack("<I16sHQ", body)
        self.captures.append((ports, host, number))
        fd = memfd(self.file if number == 2 ** 64 - 1 else b"")
        send(self.sock, "CAPTURED", struct.pack("<i", OK), [fd])
        os.close(fd)
