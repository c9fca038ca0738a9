"""The order in which a kit is proved (FORMAT 12): the order of the file is the order of trust.

Nothing is interpreted before it is authenticated.  By name, the exceptions: the framing and the
JSON of the page, and the root chain, which are how authentication begins.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable

from verifier.core import limits
from verifier.core.codec import raw_size, seek_table
from verifier.core.container import Container, Source, check_head_member
from verifier.core.envelope import (
    Envelope,
    Signing,
    check_surplus,
    check_threshold,
    evaluate,
    parse_page,
)
from verifier.core.errors import (
    DecoderMissing,
    DigestMismatch,
    KitError,
    ListMalformed,
    NoRoot,
    NoSuchMember,
    Rejected,
    UnexpectedKit,
    UsageError,
)
from verifier.core.frames import check_table, plan_frames
from verifier.core.header import Headers
from verifier.core.headlists import check_blob, check_index, read_index, read_table
from verifier.core.lists import DATA, FrameTable, Index
from verifier.core.manifest import check_manifest, parse_manifest
from verifier.core.members import Decoder, Layout, Sink
from verifier.core.model import KitId, Manifest
from verifier.core.names import HEAD
from verifier.core.rootchain import Reached, check_chain, follow
from verifier.core.trust import Root, parse_chain
from verifier.core.walk import Walk
from verifier.typed import field, record


@record(frozen=True)
class Expectation:
    """What the operator thinks the kit is; an empty field expects nothing."""

    name: str = ""
    version: str = ""
    line: str = ""


@record
class Job:
    """What to prove, and with what.

    Attributes:
        root: The pinned root of trust; None if the host has none.
        kit_id: In place of signatures, for the builder that has just computed it.
        only: Components or paths to check; empty for all.
        also: Called with index and manifest: the numbers of members that are checked too.
        quick: Whether frames with a digest need not be decoded.
        stop_after: ``page``, ``index`` or ``members``: how far to go.
        judge: Called once with what is authenticated, before anything behind the head is read;
            raises `KitError` to refuse.
        make_decoder: Makes a zstd decoder for each worker; None if this host has none.
        make_sink: Called with index and manifest when the members are about to be read, with
            the numbers of the wanted members (None for all).
        progress: Told (bytes done, bytes in all) while members are read.
    """

    root: Root | None = None
    kit_id: KitId | None = None
    expect: Expectation = Expectation()
    only: tuple[str, ...] = ()
    also: Callable[[Opened], list[int]] | None = None
    quick: bool = False
    stop_after: str = "members"
    judge: Callable[[Opened], None] | None = None
    workers: int = 1
    make_decoder: Callable[[], Decoder] | None = None
    make_sink: Callable[[Opened, list[range] | None], Sink] | None = None
    progress: Callable[[int, int], None] | None = None


@record
class Beside:
    """What somebody beside the core was asked: a program that is not ours, or judges of contents.

    Attributes:
        done: Sentences: what they found good.
        left: Sentences: what they did not look into.
        faults: What stands against the kit; the first one decides.
        about: Names of what was judged, such as ``kinds``.
    """

    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    faults: list[KitError] = field(default_factory=list)
    about: set[str] = field(default_factory=set)


@record
class Opened:
    """What is known of a kit so far; each field is set when what it says has been proved.

    Attributes:
        claims: The manifest before anybody vouched for it: for display as a claim only.
        manifest: The manifest, signed by a threshold.
        reached: The root that signatures count under, and how this host came to it.
        signing: Who signed, under that root.
        wanted: The members that were asked for; None for all.
        done: What was checked, for the report, in order.
        beside: What a program that is not ours says.
        judged: What judges of contents say (`verifier.catch`): after the verdict, to lower it.
        noted: Sentences about what this host could not do.
    """

    page: bytes = b""
    envelope: Envelope | None = None
    kit_id: KitId | None = None
    claims: Manifest | None = None
    roots: bytes = b""
    reached: Reached | None = None
    signing: Signing | None = None
    manifest: Manifest | None = None
    index: Index | None = None
    table: FrameTable | None = None
    content_id: str | None = None
    plain: bool = False
    decoder: str = ""
    wanted: list[range] | None = None
    done: list[str] = field(default_factory=list)
    beside: Beside = field(default_factory=Beside)
    judged: Beside = field(default_factory=Beside)
    noted: list[str] = field(default_factory=list)


def prove(source: Source, job: Job, opened: Opened) -> None:
    """Prove a kit as far as ``job`` asks, noting in ``opened`` what has been established.

    Raises:
        KitError: At the first thing that is not as it must be; ``opened`` says how far it came.
    """
    try:
        _prove(source, job, opened)
    except Rejected:
        source.check_unchanged()  # of a file that is still being written nothing is decided
        raise


def _prove(source: Source, job: Job, opened: Opened) -> None:
    container = Container(source)
    opened.plain = container.plain
    if job.quick and container.plain:
        raise UsageError("--quick needs the compressed kit; a plain .tar has no frames to compare")
    _authenticate(container, job, opened)
    manifest = opened.manifest
    assert manifest is not None
    if job.judge is not None:
        job.judge(opened)
    if job.stop_after == "page":
        return
    headers = Headers(manifest.kit.mtime)
    check_head_member(HEAD[0], opened.page, headers)
    check_head_member(HEAD[1], opened.roots, headers)
    opened.index, opened.content_id = read_index(container, manifest, headers)
    check_index(opened.index, manifest)
    opened.done.append("index")
    opened.table = read_table(container, manifest, headers)
    # no frame holds more than 4 MiB of contents: else the plan could be larger than any memory
    if sum(opened.index.sizes[opened.index.bounds[DATA] :]) > limits.FRAME * len(opened.table):
        raise ListMalformed("there are fewer frames than the members need", where=HEAD[3])
    plan = plan_frames(opened.index)
    check_table(opened.table, plan, opened.index)
    opened.done.append("frame table")
    if job.stop_after == "index":
        return
    layout = Layout(
        source, opened.index, plan, opened.table, headers, container.position, container.plain
    )
    _check_members(container, layout, job, opened)


def kit_id_of(envelope: Envelope) -> KitId:
    """Return the kitId: SHA-256 of what the signers signed (FORMAT 11.1)."""
    return KitId(hashlib.sha256(envelope.payload).hexdigest())


# --- authentication ------------------------------------------------------------------------------


def _authenticate(container: Container, job: Job, opened: Opened) -> None:
    opened.page = container.read_page()
    page = opened.page[512:]
    opened.envelope = parse_page(page)
    opened.kit_id = kit_id_of(opened.envelope)
    if job.root is None and job.kit_id is None:
        opened.claims = _claims(opened.envelope.payload)
        raise NoRoot("nobody vouches for this kit: no root of trust was given")
    opened.roots = container.read_roots()
    chain = parse_chain(opened.roots[512:], job.root)
    if job.root is None:
        if opened.kit_id != job.kit_id:
            raise DigestMismatch("not the kit that was just built", where=HEAD[0])
        check_chain(chain)
    else:
        opened.claims = _claims(opened.envelope.payload)
        opened.reached = follow(job.root, chain)
        targets = opened.reached.root.targets
        opened.signing = evaluate(opened.envelope, targets)
        check_threshold(opened.signing, targets, opened.reached.older())
    manifest = parse_manifest(opened.envelope.payload)
    check_manifest(manifest, len(page))
    check_blob(HEAD[1], manifest.roots, [opened.roots[512:]])
    check_surplus(_under_own_root(opened, chain[-1]))
    opened.manifest = manifest
    opened.done.append("signatures")
    if job.expect.name and job.expect.name != manifest.kit.name:
        raise UnexpectedKit(f"this is {manifest.kit.name!r}, not {job.expect.name!r}")
    if job.expect.version and job.expect.version != manifest.kit.version:
        raise UnexpectedKit(f"this is version {manifest.kit.version!r}, not {job.expect.version!r}")
    if job.expect.line and job.expect.line != manifest.kit.line:
        raise UnexpectedKit(f"this is of line {manifest.kit.line!r}, not {job.expect.line!r}")


def _under_own_root(opened: Opened, own: Root) -> Signing:
    """Judge the page under the kit's own last root; mostly that has been done (FORMAT 4.6)."""
    assert opened.envelope is not None
    if opened.reached is not None and opened.reached.root.version == own.version:
        assert opened.signing is not None
        return opened.signing
    return evaluate(opened.envelope, own.targets)


