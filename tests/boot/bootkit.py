# SPDX-License-Identifier: BSD-2-Clause
"""A board with its neighbours, and images that it must not take."""
import contextlib
import re
import socket
import struct
import subprocess
import threading
import time
import zlib

from buildlib import cpio, fdt, fit
from buildlib.sources import ROOT
from lablib import ca, capture, line, net, qemu
from mailkit import Client, Gone, Mx, socket_in, transact

TRAILER = 1024
MANAGED = "10.78.0.2"  # the box, on the management network
SERVER = "10.78.0.1"   # where it fetches from
CANARY = "canary-4c1d90aa7e"
PLAIN = "198.51.100.66"
CONFIG = f"""\
default may
domain enc.example encrypt
domain clr.example clear
management address {MANAGED}/24
syslog {SERVER}
"""


# --- images -------------------------------------------------------------------------
class Images:
    """The image of this build, and what others might make of it. key: the
    development key of this tree, with which the test is the owner, too."""

    def __init__(self, board, out, folder):
        self.board, self.out, self.folder = board, out, folder
        folder.chmod(0o755)  # the server reads it, who is nobody
        self.key = ROOT / "output/development-key-do-not-ship.pem"
        self.other_key = folder / "other.pem"
        subprocess.run(["openssl", "genrsa", "-out", self.other_key, "3072"],
                       check=True, capture_output=True)
        self.good, = (f for f in (out / "images").glob(f"*-{board}.itb"))
        self.octets = self.good.read_bytes()
        self.fit = self.octets[:-TRAILER]

    def file(self, name, octets):
        path = self.folder / name
        path.write_bytes(octets)
        return path

    def signed(self, name, octets=None, version="0.1.0", board=None, key=None):
        """A FIT with a trailer; it is that of the build if none is given."""
        plain = self.file("plain", self.fit if octets is None else octets)
        to = self.folder / name
        subprocess.run([ROOT / "tools/sign-image", "--key", key or self.key,
                        "--board", board or self.board, "--version", version,
                        plain, to], check=True)
        return to

    def changed(self, at, octets=None):
        """The same with one bit turned."""
        data = bytearray(self.octets if octets is None else octets)
        data[at] ^= 1
        return bytes(data)

    def within(self, name):
        """Where the octets of a part of the FIT are."""
        part = fdt.parse(self.fit)["images"][name].props["data"]
        return self.fit.index(part) + len(part) // 2

    def build(self, parts, name):
        """A FIT of these parts, signed with the key of this tree."""
        work = self.folder / name
        work.mkdir()
        files = {}
        for n, data in parts.items():
            files[n] = work / n
            files[n].write_bytes(data)
        load = re.search(r"CONFIG_KERNEL_LOAD=(\S+)",
                         (self.out / ".config").read_text()).group(1)
        to = work / "fit"
        tools = self.out / "uboot/tools"
        fit.make(tools, {"version": name, "board": self.board, "arch": "arm64",
                         "load": int(load, 0), "hint": "development"},
                 files, to)
        with fit.Key(self.key, "development") as key:
            key.sign(tools, to)
        return to.read_bytes()

    def broken(self):
        """An image as it should be, signed, that starts and does not get well:
        there is no boss in it."""
        tree = fdt.parse(self.fit)["images"]
        rows = []
        root = subprocess.run(["zstd", "-dc"], input=tree["ramdisk"].props[
            "data"], check=True, stdout=subprocess.PIPE).stdout
        for path, mode, data, rdev in members(root):
            if not path.endswith("/boss"):
                rows.append((mode & 0o170000, path, mode & 0o7777, data, rdev))
        return self.build({"kernel": tree["kernel"].props["data"],
                           "dtb": tree["fdt"].props["data"],
                           "ramdisk": fit.zstd(cpio.archive(rows, 0))},
                          "broken")


def members(archive):
    """(path, mode, data, (major, minor)) of a newc archive."""
    at = 0
    while True:
        head = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16)
                for i in range(13)]
        name = archive[at + 110:at + 109 + head[11]].decode()
        data = (at + 110 + head[11] + 3) & ~3
        if name == "TRAILER!!!":
            return
        yield "/" + name, head[1], archive[data:data + head[6]], \
            (head[9], head[10])
        at = (data + head[6] + 3) & ~3


# --- a server that dies --------------------------------------------------------------
class DyingTftp:
    """Answers one request as RFC 1350 says, up to that block, and is gone."""

    def __init__(self, space, address, octets, blocks):
        self.octets, self.blocks = octets, blocks
        self.sock = socket_in(space, socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, 69))
        self.sock.settimeout(0.2)
        self.asked = self.gone = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        block = 0
        while not self.gone:
            try:
                data, peer = self.sock.recvfrom(2048)
            except TimeoutError:
                continue
            if data[:2] == b"\0\1":
                self.asked, block = True, 0
            elif data[:2] == b"\0\4":
                block, = struct.unpack("!H", data[2:4])
            if block < self.blocks:
                part = self.octets[512 * block:512 * block + 512]
                self.sock.sendto(struct.pack("!HH", 3, block + 1) + part, peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gone = True
        self.thread.join()
        self.sock.close()


# --- a client that does not give up ---------------------------------------------------
class Hammer:
    """Tries to send mail for a protected domain to a server without TLS, all the
    time, whatever state the box is in."""

    def __init__(self):
        self.mx = Mx(PLAIN)
        self.tries = self.refused = 0
        self.gone = self.silent = False
        self.turn = threading.Lock()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.gone:
            with self.turn:
                if not self.silent:
                    self.attempt()
            time.sleep(0.1)

    def hush(self):
        """From now on it says nothing, until go()."""
        with self.turn:
            self.silent = True

    def go(self):
        self.silent = False

    def attempt(self):
        self.tries += 1
        with contextlib.suppress(OSError, Gone, ValueError, AssertionError), \
                Client(PLAIN, wait=2) as c:
            c.hello()
            c.cmd(f"MAIL FROM:<{CANARY}@corp.example>")
            code, _ = c.cmd(f"RCPT TO:<{CANARY}@enc.example>")
            if code // 100 == 2 and c.cmd("DATA")[0] == 354:
                c.say(f"{CANARY}\r\n.\r\n".encode())
                c.reply()
            self.refused += code // 100 in (4, 5)

    def stop(self):
        self.gone = True
        self.thread.join(10)
        self.mx.close()


# --- the board ------------------------------------------------------------------------
class Board:
    """One board in its lab, with power and without."""

    def __init__(self, folder, images):
        self.folder, self.images = folder, images
        self.hammer = self.eye = None
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
        return [zlib.crc32(p) for p in self.part("slot-a", "slot-b", "env-a",
                                                 "env-b")]

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

    def again(self):
        """Power off and on, until it works as it did before."""
        with self.power() as serial:
            self.boots(serial)
        self.works()

    def install(self):
        """From blank flash, as on hardware."""
        self.unprotected()
        self.machine.off()
        qemu.install(self.machine, self.folder / "tftp")

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
    def fetched(self, file, *options):
        """A server on the management network that has this file."""
        with open(self.folder / "tftpd.log", "ab") as log:
            p = subprocess.Popen(
                ["ip", "netns", "exec", net.SPACES["admin"], "in.tftpd",
                 "--foreground", "--secure", *options, "--address",
                 f"{SERVER}:69", file.parent], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield f"upgrade tftp {SERVER} {file.name}"
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
        line.Console(serial)
        self.up = False
        serial.type("reload\r")
        serial.until("yes or no")
        serial.type("yes\r")
        return serial
