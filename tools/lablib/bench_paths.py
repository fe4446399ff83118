# SPDX-License-Identifier: BSD-2-Clause
"""What can stand between a client and a server, all of it at the same time.

    sw-mail ---- eth0 ---- sw-box (the box) ------ eth0 ---- sw-net
            ---- bridge -- sw-bridge (a bridge) -- bridge --
            ---- wire ------------------------------ wire --
            ---- proxy --- sw-proxy (HAProxy, ------ proxy --
                           stunnel, Postfix)

The address that the client calls decides the path, the port of the sink what
it speaks: 25 offers STARTTLS, 2525 does not, 9000 is no mail at all. What
carries nothing uses no time, so the paths can take turns within seconds.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import time

from . import ca, net, peers

HERE = net.OUT / "bench"
MX = "mx.sink.test"
TLS_PORT, CLEAR_PORT, RAW_PORT = 25, 2525, 9000
DIRECT, BRIDGE, BOX = "10.78.0.1", "10.79.0.1", "198.51.100.10"
PROXY, BEHIND_PROXY = "10.80.0.1", "10.81.0.1"
HAPROXY_PORT, STUNNEL_PORT = 2501, 2502

HAPROXY_CONF = """global
    maxconn 4000
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen mail
    bind {PROXY}:{HAPROXY_PORT}
    server sink {BEHIND_PROXY}:{CLEAR_PORT}
"""
STUNNEL_CONF = """foreground = yes
pid =
debug = warning
output = {log}
[smtp]
client = yes
protocol = smtp
accept = {PROXY}:{STUNNEL_PORT}
connect = {BEHIND_PROXY}:{TLS_PORT}
verifyChain = yes
CAfile = {anchor}
checkHost = {MX}
"""
BOX_CONF = """intercept port {CLEAR_PORT} {TLS_PORT}
limit sessions 16384
limit sessions per-source 16384
limit half-open 1024
limit half-open per-source 1024
default may
domain clear.test clear
domain sink.test verify match {MX}
ca certificate
"""
POSTFIX = ["mynetworks = 127.0.0.0/8 10.80.0.0/24",
           "smtp_tls_security_level = secure",
           f"smtp_tls_secure_cert_match = {MX}"]


class Paths:
    """The topology and all programs of it; close() removes everything."""

    def __init__(self):
        net.SPACES.update(bridge="sw-bridge", proxy="sw-proxy")
        HERE.mkdir(parents=True, exist_ok=True)
        net.down(None)
        net.LAB.mkdir(parents=True, exist_ok=True)
        self.authority = ca.Authority()
        self.cert = self.authority.cert(MX)
        self.conf = HERE / "box.conf"
        self.conf.write_text(BOX_CONF.format(**globals())
                             + self.authority.pem())
        self.box_args = net.Choices(config=self.conf)
        self.mine = []
        self.postfix = None
        self.sinks = {}

    def open(self):
        net.build(self.box_args)
        extra_links()
        for port, options in (
                (TLS_PORT, ["--cert", self.cert[0], "--key", self.cert[1]]),
                (CLEAR_PORT, []), (RAW_PORT, ["--raw"])):
            self.sinks[port] = HERE / f"sink-{port}.stat"
            self.spawn("net", HERE / "sink", "--port", str(port), "--stat",
                       self.sinks[port], *options)
        self.haproxy()
        self.stunnel()
        self.relay()

    def spawn(self, space, *command):
        log = open(HERE / "programs.log", "ab")
        p = subprocess.Popen(
            ["ip", "netns", "exec", net.SPACES[space], *map(str, command)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.mine.append(p)
        return p

    def haproxy(self):
        conf = HERE / "haproxy.cfg"
        conf.write_text(HAPROXY_CONF.format(**globals()))
        self.spawn("proxy", "/usr/sbin/haproxy", "-db", "-f", conf)

    def stunnel(self):
        conf = HERE / "stunnel.conf"
        conf.write_text(STUNNEL_CONF.format(
            log=HERE / "stunnel.log", anchor=self.authority.cert_file,
            **globals()))
        self.spawn("proxy", "/usr/bin/stunnel4", conf)

    def relay(self):
        self.postfix = peers.Postfix(
            "relay.bench.test", "proxy", [PROXY],
            routes={"sink.test": BEHIND_PROXY},
            settings=[*POSTFIX,
                      f"smtp_tls_CAfile = {self.authority.cert_file}"])
        self.postfix.start()
        self.postfix.wait([PROXY])

    def box_start(self):
        (net.LAB / "box.log").write_text("")
        shutil.rmtree(net.STORE, ignore_errors=True)  # or that would count
        net.start_box(self.box_args)

    def box_stop(self):
        for p in pids_of("box"):
            try:
                os.kill(p, signal.SIGTERM)
            except ProcessLookupError:
                pass
        end = time.monotonic() + 5
        while pids_of("box"):
            if time.monotonic() > end:
                raise net.LabError("the box does not stop")
            time.sleep(0.02)

    def check(self):
        """LabError if a program that should run does not."""
        for p in self.mine:
            if p.poll() is not None:
                raise net.LabError(f"{' '.join(p.args[4:6])} has ended; see "
                                   f"{HERE}/programs.log")
        log = (net.LAB / "box.log").read_text(errors="replace")
        if "event=program-died" in log:
            raise net.LabError("a program of the box died:\n" + net.tail())

    def close(self):
        net.down(None)
        for p in self.mine:
            p.wait()
        if self.postfix and self.postfix.process:
            self.postfix.process.wait()


def link(a, a_if, a_addr, b, b_if, b_addr):
    net.ip("link", "add", a_if, "netns", net.SPACES[a], "type", "veth",
           "peer", "name", b_if, "netns", net.SPACES[b])
    for space, dev, addr in ((a, a_if, a_addr), (b, b_if, b_addr)):
        n = ["-n", net.SPACES[space]]
        if addr:
            net.ip(*n, "addr", "add", f"{addr}/24", "dev", dev)
        net.ip(*n, "link", "set", dev, "up")
        net.ip(*n, "link", "set", "lo", "up")


def extra_links():
    link("mail", "wire", "10.78.0.10", "net", "wire", DIRECT)
    link("mail", "bridge", "10.79.0.10", "bridge", "inside", None)
    link("net", "bridge", BRIDGE, "bridge", "outside", None)
    link("mail", "proxy", "10.80.0.10", "proxy", "inside", PROXY)
    link("net", "proxy", BEHIND_PROXY, "proxy", "outside", "10.81.0.10")
    b = ["-n", net.SPACES["bridge"]]
    net.ip(*b, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
    for dev in ("inside", "outside"):
        net.ip(*b, "link", "set", dev, "master", "br0")
    net.ip(*b, "link", "set", "br0", "up")
    # Thousands of sessions a second from one address: its ports must not
    # run out, on no path.
    for space in ("mail", "proxy"):
        net.sysctl(space, "net.ipv4.ip_local_port_range=1024 65535",
                   "net.ipv4.tcp_max_tw_buckets=1000")
    for space in ("mail", "net", "proxy"):
        net.sysctl(space, "net.core.somaxconn=4096")


def pids_of(space):
    """{pid: name} of a namespace."""
    found = {}
    for p in net.pids_in(net.SPACES[space]):
        try:
            found[p] = pathlib.Path(f"/proc/{p}/comm").read_text().strip()
        except OSError:
            pass
    return found
