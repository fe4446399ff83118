# SPDX-License-Identifier: BSD-2-Clause
"""What runs below U-Boot and Linux on a board with a boot ROM: OpenSBI on RISC-V,
the BL31 of Trusted Firmware-A on ARM. From source, as all the rest."""
import os
import shutil
import time

from buildlib import sources
from buildlib.keep import JOBS, kept, recipe, run, version


def opensbi(src, platform, cross, work):
    # Of the host python3 it takes whichever is first; Debian's is enough.
    run(["make", "-C", src, f"O={work}", f"CROSS_COMPILE={cross}", f"-j{JOBS}",
         f"PLATFORM={platform}", "FW_PIC=y", "FW_JUMP=n", "FW_PAYLOAD=n"],
        work)
    return work / f"platform/{platform}/firmware/fw_dynamic.bin"


def trusted_firmware(src, platform, cross, work):
    made = time.gmtime(os.stat(src / "readme.rst").st_mtime)
    run(["make", "-C", src, f"BUILD_BASE={work}", f"CROSS_COMPILE={cross}",
         f"-j{JOBS}", f"PLAT={platform}", "DEBUG=0", "LOG_LEVEL=10",
         "BUILD_STRING=sealwire", "BUILD_MESSAGE_TIMESTAMP=" +
         time.strftime('"%F"', made), "bl31"], work)
    return work / f"{platform}/release/bl31/bl31.elf"


BUILDERS = {"opensbi": opensbi, "arm-trusted-firmware": trusted_firmware}


def build(name, platform, cross):
    """A folder in the cache with fw_dynamic.bin or bl31.elf."""
    def make(folder):
        src = sources.get([name])[name]
        work = folder.parent / f"{folder.name}-work"
        work.mkdir()
        try:
            shutil.copy(BUILDERS[name](src, platform, cross, work), folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    return kept(f"{name}-{platform}", [
        platform, version(f"{cross}gcc"), sources.folder(name).name,
        *recipe("monitor")], make)
