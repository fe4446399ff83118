# SPDX-License-Identifier: BSD-2-Clause
"""make bench: the box beside other ways to do it, as ratios of one run.

    direct    a veth pair, nothing between         bridge    a Linux bridge
    box       the box, clear or TLS by policy      haproxy   HAProxy, mode tcp
    client    the client does STARTTLS itself      stunnel   protocol = smtp
    postfix   a relay with a real queue, TLS outside

Client, everything between and server share this machine; absolute figures
move with it, so only ratios within one round count. A session carries one
message of 4 KiB (small) or 10 MiB (bulk); TLS 1.3, ECDSA P-256, the chain
verified, nothing resumed. Only messages that the sink has stored whole count.
A round in which other work used more than 5 % of the machine is thrown away
(after each measurement in it was tried three times), unless --noisy keeps it.

Writes bench.txt and bench.json in output/host/bench. Exit 0: everything was
measured and no message was lost, whether or not a target was reached.
"""
import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass
from typing import Callable

from . import net
from . import bench_load as bl
from .bench_paths import HERE, Paths

CLEAR = ("direct", "bridge", "box", "haproxy")
TLS = ("box", "client", "stunnel", "postfix")
SECONDS = {"raw": 1.5, "clear-bulk": 1.5, "clear-small": 1.5, "clear-one": 1,
           "clear-cost": 1, "tls-small": 2, "tls-bulk": 2}
IDLE_MEMORY, IDLE_OPEN = 500, (1, 500, 4000)
DOMAINS = (1, 100000, 1000000)
# What a longer list may add to one recipient: some words that are not in a
# cache, and never a walk; a small session costs several hundred times this.
FLAT_NS = 1000


@dataclass
class Figure:
    """One line of the table: what, from a round; and what it should be."""

    key: str
    text: str
    target: str
    of: Callable  # round -> value
    reached: Callable
    needs: tuple = ()  # (load, path), or a word for what is measured otherwise
    unit: str = ""
    digits: int = 2


def ratio(load, a, b, what="rate"):
    return lambda r: r[load, a][what] / r[load, b][what]


def both(load, a, b):
    return ((load, a), (load, b))


def at_least(x):
    return lambda v: v >= x


def at_most(x):
    return lambda v: v <= x


FIGURES = [
    Figure("raw", "not mail, bulk TCP: box / bridge", ">= 1.0",
           ratio("raw", "box", "bridge", "octets_rate"), at_least(1.0),
           both("raw", "box", "bridge")),
    Figure("clear-bulk", "clear, bulk, 4 clients: box / direct", ">= 0.5",
           ratio("clear-bulk", "box", "direct", "octets_rate"), at_least(0.5),
           both("clear-bulk", "box", "direct")),
    Figure("clear-small", "clear, small, 32 clients: box / HAProxy",
           ">= 1.0", ratio("clear-small", "box", "haproxy"), at_least(1.0),
           both("clear-small", "box", "haproxy")),
    Figure("tls-small", "TLS, small, 32 clients: box / stunnel", ">= 1.0",
           ratio("tls-small", "box", "stunnel"), at_least(1.0),
           both("tls-small", "box", "stunnel")),
    Figure("tls-bulk", "TLS, bulk, 4 clients: box / stunnel", ">= 0.7",
           ratio("tls-bulk", "box", "stunnel", "octets_rate"), at_least(0.7),
           both("tls-bulk", "box", "stunnel")),
    Figure("tls-postfix", "TLS, small, 32 clients: box / Postfix relay",
           ">= 1.5", ratio("tls-small", "box", "postfix"), at_least(1.5),
           both("tls-small", "box", "postfix")),
    Figure("cpu", "CPU of a small TLS session, less the library's handshake",
           "<= 0.8 ms",
           lambda r: (r["tls-small", "box"]["cpu_us"] - r["handshake"]) / 1e3,
           at_most(0.8), (("tls-small", "box"), "handshake"), "ms"),
    Figure("latency", "one clear session: p50 box - p50 direct", "<= 1.0 ms",
           lambda r: (r["clear-one", "box"]["p50"]
                      - r["clear-one", "direct"]["p50"]) / 1e3,
           at_most(1.0), both("clear-one", "box", "direct"), "ms"),
    Figure("memory", f"an idle TLS session of {IDLE_MEMORY}, PSS of all",
           "<= 64 KiB", lambda r: r["memory"], at_most(64), ("memory",),
           "KiB", 1),
    Figure("decide", "RCPT decision, 1 000 000 domains - 1 domain",
           "flat: <= 1 us",
           lambda r: r["decide"][DOMAINS[-1]] - r["decide"][DOMAINS[0]],
           at_most(FLAT_NS), ("decide",), "ns", 0),
    Figure("open", "CPU of a session with 4000 / 1 idle ones open", "<= 1.5",
           lambda r: r["open"][IDLE_OPEN[-1]]["cpu_us"]
           / r["open"][IDLE_OPEN[0]]["cpu_us"], at_most(1.5), ("open",)),
]
# Seen beside the figures, when nothing was left out.
EXTRA = [("clear-small", p) for p in CLEAR] + \
    [("clear-bulk", p) for p in CLEAR] + \
    [("clear-one", p) for p in CLEAR] + \
    [("tls-small", p) for p in TLS] + \
    [("tls-bulk", p) for p in TLS if p != "postfix"]


