"""Small changes for the stages of `tests.support.assembler.assemble`."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import zstandard

from tests.support.assembler import Frame, Part

Hook = Callable[[Any], Any]
Hooks = dict[str, Any]
"""Hooks by the name of their stage."""

Signatures = list[tuple[str, bytes]]


def _last(top: Any, path: str) -> tuple[Any, Any]:
    node, *names = top, *path.split(".")
    keys = []
    for name in names:
        keys.append(int(name) if isinstance(node, list) else name)
        if len(keys) < len(names):
            node = node[keys[-1]]
    return node, keys[-1]


def put(path: str, value: Any) -> Hook:
    """Return a hook that sets what is at a dotted path, or calls ``value`` with it."""

    def hook(top: Any) -> Any:
        node, key = _last(top, path)
        node[key] = value(node[key]) if callable(value) else value
        return top

    return hook


def drop(path: str) -> Hook:
    """Return a hook that removes what is at a dotted path."""

    def hook(top: Any) -> Any:
        node, key = _last(top, path)
        del node[key]
        return top

    return hook


def add(path: str, *values: Any) -> Hook:
    """Return a hook that appends to a list at a dotted path."""
    return put(path, lambda old: [*old, *values])


def swap(old: bytes, new: bytes, count: int = 1) -> Hook:
    """Return a hook that replaces bytes, which must be there."""

    def hook(data: bytes) -> bytes:
        if old not in data:
            raise ValueError(f"{old!r} is not in what should be changed")
        return data.replace(old, new, count)

    return hook


def both(*hooks: Hook) -> Hook:
    """Return a hook that does one thing after the other."""

    def hook(value: Any) -> Any:
        for each in hooks:
            value = each(value)
        return value

    return hook


def at(place: int, change: Hook) -> Hook:
    """Return a hook that changes one item of a list."""

    def hook(items: list[Any]) -> list[Any]:
        items[place] = change(items[place])
        return items

    return hook


def header(change: Callable[[bytes], bytes]) -> Hook:
    """Return a hook that changes the headers of a member."""

    def hook(part: Part) -> Part:
        part.header = change(part.header)
        return part

    return hook


def flip(place: int, bit: int = 0) -> Hook:
    """Return a hook that flips one bit of bytes."""

    def hook(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[place] ^= 1 << bit
        return bytes(changed)

    return hook


def sign(make: Callable[[bytes, Signatures], Signatures]) -> Hooks:
    """Return hooks that make the page's signatures of the message and of the good ones."""
    messages: list[bytes] = []

    def keep(message: bytes) -> bytes:
        messages.append(message)
        return message

    return {"message": keep, "signatures": lambda good: make(messages[-1], list(good))}


def reframe(make: Callable[[bytes], Frame]) -> Hooks:
    """Return hooks that make each payload frame anew of its content."""
    kept: list[bytes] = []

    def keep(contents: list[bytes]) -> list[bytes]:
        kept[:] = contents
        return contents

    def encode(frames: list[Frame]) -> list[Frame]:
        return [make(content) for content in kept[len(kept) - len(frames) :]]

    return {"contents": keep, "encode": encode}


def handmade(
    content: bytes,
    cuts: Sequence[int] = (512,),
    *,
    descriptor: int = 0xC4,
    window: bytes = b"\x38",
    size: bytes | None = None,
    extra: bytes = b"",
    after: bytes = b"",
    checksum: bytes | None = None,
) -> bytes:
    """Return a zstd frame of raw and RLE blocks only, written by hand (RFC 8878 3.1.1).

    Args:
        cuts: Sizes of the first blocks; the rest is cut at 131,072 bytes.
        descriptor: By default an 8-byte content size, a window, and a checksum.
        size: The content size field; by default what is true.
        extra: What stands between the window and the content size: a dictionary id.
        after: A block more, behind the second one.
        checksum: By default what is true.
    """
    pieces, start = [], 0
    for length in cuts:
        pieces.append(content[start : start + length])
        start += length
    pieces += [content[i : i + 131072] for i in range(start, len(content), 131072)]
    blocks = b""
    for number, piece in enumerate(pieces, start=1):
        same = len(set(piece)) == 1
        word = (number == len(pieces)) | same << 1 | len(piece) << 3
        blocks += struct.pack("<I", word)[:3] + (piece[:1] if same else piece)
        blocks += after if number == 2 else b""
    if checksum is None:
        checksum = zstandard.ZstdCompressor(write_checksum=True).compress(content)[-4:]
    field = struct.pack("<Q", len(content)) if size is None else size
    front = b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + window + extra + field
    return front + blocks + checksum
