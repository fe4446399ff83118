# SPDX-License-Identifier: BSD-2-Clause
"""Sessions that have to log on, against servers that do as they are told: who is
told a password, what is refused, what leaves when it fails. NTLM at the other
end is gss-ntlmssp and Samba. Real servers are in test_logon_servers.py."""
import base64
import re
import struct

import pytest

import sealkit
from mailkit import Box, Client, Gone, net, poll, server_tls, transact
from sealkit import ntlm

SECRET = "Secret-1"
CONFIG = """\
default may
account partner user box password {secret}
account hub nt-domain DOM user User password {secret}
domain plain.example verify match mx.ver.example auth plain account partner
domain login.example verify match mx.ver.example auth login account partner
domain cram.example encrypt auth cram-md5 account partner
domain scram1.example encrypt auth scram-sha-1 account partner
domain scram2.example verify match mx.ver.example auth scram-sha-256 account partner
domain ntlm.example verify match mx.ver.example auth ntlm account hub
domain seal.example ntlm-seal account hub
domain nt4.example ntlm-seal account hub min-bits 40 legacy
domain rej.example ntlm-seal account hub on-fail reject
domain enc.example encrypt
ca certificate
{ca}
"""
MECHS = {"plain.example": "PLAIN", "login.example": "LOGIN",
         "cram.example": "CRAM-MD5", "scram1.example": "SCRAM-SHA-1",
         "scram2.example": "SCRAM-SHA-256", "ntlm.example": "NTLM"}
EVERY = "AUTH " + " ".join(sorted(set(MECHS.values())))


@pytest.fixture(name="lab", scope="module")
def lab_fixture(tmp_path_factory, authority):
    folder = tmp_path_factory.mktemp("logon")
    ntlm.users_file(folder / "users", {("DOM", "User"): SECRET})
    box = Box(folder, CONFIG.format(secret=SECRET, ca=authority.pem().strip()),
              up=["--sanitized"])
    yield box
    box.down()


@pytest.fixture(name="box")
def box_fixture(lab):
    """A password is never seen in clear or base64, whatever happens."""
    lab.protected.add(SECRET)
    yield lab
    lab.check()


def nt4(password=SECRET):
    return ntlm.Nt4("DOM", "User", password)


def exchange55():
    return ntlm.Exchange55("DOM", "User", SECRET)


def replies(password=SECRET, **how):
    """How a server answers each mechanism."""
    usual = sealkit.simple_reply("box", password)
    make = {"SCRAM-SHA-1": sealkit.scram_reply("box", password, "sha1", **how),
            "SCRAM-SHA-256": sealkit.scram_reply("box", password, **how),
            "NTLM": sealkit.ntlm_reply(ntlm.Gss, seal=False)}

    def reply(session):
        mech = session.mx.heard[-1][0].split(b" ")[1].decode()
        return make.get(mech, usual)(session)
    return {"AUTH": reply}


def server(box, authority, caps=(EVERY,), tls=True, reply=None, **how):
    return box.mx(tls=server_tls(authority) if tls else None,
                  caps=["PIPELINING", *caps], reply=reply or replies(), **how)


def sealer(box, make_end=ntlm.Gss, reply=None, **how):
    """A server that seals; without TLS."""
    return box.mx(caps=["PIPELINING", "AUTH NTLM"], reply={
        "AUTH": sealkit.ntlm_reply(make_end, **how), **(reply or {})})


def heard(mx, verb):
    return [l for l, _ in mx.heard if l.upper().startswith(verb)]


def refused(result, code, *words):
    assert result.final is None and result.rcpt == [code], result.__dict__
    for w in words:
        assert w in result.text, result.text


def attempt(box, mx, domain, body=None):
    """A message that may end with the connection, or with nothing said for a
    while; None: it has."""
    body = body or box.body(protected=True)
    with Client(mx.address) as c:
        c.hello()
        c.talk.sock.settimeout(3)
        try:
            r = transact(c, [f"bob@{domain}"], body)
        except (Gone, TimeoutError):
            return None
        box.note(r, body)
        return None if 421 in r.rcpt else r


def not_taken(result):
    assert not result or (result.final or 400) // 100 in (4, 5), \
        result.__dict__


def nothing_left(mx):
    """No sender, no recipient, no message."""
    assert not mx.stored
    assert not [l for l, _ in mx.heard
                if re.match(rb"(?i)(MAIL|RCPT|DATA)", l)], mx.heard


