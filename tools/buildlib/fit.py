# SPDX-License-Identifier: BSD-2-Clause
"""One signed FIT from kernel, device tree and root file system; U-Boot with the
public key. What is signed is the configuration: all three parts, together."""
import pathlib
import shutil
import subprocess
import tempfile

from buildlib.keep import run

ITS = """/dts-v1/;
/ {{
	description = "Sealwire {version} for {board}";
	#address-cells = <1>;

	images {{
		kernel {{
			description = "Linux";
			data = /incbin/("{kernel}");
			type = "kernel";
			arch = "{arch}";
			os = "linux";
			compression = "lzma";
			load = <{load:#x}>;
			entry = <{load:#x}>;
			hash {{
				algo = "sha256";
			}};
		}};
		fdt {{
			description = "board";
			data = /incbin/("{dtb}");
			type = "flat_dt";
			arch = "{arch}";
			compression = "none";
			hash {{
				algo = "sha256";
			}};
		}};
		ramdisk {{
			description = "root file system";
			data = /incbin/("{ramdisk}");
			type = "ramdisk";
			arch = "{arch}";
			os = "linux";
			compression = "none";
			hash {{
				algo = "sha256";
			}};
		}};
	}};

	configurations {{
		default = "sealwire";
		sealwire {{
			description = "{board}";
			kernel = "kernel";
			fdt = "fdt";
			ramdisk = "ramdisk";
			signature {{
				algo = "sha256,rsa3072";
				key-name-hint = "{hint}";
				sign-images = "kernel", "fdt", "ramdisk";
			}};
		}};
	}};
}};
"""


def make(tools, facts, parts, out):
    """The unsigned FIT. facts: version board arch load hint; parts: files named
    kernel, dtb, ramdisk. Depends on nothing else but SOURCE_DATE_EPOCH."""
    its = out.with_suffix(".its")
    its.write_text(ITS.format(**facts, **parts))
    run([tools / "mkimage", "-f", its, out], out.parent)
    its.unlink()


class Key:
    """A folder as mkimage wants it: HINT.key and HINT.crt."""

    def __init__(self, pem, hint):
        self.hint = hint
        self.dir = pathlib.Path(tempfile.mkdtemp())
        (self.dir / f"{hint}.key").symlink_to(pem.resolve())
        run(["openssl", "req", "-batch", "-new", "-x509", "-subj",
             f"/CN={hint}", "-key", pem, "-out", self.dir / f"{hint}.crt"],
            self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.dir)

    def sign(self, tools, fit):
        run([tools / "mkimage", "-F", "-k", self.dir, "-r", fit], fit.parent)

    def into(self, tools, dtb):
        """Put the public key into dtb; from then on nothing else starts."""
        run([tools / "fdt_add_pubkey", "-a", "sha256,rsa3072", "-k", self.dir,
             "-n", self.hint, "-r", "conf", dtb], dtb.parent)


def lzma(data):
    return subprocess.run(["xz", "--format=lzma", "-9", "-c"], input=data,
                          stdout=subprocess.PIPE, check=True).stdout


def zstd(data):
    return subprocess.run(["zstd", "-q", "-19", "-c"], input=data,
                          stdout=subprocess.PIPE, check=True).stdout
