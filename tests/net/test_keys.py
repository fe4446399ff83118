# SPDX-License-Identifier: BSD-2-Clause
"""Private keys and certificates: made, asked for, imported, kept, shown; with
confd and keys as they are, and a test for all the others. The judge of what they
make is OpenSSL (python3-cryptography)."""
import base64
import datetime
import hashlib
import re
import struct
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from confdkit import CONFD, Confd
from fake_boss import KEYS, OK, Program, pair, receive, send
from statskit import layout
from test_confd_store import small_fixture, start_fixture  # noqa: F401

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
PEM = serialization.Encoding.PEM


# --- who signs ------------------------------------------------------------------
def name(cn):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)])


class Issuer:
    def __init__(self, cn, by=None, ca=True, **kw):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name(cn)
        self.cert = (by or self).sign(self.key.public_key(), self.name, ca=ca,
                                      **kw)

    def sign(self, public, subject, hosts=(), ca=False, start=NOW - DAY,
             end=NOW + 89.5 * DAY, eku=None, usage=None):
        b = (x509.CertificateBuilder().subject_name(subject)
             .issuer_name(self.name).public_key(public)
             .serial_number(x509.random_serial_number())
             .not_valid_before(start).not_valid_after(end)
             .add_extension(x509.BasicConstraints(ca, None), critical=True))
        if hosts:
            b = b.add_extension(x509.SubjectAlternativeName(
                [x509.DNSName(h) for h in hosts]), critical=False)
        if eku:
            b = b.add_extension(x509.ExtendedKeyUsage([eku]), critical=False)
        if usage is not None:
            b = b.add_extension(x509.KeyUsage(
                usage, False, not usage, False, False, False, False, False,
                False), critical=True)
        return b.sign(self.key, hashes.SHA256())


def pem(*things):
    out = b""
    for t in things:
        out += t.public_bytes(PEM) if isinstance(t, x509.Certificate) else t
    return out


def key_pem(key, form=serialization.PrivateFormat.PKCS8, password=None):
    return key.private_bytes(
        PEM, form, serialization.BestAvailableEncryption(password)
        if password else serialization.NoEncryption())


def pin(public):
    spki = public.public_bytes(serialization.Encoding.DER,
                               serialization.PublicFormat.SubjectPublicKeyInfo)
    return "sha256:" + base64.b64encode(
        hashlib.sha256(spki).digest()).decode()


# --- the box -------------------------------------------------------------------------
class Box:
    def __init__(self, start, **kw):
        self.start = start
        self.confd = start(**kw)
        self.keys = None
        self.new_keys()

    def new_keys(self, confd=None):
        """keys starts, again perhaps."""
        if self.keys:
            self.keys.stop()
        self.keys = Program(KEYS, [])
        self.join(confd or self.confd)

    def join(self, confd):
        ours, theirs = pair()
        send(confd.sock, "PEER", struct.pack("<BI", KEYS, 0), [ours.fileno()])
        send(self.keys.sock, "PEER", struct.pack("<BI", CONFD, 0),
             [theirs.fileno()])
        ours.close()
        theirs.close()
        time.sleep(0.1)

    def do(self, op, text=b"", **kw):
        return self.confd.do(op, text, **kw)

    def refused(self, op, text=b""):
        answer = self.confd.refused(op, text)
        assert "PRIVATE" not in answer
        return answer

    def generate(self, what):
        return self.do("KEY_GENERATE", what.encode())

    def csr(self, words):
        csr = x509.load_pem_x509_csr(self.do("KEY_CSR",
                                             words.encode()).encode())
        assert csr.is_signature_valid
        return csr

    def put(self, key, data):
        return self.do("KEY_IMPORT", f"crypto import {key}\n".encode() + data)

    def not_put(self, key, data):
        return self.refused("KEY_IMPORT",
                            f"crypto import {key}\n".encode() + data)

    def show(self):
        return self.do("CRYPTO")

    def notices(self):
        with open(f"/proc/self/fd/{self.keys.stats}", "rb") as f:
            at = layout()
            f.seek(at["notice"])
            size = at["notices"] * at["notice_size"]
            return re.findall(rb"(certificate of [^\"\0]+)\0", f.read(size))

    def power_cut(self):
        self.confd.stop()
        self.confd = self.start()
        self.join(self.confd)


