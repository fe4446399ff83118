# SPDX-License-Identifier: BSD-2-Clause
"""A board with its neighbours, with power and without."""
import contextlib
import struct
import subprocess
import time
import zlib

from buildlib import fdt
from bootimages import Images
from lablib import ca, capture, line, net, qemu
from mailkit import Client, transact
from neighbours import CANARY, PLAIN, DyingTftp, Hammer, Knocker

MANAGED = "10.78.0.2"  # the box, on the management network
SERVER = "10.78.0.1"   # where it fetches from
CONFIG = f"""\
default may
domain enc.example encrypt
domain clr.example clear
management address {MANAGED}/24
syslog {SERVER}
"""
UPGRADED = ("slot-a", "slot-b", "env-a", "env-b")  # what an upgrade may write
# What the boot loader wants when it has nothing to start.
ASKS = (r"Wanted: sealwire-[a-z0-9-]+\.itb from TFTP server 192\.168\.1\.254, "
        r"this is 192\.168\.1\.\d+")
__all__ = ["ASKS", "CANARY", "CONFIG", "MANAGED", "PLAIN", "SERVER", "Board",
           "DyingTftp", "Images", "Knocker", "fdt", "line", "net", "prompt", "qemu"]


def prompt(serial, command):
    """What the boot loader says to a command."""
    serial.forget()
    serial.type(command + "\r")
    serial.until(r"\r\n")
    _, m = serial.until(rf"(?s)(.*){qemu.LOADER}")
    return m.group(1).decode(errors="replace")


