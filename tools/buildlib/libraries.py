# SPDX-License-Identifier: BSD-2-Clause
"""The libraries that our programs are linked with, static.

    mbedtls   with config/mbedtls_config.h; its PSA driver is firmware/crypto
    nettle    what the driver calls: curves and AES-GCM, half of it assembler
    gmp       the arithmetic under nettle's curves
    lwip      with config/lwipopts.h
    polarssl  of lwIP's PPP the two ciphers that NTLM needs and mbedTLS no longer
              has (MD4, RC4)
"""
import os
import pathlib
import shutil
from concurrent.futures import ThreadPoolExecutor

from buildlib import sources
from buildlib.keep import JOBS, kept, link, recipe, run, version
from buildlib.sources import CACHE, ROOT

POLARSSL = ["md4.c", "arc4.c"]
LWIP = ["src/core/*.c", "src/core/ipv4/*.c", "src/core/ipv6/*.c"]
MAPS = [f"-ffile-prefix-map={CACHE}=third", f"-ffile-prefix-map={ROOT}=."]


# --- two ways to build -------------------------------------------------------

def library(name, files, cc, flags, out):
    """By our own rules: every file with the same flags, into one archive."""
    def one(file):
        obj = out / "obj" / name / (file.stem + ".o")
        obj.parent.mkdir(parents=True, exist_ok=True)
        run([*cc.split(), "-std=gnu11", "-w", "-fPIE", "-g", *MAPS,
             "-ffunction-sections", "-fdata-sections", *flags, "-c", file,
             "-o", obj], ROOT)
        return obj

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(one, sorted(files)))
    (out / "lib").mkdir(exist_ok=True)
    run(["ar", "rcsD", out / "lib" / f"lib{name}.a", *objects], ROOT)
    shutil.rmtree(out / "obj")


def configure(src, cc, flags, options, targets, out):
    """By the library's own configure and make; returns where it was built. The
    machine is named, or GMP would be made for the very one it is built on."""
    here = out / "build"
    here.mkdir()
    cflags = ["-O2", "-g", "-fPIE", "-ffunction-sections", *MAPS,
              f"-ffile-prefix-map={here}=third/build", *flags]
    host, build = (run([*c.split(), "-dumpmachine"], here).strip()
                   for c in (cc, "gcc"))
    run([src / "configure", f"--host={host}", f"--build={build}",
         "CC_FOR_BUILD=gcc", f"CC={cc}", f"CFLAGS={' '.join(cflags)}",
         f"--prefix={out}", "--enable-static", "--disable-shared", *options],
        here)
    run(["make", f"-j{JOBS}", *targets], here)
    return here


# --- the libraries: each is kept by itself, by what it is made of -----------

def mbedtls(cc, crypto_opt, flags, inputs):
    def make(out):
        src = sources.get(["mbedtls"])["mbedtls"]
        library("mbedtls", (src / "library").glob("*.c"), cc,
                [f"-I{src}/include", f"-I{src}/library", f"-I{ROOT}",
                 f"-I{ROOT}/firmware",
                 '-DMBEDTLS_CONFIG_FILE="config/mbedtls_config.h"',
                 crypto_opt, *flags], out)
        shutil.copytree(src / "include", out / "include/mbedtls-3.6")

    return kept("mbedtls", [*inputs, crypto_opt, *flags,
                            sources.folder("mbedtls").name,
                            ROOT / "config/mbedtls_config.h",
                            ROOT / "firmware/crypto/crypto_driver.h"], make)


def lwip(cc, flags, inputs):
    def make(out):
        src = sources.get(["lwip"])["lwip"]
        with_ = [f"-I{src}/src/include", f"-I{ROOT}/config",
                 f"-I{ROOT}/firmware", "-O2", *flags]
        library("lwip", [f for g in LWIP for f in src.glob(g)], cc, with_, out)
        library("polarssl",
                [src / "src/netif/ppp/polarssl" / f for f in POLARSSL], cc,
                ["-DPPP_SUPPORT=1", "-DMPPE_SUPPORT=1", *with_], out)
        shutil.copytree(src / "src/include", out / "include/lwip")

    return kept("lwip", [*inputs, *flags, sources.folder("lwip").name,
                         *(ROOT / f for f in (
                             "config/lwipopts.h", "config/arch/cc.h",
                             "firmware/ip/ip_hooks.h"))], make)


def gmp(cc, flags, inputs):
    def make(out):
        here = configure(sources.get(["gmp"])["gmp"], cc, flags,
                         ["--with-pic"], [], out)
        (out / "lib").mkdir()
        shutil.copy(here / ".libs/libgmp.a", out / "lib")
        (out / "include/gmp-6.3").mkdir(parents=True)
        shutil.copy(here / "gmp.h", out / "include/gmp-6.3")
        shutil.rmtree(here)

    return kept("gmp", [*inputs, *flags, sources.folder("gmp").name], make)


def nettle(cc, flags, inputs, on):
    def make(out):
        # --enable-fat: AES and GHASH by instructions where the processor has
        # them, which is found out at the start. On ARM nettle asks glibc alone,
        # though musl has getauxval as well.
        here = configure(sources.get(["nettle"])["nettle"], cc,
                         [*flags, "-DUSE_GETAUXVAL=1"],
                         ["--enable-fat", "--disable-openssl",
                          "--disable-documentation",
                          f"--includedir={out}/include/nettle-3.10",
                          f"--with-include-path={on}/include/gmp-6.3",
                          f"--with-lib-path={on}/lib"],
                         ["libnettle.a", "libhogweed.a", "install-headers"],
                         out)
        (out / "lib").mkdir()
        for lib in ("libnettle.a", "libhogweed.a"):
            shutil.copy(here / lib, out / "lib")
        shutil.rmtree(here)

    return kept("nettle", [*inputs, *flags, on.name,
                           sources.folder("nettle").name], make)


def build(cc, crypto_opt, flags, inputs, out):
    """out/ gets lib/ and include/. inputs: what else decides, a toolchain."""
    flags = flags.split()
    # Sanitizers see nothing of assembler, and trip over the C around it.
    plain = [f for f in flags if "sanitize" not in f]
    if "/" in cc:
        cc = str(pathlib.Path(cc).absolute())
    inputs = [version(cc), *inputs, *recipe("libraries")]
    on = gmp(cc, plain, inputs)
    roots = [on, nettle(cc, plain, inputs, on), lwip(cc, flags, inputs),
             mbedtls(cc, crypto_opt, flags, inputs)]
    for d in ("lib", "include"):
        if (out / d).is_symlink():
            (out / d).unlink()
        for thing in (t for r in roots for t in (r / d).iterdir()):
            link(out / d / thing.name, thing)
