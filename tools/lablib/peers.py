# SPDX-License-Identifier: BSD-2-Clause
"""Real mail servers that we did not write, side by side.

Debian's packages of Postfix, Exim and OpenSMTPD exclude each other, so they
are not installed: each is unpacked below the cache and runs in a mount
namespace where it lies over /usr, with users of its own. Nothing of the
machine changes, and every server has its own configuration, spool and log.
"""
import os
import pathlib
import re
import shlex
import subprocess
import time

from . import net

CACHE = pathlib.Path(os.environ.get("CACHE_DIR") or pathlib.Path(
    os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sealwire")
PACKAGES = {"postfix": ["postfix"], "opensmtpd": ["opensmtpd"],
            "exim": ["exim4-daemon-heavy", "exim4-base"],
            "postfix-sasl": ["postfix", "sasl2-bin", "libsasl2-modules",
                             "libsasl2-modules-db"]}
USERS = """postfix:x:64101:64101::/:/usr/sbin/nologin
Debian-exim:x:64103:64103::/:/usr/sbin/nologin
opensmtpd:x:64104:64104::/:/usr/sbin/nologin
opensmtpq:x:64105:64105::/:/usr/sbin/nologin
mailstore:x:64106:64106::/:/usr/sbin/nologin
"""
GROUPS = """postfix:x:64101:
postdrop:x:64102:
Debian-exim:x:64103:
opensmtpd:x:64104:
opensmtpq:x:64105:
mailstore:x:64106:
"""


def apt(*args, **kw):
    r = subprocess.run(["apt-get", "-qq", *args], capture_output=True,
                       text=True, check=False, **kw)
    if r.returncode:
        raise net.LabError(f"apt-get {' '.join(args)}: {r.stderr.strip()}")


def unpack(name):
    """The folder with the server's /usr, downloaded once per version."""
    out = subprocess.run(["apt-cache", "policy", *PACKAGES[name]],
                         capture_output=True, text=True, check=False).stdout
    versions = re.findall(r"Candidate: (\S+)", out)
    if len(versions) != len(PACKAGES[name]):
        apt("update")
        out = subprocess.run(["apt-cache", "policy", *PACKAGES[name]],
                             capture_output=True, text=True,
                             check=False).stdout
        versions = re.findall(r"Candidate: (\S+)", out)
    if not versions:
        raise net.LabError(f"apt knows no package {name}")
    folder = CACHE / "peers" / f"{name}-{versions[0].replace(':', '_')}"
    if folder.exists():
        return folder
    work = folder.with_suffix(".new")
    subprocess.run(["rm", "-rf", work], check=True)
    work.mkdir(parents=True)
    apt("download", *PACKAGES[name], cwd=work)
    needs = set()
    for deb in work.glob("*.deb"):
        out = subprocess.run(["dpkg", "-f", deb, "Depends"], check=True,
                             capture_output=True, text=True).stdout
        needs |= set(re.findall(r"(?:^|, )(lib[^\s,|]+)", out))
        subprocess.run(["dpkg", "-x", deb, work / "root"], check=True)
        deb.unlink()
    have = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\n", *needs],
                          capture_output=True, text=True,
                          check=False).stdout.split()
    if needs - set(have):
        apt("install", "-y", "--no-install-recommends",
            *sorted(needs - set(have)))
    work.rename(folder)
    return folder


class Server:
    """One running mail server in a namespace of the lab."""

    package = ""

    def __init__(self, name, space):
        self.name, self.space = name, space
        self.dir = net.LAB / "peers" / name
        subprocess.run(["rm", "-rf", self.dir], check=True)
        for d in ("etc", "spool", "run", "mail", "lib/opensmtpd/empty"):
            (self.dir / d).mkdir(parents=True)
        os.chmod(net.LAB, 0o755)
        os.chown(self.dir / "mail", 64106, 64106)
        self.log = self.dir / "log"
        self.log.touch()
        os.chmod(self.log, 0o666)
        self.process = None
        self.root = unpack(self.package) if self.package else None

    def shell(self, command):
        """A shell line that runs command as this server sees the world."""
        etc = self.dir / "etc"
        (etc / "passwd").write_text(
            pathlib.Path("/etc/passwd").read_text() + USERS)
        (etc / "group").write_text(
            pathlib.Path("/etc/group").read_text() + GROUPS)
        q = {k: shlex.quote(str(v)) for k, v in {
            "usr": self.root / "root/usr", "etc": etc,
            "spool": self.dir / "spool", "run": self.dir / "run",
            "lib": self.dir / "lib"}.items()}
        return (f"mount --make-rprivate / && "
                f"mount -t overlay overlay -o lowerdir={q['usr']}:/usr /usr && "
                f"mount -t overlay overlay -o "
                f"lowerdir={q['lib']}:/var/lib /var/lib && "
                f"mount --bind {q['etc']}/passwd /etc/passwd && "
                f"mount --bind {q['etc']}/group /etc/group && "
                f"mount --bind {q['spool']} /var/spool && "
                f"mount --bind {q['run']} /run && exec {command}")

    def command(self):
        raise NotImplementedError

    def start(self):
        self.configure()
        log = open(self.dir / "stderr", "ab")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", net.SPACES[self.space], "unshare", "-m",
             "sh", "-c", self.shell(self.command())],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True)
        return self

    def configure(self):
        raise NotImplementedError

    def wait(self, addresses, port=25, seconds=15):
        end = time.monotonic() + seconds
        for a in addresses:
            probe = ("import socket,sys;socket.create_connection("
                     f"('{a}', {port}), 1)")
            while net.inside(self.space, "/usr/bin/python3", "-c", probe,
                             capture_output=True).returncode:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise net.LabError(
                        f"{self.name} does not listen on {a}:\n"
                        + (self.dir / "stderr").read_text()
                        + self.log.read_text()[-2000:])
                time.sleep(0.1)

    def messages(self):
        """Files that were stored for this server's domains."""
        return [p for p in (self.dir / "mail").rglob("*")
                if p.is_file() and p.parent.name == "new"]


