# SPDX-License-Identifier: BSD-2-Clause
"""The lab: a box between a mail server and the world, in network namespaces.

    sw-mail  10.77.0.10/24 fd77::10/64      the organisation's mail server
    sw-box   ports inside and outside       the box; no address; and manage
    sw-admin 10.78.0.1/24 fd78::1/64        at the management port of the box
    sw-net   10.77.0.1/24 fd77::1/64, and all of 198.51.100.0/24 and
             2001:db8:25::/64               the world: any of them can be an MX

With --pair two boxes are back to back, and the world between them is a router:

    sw-mail - sw-box - sw-net - sw-box2 - sw-mail2

    sw-mail2 10.79.0.10/24 fd79::10/64      the mail server behind the second box;
                                            sw-net is 10.79.0.1 fd79::1 to it

With --board BOARD in front (or BOARD in the environment) the box is not the
programs of this PC but a board that QEMU plays: flashed from blank flash, with the
same namespaces at its ports. Its console is the serial line.

usage:
  lab up [--config FILE] [--pair FILE] [--offloads on|off] [--direct]
         [--keep-store] [--sanitized|--faults] [--tftp PROGRAM]
                                build it and start the box (--direct: a cable).
                                FILE is what a new box begins with; with
                                --keep-store what was committed before counts.
                                --pair: the same for the second box, which is
                                there only then. PROGRAM: BusyBox.
                                With sanitizers; with calls that fail when a
                                test says so (tests/fault)
  lab down                      remove all of it, whatever state it is in
  lab [--second] console        its serial line, here a pty; ^] leaves it
  lab [--second] cli 'COMMAND'...  the same commands for scripts; non-zero if one
                                fails. "load replace FILE", "crypto import KEY
                                FILE" and the like send the file
  lab exec mail|box|net|admin|box2|mail2 CMD...  run a command in a namespace
  lab status                    what is running
"""
import argparse
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time
import tty

from . import line, qemu

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BOARD = os.environ.get("BOARD") or "host"
OUT = pathlib.Path(os.environ.get("O") or ROOT / "output" / BOARD).absolute()
LAB = OUT / (os.environ.get("LAB") or "lab")  # more than one: tools/apart
SPACES = {"mail": "sw-mail", "box": "sw-box", "net": "sw-net",
          "admin": "sw-admin", "box2": "sw-box2", "mail2": "sw-mail2"}
PAIR = ("box2", "mail2")  # there only with two boxes
PROGRAMS = 5 + (os.cpu_count() or 1)  # confd, console, keys, wire, witness; relays
TEXT_COMMANDS = ("config check", "config load", "load replace", "load merge",
                 "password", "crypto import")


class Place:
    """Where the programs of one box run, and where it keeps what it has."""

    def __init__(self, space, folder):
        self.space, self.folder = space, folder
        self.run, self.store = folder / "run", folder / "store"
        self.log, self.secret = folder / "box.log", folder / "secret"


FIRST, SECOND = Place("box", LAB), Place("box2", LAB / "second")
RUN, STORE = FIRST.run, FIRST.store


class Choices:
    """What "lab up" can be told, for those who call up() themselves."""
    config = ROOT / "config/default.conf"
    offloads = "on"
    direct = keep_store = False
    pair = None  # configuration of a second box
    build = "bin"  # or bin-san, bin-fault
    tftp = None  # BusyBox, as a board has it

    def __init__(self, **choices):
        self.__dict__.update(choices)


class LabError(Exception):
    """Something did not work; the text says what."""


def ip(*args, check=True):
    r = subprocess.run(["ip", *args], capture_output=True, text=True,
                       check=False)
    if check and r.returncode:
        raise LabError(f"ip {' '.join(args)}: {r.stderr.strip()}")
    return r.stdout


def inside(space, *cmd, **kw):
    return subprocess.run(["ip", "netns", "exec", SPACES[space], *cmd],
                          check=False, **kw)


def sysctl(space, *settings):
    for s in settings:
        r = inside(space, "sysctl", "-qw", s, capture_output=True, text=True)
        if r.returncode:
            raise LabError(f"sysctl {s}: {r.stderr.strip()}")


def cable(a, a_if, a_mac, b, b_if, b_mac, offloads):
    """A veth pair between two namespaces."""
    ip("link", "add", a_if, "netns", SPACES[a], "address", a_mac, "type",
       "veth", "peer", "name", b_if, "netns", SPACES[b], "address", b_mac)
    if offloads:
        return
    for space, dev in ((a, a_if), (b, b_if)):
        r = inside(space, "ethtool", "-K", dev, "tx", "off", "rx", "off", "tso",
                   "off", "gso", "off", "gro", "off", capture_output=True,
                   text=True)
        if r.returncode:
            raise LabError(f"ethtool {dev}: {r.stderr.strip()}")