@pytest.fixture(name="box")
def box_fixture(start):  # noqa: F811
    b = Box(start)
    yield b
    assert b.keys.alive(), b.keys.stderr()
    assert "Sanitizer" not in b.keys.stderr()
    assert "runtime error" not in b.keys.stderr()
    b.keys.stop()


@pytest.fixture(name="root", scope="module")
def root_fixture():
    return Issuer("Test Root")


def hosts_of(thing):
    return thing.extensions.get_extension_for_class(
        x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)


# --- what is made ---------------------------------------------------------------------
@pytest.mark.parametrize("what,kind,bits", [
    ("ecdsa", "ECDSA", 256), ("ecdsa 384", "ECDSA", 384),
    ("rsa 2048", "RSA", 2048)])
def test_from_key_to_certificate(box, root, what, kind, bits):
    box.generate(what + " Mail")
    for _ in range(600):
        if f"mail  {kind}, {bits} bits" in box.show():
            break
        time.sleep(0.1)
    shown = box.show()
    assert f"  mail  {kind}, {bits} bits\n" in shown
    assert "certificate  none yet" in shown
    csr = box.csr("mail mx.corp.example *.Mail.Corp.example")
    assert csr.subject == name("mx.corp.example")
    assert hosts_of(csr) == ["mx.corp.example", "*.mail.corp.example"]
    assert csr.public_key().key_size == bits
    assert pin(csr.public_key()) in shown
    cert = root.sign(csr.public_key(), csr.subject, hosts_of(csr))
    assert "mx.corp.example" in box.put("mail", pem(cert))
    shown = box.show()
    assert "certificate  mx.corp.example *.mail.corp.example\n" in shown
    assert "issued by    CN=Test Root\n" in shown
    until = cert.not_valid_after.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert f"valid until  {until} for 89 days\n" in shown
    assert max(map(len, shown.splitlines())) < 80
    assert not box.notices()
    # it survives a power cut, a new keys, and does not show in the text
    box.power_cut()
    assert box.show() == shown
    box.new_keys()
    assert box.show() == shown
    assert pin(box.csr("mail mx.corp.example").public_key()) in shown
    for answer in (box.confd.running(), box.confd.stderr().encode(),
                   box.keys.stderr().encode()):
        assert b"mail" not in answer and b"PRIVATE" not in answer


def test_subject(box):
    box.generate("ecdsa a")
    csr = box.csr('a "CN=Mail of One,O=One & Two,C=DE" mx.example')
    assert csr.subject.rfc4514_string() == "C=DE,O=One & Two,CN=Mail of One"
    assert hosts_of(csr) == ["mx.example"]
    for words, why in (("a", "at least one host"),
                       ("a CN=x", "at least one host"),
                       ("a mx.example CN=x O=y", "a second subject"),
                       ("a localhost", "not a host"),
                       ("a mx..example", "not a host"),
                       ("a 192.0.2.1", "not a host"),
                       ("a mx.example XX=y", "not a subject"),
                       ("b mx.example", "there is no key of this name"),
                       ("", "the name of a key must follow"),
                       ("-a mx.example", "not a name"),
                       ("a " + " ".join(f"h{i}.example" for i in range(33)),
                        "more than 32 hosts")):
        assert why in box.refused("KEY_CSR", words.encode()), words


def test_generate_refused(box):
    box.generate("ecdsa a")
    for what, why in (("ecdsa A", "already"), ("ecdsa 512 b", "ecdsa with"),
                      ("rsa 1024 b", "ecdsa with"), ("dsa b", "ecdsa with"),
                      ("ecdsa", "TYPE"), ("ecdsa 256 b c", "TYPE"),
                      ("ecdsa /b", "not a name"), ("", "must follow")):
        assert why in box.refused("KEY_GENERATE", what.encode()), what
    for i in range(15):
        box.generate(f"ecdsa k{i}")
    assert "16 keys already" in box.refused("KEY_GENERATE", b"ecdsa more")
    assert "16 keys already" in box.not_put(
        "more", key_and_cert(Issuer("x"), ec.generate_private_key(
            ec.SECP256R1())))
    box.do("KEY_DELETE", b"K3")
    assert "  k3  " not in box.show()
    box.generate("ecdsa more")
    assert "there is no key" in box.refused("KEY_DELETE", b"k3")
    box.power_cut()
    assert "  k3  " not in box.show() and "  more  " in box.show()


