# SPDX-License-Identifier: BSD-2-Clause
"""What is in an image, and what is not."""
import hashlib
import json
import re
import stat
import subprocess

import pytest
from buildlib import fdt, loader, sources
from buildlib.sources import CACHE, ROOT
from imagekit import TRAILER, elf, outside

BUDGET = 6 << 20
ET_DYN, PT_INTERP = 3, 3
APPLETS = {"init", "mount", "umount", "tftp", "echo", "reboot"}
PROGRAMS = set(re.search(r"PROGRAMS := (.*)", (
    ROOT / "firmware/programs.mk").read_text()).group(1).split())


def test_the_image_is_within_its_budget_and_its_slot(image):
    size = image.itb.stat().st_size
    slots = [p for p in fdt.partitions(fdt.parse(image.part("fdt")))
             if p.label.startswith("slot-")]
    assert len(slots) == 2
    assert size <= BUDGET and all(size <= p.size for p in slots)


def test_files_are_those_of_the_table_and_the_programs(image):
    files = image.files()
    programs = {p.rsplit("/", 1)[1] for p in files
                if p.startswith("/usr/lib/sealwire/")}
    assert programs == PROGRAMS
    rest = {p for p in files if not p.startswith("/usr/lib/sealwire/")}
    table = (ROOT / "rootfs/table").read_text()
    assert rest == set(re.findall(r"^file (\S+)", table, re.M))


def test_there_is_no_shell_and_no_way_to_become_somebody(image):
    links = {p: d.decode() for p, (m, d) in image.root().items()
             if stat.S_ISLNK(m)}
    assert {p.rsplit("/", 1)[1] for p in links} - APPLETS == set()
    assert set(links.values()) == {"/bin/busybox"}
    busybox = image.options("busybox")
    assert busybox.get("CONFIG_SH_IS_NONE") == "y"
    for word in ("ASH", "HUSH", "SHELL_ASH", "SHELL_HUSH", "LOGIN", "SU",
                 "GETTY", "TELNETD", "NC", "WGET", "VI", "INETD", "HTTPD"):
        assert f"CONFIG_{word}" not in busybox, word
    for path, (mode, _) in image.root().items():
        assert mode & (stat.S_ISUID | stat.S_ISGID) == 0, path
        if not stat.S_ISLNK(mode) and not stat.S_ISCHR(mode):
            assert mode & 0o022 == 0, path
    # init runs a line with one of these through /bin/sh
    table = (ROOT / "rootfs/inittab").read_text().splitlines()
    for line in table:
        if not line.startswith("#"):
            assert not set(line) & set("~`!$^&*()=|\\{}[];\"'<>?"), line


def test_programs_are_static_stripped_and_movable(image):
    elves = {p: d for p, d in image.files().items() if d[:4] == b"\x7fELF"}
    assert len(elves) == len(PROGRAMS) + 1
    for path, data in elves.items():
        kind, types, sections = elf(data)
        assert kind == ET_DYN and PT_INTERP not in types, path
        assert not sections & {".symtab", ".debug_info"}, path


def test_nettle_asks_the_kernel_what_the_processor_can(image):
    """Or AES would be computed by tables, ten times as slow. (On RISC-V it is: the
    library has nothing for it.)"""
    if "CONFIG_ARM64" not in image.options("linux"):
        pytest.skip("no AES instructions")
    library = image.out / "third/plain/lib/libnettle.a"
    names = subprocess.run(["nm", "-u", library], check=True, text=True,
                           capture_output=True).stdout
    assert "U getauxval" in names


def test_nothing_tells_where_it_was_built(image):
    for path, data in image.files().items():
        for place in (str(ROOT), str(CACHE)):
            assert place.encode() not in data, path
    for file in ("u-boot.bin",):
        data = (image.dir / file).read_bytes()
        assert str(CACHE).encode() not in data


def test_the_kernel_has_no_door_that_is_not_needed(image):
    linux = image.options("linux")
    for word in ("MODULES", "DEVMEM", "DEVPORT", "KEXEC", "KEXEC_FILE",
                 "DEBUG_FS", "BPF_SYSCALL", "IO_URING", "USER_NS", "IPV6",
                 "MAGIC_SYSRQ", "PROC_KCORE", "BLOCK", "NETFILTER", "VT",
                 "KPROBES", "FTRACE", "PERF_EVENTS", "USERFAULTFD"):
        assert f"CONFIG_{word}" not in linux, word
    for word in ("SECCOMP_FILTER", "SECURITY_LANDLOCK", "CMDLINE_FORCE",
                 "STRICT_KERNEL_RWX", "HARDENED_USERCOPY", "PANIC_ON_OOPS"):
        assert linux.get(f"CONFIG_{word}") == "y", word