def tap(space, mac):
    """An interface whose other end is QEMU."""
    n = ["-n", SPACES[space]]
    ip(*n, "tuntap", "add", "dev", "eth0", "mode", "tap", "vnet_hdr")
    ip(*n, "link", "set", "eth0", "address", mac)


def ports(on):
    if BOARD != "host":
        tap("mail", "02:77:00:00:00:10")
        tap("net", "02:77:00:00:00:01")
        tap("admin", "02:77:00:00:00:11")
        return
    cable("mail", "eth0", "02:77:00:00:00:10", "box", "inside",
          "02:77:00:00:00:a1", on)
    cable("net", "eth0", "02:77:00:00:00:01", "box", "outside",
          "02:77:00:00:00:a2", on)
    cable("admin", "eth0", "02:77:00:00:00:11", "box", "manage",
          "02:77:00:00:00:a3", True)


def second_ports(on):
    cable("mail2", "eth0", "02:79:00:00:00:10", "box2", "inside",
          "02:79:00:00:00:a1", on)
    cable("net", "eth1", "02:79:00:00:00:01", "box2", "outside",
          "02:79:00:00:00:a2", on)
    cable("admin", "eth1", "02:79:00:00:00:11", "box2", "manage",
          "02:79:00:00:00:a3", True)


def address(space, dev, v4, v6):
    n = ["-n", SPACES[space]]
    ip(*n, "addr", "add", v4, "dev", dev)
    ip(*n, "addr", "add", v6, "dev", dev, "nodad")
    ip(*n, "link", "set", dev, "up")
    ip(*n, "link", "set", "lo", "up")


def spaces(pair):
    return [s for s in SPACES if pair or s not in PAIR]


def build_second(args):
    """What is behind the world; the world carries from one side to the other."""
    second_ports(args.offloads == "on")
    address("mail2", "eth0", "10.79.0.10/24", "fd79::10/64")
    address("net", "eth1", "10.79.0.1/24", "fd79::1/64")
    sysctl("net", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    m = ["-n", SPACES["mail2"]]
    ip(*m, "route", "add", "default", "via", "10.79.0.1")
    ip(*m, "-6", "route", "add", "default", "via", "fd79::1")


def build(args):
    for s in spaces(args.pair):
        ip("netns", "add", SPACES[s])
        sysctl(s, "net.ipv6.conf.default.accept_dad=0",
               "net.ipv6.conf.all.accept_dad=0",
               "net.ipv4.tcp_syn_retries=3")
    sysctl("net", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.ip_forward=0",
           "net.ipv4.ip_nonlocal_bind=1", "net.ipv6.ip_nonlocal_bind=1")
    ports(args.offloads == "on")
    address("mail", "eth0", "10.77.0.10/24", "fd77::10/64")
    address("net", "eth0", "10.77.0.1/24", "fd77::1/64")
    address("admin", "eth0", "10.78.0.1/24", "fd78::1/64")
    m, n = ["-n", SPACES["mail"]], ["-n", SPACES["net"]]
    ip(*m, "route", "add", "default", "via", "10.77.0.1")
    ip(*m, "-6", "route", "add", "default", "via", "fd77::1")
    ip(*n, "route", "add", "local", "198.51.100.0/24", "dev", "lo")
    ip(*n, "-6", "route", "add", "local", "2001:db8:25::/64", "dev", "lo")
    if args.pair:
        build_second(args)
    if args.direct:
        b = ["-n", SPACES["box"]]
        ip(*b, "link", "add", "br0", "type", "bridge", "forward_delay", "0")
        for dev in ("inside", "outside"):
            ip(*b, "link", "set", dev, "master", "br0")
            ip(*b, "link", "set", dev, "up")
        ip(*b, "link", "set", "br0", "up")


def machine():
    return qemu.Machine(LAB, OUT / "images", SPACES, BOARD)


def start_board(args):
    """The board, from blank flash unless what it keeps is to count."""
    m = machine()
    if args.keep_store and m.flash.exists():
        m.on()
        m.wait()
    else:
        qemu.install(m, LAB / "tftp")
    try:
        with Cli() as c:
            if not args.keep_store:
                c(f"config load {args.config}")
            end = time.monotonic() + 60
            while "; intercepting mail" not in c("show status"):
                if time.monotonic() > end:
                    raise LabError("the box is not ready:\n" + tail())
    except line.LineError as error:
        raise LabError(f"{error}\n{tail()}") from error


def start_box(args):
    if BOARD != "host":
        start_board(args)
        return
    start_programs(args, FIRST, args.config)
    if args.pair:
        start_programs(args, SECOND, args.pair)


def start_programs(args, place, config):
    bin_dir = OUT / args.build
    if not (bin_dir / "boss").exists():
        raise LabError(f"{bin_dir}/boss is not there: run make first")
    place.run.mkdir(parents=True, exist_ok=True)
    log = open(place.log, "ab")
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0:abort_on_error=1")
    box = subprocess.Popen(
        ["ip", "netns", "exec", SPACES[place.space], bin_dir / "boss",
         "--board", ROOT / "board/host/board.conf", "--config",
         config.absolute(), "--ca", OUT / "share/ca.pem", "--run-dir",
         place.run, "--bin-dir", bin_dir, "--store", place.store, "--secret",
         place.secret, *(["--tftp", args.tftp] if args.tftp else [])],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        start_new_session=True, env=env)
    (place.folder / "boss.pid").write_text(str(box.pid))
    end = time.monotonic() + (20 if args.build == "bin" else 60)
    while time.monotonic() < end:
        if box.poll() is not None:
            raise LabError("the box did not start:\n" + tail(place))
        try:
            answer = cli("show status", place)
            if "intercepting" in answer and "not intercepting" not in answer \
                    and ready(place):
                return
        except (OSError, LabError):
            pass
        time.sleep(0.05)
    raise LabError("the box is not ready:\n" + tail(place))


def ready(place=FIRST):
    """All programs have said so, and have a snapshot where they need one."""
    text = place.log.read_text(errors="replace")
    names = [l for l in text.splitlines() if "event=program-ready" in l]
    return len(names) >= PROGRAMS


def tail(place=FIRST):
    try:
        lines = place.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])
    except OSError:
        return "(no log)"


