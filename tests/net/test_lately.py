# SPDX-License-Identifier: BSD-2-Clause
"""The whole box: what show domain, show sessions and show status say after mail
has passed, and after it has not."""
import re

from mailkit import Client, poll, server_tls, transact


def figures(box, *names):
    text = box.cli("show counters")
    return [int(re.search(rf"^{n} +(\d+)$", text, re.M)[1]) for n in names]


def test_domain_that_got_mail(box, authority):
    mx = box.mx(tls=server_tls(authority))
    r = box.send(mx.address, ["bob@ver.example"], protected=True)
    assert r.final == 250, r.text
    lines = box.cli("show domain VER.example").splitlines()
    assert lines[0] == "domain ver.example verify match mx.ver.example"
    assert "it names this domain" in lines[1]
    assert re.fullmatch(
        r"  last sent  \d\d-\d\d \d\d:\d\d to " + re.escape(mx.address) +
        r":25 TLSv1\.3 TLS1-3-[A-Z0-9-]+ successful", lines[2]), lines
    assert len(lines) == 3


def test_domain_that_got_it_in_clear_and_below_a_line(box):
    mx = box.mx()
    assert box.send(mx.address, ["bob@plain.example"]).final == 250
    lines = box.cli("show domain plain.example").splitlines()
    assert lines[0] == "default may" and "no line names it" in lines[1]
    assert lines[2].endswith(f" to {mx.address}:25 clear")
    lines = box.cli("show domain a.b.below.example").splitlines()
    assert lines[0] == "domain .below.example encrypt"
    assert "it is below below.example" in lines[1]
    assert lines[2] == "  no mail for it lately"


def test_domain_that_was_refused(box, authority):
    wrong = box.mx(tls=server_tls(authority, "mx.other.example"))
    before = figures(box, "recipients-deferred")[0]
    for _ in range(2):
        r = box.send(wrong.address, ["bob@def.example"], protected=True)
        assert r.rcpt[0] == 451, r.text
    lines = box.cli("show domain def.example").splitlines()
    assert re.search(r"refused +\d\d-\d\d \d\d:\d\d at " +
                     re.escape(wrong.address) + r":25 451 "
                     r"certificate-host-mismatch: .* \(2 times\)$",
                     lines[2]), lines
    assert figures(box, "recipients-deferred")[0] == before + 2
    assert f"def.example 451 certificate-host-mismatch: " in \
        box.cli("show status")


def test_session_in_detail(box, authority):
    mx = box.mx(tls=server_tls(authority))
    with Client(mx.address) as c:
        c.hello()
        body = box.body(True)
        r = transact(c, ["bob@enc.example"], body)
        box.note(r, body)
        text = poll(lambda: (t := box.cli("show sessions detail")) and
                    "messages 1, now idle" in t and t)
        assert text
        assert re.search(r"client     10\.77\.0\.10:\d+ [1-9]\d+ octets", text)
        assert f"server     {mx.address}:25 " in text
        assert "channel    TLSv1.3 TLS1-3-" in text
        assert "domain     enc.example\n" in text
        c.cmd("QUIT")


def test_many_domains_in_one_breath(box, authority):
    """RCPT commands that come together: each refusal is counted."""
    mx = box.mx()
    before = figures(box, "recipients-refused", "recipients-deferred")
    names = [f"d{i}.below.example" for i in range(40)]
    with Client(mx.address) as c:
        c.hello()
        c.say(b"MAIL FROM:<alice@corp.example>\r\n" + b"".join(
            b"RCPT TO:<x@%s>\r\n" % n.encode() for n in names))
        assert c.reply()[0] == 250
        assert all(c.reply()[0] // 100 in (4, 5) for _ in names)
        c.cmd("QUIT")
    def all_counted():
        return sum(figures(box, "recipients-refused", "recipients-deferred")) \
            - sum(before) == len(names)
    assert poll(all_counted, 5), (before, figures(
        box, "recipients-refused", "recipients-deferred"))
    assert "refused" in box.cli("show domain d0.below.example")
