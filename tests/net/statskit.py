# SPDX-License-Identifier: BSD-2-Clause
"""The statistics of a program as its owner writes them. Where things lie is
asked of the compiler: firmware/ipc/stats.h is a struct as it lies."""
import functools
import json
import mmap
import pathlib
import socket
import struct
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]

PROGRAM = r"""
#include <stddef.h>
#include <stdio.h>
#include "ipc/stats.h"
#define AT(m) printf("\"%s\": %zu, ", #m, offsetof(struct stats, m));
#define IN(t, m) printf("\"%s.%s\": %zu, ", #t, #m, offsetof(struct t, m));
#define SIZE(t) printf("\"%s\": %zu, ", #t, sizeof(struct t));
int main(void)
{
	printf("{");
	AT(pid) AT(started_ms) AT(snapshot) AT(counter) AT(log_seq) AT(log)
	AT(refusal) AT(refusal_seq) AT(ports_up) AT(intercepting)
	AT(flash_size) AT(flash_free) AT(memory_free) AT(clock)
	AT(reload_ms) AT(notice) AT(image) AT(past.minute)
	AT(past.counter) AT(session) AT(domain)
	SIZE(stats) SIZE(stats_log) SIZE(stats_refusal) SIZE(stats_session)
	SIZE(stats_domain)
	IN(stats_session, flow) IN(stats_session, inbound)
	IN(stats_session, client)
	IN(stats_session, server) IN(stats_session, since_ms)
	IN(stats_session, octets) IN(stats_session, messages)
	IN(stats_session, tls_version) IN(stats_session, chain)
	IN(stats_session, suite) IN(stats_session, phase)
	IN(stats_session, domain)
	IN(stats_domain, domain) IN(stats_domain, taken_ms)
	IN(stats_domain, taken_server) IN(stats_domain, tls_version)
	IN(stats_domain, chain) IN(stats_domain, suite)
	IN(stats_domain, refused_ms) IN(stats_domain, refused_n)
	IN(stats_domain, refused_server) IN(stats_domain, code)
	IN(stats_domain, result) IN(stats_domain, why)
#define X(id, name, owner) printf("\"%s\": %d, ", name, CNT_##id);
	STATS_COUNTERS(X)
	printf("\"notices\": %d, \"notice_size\": %d, \"minutes\": %d, "
	       "\"counters\": %d, \"text\": %d, \"events\": %d}",
	       STATS_NOTICES, STATS_NOTICE, STATS_PAST, COUNTERS, STATS_TEXT,
	       STATS_EVENTS);
}
"""


@functools.lru_cache
def layout():
    with tempfile.TemporaryDirectory() as d:
        source, out = pathlib.Path(d, "layout.c"), pathlib.Path(d, "layout")
        source.write_text(PROGRAM)
        subprocess.run(["gcc", "-std=c11", "-I", ROOT / "firmware", "-o", out,
                        source], check=True)
        return json.loads(subprocess.run([out], check=True,
                                         capture_output=True).stdout)


def endpoint(address, port):
    ip = socket.inet_pton(socket.AF_INET6, address if ":" in address
                          else "::ffff:" + address)
    return ip + struct.pack("<H", port)


class Stats:
    """The memory behind fd."""

    def __init__(self, fd):
        self.at = layout()
        self.m = mmap.mmap(fd, self.at["stats"])

    def close(self):
        self.m.close()

    def put(self, where, fmt, *values):
        struct.pack_into("<" + fmt, self.m, where, *values)

    def text(self, where, size, text):
        self.m[where:where + size] = text.encode()[:size - 1].ljust(size, b"\0")

    def counter(self, name, value):
        self.put(self.at["counter"] + 8 * self.at[name], "Q", value)

    def log(self, severity, text, when=None):
        seq = struct.unpack_from("<Q", self.m, self.at["log_seq"])[0] + 1
        where = self.at["log"] + seq % self.at["events"] * self.at["stats_log"]
        self.put(where + 8, "QI", int((when or time.time()) * 1000), severity)
        self.text(where + 20, self.at["text"], text)
        self.put(where, "Q", seq)
        self.put(self.at["log_seq"], "Q", seq)

    def refusal(self, text):
        seq = struct.unpack_from("<Q", self.m, self.at["refusal_seq"])[0] + 1
        where = self.at["refusal"] + seq % 8 * self.at["stats_refusal"]
        self.put(where, "QQ", seq, int(time.time() * 1000))
        self.text(where + 16, self.at["text"], text)
        self.put(self.at["refusal_seq"], "Q", seq)

    def notice(self, which, text):
        size = self.at["notice_size"]
        self.text(self.at["notice"] + which * size, size, text)

    def image(self, text):
        self.text(self.at["image"], self.at["notice_size"], text)

    def record(self, kind, index, **members):
        """One of the sessions or domains."""
        where = self.at[kind] + index * self.at["stats_" + kind]
        for name, value in members.items():
            at = where + self.at[f"stats_{kind}.{name}"]
            if isinstance(value, str):
                self.m[at:at + len(value) + 1] = value.encode() + b"\0"
            elif isinstance(value, bytes):
                self.m[at:at + len(value)] = value
            elif isinstance(value, tuple):
                self.put(at, f"{len(value)}Q", *value)
            else:
                wide = name.endswith(("_ms", "_n"))
                small = name in ("tls_version", "chain", "code", "result")
                self.put(at, "Q" if wide else "H" if small else "I", value)
        self.put(where, "I", 1)
