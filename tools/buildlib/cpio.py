# SPDX-License-Identifier: BSD-2-Clause
"""The root file system of the device from a table, as a cpio archive.

    dir   PATH MODE
    file  PATH MODE SOURCE
    node  PATH MODE MAJOR MINOR       a character device
    link  PATH TARGET

"#" begins a comment. SOURCE is below the top folder; {board} and {out} in it are
the folder of the board and of the build. Everything belongs to root and has the
date of the build, so the archive depends on nothing else.
"""
import os
import stat

DIR, FILE, NODE, LINK = (stat.S_IFDIR, stat.S_IFREG, stat.S_IFCHR,
                         stat.S_IFLNK)
WORDS = {"dir": 3, "file": 4, "node": 5, "link": 3}


def member(name, mode, data, date, inode, rdev=(0, 0)):
    head = "070701" + "".join(f"{n:08x}" for n in (
        inode, mode, 0, 0, 1, date, len(data), 0, 0, *rdev, len(name) + 1, 0))
    text = head.encode() + name.encode() + b"\0"
    text += b"\0" * (-len(text) % 4) + data
    return text + b"\0" * (-len(text) % 4)


def table(text, root, **places):
    """[(kind, path, mode, data, (major, minor))] in the order of the table."""
    rows = []
    for n, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if WORDS.get(words[0]) != len(words):
            raise SystemExit(f"table line {n}: {line}")
        kind, path = words[:2]
        if kind == "link":
            rows.append((LINK, path, 0o777, words[2].encode(), (0, 0)))
            continue
        mode = int(words[2], 8)
        if kind == "dir":
            rows.append((DIR, path, mode, b"", (0, 0)))
        elif kind == "file":
            source = root / words[3].format(**places)
            rows.append((FILE, path, mode, source.read_bytes(), (0, 0)))
        else:
            rows.append((NODE, path, mode, b"",
                         (int(words[3]), int(words[4]))))
    return rows


def archive(rows, date):
    out, known = bytearray(), {"/"}
    for n, (kind, path, mode, data, rdev) in enumerate(rows, 1):
        if os.path.dirname(path) not in known:
            raise SystemExit(f"{path}: its folder is not in the table")
        if kind == DIR:
            known.add(path)
        out += member(path.lstrip("/"), kind | mode, data, date, n, rdev)
    return bytes(out + member("TRAILER!!!", 0, b"", 0, 0))
