"""Builds a kit again and says where it differs: the proof of reproducibility a stranger can run."""

from __future__ import annotations

import base64
import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.build import Options, make_inputs, write
from kit.container.archive import Written, can_be_sums_signature, compressor_name
from kit.container.draft import created_of, draft_manifest
from kit.container.head import check_same_root, read_head
from kit.container.output import refused
from kit.errors import show
from kit.sources.collect import collect
from kit.sources.fromkit import Gathered
from kit.sources.taken import Taken
from kit.spec import KitSpec
from verifier.core.envelope import parse_page
from verifier.core.errors import Rejected
from verifier.core.frames import plan_frames
from verifier.core.lists import CLASSES, SIG, SUMS, FrameTable, Index
from verifier.core.manifest import encode_manifest
from verifier.core.model import KitId
from verifier.core.pipeline import Job, Opened, kit_id_of
from verifier.core.trust import Root, parse_chain
from verifier.run import default_workers, prove_file

_DERIVED = (b" evidence/evidence.index", b" evidence/provenance.json")


class RebuildDiffers(Rejected):
    """The kit that this spec makes here is not the one given; the first difference is named.

    The order is: who made it (compressor), what the manifest says, members, frames, bytes.  With
    another version of libzstd the members are the same and the compressed frames are not:
    contentId is equal then.
    """

    code = "rebuild-differs"
    fix = "Look at what is named; diffoscope opens both kits and shows every difference."


@dataclass(frozen=True)
class Rebuilt:
    """A kit that is what its spec makes.

    Attributes:
        from_kit: Paths of files that the store lacked, and that were taken out of the kit.
    """

    kit_id: KitId
    content_id: str
    size: int
    from_kit: tuple[str, ...] = ()


def rebuild(kit: Path, spec: KitSpec, options: Options, *, root: Root | None = None) -> Rebuilt:
    """Build ``spec`` again beside nothing and compare with ``kit``, byte by byte.

    Roots and signatures are taken from the kit, and the signature of SHA256SUMS with its public
    key, which nobody without the private one can make again; and so are fetched files that the
    store lacks, once the kit is proved.  Their digests are those of the lock: nothing is taken on
    trust.

    Raises:
        RebuildDiffers: At the first difference.
        KitError: Kit, spec or sources are at fault.
    """
    page, kit_root = read_head(kit)
    check_same_root(kit_root, root)
    envelope = parse_page(page)
    opened = Opened()
    signature, from_kit = _prove(kit, Job(kit_id=kit_id_of(envelope)), opened, options.taken)
    if options.taken is not None:
        options.taken.check_beside(spec)
    manifest = opened.manifest
    assert manifest is not None
    assert opened.index is not None
    draft = draft_manifest(spec, created_of(spec, options.epoch), manifest.sums_key)
    has_sums = bool(opened.index.count(SIG))
    collected = collect(spec, taken=options.taken)
    level = manifest.built.level and spec.kit.level
    inputs, _ = make_inputs(spec, collected, draft, options.taken, signed_sums=has_sums)
    with tempfile.TemporaryFile() as stream:
        try:
            written = write(
                stream.fileno(),
                inputs,
                draft,
                parse_chain(opened.roots[512:]),
                level,
                options,
                (lambda digest: signature) if has_sums else None,
                envelope.signatures,
            )
        except OSError as error:
            raise refused(error, Path(tempfile.gettempdir())) from None
        _compare_manifests(written, opened, kit)
        _compare_members(inputs.index, opened.index)
        assert opened.table is not None
        _compare_frames(written.table, opened.table, opened.index)
        _compare_bytes(stream.fileno(), kit)
    return Rebuilt(written.kit_id, written.content_id, written.size, from_kit)


class _Keep:
    """Keeps the signature of SHA256SUMS while the kit is proved, and what the store lacks."""

    def __init__(self) -> None:
        self._member = -1
        self.data = b""
        self.seen = False
        self.gathered: Gathered | None = None

    def begin(self, index: Index) -> None:
        """Learn which member is the signature."""
        if index.count(SIG):
            self._member = index.bounds[SIG]

    def small(self, member: int, data: memoryview) -> None:
        """Keep a whole member."""
        if member == self._member:
            self.data, self.seen = bytes(data), True
        if self.gathered is not None:
            self.gathered.small(member, data)

    def piece(self, member: int, offset: int, data: memoryview) -> None:
        """Keep a part of one that the store lacks; a signature is small."""
        if self.gathered is not None:
            self.gathered.piece(member, offset, data)


