# SPDX-License-Identifier: BSD-2-Clause
"""Whose recipient is it? The box against Postfix and Exim.

Each spelling of RCPT is parsed as the gate does it (the very C file) and, when
it is taken, said to a real Postfix and a real Exim as the gate would say it.
Both are set up as leniently as they can be: percent hack, bang paths, quoted
routes, short names completed. The domain that they find must be the domain by
which the policy decided, or they must refuse. No network, no box.
"""
import ctypes
import itertools
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from lablib import net, peers  # noqa: E402

VIEW_C = """
#include "proto/smtp_path.h"
int view(const uint8_t *arg, size_t n, char *text, char *domain);
int view(const uint8_t *arg, size_t n, char *text, char *domain)
{
	struct smtp_path p;
	enum smtp_path_error e = smtp_path_parse(&p, (struct span){ arg, n },
						 false);

	memcpy(text, p.text, p.text_n + 1);
	memcpy(domain, p.domain, p.domain_n + 1);
	return (int)e;
}
"""
LOCALS = ["u", "U.v", "u+t", '"u"', '"u v"', '"u>v"', '"u\\"v"', '"u\\\\"',
          '"u,v"', '"u(v)"', '"<u"', '"u:v"', '""', "u%x.example",
          "x.example!u", '"u@x.example"', '"u%x.example"', '"x.example!u"',
          '"@x.example:u"', '"u\\@x.example"', '"u\\%x.example"',
          '"x.example\\!u"', "u(@x.example)", "(c)u", "u\\@x.example", "u@x",
          "u.", ".u", "u..v", "/u", "|u", "-u", "#u", "{u}", "~u", "u=v",
          "x.example::u", '"x.example::u"', "j\u00fcrgen", "u\uff20x.example",
          "@x.example:u", "@x.example,@y.example:u", "u;x", "u,v", "<u", "u ",
          " u", "u\t", "postmaster"]
DOMAINS = ["d.example", "D.Example", "d.example.", "d.example..", "d", "d.",
           ".d.example", "d..example", "192.0.2.1", "[192.0.2.1]",
           "[192.0.2.01]", "[IPv6:2001:db8::1]", "[d.example]", "#3221225985",
           "3221225985", "192.0.513", "d.example(c)", "(c)d.example",
           "d.example ", " d.example", "d.example@x.example", "d_e.example",
           "xn--bcher-kva.example", "XN--BCHER-KVA.example",
           "b\u00fccher.example", "B\u00dcCHER.example",
           "stra\u00dfe.example", "d\u3002example", "\uff44.example",
           "d.example!u", "d.example%x.example", "d-.example", "-d.example",
           '"d.example"', "d.example;x", "d.example,x.example", "localhost",
           "d.example:25", "d.example/x"]
FORMS = ["TO:<{}>", "TO:{}", "TO: <{}>", "to:<{}>", "TO:<<{}>>", "TO:<{}>>",
         "TO:X <{}>", "TO:<{}> (c)", "TO:(c)<{}>", "TO:<{}>,<v@y.example>",
         "TO:<{} >", "TO:< {}>"]


def spellings():
    """All locals, domains and forms, a part of their products, and some that
    differ from those by one octet."""
    rng = random.Random(5321)
    out = [f"TO:<{a}@{d}>" for a, d in itertools.product(LOCALS, DOMAINS)]
    out += [f.format(f"{a}@{d}") for f in FORMS for a, d in zip(
        rng.choices(LOCALS, k=12), rng.choices(DOMAINS, k=12))]
    out += ["TO:<postmaster>", "TO:<Postmaster>", "TO:<u>", "TO:<>", "TO:"]
    out = [s.encode() for s in out]
    signs = b"\"\\@%!:;,.<>()[] \t-_=0au\x80\xc1\xc3\xff"
    for s in rng.sample(out, 600):
        at = rng.randrange(3, len(s) + 1)
        out.append(s[:at] + bytes([rng.choice(signs)]) +
                   s[at + rng.randrange(2):])
    return list(dict.fromkeys(out))


