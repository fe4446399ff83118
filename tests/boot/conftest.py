# SPDX-License-Identifier: BSD-2-Clause
"""The image on a board that QEMU plays. One board for the tests of a file: they go on
where the one before has left it. The first, and one after a test that has failed,
begins with the flash image of the factory, those of test_blank.py with blank flash."""
import os
import pathlib
import sys

import pytest

sys.dont_write_bytecode = True  # nothing but output/ is written

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOARDS = sorted(f.parent.name for f in ROOT.glob("board/*/qemu"))
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/net")]
if os.environ.get("BOARD") not in BOARDS:  # that of the make that runs us
    os.environ["BOARD"] = BOARDS[0]
    os.environ.pop("O", None)

from bootkit import Board, Images, net  # noqa: E402
from forge import small  # noqa: E402

net.interruptible()  # the lab goes down whoever stops the tests


@pytest.fixture(name="images", scope="session")
def images_fixture(tmp_path_factory):
    return Images(net.BOARD, net.OUT, tmp_path_factory.mktemp("images"))


@pytest.fixture(name="tiny", scope="session")
def tiny_fixture(images):
    """A FIT as it should be, signed, with next to nothing in it: where it is refused
    it is not for that, and it is a thousand times as fast on the wire."""
    return small(images, images.key, "tiny-fit").read_bytes()


@pytest.fixture(name="board", scope="session")
def board_fixture(tmp_path_factory, images):
    board = Board(tmp_path_factory.mktemp("board"), images)
    yield board
    board.down()


@pytest.fixture(name="box")
def box_fixture(board):
    """The board, up, with the configuration of these tests; when the test is over,
    nothing that was not to leave has left."""
    board.ready()
    yield board
    board.check()


def pytest_exception_interact(node):
    """After a test that has failed, the next one begins anew."""
    if "board" in getattr(node, "funcargs", {}):
        node.funcargs["board"].up = False
