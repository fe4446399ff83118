# SPDX-License-Identifier: BSD-2-Clause
"""What took long to build is kept, by the content of all that went in.

    folder = kept("busybox", inputs, build)

inputs is a list of texts, octets and files; build(folder) fills an empty folder.
It may use nothing that inputs does not name: then the result of another tree, on
another day, is the same, and a second build is a look-up.
"""
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from buildlib.sources import CACHE, ROOT

JOBS = str(min(os.cpu_count() or 1, int(os.environ.get("JOBS", "64"))))


def version(compiler):
    return subprocess.run([*compiler.split(), "--version"], check=True,
                          stdout=subprocess.PIPE).stdout


def key(inputs):
    h = hashlib.sha256()
    for part in inputs:
        if isinstance(part, pathlib.Path):
            part = part.read_bytes()
        elif isinstance(part, str):
            part = part.encode()
        h.update(hashlib.sha256(part).digest())
    return h.hexdigest()[:16]


def recipe(*names):
    """The text of the programs that build it is an input as well."""
    return [ROOT / "tools/buildlib" / f"{n}.py" for n in (*names, "keep")]


def kept(kind, inputs, build):
    to = CACHE / "built" / f"{kind}-{key(inputs)}"
    to.parent.mkdir(parents=True, exist_ok=True)
    with open(to.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not to.exists():
            print(f"  BUILD   {kind}", file=sys.stderr, flush=True)
            tmp = pathlib.Path(tempfile.mkdtemp(prefix=f"{kind}-",
                                                dir=to.parent))
            try:
                build(tmp)
                tmp.chmod(0o755)
                tmp.rename(to)
            finally:
                shutil.rmtree(tmp, ignore_errors=True)
    return to


def run(cmd, cwd, **env):
    """One step of a build; what it prints is shown when it fails."""
    r = subprocess.run([str(c) for c in cmd], cwd=cwd, text=True,
                       errors="replace", stdout=subprocess.PIPE,
                       stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT,
                       check=False,
                       env={**os.environ, "LC_ALL": "C", **env})
    if r.returncode:
        sys.exit(f"{r.stdout[-6000:]}\n{' '.join(map(str, cmd))}: "
                 f"error {r.returncode}")
    return r.stdout


def link(out, target):
    """out becomes a link to target, if it is not yet."""
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.is_symlink():
        if out.readlink() == target:
            return
        out.unlink()
    out.symlink_to(target)
