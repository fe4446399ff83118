# SPDX-License-Identifier: BSD-2-Clause
"""The event log: one line an event, key=value words, whatever others say."""
import pathlib
import re

from mailkit import Client, poll, server_tls
from test_console import Box, ask

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINE = re.compile(r'event=[a-z0-9-]+( [a-z0-9-]+=("[^"]*"|[^ "]*))*')
SHOWN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "
                   r"(boss|wire|confd|console|keys|flashd|witness|relay \d+) "
                   r"(info|notice|warning|alarm) (.*)")


def literals(text, at):
    """The string literals from here on that make one format."""
    parts = re.match(r'\s*((?:"(?:[^"\\]|\\.)*"\s*)+)', text[at:])
    assert parts, text[at:at + 80]
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', parts[1])).replace(
        '\\"', '"')


def formats():
    for file in sorted(ROOT.glob("firmware/proc/**/*.c")):
        text = file.read_text()
        for m in re.finditer(
                r"(?:program_log|boss_log)\([^;\"]*?SEV_\w+,\s*(?=\")|"
                r"(?:program_log|boss_log)\([^;\"]*?\bsev,\s*(?=\")", text):
            yield f"{file.name}: ", literals(text, m.end())


def test_every_format_is_of_the_form():
    found = list(formats())
    assert len(found) > 40
    for where, form in found:
        if form == "%s":
            continue
        # a string that others make stands in quotes, a word of ours need not
        example = re.sub(r'"[^"]*"', '"x"', form)
        example = re.sub(r"%(ll|l|z)?[udx]|%\.\*s|%s", "x", example)
        assert LINE.fullmatch(example) or LINE.fullmatch(
            example.removesuffix("x")), where + form


def good(log):
    assert log
    for line in log.splitlines():
        m = SHOWN.fullmatch(line)
        assert m and LINE.fullmatch(m[3]), line


def test_what_an_administrator_writes_cannot_forge_a_line(tmp_path):
    b = Box(tmp_path, b'domain "a" x="\xc3\xa4" event=fake\n'
                      b'default "may\" event=login terminal=0\n' + b"x" * 3000)
    text, status = ask(b, "show log alarm")
    assert status == "ok" and "configuration-error" in text
    good(ask(b, "show log")[0])
    b.stop()


def test_the_log_of_a_box_that_was_used(box, authority):
    assert box.send(box.mx().address, ["a@enc.example"]).rcpt[0] == 451
    mx = box.mx(tls=server_tls(authority))
    assert box.send(mx.address, ["a@enc.example"], protected=True).final == 250
    with Client(mx.address) as c:
        c.hello()
        c.cmd('RCPT TO:<"a\\" event=fake "@x.example>')
        c.say(b"MAIL FROM:<a@b.example>\nRCPT TO:<\"@\">\r\n")
    assert poll(lambda: "protocol-error" in box.cli("show log"))
    good(box.cli("show log"))
    for secret in ("Subject", "alice", "canary"):
        assert secret not in box.cli("show log")
