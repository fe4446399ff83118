# SPDX-License-Identifier: BSD-2-Clause
"""The boot loader as a boot ROM wants it: SPL, then a FIT with the monitor, U-Boot
and its device tree. A board that starts U-Boot from the first octet has no file
"loader"; that of another has lines

    spl ADDRESS TYPE [CHIP]     SPL in flash, wrapped by mkimage -T TYPE [-n CHIP]
    fit ADDRESS                 the FIT in flash
    monitor SOURCE PLATFORM     who runs below U-Boot (monitor.py)
    fdt ADDRESS                 in memory; without it, right behind U-Boot
    flash OCTETS BLOCK          the chip, and what it erases at once
"""
import struct

from buildlib import kconfig
from buildlib.keep import run
from buildlib.sources import ROOT

WORDS = {"spl", "fit", "monitor", "fdt", "flash"}
PT_LOAD = 1
ITS = """/dts-v1/;
/ {{
	description = "U-Boot and what is below it";
	#address-cells = <1>;

	images {{{images}
	}};

	configurations {{
		default = "board";
		board {{
			description = "{board}";
			firmware = "{first}";
			loadables = {rest};
			fdt = "fdt";
		}};
	}};
}};
"""
IMAGE = """
		{name} {{
			description = "{name}";
			data = /incbin/("{file}");
			type = "{type}";
			arch = "{arch}";
			compression = "none";{more}
			hash {{
				algo = "sha256";
			}};
		}};"""


def facts(board):
    """{word: values}; nothing if there is no such file."""
    file = ROOT / "board" / board / "loader"
    lines = file.read_text().splitlines() if file.exists() else []
    words = [line.split("#")[0].split() for line in lines]
    found = {w[0]: w[1:] for w in words if w}
    if found and not {"spl", "fit", "monitor", "flash"} <= found.keys() <= WORDS:
        raise SystemExit(f"{file}: wrong words")
    return found


def segments(elf):
    """[(address, octets)] of what is loaded, that with the entry first."""
    entry, phoff = struct.unpack_from("<QQ", elf, 24)
    size, n = struct.unpack_from("<HH", elf, 54)
    found = []
    for i in range(n):
        kind, _, off, _, at, length = struct.unpack_from(
            "<IIQQQQ", elf, phoff + i * size)
        if kind == PT_LOAD and length:
            found.append((at, elf[off:off + length]))
    return sorted(found, key=lambda s: not s[0] <= entry < s[0] + len(s[1]))


def monitors(facts_, config, folder):
    """[(name, os, address, octets)], that which is entered first."""
    if facts_["monitor"][0] == "opensbi":
        return [("opensbi", "opensbi",
                 int(config["CONFIG_SPL_OPENSBI_LOAD_ADDR"], 0),
                 (folder / "fw_dynamic.bin").read_bytes())]
    return [(f"atf-{i}", "arm-trusted-firmware", at, octets) for i, (at, octets)
            in enumerate(segments((folder / "bl31.elf").read_bytes()), 1)]


def fit(board, arch, out, control, to):
    """The FIT that SPL reads, with this device tree for U-Boot. out is the folder
    of the build."""
    f, mkimage = facts(board), out / "uboot/tools/mkimage"
    config = kconfig.parse((out / "uboot/config").read_text())
    work = to.parent
    (work / "control.dtb").write_bytes(control)

    def place(at, system):
        return (f"\n\t\t\tos = \"{system}\";" if system else "") + (
            f"\n\t\t\tload = <{at:#x}>;\n\t\t\tentry = <{at:#x}>;")

    images = [("uboot", "standalone", out / "uboot/u-boot-nodtb.bin",
               place(int(config["CONFIG_TEXT_BASE"], 0), "u-boot")),
              ("fdt", "flat_dt", work / "control.dtb",
               f"\n\t\t\tload = <{f['fdt'][0]}>;" if "fdt" in f else "")]
    below = monitors(f, config, out / "monitor")
    for name, system, at, octets in below:
        (work / name).write_bytes(octets)
        images.append((name, "firmware", work / name, place(at, system)))
    loadables = ["uboot", *(name for name, *_ in below[1:])]
    its = to.with_suffix(".its")
    its.write_text(ITS.format(
        board=board, first=below[0][0],
        rest=", ".join(f'"{name}"' for name in loadables),
        images="".join(IMAGE.format(name=name, type=kind, file=file, more=more,
                                    arch=arch)
                       for name, kind, file, more in images)))
    run([mkimage, "-E", "-B", "0x200", "-f", its, to], work)


def region(board, spl, fit_):
    """The octets of the partition "boot", from its first on."""
    f = facts(board)
    at = {"spl": int(f["spl"][0], 0), "fit": int(f["fit"][0], 0)}
    if at["spl"] + len(spl) > at["fit"]:
        raise SystemExit(f"loader: SPL has {len(spl)} octets and runs into "
                         "the FIT")
    flash = bytearray(b"\xff" * (at["fit"] + len(fit_)))
    flash[at["spl"]:at["spl"] + len(spl)] = spl
    flash[at["fit"]:] = fit_
    return bytes(flash)
