# SPDX-License-Identifier: BSD-2-Clause
"""A terminal of 24 rows and 80 columns, as small as the console needs it: BEL
BS CR LF and CSI C D H J K. Anything else it is sent is an error, and so is a
character in the last column, behind which terminals differ."""
import codecs
import os
import select
import termios
import threading
import time
import tty
import unicodedata

ROWS, COLUMNS = 24, 80


class Screen:
    """Octets become rows."""

    def __init__(self):
        self.rows = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = self.bells = 0
        self.escape = ""
        self.errors = []
        self.scrolled = []  # rows that left at the top
        self.decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def feed(self, data):
        for c in self.decode(data):
            self.character(c)

    def character(self, c):
        if self.escape:
            self.escape += c
            if c.isalpha() or len(self.escape) > 10:
                self.sequence(self.escape[1:])
                self.escape = ""
        elif c == "\x1b":
            self.escape = c
        elif c == "\a":
            self.bells += 1
        elif c == "\b":
            self.column = max(0, self.column - 1)
        elif c == "\r":
            self.column = 0
        elif c == "\n":
            self.line_feed()
        elif c < " " or c == "\x7f":
            self.errors.append(f"control character {ord(c)}")
        else:
            self.printed(c)

    def printed(self, c):
        wide = unicodedata.east_asian_width(c) in "WF"
        if unicodedata.category(c) in ("Mn", "Me", "Cf"):
            self.rows[self.row][max(0, self.column - 1)] += c
            return
        if self.column + wide >= COLUMNS - 1:
            self.errors.append(f"last column: {self.text()[-200:]}")
            self.column = COLUMNS - 3
        self.rows[self.row][self.column] = c
        if wide:
            self.rows[self.row][self.column + 1] = ""
        self.column += 1 + wide

    def line_feed(self):
        if self.row + 1 < ROWS:
            self.row += 1
            return
        self.scrolled.append(self.line(0))
        self.rows = self.rows[1:] + [[" "] * COLUMNS]

    def sequence(self, s):
        n = int(s[1:-1] or 1) if s[1:-1].isdigit() or not s[1:-1] else -1
        if s[0] != "[" or n < 0:
            self.errors.append(f"escape sequence {s!r}")
        elif s[-1] == "C":
            self.column += n
        elif s[-1] == "D":
            self.column -= n
        elif s[-1] == "H":
            self.row = self.column = 0
        elif s[-1] == "K":
            self.rows[self.row][self.column:] = [" "] * (COLUMNS - self.column)
        elif s[-1] == "J":
            self.rows[self.row][self.column:] = [" "] * (COLUMNS - self.column)
            for r in range(self.row + 1, ROWS):
                self.rows[r] = [" "] * COLUMNS
        else:
            self.errors.append(f"escape sequence {s!r}")
        if not 0 <= self.column < COLUMNS:
            self.errors.append(f"column {self.column}")
            self.column = 0

    def line(self, row):
        return "".join(self.rows[row]).rstrip()

    def lines(self):
        return [self.line(r) for r in range(ROWS)]

    def text(self):
        """What can be seen, without the empty rows at the end."""
        return "\n".join(self.lines()).rstrip("\n")

    def all(self):
        """The same, behind what has left at the top."""
        return "\n".join(self.scrolled + self.lines()).rstrip("\n")


class Terminal:
    """A person at the other end of a pty."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self.fd, termios.TCSANOW)
        self.screen = Screen()
        self.changed = threading.Condition()
        self.open = True
        self.received = 0
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def listen(self):
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        while self.open:
            try:
                if not poll.poll(50):
                    continue
                data = os.read(self.fd, 65536)
            except (OSError, ValueError):
                return
            with self.changed:
                self.received += len(data)
                self.screen.feed(data)
                self.changed.notify_all()

    def type(self, keys):
        data = keys.encode() if isinstance(keys, str) else keys
        while data:
            data = data[os.write(self.fd, data):]

    def until(self, what, timeout=4.0):
        """Wait until the screen says so: a text in it, or a question about
        it."""
        test = what if callable(what) else lambda s: what.rstrip(" ") in s.text()
        end = time.monotonic() + timeout
        with self.changed:
            while not test(self.screen):
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"never: {what!r}\n" +
                                         self.screen.text())
                self.changed.wait(min(left, 0.2))
            return self.screen.text()

    def prompt(self, prompt="sealwire# ", timeout=4.0):
        """Wait until the cursor stands behind a prompt without a line."""
        return self.until(
            lambda s: s.line(s.row) == prompt.rstrip() and
            s.column == len(prompt), timeout)

    def quiet(self, seconds=0.3):
        """Wait until nothing has come for so long."""
        last = -1
        while last != self.received:
            last = self.received
            time.sleep(seconds)

    def command(self, line, prompt="sealwire# "):
        """The answer of one command: rows between it and the next prompt."""
        with self.changed:
            before = len(self.screen.scrolled) + self.screen.row
        self.type(line + "\r")
        self.until(lambda s: len(s.scrolled) + s.row > before)
        self.prompt(prompt)
        with self.changed:
            return "\n".join(self.screen.all().split("\n")[before + 1:-1])

    def close(self):
        self.open = False
        self.listener.join()  # or it would read from who gets the number
        os.close(self.fd)
        assert not self.screen.errors, self.screen.errors[:5]