class Postfix(Server):
    """Postfix as a remote MX, or (relay) as the organisation's server."""

    package = "postfix"

    def __init__(self, name, space, addresses, cert=None, settings=(),
                 routes=None):
        self.addresses, self.cert = addresses, cert
        self.settings, self.routes = settings, routes
        super().__init__(name, space)

    def configure(self):
        etc = self.dir / "etc"
        self.queue()
        main = [
            "compatibility_level = 3.6", f"myhostname = {self.name}",
            "mydestination =", f"queue_directory = {self.dir}/spool/postfix",
            f"data_directory = {self.dir}/spool/data",
            f"maillog_file = {self.log}", f"maillog_file_prefixes = {net.LAB}",
            "smtpd_peername_lookup = no", "message_size_limit = 60000000",
            "virtual_mailbox_limit = 0", "mailbox_size_limit = 0",
            # addresses of a local route are on no interface: master.cf
            # names them
            "inet_interfaces = all", "inet_protocols = all",
            "smtp_dns_support_level = disabled",
            "smtpd_client_connection_count_limit = 0",
            "smtpd_client_connection_rate_limit = 0",
            "biff = no", "disable_vrfy_command = no",
            "alias_maps =", "alias_database =", "local_recipient_maps =",
            "smtp_destination_concurrency_limit = 20",
        ]
        if self.routes is None:
            main += ["virtual_mailbox_domains = static:ALL",
                     "virtual_mailbox_maps = static:all/",
                     f"virtual_mailbox_base = {self.dir}/mail",
                     "virtual_uid_maps = static:64106",
                     "virtual_gid_maps = static:64106",
                     "virtual_minimum_uid = 1000",
                     "smtpd_relay_restrictions = reject_unauth_destination"]
        else:
            table = "".join(f"{d} smtp:[{a}]\n"
                            for d, a in self.routes.items())
            (etc / "transport").write_text(table)
            main += [f"transport_maps = texthash:{etc}/transport",
                     "mynetworks = 127.0.0.0/8 10.77.0.0/24",
                     "relay_domains = static:ALL",
                     "smtpd_relay_restrictions = permit_mynetworks, reject",
                     "smtp_tls_security_level = none",
                     "minimal_backoff_time = 300s",
                     "smtp_address_preference = any"]
        if self.cert:
            main += ["smtpd_tls_security_level = may",
                     f"smtpd_tls_cert_file = {self.cert[0]}",
                     f"smtpd_tls_key_file = {self.cert[1]}",
                     "smtpd_tls_loglevel = 1", "smtpd_tls_received_header = yes"]
        (etc / "main.cf").write_text("\n".join([*main, *self.settings]) + "\n")
        listen = [f"[{a}]:25" if ":" in a else f"{a}:25"
                  for a in self.addresses]
        (etc / "master.cf").write_text("".join(
            f"{a} inet n - n - - smtpd\n" for a in listen) + MASTER_CF)

    def command(self):
        return (f"env MAIL_CONFIG={self.dir}/etc /usr/lib/postfix/sbin/master "
                f"-c {self.dir}/etc -d")

    def queue(self):
        """The folders that 'postfix check' would make from /etc/postfix."""
        top = self.dir / "spool/postfix"
        for d in ("active", "bounce", "corrupt", "defer", "deferred", "flush",
                  "hold", "incoming", "private", "saved", "trace", "public",
                  "maildrop", "../data"):
            (top / d).mkdir(parents=True, exist_ok=True)
            os.chmod(top / d, 0o700)
            os.chown(top / d, 64101, 0)
        (top / "pid").mkdir()
        os.chown(top / "public", 64101, 64102)
        os.chmod(top / "public", 0o710)
        os.chown(top / "maildrop", 64101, 64102)
        os.chmod(top / "maildrop", 0o730)