def interruptible():
    """SIGTERM and SIGHUP end this program as SIGINT does: by an exception, so that
    whoever cleans up behind himself does it. Once: who is cleaning up is not
    disturbed by the next, for ^C comes from the terminal and as the SIGTERM of
    whoever started this."""
    ends = [signal.SIGTERM, signal.SIGHUP]
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        ends.append(signal.SIGINT)

    def stop(*_):
        for s in ends:
            signal.signal(s, lambda *_: None)
        raise KeyboardInterrupt
    for s in ends:
        signal.signal(s, stop)


def here():
    """The namespaces of the lab that are there."""
    names = {l.split()[0] for l in ip("netns", "list",
                                      check=False).splitlines() if l}
    return [s for s in SPACES.values() if s in names]


def up(args):
    if here():
        raise LabError("there is a lab already; 'tools/lab down' removes it")
    if not args.config.is_file():
        raise LabError(f"{args.config}: no such file")
    if args.pair and (BOARD != "host" or args.direct):
        raise LabError("--pair is for two boxes of this PC")
    if args.pair and not args.pair.is_file():
        raise LabError(f"{args.pair}: no such file")
    for place in (FIRST, SECOND):
        place.folder.mkdir(parents=True, exist_ok=True)
        place.log.write_text("")
        if not args.keep_store:
            shutil.rmtree(place.store, ignore_errors=True)
    try:
        build(args)
        if not args.direct:
            start_box(args)
    except (qemu.QemuError, line.LineError) as error:
        down(None)
        raise LabError(str(error)) from error
    except BaseException:
        down(None)
        raise


def pids_in(space):
    out = ip("netns", "pids", space, check=False)
    return [int(p) for p in out.split()]


def down(_args):
    """Processes by their namespaces, then the namespaces: nothing is left."""
    names = here()
    for sig, patience in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0)):
        left = [p for s in names for p in pids_in(s)]
        for p in left:
            try:
                os.kill(p, sig)
            except ProcessLookupError:
                pass
        end = time.monotonic() + patience
        while left and time.monotonic() < end:
            left = [p for s in names for p in pids_in(s)]
            time.sleep(0.02)
    for s in names:
        ip("netns", "del", s)
    for name in ("boss.pid", "qemu.pid", "second/boss.pid"):
        (LAB / name).unlink(missing_ok=True)


def unstuff(lines):
    return [l[1:] if l.startswith("..") else l for l in lines]


def request(command):
    """What to send for one command, with the text of a file if it names one."""
    for c in TEXT_COMMANDS:
        if not command.startswith(c + " "):
            continue
        c, file = command.strip().rsplit(" ", 1)
        if file == "-":
            break
        body = pathlib.Path(file).read_text(errors="surrogateescape")
        text = "".join("." * l.startswith(".") + l + "\n"
                       for l in body.removesuffix("\n").split("\n"))
        return f"{c} -\n{text}.\n"
    return command + "\n"