# --- it works ---------------------------------------------------------------------
@pytest.mark.parametrize("domain", MECHS)
def test_log_on(box, authority, domain):
    mx = server(box, authority)
    r = box.send(mx.address, [f"bob@{domain}"], protected=True)
    assert r.final == 250, r.__dict__
    said = [(l, tls) for l, tls in mx.heard if l.startswith(b"AUTH")]
    assert len(said) == 1 and said[0][1]
    assert said[0][0].split(b" ")[1].decode() == MECHS[domain]
    # RFC 4954 5
    assert heard(mx, b"MAIL") == [b"MAIL FROM:<alice@corp.example> AUTH=<>"]
    account = "hub" if domain == "ntlm.example" else "partner"
    shown = box.cli(f"show domain {domain}")
    assert f"{MECHS[domain].lower()} {account}" in shown, shown
    if domain == "ntlm.example":
        assert "NTLMv2" in shown and "bound to TLS" in shown, shown


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_sealed(box, authority, tls):
    mx = sealer(box)
    if tls:
        mx.tls = server_tls(authority)
    r = box.send(mx.address, ["bob@seal.example"], protected=True, size=300000)
    assert r.final == 250, r.__dict__
    assert [bool(t) for _, _, t in mx.stored] == [tls]
    # all that came after 235 came in blocks: EHLO again, as RFC 4954 4 has it
    assert mx.sealed.blocks[0].startswith(b"EHLO mail.corp.example\r\n")
    assert len(mx.sealed.blocks) > 60
    shown = box.cli("show domain seal.example")
    assert "NTLM seal 128" in shown and ("TLSv1.3" in shown) == tls, shown
    assert "ntlm hub, sealed with 128 bits, NTLMv2, flags " in shown
    assert ("bound to TLS" in shown) == tls


@pytest.mark.parametrize("end,bits", [(nt4, 128), (exchange55, 40)])
def test_sealed_as_nt4_had_it(box, end, bits):
    """One key stream for both directions: the two take turns."""
    mx = sealer(box, end)
    r = box.send(mx.address, ["bob@nt4.example", "eve@nt4.example"],
                 protected=True, size=100000)
    assert r.final == 250, r.__dict__
    assert all(b.count(b"\r\n") == 1 for b in mx.sealed.blocks[:4]), \
        "pipelined"
    shown = box.cli("show domain nt4.example")
    assert f"sealed with {bits} bits, one key stream, NTLMv1, flags " in shown


@pytest.mark.parametrize("how", [{"size": 1}, {"crumbs": True},
                                 {"size": 7, "crumbs": True}], ids=str)
def test_blocks_as_the_server_likes_them(box, how):
    """Many in a segment, and a block over many segments."""
    mx = sealer(box, **how)
    assert box.send(mx.address, ["bob@seal.example"],
                    protected=True).final == 250


def test_in_the_middle_of_a_session(box, authority):
    """The session serves others before, and after; one log-on serves many."""
    mx = server(box, authority)
    with Client(mx.address) as c:
        c.hello()
        for domain in ("other.example", "enc.example", "ntlm.example",
                       "other.example", "ntlm.example"):
            body = box.body(protected=True)
            r = transact(c, [f"bob@{domain}"], body)
            assert r.final == 250, (domain, r.__dict__)
            box.note(r, body)
        c.cmd("QUIT")
    assert mx.sessions == 1 and len(heard(mx, b"AUTH")) == 1
    assert [b"AUTH=<>" in l for l in heard(mx, b"MAIL")] == [
        False, False, True, True, True]


def test_another_account_is_another_connection(box, authority):
    mx = server(box, authority)
    with Client(mx.address) as c:
        c.hello()
        for domain in ("ntlm.example", "cram.example"):
            body = box.body(protected=True)
            r = transact(c, [f"bob@{domain}"], body)
            assert r.final == 250, (domain, r.__dict__)
            box.note(r, body)
    assert mx.sessions == 2
    # in one transaction: the mail server brings the second by itself
    r = box.send(mx.address, ["a@ntlm.example", "b@cram.example"],
                 protected=True)
    assert r.rcpt == [250, 452] and r.final == 250, r.__dict__


def test_prose_and_no_initial_response(box):
    """MS-SMTPNTLM 2.2.1.2: what stands behind 334 is for a person."""
    mx = sealer(box, prose=b"ntlm supported")
    assert box.send(mx.address, ["bob@seal.example"],
                    protected=True).final == 250


