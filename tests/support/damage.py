"""Damages whole kits: any bytes, anywhere, with every part of a kit as likely as the others.

Only a random number generator decides, so that the fuzzer and hypothesis share it and a seed is
enough to have the same damage again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tests.support.assembler import Draft, assemble, boundaries
from tests.support.drafts import NOISE, RUN, STRANGE
from tests.support.kitbytes import memory_kit
from tests.support.people import chain
from verifier.core.envelope import parse_page
from verifier.core.errors import EnvelopeMalformed
from verifier.core.trust import Root, parse_root


@dataclass(frozen=True)
class Base:
    """A good kit to be damaged.

    Attributes:
        regions: Parts of the file, each with the same chance to be hit; they may overlap.
        page: Where the page is in the file: what alone may differ by a signature left out.
        strange: Whether the root names a key whose scheme is not evaluated.
    """

    name: str
    data: bytes
    regions: Sequence[tuple[int, int]]
    page: tuple[int, int]
    strange: bool = False

    @property
    def root(self) -> Root | None:
        """The root to pin; None for that of the test keys."""
        return _strange() if self.strange else None


@functools.cache
def _strange() -> Root:
    return parse_root(STRANGE)


def _regions(kit: bytes, plain: bool) -> list[tuple[int, int]]:
    """Return the page's envelope, every frame (of a plain kit: every 8 KiB), and the end."""
    text = len(kit[:60_000].rstrip(b" "))
    regions = [(0, text), (512, text), (text, text + 600), (len(kit) - 120, len(kit))]
    if plain:
        return regions + [(at, at + 8192) for at in range(0, len(kit), 8192)]
    found = boundaries(kit)
    return regions + found[1:] + [(start, start + 14) for start, _ in found]


def _base(name: str, kit: bytes, *, plain: bool = False, strange: bool = False) -> Base:
    start = 512 if plain else 14 + 3 + 512
    return Base(name, kit, _regions(kit, plain), (start, start + 65_536), strange)


@functools.cache
def bases() -> Mapping[str, Base]:
    """Return kits of every kind, by name; each is some 80 KB."""
    three = ("alice", "bob", "carol")
    small = {b"tools/run": RUN, b"tools/caf\xc3\xa9": b"x" * 700, b"data/empty": b""}
    big = {**small, b"data/zeros": bytes((4 << 20) + 512), b"data/more": bytes(1 << 20)}
    mixed = {b"tools/run": RUN, b"data/mixed": bytes(4 << 20) + NOISE}
    evidence = {b"evidence/sbom.json": b"{}\n"}
    strange = Draft(chain=chain(STRANGE))
    made = [
        _base("zstd", memory_kit({**small, b"tools/z": b"z" * 9999}, signers=three).data),
        _base("big", memory_kit(big, [b"tools/run"], signed_sums=True, signers=three).data),
        _base("mixed", memory_kit(mixed, evidence=evidence).data),
        _base("store", memory_kit(small, level=0, signed_sums=True).data),
        _base("plain", assemble(Draft(plain=True, signers=three)), plain=True),
        _base(
            "strange",
            assemble(strange, signatures=lambda good: sorted([*good, ("bb", b"not judged")])),
            strange=True,
        ),
    ]
    return {base.name: base for base in made}


# --- one damage each ------------------------------------------------------------------------------


def _place(random: Random, base: Base, size: int) -> int:
    """Return a place in a kit that has ``size`` bytes by now."""
    start, end = random.choice(base.regions)
    return min(random.randrange(start, max(end, start + 1)), max(size - 1, 0))


def _length(random: Random) -> int:
    """Return a length: short ones are likely, and those of blocks."""
    return random.choice((1, 1, 2, 3, 8, 75, random.randrange(1, 64), 512, 1024))


def flip(random: Random, base: Base, kit: bytearray) -> None:
    """Flip a bit."""
    at = _place(random, base, len(kit))
    kit[at] ^= 1 << random.randrange(8)


def change(random: Random, base: Base, kit: bytearray) -> None:
    """Write other bytes over some: random ones, or the neighbours of a digit or letter."""
    at = _place(random, base, len(kit))
    for place in range(at, min(at + _length(random), len(kit))):
        near = (kit[place] + random.choice((-1, 1))) % 256
        kit[place] = random.choice((near, random.randrange(256), 0, 0x20, 0x30, 0xFF))


