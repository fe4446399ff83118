# SPDX-License-Identifier: BSD-2-Clause
"""The image of this build, and images that a board must not take."""
import re
import subprocess

from buildlib import cpio, fdt, fit
from buildlib.sources import ROOT

TRAILER = 1024


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
