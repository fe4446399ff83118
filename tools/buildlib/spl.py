# SPDX-License-Identifier: BSD-2-Clause
"""What goes before U-Boot on a board with a boot ROM: TPL and SPL, with the head that
the ROM reads, and the monitor; and U-Boot's own device tree. The options are those
of U-Boot itself (uboot.py), whose mkimage puts the head on."""
import os
import shutil

from buildlib import kconfig, loader, monitor, sources
from buildlib.keep import JOBS, kept, link, recipe, run, version
from buildlib.sources import ROOT


def wrap(mkimage, kind, work, out):
    """SPL, behind TPL if there is one. kind: the words of the board's "spl"."""
    parts = [str(p) for p in (work / "tpl/u-boot-tpl.bin",
                              work / "spl/u-boot-spl.bin") if p.exists()]
    _, type_, *chip = kind
    run([mkimage, "-T", type_, *(["-n", *chip] if chip else []),
         "-d", ":".join(parts), out], out.parent)


def build(board, defconfig, cross, uboot, out):
    """out becomes a link to a folder with spl.bin and u-boot.dtb, and beside it a
    link "monitor" to one with its file. uboot: what uboot.py has built."""
    facts, rom = ROOT / "board" / board, loader.facts(board)
    uboot = uboot.resolve()
    fragments = [ROOT / "config/uboot.config", facts / "uboot.fragment"]

    def make(folder):
        src = sources.get(["u-boot"])["u-boot"]
        work = folder.parent / f"{folder.name}-work"
        work.mkdir()
        env = {"SOURCE_DATE_EPOCH": str(int(os.stat(src / "README").st_mtime))}
        cmd = ["make", "-C", src, f"O={work}", f"CROSS_COMPILE={cross}",
               f"-j{JOBS}", "PYTHON3=/usr/bin/python3",
               "KBUILD_BUILD_USER=build", "KBUILD_BUILD_HOST=sealwire"]
        try:
            whole = work / "sealwire_defconfig"
            whole.write_text((src / "configs" / defconfig).read_text() +
                             kconfig.merged(*fragments))
            (work / "board.env").write_text("")
            run([*cmd, os.path.relpath(whole, src / "configs")], work, **env)
            kconfig.asked(work / ".config", *fragments)
            tpl = "CONFIG_TPL=y\n" in (work / ".config").read_text()
            run([*cmd, "u-boot.dtb", "spl/u-boot-spl.bin",
                 *(["tpl/u-boot-tpl.bin"] if tpl else [])], work, **env)
            wrap(uboot / "tools/mkimage", rom["spl"], work, folder / "spl.bin")
            shutil.copy(work / "u-boot.dtb", folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    link(out, kept(f"spl-{board}", [
        defconfig, version(f"{cross}gcc"), uboot.name, *fragments,
        " ".join(rom["spl"]), *recipe("spl", "kconfig")], make))
    link(out.with_name("monitor"), monitor.build(*rom["monitor"], cross))
