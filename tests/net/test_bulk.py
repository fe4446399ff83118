# SPDX-License-Identifier: BSD-2-Clause
"""Long lists: what loading and committing one takes, through the console, on a
whole box; time and memory grow as the list does, and no session notices how long
it is. The bounds are for a slow machine; the figures are printed (-s)."""
import re
import time

import pytest

from mailkit import Box, net

SIZES = [10_000, 100_000, 1_000_000]
NEEDS_KB = 2_500_000  # free, for the longest one
LEVELS = ["encrypt", "verify", "may", "clear",
          "verify match mx.{0} .{0} min-tls 1.3 on-fail defer",
          "pin sha256:{1:064x}"]


def domains(n):
    """n lines; each domain has its level by its number."""
    yield "default may\n"
    for i in range(n):
        name = f"{'.' * (i % 7 == 0)}customer-{i}.example"
        yield f"domain {name} {LEVELS[i % len(LEVELS)].format(name.lstrip('.'), i)}\n"


def kilobytes(pid, what):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(rf"{what}:\s+(\d+) kB", f.read()).group(1))


def free():
    with open("/proc/meminfo", encoding="ascii") as f:
        return int(re.search(r"MemAvailable:\s+(\d+)", f.read()).group(1))


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory):
    box = Box(tmp_path_factory.mktemp("lab"), "default may\n")
    yield box
    box.down()


@pytest.fixture(name="figures", scope="module")
def figures_fixture(lab):
    """{size: (seconds to load, to commit, peak of confd in KB, what relay has
    mapped in KB, seconds for one message)}, also for the empty list."""
    def measure(n):
        file = lab.folder / "list.conf"
        with file.open("w") as f:
            f.writelines(domains(n))
        text = file.stat().st_size
        confd, = lab.pids("confd")
        with open(f"/proc/{confd}/clear_refs", "w", encoding="ascii") as f:
            f.write("5")  # the peak begins anew
        times = [time.monotonic()]
        for command in (f"load replace {file}", "commit"):
            net.cli(command)
            times.append(time.monotonic())
        file.unlink()
        mx = lab.mx()
        before = time.monotonic()
        for i in range(10):
            r = lab.send(mx.address, [f"x@other-{i}.example"])
            assert r.final and r.final // 100 == 2
        message = (time.monotonic() - before) / 10
        mx.close()
        return (text, times[1] - times[0], times[2] - times[1],
                kilobytes(confd, "VmHWM"),
                kilobytes(lab.pids("relay")[0], "RssShmem"), message)

    out = {}
    for n in [0] + [s for s in SIZES if s < 1_000_000 or free() > NEEDS_KB]:
        out[n] = measure(n)
        print("\n%9d domains: %5.1f MB of text, load %5.2f s, commit %5.2f s, "
              "confd %7d KB, snapshot %7d KB, a message %4.1f ms" %
              (n, out[n][0] / 1e6, *out[n][1:5], 1000 * out[n][5]))
    return out


def test_seconds(figures):
    for n, (_, load, commit, *_) in figures.items():
        assert load + commit < 5 + n / 10_000, (n, load, commit)


def test_time_and_memory_grow_as_the_list(figures):
    sizes = sorted(figures)[1:]
    empty = figures[0]
    for small, large in zip(sizes, sizes[1:]):
        times = large // small
        a, b = figures[small], figures[large]
        # twice as much for each would be square: it is bounded well below
        assert b[1] + b[2] < 2 * times * (a[1] + a[2]) + 1
        assert b[3] - empty[3] < 1.5 * times * (a[3] - empty[3]) + 20_000
        # per domain: text, candidate, snapshot, and both once more while one
        # takes the place of the other
        assert b[3] - empty[3] < large * 2
        assert b[4] < large * 0.3 + 2000


def test_no_session_notices(figures):
    times = [f[5] for f in figures.values()]
    assert max(times) < 3 * times[0] + 0.05, times


def test_the_list_is_in_force(lab, figures):
    n = max(figures)
    for i in (0, 1, 5, n // 2, n - 1):
        name = f"customer-{i}.example"
        asked = "below." + name if i % 7 == 0 else name
        level = LEVELS[i % len(LEVELS)].split()[0]
        answer = net.cli(f"show domain {asked}")
        dot = "." * (i % 7 == 0)
        assert answer.startswith(f"domain {dot}{name} {level}"), answer
    assert net.cli(f"show domain customer-{n}.example").startswith(
        "default may")
    # one line more is a short edit, and off the list again
    with net.Cli() as cli:
        cli("configure")
        before = time.monotonic()
        cli("domain one-more.example encrypt")
        cli("no domain one-more.example")
        assert time.monotonic() - before < 5 + n / 20_000
        assert cli("do show compare") == "no difference"
    assert lab
