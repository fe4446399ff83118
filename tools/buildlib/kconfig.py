# SPDX-License-Identifier: BSD-2-Clause
"""Configurations of Linux, BusyBox and U-Boot from fragments.

A fragment is lines of a .config. Kconfig drops what it does not know or what
something else forbids, without a word; asked() says which lines were dropped.
"""
import re
import sys

LINE = re.compile(r"(?:# )?(CONFIG_\w+)(?:=(.*)| is not set)$")


def parse(text):
    """{name: value}; None for "is not set"."""
    found = {}
    for line in text.splitlines():
        m = LINE.match(line)
        if m:
            found[m.group(1)] = m.group(2)
    return found


def asked(config, *fragments):
    """End with an error if .config is not as the fragments asked for."""
    want = {}
    for f in fragments:
        want.update(parse(f.read_text()))
    have = parse(config.read_text())
    bad = [f"  {name}: asked for {value or 'no'}, is {have.get(name) or 'no'}"
           for name, value in want.items()
           if (have.get(name) or "n") != (value or "n")]
    if bad:
        sys.exit(f"{' '.join(f.name for f in fragments)}: some options did not "
                 "come out as asked:\n" + "\n".join(bad))


def merged(*fragments):
    return "\n".join(f.read_text() for f in fragments)
