# SPDX-License-Identifier: BSD-2-Clause
"""A serial line, and the dialogues of the boot loader and of the console on it."""
import pathlib
import re
import socket
import time

PASSWORD = "lab password"
PATIENCE = 180.0  # seconds: of a busy PC, on which the board's own time is slow
QUIET = 0.3  # seconds: then it has said what it had to say
# what the line editor writes to move the cursor and to clean up
SEQUENCE = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]|\a")
QUESTION = (rb"(Press Enter to log in\.\r\n|New password: |The same again: |"
            rb"Password: )$")
PROMPT = rb"\r?\n?([A-Za-z0-9.-]+(\([a-z]+\))?# )$"


class LineError(Exception):
    """It did not say what it should have; the text has what it said."""


class Line:
    """QEMU's end of the line as a unix socket, or anything that is one."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(1)
        self.sock.connect(str(path))
        self.heard = b""

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def type(self, text):
        self.sock.settimeout(PATIENCE)
        self.sock.sendall(text.encode(errors="surrogateescape")
                          if isinstance(text, str) else text)

    def more(self, seconds):
        """Hear more; False: nothing came."""
        self.sock.settimeout(max(0.01, seconds))
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            return False
        if not data:
            raise LineError("the line is closed; before that: " + self.last())
        self.heard = SEQUENCE.sub(b"", self.heard + data)
        return True

    def last(self):
        return self.heard[-1500:].decode(errors="replace")

    def until(self, *patterns, timeout=PATIENCE):
        """Wait for one of them; (which, match). What is up to its end is gone."""
        end = time.monotonic() + timeout
        while True:
            for i, p in enumerate(patterns):
                m = re.search(p if isinstance(p, bytes) else p.encode(),
                              self.heard)
                if m:
                    self.heard = self.heard[m.end():]
                    return i, m
            if time.monotonic() >= end:
                raise LineError(f"no {patterns} within {timeout} s; heard: "
                                + self.last())
            self.more(min(1.0, end - time.monotonic()))

    def settle(self, quiet, timeout):
        """Hear until nothing has come for so long, once something has come."""
        end = time.monotonic() + timeout
        came = False
        while (left := end - time.monotonic()) > 0:
            if self.more(min(quiet, left)):
                came = True
            elif came:
                return

    def forget(self, seconds=0.0):
        while self.more(seconds):
            pass
        self.heard = b""


class Console:
    """Logged in at the serial line: commands and answers."""

    def __init__(self, line, password=PASSWORD, timeout=PATIENCE):
        self.line = line
        self.log_in(password, timeout)
        self("terminal monitor off")  # what it logs would be read as an answer
        self("terminal length 0")

    def log_in(self, password, timeout):
        """Only the last question is answered, when the line is quiet, and then
        whatever comes is waited for: to judge a password takes a slow box seconds,
        and a key too many is the answer to the question after it."""
        end = time.monotonic() + timeout
        keys, patience = "\x03\r", 5.0
        while time.monotonic() < end:
            self.line.heard = b""
            self.line.type(keys)
            self.line.settle(QUIET, min(patience, end - time.monotonic()))
            if re.search(PROMPT, self.line.heard):
                return
            if b"wrong password\r" in self.line.heard:
                raise LineError("another password has been set")
            asks = re.search(QUESTION, self.line.heard)
            keys, patience = "\r", timeout if asks else 5.0
            if asks and asks.group().endswith(b": "):
                keys = password + "\r"
        raise LineError("nobody can log in; heard: " + self.line.last())

    def __call__(self, command, timeout=PATIENCE):
        """The answer of a command. LineError: it was refused."""
        self.line.heard = b""
        self.line.type(command + "\r")
        # its echo; what the box has to say by itself may stand in front of it
        self.line.until(re.escape(command) + r"\r\n", timeout=timeout)
        return self.answer(timeout)

    def answer(self, timeout):
        end = time.monotonic() + timeout
        while not (m := re.search(PROMPT, self.line.heard)):
            if time.monotonic() >= end:
                raise LineError("no prompt; heard: " + self.line.last())
            self.line.more(min(1.0, end - time.monotonic()))
        text = self.line.heard[:m.start()].decode(errors="replace")
        self.line.heard = b""
        text = text.replace("\r\n", "\n").strip("\n")
        if re.search(r"^% ", text, re.M):
            raise LineError(text.replace("% ", "", 1))
        return text

    def text(self, command, body, timeout=PATIENCE):
        """A command that a text is pasted for."""
        self.line.heard = b""
        self.line.type(command + "\r")
        self.line.until("ends it", r"\n% [^\r]*", timeout=timeout)
        for one in body.removesuffix("\n").split("\n"):
            self.line.type(one + "\r")
        self.line.type(".\r")
        self.line.until(r"\r\n", timeout=timeout)
        answer = self.answer(timeout)
        # the text as it was typed stands in front of what was said to it
        return answer.rsplit("\n.", 1)[-1].strip("\n") if "\n." in answer \
            else answer

    def load(self, file):
        """A whole configuration, put in force."""
        self.text("load replace", pathlib.Path(file).read_text())
        return self("commit")