def test_rsa_takes_its_time(box):
    """What else is asked is answered meanwhile, also a commit."""
    box.generate("ecdsa quick")
    answer = box.generate("rsa 4096 slow")
    if "is being made" in answer:
        assert "slow  is being made" in box.show()
        assert "another key is being made" in \
            box.refused("KEY_GENERATE", b"ecdsa third")
        box.csr("quick mx.example")
    box.do("EDIT", b"log addresses off\n")
    box.confd.ask("COMMIT")
    box.confd.agree()
    assert box.confd.result()[0] == OK
    end = time.monotonic() + 300
    while "  slow  RSA, 4096 bits" not in box.show():
        assert time.monotonic() < end
        time.sleep(0.5)
    box.power_cut()
    assert box.csr("slow mx.example").public_key().key_size == 4096


# --- what is brought ------------------------------------------------------------------
def key_and_cert(issuer, key, hosts=("mx.example",), **kw):
    return key_pem(key) + pem(issuer.sign(key.public_key(), name("x"), hosts,
                                          **kw))


@pytest.mark.parametrize("form", ["pkcs8", "traditional", "crlf", "noise"])
@pytest.mark.parametrize("kind", ["p256", "p384", "p521", "rsa"])
def test_key_and_chain(box, root, form, kind):
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else \
        ec.generate_private_key({"p256": ec.SECP256R1, "p384": ec.SECP384R1,
                                 "p521": ec.SECP521R1}[kind]())
    mid = Issuer("Mid", root)
    cert = mid.sign(key.public_key(), name("x"), ["mx.example"],
                    eku=ExtendedKeyUsageOID.SERVER_AUTH, usage=True)
    text = key_pem(key, serialization.PrivateFormat.TraditionalOpenSSL
                   if form == "traditional" else
                   serialization.PrivateFormat.PKCS8)
    text += pem(cert, mid.cert, root.cert)
    if form == "crlf":
        text = text.replace(b"\n", b"\r\n")
    if form == "noise":
        text = b"Bag Attributes\n  x: y\n" + text.replace(
            b"-----END PRIVATE KEY-----\n",
            b"-----END PRIVATE KEY-----\nsubject=x\n\n")
    answer = box.put("own", text)
    assert "warning" not in answer
    shown = box.show()
    assert pin(key.public_key()) in shown
    assert "issuer 1     CN=Mid" in shown and "issuer 2     CN=Test Root" in shown
    # renewed: certificates alone, for the same key
    newer = root.sign(key.public_key(), name("x"), ["other.example"])
    box.put("own", pem(newer, root.cert))
    shown = box.show()
    assert "other.example" in shown and "CN=Mid" not in shown
    assert pin(key.public_key()) in shown
    assert pin(box.csr("own mx.example").public_key()) in shown


