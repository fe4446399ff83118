# SPDX-License-Identifier: BSD-2-Clause
"""Take an image apart: FIT, root file system, programs."""
import os
import stat
import struct
import subprocess

from buildlib import fdt, loader

TRAILER = 1024


def environment():
    """Ours, without what the make that runs the tests has set."""
    own = ("BOARD", "O", "VERSION", "KCONFIG", "MAKE", "MFLAGS", "SOURCE_DATE",
           "CC")
    return {k: v for k, v in os.environ.items() if not k.startswith(own)}


def unpack(cpio):
    """{path: (mode, octets)} of a newc archive."""
    found, at = {}, 0
    while True:
        head = [int(cpio[at + 6 + 8 * i:at + 14 + 8 * i], 16)
                for i in range(13)]
        mode, size, name_n = head[1], head[6], head[11]
        name = cpio[at + 110:at + 109 + name_n].decode()
        data = (at + 110 + name_n + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found["/" + name] = (mode, cpio[data:data + size])
        at = (data + size + 3) & ~3


def outside(fit, name):
    """What an image of this FIT is, where the FIT has the octets behind itself."""
    size, = struct.unpack_from(">I", fit, 4)
    props = fdt.parse(fit)["images"][name]
    at, = props.cells("data-offset")
    n, = props.cells("data-size")
    at += (size + 3) & ~3
    return fit[at:at + n]


class Image:
    def __init__(self, board, out):
        self.board, self.out, self.dir = board, out, out / "images"
        plain, = self.dir.glob("*-unsigned.itb")
        self.unsigned = plain
        self.name = plain.name.removesuffix("-unsigned.itb")
        self.itb = self.dir / f"{self.name}.itb"
        self.fit = fdt.parse(self.itb.read_bytes()[:-TRAILER])

    def part(self, name):
        return self.fit["images"][name].props["data"]

    def root(self):
        return unpack(subprocess.run(["zstd", "-dc"], check=True,
                                     input=self.part("ramdisk"),
                                     stdout=subprocess.PIPE).stdout)

    def files(self):
        return {p: d for p, (m, d) in self.root().items() if stat.S_ISREG(m)}

    def control(self):
        """U-Boot's own device tree, which has the public key."""
        rom, uboot = loader.facts(self.board), (
            self.dir / "u-boot.bin").read_bytes()
        if rom:
            return outside(uboot[int(rom["fit"][0], 0):], "fdt")
        size = (self.out / "uboot/u-boot-nodtb.bin").stat().st_size
        return uboot[size:]

    def options(self, what):
        lines = (self.out / what / "config").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines
                    if line.startswith("CONFIG_"))


def elf(data):
    """(type, program header types, section names) of a 64-bit ELF file."""
    kind, = struct.unpack_from("<H", data, 16)
    phoff, shoff = struct.unpack_from("<QQ", data, 32)
    phsize, phnum, shsize, shnum, names = struct.unpack_from("<5H", data, 54)
    types = {struct.unpack_from("<I", data, phoff + i * phsize)[0]
             for i in range(phnum)}
    table, = struct.unpack_from("<Q", data, shoff + names * shsize + 24)
    sections = set()
    for i in range(shnum):
        at = table + struct.unpack_from("<I", data, shoff + i * shsize)[0]
        sections.add(data[at:data.index(b"\0", at)].decode())
    return kind, types, sections
