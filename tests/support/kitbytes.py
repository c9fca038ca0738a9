"""Builds whole kits in memory with the real builder: the members are bytes instead of files."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kit.container.archive import Written, write_archive
from kit.container.page import write_page
from kit.signing import load_sums_signer
from kit.sources.inputs import SIGNATURE_SIZE, Inputs
from tests.support.assembler import OWN, pae
from tests.support.people import KEYS, person, root_line
from verifier.core.envelope import Envelope, encode_page
from verifier.core.lists import DATA, EVIDENCE, README, SIG, SUMS, TOOL, VERIFIER, Index
from verifier.core.model import Blob, Built, Component, KitInfo, Manifest
from verifier.core.trust import chain_bytes, parse_root

OWN_FILES = {entry.path: entry.data for entry in OWN}
EMPTY = Blob(0, {"sha256": "0" * 64})


class MemoryInputs(Inputs):
    """Members whose contents are in memory; for `kit.container.archive.write_archive`."""

    def __init__(
        self,
        data: Mapping[bytes, bytes],
        executable: Collection[bytes],
        evidence: Mapping[bytes, bytes],
        *,
        signed_sums: bool,
    ) -> None:
        # not super's: it wants files
        self.late: list[Any] = []
        self.made: dict[bytes, bytes] = {}
        self.index = Index()
        self._bytes: dict[int, bytes] = {}
        self.late, self.made = [], {}  # nothing is made late
        own = {README: [b"README.txt"], TOOL: [b"kit-verify.pyz"], VERIFIER: []}
        own[VERIFIER] = sorted(path for path in OWN_FILES if path.startswith(b"verifier/"))
        self._put(SUMS, {b"SHA256SUMS": b""}, ())
        if signed_sums:
            self._put(SIG, {b"SHA256SUMS.sig": bytes(SIGNATURE_SIZE)}, ())
        for rank, paths in own.items():
            self._put(rank, {path: OWN_FILES[path] for path in paths}, ())
        self._put(EVIDENCE, evidence, ())
        self._put(DATA, data, executable)
        self.index.digests = bytearray(32 * len(self.index))
        self.index.sizes = array("Q", [self.index.sums_size(), *self.index.sizes[1:]])

    def _put(
        self, rank: int, members: Mapping[bytes, bytes], executable: Collection[bytes]
    ) -> None:
        for path in sorted(members):
            self._bytes[len(self.index)] = members[path]
            self.index.extend(rank, [path], [len(members[path])], [path in executable])

    def read_whole(self, member: int, path: bytes, view: memoryview) -> None:
        """Fill ``view``; see `kit.sources.inputs.Inputs`."""
        view[: len(self._bytes[member])] = self._bytes[member]

    def put_whole(self, member: int, path: bytes, data: bytearray, start: int) -> None:
        """Put a member into ``data``; see `kit.sources.inputs.Inputs`."""
        data[start : start + len(self._bytes[member])] = self._bytes[member]

    def read_piece(
        self, member: int, path: bytes, offset: int, view: memoryview, *, last: bool
    ) -> None:
        """Fill ``view`` from ``offset`` on; see `kit.sources.inputs.Inputs`."""
        data = self._bytes[member][offset : offset + len(view)]
        view[: len(data)] = data


@dataclass(frozen=True)
class MemoryKit:
    """A kit, and what was put into it.

    Attributes:
        members: Contents of the payload and of the evidence, by path.
        executable: Paths of the payload that land as 0755.
    """

    data: bytes
    written: Written
    members: Mapping[bytes, bytes]
    executable: frozenset[bytes]


def memory_kit(
    data: Mapping[bytes, bytes],
    executable: Collection[bytes] = (),
    *,
    evidence: Mapping[bytes, bytes] | None = None,
    level: int = 3,
    signers: Sequence[str] = ("alice", "bob"),
    signed_sums: bool = False,
    workers: int = 1,
    components: Sequence[Component] | None = None,
    info: KitInfo | None = None,
) -> MemoryKit:
    """Return a kit of these members that the real builder made, signed with the test keys.

    Args:
        data: The payload, from path to contents; the first part of a path is its component unless
            ``components`` are given.
    """
    firsts = sorted({path.split(b"/")[0].decode() for path in data})
    own = [Component(f"c{i}", "1", (name,), "/opt") for i, name in enumerate(firsts)]
    draft = Manifest(
        kit=info or KitInfo("memory", "1", "tests", 1, "2026-11-24T00:00:00Z", "in memory"),
        index=EMPTY,
        frames=EMPTY,
        roots=EMPTY,
        page_size=0,
        built=Built("", 0),
        subjects=(),
        components=tuple(own if components is None else components),
    )
    evidence = evidence or {}
    inputs = MemoryInputs(data, executable, evidence, signed_sums=signed_sums)
    sums = load_sums_signer(str(KEYS / "sums.pem")).sign_digest if signed_sums else None
    with tempfile.TemporaryFile() as file:
        written = write_archive(
            file.fileno(),
            inputs,
            draft,
            chain_bytes([parse_root(root_line())]),
            level=level,
            workers=workers,
            sums_sign=sums,
        )
        message = pae(written.payload)
        signatures = {person(name).keyid: person(name).sign(message) for name in signers}
        page = encode_page(Envelope(written.payload, signatures), written.manifest.page_size)
        write_page(file.fileno(), page)
        file.seek(0)
        kit = file.read()
    return MemoryKit(kit, written, {**data, **evidence}, frozenset(executable))
