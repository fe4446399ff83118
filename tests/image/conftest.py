# SPDX-License-Identifier: BSD-2-Clause
"""The image of every board that QEMU can start, and of those others that are built
already, as make builds it."""
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from imagekit import Image, environment  # noqa: E402

BOARDS = sorted({f.parent.name for f in ROOT.glob("board/*/qemu")} |
                {f.parent.parent.name
                 for f in ROOT.glob("output/*/images/sha256sums")})


@pytest.fixture(scope="session", params=BOARDS)
def image(request):
    """Built, if it is not: everything expensive comes from the cache."""
    board = request.param
    subprocess.run(["make", "--no-print-directory", f"BOARD={board}", "image"],
                   cwd=ROOT, check=True, env=environment())
    return Image(board, ROOT / "output" / board)
