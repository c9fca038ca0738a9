"""DER as a tree that tests take apart, bend and write again; none of it is the verifier's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

CONSTRUCTED = 0x20


@dataclass
class Node:
    """An element.

    Attributes:
        tag: Of one byte.
        data: The contents of a primitive element.
        children: Those of a constructed one; None for a primitive.
        long: Whether to write its length in more bytes than it takes, as BER may.
    """

    tag: int
    data: bytes = b""
    children: list[Node] | None = None
    long: bool = field(default=False, compare=False)

    def encode(self) -> bytes:
        """Return the element in bytes."""
        inner = self.data if self.children is None else b"".join(c.encode() for c in self.children)
        return bytes([self.tag]) + length(len(inner), long=self.long) + inner

    def at(self, *path: int) -> Node:
        """Return a descendant by its places."""
        node = self
        for place in path:
            assert node.children is not None
            node = node.children[place]
        return node

    def walk(self, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Node]]:
        """Yield every element of the tree with the way to it."""
        yield path, self
        for place, child in enumerate(self.children or ()):
            yield from child.walk((*path, place))


def length(size: int, *, long: bool = False) -> bytes:
    """Return a length; the shortest, or with a superfluous zero."""
    if size < 0x80 and not long:
        return bytes([size])
    digits = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
    digits = b"\0" + digits if long else digits
    return bytes([0x80 | len(digits)]) + digits


def parse(data: bytes) -> Node:
    """Return the tree of one element of DER."""
    node, rest = _parse(data)
    assert not rest, "bytes after the element"
    return node


def _parse(data: bytes) -> tuple[Node, bytes]:
    tag, size, start = data[0], data[1], 2
    if size >= 0x80:
        start = 2 + size - 0x80
        size = int.from_bytes(data[2:start], "big")
    inner, rest = data[start : start + size], data[start + size :]
    assert len(inner) == size, "cut off"
    if not tag & CONSTRUCTED:
        return Node(tag, inner), rest
    children = []
    while inner:
        child, inner = _parse(inner)
        children.append(child)
    return Node(tag, b"", children), rest


def tlv(tag: int, *parts: bytes) -> bytes:
    """Return an element of these contents."""
    inner = b"".join(parts)
    return bytes([tag]) + length(len(inner)) + inner


def sequence(*parts: bytes) -> bytes:
    """Return a SEQUENCE."""
    return tlv(0x30, *parts)


def oid(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    first, second, *rest = map(int, dotted.split("."))
    out = b""
    for arc in (first * 40 + second, *rest):
        digits = bytes([arc & 0x7F])
        while arc := arc >> 7:
            digits = bytes([0x80 | arc & 0x7F]) + digits
        out += digits
    return tlv(0x06, out)


def integer(number: int) -> bytes:
    """Return an INTEGER."""
    return tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))
