"""Writes `evidence/evidence.index`, and refuses evidence that no site could read (FORMAT 18).

Evidence is read before anything is built; the index is written when the payload has its digests,
since the builder's own evidence speaks about them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from kit.errors import SourceChanged, show
from kit.evidence.errors import AttestationElsewhere, EvidenceRefused
from kit.sources.inputs import Inputs
from kit.spec import KitSpec
from verifier.catch import MEMBER
from verifier.core.errors import KitError
from verifier.core.limits import BIG
from verifier.core.lists import DATA, EVIDENCE, Index
from verifier.core.model import Component, Manifest
from verifier.evidence.components import component_digest, members_of
from verifier.evidence.documents import (
    BUNDLE,
    ENVELOPE,
    LAYOUT,
    LINK,
    STATEMENT,
    Claim,
    read_document,
)
from verifier.evidence.index import PATH, join, lines_of

INDEX = PATH.encode()
_PIECE = 4 << 20  # bytes read at once
_ZEROS = "0" * 64


class Evidence:
    """The evidence of a kit that is being built.

    Args:
        inputs: What the kit will carry; its evidence is read now.
        late: Contents of evidence that is made late, as they will be but for digests; different
            digests are different in them too.

    Raises:
        EvidenceRefused: A document cannot be read by any site; all of them are named.
        KitError: A file is not what it was when it was found.
    """

    def __init__(self, inputs: Inputs, late: Mapping[bytes, bytes] | None = None) -> None:
        self._inputs = inputs
        self._claims: dict[str, list[Claim]] = {}
        self._sha256: dict[str, str] = {}
        refused = []
        for member, path in _members(inputs.index):
            own = (late or {}).get(path)
            data = own if own is not None else _read(inputs, member, path)
            name = path.decode("utf-8")
            try:
                self._claims[name] = read_document(name, data)
            except KitError as error:
                place = f"{error.where}: " if error.where else ""
                refused.append(f"{show(path)}: {error.code}: {place}{error.message}")
            if own is None:
                self._sha256[name] = hashlib.sha256(data).hexdigest()
        if refused:
            raise EvidenceRefused(refused)

    @property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 of each document as it was read, by its path in the kit."""
        return self._sha256

    def plan(self) -> None:
        """Have the index written when all that it speaks about is there."""
        lines = [
            line for path, claims in self._claims.items() for line in lines_of(path, _ZEROS, claims)
        ]
        self._inputs.make_late(INDEX, len(join(lines)), self._write)

    def _write(self, index: Index) -> bytes:
        lines: set[bytes] = set()
        for member, path in _members(index):
            name, sha256 = path.decode("utf-8"), index.digest(member).hex()
            if path in self._inputs.made:
                self._claims[name] = read_document(name, self._inputs.made[path])
            if self._sha256.get(name, sha256) != sha256:
                raise SourceChanged("was written to while the kit was built", where=show(path))
            lines |= lines_of(name, sha256, self._claims[name])
        return join(lines)

    def check_attested(self, spec: KitSpec, index: Index, manifest: Manifest) -> None:
        """Hold each ``[[attestation]]`` to what it says that it is about.

        Args:
            spec: The spec.
            index: Of the kit, complete.
            manifest: Its components.

        Raises:
            AttestationElsewhere: One is about something else; all such are named.
        """
        components = {each.id: each for each in manifest.components}
        wrong = []
        for number, entry in enumerate(spec.attestations):
            component = components[entry.component]
            wanted = _meant(index, component, entry.subject)
            claims = self._claims.get(entry.kit_path, [])
            told = {subject[7:] for claim in claims for subject in claim.subjects}
            if told.isdisjoint(wanted):
                what = f"is not about {show(entry.subject)} of {entry.component!r}"
                about = ", ".join(sorted(told)[:3]) or "nothing"
                where = spec.where("attestation", number, "file")
                wrong.append(f"{where}: {show(entry.file)} {what}, but about {about}")
        if wrong:
            raise AttestationElsewhere(wrong)

    def strangers(self, index: Index, manifest: Manifest) -> Iterator[str]:
        """Yield a sentence for each statement that is about nothing in the kit.

        Args:
            index: Of the kit, complete.
            manifest: Its components.
        """
        wanted = {
            subject[7:]
            for claims in self._claims.values()
            for claim in claims
            for subject in claim.subjects
            if subject.startswith("sha256:")
        }
        if not wanted:
            return
        wanted -= {component_digest(index, each) for each in manifest.components}
        for rank, first, last in index.runs():
            if rank in (DATA, EVIDENCE) and wanted:
                wanted -= {index.digest(member).hex() for member in range(first, last)}
        for path, claims in sorted(self._claims.items()):
            for claim in claims:
                about = [text for text in claim.subjects if text.startswith("sha256:")]
                if about and all(text[7:] in wanted for text in about):
                    yield f"{path} attests nothing that this kit carries, but {about[0]}"

    def unseen(self, index: Index) -> Iterator[str]:
        """Yield a sentence for each document that is too large for a site to look into.

        A policy that asks for what one attests stays undecided; for anything, if it is the index.

        Args:
            index: Of the kit, complete.
        """
        signed = (STATEMENT, BUNDLE, ENVELOPE, LAYOUT, LINK)
        for rank, first, last in index.runs():
            for member in range(first, last) if rank == EVIDENCE else ():
                if index.sizes[member] <= MEMBER:
                    continue
                name = index.path(member)
                if name == PATH or any(one.form in signed for one in self._claims.get(name, ())):
                    yield f"{name} has more than {MEMBER} bytes: no site looks into it"


def _members(index: Index) -> Iterator[tuple[int, bytes]]:
    """Yield number and path of each document; the index of them is none."""
    first, last = index.bounds[EVIDENCE], index.bounds[EVIDENCE + 1]
    for member, path in enumerate(index.paths(first, last), first):
        if path != INDEX:
            yield member, path


def _meant(index: Index, component: Component, subject: str) -> set[str]:
    """Return the SHA-256 of what an attestation may be about."""
    if subject not in ("component", "image"):
        member = index.find(subject.encode())
        inside = member is not None and any(member in run for run in members_of(index, component))
        return {index.digest(member).hex()} if member is not None and inside else set()
    found = {component_digest(index, component)} if subject == "component" else set()
    for run in members_of(index, component):
        for member, path in enumerate(index.paths(run.start, run.stop), run.start):
            if subject == "component" or b"/blobs/sha256/" in path:
                found.add(index.digest(member).hex())
    return found


def _read(inputs: Inputs, member: int, path: bytes) -> bytes:
    size = inputs.index.sizes[member]
    buffer = memoryview(bytearray(size + 1))
    if size < BIG:
        inputs.read_whole(member, path, buffer)
    else:
        for offset in range(0, size, _PIECE):
            want = min(_PIECE, size - offset)
            last = offset + want == size
            inputs.read_piece(
                member, path, offset, buffer[offset : offset + want + last], last=last
            )
    return bytes(buffer[:size])
