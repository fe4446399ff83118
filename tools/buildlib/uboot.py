# SPDX-License-Identifier: BSD-2-Clause
"""U-Boot: the board's defconfig of U-Boot, config/uboot.config and the board's
uboot.fragment; config/uboot.env and the board's uboot.env. Without a device tree:
tools/image puts the board's behind it, with the public key in it. mkimage comes
from here as well.
"""
import os
import shutil

from buildlib import kconfig, sources
from buildlib.keep import JOBS, kept, link, recipe, run, version
from buildlib.sources import ROOT

TOOLS = ("mkimage", "dumpimage", "fdt_add_pubkey", "fit_check_sign",
         "mkenvimage")
# Of all variables these alone are taken from flash (doc/README.env in U-Boot's
# source: d is a number, i an address).
WRITEABLE = ",".join(("slot:sw", "upgrade_available:dw", "bootcount:dw",
                      "recovery:dw", "ipaddr:iw", "netmask:iw", "serverip:iw"))


def build(board, defconfig, cross, out):
    """out becomes a link to a folder with u-boot-nodtb.bin, tools/, config."""
    facts = ROOT / "board" / board
    fragments = [ROOT / "config/uboot.config", facts / "uboot.fragment"]
    environment = [ROOT / "config/uboot.env", facts / "uboot.env"]

    def make(folder):
        src = sources.get(["u-boot"])["u-boot"]
        work = folder.parent / f"{folder.name}-work"
        work.mkdir()
        made = int(os.stat(src / "README").st_mtime)
        cmd = ["make", "-C", src, f"O={work}", f"CROSS_COMPILE={cross}",
               f"-j{JOBS}", "KBUILD_BUILD_USER=build",
               "KBUILD_BUILD_HOST=sealwire", f"EXT_DTB={work}/none.dtb",
               f"KCPPFLAGS=-DCFG_ENV_FLAGS_LIST_STATIC='\"{WRITEABLE}\"'"]
        env = {"SOURCE_DATE_EPOCH": str(made)}
        try:
            whole = work / "sealwire_defconfig"
            whole.write_text((src / "configs" / defconfig).read_text() +
                             kconfig.merged(*fragments))
            run([*cmd, os.path.relpath(whole, src / "configs")], work, **env)
            kconfig.asked(work / ".config", *fragments)
            (work / "board.env").write_text("".join(
                e.read_text() for e in environment))
            run([*cmd, "u-boot-nodtb.bin", "tools"], work, **env)
            shutil.copy(work / "u-boot-nodtb.bin", folder)
            shutil.copy(work / ".config", folder / "config")
            (folder / "tools").mkdir()
            for tool in TOOLS:
                shutil.copy(work / "tools" / tool, folder / "tools")
        finally:
            shutil.rmtree(work, ignore_errors=True)

    link(out, kept(f"uboot-{board}", [
        defconfig, version(f"{cross}gcc"), sources.folder("u-boot").name,
        *fragments, *environment, *recipe("uboot", "kconfig")], make))
