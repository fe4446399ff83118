# SPDX-License-Identifier: BSD-2-Clause
"""The kernel: allnoconfig, config/linux.config, the board's linux.fragment."""
import os
import shutil
import time

from buildlib import kconfig, sources
from buildlib.keep import JOBS, kept, link, recipe, run, version
from buildlib.sources import ROOT

IMAGE = {"arm64": "arch/arm64/boot/Image", "riscv": "arch/riscv/boot/Image"}


def build(board, arch, cross, out):
    """out becomes a link to a folder with Image, System.map and config."""
    fragments = [ROOT / "config/linux.config",
                 ROOT / "board" / board / "linux.fragment"]

    def make(folder):
        src = sources.get(["linux"])["linux"]
        work = folder.parent / f"{folder.name}-work"
        work.mkdir()
        made = time.gmtime(os.stat(src / "COPYING").st_mtime)
        cmd = ["make", "-C", src, f"O={work}", f"ARCH={arch}",
               f"CROSS_COMPILE={cross}", f"-j{JOBS}",
               "KBUILD_BUILD_USER=build", "KBUILD_BUILD_HOST=sealwire",
               "KBUILD_BUILD_VERSION=1",
               "KBUILD_BUILD_TIMESTAMP=" + time.strftime("%F", made)]
        try:
            all_ = work / "fragments"
            all_.write_text(kconfig.merged(*fragments))
            run([*cmd, "allnoconfig"], work, KCONFIG_ALLCONFIG=str(all_))
            kconfig.asked(work / ".config", *fragments)
            run([*cmd, IMAGE[arch].rsplit("/", 1)[1]], work)
            shutil.copy(work / IMAGE[arch], folder / "Image")
            shutil.copy(work / "System.map", folder)
            shutil.copy(work / ".config", folder / "config")
        finally:
            shutil.rmtree(work, ignore_errors=True)

    link(out, kept(f"linux-{board}", [
        arch, version(f"{cross}gcc"), sources.folder("linux").name,
        *fragments, *recipe("linux", "kconfig")], make))
