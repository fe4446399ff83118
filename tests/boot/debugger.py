# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's debugger, by the remote protocol of gdb: with it a test does to programs and
kernel of the board what a fault does, from outside, without their help."""
import re
import socket
import struct
import subprocess
import time

from lablib import line

MEMORY = 0x40000000  # where it begins, on QEMU's virt machine
PAGE = 4096
PC, STATE = 32, 33           # registers by gdb's numbers; how wide they are
WIDTH = {PC: 8, STATE: 4}
EL, KERNEL, MASKED = 0xf, 5, 0x80  # bits of STATE: privilege, interrupts off
FOR_EVER = struct.pack("<I", 0x14000000)  # b .


class Debugger:
    """While it is there, processors and clock of the board stand still."""

    def __init__(self, machine):
        self.machine = machine
        path = machine.folder / "gdb.sock"
        path.unlink(missing_ok=True)
        machine.monitor(f"gdbserver unix:{path},server=on,wait=off")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(line.PATIENCE)
        self.sock.connect(str(path))
        self.heard = b""
        # registers have no numbers until it was asked for their names
        assert b"<target" in self.ask("qXfer:features:read:target.xml:0,fff")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """The board goes on from where it was, or was put."""
        assert self.ask("D") == b"OK"
        self.sock.close()
        self.machine.monitor("gdbserver none")

    # --- the protocol -------------------------------------------------------------
    def say(self, text):
        data = text.encode()
        self.sock.sendall(b"$%s#%02x" % (data, sum(data) & 0xff))

    def hear(self):
        while b"#" not in self.heard[:-2]:
            data = self.sock.recv(65536)
            assert data, "the debugger has gone"
            self.heard += data
        packet, self.heard = self.heard.split(b"#", 1)
        self.heard = self.heard[2:]
        self.sock.sendall(b"+")
        return packet.lstrip(b"+").removeprefix(b"$")

    def ask(self, text):
        """Its answer; that the board stands still it may say at any time."""
        self.say(text)
        while (answer := self.hear())[:1] == b"T":
            pass
        return answer

    def do(self, text):
        answer = self.ask(text)
        assert answer == b"OK", (text, answer)

    def run(self, seconds):
        self.say("c")
        time.sleep(seconds)
        self.sock.sendall(b"\x03")
        while self.hear()[:1] != b"T":
            pass

    # --- processors ------------------------------------------------------------------
    def processors(self):
        """Their numbers; one that is chosen is the one that is meant from then on."""
        n = len(self.machine.qmp("query-cpus-fast"))
        for i in range(n):
            self.do(f"Hg{i + 1:x}")
            yield i

    def read(self, register):
        return int.from_bytes(bytes.fromhex(
            self.ask(f"p{register:x}").decode()), "little")

    def write(self, register, value):
        self.do(f"P{register:x}=" +
                value.to_bytes(WIDTH[register], "little").hex())

    def in_kernel(self):
        """A board that has nothing to do waits there: until all of them do."""
        end = time.monotonic() + line.PATIENCE
        while any(self.read(STATE) & EL != KERNEL for _ in self.processors()):
            assert time.monotonic() < end
            self.run(0.05)

    # --- memory ------------------------------------------------------------------------
    def poke(self, at, octets, physical=False):
        """Whether it may be written to or not."""
        self.do(f"Qqemu.PhyMemMode:{physical:d}")
        self.do(f"M{at:x},{len(octets):x}:{octets.hex()}")

    def peek(self, at, n):
        """In physical memory."""
        self.do("Qqemu.PhyMemMode:1")
        return bytes.fromhex(self.ask(f"m{at:x},{n:x}").decode())

    def find(self, octets, offset):
        """Where these are in the memory of the board, at this place of a page."""
        file = self.machine.folder / "memory.bin"
        size = self.machine.qmp("query-memory-size-summary")["base-memory"]
        self.machine.qmp("pmemsave", val=MEMORY, size=size, filename=str(file))
        data, found, at = file.read_bytes(), [], -1
        file.unlink()
        while (at := data.find(octets, at + 1)) >= 0:
            if at % PAGE == offset % PAGE:
                found.append(MEMORY + at)
        return found


def kernel(out, name):
    """Where the kernel of this build has something, in physical memory."""
    load = re.search(r"CONFIG_KERNEL_LOAD=(\S+)", (out / ".config").read_text())
    at = {n: int(a, 16) for a, _, n in map(str.split, (
        out / "linux/System.map").read_text().splitlines())}
    return int(load.group(1), 0) + at[name] - at["_text"]


def code(program, function):
    """(offset in its file, first octets) of a function of a program."""
    table = subprocess.run(["readelf", "-sW", program], check=True, text=True,
                           capture_output=True).stdout
    row, = (l.split() for l in table.splitlines() if l.endswith(f" {function}"))
    at = int(row[1], 16)
    table = subprocess.run(["readelf", "-lW", program], check=True, text=True,
                           capture_output=True).stdout
    for row in map(str.split, table.splitlines()):
        if row[:1] == ["LOAD"]:
            offset, address, size = (int(row[i], 16) for i in (1, 2, 4))
            if address <= at < address + size:
                at += offset - address
                data = program.read_bytes()
                return at, data[at:min(at + 64, (at | PAGE - 1) + 1)]
    raise AssertionError(f"{program}: {function} is in no segment")
