"""From a spec to a kit: the only place that knows the order of building."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kit.container import output
from kit.container.archive import SumsSign, Written, write_archive
from kit.container.draft import created_of, draft_manifest, own_members
from kit.container.page import sign_page, write_page
from kit.errors import MAX_SHOWN, SourceNameUnsafe, show
from kit.sources.collect import Collected, collect
from kit.sources.inputs import Inputs
from kit.spec import KitSpec
from kit.stock.keys import text_of_pem
from runner.packing.head import file_name
from verifier.core.errors import ExitStatus, KitError, Usage
from verifier.core.lists import DATA, Index
from verifier.core.model import KitId, Manifest
from verifier.core.pipeline import Job, Opened
from verifier.core.trust import Root, chain_bytes
from verifier.run import default_workers, run
from verifier.show.report import Report

if TYPE_CHECKING:
    from kit.evidence.index import Evidence
    from kit.signing import KitSigner, SumsSigner  # slow to load, and a build may need no key
    from kit.sources.taken import Taken  # and no store
    from verifier.evidence.coverage import Coverage

Progress = Callable[[str, int, int], None]
"""Told (what is being done, bytes done, bytes in all)."""


class SelfCheckFailed(Usage):
    """The verifier refuses what was just built; the file was removed.

    Either the machine damaged bytes on the way (memory, disk), or this is a bug in offline-kit.
    """

    code = "self-check-failed"
    fix = "Build again; if it fails again at the same place, report it with the message."


class KindBroken(Usage):
    """A component is not what its kind promises; the file was removed.

    FORMAT 17 says what each kind promises.  Each fault has the code by which a site would refuse
    the kit; `explain` knows it.
    """

    code = "kind-broken"
    fix = "Mend the sources of the component, or leave out its `kind` if it is something else."

    def __init__(self, faults: list[str]) -> None:
        more = [f"and {len(faults) - MAX_SHOWN} more"] if len(faults) > MAX_SHOWN else []
        super().__init__("\n  ".join([f"{len(faults)} found", *faults[:MAX_SHOWN], *more]))


@dataclass(frozen=True)
class Options:
    """How to build; nothing here changes the bytes but ``store``, ``epoch`` and the sums key.

    Attributes:
        store: Whether to make raw frames only.
        epoch: SOURCE_DATE_EPOCH as the environment has it; None if it is not set.
        self_check: Whether the verifier proves the file before it gets its name.
        keys: Files of private keys, which no tree of the sources may carry.
        out: The directory above that of the kit, which no tree may carry either.
        taken: What comes out of the store, by the lock.
    """

    store: bool = False
    workers: int = 0
    epoch: str | None = None
    self_check: bool = True
    keys: Sequence[Path] = ()
    out: Path | None = None
    taken: Taken | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class BuiltKit:
    """A kit that was built.

    Attributes:
        path: The file.
        members: Files of class ``data``.
        empty_directories: Where directories without a file would be: they do not arrive.
        notes: What else somebody should know, a sentence each.
        signers: Who has signed it already.
        report: The verifier's word on it; None if it was not asked.
        coverage: What the SBOMs describe of it; None if there are none and nobody asks.
    """

    path: Path
    manifest: Manifest
    kit_id: KitId
    content_id: str
    size: int
    members: int
    empty_directories: tuple[str, ...]
    notes: tuple[str, ...]
    signers: tuple[str, ...]
    report: Report | None
    coverage: Coverage | None = None


def make_inputs(
    spec: KitSpec,
    collected: Collected,
    draft: Manifest,
    taken: Taken | None,
    *,
    signed_sums: bool,
) -> tuple[Inputs, Evidence | None]:
    """Return what a kit carries, and its evidence, if it has any; that is read and judged now.

    Every kit with files of its own has its provenance, and so an index of its evidence.

    Args:
        spec: What to build.
        collected: Its files.
        draft: The manifest as far as it is known.
        taken: What came out of the store.
        signed_sums: Whether the kit will have SHA256SUMS.sig.

    Raises:
        LayoutUnmet: The steps of the build are not what the layout of the spec says.
        SourceNameUnsafe: A file has the name of what the builder writes itself.
        EvidenceRefused: A document of evidence cannot be read by any site.
    """
    from kit.evidence.index import INDEX, Evidence  # slow to load
    from kit.evidence.provenance import Made, Provenance
    from runner.packing.provenance import PROVENANCE
    from verifier.evidence.links import PATH as LINKS
    from verifier.evidence.links import SbomLink, encode_links

    kept = {
        INDEX: "the index of evidence",
        PROVENANCE: "the kit's own provenance",
        LINKS.encode(): "the links of SBOMs",
    }
    for name, what in kept.items():
        if collected.evidence.find(name) >= 0 or collected.evidence.has_below(name):
            raise SourceNameUnsafe([(name, f"this name is kept for {what}")])
    own = own_members(draft.kit, runner=spec.has_runbook)
    links = [
        SbomLink(entry.kit_path, link.element, link.member)
        for entry in spec.sboms
        for link in entry.links
    ]
    if links:
        own[LINKS.encode()] = encode_links(links)
    if len(collected.data):  # a Statement has at least one subject
        own[PROVENANCE] = b""
    if PROVENANCE in own or len(collected.evidence):
        own[INDEX] = b""
    inputs = Inputs(collected, own, signed_sums=signed_sums, mtime=draft.kit.mtime)
    late = {}
    if PROVENANCE in own:
        lock = taken.lock if taken is not None else None
        made = Made(draft.kit, draft.components, (spec.file.name, spec.sha256), lock)
        provenance = Provenance(made, inputs)
        late[PROVENANCE] = provenance.draft
        inputs.make_late(PROVENANCE, len(provenance.draft), provenance.make)
    evidence = Evidence(inputs, late) if INDEX in own else None
    if evidence is not None:
        evidence.plan()
    if spec.layout is not None and evidence is not None:
        from kit.intoto.judge import judge_spec  # an extra, and few specs have steps

        judge_spec(spec, draft.kit.mtime, evidence.digests)
    return inputs, evidence


def build(
    spec: KitSpec,
    chain: Sequence[Root],
    directory: Path,
    options: Options,
    *,
    signers: Sequence[KitSigner] = (),
    sums: SumsSigner | None = None,
) -> BuiltKit:
    """Build the kit of ``spec`` in ``directory``, and sign it if there are signers.

    Args:
        spec: What to build.
        chain: The roots that the kit carries, of consecutive versions; the last one is its own.
        directory: Where the kit goes.
        options: How to build.
        signers: Who signs it, under the last root.
        sums: Who signs ``SHA256SUMS``.

    Raises:
        KitError: The spec, a source, a key or the disk is at fault; nothing half is left.
    """
    sums_key = text_of_pem(sums.public_pem) if sums else ""
    draft = draft_manifest(spec, created_of(spec, options.epoch), sums_key)
    path = directory / file_name(draft.kit)
    _make_directory(directory)
    coverage, judge = None, judge_of(spec)
    collected = collect(spec, _kept_out(directory, options), options.taken)
    signed = sums is not None
    inputs, evidence = make_inputs(spec, collected, draft, options.taken, signed_sums=signed)
    empty = tuple(show(name) for name in collected.empty_directories)
    notes = collected.notes
    unchecked: list[str] = []
    del collected
    level = 0 if options.store else spec.kit.level
    _check_runbooks(spec, inputs.index)
    report = None
    with output.new_file(path) as descriptor:
        notes.without_locks = output.lock(descriptor) is None
        written = write(
            descriptor, inputs, draft, chain, level, options, sums.sign_digest if sums else None
        )
        if options.taken is not None:
            options.taken.check(inputs.index)
        members = inputs.index.count(DATA)
        coverage = judge(inputs) if judge else None
        if evidence is not None:
            evidence.check_attested(spec, inputs.index, draft)
        strangers = list(evidence.strangers(inputs.index, draft)) if evidence else []
        strangers += evidence.unseen(inputs.index) if evidence else ()
        del inputs  # a million members: the verifier needs the memory
        if options.self_check:
            report = self_check(output.partial_of(path), written, options, unchecked)
        if signers:
            page = sign_page(written.payload, {}, signers, written.manifest.page_size)
            write_page(descriptor, page)
        size = written.size
    return BuiltKit(
        path=path,
        manifest=written.manifest,
        kit_id=written.kit_id,
        content_id=written.content_id,
        size=size,
        members=members,
        empty_directories=empty,
        notes=(*notes.sentences(), *strangers, *unchecked),
        signers=tuple(sorted({signer.signer for signer in signers})),
        report=report,
        coverage=coverage,
    )


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output.refused(error, directory) from None


def _kept_out(directory: Path, options: Options) -> dict[tuple[int, int], str]:
    """Return what no tree of the sources may carry, by device and inode."""
    what = dict.fromkeys(options.keys, "a key of this build")
    what[directory] = "the directory that the kit goes to"
    if options.out is not None:
        what[options.out] = "the directory for releases (--out)"
    if options.taken is not None:
        what[options.taken.store.root] = "the store of what was fetched"
    found = {}
    for path, why in what.items():
        with contextlib.suppress(OSError):  # a key that no longer is there leaks nothing
            facts = os.stat(path)
            found[facts.st_dev, facts.st_ino] = why
    return found


def _check_runbooks(spec: KitSpec, index: Index) -> None:
    if spec.has_runbook:
        from kit.runbook.carried import check_runbooks  # few kits have one

        check_runbooks(spec, index)


def judge_of(spec: KitSpec) -> Callable[[Inputs], Coverage] | None:
    """Return what compares a finished kit with its SBOMs, which are judged now; None if none is.

    Raises:
        SbomRefused: An SBOM of the spec is bad.
    """
    if not spec.sboms and spec.kit.coverage is None:
        return None
    from kit.sbom.coverage import judge_coverage, load_documents  # slow to load

    documents = load_documents(spec)
    return lambda inputs: judge_coverage(spec, documents, inputs)


def write(
    descriptor: int,
    inputs: Inputs,
    draft: Manifest,
    chain: Sequence[Root],
    level: int,
    options: Options,
    sums_sign: SumsSign | None,
    signatures: Mapping[str, bytes] | None = None,
) -> Written:
    """Write the kit into an open file; see `kit.container.archive.write_archive`."""

    def progress(done: int, total: int) -> None:
        if options.progress is not None:
            options.progress("building", done, total)

    return write_archive(
        descriptor,
        inputs,
        draft,
        chain_bytes(chain),
        level=level,
        workers=options.workers or default_workers(),
        sums_sign=sums_sign,
        signatures=dict(signatures or {}),
        progress=progress,
    )


def self_check(path: Path, written: Written, options: Options, unchecked: list[str]) -> Report:
    """Have the verifier prove an unsigned kit, with its kitId in place of signatures.

    Args:
        unchecked: Gets a sentence for each promise of a kind that nobody can look into.

    Raises:
        SelfCheckFailed: It refuses, or could not find out.
        KindBroken: A component is not what its kind promises.
    """
    from verifier.evidence.kinds.registry import KINDS
    from verifier.kindjudge import KindJudge

    def progress(done: int, total: int) -> None:
        if options.progress is not None:
            options.progress("checking", done, total)

    def is_unchecked(_: Opened, fault: KitError) -> bool:
        if fault.status is ExitStatus.REJECTED:
            return False
        unchecked.append(f"{fault.where} {fault.message}; no site can look into it either")
        return True

    kinds = any(component.kind in KINDS for component in written.manifest.components)
    job = Job(kit_id=written.kit_id, workers=options.workers or default_workers())
    job.progress = progress
    judges = [KindJudge(passes=is_unchecked, sha512=True)] if kinds else []
    opened = Opened()
    report = run(os.fspath(path), job, opened=opened, judges=judges)
    if opened.judged.faults:
        raise KindBroken(
            [f"{fault.code}: {fault.where}: {fault.message}" for fault in report.faults]
        )
    if report.error is not None:
        raise SelfCheckFailed(str(report.error), where=show(path))
    return report