def wanted(keys):
    """What a round measures, in the order in which paths take turns."""
    figures = [f for f in FIGURES if not keys or f.key in keys]
    needs = {n for f in figures for n in f.needs}
    if not keys:
        needs |= set(EXTRA)
    pairs = [(l, p) for l in bl.LOADS for p in bl.PATHS if (l, p) in needs]
    return figures, pairs, needs


def one_round(paths, pairs, needs, say):
    """{(load, path) or word: result} and the worst noise."""
    r = {}
    paths.box_start()
    try:
        if "memory" in needs:  # on programs that have carried nothing yet
            r["memory"] = bl.idle_memory(paths, IDLE_MEMORY)
            say(f"memory {r['memory']:.1f} KiB")
        for load, path in pairs:
            m = r[load, path] = bl.measure(paths, load, path, SECONDS[load])
            say(f"{load:11} {path:8} {m['rate']:8.1f}/s "
                f"{m['octets_rate'] / 1e6:7.1f} MB/s p50 {m['p50']:7} us "
                f"cpu {m['cpu_us']:8.1f} us  others {m['noise']:.1%}")
        if "handshake" in needs:
            r["handshake"] = bl.handshake_us(paths)
            say(f"handshake {r['handshake']:.0f} us")
        if "decide" in needs:
            r["decide"] = bl.decision_ns(DOMAINS)
            say(f"decide {r['decide']}")
        if "open" in needs:
            r["open"] = bl.session_cost(paths, IDLE_OPEN, SECONDS["clear-cost"])
            say("open " + ", ".join(f"{n}: {m['cpu_us']} us"
                                    for n, m in r["open"].items()))
    finally:
        paths.box_stop()
    loads = [m for k, m in r.items() if isinstance(k, tuple)]
    loads += list(r.get("open", {}).values())
    return r, max((m["noise"] for m in loads), default=0.0)


def run_rounds(args, pairs, needs):
    """Rounds that count, and how many were thrown away."""
    kept, thrown = [], 0
    paths = Paths()
    try:
        paths.open()
        while len(kept) < args.rounds:
            n = len(kept) + thrown + 1
            say = (lambda t: print(f"  {n}: {t}", flush=True)) \
                if args.verbose else (lambda t: None)
            r, noise = one_round(paths, pairs, needs, say)
            noisy = noise > bl.OTHERS_MAX
            print(f"round {n}: other work {noise:.1%} at most"
                  + (", kept all the same" if noisy and args.noisy else
                     ", thrown away" if noisy else ""), flush=True)
            if noisy and not args.noisy:
                thrown += 1
                if thrown > args.rounds:
                    raise net.LabError(
                        "the machine is too busy: nothing can be measured "
                        "(--noisy keeps such rounds)")
                continue
            kept.append((r, noise))
    finally:
        paths.close()
    return kept, thrown


