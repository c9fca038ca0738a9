"""Parts that several vectors are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from tests.support.assembler import OWN, TOOLS, Draft, assemble, component, z_frame
from tests.support.hooks import handmade, reframe
from tests.support.kitbytes import memory_kit
from tests.support.naive import Entry, sums_text
from tests.support.people import SIGNER, chain, compact, person, root_line, sign_root, signed_root

RUN = b"#!/bin/sh\necho ran\n"
NOISE = b"".join(
    person("alice").sign(b"%d" % i) for i in range(24)
)  # 3 blocks that do not compress


def built(data: dict[bytes, bytes], **more: Any) -> bytes:
    """Return a kit that the real builder made."""
    return memory_kit(data, [b"tools/run"], **more).data


def files(*paths: str) -> Draft:
    """Return a draft with small files at these paths."""
    return Draft().with_data(*(Entry(path.encode(), path.encode()) for path in paths))


def wide(count: int, page_size: int, **more: Any) -> Draft:
    """Return a draft whose manifest is long: many components that are empty for now."""
    texts = {"placeholder": "x" * 200}
    later = [component(f"later-{i}", f"later/{i}", **texts) for i in range(count)]
    return Draft(components=[component("tools", "tools"), *later], page_size=page_size, **more)


def filled(size: int) -> bytes:
    """Return a kit whose DSSE payload has exactly ``size`` bytes."""

    def fill(statement: Any) -> Any:
        statement["predicate"]["x"] = ""
        statement["predicate"]["x"] = "x" * (size - len(compact(statement)))
        return statement

    return assemble(statement=fill)


def ratio(size: int) -> bytes:
    """Return a kit with a zstd frame of ``size`` bytes that holds 12,800."""
    raw = size - 25 - 512  # without frame header, checksum, two block headers and the RLE byte
    data = (b"ab" * 6144)[:raw] + bytes(12_288 - raw)
    draft = Draft((*OWN, Entry(b"tools/z", data)))
    return assemble(draft, **reframe(lambda c: z_frame(handmade(c, [512 + raw]))))


def even_root() -> bytes:
    """Return a root whose line with its LF is a multiple of 512: no padding is left to write."""
    for length in range(600):
        # two signatures of one length, whatever they sign
        root = sign_root({**signed_root(), "x-note": "n" * length}, ("alice", "carol"))
        if (len(root) + 1) % 512 == 0:
            return root
    raise ValueError("no length fits")


def with_key(
    name: str,
    key: dict[str, Any],
    *roles: str,
    threshold: int = 2,
    more: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the test root with one key more in these roles, and others in none."""
    signed = signed_root()
    signed["keys"].update({name: key, **(more or {})})
    for role in roles:
        signed["roles"][role]["keyids"].append(name)
    signed["roles"]["targets"]["threshold"] = threshold
    return sign_root(signed)


def with_threshold(threshold: int) -> bytes:
    """Return the test root with another threshold for kits."""
    signed = signed_root()
    signed["roles"]["targets"]["threshold"] = threshold
    return sign_root(signed)


def nested(depth: int) -> Any:
    """Return lists within lists."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def sha512_of_roots(statement: Any) -> Any:
    """Give the roots, which are the test root's, and SHA256SUMS a second digest."""
    roots = chain(root_line())
    sums = sums_text([*OWN, *TOOLS])
    statement["predicate"]["roots"]["digest"]["sha512"] = hashlib.sha512(roots).hexdigest()
    statement["subject"][1]["digest"]["sha512"] = hashlib.sha512(sums).hexdigest()
    return statement


UNKNOWN_KEY = {"keytype": "x", "scheme": "x-new", "keyval": {"public": "00"}, SIGNER: "dave"}
TWO_KEYS = with_key("aa", {**person("mallory").key, SIGNER: "alice"}, "targets")
STRANGE = with_key("bb", UNKNOWN_KEY, "targets")
ONE_SIGNER = with_threshold(1)
