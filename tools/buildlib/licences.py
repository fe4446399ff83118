# SPDX-License-Identifier: BSD-2-Clause
"""The licence texts of all that is in the image, as the sources have them."""
import shutil
import sys

from buildlib import sources
from buildlib.keep import kept, recipe
from buildlib.sources import ROOT

TEXTS = ("COPYING*", "LICENSE*", "LICENCE*", "COPYRIGHT*", "Licenses/*",
         "LICENSES/*/*", "debian/copyright", "usr/share/doc/*/copyright")


def collect(name, folder, to):
    found = [f for t in TEXTS for f in sorted(folder.glob(t)) if f.is_file()]
    if not found:
        sys.exit(f"licences: {name}: no text in {folder}")
    for file in found:
        copy = to / name / file.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def build(entries):
    """A folder in the cache with one folder for each source of these lines of the
    lock."""
    names = dict.fromkeys(e["name"] for e in entries)

    def make(out):
        for name, folder in sources.get(names).items():
            collect(name, folder, out)
        (out / "sealwire").mkdir()
        shutil.copyfile(ROOT / "LICENSE", out / "sealwire/LICENSE")

    return kept("licences", [*(sources.folder(n).name for n in names),
                             ROOT / "LICENSE", *recipe("licences")], make)