# --- what is told ------------------------------------------------------------

def spread(values, digits):
    return (f"{statistics.median(values):.{digits}f}",
            f"({min(values):.{digits}f} .. {max(values):.{digits}f})")


def columns(rows):
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return ["  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip()
            for r in rows]


def figure_rows(figures, rounds):
    rows, facts = [("figure", "median", "(min .. max)", "", "target", "")], {}
    for f in figures:
        values = [f.of(r) for r in rounds]
        ok = f.reached(statistics.median(values))
        median, between = spread(values, f.digits)
        rows.append((f.text, median, between, f.unit, f.target,
                     "reached" if ok else "NOT REACHED"))
        facts[f.key] = {"text": f.text, "values": values, "unit": f.unit,
                        "median": statistics.median(values),
                        "target": f.target, "reached": ok}
    return rows, facts


def path_rows(pairs, rounds):
    rows = [("load", "path", "sessions/s", "(min .. max)", "MB/s", "p50 us",
             "p99 us", "CPU between, us")]
    for pair in pairs:
        m = [r[pair] for r in rounds]
        med = {k: statistics.median(x[k] for x in m) for k in
               ("octets_rate", "p50", "p99", "cpu_us")}
        rows.append((*pair, *spread([x["rate"] for x in m], 1),
                     f"{med['octets_rate'] / 1e6:.1f}", f"{med['p50']:.0f}",
                     f"{med['p99']:.0f}", f"{med['cpu_us']:.0f}"
                     if pair[1] in bl.MIDDLE else "-"))
    return rows


def growth_lines(rounds):
    lines = []
    if "handshake" in rounds[0]:
        m, s = spread([r["handshake"] for r in rounds], 0)
        lines.append(f"handshake of the library: {m} us {s}")
    if "decide" in rounds[0]:
        lines.append("RCPT decision: " + ", ".join(
            f"{n} domains {spread([r['decide'][n] for r in rounds], 0)[0]} ns"
            for n in DOMAINS))
    if "open" in rounds[0]:
        lines.append("CPU of a small clear session: " + ", ".join(
            f"{n} idle "
            f"{spread([r['open'][n]['cpu_us'] for r in rounds], 0)[0]} us"
            for n in IDLE_OPEN))
    return lines


def report(args, figures, pairs, kept, thrown, took):
    rounds = [r for r, _ in kept]
    noisy = sum(n > bl.OTHERS_MAX for _, n in kept)
    rows, facts = figure_rows(figures, rounds)
    head = (f"{len(kept)} rounds, {thrown} thrown away, {noisy} kept although "
            f"other work used more than {bl.OTHERS_MAX:.0%} of the machine; "
            f"{took:.0f} s")
    text = "\n".join([head, "", *columns(rows), "",
                      *(columns(path_rows(pairs, rounds)) if pairs else []),
                      *growth_lines(rounds)]) + "\n"
    print("\n" + text)
    name = args.output
    (HERE / f"{name}.txt").write_text(text)
    (HERE / f"{name}.json").write_text(json.dumps(
        {"rounds": len(kept), "thrown": thrown, "noisy": noisy,
         "seconds": round(took), "figures": facts,
         "raw": [{"/".join(k) if isinstance(k, tuple) else k: v
                  for k, v in r.items()} for r in rounds]}, indent=1) + "\n")


def main():
    p = argparse.ArgumentParser(
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--noisy", action="store_true",
                   help="keep rounds that other work disturbed, and say so")
    p.add_argument("--verbose", action="store_true",
                   help="every measurement as it is made")
    p.add_argument("--only", nargs="+", default=[],
                   choices=[f.key for f in FIGURES], metavar="FIGURE",
                   help=" ".join(f.key for f in FIGURES))
    p.add_argument("--output", default="bench", help="name of the files")
    args = p.parse_args()
    figures, pairs, needs = wanted(args.only)
    began = time.monotonic()
    try:
        kept, thrown = run_rounds(args, pairs, needs)
    except (net.LabError, OSError) as error:
        sys.exit(f"bench: {error}")
    report(args, figures, pairs, kept, thrown, time.monotonic() - began)