def _prove(
    kit: Path, job: Job, opened: Opened, taken: Taken | None
) -> tuple[bytes, tuple[str, ...]]:
    """Prove the kit as far as its own page goes, and fill the store from it.

    Returns:
        The signature of SHA256SUMS, decoded, and the paths of what was put into the store.
    """
    keep, stored = _Keep(), tuple[str, ...]()

    with contextlib.ExitStack() as stack:

        def make_sink(seen: Opened, wanted: list[range] | None) -> _Keep:
            del wanted
            assert seen.index is not None
            keep.begin(seen.index)
            if taken is not None and taken.lacking:
                scratch = stack.enter_context(tempfile.TemporaryFile())
                keep.gathered = Gathered(seen.index, taken, scratch)
            return keep

        job.make_sink, job.workers = make_sink, default_workers()
        prove_file(os.fspath(kit), job, opened)
        if keep.gathered is not None:
            stored = tuple(keep.gathered.store())
    try:
        signature = base64.b64decode(keep.data, validate=True)
    except ValueError:
        raise RebuildDiffers("is not base64", where="SHA256SUMS.sig") from None
    if keep.seen and not can_be_sums_signature(signature):
        what = f"has {len(signature)} bytes, which no ECDSA P-256 signature has"
        raise RebuildDiffers(what, where="SHA256SUMS.sig")
    return signature, stored


def _compare_manifests(written: Written, opened: Opened, kit: Path) -> None:
    old, new = opened.manifest, written.manifest
    assert old is not None
    if old.built.compressor != new.built.compressor:
        raise RebuildDiffers(
            f"compressor version: {show(kit)} was made with {old.built.compressor!r}, this is "
            f"{compressor_name()!r}; contentId is "
            + ("the same" if opened.content_id == written.content_id else "different too"),
            where="manifest",
        )
    if encode_manifest(old) == written.payload:
        return
    for name in ("kit", "components", "exemptions", "requires", "built", "page_size", "roots"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            raise RebuildDiffers(_first_difference(name, before, after), where="manifest")


def _first_difference(name: str, before: Any, after: Any) -> str:
    """Return the innermost part of two values that differs, by its name."""
    if isinstance(before, tuple):
        for number, (old, new) in enumerate(zip(before, after, strict=False)):
            if old != new:
                return _first_difference(f"{name}[{number}]", old, new)
        return f"{name}: {len(before)} there, {len(after)} here"
    for part in getattr(type(before), "__annotations__", ()):
        old, new = getattr(before, part), getattr(after, part)
        if old != new:
            return _first_difference(f"{name}.{part}", old, new)
    return f"{name}: {before!r} there, {after!r} here"


def _lines(index: Index, *, derived: bool) -> Iterator[bytes]:
    """Yield lines; without those that are derived: they mostly differ because others do."""
    for rank, first, last in index.runs():
        if rank not in (SUMS, SIG):
            lines = index.lines(rank, first, last).splitlines()
            yield from (line for line in lines if derived or not line.endswith(_DERIVED))


def _compare_members(new: Index, old: Index) -> None:
    for derived in (False, True):
        _compare_lines(_lines(new, derived=derived), _lines(old, derived=derived))


def _compare_lines(ours: Iterator[bytes], theirs: Iterator[bytes]) -> None:
    while True:
        here, there = next(ours, None), next(theirs, None)
        if here != there:
            raise RebuildDiffers(_difference(here, there), where="kit.index")
        if here is None:
            return


def _place(line: Sequence[str]) -> tuple[int, bytes]:
    """Return what the lines of an index are sorted by (FORMAT 6.1)."""
    return CLASSES.index(line[2].encode("ascii")), line[4].encode("utf-8")


def _difference(here: bytes | None, there: bytes | None) -> str:
    new = here.decode().split(" ", 4) if here else None
    old = there.decode().split(" ", 4) if there else None
    if old is not None and (new is None or _place(old) < _place(new)):
        return f"member {old[4]!r} is only there"
    assert new is not None
    if old is None or _place(old) != _place(new):
        return f"member {new[4]!r} is only here"
    names = ("sha256", "size", "class", "mode")
    parts = [
        f"{name} {before} there, {after} here"
        for name, before, after in zip(names, old, new, strict=False)
        if before != after
    ]
    return f"member {new[4]!r}: {'; '.join(parts)}"


def _compare_frames(new: FrameTable, old: FrameTable, index: Index) -> None:
    """Compare frame tables; the members are the same, so only a compressor makes a difference."""
    plan = plan_frames(index)
    for at in range(len(old)):
        here, there = new.lines(at, at + 1), old.lines(at, at + 1)
        if here != there:
            member = plan.first[plan.payload + at]
            path = index.paths(member, member + 1)[0].decode("utf-8")
            raise RebuildDiffers(
                f"frame {at + 1} of the payload, which begins in member {path!r}, was compressed "
                f"otherwise: {there.decode().strip()!r} there, {here.decode().strip()!r} here",
                where="kit.frames",
            )


def _compare_bytes(new: int, kit: Path) -> None:
    with open(kit, "rb") as stream:
        at = 0
        while True:
            there, here = stream.read(1 << 20), os.pread(new, 1 << 20, at)
            if there != here:
                pairs = zip(there, here, strict=False)
                same = next(
                    (i for i, (a, b) in enumerate(pairs) if a != b), min(len(there), len(here))
                )
                raise RebuildDiffers("the bytes differ from here on", where=f"offset {at + same}")
            if not there:
                return
            at += len(there)
