# SPDX-License-Identifier: BSD-2-Clause
"""The boot loader, with nothing in flash: what it asks for, what it does not take,
and that it can be helped. No Linux but at the end."""
import pytest
from bootkit import DyingTftp, prompt, qemu
from forge import forgeries

@pytest.fixture(name="loader", scope="module")
def loader_fixture(board):
    board.blank()
    with board.loader() as serial:
        yield serial
    board.cut()


def test_blank_flash_asks_for_ever_and_says_for_what(board):
    """And once the file is there, nobody has to type anything."""
    board.blank()
    with board.nobody_has_it(), board.power() as serial:
        serial.until("No slot has an image that is whole and signed")
        board.recovers(serial)
    slot, = board.part("slot-a")
    assert slot.startswith(board.images.octets)
    assert "running   slot a" in board.cli("show image")
    board.configure()
    board.check()


def test_flashed_with_one_command(board):
    board.unprotected()
    board.cut()
    qemu.install(board.machine, board.folder / "tftp")
    assert "running   slot a" in board.cli("show image")


def test_signed_in_every_part(loader, board, images):
    """Forgeries of U-Boot's own tests and ours: refused before flash is erased."""
    was = board.images_and_plan()
    with board.tftp as tftp:
        tftp.serve()
        for name, octets, good in forgeries(images):
            tftp.file.write_bytes(octets)
            said = prompt(loader, "run fetch && echo TAKEN")
            assert ("\nTAKEN" in said) == good, (name, said)
            if not good:
                said = prompt(loader, "run flash_tftp")
                assert "Starting kernel" not in said, (name, said)
                assert board.images_and_plan() == was, name


@pytest.mark.parametrize("blocks", [0, 1, 700])
def test_a_server_that_dies(loader, board, images, blocks):
    was = board.images_and_plan()
    with board.tftp as tftp:
        tftp.serve()
        tftp.process.terminate()  # its address stays
        tftp.process.wait()
        tftp.process = None
        prompt(loader, "setenv tftptimeout 100")
        prompt(loader, "setenv tftptimeoutcountmax 2")
        with DyingTftp("mail", qemu.TFTP_SERVER, images.octets,
                       blocks) as dying:
            said = prompt(loader, "run flash_tftp")
            assert dying.asked
    assert "Retry count exceeded" in said
    assert board.images_and_plan() == was


def test_nothing_else_can_be_started(loader):
    for command in ("booti", "bootz", "bootefi", "bootelf", "go", "source",
                    "bootflow", "bootmeth", "pxe", "dhcp", "fdt", "dfu", "loadb",
                    "loady", "loads", "ums", "usb", "env import", "imxtract"):
        said = prompt(loader, command)
        assert "Unknown command" in said or "Usage:" in said and \
            command == "env import", (command, said)


def test_flash_does_not_say_what_is_done(board):
    """An environment that somebody has put into flash: of its variables only those
    count that say which slot and what address."""
    board.cut()
    board.write_environment(
        bootcmd="echo NOT OURS", altbootcmd="echo NOT OURS",
        preboot="echo NOT OURS", bootargs="init=/bin/sh", try_a="echo NOT OURS",
        fetch="echo NOT OURS", bootdelay="-2", slot_a="0", loadaddr="0",
        stdin="none", bootfile="other", slot="b", serverip="192.168.1.77")
    with board.loader() as serial:
        said = prompt(serial, "printenv")
        assert "NOT OURS" not in said and "/bin/sh" not in said, said
        assert "\nslot=b\r" in said
        assert "\nserverip=192.168.1.77\r" in said
        assert "\nbootdelay=2\r" in said
    board.blank()
