# SPDX-License-Identifier: BSD-2-Clause
"""musl and the kernel's headers for a target, and a compiler that uses them.

The compiler is the distribution's cross compiler. Its own C library and headers
are kept away from it by musl's specs file, so what is built is static and knows
nothing of the build host.
"""
import shutil

from buildlib import sources
from buildlib.keep import JOBS, kept, link, recipe, run, version

# Without: libgcc's helpers for atomics ask glibc what the processor can do.
FLAGS = {"arm64": ["-mno-outline-atomics"]}
WRAPPER = """#!/bin/sh
# {cross}gcc with musl instead of glibc.
exec {cross}gcc {flags} "$@" -specs {specs}
"""


def headers(arch, out):
    src = sources.get(["linux"])["linux"]
    work = out.parent / f"{out.name}-work"
    try:
        run(["make", "-C", src, f"O={work}", f"ARCH={arch}", "headers"], src)
        for h in (work / "usr/include").rglob("*.h"):
            to = out / "include" / h.relative_to(work / "usr/include")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(h, to)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def musl(arch, cross, machine, out):
    src = sources.get(["musl"])["musl"]
    work = out.parent / f"{out.name}-work"
    work.mkdir()
    try:
        run([src / "configure", f"--target={machine}-linux-musl",
             f"--prefix={out}", "--disable-shared", "--disable-wrapper"],
            work, CC=f"{cross}gcc", CROSS_COMPILE=cross,
            CFLAGS=" ".join(["-Os", *FLAGS.get(arch, [])]))
        run(["make", f"-j{JOBS}", "install"], work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    # It prints the specs for a folder; that is known when the cache has it.
    shutil.copy(src / "tools/musl-gcc.specs.sh", out)


def build(arch, cross, machine, out):
    """out/ gets sysroot (a link into the cache) and cc."""
    def make(folder):
        headers(arch, folder)
        musl(arch, cross, machine, folder)

    root = kept(f"musl-{arch}", [
        arch, cross, machine, version(f"{cross}gcc"),
        sources.folder("musl").name, sources.folder("linux").name,
        *recipe("toolchain")], make)
    link(out / "sysroot", root)
    specs = out / "musl.specs"
    specs.write_text(run(["sh", root / "musl-gcc.specs.sh", root / "include",
                          root / "lib", "/lib/ld-musl.so.1"], out))
    cc = out / "cc"
    cc.write_text(WRAPPER.format(cross=cross, specs=specs.resolve(),
                                 flags=" ".join(FLAGS.get(arch, []))))
    cc.chmod(0o755)
