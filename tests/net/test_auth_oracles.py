# SPDX-License-Identifier: BSD-2-Clause
"""Our NTLM, client and server, against Samba's and gss-ntlmssp's: the keys that
both ends get, and sealed blocks octet for octet. No lab: engines on pipes
(authtool.c).

What Samba makes of a key that the LM key shortens is its own; that mode is
compared up to the key, and its blocks with known ones in test_ntlm_seal.c.
"""
import base64
import os
import pathlib
import subprocess

import gssapi as gss
import pytest
from samba import credentials, gensec, param

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = pathlib.Path(os.environ.get("O") or ROOT / "output/host")
DOMAIN, USER, PASSWORD = "DOM", "User", "Secret-1"


def b64(octets):
    return base64.b64encode(octets).decode()


class Pipe:
    """A program that answers a line with a line."""

    def __init__(self, *command, env=None):
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True,
                                  bufsize=1, env=env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.stdin.close()
        self.p.wait(10)
        self.p.stdout.close()

    def ask(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().rstrip("\n")


class Ours(Pipe):
    """One of our engines."""

    def __init__(self, end, *words, password=PASSWORD, user=USER):
        super().__init__(OUT / "net/authtool", end, "NTLM", DOMAIN, user,
                         password, *words)

    def say(self, octets, verb="say"):
        """What it answers: octets, True (it is content) or an error."""
        word, _, rest = self.ask(f"{verb} {b64(octets)}").partition(" ")
        return {"text": lambda: base64.b64decode(rest),
                "done": lambda: True, "error": lambda: rest}[word]()

    def outcome(self):
        flags, bits, key = self.ask("outcome").split()
        return int(flags, 16), int(bits), key

    def seal(self, clear):
        """A block without its length."""
        block = bytes.fromhex(self.ask("seal " + clear.hex()))
        assert int.from_bytes(block[:4], "big") == len(block) - 4
        return block[4:]

    def open(self, block):
        block = len(block).to_bytes(4, "big") + block
        return bytes.fromhex(self.ask("open " + block.hex()))


LINES = [(b"EHLO a.example\r\n", b"250-mx\r\n250 SIZE\r\n"),
         (b"MAIL FROM:<a@b.example>\r\n", b"250 2.1.0 ok\r\n"),
         (b"x" * 4000 + b"\r\n.\r\n", b"250 2.0.0 taken\r\n")]

OPTIONS = {"client ntlmv2 auth": "yes", "client lanman auth": "no",
           "ntlmssp_client:ntlm2": "yes", "ntlmssp_client:lm_key": "no",
           "ntlmssp_client:128bit": "yes", "ntlmssp_client:56bit": "yes",
           "ntlmssp_client:keyexchange": "yes"}
V1 = {"client ntlmv2 auth": "no", "client lanman auth": "yes",
      "ntlmssp_client:ntlm2": "no"}


def samba_client(options, password=PASSWORD, domain=DOMAIN, user=USER):
    lp = param.LoadParm()
    lp.load_default()
    for k, v in {**OPTIONS, **options}.items():
        lp.set(k, v)
    c = credentials.Credentials()
    c.guess(lp)
    c.set_username(user)
    c.set_domain(domain)
    c.set_password(password)
    c.set_kerberos_state(credentials.DONT_USE_KERBEROS)
    g = gensec.Security.start_client({"lp_ctx": lp, "target_hostname": "mx"})
    g.set_credentials(c)
    g.want_feature(gensec.FEATURE_SEAL)
    g.start_mech_by_name("ntlmssp")
    return g


# options of Samba, words of ours, bits, in the flags, not in the flags
CLIENTS = {
    "modern": ({}, [], 128, 0x60080000, 0x80),
    "no key exchange": ({"ntlmssp_client:keyexchange": "no"}, ["legacy"], 128,
                        0x20080000, 0x40000080),
    "ess 56": ({"ntlmssp_client:128bit": "no"}, ["bits=56"], 56, 0x80080000,
               0x20000080),
    "ess 40": ({"ntlmssp_client:128bit": "no", "ntlmssp_client:56bit": "no"},
               ["bits=40"], 40, 0x80000, 0xa0000080),
    "v1, ess": ({"client ntlmv2 auth": "no"}, ["legacy"], 128, 0x20080000,
                0x80),
    "nt4, full key": (V1, ["legacy", "bits=40"], 128, 0x40000000, 0x80080),
}


@pytest.mark.parametrize("case", CLIENTS)
def test_samba_client(case):
    options, words, bits, there, absent = CLIENTS[case]
    g = samba_client(options)
    with Ours("server", "seal", *words) as ours:
        t2 = ours.say(g.update(b"")[1], "initial")
        assert isinstance(t2, bytes), t2
        assert ours.say(g.update(t2)[1]) is True
        flags, have, key = ours.outcome()
        assert have == bits and flags & there == there
        assert flags & absent == 0, hex(flags)
        assert g.session_key().hex() == key
        for c, s in LINES:
            assert ours.open(g.wrap(c)) == c
            assert g.unwrap(ours.seal(s)) == s


def test_samba_client_with_an_lm_key():
    g = samba_client({**V1, "ntlmssp_client:lm_key": "yes",
                      "ntlmssp_client:128bit": "no",
                      "ntlmssp_client:56bit": "no"})
    with Ours("server", "seal", "legacy", "bits=40") as ours:
        t2 = ours.say(g.update(b"")[1], "initial")
        assert ours.say(g.update(t2)[1]) is True
        flags, bits, key = ours.outcome()
        assert bits == 40 and flags & 0x80 and not flags & 0x80000
        assert g.session_key().hex() == key


@pytest.mark.parametrize("case,error", [
    ("no key exchange", "peer-weak"), ("ess 56", "peer-weak"),
    ("v1, ess", "peer-weak"), ("nt4, full key", "peer-weak")])
def test_samba_client_that_is_too_weak(case, error):
    g = samba_client(CLIENTS[case][0])
    with Ours("server", "seal") as ours:
        got = ours.say(g.update(b"")[1], "initial")
        if isinstance(got, bytes):
            got = ours.say(g.update(got)[1])
        assert got == error


def test_samba_client_with_another_password():
    g = samba_client({}, password="secret-1")
    with Ours("server", "seal") as ours:
        t2 = ours.say(g.update(b"")[1], "initial")
        assert ours.say(g.update(t2)[1]) == "peer-proof"


# --- Samba as the server ------------------------------------------------------------
def samba_server(*options, features="SIGN SEAL"):
    s = Pipe("ntlm_auth", "--helper-protocol=squid-2.5-ntlmssp",
             f"--username={USER}", f"--domain={DOMAIN}",
             f"--password={PASSWORD}", *(f"--option={o}" for o in options))
    wish = " ".join("NTLMSSP_FEATURE_" + f
                    for f in ["SESSION_KEY", *features.split()])
    assert s.ask(f"SF {wish}") == "OK"
    return s


def log_on(ours, theirs, change=None):
    """(what the server says, what our client says). change: of T3."""
    _, _, t1 = ours.ask("first").partition(" ")
    word, t2 = theirs.ask(f"YR {t1}").split()
    assert word == "TT"
    t3 = ours.say(base64.b64decode(t2))
    if isinstance(t3, str):
        return None, t3
    if change:
        t3 = change(t3)
    return theirs.ask(f"KK {b64(t3)}"), ours.ask("done")


NT4 = ["ntlm auth=yes", "lanman auth=yes", "ntlmssp_server:ntlm2=no"]


@pytest.mark.parametrize("options,words,bits", [
    ([], ["seal"], 128), ([], [], 0), (NT4, ["seal", "legacy", "bits=40"], 128),
    (["ntlmssp_server:128bit=no"], ["seal", "bits=56"], 56)])
def test_samba_server(options, words, bits):
    with Ours("client", *words) as ours, \
            samba_server(*options,
                         features="SIGN SEAL" if bits else "") as theirs:
        says, done = log_on(ours, theirs)
        assert says == f"AF {DOMAIN}\\{USER}" and done == "done"
        _, have, key = ours.outcome()
        assert have == bits
        word, _, theirs_key = theirs.ask("GK").partition(" ")
        assert word == "GK" and base64.b64decode(theirs_key).hex() == key


@pytest.mark.parametrize("options", [
    NT4, ["ntlmssp_server:128bit=no"]])
def test_samba_server_that_is_too_weak(options):
    """A27, A28: what it is asked for, or nothing."""
    with Ours("client", "seal") as ours, samba_server(*options) as theirs:
        assert log_on(ours, theirs) == (None, "peer-weak")


def test_a28_samba_sees_that_our_messages_were_changed():
    def without_mic(t3):
        return t3[:72] + bytes(16) + t3[88:]

    def other_flags(t3):
        flags = int.from_bytes(t3[60:64], "little") ^ 0x8000
        return t3[:60] + flags.to_bytes(4, "little") + t3[64:]

    for change in (without_mic, other_flags):
        with Ours("client", "seal") as ours, samba_server() as theirs:
            assert not log_on(ours, theirs, change)[0].startswith("AF")


def test_samba_server_with_another_password():
    with Ours("client", "seal", password="secret-1") as ours, \
            samba_server() as theirs:
        assert "LOGON_FAILURE" in log_on(ours, theirs)[0]


# --- gss-ntlmssp ---------------------------------------------------------------------
MECH = gss.OID.from_int_seq("1.3.6.1.4.1.311.2.2.10")


@pytest.fixture(name="users", autouse=True)
def users_fixture(tmp_path, monkeypatch):
    users = tmp_path / "users"
    users.write_text(f"{DOMAIN}:{USER}:{PASSWORD}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))


def test_gss_client():
    """It sends no MIC, which is less than we ask for without `legacy`."""
    raw, flag = gss.raw, gss.raw.RequirementFlag
    name = gss.Name(f"{DOMAIN}\\{USER}", gss.NameType.user)
    cred = raw.acquire_cred_with_password(name, PASSWORD.encode(),
                                          mechs=[MECH],
                                          usage="initiate").creds
    host = gss.Name("smtp@mx", gss.NameType.hostbased_service)
    for words, want in (["legacy"], True), ([], "peer-proof"):
        with Ours("server", "seal", *words) as ours:
            r = raw.init_sec_context(
                host, creds=cred, mech=MECH,
                flags=[flag.integrity, flag.confidentiality])
            t2 = ours.say(r.token, "initial")
            r = raw.init_sec_context(host, creds=cred, context=r.context,
                                     mech=MECH, input_token=t2)
            assert ours.say(r.token) == want
            if want is not True:
                continue
            for c, s in LINES:
                assert ours.open(raw.wrap(r.context, c).message) == c
                assert raw.unwrap(r.context, ours.seal(s)).message == s


SEEN = bytes(range(32))


@pytest.mark.parametrize("says,words,want", [
    (SEEN, [], True), (SEEN, ["bound"], True), (SEEN[::-1], [], "peer-proof"),
    (SEEN[::-1], ["bound"], "peer-proof"), (None, [], True),
    (None, ["bound"], "peer-proof")],
    ids=["ours", "ours asked for", "another", "another asked for", "none",
         "none asked for"])
def test_gss_client_bound_to_a_certificate(says, words, want):
    """RFC 5929 4, as somebody else makes MsvAvChannelBindings of it."""
    raw = gss.raw
    cred = raw.acquire_cred_with_password(
        gss.Name(f"{DOMAIN}\\{USER}", gss.NameType.user), PASSWORD.encode(),
        mechs=[MECH], usage="initiate").creds
    host = gss.Name("smtp@mx", gss.NameType.hostbased_service)
    binding = says and raw.ChannelBindings(
        application_data=b"tls-server-end-point:" + says)
    flags = [raw.RequirementFlag.integrity,
             raw.RequirementFlag.confidentiality]
    with Ours("server", "seal", "legacy", "endpoint=" + SEEN.hex(), *words) as ours:
        r = raw.init_sec_context(host, creds=cred, mech=MECH, flags=flags,
                                 channel_bindings=binding)
        t2 = ours.say(r.token, "initial")
        r = raw.init_sec_context(host, creds=cred, context=r.context,
                                 mech=MECH, flags=flags, input_token=t2,
                                 channel_bindings=binding)
        assert ours.say(r.token) == want


def test_gss_server():
    raw = gss.raw
    cred = raw.acquire_cred(None, mechs=[MECH], usage="accept").creds
    with Ours("client", "seal") as ours:
        t1 = base64.b64decode(ours.ask("first").partition(" ")[2])
        r = raw.accept_sec_context(t1, acceptor_creds=cred)
        t3 = ours.say(r.token)
        r = raw.accept_sec_context(t3, acceptor_creds=cred, context=r.context)
        assert not r.more_steps and ours.ask("done") == "done"
        for c, s in LINES:
            assert raw.unwrap(r.context, ours.seal(c)).message == c
            assert ours.open(raw.wrap(r.context, s).message) == s
