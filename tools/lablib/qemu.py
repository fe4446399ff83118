# SPDX-License-Identifier: BSD-2-Clause
"""A board that QEMU plays: flash in two files, ports on taps that are the
interfaces of the lab, a serial line, and a plug that can be pulled.

    boot.bin   bank 0: U-Boot, as it comes from the factory; never written
    flash.bin  bank 1: environment, configuration, slots
    box.log    all that was ever said on the serial line
"""
import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import time

from . import line

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BANK = 64 << 20
TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454ca, 2, 0x1000, 0x4000
CLONE_NEWNET = 0x40000000
PORTS = (("mail", "02:77:00:00:00:a1"), ("net", "02:77:00:00:00:a2"),
         ("admin", "02:77:00:00:00:a3"))
TFTP_SERVER, TFTP_CLIENT = "192.168.1.254", "192.168.1.1"
STOP = 'Type stop within'
LOADER = "sealwire=> "


class QemuError(Exception):
    """It did not do what it should; the text says what."""


def tap(space, name):
    """The descriptor of an interface that "ip tuntap add" has made there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net", "rb") as ours, \
            open(f"/run/netns/{space}", "rb") as theirs:
        if libc.setns(theirs.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), space)
        try:
            fd = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(fd, TUNSETIFF, struct.pack(
                "16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        finally:
            if libc.setns(ours.fileno(), CLONE_NEWNET):
                os._exit(1)  # in the wrong namespace nothing is right
    return fd


class Machine:
    """One board. spaces: namespaces by the short names of the lab; box is where
    QEMU itself runs."""

    def __init__(self, folder, images, spaces, board="qemu-arm64"):
        self.folder, self.images, self.spaces = folder, images, spaces
        self.board = board
        self.boot, self.flash = folder / "boot.bin", folder / "flash.bin"
        self.log = folder / "box.log"
        self.process = self.control = None

    # --- flash -----------------------------------------------------------------
    def fill(self, boot, flash):
        """With the power off; the rest of each bank is erased."""
        for file, data in ((self.boot, boot), (self.flash, flash)):
            with open(file, "wb") as f:
                f.write(data)
                while f.tell() < BANK:
                    f.write(b"\xff" * min(1 << 20, BANK - f.tell()))

    def blank(self):
        """U-Boot, and nothing else."""
        self.fill((self.images / "u-boot.bin").read_bytes(), b"")

    def factory(self):
        """As a programmer writes it: U-Boot, and the image in slot a."""
        data = self.built("-factory.bin").read_bytes()
        self.fill(data[:BANK], data[BANK:])

    def built(self, end):
        """A file of this build, by the end of its name."""
        found = sorted(self.images.glob(f"*-{self.board}{end}"))
        if not found:
            raise QemuError(f"{self.images}: no image; make BOARD={self.board}")
        return found[-1]

    def image(self):
        """The signed image of this build."""
        return self.built(".itb")

    # --- power -----------------------------------------------------------------
    def options(self):
        """What the machine is: board/NAME/qemu."""
        lines = (ROOT / "board" / self.board / "qemu").read_text().splitlines()
        return [w for l in lines if not l.startswith("#") for w in l.split()]

    def on(self, *more):
        """With more options of QEMU."""
        fds = [tap(self.spaces[s], "eth0") for s, _ in PORTS]
        cmd = ["ip", "netns", "exec", self.spaces["box"],
               "qemu-system-aarch64", *self.options(), "-nodefaults",
               "-display", "none", "-action", "watchdog=reset", "-drive",
               f"if=pflash,format=raw,readonly=on,file={self.boot}",
               "-drive", f"if=pflash,format=raw,file={self.flash}",
               "-chardev", f"socket,id=line,path={self.folder}/line.sock,"
               f"server=on,wait=off,logfile={self.log},logappend=on",
               "-serial", "chardev:line",
               "-qmp", f"unix:{self.folder}/qmp.sock,server=on,wait=off", *more]
        for i, (fd, (_, mac)) in enumerate(zip(fds, PORTS)):
            cmd += ["-netdev", f"tap,id=port{i},fd={fd},vhost=off", "-device",
                    f"virtio-net-device,netdev=port{i},mac={mac},"
                    f"bus=virtio-mmio-bus.{i}"]
        for name in ("line.sock", "qmp.sock"):
            (self.folder / name).unlink(missing_ok=True)
        self.errors = open(self.folder / "qemu.log", "ab")
        try:
            self.process = subprocess.Popen(
                cmd, stdin=subprocess.DEVNULL, stdout=self.errors,
                stderr=self.errors, pass_fds=fds, start_new_session=True)
        finally:
            for fd in fds:
                os.close(fd)
        (self.folder / "qemu.pid").write_text(str(self.process.pid))
        end = time.monotonic() + 10
        while not all((self.folder / name).exists()
                      for name in ("line.sock", "qmp.sock")):
            if self.process.poll() is not None or time.monotonic() > end:
                raise QemuError("QEMU did not start: " + (
                    self.folder / "qemu.log").read_text()[-500:])
            time.sleep(0.02)

    def off(self):
        """The plug is pulled."""
        if self.control:
            self.control.close()
            self.control = None
        pid = self.pid()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process:
            self.process.wait()
            self.process = None
        (self.folder / "qemu.pid").unlink(missing_ok=True)

    def pid(self):
        try:
            return int((self.folder / "qemu.pid").read_text())
        except (OSError, ValueError):
            return 0

    def qmp(self, command, **arguments):
        """Over one connection as long as the machine is on: QEMU can lose what a
        client asks that comes just when another one has gone."""
        if not self.control:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(line.PATIENCE)
            sock.connect(str(self.folder / "qmp.sock"))
            self.control = sock.makefile("rw")
            sock.close()  # the file keeps it
            self.control.readline()
            self.ask("qmp_capabilities", {})
        return self.ask(command, arguments)

    def ask(self, command, arguments):
        self.control.write(json.dumps({"execute": command,
                                       "arguments": arguments}) + "\n")
        self.control.flush()
        while "event" in (answer := json.loads(self.control.readline())):
            pass
        if "error" in answer:
            raise QemuError(str(answer["error"]))
        return answer["return"]

    def monitor(self, command):
        """What QEMU answers to a command of its monitor for people."""
        return self.qmp("human-monitor-command", **{"command-line": command})

    # --- the line ----------------------------------------------------------------
    def line(self):
        """Who has it must hear it: with a few hundred octets that nobody takes, all of
        QEMU stands still, qmp() too. With nobody there they go nowhere."""
        return line.Line(self.folder / "line.sock")

    def loader(self, serial):
        """Stop U-Boot, which is about to start or has just started."""
        serial.until(STOP)
        serial.type("stop")
        serial.until(LOADER)

    def wait(self):
        """Until somebody could log in."""
        with self.line() as serial:
            serial.until("Press Enter")


# --- TFTP ------------------------------------------------------------------------
class Tftp:
    """A server at the inside port, as on the PC of somebody who flashes."""

    def __init__(self, machine, folder):
        self.space = machine.spaces["mail"]
        self.folder, self.process = folder, None
        self.file = folder / f"sealwire-{machine.board}.itb"
        folder.mkdir(parents=True, exist_ok=True)

    def serve(self, image=None):
        if image:
            shutil.copy(image, self.file)
        ip = ["ip", "-n", self.space, "addr"]
        subprocess.run([*ip, "replace", f"{TFTP_SERVER}/24", "dev", "eth0"],
                       check=True)
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", self.space, "in.tftpd", "--foreground",
             "--secure", "--address", f"{TFTP_SERVER}:69", self.folder],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)

    def stop(self):
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
        subprocess.run(["ip", "-n", self.space, "addr", "del",
                        f"{TFTP_SERVER}/24", "dev", "eth0"], check=False,
                       capture_output=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def install(machine, folder):
    """From blank flash to a running box, as on hardware. The line is left at the
    first prompt of the console."""
    machine.blank()
    with Tftp(machine, folder) as tftp:
        tftp.serve(machine.image())
        machine.on()
        with machine.line() as serial:
            machine.loader(serial)
            serial.type("run flash_tftp\r")
            serial.until("Starting kernel")
            serial.until("Press Enter")