def drop(random: Random, base: Base, kit: bytearray) -> None:
    """Take bytes out."""
    at = _place(random, base, len(kit))
    del kit[at : at + _length(random)]


def insert(random: Random, base: Base, kit: bytearray) -> None:
    """Put bytes in: random ones, zeros, spaces, or others of the kit."""
    at, size = _place(random, base, len(kit)), _length(random)
    source = _place(random, base, len(kit))
    data = random.choice(
        (random.randbytes(size), bytes(size), b" " * size, bytes(kit[source : source + size]))
    )
    kit[at:at] = data


def swap(random: Random, base: Base, kit: bytearray) -> None:
    """Exchange two pieces of one length."""
    size = _length(random)
    one, other = sorted(_place(random, base, len(kit)) for _ in range(2))
    size = min(size, other - one, len(kit) - other)
    if size > 0:
        first, second = kit[one : one + size], kit[other : other + size]
        kit[one : one + size], kit[other : other + size] = second, first


def splice(random: Random, base: Base, kit: bytearray) -> None:
    """Copy a piece over another one of its length."""
    source, target = (_place(random, base, len(kit)) for _ in range(2))
    size = min(_length(random), len(kit) - max(source, target))
    kit[target : target + size] = kit[source : source + size]


def move(random: Random, base: Base, kit: bytearray) -> None:
    """Take a piece out and put it in elsewhere: the length stays."""
    source, size = _place(random, base, len(kit)), _length(random)
    piece = kit[source : source + size]
    del kit[source : source + size]
    at = _place(random, base, len(kit))
    kit[at:at] = piece


def truncate(random: Random, base: Base, kit: bytearray) -> None:
    """End the kit early."""
    del kit[_place(random, base, len(kit)) :]


def append(random: Random, base: Base, kit: bytearray) -> None:
    """Put something behind the end: bytes, or a part of the kit."""
    start, end = random.choice(base.regions)
    kit += random.choice((random.randbytes(_length(random)), bytes(512), base.data[start:end]))


DAMAGES: Sequence[Callable[[Random, Base, bytearray], None]] = (
    *(flip, flip, flip, flip, change, change, drop, insert),
    *(swap, splice, move, truncate, append),
)


def damage(random: Random, base: Base) -> bytes:
    """Return a kit with one to three damages; it may by chance be the same again."""
    kit = bytearray(base.data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if kit:  # the one before may have taken all of it
            random.choice(DAMAGES)(random, base, kit)
    return bytes(kit)


# --- damage to text, for parsers and behind good signatures ---------------------------------------

TOKENS = (
    *(
        b"",
        b" ",
        b"\n",
        b"\r\n",
        b"\t",
        b"\0",
        b'"',
        b"\\",
        b"0",
        b"-",
        b"+",
        b"_",
        b"{",
        b"[",
        b"]",
    ),
    *(b"}", b",", b":", b"/", b"..", b"\xff", b"\xc3\xa9", b"\\ud800", b"\\u0000", b"1e9", b"NaN"),
    *(b"null", b"true", b"9" * 20, b"[" * 80, b'{"a":', b"=", b"sha512", b"0777", b"data", b" z "),
)


def disturb(random: Random, data: bytes) -> bytes:
    """Return the bytes with a few small changes: a token in, a piece out, twice or moved."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        at, size = random.randrange(len(changed) + 1), random.choice((0, 1, 1, 2, 9, 80))
        piece = bytes(changed[at : at + size])
        other = random.randrange(len(changed) + 1)
        new = random.choice((random.choice(TOKENS), piece * 2, piece.upper(), random.randbytes(1)))
        place = random.choice((at, at, other))
        del changed[at : at + size]
        changed[place:place] = new
    return bytes(changed)


# --- what is allowed ------------------------------------------------------------------------------


def may_pass(base: Base, kit: bytes) -> bool:
    """Whether a damaged kit is one that FORMAT 4.7 names: a surplus signature left out.

    Bits of a signature that is not evaluated do not count either.
    """
    start, end = base.page
    if len(kit) != len(base.data):
        return False
    if kit[:start] != base.data[:start] or kit[end:] != base.data[end:]:
        return False
    try:
        old, new = (parse_page(data[start:end]) for data in (base.data, kit))
    except EnvelopeMalformed:
        return False
    judged = {name: sig for name, sig in new.signatures.items() if name != "bb"}
    return old.payload == new.payload and judged.items() <= dict(old.signatures).items()