@pytest.fixture(name="parse", scope="module")
def parse_fixture(tmp_path_factory):
    """parse(argument) -> (error, what is sent on, the key)"""
    folder = tmp_path_factory.mktemp("view")
    (folder / "view.c").write_text(VIEW_C)
    subprocess.run(
        ["gcc", "-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC",
         f"-I{ROOT}/firmware", "-o", folder / "view.so", folder / "view.c",
         ROOT / "firmware/proto/smtp_path.c",
         ROOT / "firmware/base/domain.c"], check=True)
    lib = ctypes.CDLL(str(folder / "view.so"))

    def parse(arg):
        text = ctypes.create_string_buffer(1024)
        key = ctypes.create_string_buffer(1024)
        e = lib.view(arg, ctypes.c_size_t(len(arg)), text, key)
        return e, text.value, key.value.decode()
    return parse


def rcpts(stream, args):
    """What a server answers to each RCPT, in one session."""
    def reply():
        lines = [stream.readline()]
        while lines[-1][3:4] == b"-":
            lines.append(stream.readline())
        assert lines[-1], f"the server hung up: {lines}"
        return b"".join(lines)

    def say(line):
        stream.write(line + b"\r\n")
        stream.flush()
        return reply()

    def mail():
        said = say(b"MAIL FROM:<s@mail.example> SMTPUTF8")
        assert said.startswith(b"250"), said

    assert reply().startswith(b"220")
    assert b"SMTPUTF8" in say(b"EHLO mail.example")
    out = []
    for i, arg in enumerate(args):
        if i % 50 == 0:
            say(b"RSET")
            mail()
        out.append(say(b"RCPT " + arg))
    stream.write(b"QUIT\r\n")
    stream.flush()
    return out


class Pipe:
    """Both ends of a program as one stream."""

    def __init__(self, process):
        self.process = process
        self.readline = process.stdout.readline
        self.write = process.stdin.write
        self.flush = process.stdin.flush


class EximView(peers.Exim):
    """Exim in its test mode: speaks SMTP on a pipe as if from afar."""

    traps = 2  # the percent hack, plain and in quotes

    def __init__(self):
        peers.Server.__init__(self, "view.exim.example", "net")

    def configure(self):
        (self.dir / "etc/exim.conf").write_text(f"""
primary_hostname = own.example
qualify_domain = own.example
spool_directory = {self.dir}/spool/exim
log_file_path = {self.dir}/spool/exim-%slog
acl_smtp_rcpt = all
smtputf8_advertise_hosts = *
percent_hack_domains = *
allow_domain_literals
strip_excess_angle_brackets
strip_trailing_dot
allow_utf8_domains
smtp_max_synprot_errors = 1000000
recipients_max = 0
keep_environment =
host_lookup =
rfc1413_hosts =
begin acl
all:
  require verify = recipient
  accept
begin routers
tell:
  driver = redirect
  allow_fail
  data = :fail: view=$domain=view
""")

    def ask(self, args):
        self.configure()
        (self.dir / "spool/exim").mkdir(exist_ok=True)
        with open(self.dir / "stderr", "wb") as log, subprocess.Popen(
                ["unshare", "-m", "sh", "-c", self.shell(
                    f"exim4 -C {self.dir}/etc/exim.conf -bh 192.0.2.9")],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=log) as p:
            lines = Pipe(p)
            # test mode says something to the person first
            peeked = p.stdout.readline()
            while not peeked.startswith(b"220"):
                assert peeked or p.poll() is None, "exim did not start"
                peeked = p.stdout.readline()
            first = [peeked]
            lines.readline = lambda: (first.pop() if first
                                      else p.stdout.readline())
            return rcpts(lines, args)


