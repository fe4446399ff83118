# SPDX-License-Identifier: BSD-2-Clause
"""Files that the boot loader must not start, and some that look like them and that
it may: without these a refusal would prove little."""
import hashlib
import subprocess
import sys
import types

from buildlib import fdt, fit, sources


def small(images, key, name):
    """A small FIT, as U-Boot's own tests build it, with our key and algorithm."""
    work = images.folder / name
    work.mkdir()
    tests = sources.folder("u-boot") / "test/py/tests"
    text = (tests / "vboot/sign-configs-sha256.its").read_text()
    for old, new in (("sandbox-kernel.dtb", "board"), ("test-kernel.bin",
                     "kernel"), ('"sandbox"', '"arm64"'), ("rsa2048",
                     "rsa3072"), ('"dev"', '"development"'),
                     ("kernel_noload", "kernel"), ("<0x4>", "<0x40400000>"),
                     ("<0x8>", "<0x40400000>")):
        assert old in text, old
        text = text.replace(old, new)
    # without the second configuration that has no part in it
    (work / "its").write_text(text)
    (work / "kernel").write_bytes(b"\x1f\x20\x03\xd5" * 500)
    (work / "board").write_bytes(fdt.parse(images.fit)["images"]["fdt"].props[
        "data"])
    tools = images.out / "uboot/tools"
    subprocess.run([tools / "mkimage", "-f", "its", "fit"], cwd=work,
                   check=True, capture_output=True)
    if key:
        with fit.Key(key, "development") as k:
            k.sign(tools, work / "fit")
    return work / "fit"


def of_uboot(images, base):
    """The attacks of U-Boot's test_vboot.py, by its own code."""
    tests = sources.folder("u-boot") / "test/py/tests"
    sys.path.insert(0, str(tests))
    import vboot_evil
    import vboot_forge
    sys.path.remove(str(tests))
    # it writes digests of the kind that its own images have
    vboot_evil.hashlib = types.SimpleNamespace(sha1=hashlib.sha256)
    with open(base, "rb") as f:
        tree, strings = vboot_forge.read_fdt(f)
    forged = images.folder / "forged"
    with open(forged, "w+b") as f:
        vboot_forge.write_fdt(*vboot_forge.manipulate(tree, strings), f)
    yield "a second configuration", forged.read_bytes()
    evil = images.file("evil", b"\x1f\x20\x03\xd5" * 400)
    for attack in ("fakeroot", "kernel@", "clone"):
        vboot_evil.add_evil_node(base, forged, evil, attack)
        yield attack, forged.read_bytes()


def legacy(images):
    """An image of the old kind: a kernel with a check sum and no signature."""
    to = images.folder / "legacy"
    subprocess.run([images.out / "uboot/tools/mkimage", "-A", "arm64", "-O",
                    "linux", "-T", "kernel", "-C", "none", "-a", "0x40400000",
                    "-d", images.file("kernel", b"\x1f\x20\x03\xd5" * 500), to],
                   check=True, capture_output=True)
    return to.read_bytes()


def forgeries(images):
    """(name, octets, may it be taken)"""
    base = small(images, images.key, "small")
    yield "the image", images.octets, True
    yield "a small one", base.read_bytes(), True
    plain, = (images.out / "images").glob("*-unsigned.itb")
    yield "unsigned", plain.read_bytes(), False
    yield "another key", small(images, images.other_key,
                               "other").read_bytes(), False
    for part in ("kernel", "fdt", "ramdisk"):
        yield f"altered {part}", images.changed(images.within(part)), False
    at = images.fit.index(fdt.parse(images.fit)["configurations"]["sealwire"][
        "signature"].props["value"]) + 100
    yield "altered signature", images.changed(at), False
    yield "truncated", images.octets[:len(images.fit) // 2], False
    yield "only its head", images.octets[:64], False
    yield "no image", b"GIF89a" * 1000, False
    yield "legacy", legacy(images), False
    for name, octets in of_uboot(images, base):
        yield name, octets, False