class PostfixSasl(Postfix):
    """Postfix with Cyrus SASL, as a remote MX that takes mail from its users alone,
    and their log-on inside TLS alone. users: {name: password}."""

    package = "postfix-sasl"

    def __init__(self, name, space, addresses, cert, users):
        self.users = users
        super().__init__(name, space, addresses, cert, settings=[
            "smtpd_sasl_auth_enable = yes", "smtpd_tls_auth_only = yes",
            "smtpd_sasl_local_domain = users",
            "smtpd_sasl_authenticated_header = yes",
            "smtpd_recipient_restrictions = permit_sasl_authenticated, reject"])

    def configure(self):
        super().configure()
        (self.dir / "etc/sasl").mkdir()
        (self.dir / "etc/sasl/smtpd.conf").write_text(f"""pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {self.dir}/etc/sasldb
mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256
""")

    def command(self):
        make = "".join(
            f"printf %s {shlex.quote(p)} | saslpasswd2 -p -c -f "
            f"{self.dir}/etc/sasldb -u users {u} && "
            for u, p in self.users.items())
        return f"sh -c {shlex.quote(make)}" \
            f"{shlex.quote(f'chmod 644 {self.dir}/etc/sasldb && exec ')}" \
            f"{shlex.quote(super().command())}"


MASTER_CF = """pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
virtual   unix  -       n       n       -       -       virtual
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""


class Exim(Server):
    """Exim (GnuTLS) as a remote MX. user: (name, password) of the only one whose
    mail it takes, logged on with NTLM ("spa") or CRAM-MD5."""

    package = "exim"

    def __init__(self, name, space, addresses, cert, user=None):
        self.addresses, self.cert, self.user = addresses, cert, user
        super().__init__(name, space)

    def authenticators(self):
        user, password = self.user
        return f"""begin authenticators
ntlm:
  driver = spa
  public_name = NTLM
  server_password = ${{if eqi{{$auth1}}{{{user}}}{{{password}}}fail}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{{user}}}{{{password}}}fail}}
  server_set_id = $auth1
"""

    def configure(self):
        key = self.dir / "etc/key.pem"  # Exim reads it as its own user
        key.write_bytes(self.cert[1].read_bytes())
        key.chmod(0o400)
        os.chown(key, 64103, 64103)
        # with -C Exim gives up root, so it stores as itself
        os.chown(self.dir / "mail", 64103, 64103)
        colons = " : ".join(a.replace(":", "::") for a in self.addresses)
        (self.dir / "etc/exim.conf").write_text(f"""
