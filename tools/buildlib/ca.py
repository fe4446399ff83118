# SPDX-License-Identifier: BSD-2-Clause
"""The CA list of the box: Mozilla's, in one file, as Debian packages it."""
from buildlib import sources


def build(out):
    src = sources.get(["ca-certificates"])["ca-certificates"]
    files = sorted((src / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(f.read_text().rstrip("\n") + "\n" for f in files))