def test_import_refused(box, root):
    mid = Issuer("Mid", root)
    other = Issuer("Mid", root)  # the same name, another key
    key = ec.generate_private_key(ec.SECP256R1())
    good = mid.sign(key.public_key(), name("x"), ["mx.example"])
    k = key_pem(key)
    expired = dict(start=NOW - 30 * DAY, end=NOW - DAY)
    future = dict(start=NOW + DAY, end=NOW + 30 * DAY)
    weak = rsa.generate_private_key(65537, 1024)
    ed = __import__("cryptography.hazmat.primitives.asymmetric.ed25519",
                    fromlist=["x"]).Ed25519PrivateKey.generate()
    curve = ec.generate_private_key(ec.SECP256K1())
    secret = "the private key is encrypted"
    traditional = serialization.PrivateFormat.TraditionalOpenSSL
    cases = [
        (b"", "there is no key of this name, and none came"),
        (pem(good), "there is no key of this name, and none came"),
        (k, "there is no certificate in it"),
        (key_pem(key, password=b"x") + pem(good), secret),
        (key_pem(key, traditional, b"x") + pem(good), secret),
        (k + k + pem(good), "two private keys"),
        (key_pem(ec.generate_private_key(ec.SECP256R1())) + pem(good),
         "the first certificate is not that of the key"),
        (k + pem(mid.cert, good), "the first certificate is not that of"),
        (k + pem(good, root.cert), "certificate 1 is not signed by the one"),
        (k + pem(good, other.cert), "certificate 1 is not signed by the one"),
        (k + pem(good, mid.cert, mid.cert), "certificate 2 is not signed"),
        (k + pem(*[good] * 9), "more than 8 certificates"),
        (key_and_cert(root, key, **expired), "certificate 1 is not valid any"),
        (key_and_cert(root, key, **future), "certificate 1 is not valid yet"),
        (k + pem(Issuer("Old", root, **expired).sign(
            key.public_key(), name("x"), ["mx.example"])) + pem(root.cert),
         "certificate 1 is not signed"),
        (key_and_cert(root, key, eku=ExtendedKeyUsageOID.CLIENT_AUTH),
         "not for a server"),
        (key_and_cert(root, key, usage=False), "not for signatures"),
        (key_and_cert(root, weak), "at least 2048 bits"),
        (key_and_cert(root, curve), "P-256, P-384 or P-521"),
        (key_and_cert(root, ed), "of no use"),
        (k[:-30] + pem(good), "does not end"),
        (k.replace(b"\nM", b"\nN", 1) + pem(good), "private key cannot be"),
        (k + pem(good).replace(b"\nM", b"\nN", 1), "certificate 1 cannot be"),
        (b"-----BEGIN PUBLIC KEY-----\nMA==\n-----END PUBLIC KEY-----\n",
         "not expected here: PUBLIC KEY"),
        (b"x" * 66000, "longer than 64 KiB"),
    ]
    for text, why in cases:
        assert why in box.not_put("own", text), why
    assert "  none;" in box.show()
    old = Issuer("Old", root, **expired)
    text = k + pem(old.sign(key.public_key(), name("x"), ["mx.example"]),
                   old.cert)
    assert "certificate 2 is not valid any more" in box.not_put("own", text)
    # a key in place of a key is no renewal
    box.put("own", k + pem(good, mid.cert))
    before = box.show()
    assert "there is a key of this name already" in \
        box.not_put("own", k + pem(good))
    assert "not that of the key" in box.not_put("own", pem(mid.cert))
    assert box.show() == before
    assert "warning: there is no host" in box.put(
        "bare", key_and_cert(root, ec.generate_private_key(ec.SECP256R1()),
                             hosts=()))


def test_every_octet_of_an_import(box, root):
    """Cut anywhere and altered anywhere: an answer, and nothing half done."""
    key = ec.generate_private_key(ec.SECP256R1())
    text = key_and_cert(root, key)
    for i in range(0, len(text), 7):
        box.confd.ask("KEY_IMPORT", b"own\n" + text[:i])
        error, answer = box.confd.result()
        assert error != OK, (i, answer)
        changed = bytearray(text)
        changed[i] ^= 0x11
        box.confd.ask("KEY_IMPORT", b"own\n" + bytes(changed))
        error, answer = box.confd.result()
        if error == OK:  # a change that PEM does not see
            box.do("KEY_DELETE", b"own")
    assert "  none;" in box.show()


# --- what has to be done --------------------------------------------------------------
@pytest.mark.parametrize("left,says", [
    (DAY * 12 + DAY / 2, "expires in 12 days"), (DAY / 2, "expires today"),
    (DAY * 1.5, "expires in 1 day"), (DAY * 29.5, "expires in 29 days"),
    (DAY * 30.5, None)])
def test_warning(box, root, left, says):
    def lamp():
        """What boss, which has the lamps, was told last."""
        return [struct.unpack("<Q", m[1])[0] for m in box.keys.messages
                if m[0] == "EXPIRY"][-1]

    key = ec.generate_private_key(ec.SECP256R1())
    box.put("own", key_and_cert(root, key, end=NOW + left))
    time.sleep(0.2)
    if says:
        assert f"{says}: WARNING" in box.show()
        assert box.notices()[0] == b"certificate of own " + says.encode()
        assert f'says="certificate of own {says}"' in box.keys.stderr()
        assert lamp() == 1
        box.do("KEY_DELETE", b"own")
        time.sleep(0.2)
    assert not box.notices() and lamp() == 0


