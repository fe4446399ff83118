# SPDX-License-Identifier: BSD-2-Clause
"""What the documents show is done: every block of README.md and of the manual
(config/README.md) is executed, or is a shape that says so itself, and every
command that a table names is there."""
import fnmatch
import itertools
import pathlib
import re
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from mailkit import Mx, ca, net, server_tls
from test_keys import Issuer, hosts_of
from test_serial import first_login, lab

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = ["README.md", "config/README.md", "tools/README.md",
             "tests/README.md"]
PROMPT = re.compile(r"^(sealwire(?:\(config\))?# )(.*)$")
SHAPE = re.compile(r"\b(LEVEL|NAME|ATTRIBUTES|DOMAIN|USER|PASSWORD)\b")


def blocks(path):
    """(first line's number, lines) of what is indented by four behind an empty
    line."""
    out, before = [], ""
    for n, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        if line.startswith("    ") and not before.strip():
            out.append((n, [line[4:]]))
        elif line.startswith("    ") and before.startswith("    "):
            out[-1][1].append(line[4:])
        before = line
    return out


ALL = [(path, n, lines) for path in DOCUMENTS for n, lines in blocks(path)]


def kind(lines):
    first = lines[0]
    if PROMPT.match(first):
        return "console"
    if first.startswith("make "):
        return "make"
    if first.startswith(("tools/lab ", "/usr/bin/python3 ")):
        return "shell"
    if first.startswith("openssl "):
        return "openssl"
    if re.match(r"[\w.-]+(/| {2,})", first) or \
            (ROOT / "tools" / first.split()[0]).exists():
        return "list"
    return "configuration"


def of(what):
    found = [pytest.param(lines, id=f"{path}:{n}") for path, n, lines in ALL
             if kind(lines) == what]
    assert found, what
    return pytest.mark.parametrize("lines", found)


@pytest.fixture(name="box", scope="module")
def box_fixture():
    lab("down")
    lab("up")
    yield first_login()
    lab("down")


def test_nothing_is_left_out():
    assert {kind(lines) for _, _, lines in ALL} == {
        "console", "make", "shell", "openssl", "list", "configuration"}
    assert len(ALL) >= 14


# --- the console ---------------------------------------------------------------
def paste_certificate(person, answers):
    """What a CA would send back for the request that was just printed."""
    csr = x509.load_pem_x509_csr(answers["crypto csr"].encode())
    root = Issuer("A CA")
    cert = root.sign(csr.public_key(), csr.subject, hosts_of(csr))
    person.sees("paste the text")
    for line in cert.public_bytes(serialization.Encoding.PEM).decode(
            ).splitlines() + ["."]:
        person.types(line)


@of("console")
def test_console(box, lines):
    answers = {}
    steps = []
    for line in lines:
        m = PROMPT.match(line)
        if m:
            steps.append((m.group(2), []))
        else:
            steps[-1][1].append(line)
    for command, shown in steps:
        box.types(command)
        box.p.expect_exact("\r\n")
        if command.startswith("crypto import"):
            paste_certificate(box, answers)
        box.p.expect(r"(^|\n)sealwire(\(config\))?# ")
        answer = box.p.before.replace("\r", "").strip("\n")
        answers[" ".join(command.split()[:2])] = answer
        assert "% " not in answer, (command, answer)
        if shown:
            assert answer == "\n".join(shown)
    box.command("end")


def test_what_the_console_has_kept(box):
    """Behind the blocks above."""
    assert "verify match mx.partner.example" in \
        box.command("show running-config | include partner")
    assert "certificate  mx.corp.example" in box.command("show crypto")


# --- the language ------------------------------------------------------------------
@of("configuration")
def test_configuration(box, lines, tmp_path):
    authority = ca.Authority("manual")
    text, elided = [], 0
    for line in lines:
        if SHAPE.search(line):
            continue  # LEVEL: something that has to be put in there
        if line.endswith("..."):
            elided += 1
            continue
        text.append(line)
    text = "\n".join(text).replace(
        "-----BEGIN CERTIFICATE-----\n(base64)\n-----END CERTIFICATE-----",
        authority.pem().strip())
    if not text:
        assert elided == 1 or any(SHAPE.search(l) for l in lines)
        return
    assert box
    file = tmp_path / "text"
    file.write_text(text + "\n")
    assert net.cli(f"config check {file}") == "no error"
    net.cli("load replace " + str(file))
    printed = net.cli("show candidate-config")
    for line in lines:  # a password is not what is shown
        if "password" in line and line in text:
            assert line not in printed
    net.cli("discard")