primary_hostname = {self.name}
local_interfaces = {colons}
spool_directory = {self.dir}/spool/exim
log_file_path = {self.dir}/spool/exim-%slog
tls_advertise_hosts = *
tls_certificate = {self.cert[0]}
tls_privatekey = {key}
message_size_limit = 60M
acl_smtp_rcpt = all
acl_smtp_data = all
acl_smtp_mail = all
keep_environment =
log_selector = +tls_cipher
host_lookup =
rfc1413_hosts =
begin acl
all:
  accept{" authenticated = *" if self.user else ""}
begin routers
all:
  driver = accept
  transport = store
begin transports
store:
  driver = appendfile
  maildir_format
  directory = {self.dir}/mail/all
  create_directory
  user = Debian-exim
  group = Debian-exim
{self.authenticators() if self.user else ""}""")

    def command(self):
        return (f"sh -c 'mkdir -p {self.dir}/spool/exim && chown -R 64103:64103 "
                f"{self.dir}/spool && exec exim4 -bdf -q1h "
                f"-C {self.dir}/etc/exim.conf'")


class EximOut(Server):
    """Exim (GnuTLS) as a sender outside that sends to one server, in TLS with a
    certificate of these roots or not at all."""

    package = "exim"

    def __init__(self, name, space, to, roots):
        self.to, self.roots = to, roots
        super().__init__(name, space)

    def configure(self):
        roots = self.dir / "etc/roots.pem"  # it is not read as root
        roots.write_bytes(self.roots.read_bytes())
        (self.dir / "etc/exim.conf").write_text(f"""
primary_hostname = {self.name}
spool_directory = {self.dir}/spool/exim
log_file_path = {self.dir}/spool/exim-%slog
keep_environment =
host_lookup =
log_selector = +tls_cipher +tls_certificate_verified
begin routers
out:
  driver = manualroute
  route_list = * {self.to}
  transport = out
begin transports
out:
  driver = smtp
  hosts_require_tls = *
  tls_verify_certificates = {roots}
  tls_verify_hosts = *
  tls_verify_cert_hostnames =
""")

    def send(self, sender, rcpt, body):
        """Delivered at once; what the log has to say."""
        self.configure()
        command = (f"sh -c 'mkdir -p {self.dir}/spool/exim && chown -R "
                   f"64103:64103 {self.dir}/spool && exec exim4 -odf -oi "
                   f"-C {self.dir}/etc/exim.conf -f {sender} {rcpt}'")
        net.inside(self.space, "unshare", "-m", "sh", "-c",
                   self.shell(command), input=body.replace(b"\r\n", b"\n"),
                   timeout=60, capture_output=True)
        return (self.dir / "spool/exim-mainlog").read_text()


class OpenSmtpd(Server):
    """OpenSMTPD as a remote MX."""

    package = "opensmtpd"

    def __init__(self, name, space, addresses):
        self.addresses = addresses
        super().__init__(name, space)

    def configure(self):
        # Without TLS: 6.8.0 with OpenSSL 3 as Debian 12 has it breaks off
        # every handshake, also with openssl s_client and no box between.
        listen = "\n".join(f"listen on {a} hostname {self.name}"
                           for a in self.addresses)
        (self.dir / "etc/smtpd.conf").write_text(f"""
table all {{ "@" = "mailstore" }}
smtp max-message-size 60M
{listen}
action "store" maildir "{self.dir}/mail/all" virtual <all>
match from any for any action "store"
""")

    def command(self):
        return (f"sh -c 'mkdir -p /var/spool/smtpd && chmod 711 "
                f"/var/spool/smtpd && exec smtpd -d -f "
                f"{self.dir}/etc/smtpd.conf'")


class OpenSmtpdOut(OpenSmtpd):
    """OpenSMTPD as a sender outside that sends to one server, in TLS or not at
    all."""

    def __init__(self, name, space, addresses, to):
        self.to = to
        super().__init__(name, space, addresses)

    def configure(self):
        listen = "\n".join(f"listen on {a} hostname {self.name}"
                           for a in self.addresses)
        (self.dir / "etc/smtpd.conf").write_text(f"""
smtp max-message-size 60M
{listen}
action "out" relay host "smtp+tls://{self.to}" tls no-verify
match from any for any action "out"
""")
