# SPDX-License-Identifier: BSD-2-Clause
"""How an image is built: the same everywhere, without a network, and by both
compilers without a word."""
import os
import shutil
import subprocess

from buildlib.sources import CACHE, ROOT
from imagekit import Image, environment

# Not built again: minutes each. WHOLE=1 does.
LINKED = () if os.environ.get("WHOLE") else \
    ("linux-", "uboot-", "musl-", "licences-")


def other_cache(folder):
    """A cache with the sources and the longest builds, and nothing else."""
    (folder / "built").mkdir(parents=True)
    for name in ("dl", "src"):
        (folder / name).symlink_to(CACHE / name)
    for kept in (CACHE / "built").iterdir():
        if kept.name.startswith(LINKED) and kept.is_dir():
            (folder / "built" / kept.name).symlink_to(kept)
    return folder


def copy_of_the_tree(to):
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                            "--exclude-standard"], cwd=ROOT, check=True,
                           stdout=subprocess.PIPE).stdout
    to.mkdir()
    subprocess.run(["cpio", "-0pdm", "--quiet", to], cwd=ROOT, input=files,
                   check=True)
    return to


def date():
    return subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT,
                          check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def test_another_folder_without_network_gives_the_same_octets(image, tmp_path):
    tree = copy_of_the_tree(tmp_path / "elsewhere")
    (tree / "output").mkdir()
    for key in (ROOT / "output").glob("*.pem"):  # the only other input
        shutil.copy(key, tree / "output")
    env = {**environment(), "SOURCE_DATE_EPOCH": date(),
           "CACHE_DIR": str(other_cache(tmp_path / "cache")),
           "HOME": str(tmp_path), "TZ": "Pacific/Apia", "LC_ALL": "C.UTF-8"}
    subprocess.run(["unshare", "-n", "make", "-j", str(os.cpu_count()),
                    f"BOARD={image.board}", "image"], cwd=tree, env=env,
                   check=True)
    other = Image(image.board, tree / "output" / image.board)
    assert other.root() == image.root()
    assert {f.name: f.read_bytes() for f in other.dir.iterdir()
            if f.is_file()} == {f.name: f.read_bytes()
                                for f in image.dir.iterdir() if f.is_file()}


def test_clang_has_nothing_to_say_about_the_target(image):
    subprocess.run(["make", "--no-print-directory", f"BOARD={image.board}",
                    "check-target"], cwd=ROOT, check=True, env=environment())
