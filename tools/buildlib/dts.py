# SPDX-License-Identifier: BSD-2-Clause
"""The device tree of a board: board.dts, which may include the kernel's."""
import subprocess

from buildlib import sources
from buildlib.sources import ROOT


def build(board, arch):
    """Its octets, as U-Boot and Linux read them."""
    linux = sources.get(["linux"])["linux"]
    text = subprocess.run(
        ["cpp", "-nostdinc", "-undef", "-D__DTS__", "-x",
         "assembler-with-cpp", "-P", f"-I{linux}/arch/{arch}/boot/dts",
         f"-I{linux}/include", ROOT / "board" / board / "board.dts"],
        check=True, stdout=subprocess.PIPE).stdout
    return subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb"], input=text,
                          check=True, stdout=subprocess.PIPE).stdout