class Board:
    """One board in its lab, with power and without."""

    def __init__(self, folder, images):
        self.folder, self.images = folder, images
        self.hammer = self.eye = self.tftpd = None
        self.up = False            # it works, with our configuration
        self.authority = ca.Authority("boot")
        net.down(None)
        net.LAB.mkdir(parents=True, exist_ok=True)
        (net.LAB / "box.log").write_text("")
        try:
            net.build(net.Choices())
            self.machine = qemu.Machine(net.LAB, net.OUT / "images",
                                        net.SPACES, net.BOARD)
        except BaseException:
            net.down(None)
            raise
        self.tftp = qemu.Tftp(self.machine, folder / "tftp")
        self.dtb = fdt.parse(fdt.parse(images.fit)["images"]["fdt"].props[
            "data"])

    def down(self):
        if self.hammer:
            self.hammer.stop()
        if self.eye:
            self.eye.process.terminate()
            self.eye.process.communicate()
        self.tftp.stop()
        self.machine.off()
        net.down(None)

    # --- flash ------------------------------------------------------------------
    def blank(self):
        """Power off, and nothing in it but the boot loader."""
        self.unprotected()
        self.machine.off()
        self.machine.blank()

    def part(self, *labels):
        """What is in these partitions."""
        at = {p.label: p for p in fdt.partitions(self.dtb)}
        with open(self.machine.flash, "rb") as f:
            found = []
            for label in labels:
                f.seek(at[label].at - qemu.BANK)
                found.append(f.read(at[label].size))
        return found

    def write(self, label, data):
        """Into flash, with the power off."""
        where, = (p.at - qemu.BANK for p in fdt.partitions(self.dtb)
                  if p.label == label)
        with open(self.machine.flash, "r+b") as f:
            f.seek(where)
            f.write(data)

    def images_and_plan(self):
        """A digest of all that an upgrade may write."""
        return [zlib.crc32(p) for p in self.part(*UPGRADED)]

    @contextlib.contextmanager
    def untried(self):
        """What is installed meanwhile, octet for octet in slot b, is never started: it
        would not do well. The slots and the plan are then what they were."""
        was = self.part(*UPGRADED)
        yield
        assert self.part("slot-a") == was[:1]
        self.cut()
        for label, data in zip(UPGRADED, was):
            self.write(label, data)
        self.again()
        assert self.runs("a", "confirmed")

    def write_environment(self, **variables):
        """As somebody who has the flash in hands would, with the power off."""
        data = b"".join(f"{k}={v}\0".encode() for k, v in variables.items())
        data = (data + b"\0").ljust(0x4000 - 5, b"\0")
        raw = struct.pack("<IB", zlib.crc32(data), 1) + data
        self.write("env-a", raw)
        self.write("env-b", b"\xff" * len(raw))

    def turn_a_bit(self, label, at):
        """Of flash that has aged, with the power off."""
        data = bytearray(*self.part(label))
        data[at] ^= 1
        self.write(label, data)

    # --- power and console ---------------------------------------------------------
    def power(self):
        self.up = False
        self.machine.off()
        self.machine.on()
        return self.machine.line()

    def cut(self):
        self.up = False
        self.machine.off()

    def loader(self):
        """With the power on, at the prompt of the boot loader."""
        serial = self.power()
        self.machine.loader(serial)
        return serial

    def cli(self, command):
        return net.cli(command)

    def boots(self, serial):
        """Until the console is there."""
        serial.until("Starting kernel")
        serial.until("Press Enter")

    def until(self, command, says):
        """Until the answer has this in it."""
        end = time.monotonic() + line.PATIENCE
        while says not in (answer := self.cli(command)):
            assert time.monotonic() < end, answer
            time.sleep(1)  # to ask is work, and its clock lags behind

    def works(self):
        """It has come up, and does what it did before."""
        self.until("show status", "; intercepting mail")
        self.up = True

    def quickly(self, serial):
        """It has just got power: until the kernel starts, without the two seconds in
        which the boot loader waits. What that has said."""
        self.machine.loader(serial)
        serial.type("run bootcmd\r")
        _, m = serial.until("(?s)(.*)Starting kernel")
        return m.group(1).decode(errors="replace")

    def again(self):
        """Power off and on, until it works as it did before."""
        with self.power() as serial:
            self.quickly(serial)
            serial.until("Press Enter")
        self.works()

    def install(self):
        """From the flash image of the factory."""
        self.unprotected()
        self.machine.off()
        self.machine.factory()
        with self.power() as serial:
            self.boots(serial)

    def unprotected(self):
        """It is about to lose its configuration: until it has one again, whatever
        happens, nothing that must not leave is sent through it."""
        self.up = False
        if self.hammer:
            self.hammer.hush()

    def ready(self):
        if not self.up:  # at first, and when a test has failed
            self.install()
            self.configure()
        self.hammer.go()

    def configure(self):
        file = self.folder / "box.conf"
        file.write_text(CONFIG)
        self.cli(f"config load {file}")
        self.works()
        if self.hammer:
            self.hammer.go()
        else:
            self.eye = capture.Capture("net", "eth0",
                                       self.folder / "outside.pcap")
            self.hammer = Hammer()

    def enforces(self):
        """A protected domain is held back, an open one passes in clear."""
        with Client(PLAIN, wait=60) as c:
            c.hello()
            r = transact(c, ["bob@enc.example"], f"{CANARY}\r\n".encode())
            assert r.rcpt and r.rcpt[0] // 100 in (4, 5), (r.rcpt, r.text)
        with Client(PLAIN, wait=60) as c:
            c.hello()
            r = transact(c, ["bob@clr.example"], b"Subject: open\r\n\r\n")
            assert r.final == 250, (r.rcpt, r.final, r.text)

    def check(self):
        """P1, by what was on the wire and by what the server has heard."""
        frames = capture.Frames(self.folder / "outside.pcap")
        assert not frames.contains(CANARY)
        assert not [l for l, _ in self.hammer.mx.heard
                    if b"enc.example" in l]

    # --- images ------------------------------------------------------------------------
    @contextlib.contextmanager
    def fetched(self, file, *options, server=SERVER):
        """A server on the management network that has this file: self.tftpd."""
        with open(self.folder / "tftpd.log", "ab") as log:
            p = self.tftpd = subprocess.Popen(
                ["ip", "netns", "exec", net.SPACES["admin"], "in.tftpd",
                 "--foreground", "--secure", *options, "--address",
                 f"{server}:69", file.parent], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
        try:
            yield f"upgrade tftp {server} {file.name}"
        finally:
            p.terminate()
            p.wait()

    def upgrade(self, file, *words):
        with self.fetched(file) as command:
            return self.cli(" ".join([command, *words]))

    def refuses(self, file, *words):
        """Why; and no flash was written."""
        was = self.images_and_plan()
        with self.fetched(file) as command:
            try:
                answer = self.cli(" ".join([command, *words]))
            except net.LabError as error:
                assert self.images_and_plan() == was
                return str(error)
        raise AssertionError(f"it was taken: {answer}")

    def runs(self, slot, *words):
        """This slot, and this is said of it."""
        shown = self.cli("show image")
        row, = (l for l in shown.splitlines() if l.startswith("running"))
        return f"slot {slot}" in row and all(w in row for w in words)

    def restarts(self):
        """By the console's word, until it works as it did before."""
        with self.reload() as serial:
            self.boots(serial)
        self.works()

    def reload(self):
        """Restart by the console's word; the line on which it comes up again."""
        serial = self.machine.line()
        self.up = False
        self.agree(serial, "reload")
        return serial

    def agree(self, serial, command):
        """A command that asks back, and yes."""
        line.Console(serial)
        serial.type(command + "\r")
        serial.until("yes or no")
        serial.type("yes\r")

    def nobody_has_it(self):
        """A server for the boot loader, without the file."""
        self.tftp.file.unlink(missing_ok=True)
        self.tftp.serve()
        return self.tftp

    def recovers(self, serial):
        """It asks, again and again, says for what and whom; given it, it starts."""
        for _ in range(2):
            serial.until(ASKS)
            serial.until("File not found")
        self.tftp.file.write_bytes(self.images.octets)
        self.boots(serial)
