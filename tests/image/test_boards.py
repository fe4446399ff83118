# SPDX-License-Identifier: BSD-2-Clause
"""The facts of every board with an image agree with each other, with the firmware,
and with the sources of Linux and U-Boot. Nothing is built."""
import functools
import re

import pytest
from buildlib import dts, fdt, kconfig, loader, sources
from buildlib.sources import ROOT

BOARDS = sorted(f.parent.name for f in ROOT.glob("board/*/board.dts"))
REAL = [b for b in BOARDS if not (ROOT / "board" / b / "qemu").exists()]
FILES = {"Kconfig", "README.md", "board.conf", "board.dts", "linux.fragment",
         "uboot.env", "uboot.fragment"}
LABELS = ["boot", "env-a", "env-b", "factory", "config", "crash", "slot-a",
          "slot-b"]
ENV_SIZE = int(re.search(r"BOOT_ENV_SIZE = (\d+)", (
    ROOT / "firmware/image/boot_env.h").read_text())[1])
BUDGET = 6 << 20  # of an image


@pytest.fixture(name="board", params=BOARDS)
def board_fixture(request):
    return request.param


def text(board, file):
    return (ROOT / "board" / board / file).read_text()


def settings(board):
    """What Kconfig says for its tools: {name: value}."""
    return dict(re.findall(r"^config (\w+)\n\t(?:string|hex)\n\tdefault \"?([^\"\n]+)",
                           text(board, "Kconfig"), re.M))


def arch(board):
    return "riscv" if "select RISCV64" in text(board, "Kconfig") else "arm64"


@functools.cache
def tree(board):
    return fdt.parse(dts.build(board, arch(board)))


def chips(root):
    """[[partition]] of each chip, at counted from its own first octet."""
    return [[(p.text("label"), *p.cells("reg")) for p in table.values()]
            for _, table in fdt.flash_chips(root)]


def variables(board):
    return dict(line.split("=", 1)
                for line in text(board, "uboot.env").splitlines()
                if not line.startswith("#"))


def uboot(board):
    """The defconfig of U-Boot and on it the fragments."""
    defconfig = sources.get(["u-boot"])["u-boot"] / "configs" / settings(
        board)["UBOOT_DEFCONFIG"]
    return {**kconfig.parse(defconfig.read_text()), **kconfig.parse(
        kconfig.merged(ROOT / "config/uboot.config",
                       ROOT / "board" / board / "uboot.fragment"))}


# --- the folder ---------------------------------------------------------------------
def test_the_folder_is_complete(board):
    there = {f.name for f in (ROOT / "board" / board).iterdir()}
    assert FILES <= there <= FILES | {"qemu", "loader"}
    assert (ROOT / f"config/{board}_defconfig").exists()
    settings_ = settings(board)
    assert {"UBOOT_DEFCONFIG", "KERNEL_LOAD"} <= settings_.keys()
    assert re.search(r"^- `" + board + "` - ", (
        ROOT / "board/README.md").read_text(), re.M)


@pytest.mark.parametrize("board", REAL)
def test_nobody_is_led_to_think_that_it_was_tried(board):
    mark = "builds; not run on hardware"
    assert mark in text(board, "README.md").split("\n\n")[1].lower()
    caveats = " ".join((ROOT / "CAVEATS.md").read_text().split()).lower()
    assert f"`{board}`" in caveats and mark in caveats


@pytest.mark.parametrize("board", REAL)
def test_the_manual_has_what_one_needs(board):
    manual = text(board, "README.md")
    for heading in ("Wiring", "What is where in flash", "First flash",
                    "Recovery"):
        assert f"\n## {heading}\n" in manual, heading
    assert "115200 8N1" in manual
    # The commands that it types are there.
    known = variables(board).keys() | {
        line.split("=", 1)[0] for line in (
            ROOT / "config/uboot.env").read_text().splitlines()}
    named = set(re.findall(r"\brun (\w+)", manual)) - {"on"}
    assert named and named <= known
    # The map in the manual is that of the device tree.
    rows = re.findall(r"^\| (0x[0-9a-f]+) \| (\d+) KiB \| `([\w-]+)` \|", manual,
                      re.M)
    part, = chips(tree(board))
    assert [(name, int(at, 0), int(size) << 10) for at, size, name in rows] \
        == part


