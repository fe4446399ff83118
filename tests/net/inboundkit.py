# SPDX-License-Identifier: BSD-2-Clause
"""A lab whose box stands before the server inside, with a certificate of its own;
clients outside, scripted ones and programs that we did not write."""
import contextlib
import ssl
import subprocess

from mailkit import Box, Client, Mx, net, poll, transact

INSIDE = "10.77.0.10"     # the server that knows no TLS
NAME = "mx.corp.example"  # in the certificate of the box


def import_key(authority, name, key="mx", place=net.FIRST, **kw):
    """As an administrator does; the certificate, DER."""
    cert, private = authority.cert(name, **kw)
    file = net.LAB / "import.pem"
    file.write_text(private.read_text() + cert.read_text() + authority.pem())
    net.cli(f"crypto import {key} {file}", place)
    file.unlink()
    return ssl.PEM_cert_to_DER_cert(cert.read_text())


def wait_offer(wanted=True, at=INSIDE):
    """Until each relay has proved what there is, or has forgotten it."""
    def there():
        seen = set()
        for _ in range(6):
            with Client(at, space="net") as c:
                seen.add("STARTTLS" in c.hello())
        return seen == {wanted}
    assert poll(there)


@contextlib.contextmanager
def inbound_lab(folders, authority, config):
    """The lab with this configuration, once STARTTLS is offered. Its .certificate is
    DER; what verifies it is in the file .roots."""
    box = Box(folders.mktemp("lab"), config, up=["--sanitized"])
    try:
        box.certificate = import_key(authority, NAME)
        box.roots = box.folder / "roots.pem"
        box.roots.write_text(authority.pem())
        server = Mx(INSIDE, space="mail")
        wait_offer()
        server.close()
        yield box
    finally:
        box.down()


def context(authority, cert=None, **limits):
    c = ssl.create_default_context(cadata=authority.pem())
    if cert:
        c.load_cert_chain(*cert)
    if "high" in limits:
        c.maximum_version = limits["high"]
    return c


class Outside(Client):
    """A mail server outside."""

    def __init__(self, address=INSIDE, **kw):
        super().__init__(address, space="net", **kw)

    def in_tls(self, authority, name=NAME, **kw):
        """EHLO, STARTTLS, EHLO; the certificate that was shown."""
        self.hello()
        shown = self.starttls(context(authority, **kw), name)
        self.text = self.ehlo()
        return shown


def deliver(box, client, sender, protected=True, rcpt="bob@corp.example"):
    body = box.body(protected)
    r = transact(client, [rcpt], body, sender)
    box.note(r, body)
    return r


def outside(*command, text="", timeout=30):
    """A program in the world outside; its output, all of it."""
    r = net.inside("net", *map(str, command), input=text.encode(),
                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                   timeout=timeout)
    return r.returncode, r.stdout.decode(errors="replace")


def arrived(box, server, body):
    """One message, octet for octet; the client may have put lines before it, and an
    empty one behind. The oracles look at the wire outside."""
    assert poll(lambda: server.stored)
    (_, got, tls), = server.stored
    assert not tls and body in got
    box.submitted.add(got)
