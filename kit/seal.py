"""Seals a kit: threshold met, one spelling, and what stock tools need lies beside it."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kit.container.head import check_same_root, read_head, sealed_marker
from kit.container.output import replace_file
from kit.container.page import locked
from kit.container.pyz import verifier_tool
from kit.note import medium
from kit.stock.beside import read_beside, write_beside
from kit.stock.outputs import NAMES, SUMS_SSHSIG, StockFiles, stock_files
from verifier.core.envelope import evaluate, parse_page
from verifier.core.errors import ThresholdNotMet
from verifier.core.lists import SIG
from verifier.core.model import KitInfo
from verifier.core.names import HEAD
from verifier.core.pipeline import Job, Opened
from verifier.core.trust import Root, parse_chain
from verifier.run import default_workers, prove_file

SEALED_TYPE = "https://offline-kit.example/sealed/v1"


@dataclass(frozen=True)
class SealedKit:
    """A kit that is ready to be carried.

    Attributes:
        outputs: The files written beside it, by name; each with its SHA-256.
        keys: Which key checks an output, in words, by name of the output.
        absent: Why there is no such output, by name.
        file_digest: SHA-256 of the kit as it is now; for transport only.
    """

    kit: KitInfo
    kit_id: str
    content_id: str
    file_digest: str
    size: int
    signers: tuple[str, ...]
    threshold: int
    outputs: dict[str, str]
    keys: dict[str, str]
    absent: dict[str, str]


class _Keep:
    """Keeps a few small members while a kit is proved; a sink for the verifier."""

    def __init__(self, wanted: set[int]) -> None:
        self._wanted = wanted
        self._lock = threading.Lock()  # parts of one member come from several threads at once
        self.kept: dict[int, bytearray] = {}

    def small(self, member: int, data: memoryview) -> None:
        """Keep a whole member."""
        self.piece(member, 0, data)

    def piece(self, member: int, offset: int, data: memoryview) -> None:
        """Keep a part of a member; parts may come in any order."""
        if member not in self._wanted:
            return
        with self._lock:
            kept = self.kept.setdefault(member, bytearray())
            kept.extend(bytes(max(0, offset + len(data) - len(kept))))
            kept[offset : offset + len(data)] = data


def seal(
    path: Path,
    *,
    root: Root | None = None,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> SealedKit:
    """Prove a kit under its root and write what belongs beside it; the seal comes last.

    Args:
        root: The root the releaser expects; None takes the kit's.

    Raises:
        ThresholdNotMet: Too few signers have signed.
        OutputExists: A file of another kit is in the way.
        KitError: The kit or the disk is at fault.
    """
    with locked(path):
        page, kit_root = read_head(path)
        check_same_root(kit_root, root)
        keep = _Keep(set())

        def make_sink(opened: Opened, wanted: list[range] | None) -> _Keep:
            del wanted
            assert opened.index is not None
            index = opened.index
            keep._wanted.add(verifier_tool(index))
            keep._wanted.update(range(index.bounds[SIG], index.bounds[SIG + 1]))
            return keep

        job = Job(root=kit_root, workers=workers or default_workers(), progress=progress)
        job.make_sink = make_sink
        opened = Opened()
        try:
            prove_file(os.fspath(path), job, opened)
        except ThresholdNotMet as error:
            raise _below(error, page, kit_root) from None
        return _write(path, opened, keep.kept, kit_root)


def _below(error: ThresholdNotMet, page: bytes, root: Root) -> ThresholdNotMet:
    """Return the refusal for whoever seals: it names who has yet to sign, and how."""
    signed = evaluate(parse_page(page), root.targets).signers
    missing = ", ".join(name for name in root.targets.signers() if name not in signed)
    need = root.targets.threshold - len(signed)
    return ThresholdNotMet(
        f"{error.message}; {need} more of {missing} must sign",
        where=error.where,
        fix="Have them sign first: `offline-kit sign KIT --key SIGNER=URI`; then seal again.",
    )


def _write(path: Path, opened: Opened, kept: dict[int, bytearray], root: Root) -> SealedKit:
    index, manifest, signing = opened.index, opened.manifest, opened.signing
    assert index is not None
    assert manifest is not None
    assert signing is not None
    stock = _stock(path, opened, kept, root)
    verifier = bytes(kept[verifier_tool(index)])
    files = {
        "kit-verify.pyz": verifier,
        HEAD[0]: opened.page[512:],
        medium.ROOT: root.line,
        medium.README: medium.readme(manifest.kit),
        medium.FIRST_CONTACT: medium.first_contact(
            manifest.kit, _sha256(verifier), _sha256(root.line), str(opened.kit_id)
        ),
        **stock.files,
    }
    if root.version > parse_chain(opened.roots[512:])[0].version:
        files[medium.CHAIN] = opened.roots[512:]
    marker = sealed_marker(path)
    write_beside(path, files, (*NAMES, medium.CHAIN), marker)
    sealed = SealedKit(
        kit=manifest.kit,
        kit_id=str(opened.kit_id),
        content_id=str(opened.content_id),
        file_digest=_file_digest(path),
        size=path.stat().st_size,
        signers=tuple(signing.signers),
        threshold=root.targets.threshold,
        outputs={name: _sha256(data) for name, data in sorted(files.items())},
        keys=dict(sorted(stock.keys.items())),
        absent=dict(sorted(stock.absent.items())),
    )
    replace_file(marker, _marker_bytes(path, sealed))
    return sealed


def _stock(path: Path, opened: Opened, kept: dict[int, bytearray], root: Root) -> StockFiles:
    index, manifest, envelope = opened.index, opened.manifest, opened.envelope
    assert index is not None
    assert manifest is not None
    assert envelope is not None
    assert opened.signing is not None
    return stock_files(
        manifest,
        envelope,
        opened.signing,
        root.targets,
        b"".join(index.sums()),
        bytes(kept[index.bounds[SIG]]) if index.count(SIG) else None,
        read_beside(path, SUMS_SSHSIG),
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _file_digest(path: Path) -> str:
    state = hashlib.sha256()
    with open(path, "rb") as stream:
        while piece := stream.read(1 << 20):
            state.update(piece)
    return state.hexdigest()


def _marker_bytes(path: Path, sealed: SealedKit) -> bytes:
    value = {
        "type": SEALED_TYPE,
        "kit": {
            "name": sealed.kit.name,
            "version": sealed.kit.version,
            "line": sealed.kit.line,
            "sequence": sealed.kit.sequence,
        },
        "file": {"name": path.name, "size": sealed.size, "sha256": sealed.file_digest},
        "kitId": sealed.kit_id,
        "contentId": sealed.content_id,
        "signers": list(sealed.signers),
        "threshold": sealed.threshold,
        "outputs": sealed.outputs,
        "checkedWith": sealed.keys,
        "absent": sealed.absent,
    }
    return json.dumps(value, indent=2, sort_keys=True).encode("ascii") + b"\n"
