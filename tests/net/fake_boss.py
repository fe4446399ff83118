# SPDX-License-Identifier: BSD-2-Clause
"""A boss for tests of single programs: starts one, hands it descriptors, and
speaks for all the others (firmware/ipc/ipc.h says what there is to say)."""
import fcntl
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = pathlib.Path(os.environ.get("O") or ROOT / "output/host").absolute()

BOSS, WIRE, RELAY, CONFD, CONSOLE, KEYS, FLASHD, WITNESS = range(8)
NAMES = ["boss", "wire", "relay", "confd", "console", "keys", "flashd",
         "witness"]
HEADER = (ROOT / "firmware/ipc/ipc.h").read_text()
# in the order of enum ipc_type and enum conf_op
TYPES = re.findall(r"^\tIPC_(\w+)(?: = 1)?,", HEADER.split(
    "enum ipc_type {")[1].split("IPC_TYPES")[0], re.M)
OPS = re.findall(r"^\tCONF_OP_(\w+)(?: = 1)?,", HEADER, re.M)
TYPE = {name: i + 1 for i, name in enumerate(TYPES)}
OK, E_PEER_TIME, E_FULL, E_CORRUPT, E_AGAIN, E_CONF = \
    0, -107, -200, -301, -302, -400


def memfd(data, seal=False):
    fd = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    if seal:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS,
                    fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return fd


def stats_fd():
    fd = os.memfd_create("stats", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 16 << 20)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS,
                fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return fd


def contents(fd):
    size = os.fstat(fd).st_size
    data = os.pread(fd, size, 0)
    os.close(fd)
    return data


def pair():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(sock, kind, body=b"", fds=()):
    socket.send_fds(sock, [bytes([TYPE[kind]]) + body], list(fds))


def receive(sock, timeout=30.0):
    """(kind, body, fds); None when nothing came in time or the end."""
    poll = select.poll()  # select knows no descriptor above 1023
    poll.register(sock, select.POLLIN)
    if not poll.poll(timeout * 1000):
        return None
    data, fds, _, _ = socket.recv_fds(sock, 8192, 8)
    if not data:
        return None
    return TYPES[data[0] - 1], data[1:], fds


def answered(console, timeout=30.0, boxes=None):
    """As receive, of a console: what comes unasked (BOX) is put aside."""
    while (m := receive(console, timeout)) and m[0] == "BOX":
        text = contents(m[2][0]).decode()
        if boxes is not None:
            boxes.append((struct.unpack("<Q", m[1])[0], *text.split("\n")))
    return m


class Program:
    """One program and its end of the control socket. INTERCEPT is answered at
    once unless intercept_error is set, RELOAD, CLOCK_SET and FETCH unless
    done_answers is not; everything else is for the test."""

    def __init__(self, role, given, index=0, build="bin-san", stats=None):
        where = OUT / build
        self.role = role
        self.messages = []
        self.stopped = False
        self.intercept_error = OK
        self.intercept_answers = True
        self.done_answers = True
        self.fetched = (OK, b"an image")
        self.stats = stats_fd() if stats is None else stats
        self.sock, theirs = pair()
        fd = theirs.fileno()

        def only_three():
            os.dup2(fd, 3)
            os.set_inheritable(3, True)

        self.errors = open(os.memfd_create("stderr"), "r+b")
        self.process = subprocess.Popen(
            [where / NAMES[role], str(index)], stdin=subprocess.DEVNULL,
            stderr=self.errors, preexec_fn=only_three, pass_fds=(3,),
            env={"ASAN_OPTIONS": "detect_leaks=0"})
        theirs.close()
        send(self.sock, "STATS", fds=[self.stats])
        for kind, body, fds in given:
            send(self.sock, kind, body, fds)
        send(self.sock, "GO")
        self.changed = threading.Condition()
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()
        self.wait_for("READY", 20)

    def listen(self):
        while True:
            try:
                m = receive(self.sock, 3600)
            except (OSError, ValueError):
                m = None  # the test has closed it
            if not m:
                return
            if m[0] == "ALIVE":
                continue
            if m[0] == "INTERCEPT" and self.intercept_answers:
                try:
                    send(self.sock, "INTERCEPTED",
                         struct.pack("<i", self.intercept_error) + m[1])
                except OSError:
                    return
            if m[0] in ("RELOAD", "CLOCK_SET") and self.done_answers:
                try:
                    send(self.sock, "DONE", struct.pack("<i", OK))
                except OSError:
                    return
            if m[0] in ("FETCH", "SEND") and self.done_answers:
                fd = memfd(self.fetched[1])
                try:
                    send(self.sock, "FETCHED",
                         struct.pack("<i", self.fetched[0]), [fd])
                except OSError:
                    return
                finally:
                    os.close(fd)
            with self.changed:
                self.messages.append(m)
                self.changed.notify_all()

    def wait_for(self, kind, timeout=30.0):
        """Take the first message of that kind."""
        end = time.monotonic() + timeout
        with self.changed:
            while True:
                for i, m in enumerate(self.messages):
                    if m[0] == kind:
                        return self.messages.pop(i)
                left = end - time.monotonic()
                if left <= 0 or self.process.poll() is not None:
                    raise AssertionError(
                        f"no {kind}; status {self.process.poll()}; "
                        f"{self.stderr()}")
                self.changed.wait(min(left, 0.1))

    def join(self, role, index=0):
        """Another program appears; the test speaks for it."""
        ours, theirs = pair()
        send(self.sock, "PEER", struct.pack("<BI", role, index),
             [theirs.fileno()])
        theirs.close()
        return ours

    def stderr(self):
        if self.errors.closed:
            return self.last_words
        fd = self.errors.fileno()  # not moved, the program writes where it is
        return os.pread(fd, os.fstat(fd).st_size, 0).decode(errors="replace")

    def alive(self):
        return self.stopped or self.process.poll() is None

    def stop(self):
        if self.stopped:
            return
        self.stopped = True
        self.process.kill()
        self.process.wait()
        # Before its number is free: the listener would wait for whatever is
        # opened next under it, and keep that open.
        self.sock.shutdown(socket.SHUT_RDWR)
        self.listener.join()
        self.sock.close()
        for fd in sum((list(m[2]) for m in self.messages), []):
            os.close(fd)
        self.last_words = self.stderr()
        self.errors.close()
        os.close(self.stats)