class DoorCli:
    """One connection to the console: commands share its mode."""

    def __init__(self, place=FIRST):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(place.run / "console.sock"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def __call__(self, command):
        """The answer; LabError if the command failed."""
        self.sock.sendall(request(command).encode(errors="surrogateescape"))
        data = b""
        while not data.endswith((b"\n.\nok\n", b"\n.\nerror\n")) and \
                data not in (b".\nok\n", b".\nerror\n"):
            got = self.sock.recv(65536)
            if not got:
                raise LabError("the console closed the connection")
            data += got
        lines = data.decode(errors="replace").split("\n")[:-1]
        answer = "\n".join(unstuff(lines[:-2]))
        if lines[-1] != "ok":
            raise LabError(answer or "failed")
        return answer


class LineCli:
    """The same over the serial line, logged in."""

    def __init__(self, _place=FIRST):
        self.line = machine().line()
        try:
            self.console = line.Console(self.line)
            self.console("end")
        except BaseException:
            self.line.close()  # QEMU has one line, and the next one wants it
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.line.close()

    def __call__(self, command):
        try:
            if command.startswith("config load "):
                return self.load(command.split(" ", 2)[2])
            for c in TEXT_COMMANDS:
                if command.startswith(c + " "):
                    c, file = command.strip().rsplit(" ", 1)
                    return self.console.text(c, pathlib.Path(file).read_text())
            return self.console(command)
        except line.LineError as error:
            raise LabError(str(error)) from error

    def load(self, file):
        try:
            return self.console.load(file)
        except line.LineError:
            self.console("discard")
            raise


Cli = DoorCli if BOARD == "host" else LineCli


def cli(command, place=FIRST):
    """One command over a connection of its own."""
    with Cli(place) as c:
        return c(command)


def do_cli(args):
    with Cli(args.place) as c:
        for command in args.command:
            print(c(command))


def console(args):
    """Keys go to the line, what comes from it to the screen."""
    if BOARD == "host":
        wire = os.open(args.place.run / "tty0", os.O_RDWR | os.O_NOCTTY)
    else:
        wire = machine().line().sock.detach()
        os.set_blocking(wire, True)
    here = sys.stdin.fileno()
    was = termios.tcgetattr(here) if os.isatty(here) else None
    try:
        if was:
            # What was typed before this moment counts too.
            tty.setraw(here, termios.TCSADRAIN)
            print("Connected; ^] leaves the console.", end="\r\n", flush=True)
        while True:
            ready = select.select([wire, here], [], [])[0]
            if wire in ready:
                os.write(sys.stdout.fileno(), os.read(wire, 65536))
            if here in ready:
                keys = os.read(here, 4096)
                if not keys or b"\x1d" in keys:
                    return
                while keys:
                    keys = keys[os.write(wire, keys):]
    finally:
        if was:
            termios.tcsetattr(here, termios.TCSADRAIN, was)
        os.close(wire)


def do_exec(args):
    sys.exit(inside(args.space, *args.command).returncode)


def status(_args):
    for short in spaces(SPACES["box2"] in here()):
        name = SPACES[short]
        there = name in here()
        print(f"{short:5} {name:8} {'up' if there else 'down':5} "
              f"{len(pids_in(name)) if there else 0} processes")


def main():
    p = argparse.ArgumentParser(
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=__doc__)
    p.add_argument("--second", action="store_const", dest="place",
                   const=SECOND, default=FIRST,
                   help="the second box of a pair (cli, console)")
    sub = p.add_subparsers(required=True, metavar="WORD")
    u = sub.add_parser("up")
    u.add_argument("--config", type=pathlib.Path,
                   default=ROOT / "config/default.conf")
    u.add_argument("--offloads", choices=("on", "off"), default="on")
    u.add_argument("--direct", action="store_true")
    u.add_argument("--sanitized", action="store_const", dest="build",
                   const="bin-san", default="bin")
    u.add_argument("--faults", action="store_const", dest="build",
                   const="bin-fault")
    u.add_argument("--keep-store", action="store_true")
    u.add_argument("--tftp", type=pathlib.Path)
    u.add_argument("--pair", type=pathlib.Path)
    u.set_defaults(run=up)
    sub.add_parser("down").set_defaults(run=down)
    sub.add_parser("console").set_defaults(run=console)
    c = sub.add_parser("cli")
    c.add_argument("command", nargs="+")
    c.set_defaults(run=do_cli)
    e = sub.add_parser("exec")
    e.add_argument("space", choices=SPACES)
    e.add_argument("command", nargs=argparse.REMAINDER)
    e.set_defaults(run=do_exec)
    sub.add_parser("status").set_defaults(run=status)
    args = p.parse_args()
    interruptible()
    try:
        args.run(args)
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(s, signal.SIG_IGN)  # it is done
    except (LabError, OSError) as error:
        sys.exit(f"lab: {error}")
    except KeyboardInterrupt:
        if args.run is up:
            down(None)
        sys.exit(130)


if __name__ == "__main__":
    main()
