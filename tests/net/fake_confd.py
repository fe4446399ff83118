# SPDX-License-Identifier: BSD-2-Clause
"""A confd for tests of the console: a candidate of lines, one password, and a
list of all it was asked (firmware/ipc/ipc.h, enum conf_op)."""
import os
import struct
import threading
import time

from fake_boss import (E_CONF, OK, OPS, contents, memfd, receive, send)

E_PEER_SYNTAX, E_PEER_ORDER = -100, -101
NEWEST = 2 ** 64 - 1


class Confd:
    """Answers at once, unless told to wait (slow)."""

    def __init__(self, sock, password=None):
        self.sock = sock
        self.password = password
        self.running = ["default may"]
        self.candidate = list(self.running)
        self.asked = []
        self.slow = threading.Event()
        self.slow.set()
        self.answers = {}  # op: (error, text) instead of its own
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                m = receive(self.sock, 3600)
            except (OSError, ValueError):
                return
            if not m:
                return
            kind, body, fds = m
            text = contents(fds[0])
            op, number = kind, 0
            if kind == "CONF_ASK":
                number, op = struct.unpack("<QB", body)
                op = OPS[op - 1]
            self.asked.append((op, number, text.decode(errors="replace")))
            self.slow.wait()
            error, answer = self.answers.get(op) or self.answer(
                op, number, text.decode(errors="replace"))
            fd = memfd(answer.encode())
            try:
                send(self.sock, "CONF_RESULT",
                     struct.pack("<iQ", error, 7), [fd])
            except OSError:
                return
            finally:
                os.close(fd)

    def edit(self, text):
        new = list(self.candidate)
        for number, line in enumerate(text.splitlines(), 1):
            if "wrong" in line:
                return E_CONF, (f"line {number}, column "
                                f"{line.index('wrong') + 1}: \"wrong\": not "
                                "right\n")
            if line.startswith("no "):
                new = [l for l in new if not l.startswith(line[3:])]
            else:
                new.append(line)
        self.candidate = new
        return OK, ""

    def answer(self, op, number, text):
        if op == "EDIT":
            return self.edit(text)
        if op == "REPLACE":
            self.candidate = text.splitlines()
        elif op == "RUNNING":
            return OK, "".join(l + "\n" for l in self.running)
        elif op == "CANDIDATE":
            return OK, "".join(l + "\n" for l in self.candidate)
        elif op == "COMPARE":
            return OK, "".join("+ " + l + "\n" for l in self.candidate
                               if l not in self.running)
        elif op == "COMMIT":
            self.running = list(self.candidate)
        elif op == "DISCARD":
            self.candidate = list(self.running)
        elif op == "HISTORY":
            return OK, "0 2026-01-01T00:00:00Z\n"
        elif op == "DOMAIN":
            return OK, f"{text}: default may\n"
        elif op == "LOGIN":
            if self.password is None:
                return E_PEER_ORDER, ""
            return (OK if text == self.password else E_PEER_SYNTAX), ""
        elif op == "PASSWORD":
            self.password = text
        elif op == "SECURITY":
            return OK, "secrets: sealed\n"
        elif op == "FACTORY":
            self.candidate = self.running = ["default may"]
        return OK, ""

    def ops(self):
        return [a[0] for a in self.asked]

    def wait_for(self, op, timeout=30.0):
        end = time.monotonic() + timeout
        while op not in self.ops():
            assert time.monotonic() < end, self.asked[-10:]
            time.sleep(0.01)
