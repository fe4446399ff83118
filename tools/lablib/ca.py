# SPDX-License-Identifier: BSD-2-Clause
"""A certificate authority for the lab, made once and kept."""
import hashlib
import subprocess

from . import net


def openssl(*args, text=None):
    r = subprocess.run(["openssl", *args], input=text, capture_output=True,
                       text=True, check=False)
    if r.returncode:
        raise net.LabError(f"openssl {args[0]}: {r.stderr.strip()}")
    return r.stdout


class Authority:
    """One CA; cert() makes server certificates from it."""

    def __init__(self, name="lab"):
        self.dir = net.LAB / "ca" / name
        self.dir.mkdir(parents=True, exist_ok=True)
        self.cert_file, self.key_file = self.dir / "ca.pem", self.dir / "ca.key"
        if self.cert_file.exists():
            return
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:P-256", "-nodes", "-days", "3650", "-subj",
                f"/CN=Sealwire {name} CA", "-keyout", str(self.key_file),
                "-out", str(self.cert_file), "-addext",
                "keyUsage=critical,keyCertSign,cRLSign")

    def pem(self):
        return self.cert_file.read_text()

    def cert(self, name, san=None, days=365, rsa=False):
        """(certificate file, key file) for a server."""
        kind = "-rsa" if rsa else ""
        pem, key = (self.dir / f"{name}{kind}.{e}" for e in ("pem", "key"))
        new = ["rsa:2048"] if rsa else \
            ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        if not pem.exists():
            csr, ext = (self.dir / f"{name}.{e}" for e in ("csr", "ext"))
            openssl("req", "-new", "-newkey", *new, "-nodes", "-subj",
                    f"/CN={name}", "-keyout", str(key), "-out", str(csr))
            ext.write_text(f"subjectAltName={san or 'DNS:' + name}\n"
                           "extendedKeyUsage=serverAuth\n")
            openssl("x509", "-req", "-in", str(csr), "-CA",
                    str(self.cert_file), "-CAkey", str(self.key_file),
                    "-CAcreateserial", "-days", str(days), "-extfile",
                    str(ext), "-out", str(pem))
            key.chmod(0o600)
        return pem, key


def pin(cert_file):
    """SHA-256 of the SubjectPublicKeyInfo, as the configuration wants it."""
    pub = openssl("x509", "-in", str(cert_file), "-noout", "-pubkey")
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"],
                         input=pub.encode(), capture_output=True,
                         check=True).stdout
    return "sha256:" + hashlib.sha256(der).hexdigest()