def rows(path, head):
    """Cells of the table with that heading."""
    lines = (ROOT / path).read_text().splitlines()
    at = lines.index(head) + 2
    for line in itertools.takewhile(lambda l: l.startswith("|"), lines[at:]):
        yield [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_defaults_of_the_settings(box, tmp_path):
    """The column of defaults is what a box has that was told nothing."""
    text = ["default may"]
    for command, default, _ in rows("config/README.md",
                                    "| command | default | meaning |"):
        words = command.strip("`").replace("\\|", "|").split()
        if default:
            text.append(" ".join(
                [w for w in words if w.islower() and "|" not in w] +
                [default.strip("`")]))
    assert box
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.write_text("default may\n")
    full.write_text("\n".join(text) + "\n")
    net.cli(f"config load {empty}")
    running = net.cli("show running-config").splitlines()
    assert sorted(running) == sorted(text)
    net.cli(f"config load {full}")
    assert net.cli("show running-config").splitlines() == running


# --- the tables of commands --------------------------------------------------------
def spread(text):
    """All that "show log [notice|alarm] [follow]" can be."""
    out = [[]]
    for word in re.findall(r"\[[^]]*\]|\S+", text):
        options = word.strip("[]").split("|")
        options = [[o] for o in options] + ([[]] if word[0] == "[" else [])
        out = [o + more for o in out for more in options]
    return [" ".join(o) for o in out]


def test_every_command_of_the_tables(box):
    assert box
    with net.Cli() as cli:
        known = cli("help")
        for mode in ("configure", "end", "disable"):
            cli(mode)
            known += "\n" + cli("help")
    known = {re.split("  +", l.strip())[0] for l in known.splitlines()}
    begins = {tuple(k.split()[:n]) for k in known
              for n in range(1, len(k.split()) + 1)}
    named = 0
    for cell, _ in rows("config/README.md", "| command | what it does |"):
        for code in re.findall(r"`([^`]+)`", cell):
            for command in spread(code.replace("\\|", "|")):
                named += 1
                assert tuple(command.split()) in begins, command
    assert named > 40


# --- the rest ------------------------------------------------------------------------
@of("make")
def test_make(lines):
    targets = [t.replace("%", "*") for t in re.findall(
        r"^([\w%-]+):.*##", (ROOT / "Makefile").read_text(), re.M)]
    for line in lines:
        command = re.split(r"\s{2,}|#", line)[0]
        for word in re.findall(r"\bmake ([\w-]+)(?!\S)", command):
            assert any(fnmatch.fnmatch(word, t) for t in targets), line


@of("shell")
def test_shell(lines):
    for line in lines:
        for command in re.split(r"\s{2,}\(", line)[0].split(" && "):
            words = command.split()
            files = [w for w in words if "/" in w]
            assert all((ROOT / f).exists() or pathlib.Path(f).exists()
                       for f in files), command
            if words[0] == "tools/lab":
                r = subprocess.run([ROOT / "tools/lab", words[1], "--help"],
                                   capture_output=True, check=False)
                assert r.returncode == 0, command


def test_attacks():
    """Each row of the table names the files with its tests, and there is no test of
    a row that is not there."""
    text = (ROOT / "tests/ATTACKS.md").read_text()
    rows = dict(re.findall(r"^\| (A\d\d) \|(.*)\|$", text, re.M))
    for row, cells in rows.items():
        files = re.findall(r"`([^`]+)`", cells.rsplit("|", 1)[1])
        assert files and all((ROOT / "tests" / f).is_file() for f in files), row
    for file in (ROOT / "tests").glob("*/test_*.py"):
        for row in set(re.findall(r"^def test_(a\d\d)_", file.read_text(), re.M)):
            assert f"`{file.parent.name}/{file.name}`" in rows[row.upper()], row


def test_scripts_in_the_manual(box, tmp_path):
    """`tools/lab cli ...` within the text."""
    text = " ".join((ROOT / "config/README.md").read_text().split())
    found = re.findall(r"`tools/lab (cli [^`]+)`", text)
    assert box and len(found) == 2
    file = tmp_path / "FILE"
    file.write_text("default may\n")
    for command in found:
        words = re.findall(r"'([^']+)'|(\S+)", command)
        assert lab(*[(a or b).replace("FILE", str(file))
                     for a, b in words]).strip()


@of("list")
def test_lists_name_what_is_there(lines):
    names = [n for l in lines if not l.startswith(" ")
             for n in re.findall(r"^([\w.-]+/?)(?= )|\s{2,}([\w.-]+/)(?= )", l)]
    for name in filter(None, itertools.chain(*names)):
        places = [ROOT / d / name for d in (".", "tools", "tests")]
        assert any(p.exists() for p in places), name


@of("openssl")
def test_pin(box, lines):
    """The pin that the manual's command prints is the server's."""
    assert box
    authority = ca.Authority("manual")
    mx = Mx("198.51.100.77", tls=server_tls(authority, "mx.example"))
    try:
        command = "\n".join(lines).replace("mx.example:25",
                                           f"{mx.address}:25")
        r = net.inside("net", "sh", "-c", command, text=True,
                       capture_output=True)
    finally:
        mx.close()
    assert ca.pin(authority.cert("mx.example")[0]) == \
        "sha256:" + r.stdout.split()[-1]