def _claims(payload: bytes) -> Manifest | None:
    """Return what the page claims, to be shown as a claim; None if it cannot be read."""
    try:
        return parse_manifest(payload)
    except KitError:
        return None


# --- members -----------------------------------------------------------------------------------


def _select(index: Index, manifest: Manifest, only: tuple[str, ...]) -> list[range] | None:
    """Return the members that ``only`` names, as ranges in order; None for all."""
    if not only:
        return None
    components = {component.id: component.paths for component in manifest.components}
    may_be_empty = {
        name
        for component in manifest.components
        if component.placeholder
        for name in (component.id, *component.paths)
    }
    found: list[range] = []
    for name in only:
        path, before = name.rstrip("/"), len(found)
        for place in components.get(name, (path,)):
            for rank in range(7):
                found += index.below(place.encode("utf-8", "surrogateescape"), rank)
        if len(found) == before and path not in may_be_empty:
            raise NoSuchMember(f"{name!r} is neither a component nor a path of this kit")
    runs: list[range] = []
    for run in sorted(found, key=lambda run: run.start):
        if runs and run.start <= runs[-1].stop:
            runs[-1] = range(runs[-1].start, max(runs[-1].stop, run.stop))
        else:
            runs.append(run)
    return runs


def _check_members(container: Container, layout: Layout, job: Job, opened: Opened) -> None:
    manifest, plan = opened.manifest, layout.plan
    assert manifest is not None
    stored = layout.stored()
    container.check_size(len(plan), sum(stored))
    opened.wanted = _select(layout.index, manifest, job.only)
    also = [] if job.also is None else [range(at, at + 1) for at in job.also(opened)]
    wanted: bytearray | None = None
    if opened.wanted is not None:
        wanted = bytearray(len(plan))
        for members in opened.wanted + also:
            for frame in plan.frames_of(members):
                wanted[frame] = 1
    frames = [f for f in range(len(plan)) if wanted is None or wanted[f]]
    needs_decoder = not job.quick and any(map(layout.is_zstd, frames))
    if needs_decoder and job.make_decoder is None:
        raise DecoderMissing("the kit has zstd frames and this host has no decoder")
    sink = None if job.make_sink is None else job.make_sink(opened, opened.wanted)
    total = sum(plan.content[frame] for frame in frames)
    done = 0
    if job.progress is not None:
        job.progress(0, total)

    def progress(content: int) -> None:
        nonlocal done
        done += content
        if job.progress is not None:
            job.progress(done, total)

    Walk(
        layout,
        job.make_decoder if needs_decoder else None,
        sink=sink,
        wanted=wanted,
        quick=job.quick,
        workers=job.workers,
        progress=progress if job.progress is not None else None,
    ).run()
    opened.done.append("members")
    container.position += sum(stored)
    stored_sizes = container.stored + stored + array("I", [raw_size(limits.END)])
    contents = container.content + plan.content + array("I", [limits.END])
    container.read_end(seek_table(stored_sizes, contents))
    layout.source.check_unchanged()
    opened.done.append("end")