# --- flash --------------------------------------------------------------------------
def test_the_flash_map_is_what_the_firmware_knows(board):
    assert [p.label for p in fdt.partitions(tree(board))] == LABELS
    rom = loader.facts(board)
    chip, block = (int(n, 0) for n in rom["flash"]) if rom else (64 << 20,
                                                                 256 << 10)
    for parts in chips(tree(board)):
        end = 0
        for name, at, size in parts:
            assert at == end, name  # no hole, and nothing lies over another
            assert size and size % block == 0, name
            end = at + size
        assert end <= chip
    at = {p.label: p.size for p in fdt.partitions(tree(board))}
    assert at["slot-a"] == at["slot-b"] >= BUDGET
    assert at["env-a"] == at["env-b"] == block >= ENV_SIZE
    assert at["config"] >= 8 * block  # JFFS2 wants some to turn over


def test_uboot_knows_that_map(board):
    at = {p.label: p for p in fdt.partitions(tree(board))}
    have, env = uboot(board), variables(board)
    places = ("ENV_ADDR", "ENV_ADDR_REDUND")
    if loader.facts(board):
        places = ("ENV_OFFSET", "ENV_OFFSET_REDUND")
        assert have["CONFIG_ENV_IS_IN_SPI_FLASH"] == "y"
        assert int(env["slot_size"], 0) == at["slot-a"].size
    for place, label in zip(places, ("env-a", "env-b")):
        assert int(have[f"CONFIG_{place}"], 0) == at[label].at
    assert int(have["CONFIG_ENV_SIZE"], 0) == ENV_SIZE
    assert int(have["CONFIG_ENV_SECT_SIZE"], 0) == at["env-a"].size
    for slot in "ab":
        assert int(env[f"slot_{slot}"], 0) == at[f"slot-{slot}"].at
        assert "${slot_" + slot + "}" in env[f"read_{slot}"]
    numbers = re.findall(r"0x[0-9a-f]+", env["factory_reset"])
    assert [int(n, 0) for n in numbers] == [at["config"].at, at["config"].size]
    assert env["bootfile"] == f"sealwire-{board}.itb"
    # A board may look at a key first; then it does what all do.
    does = re.search("^bootcmd=(.*)$", (ROOT / "config/uboot.env").read_text(), re.M)
    assert env.get("bootcmd", does[1]).endswith(does[1])


def test_the_loader_is_where_spl_looks_for_it(board):
    rom = loader.facts(board)
    if not rom:
        pytest.skip("no boot ROM")
    at = {p.label: p for p in fdt.partitions(tree(board))}
    place, have = int(rom["fit"][0], 0), uboot(board)
    assert int(rom["spl"][0], 0) < place < at["boot"].size
    assert int(have["CONFIG_SYS_SPI_U_BOOT_OFFS"], 0) == place
    if have.get("CONFIG_SYS_MMCSD_RAW_MODE_U_BOOT_USE_SECTOR") == "y":
        sector = int(have["CONFIG_SYS_MMCSD_RAW_MODE_U_BOOT_SECTOR"], 0)
        assert sector * 512 == place
    assert rom["monitor"][0] in {e["name"] for e in sources.of_board(board)}
    others = {loader.facts(b)["monitor"][0] for b in REAL if b != board}
    assert not others & {e["name"] for e in sources.of_board(board)}