def test_uboot_starts_signed_images_and_nothing_else(image):
    uboot = image.options("uboot")
    for word in ("LEGACY_IMAGE_FORMAT", "EFI_LOADER", "BOOTSTD", "SEMIHOSTING",
                 "CMD_BOOTI", "CMD_BOOTZ", "CMD_BOOTD", "CMD_BOOTEFI",
                 "CMD_ELF", "CMD_GO", "CMD_SOURCE", "CMD_LOADB", "CMD_LOADS",
                 "CMD_DFU", "FIT_BEST_MATCH", "USB", "PCI", "CMD_MMC"):
        assert f"CONFIG_{word}" not in uboot, word
    # Its own tree, with the key: what SPL hands on is the one from the same FIT.
    assert "CONFIG_OF_BOARD" not in uboot or "fdt" in loader.facts(image.board)
    assert uboot["CONFIG_FIT_SIGNATURE"] == "y"
    (key, node), = fdt.parse(image.control())["signature"].items()
    assert node.text("required") == "conf"
    assert node.text("algo") == "sha256,rsa3072"
    assert key == "key-development"


def test_what_the_boot_rom_starts_is_what_was_built(image):
    rom = loader.facts(image.board)
    if not rom:
        pytest.skip("no boot ROM")
    uboot = (image.dir / "u-boot.bin").read_bytes()
    spl, at = (image.out / "spl/spl.bin").read_bytes(), int(rom["spl"][0], 0)
    assert uboot[at:at + len(spl)] == spl
    fit = uboot[int(rom["fit"][0], 0):]
    parts = fdt.parse(fit)
    assert parts["images"]["uboot"].cells("load") == (
        int(image.options("uboot")["CONFIG_TEXT_BASE"], 0),)
    assert outside(fit, "uboot") == (
        image.out / "uboot/u-boot-nodtb.bin").read_bytes()
    first = parts["configurations"]["board"].text("firmware")
    below = b"".join(f.read_bytes() for f in (image.out / "monitor").iterdir())
    assert outside(fit, first) in below
    for name, part in parts["images"].items():
        assert hashlib.sha256(outside(fit, name)).digest() == \
            part["hash"].props["value"], name


def verdict(image, fit, tmp_path):
    """As U-Boot's own code judges, on this machine."""
    (tmp_path / "fit").write_bytes(fit)
    (tmp_path / "key").write_bytes(image.control())
    return subprocess.run(
        [image.out / "uboot/tools/fit_check_sign", "-f", tmp_path / "fit",
         "-k", tmp_path / "key"], capture_output=True, check=False).returncode


def test_the_signature_is_good(image, tmp_path):
    assert verdict(image, image.itb.read_bytes()[:-TRAILER], tmp_path) == 0


def test_an_unsigned_image_is_refused(image, tmp_path):
    assert verdict(image, image.unsigned.read_bytes(), tmp_path) != 0


@pytest.mark.parametrize("part", ["kernel", "fdt", "ramdisk"])
def test_an_altered_part_is_refused(image, part, tmp_path):
    fit = bytearray(image.itb.read_bytes()[:-TRAILER])
    at = fit.index(image.part(part))
    fit[at + len(image.part(part)) // 2] ^= 1
    assert verdict(image, bytes(fit), tmp_path) != 0


def test_the_factory_image_is_erased_flash_but_for_two_parts(image):
    flash = (image.dir / f"{image.name}-factory.bin").read_bytes()
    parts = {p.label: p for p in fdt.partitions(fdt.parse(image.part("fdt")))}
    uboot = (image.dir / "u-boot.bin").read_bytes()
    itb = image.itb.read_bytes()
    boot, slot = parts["boot"].at, parts["slot-a"].at
    assert flash[boot:boot + len(uboot)] == uboot
    assert flash[slot:] == itb
    assert set(flash[boot + len(uboot):slot]) == {0xff}


def test_sums_and_manifest_are_of_these_files(image):
    lines = (image.dir / "sha256sums").read_text().splitlines()
    sums = dict(reversed(line.split()) for line in lines)
    assert sums == {f.name: sources.digest(f) for f in image.dir.iterdir()
                    if f.is_file() and f.name != "sha256sums"}
    manifest = (image.dir / f"{image.name}.manifest").read_text()
    assert "\nkey development\n" in manifest
    listed = dict(re.findall(r"^file (\S+) \d+ \d+ (\w+)$", manifest, re.M))
    assert listed == {p: hashlib.sha256(d).hexdigest()
                      for p, d in image.files().items()}


def test_the_sbom_says_what_the_lock_says(image):
    bom = json.loads((image.dir / f"{image.name}.cdx.json").read_text())
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.5")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", bom["serialNumber"])
    files = {(c["name"], c["version"], r["hashes"][0]["content"])
             for c in bom["components"] for r in c["externalReferences"]}
    assert files == {(e["name"], e["version"], e["sha256"])
                     for e in sources.of_board(image.board)}
    refs = [c["bom-ref"] for c in bom["components"]]
    assert bom["dependencies"] == [{"ref": "sealwire", "dependsOn": refs}]
    for c in bom["components"]:
        assert c["licenses"] and c["cpe"].startswith("cpe:2.3:"), c["name"]
        patches = {p["diff"]["url"]
                   for p in c.get("pedigree", {}).get("patches", [])}
        assert patches == {f"config/patches/{p.name}"
                           for p in sources.patches(c["name"])}


def test_every_source_has_its_licence(image):
    names = {e["name"] for e in sources.of_board(image.board)} | {"sealwire"}
    folders = {d.name: d for d in (image.dir / "licences").iterdir()}
    assert set(folders) == names
    for name, folder in folders.items():
        assert any(f.stat().st_size > 500 for f in folder.rglob("*")
                   if f.is_file()), name
