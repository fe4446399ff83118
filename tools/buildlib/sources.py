# SPDX-License-Identifier: BSD-2-Clause
"""Third-party sources by config/sources.lock: names, download, unpacking.

Files come from the Debian archive through the machine's own apt: its mirror,
its proxy settings, its archive keys. Only the suite is ours (SUITES below),
with an index of our own, so the machine's package lists stay as they are.
Each file must have the size and SHA-256 of the lock. If the archive no longer
has a pinned file (a security update replaced it), the newest one of the same
upstream series that the signed index vouches for is taken, said, and recorded
in replaced.json beside the files, so that the next build takes it as well.

Cache: $CACHE_DIR, default ${XDG_CACHE_HOME:-~/.cache}/sealwire. Once a file is
there no network is used.
"""
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SUITES = {"main": "trixie", "security": "trixie-security"}
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CACHE = pathlib.Path(os.environ.get("CACHE_DIR") or pathlib.Path(
    os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sealwire")
FIELDS = ("name", "version", "role", "path", "size", "sha256", "licence",
          "cpe")
# How the files of a role are called in the archive.
TAIL = {"orig": ".orig.tar.", "debian": ".debian.tar.", "deb": "_all.deb",
        "tarball": "_all.deb"}


def die(text):
    sys.exit(f"fetch: {text}")


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            h.update(block)
    return h.hexdigest()


def good(path, size, sha256):
    return (path.exists() and path.stat().st_size == int(size)
            and digest(path) == sha256)


def replaced():
    """{path of the lock: the entry that was taken instead}"""
    file = CACHE / "replaced.json"
    return json.loads(file.read_text()) if file.exists() else {}


def entries(names=()):
    """The lines of the lock as they count here, in order."""
    found, instead = [], replaced()
    lock = ROOT / "config/sources.lock"
    for n, line in enumerate(lock.read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) != len(FIELDS) or words[2] not in TAIL:
            die(f"{lock.name} line {n}: not \"{' '.join(FIELDS)}\"")
        e = dict(zip(FIELDS, words))
        found.append(instead.get(e["path"], e))
    missing = set(names) - {e["name"] for e in found}
    if missing:
        die(f"not in sources.lock: {' '.join(sorted(missing))}")
    return [e for e in found if not names or e["name"] in names]


def of_board(board):
    """The lines of the lock for what is on this board: not for what runs below
    U-Boot on another one (buildlib/loader.py)."""
    words = {f.parent.name: re.search(r"^monitor\s+(\S+)", f.read_text(), re.M)[1]
             for f in ROOT.glob("board/*/loader")}
    others = set(words.values()) - {words.get(board)}
    return [e for e in entries() if e["name"] not in others]


def patches(name):
    """Our patches for the version of the lock, and no other."""
    first = entries([name])[0]
    return sorted((ROOT / "config/patches").glob(
        f"{name}-{first['version']}-*.patch"))


def folder(name):
    """Where the source is, or would be, unpacked. The name tells all that went
    in: the files of the lock and our patches."""
    parts = entries([name])
    key = hashlib.sha256("".join([e["sha256"] for e in parts] + [
        digest(p) for p in patches(name)]).encode()).hexdigest()
    return CACHE / "src" / f"{name}-{parts[0]['version']}-{key[:12]}"


class Apt:
    """A private apt state with source and package indexes of our suites."""

    def __init__(self):
        self.dir = CACHE / "apt"
        for d in ("lists/partial", "cache/archives/partial"):
            (self.dir / d).mkdir(parents=True, exist_ok=True)
        sites = self.sites()
        lines = [f"{kind} [signed-by={KEYRING}] {site} {SUITES[suite]} main"
                 for suite, site in sites.items()
                 for kind in ("deb-src", "deb")]
        (self.dir / "sources.list").write_text("\n".join(lines) + "\n")
        (self.dir / "apt.conf").write_text(
            f'Dir::State "{self.dir}";\nDir::State::Lists "{self.dir}/lists";\n'
            f'Dir::Cache "{self.dir}/cache";\n'
            f'Dir::Etc::SourceList "{self.dir}/sources.list";\n'
            'Dir::Etc::SourceParts "-";\n')
        self.run("apt-get", "update", "-qq")
        self.site = sites["main"], sites.get("security", sites["main"])

    @staticmethod
    def sites():
        """The mirrors that this machine's own apt uses for Debian."""
        out = subprocess.run(
            ["apt-get", "indextargets", "--format",
             "$(SITE) $(CODENAME) $(LABEL) $(ORIGIN) $(RELEASE)"],
            capture_output=True, text=True, check=False).stdout
        found = {}
        for line in out.splitlines():
            if "Debian" not in line:
                continue
            site, rest = line.split(" ", 1)
            kind = "security" if "security" in rest.lower() else "main"
            found.setdefault(kind, site)
        if "main" not in found:
            die("apt knows no Debian archive; run 'apt-get update' first")
        return found

    def run(self, *cmd):
        r = subprocess.run([*cmd[:1], "-c", self.dir / "apt.conf", *cmd[1:]],
                           capture_output=True, text=True, check=False)
        if r.returncode:
            die(f"{' '.join(cmd)}: {r.stderr.strip()}")
        return r.stdout

    def sources(self, name):
        """{path: (size, sha256)} of the files of a source package."""
        files = {}
        for stanza in self.run("apt-cache", "showsrc", name).split("\n\n"):
            m = re.search(r"^Directory: (\S+)", stanza, re.M)
            sums = re.search(r"^Checksums-Sha256:\n((?: .*\n?)+)", stanza, re.M)
            if not m or not sums:
                continue
            for line in sums.group(1).splitlines():
                sha, size, file = line.split()
                files[f"{m.group(1)}/{file}"] = (size, sha)
        return files

    def package(self, name):
        """{path: (size, sha256)} of a binary package in all its versions."""
        files = {}
        for stanza in self.run("apt-cache", "show", name).split("\n\n"):
            f = dict(re.findall(r"^(Filename|Size|SHA256): (\S+)", stanza,
                                re.M))
            if len(f) == 3:
                files[f["Filename"]] = (f["Size"], f["SHA256"])
        return files

    def vouched(self, entry):
        """What may stand in for entry: same role, same upstream series, newest
        first."""
        base = os.path.basename(entry["path"])
        files = self.package(base.split("_")[0]) if TAIL[entry["role"]] == "_all.deb" \
            else self.sources(entry["name"])
        series = re.match(r"\d+\.\d+|", entry["version"])[0]
        same = re.compile((rf"_{re.escape(series)}[.+-].*" if series else "_.*")
                          + re.escape(TAIL[entry["role"]]))
        pick = [(p, *s) for p, s in files.items()
                if same.search("_" + os.path.basename(p).split("_", 1)[1])]
        return sorted(pick, reverse=True, key=lambda p: [
            int(n) for n in re.findall(r"\d+", os.path.basename(p[0]))])

    def download(self, path, size, sha256, to):
        for site in dict.fromkeys(self.site):
            tmp = to.with_suffix(".part")
            r = subprocess.run(["/usr/lib/apt/apt-helper", "download-file",
                                f"{site}/{path}", str(tmp),
                                f"SHA256:{sha256}"],
                               capture_output=True, text=True, check=False)
            if r.returncode == 0 and good(tmp, size, sha256):
                tmp.rename(to)
                return True
            tmp.unlink(missing_ok=True)
        return False


def replace(entry, path, size, sha256):
    version = re.search(r"_([0-9.]+[0-9])", os.path.basename(path)).group(1)
    print(f"fetch: {entry['path']} is gone; took {path}, which apt's "
          "signed index vouches for", file=sys.stderr)
    taken = dict(entry, path=path, size=size, sha256=sha256, version=version)
    (CACHE / "replaced.json").write_text(json.dumps(
        {**replaced(), entry["path"]: taken}, indent=1))
    return taken


def download(entry, apt):
    """Have the file of entry in the cache. Returns the entry that counts."""
    to = CACHE / "dl" / os.path.basename(entry["path"])
    if good(to, entry["size"], entry["sha256"]):
        return entry
    to.parent.mkdir(parents=True, exist_ok=True)
    a = apt()
    if a.download(entry["path"], entry["size"], entry["sha256"], to):
        return entry
    for path, size, sha256 in a.vouched(entry):
        to = CACHE / "dl" / os.path.basename(path)
        if good(to, size, sha256) or a.download(path, size, sha256, to):
            return replace(entry, path, size, sha256)
    die(f"{entry['path']}: not in the archive, and no other of its series "
        "either (is the network there?)")


def extract(entry, into):
    file = CACHE / "dl" / os.path.basename(entry["path"])
    if entry["role"] == "deb":
        subprocess.run(["dpkg-deb", "-x", file, into], check=True)
        return
    if entry["role"] == "tarball":
        subprocess.run(
            f"dpkg-deb --fsys-tarfile '{file}' | tar -xO --wildcards "
            f"'./usr/src/*.tar.xz' | tar -xJ --strip-components=1 -C '{into}'",
            shell=True, check=True)
        return
    strip = ["--strip-components=1"] if entry["role"] == "orig" else []
    subprocess.run(["tar", "-xf", file, "-C", into, *strip], check=True)


def unpack(name):
    to = folder(name)
    if to.exists():
        return to
    to.parent.mkdir(parents=True, exist_ok=True)
    tmp = pathlib.Path(tempfile.mkdtemp(dir=to.parent))
    for entry in entries([name]):
        extract(entry, tmp)
    series = tmp / "debian/patches/series"
    lines = series.read_text().splitlines() if series.exists() else []
    order = [tmp / "debian/patches" / line.split("#")[0].split()[0]
             for line in lines if line.split("#")[0].split()]
    for patch in [*order, *patches(name)]:
        subprocess.run(["patch", "-sp1", "-d", tmp, "-i", patch], check=True)
    tmp.chmod(0o755)
    tmp.rename(to)
    return to


def get(names=(), source=True, files=False):
    """{name: unpacked folder}. With files, have the files as well even where they
    are unpacked already; without source, nothing but the files."""
    CACHE.mkdir(parents=True, exist_ok=True)
    state = []

    def apt():
        if not state:
            state.append(Apt())
        return state[0]

    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = dict.fromkeys(e["name"] for e in entries(names))
        for entry in entries(names):
            if files or not folder(entry["name"]).exists():
                download(entry, apt)
        shutil.rmtree(CACHE / "apt", ignore_errors=True)
        return {n: unpack(n) if source else None for n in wanted}
