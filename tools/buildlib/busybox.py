# SPDX-License-Identifier: BSD-2-Clause
"""BusyBox: nothing but rootfs/busybox.config asks for, linked with musl."""
import os
import re
import shutil

from buildlib import kconfig, sources
from buildlib.keep import JOBS, kept, link, recipe, run, version
from buildlib.sources import ROOT


def nothing(text):
    """A whole .config with every yes made a no. BusyBox's own allnoconfig cannot
    take a fragment, and a no that it does not know yet would become a default."""
    return re.sub(r"^(CONFIG_\w+)=y$", r"# \1 is not set", text, flags=re.M)


def build(toolchain, cross, out):
    """out becomes a link to a folder with busybox, its map of links, config."""
    fragment = ROOT / "rootfs/busybox.config"
    sysroot = (toolchain / "sysroot").resolve()

    def make(folder):
        src = sources.get(["busybox"])["busybox"]
        work = folder.parent / f"{folder.name}-work"
        work.mkdir()
        made = int(os.stat(src / "LICENSE").st_mtime)
        cmd = ["make", "-C", src, f"O={work}", f"-j{JOBS}",
               f"CC={toolchain.resolve() / 'cc'}", f"CROSS_COMPILE={cross}",
               "CFLAGS_busybox=-static-pie"]
        try:
            run([*cmd, "allyesconfig"], work)
            config = work / ".config"
            want = kconfig.parse(fragment.read_text())
            rest = [line for line in nothing(config.read_text()).splitlines()
                    if not want.keys() & kconfig.parse(line).keys()]
            config.write_text("\n".join([*rest, fragment.read_text()]))
            run([*cmd, "oldconfig"], work)
            kconfig.asked(config, fragment)
            run([*cmd, "busybox", "busybox.links"], work,
                SOURCE_DATE_EPOCH=str(made))
            for name in ("busybox", "busybox.links"):
                shutil.copy(work / name, folder)
            shutil.copy(config, folder / "config")
        finally:
            shutil.rmtree(work, ignore_errors=True)

    link(out, kept("busybox", [
        version(f"{cross}gcc"), sysroot.name, sources.folder("busybox").name,
        fragment, *recipe("busybox", "toolchain", "kconfig")], make))
