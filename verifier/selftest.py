"""Checks this verifier and this Python against built-in answers, without a kit or a network.

A tiny kit is put together in memory with the verifier's own writers and proved; then it is spoiled
in each of its parts, and every spoiled copy must be refused with the right code.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence

from verifier.core import limits
from verifier.core.codec import raw_parts, raw_size, seek_table
from verifier.core.envelope import Envelope, encode_page, pae
from verifier.core.errors import KitError, KitTruncated
from verifier.core.frames import plan_frames
from verifier.core.header import Headers, padding
from verifier.core.lists import CLASSES, RAW, FrameTable, Index
from verifier.core.manifest import encode_manifest
from verifier.core.model import Blob, Built, Component, KitInfo, Manifest, Subject
from verifier.core.names import HEAD, parse_member_path
from verifier.core.pipeline import Job, Opened, prove
from verifier.core.trust import parse_chain
from verifier.crypto import ecdsa, ed25519
from verifier.decoders import find_decoder

EXPECTED = 19  # how many answers there are: a check that went missing is a failure

_TEXT = b"offline-kit\n" * 64
_FRAME = bytes.fromhex("28b52ffd6400029d0000606f66666c696e652d6b69740a0100f15e9524820fca96")
_ED25519 = (  # RFC 8032 7.1, TEST 2
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "72",
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
)
_P256 = (  # RFC 6979 A.2.5, SHA-256, "sample"
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
    0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
    0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
)

KEYID = "selftest"
ROOT = (  # made from a key that everybody can make: SHA-256 of "offline-kit selftest"
    b'{"signatures":[{"keyid":"selftest","sig":"ae67bb13204a79def08635820af18d5629339eb6b462df'
    b'94df26d7c3d9282c138da4531bab7a6a962cf01a7e93654edd5e9014cdbf6479347a260f0c9eacff0b"}],"s'
    b'igned":{"_type":"root","expires":"2100-01-01T00:00:00Z","keys":{"selftest":{"keytype":"e'
    b'd25519","keyval":{"public":"a9ed53e75834c8f00bac3eff0849b98f658dfab953ecc2dd9d3fbf9a0fbb'
    b'db1c"},"scheme":"ed25519","x-offline-kit-signer":"selftest"}},"roles":{"root":{"keyids":'
    b'["selftest"],"threshold":1},"snapshot":{"keyids":["selftest"],"threshold":1},"targets":{'
    b'"keyids":["selftest"],"threshold":1},"timestamp":{"keyids":["selftest"],"threshold":1}},'
    b'"spec_version":"1.0.31","version":1}}'
    b"\n"
)
SIGNATURE = bytes.fromhex(
    "058772979bbf77e21ae656b89c82ccc42d9973d9f560fe4a3e19b14ccc1a8c5f"
    "7dc1a3ec3fe76b78af9b56dd1e02dd3f4b86055127cafe1bf2b142271aebab06"
)


class _Memory:
    """A kit in memory, as a source."""

    sequential = False

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size: int | None = len(data)

    def read_into(self, offset: int, views: Sequence[memoryview]) -> None:
        """Fill ``views``; see `verifier.core.container.Source`."""
        for view in views:
            piece = self._data[offset : offset + len(view)]
            if len(piece) < len(view):
                raise KitTruncated(f"ends at byte {len(self._data)}", where="the kit in memory")
            view[:] = piece
            offset += len(view)

    def ends_at(self, offset: int) -> bool:
        """Whether nothing is at ``offset``."""
        return offset >= len(self._data)

    def check_unchanged(self) -> None:
        """Nothing: memory does not change."""


def _members() -> list[tuple[int, bytes, bytes]]:
    """Return (class number, path, contents) of the tiny kit; SHA256SUMS comes first, empty."""
    named = [
        (b"sums", b"SHA256SUMS", b""),
        (b"readme", b"README.txt", b"made by kit-verify selftest\n"),
        (b"tool", b"kit-verify.pyz", b"not a program\n"),
        (b"verifier", b"verifier/__main__.py", b"# not a program\n"),
        (b"data", b"data/empty", b""),
        (b"data", b"data/text", _TEXT),
        (b"data", b"data/" + b"long/" * 40 + b"name", b"a path that needs PAX\n"),
    ]
    return [(CLASSES.index(kind), path, data) for kind, path, data in named]


class _Kit:
    """The tiny kit, put together from scratch."""

    def __init__(self) -> None:
        members = sorted(_members())
        self.index = Index()
        for rank, path, data in members:
            self.index.extend(rank, [path], [len(data)], [0])
            self.index.digests += hashlib.sha256(data).digest()
        self.index.sizes[0] = self.index.sums_size()
        sums = b"".join(self.index.sums())
        self.index.digests[:32] = hashlib.sha256(sums).digest()
        self.contents = [sums, *(data for _, _, data in members[1:])]
        self.plan = plan_frames(self.index)
        self.table = FrameTable()
        for content in self.plan.content[self.plan.payload :]:
            self.table.append(raw_size(content), RAW, None)
        self.roots = ROOT.ljust(-(-len(ROOT) // 512) * 512, b" ")
        self.lists = [b"".join(self.index.text()), b"".join(self.table.text())]
        self.payload = encode_manifest(self._manifest())

    def _manifest(self) -> Manifest:
        index, frames, roots = (
            Blob(len(data), {"sha256": hashlib.sha256(data).hexdigest()})
            for data in (*self.lists, self.roots)
        )
        return Manifest(
            kit=KitInfo("selftest", "1", "selftest", 1, "2000-01-01T00:00:00Z", "a tiny kit"),
            index=index,
            frames=frames,
            roots=roots,
            page_size=limits.PAGE_SIZES[0],
            built=Built("none", 0),
            subjects=(
                Subject(HEAD[2], index.digest),
                Subject("SHA256SUMS", {"sha256": self.index.digest(0).hex()}),
            ),
            components=(Component("data", "1", ("data",), "nowhere"),),
        )

    def frames(self, signature: bytes) -> list[bytes]:
        """Return the contents of all frames, the end included."""
        headers = Headers(946684800)  # 2000-01-01T00:00:00Z
        page = encode_page(Envelope(self.payload, {KEYID: signature}), limits.PAGE_SIZES[0])
        made = []
        for name, data in zip(HEAD, (page, self.roots, *self.lists)):
            made.append(headers(name.encode(), len(data), False) + data + padding(len(data)))
        for piece in (self.plan[frame] for frame in range(len(self.plan))):
            content = b""
            for member in range(piece.first, piece.last):
                path, data = self.index.paths(member, member + 1)[0], self.contents[member]
                content += headers(path, len(data), False) + data + padding(len(data))
            made.append(content)
        return [*made, bytes(limits.END)]


def _file(frames: list[bytes]) -> bytes:
    content = array("I", map(len, frames))
    stored = array("I", map(raw_size, content))
    parts = [part for frame in frames for part in raw_parts(memoryview(frame))]
    return b"".join(map(bytes, parts)) + seek_table(stored, content)


def _code(data: bytes) -> str:
    """Return how the verifier refuses a kit in memory; empty if it accepts it."""
    try:
        prove(_Memory(data), Job(root=parse_chain(_Kit().roots)[0], workers=2), Opened())
    except KitError as error:
        return error.code
    return ""


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _spoiled(good: bytes, frames: list[bytes]) -> Iterator[tuple[str, bytes, str]]:
    """Yield (name, a spoiled copy of the kit, the code it must be refused with)."""
    starts = [0]
    for frame in frames:
        starts.append(starts[-1] + raw_size(len(frame)))
    yield "an unsigned page", _file([_Kit().frames(bytes(64))[0], *frames[1:]]), "threshold-not-met"
    yield "a flipped bit in the signed statement", _flipped(good, 700), "threshold-not-met"
    yield "a flipped bit in the roots", _flipped(good, starts[1] + 700), "root-chain-malformed"
    yield "a flipped bit in the index", _flipped(good, starts[2] + 560), "digest-mismatch"
    yield "a flipped bit in the frame table", _flipped(good, starts[3] + 560), "digest-mismatch"
    yield "a flipped bit in a header", _flipped(good, starts[5] + 20), "layout-mismatch"
    yield "a flipped bit in a member", _flipped(good, starts[-2] - 700), "digest-mismatch"
    yield "a flipped bit in the seek table", _flipped(good, len(good) - 20), "seek-table-mismatch"
    yield "a missing byte", good[:-1], "kit-truncated"
    yield "an extra byte", good + b"\0", "trailing-bytes"
    yield "an empty file", b"", "kit-truncated"


def _answers() -> Iterator[tuple[str, bool]]:
    key, message, signature = map(bytes.fromhex, _ED25519)
    yield "Ed25519 accepts a good signature", ed25519.verify(key, message, signature)
    yield "Ed25519 refuses a wrong one", not ed25519.verify(key, message + b"!", signature)
    point, digest = bytes.fromhex(_P256[0]), hashlib.sha256(b"sample").digest()
    der = ecdsa.encode_der_signature(*_P256[1:])
    good = ecdsa.verify(ecdsa.P256, point, digest, der, low_s=False)
    yield "P-256 accepts a good signature", good
    yield "P-256 refuses the larger s", not ecdsa.verify(ecdsa.P256, point, digest, der, low_s=True)
    yield "a path that climbs out is refused", _refuses(lambda: parse_member_path("../x"))
    frames = _Kit().frames(SIGNATURE)
    kit = _file(frames)
    yield "a good kit is verified", _code(kit) == ""
    yield "a good plain kit is verified", _code(b"".join(frames)) == ""
    for name, data, code in _spoiled(kit, frames):
        yield f"{name} is refused ({code})", _code(data) == code
    yield "the decoder of this host decodes", _decodes()


def _refuses(call: Callable[[], object]) -> bool:
    try:
        call()
    except KitError:
        return True
    return False


def _decodes() -> bool:
    """Whether the decoder is right; a host without one is right to have none."""
    found = find_decoder()
    if found is None:
        return True
    target = bytearray(len(_TEXT))
    decoder = found[1]()
    good = decoder.frame(memoryview(bytearray(_FRAME)), memoryview(target))
    short = decoder.frame(memoryview(bytearray(_FRAME[:-1])), memoryview(bytearray(len(_TEXT))))
    return good and not short and bytes(target) == _TEXT


def decoder_name() -> str:
    """Return the decoder of this host, or what it means to have none."""
    found = find_decoder()
    return found[0] if found else "none: compressed kits can be proved with --quick only"


def run() -> list[tuple[str, bool]]:
    """Return the name of each check and whether its answer was right; `EXPECTED` of them."""
    return list(_answers())


def signed_message() -> bytes:
    """Return what `SIGNATURE` is over, for the test that makes it again."""
    return pae(_Kit().payload)