class PostfixView(peers.Postfix):
    """Postfix behind a UNIX socket, willing to rewrite all it can."""

    traps = 7  # both hacks, quoted ones, short and odd names, a number

    def __init__(self):
        super().__init__("view.postfix.example", "net", [], settings=[
            "smtpd_relay_restrictions = permit",
            "smtpd_recipient_restrictions = check_recipient_access "
            f"regexp:{net.LAB}/peers/view.postfix.example/etc/view, reject",
            # local domains are where it resolves routes
            "virtual_mailbox_domains =", "mydestination = d.example",
            "mydomain = own.example",
            "myorigin = own.example", "append_dot_mydomain = yes",
            "allow_percent_hack = yes", "swap_bangpath = yes",
            "resolve_dequoted_address = yes", "resolve_numeric_domain = yes",
            "strict_rfc821_envelopes = no", "allow_untrusted_routing = yes",
            "smtputf8_enable = yes", "smtpd_error_sleep_time = 0",
            "smtpd_hard_error_limit = 1000000",
            "smtpd_soft_error_limit = 1000000",
            "smtpd_junk_command_limit = 1000000", "default_transport = discard",
            "smtpd_reject_footer =", "smtpd_timeout = 60"])

    def ask(self, args):
        self.configure()
        (self.dir / "etc/view").write_text("/^(.*)$/ REJECT view=$1=view\n")
        master = self.dir / "etc/master.cf"
        master.write_text("view unix n - n - - smtpd\n" + master.read_text())
        log = open(self.dir / "stderr", "ab")
        self.process = subprocess.Popen(
            ["unshare", "-m", "-n", "sh", "-c",
             "ip link set lo up && " + self.shell(self.command())],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True)
        try:
            with self.connect() as s, s.makefile("rwb") as stream:
                return rcpts(stream, args)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(10)
            log.close()

    def connect(self):
        path = self.dir / "spool/postfix/public/view"
        end = time.monotonic() + 15
        while True:
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(30)
            fd = os.open(path.parent, os.O_PATH)
            try:
                # the path itself may be too long for an address
                s.connect(f"/proc/self/fd/{fd}/view")
                return s
            except OSError:
                s.close()
                assert time.monotonic() < end and self.process.poll() is None, \
                    (self.dir / "stderr").read_text() + self.log.read_text()
                time.sleep(0.1)
            finally:
                os.close(fd)


def view(reply):
    """The domain that the server found; None when it refuses by itself."""
    m = re.search(rb"view=(.*)=view", reply)
    if reply.startswith(b"250"):  # Postfix asks nobody about its postmaster
        return "own.example"
    if not m:
        assert reply[:1] in b"45", reply
        return None
    return m.group(1).rpartition(b"@")[2].decode(errors="replace").rstrip(".").lower()


@pytest.fixture(name="server", params=[PostfixView, EximView])
def server_fixture(request):
    s = request.param()
    yield s
    shutil.rmtree(s.dir)


def test_servers_read_the_domain_that_decided(server, parse):
    taken = {}
    for s in spellings():
        e, text, key = parse(s)
        if e == 0:
            taken[text] = key
    assert len(taken) > 60
    answers = server.ask([b"TO:" + t for t in taken])
    agreed, holes = 0, []
    for (text, key), said in zip(taken.items(), answers):
        found = view(said)
        sent = text.decode(errors="replace").rpartition("@")[2]
        if found is None:
            continue
        if key == "":  # a literal, or <Postmaster>: the default decides
            if not found.startswith("[") and found != "own.example":
                holes.append((text, key, found))
        elif found not in (key, sent.rstrip(">").lower()):
            holes.append((text, key, found))
        else:
            agreed += 1
    assert not holes
    assert agreed > 40


def test_the_refused_ones_are_read_otherwise(server, parse):
    """Without this the test above could pass because nobody is lenient."""
    traps = {"u%x.example@d.example", "x.example!u@d.example",
             '"u%x.example"@d.example', '"u@x.example"@d.example',
             "@x.example:u@d.example", "u@d", "u@192.0.2.1", "u",
             "u@stra\u00dfe.example"}
    args = {t: f"TO:<{t}>".encode() for t in sorted(traps)}
    assert all(parse(a)[0] != 0 for a in args.values())
    answers = server.ask(args.values())
    found = {t: view(r) for t, r in zip(args, answers)}
    otherwise = {t: f for t, f in found.items()
                 if f not in (None, t.rpartition("@")[2])}
    assert len(otherwise) >= server.traps, found