@pytest.mark.parametrize("caps", [[], ["AUTH LOGIN", "AUTH=LOGIN"]])
def test_a_server_that_does_not_say_that_it_knows_ntlm(box, caps):
    """Exchange 5.5 has AUTH=LOGIN alone in its list."""
    mx = box.mx(caps=caps, reply={"AUTH": sealkit.ntlm_reply(exchange55)})
    assert box.send(mx.address, ["bob@nt4.example"],
                    protected=True).final == 250
    refused(box.send(mx.address, ["bob@seal.example"], protected=True), 454,
            "it does not offer this mechanism")


# --- it fails ----------------------------------------------------------------------
@pytest.mark.parametrize("answer,code,words", [
    (b"535 5.7.8 go away\r\n", 535, "it refused the account"),
    (b"534 5.7.9 too weak\r\n", 535, "it refused the account"),
    (b"454 4.7.0 try later\r\n", 454, "it refused for now"),
    (b"432 4.7.12 a password transition\r\n", 454, "it refused for now"),
    (b"504 5.5.4 never heard of\r\n", 454, "does not offer"),
    (b"500 what\r\n", 535, "it refused the account")])
def test_the_server_refuses(box, authority, answer, code, words):
    mx = server(box, authority, reply={"AUTH": answer})
    r = box.send(mx.address, ["bob@ntlm.example"], protected=True)
    refused(r, code, "ntlm authentication failed for ntlm.example, account hub",
            words, mx.address, answer.decode()[:3])
    nothing_left(mx)


@pytest.mark.parametrize("domain", [*MECHS, "seal.example", "nt4.example"])
def test_the_password_is_not_right(box, authority, domain):
    usual = replies("another")
    if domain in ("ntlm.example", "seal.example"):
        usual["AUTH"] = sealkit.ntlm_reply(
            lambda: ntlm.Samba("DOM", "User", "another"))
    if domain == "nt4.example":
        usual["AUTH"] = sealkit.ntlm_reply(lambda: nt4("another"))
    mx = server(box, authority, reply=usual)
    r = box.send(mx.address, [f"bob@{domain}"], protected=True)
    refused(r, 535, f"authentication failed for {domain}, account ")
    nothing_left(mx)


def test_the_session_goes_on_after_a_refusal(box, authority):
    """One log-on for many recipients, and the others have their mail."""
    mx = server(box, authority, reply={"AUTH": b"535 5.7.8 no\r\n"})
    body = box.body(protected=True)
    with Client(mx.address) as c:
        c.hello()
        r = transact(c, ["a@ntlm.example", "b@ntlm.example", "c@enc.example"],
                     body)
        box.note(r, body)
    assert r.rcpt == [535, 535, 250] and r.final == 250, r.__dict__
    assert len(heard(mx, b"AUTH")) == 1
    assert [b"enc.example" in t for rcpts, _, _ in mx.stored for t in rcpts] \
        == [True]


# --- A25: the mechanism in clear -----------------------------------------------------
@pytest.mark.parametrize("domain", MECHS)
def test_a25_never_in_clear(box, authority, domain):
    mx = server(box, authority, tls=False)
    refused(box.send(mx.address, [f"bob@{domain}"], protected=True), 451)
    nothing_left(mx)
    assert not heard(mx, b"AUTH")


@pytest.mark.parametrize("domain", ["plain.example", "login.example",
                                    "scram2.example", "ntlm.example"])
def test_a25_never_to_somebody_else(box, authority, domain):
    mx = box.mx(tls=server_tls(authority, "mx.evil.example"),
                caps=[EVERY], reply=replies())
    refused(box.send(mx.address, [f"bob@{domain}"], protected=True), 550)
    nothing_left(mx)
    assert not heard(mx, b"AUTH")


# --- A27, rule 16: less than the policy asks ------------------------------------------
@pytest.mark.parametrize("domain", MECHS)
def test_a27_no_other_mechanism(box, authority, domain):
    others = [m for m in MECHS.values() if m != MECHS[domain]]
    mx = server(box, authority, caps=["AUTH " + " ".join(others)])
    r = box.send(mx.address, [f"bob@{domain}"], protected=True)
    refused(r, 454, "it does not offer this mechanism")
    nothing_left(mx)
    assert not heard(mx, b"AUTH")


@pytest.mark.parametrize("how", [
    {"iterations": 1}, {"iterations": 4095}, {"iterations": 100001},
    {"nonce": lambda n: n[1:]}, {"nonce": lambda n: b"A" + n[1:]},
    {"proof": lambda v: b"v=" + base64.b64encode(bytes(32))},
    {"proof": lambda v: b"e=other-error"}, {"proof": lambda v: b""},
    {"proof": lambda v: None}], ids=str)
