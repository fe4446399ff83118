# SPDX-License-Identifier: BSD-2-Clause
"""One measurement: load on a path, and who used the processor meanwhile."""
import json
import os
import pathlib
import resource
import select
import subprocess
import time

from . import net
from .bench_paths import (BEHIND_PROXY, BOX, BRIDGE, CLEAR_PORT, DIRECT,
                          HAPROXY_PORT, HERE, PROXY, RAW_PORT, STUNNEL_PORT,
                          TLS_PORT, pids_of)

HZ = os.sysconf("SC_CLK_TCK")
OTHERS_MAX = 0.05  # of the machine
TRIES = 3

# path -> what a client calls for clear mail, for TLS outside, for no mail
PATHS = {
    "direct": ((DIRECT, CLEAR_PORT), None, (DIRECT, RAW_PORT)),
    "bridge": ((BRIDGE, CLEAR_PORT), None, (BRIDGE, RAW_PORT)),
    "box": ((BOX, CLEAR_PORT), (BOX, TLS_PORT), (BOX, RAW_PORT)),
    "haproxy": ((PROXY, HAPROXY_PORT), None, None),
    "client": (None, (DIRECT, TLS_PORT), None),
    "stunnel": (None, (PROXY, STUNNEL_PORT), None),
    "postfix": (None, (PROXY, 25), None),
}
LOADS = {
    "raw": ["--raw", "--octets", str(64 << 20), "--clients", "4"],
    "clear-bulk": ["--octets", str(10 << 20), "--clients", "4"],
    "clear-small": ["--clients", "32"],
    "clear-one": ["--clients", "1"],
    "clear-cost": ["--clients", "8"],
    "tls-small": ["--clients", "32"],
    "tls-bulk": ["--octets", str(10 << 20), "--clients", "4"],
}
# Programs by what they are called, and which belong to which path.
MIDDLE = {"box": ("box", None), "haproxy": ("proxy", {"haproxy"}),
          "stunnel": ("proxy", {"stunnel4", "stunnel"}),
          "postfix": ("proxy", None)}


class Failed(net.LabError):
    """A message was lost, or a session failed."""


def target(load, path):
    """(address, port), port of the sink behind it."""
    kind = 2 if load == "raw" else 1 if load.startswith("tls") else 0
    return PATHS[path][kind], (CLEAR_PORT, TLS_PORT, RAW_PORT)[kind]


def command(paths, load, path, *options):
    (address, port), sink = target(load, path)
    domain = "sink.test" if load.startswith("tls") else "clear.test"
    own = ["--tls", str(paths.authority.cert_file)] * (path == "client")
    return ["ip", "netns", "exec", net.SPACES["mail"], str(HERE / "gen"),
            "--to", address, "--port", str(port), "--stat",
            str(paths.sinks[sink]), "--domain", domain, *LOADS[load], *own,
            *options]


# --- the kernel's accounts ---------------------------------------------------

def ticks(pid):
    """Of a process and of those it has waited for; 0: it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return sum(map(int, text.rpartition(")")[2].split()[11:15]))


def kernel_threads():
    """Those that carry frames: theirs is the load's time as well."""
    found = []
    for p in pathlib.Path("/proc").iterdir():
        try:
            if p.name.isdigit() and \
                    (p / "comm").read_text().startswith("ksoftirqd"):
                found.append(int(p.name))
        except OSError:
            pass
    return found


def ours():
    """{pid: (space, name)} of everything that the measurement runs."""
    found = {p: ("kernel", "") for p in kernel_threads()}
    for space in net.SPACES:
        found |= {p: (space, n) for p, n in pids_of(space).items()}
    return found


def machine():
    """(busy, all) ticks of the whole machine."""
    with open("/proc/stat") as f:
        t = [int(x) for x in f.readline().split()[1:9]]
    return sum(t) - t[3] - t[4], sum(t)