def test_own_ca_is_shown(box, root):
    old = Issuer("Old Root", start=NOW - 30 * DAY, end=NOW - DAY)
    for ca in (root.cert, old.cert):
        box.do("EDIT", b"ca certificate\n" + pem(ca))
    box.confd.ask("COMMIT")
    box.confd.agree()
    assert box.confd.result()[0] == OK
    shown = box.show()
    assert "built in: 1\n" in shown
    assert "own 1  CN=Test Root\n" in shown
    assert "own 2  CN=Old Root\n" in shown and "has expired: WARNING" in shown


# --- what is kept ---------------------------------------------------------------------
def test_not_in_flash_in_clear(box, root, start):  # noqa: F811
    key = ec.generate_private_key(ec.SECP256R1())
    box.put("own", key_and_cert(root, key))
    der = key.private_bytes(serialization.Encoding.DER,
                            serialization.PrivateFormat.TraditionalOpenSSL,
                            serialization.NoEncryption())
    scalar = key.private_numbers().private_value.to_bytes(32, "big")
    files = list(start.folder.glob("keys.*"))
    assert len(files) == 1
    for f in start.folder.iterdir():
        data = f.read_bytes()
        assert der not in data and scalar not in data
        assert b"BEGIN" not in data


def test_rollback_brings_no_key_back(box):
    box.generate("ecdsa one")
    box.do("EDIT", b"log addresses off\n")
    box.confd.ask("COMMIT")
    box.confd.agree()
    assert box.confd.result()[0] == OK
    box.do("KEY_DELETE", b"one")
    box.do("ROLLBACK", number=0)
    assert "  one  " not in box.show()


def test_factory_reset_forgets_keys(box, start):  # noqa: F811
    box.generate("ecdsa one")
    box.confd.factory_reset()
    box.confd.agree()
    assert box.confd.result()[0] == OK
    assert "  none;" in box.show()
    assert not list(start.folder.glob("keys.*"))
    box.power_cut()
    assert "  none;" in box.show()


def test_damaged_in_flash(box, start):  # noqa: F811
    box.generate("ecdsa one")
    f, = start.folder.glob("keys.*")
    data = bytearray(f.read_bytes())
    data[-20] ^= 1
    f.write_bytes(data)
    box.power_cut()
    assert "  none;" in box.show()
    assert "does not verify" in box.confd.stderr()
    # mail is not kept from passing, and a new key can be made
    box.generate("ecdsa two")
    box.power_cut()
    assert "  two  " in box.show()


def test_full_flash(small, start):  # noqa: F811
    """No room for one more: it is said, and the others stay."""
    b = Box(start, store=small)
    try:
        b.generate("ecdsa one")
        with (small / "other").open("wb", buffering=0) as f, \
                pytest.raises(OSError):
            while True:
                f.write(bytes(4096))
        assert "full" in b.refused("KEY_GENERATE", b"ecdsa two")
        shown = b.show()
        assert "  one  " in shown and "  two  " not in shown
        b.csr("one mx.example")
        (small / "other").unlink()
        b.generate("ecdsa two")
    finally:
        b.keys.stop()
        b.confd.stop()


def test_without_a_store(start):  # noqa: F811
    b = Box(start, store=None)
    try:
        assert "no store" in b.refused("KEY_GENERATE", b"ecdsa a")
        assert "  none;" in b.show()
    finally:
        b.keys.stop()


def test_without_keys(start):  # noqa: F811
    p = start()
    assert "keys is not there" in p.refused("KEY_GENERATE", b"ecdsa a")
    assert "keys is not there" in p.refused("CRYPTO")
    s = p.join(KEYS)
    assert receive(s)[0] == "SECRETS"
    p.ask("CRYPTO")
    assert receive(s)[0] == "KEY_ASK"
    s.close()
    error, answer = p.result()
    assert error != OK and "keys stopped" in answer