def test_scram_server_without_the_password(box, authority, how):
    """Also one that just says 235 and hopes."""
    if how.get("iterations") == 100001:
        usual = {"AUTH": scram_of_many_rounds}
    else:
        usual = replies(**how)
    mx = server(box, authority, reply=usual)
    r = box.send(mx.address, ["bob@scram2.example"], protected=True)
    assert r.final is None and r.rcpt[0] in (454, 534), r.__dict__
    nothing_left(mx)


def scram_of_many_rounds(session):
    """It wants to keep us busy."""
    r = dict(f.split(b"=", 1) for f in
             sealkit.initial(session).split(b",", 2)[2].split(b","))[b"r"]
    sealkit.say(session, base64.b64encode(
        b"r=%sxyz,s=QUJDREVGR0g=,i=4000000000" % r))


@pytest.mark.parametrize("script", [
    [b"235 2.7.0 welcome"], [b"334 "] * 40 + [b"235 ok"], [b"334 !!!!"],
    [b"334 " + b"A" * 12000], [b"334-a\r\n334 b"], [b"250 ok"], [b"220 go"],
    [b"354 go"], [b"334"], [b"335 eA=="], [b"garbage"],
    [b"235 ok\r\n250 one more"]], ids=lambda s: repr(s[0][:20]))
@pytest.mark.parametrize("domain", ["plain.example", "cram.example",
                                    "scram2.example", "seal.example"])
def test_what_no_server_says(box, authority, domain, script):
    """334 flood, 235 without proof, what is no challenge: never in clear, never
    delivered where the server had to prove something."""
    def reply(session):
        for line in script[:-1]:
            session.say(line + b"\r\n")
            session.talk.line()
        return script[-1] + b"\r\n"
    mx = server(box, authority, tls=domain != "seal.example",
                reply={"AUTH": reply})
    r = attempt(box, mx, domain)
    if domain == "plain.example" and script[0].startswith(b"235"):
        # PLAIN proves nothing; but answers do not change places
        assert r.final == (250 if b"more" not in script[0] else 421)
        return
    assert not r or r.rcpt[0] // 100 in (4, 5), r.__dict__
    nothing_left(mx)


# --- A28, rule 17: NTLM, weakened or relayed ------------------------------------------
SIGN, SEAL, ESS, INFO = 0x10, 0x20, 0x80000, 0x800000
BITS128, KEY_EXCH = 0x20000000, 0x40000000


def without(flag):
    def change(t2):
        flags = struct.unpack_from("<I", t2, 20)[0]
        assert flags & flag, hex(flags)
        return t2[:20] + struct.pack("<I", flags & ~flag) + t2[24:]
    return change


@pytest.mark.parametrize("flag", [SIGN, SEAL, ESS, INFO, BITS128, KEY_EXCH],
                         ids=hex)
def test_a28_a_flag_is_taken_out_of_the_challenge(box, flag):
    mx = sealer(box, change_t2=without(flag))
    r = box.send(mx.address, ["bob@seal.example"], protected=True)
    refused(r, 534, "it can do less than the policy asks")
    nothing_left(mx)
    assert mx.heard[-1][0] in (b"*", b"QUIT")


def test_a28_ntlm_as_nt4_had_it(box):
    """A27 too: nothing that the LM hash or NTLMv1 could be guessed from."""
    mx = sealer(box, nt4)
    refused(box.send(mx.address, ["bob@seal.example"], protected=True), 534)
    nothing_left(mx)
    assert [l for l, _ in mx.heard if len(l) > 60] == [] or \
        mx.heard[-1][0] in (b"*", b"QUIT")


def test_a28_relayed(box):
    """Who only passes the log-on on to a real server has no key: he says 235
    and gets nothing that he can read."""
    def reply(session):
        sealkit.ntlm_reply(ntlm.Gss, seal=False)(session)
        session.talk.more()
        session.mx.got = session.talk.got
        return b"250-mx\r\n250 SIZE\r\n"
    mx = sealer(box, reply={"AUTH": reply})
    r = attempt(box, mx, "seal.example")
    assert not r or r.rcpt[0] // 100 == 4, r.__dict__
    nothing_left(mx)
    assert mx.got and b"EHLO" not in mx.got and b"corp" not in mx.got


