# SPDX-License-Identifier: BSD-2-Clause
"""A reader of flattened device trees: the flash map of a board, a FIT."""
import dataclasses
import struct

BEGIN, END, PROP, NOP, DONE = 1, 2, 3, 4, 9


class Node(dict):
    """Children by name; props are octets by name."""

    def __init__(self):
        super().__init__()
        self.props = {}

    def text(self, name):
        return self.props[name].rstrip(b"\0").decode()

    def cells(self, name):
        data = self.props[name]
        return struct.unpack(f">{len(data) // 4}I", data)


def parse(data):
    magic, _, tree, strings = struct.unpack(">4I", data[:16])
    if magic != 0xd00dfeed:
        raise ValueError("no device tree")
    at, stack = tree, [Node()]

    def string(off):
        return data[off:data.index(b"\0", off)].decode()

    while True:
        token, = struct.unpack_from(">I", data, at)
        at += 4
        if token == BEGIN:
            name = string(at)
            at += (len(name) + 4) & ~3
            node = Node()
            stack[-1][name] = node
            stack.append(node)
        elif token == END:
            stack.pop()
        elif token == PROP:
            size, name = struct.unpack_from(">2I", data, at)
            stack[-1].props[string(strings + name)] = data[at + 8:at + 8 + size]
            at += 8 + ((size + 3) & ~3)
        elif token == DONE:
            return stack[0][""]
        elif token != NOP:
            raise ValueError(f"token {token}")


@dataclasses.dataclass
class Partition:
    """at is counted from the first octet of the first chip."""
    label: str
    at: int
    size: int


def flash_chips(node):
    """(address, flash map) of each; a chip on a bus has a number, no address."""
    for child in node.values():
        if "partitions" in child:
            reg = child.cells("reg")
            yield reg[-3] if len(reg) > 2 else reg[0], child["partitions"]
        else:
            yield from flash_chips(child)


def partitions(root):
    """The flash map, chips in the order of their addresses."""
    chips = list(flash_chips(root))
    base, found = min(c[0] for c in chips), []
    for at, table in sorted(chips, key=lambda c: c[0]):
        for part in table.values():
            off, size = part.cells("reg")
            found.append(Partition(part.text("label"), at - base + off, size))
    return found