def own_seconds():
    return sum(sum(resource.getrusage(w)[:2]) for w in
               (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


class Account:
    """From here to close(): who used how much."""

    def __init__(self, aside=()):
        self.aside = set(aside)  # pids that idle beside: not the middle's
        self.before = {p: ticks(p) for p in ours()}
        self.own, self.machine = own_seconds(), machine()
        self.seconds, self.noise = {}, 0.0

    def close(self):
        busy, total = (b - a for a, b in zip(self.machine, machine()))
        all_of = ours()
        used = own_seconds() - self.own
        for pid, who in all_of.items():
            s = (ticks(pid) - self.before.get(pid, 0)) / HZ
            self.seconds[who] = self.seconds.get(who, 0.0) + s
            used += s
        self.noise = max(0.0, (busy / HZ - used) / (total / HZ))
        return self

    def middle(self, path):
        """Seconds of the programs between client and server."""
        if path not in MIDDLE:
            return 0.0
        space, names = MIDDLE[path]
        return sum(s for (sp, n), s in self.seconds.items()
                   if sp == space and (n in names if names else
                                       space == "box" or
                                       n not in ("haproxy", "stunnel4",
                                                 "stunnel")))

    def by_name(self, space):
        return {n: round(s, 2) for (sp, n), s in self.seconds.items()
                if sp == space and s > 0}


# --- measurements --------------------------------------------------------------

def measure(paths, load, path, seconds):
    """One load on one path; tried again while others disturb it."""
    for _ in range(TRIES):
        account = Account()
        run = subprocess.run(command(paths, load, path, "--seconds",
                                     str(seconds)),
                             capture_output=True, text=True, check=False)
        account.close()
        paths.check()
        if run.returncode:
            raise Failed(f"{load} by {path}: {run.stderr.strip()}")
        got = json.loads(run.stdout)
        middle = account.middle(path)
        got |= {"load": load, "path": path, "noise": round(account.noise, 4),
                "cpu_us": round(middle * 1e6 / got["sessions"], 1),
                "cpu": {s: account.by_name(s) for s in
                        ("box", "proxy", "net")}}
        if account.noise <= OTHERS_MAX:
            break
    return got


class Idle:
    """Sessions that are held open after EHLO, in a with statement."""

    def __init__(self, paths, load, path, n):
        self.n = n
        self.process = subprocess.Popen(
            command(paths, load, path, "--clients", str(n), "--idle"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        line = self.process.stdout.readline() if ready else ""
        if line != f"ready {self.n}\n":
            self.process.kill()
            raise Failed(f"{self.n} idle sessions: "
                         f"{line or self.process.stderr.read()}")
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.process.kill()
        _, errors = self.process.communicate()
        if not kind and self.process.returncode:
            raise Failed(f"idle sessions ended: {errors.strip()}")


def pss(space):
    """KiB of memory that the programs of a namespace stand for."""
    total = 0
    for p in pids_of(space):
        with open(f"/proc/{p}/smaps_rollup") as f:
            total += sum(int(l.split()[1]) for l in f if l.startswith("Pss:"))
    return total


def sessions_gone(seconds=10):
    """Wait until the box has no session any more."""
    end = time.monotonic() + seconds
    while "sessions     now 0," not in net.cli("show status"):
        if time.monotonic() > end:
            raise net.LabError("sessions stay:\n" + net.cli("show status"))
        time.sleep(0.05)


def idle_memory(paths, n):
    """KiB for each of n idle TLS sessions, over those of the first few."""
    with Idle(paths, "tls-small", "box", 4):
        before = pss("box")
        with Idle(paths, "tls-small", "box", n):
            after = pss("box")
    sessions_gone()
    return (after - before) / n


def session_cost(paths, idle, seconds):
    """{sessions open: the measurement of sessions beside them}."""
    found = {}
    for n in idle:
        with Idle(paths, "clear-one", "box", n):
            found[n] = measure(paths, "clear-cost", "box", seconds)
        sessions_gone()
    return found


def tool(*command_):
    run = subprocess.run([str(c) for c in command_], capture_output=True,
                         text=True, check=False)
    if run.returncode:
        raise Failed(run.stderr.strip())
    return run.stdout


def handshake_us(paths):
    return float(tool(HERE / "handshake", paths.authority.cert_file,
                      *paths.cert))


def decision_ns(domains):
    out = tool(HERE / "decide", *domains)
    return {int(a): float(b) for a, b in map(str.split, out.splitlines())}