# --- A29: the sealed stream -----------------------------------------------------------
class Mangled:
    """One block of a direction is not what it was."""

    def __init__(self, direction, number, how):
        self.direction, self.number, self.how = direction, number, how
        self.last = self.held = None

    def __call__(self, direction, number, block):
        if direction != self.direction:
            return [block]
        before, self.last = self.last, block
        if number == self.number + 1 and self.how == "swap":
            return [block, self.held]
        if number != self.number:
            return [block]
        self.held = block
        return {"flip data": [flipped(block, -1)],
                "flip signature": [flipped(block, 9)],
                "flip sequence": [flipped(block, 12)],
                "drop": [], "repeat": [block, block], "replay": [before],
                "swap": [], "truncate": [block[:-1]], "empty": [b""],
                }[self.how]


def flipped(block, at):
    b = bytearray(block)
    b[at] ^= 1
    return bytes(b)


HOW = ["flip data", "flip signature", "flip sequence", "drop", "repeat",
       "replay", "swap", "truncate", "empty"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("domain,end", [("seal.example", ntlm.Gss),
                                        ("nt4.example", nt4)],
                         ids=["ess", "nt4"])
@pytest.mark.parametrize("number", [2, 4], ids=["mail", "dot"])
def test_a29_from_the_server(box, domain, end, how, number):
    """2: the answer to MAIL or RCPT; 4: about the one to the message."""
    mx = sealer(box, end, mangle=Mangled("out", number, how))
    not_taken(attempt(box, mx, domain))
    assert mx.sealed.n["out"] >= number


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("domain,end", [("seal.example", ntlm.Gss),
                                        ("nt4.example", nt4)],
                         ids=["ess", "nt4"])
def test_a29_to_the_server(box, domain, end, how):
    """The other end sees it, closes, and nothing was acknowledged."""
    mx = sealer(box, end, mangle=Mangled("in", 6, how))
    not_taken(attempt(box, mx, domain, box.body(protected=True, size=60000)))
    assert mx.sealed.n["in"] >= 6 and not mx.stored


def test_a29_clear_words_where_blocks_must_be(box):
    """After 235 somebody on the wire answers in the server's place."""
    def reply(session):
        sealkit.ntlm_reply(ntlm.Gss, seal=False)(session)
        return b"250-mx\r\n250 PIPELINING\r\n" * 3
    mx = sealer(box, reply={"AUTH": reply})
    r = attempt(box, mx, "seal.example")
    assert not r or r.rcpt[0] // 100 == 4, r.__dict__
    nothing_left(mx)


# --- what is shown, what was changed --------------------------------------------------
def test_a_session_that_is_open(box):
    mx = sealer(box)
    with Client(mx.address) as c:
        c.hello()
        c.cmd("MAIL FROM:<alice@corp.example>")
        assert c.cmd("RCPT TO:<bob@seal.example>")[0] == 250
        shown = poll(lambda: "NTLM seal 128" in box.cli("show sessions")
                     and box.cli("show sessions detail"))
        assert "ntlm hub, sealed with 128 bits, NTLMv2" in shown, shown
        c.cmd("QUIT")


def test_events(box, authority):
    mx = server(box, authority, reply={"AUTH": b"535 5.7.8 no\r\n"})
    r = box.send(mx.address, ["bob@ntlm.example"], protected=True)
    number = re.search(r"; explain (\d+)\)", r.text)[1]
    text = box.cli(f"explain {number}")
    assert "the log-on failed: ntlm hub: it refused the account" in text
    assert "log-on       ntlm hub: it refused the account (it said 535 5.7.8 " \
        "no)" in text, text
    assert "verify match mx.ver.example auth ntlm account hub" in text
    assert "what helps   compare user, domain and password" in text
    assert re.search(r"^logon-failed .*\n  \S+: it refused the account",
                     box.cli("show alarms"), re.M)
    log = box.cli("show log")
    line = [l for l in log.splitlines() if "event=logon-failed" in l][-1]
    assert "domain=ntlm.example" in line and mx.address in line
    assert "event=logon " in log and SECRET not in log
    assert SECRET not in (net.LAB / "box.log").read_text(errors="replace")


def test_a_password_that_was_changed(box, authority):
    """A commit counts from the next recipient, in a session that failed."""
    config = CONFIG.format(secret="Other-1", ca=authority.pem().strip())
    mx = server(box, authority, reply=replies("Other-1"))
    body = box.body(protected=True)
    with Client(mx.address) as c:
        c.hello()
        r = transact(c, ["bob@cram.example"], body)
        assert r.rcpt == [535], r.__dict__
        try:
            box.load(config)
            r = transact(c, ["bob@cram.example"], body)
            assert r.final == 250, r.__dict__
            box.note(r, body)
        finally:
            box.load(CONFIG.format(secret=SECRET,
                                   ca=authority.pem().strip()))