# --- memory, console, ports -----------------------------------------------------------
def test_nothing_lies_over_another_in_memory(board):
    env = variables(board)
    kept, = [n.cells("reg") for name, n in tree(board)[
        "reserved-memory"].items() if name.startswith("ramoops@")]
    used = {"kernel": (int(settings(board)["KERNEL_LOAD"], 0), 12 << 20),
            "image": (int(env["loadaddr"], 0), BUDGET),
            "ramoops": (kept[1], kept[3])}
    if "again" in env:
        used["again"] = (int(env["again"], 0), BUDGET)
    order = sorted(used.values())
    assert all(a + n <= b for (a, n), (b, _) in zip(order, order[1:])), used
    for name, n in tree(board).items():
        if name.startswith("memory@"):
            _, start, high, size = n.cells("reg")
            end = start + (high << 32) + size
            assert start <= order[0][0] and sum(order[-1]) <= end


def node(root, path):
    for step in path.strip("/").split("/"):
        root = root[step]
    return root


def nodes(root, path=""):
    for name, child in root.items():
        yield f"{path}/{name}", child
        yield from nodes(child, f"{path}/{name}")


def test_the_console_is_one_serial_line(board):
    """Of U-Boot, of Linux, and of what asks for the password."""
    root = tree(board)
    line, _, mode = root["chosen"].text("stdout-path").partition(":")
    tty, = re.findall(r"^console\s+/dev/(\w+)", text(board, "board.conf"), re.M)
    cmdline = kconfig.parse(text(board, "linux.fragment"))["CONFIG_CMDLINE"]
    assert cmdline.strip('"').startswith(f"console={tty},115200 ")
    if line.startswith("serial"):
        assert tty == f"ttyS{line.removeprefix('serial')}"
        assert mode == "115200n8"
        line = root["aliases"].text(line)
        assert node(root, line).text("status") == "okay"
    assert uboot(board).get("CONFIG_BAUDRATE", "115200") == "115200"


def test_ports_and_lamps_are_in_the_device_tree(board):
    conf = dict(re.findall(r"^([\w-]+)\s+(\S+)$", text(board, "board.conf"), re.M))
    by_device = {}
    for path, n in nodes(tree(board)):
        name, _, at = path.rsplit("/", 1)[1].partition("@")
        by_device[f"@{at}.{name}"] = n
    assert conf["inside"] != conf["outside"]
    for port in ("inside", "outside"):
        n = by_device[conf[port]]
        assert "status" not in n.props or n.text("status") == "okay"
    lamps = {lamp_name(n) for n in tree(board).get("leds", {}).values()}
    for lamp in ("led-power", "led-encrypting", "led-fault"):
        assert conf.get(lamp) in lamps | {None}


def lamp_name(n):
    """As the kernel names it: drivers/leds/led-core.c."""
    colours = {1: "red", 2: "green", 3: "blue"}
    if "label" in n.props:
        return n.text("label")
    return f"{colours[n.cells('color')[0]]}:{n.text('function')}"


# --- options --------------------------------------------------------------------------
@functools.cache
def symbols(name):
    """All that the Kconfig files of this source know."""
    found = set()
    for file in sources.get([name])[name].rglob("Kconfig*"):
        if file.is_file():
            found |= set(re.findall(r"^\s*(?:menu)?config (\w+)",
                                    file.read_text(errors="replace"), re.M))
    return found


@pytest.mark.parametrize("name,fragment", [("linux", "linux.fragment"),
                                           ("u-boot", "uboot.fragment")])
def test_every_option_of_a_fragment_is_known(board, name, fragment):
    asked = {o.removeprefix("CONFIG_") for o in kconfig.parse(
        text(board, fragment))}
    assert not asked - symbols(name)


def test_an_option_that_did_not_take_ends_the_build(tmp_path):
    fragment, config = tmp_path / "fragment", tmp_path / ".config"
    config.write_text("CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=0x10\n")
    fragment.write_text("CONFIG_A=y\n# CONFIG_B is not set\n"
                        "# CONFIG_UNKNOWN is not set\nCONFIG_C=0x10\n")
    kconfig.asked(config, fragment)
    for wrong in ("CONFIG_B=y", "# CONFIG_A is not set", "CONFIG_C=0x20",
                  "CONFIG_UNKNOWN=y"):
        fragment.write_text(wrong + "\n")
        with pytest.raises(SystemExit, match="did not come out as asked"):
            kconfig.asked(config, fragment)
