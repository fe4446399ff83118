# SPDX-License-Identifier: BSD-2-Clause
"""Look at a wire: capture a port of a namespace, search it, show a session.

An ordinary packet socket, not the box's own eyes: what it says about P1 does
not depend on anything that the box believes.
"""
import base64
import functools
import socket
import struct
import subprocess
import time

from . import net


class Capture:
    """Frames of one interface, by tcpdump into a file."""

    def __init__(self, space, dev, file):
        self.file = file
        file.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", net.SPACES[space], "tcpdump", "-i", dev,
             "-s", "0", "-B", "65536", "-U", "-Z", "root", "-w", str(file)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        self.process.stderr.readline()  # "listening on": it has begun

    def stop(self):
        time.sleep(0.3)
        self.process.terminate()
        self.process.communicate()
        return Frames(self.file)


class Frames:
    """A captured file, or what of it comes after `start`; `end` is where the next
    look begins."""

    HEAD = 24  # of the file

    def __init__(self, file, start=HEAD):
        self.packets, self.end = [], start
        if not file.exists():
            return
        with open(file, "rb") as f:
            f.seek(start)
            data = f.read()
        at = 0
        while at + 16 <= len(data):
            n = struct.unpack_from("<I", data, at + 8)[0]
            if at + 16 + n > len(data):
                break  # being written
            self.packets.append(data[at + 16:at + 16 + n])
            at += 16 + n
        self.end = start + at

    def contains(self, *canaries):
        """Which of them are there: raw or in base64 at each alignment (quoted-
        printable leaves letters, digits and hyphens as they are), in one frame
        or over the segments of a stream."""
        return [c for c in canaries
                if any(f in self.everything for f in forms(c))]

    @functools.cached_property
    def everything(self):
        return b"\0\0".join([*self.packets, *self.streams.values()])

    @functools.cached_property
    def streams(self):
        """{(source, port, destination, port): octets}, by sequence numbers."""
        out = {}
        for p in self.packets:
            t = tcp_of(p)
            if t and t[5]:
                out.setdefault(t[:4], {})[t[4]] = t[5]
        return {k: joined(v) for k, v in out.items()}

    def conversation(self, client, port, server):
        """("C" or "S", octets) in the order in which they were seen."""
        ways = {(client, port, server, 25): "C", (server, 25, client, port): "S"}
        turns, seen = [], {}
        for t in filter(None, map(tcp_of, self.packets)):
            who = ways.get(t[:4])
            if not who or not t[5]:
                continue
            new = t[5][max(0, seen.get(who, t[4]) - t[4]):]
            seen[who] = max(seen.get(who, 0), t[4] + len(t[5]))
            if turns and turns[-1][0] == who:
                new = turns.pop()[1] + new
            if new:
                turns.append((who, new))
        return turns


def forms(canary):
    yield canary.encode()
    for pad in range(3):
        b = base64.b64encode(b"\0" * pad + canary.encode())
        yield b[4 if pad else 0:-4]


def joined(parts):
    """Segments by sequence number; what came twice counts once."""
    out, at = [], 0
    for seq in sorted(parts):
        out.append(parts[seq][max(0, at - seq):])
        at = max(at, seq + len(parts[seq]))
    return b"".join(out)


def tcp_of(p):
    """(src, sport, dst, dport, seq, payload) or None."""
    kind = struct.unpack_from("!H", p, 12)[0]
    if kind == 0x0800 and p[23] == 6:
        ip, head = 14, (p[14] & 15) * 4
        end = ip + struct.unpack_from("!H", p, 16)[0]
        src, dst = (socket.inet_ntop(socket.AF_INET, p[o:o + 4])
                    for o in (26, 30))
    elif kind == 0x86dd and p[20] == 6:
        ip, head = 14, 40
        end = ip + 40 + struct.unpack_from("!H", p, 18)[0]
        src, dst = (socket.inet_ntop(socket.AF_INET6, p[o:o + 16])
                    for o in (22, 38))
    else:
        return None
    t = ip + head
    sport, dport, seq = struct.unpack_from("!HHI", p, t)
    return src, sport, dst, dport, seq, p[t + (p[t + 12] >> 4) * 4:end]
