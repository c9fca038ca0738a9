"""Has the evidence of a kit judged by the policy of this host (TRUST-FILES 3.7 to 3.9).

The rooms of evidence are imported when a policy has requirements, and decide after the core did.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from verifier.catch import KIT as MOST
from verifier.catch import MEMBER, Caught
from verifier.core.errors import KitError, UsageError
from verifier.core.lists import DATA, EVIDENCE, Index
from verifier.core.model import Component
from verifier.core.pipeline import Opened
from verifier.host.judge import Judgement, Notice, override_of
from verifier.rootfile import read_file
from verifier.typed import TYPE_CHECKING, record, replace

if TYPE_CHECKING:
    from verifier.core.signature import Key
    from verifier.core.trust import Role
    from verifier.evidence.attesters import Trust
    from verifier.evidence.documents import Claim
    from verifier.evidence.images import Layout
    from verifier.evidence.index import Line
    from verifier.evidence.judge import Evidence
    from verifier.evidence.judgement import Contents, Decision, Document
    from verifier.evidence.judgement import Facts as KitFacts
    from verifier.evidence.rules import Attester, Requirement
    from verifier.host.accept import Host

MAX_GIVEN = 256  # files
MAX_FILE = 64 << 20  # bytes of one of them
_LAYOUT = b"/oci-layout"
_BLOBS = b"/blobs/sha256/"
_INDEX = b"/index.json"
_HASHED = b".tgz"  # members whose SHA-512 is worked out: npm names packages by nothing else
_LOCK, _PROVENANCE = "evidence/kit.lock", "evidence/provenance.json"
_LOCKED = re.compile(rb'(?m)^(?:sha256|index|commit) = "([0-9a-f]{40,64})"\r?$')


@record(frozen=True)
class Given:
    """A file of evidence that was given beside the kit.

    Attributes:
        path: As it was given.
    """

    path: str
    data: bytes


@record(frozen=True)
class Judged:
    """What the evidence of a kit comes to.

    Attributes:
        decisions: The answer to each requirement, for each component.
        evidence: All of it, for whoever reports more than was asked.
        given: SHA-256 of each file that was given, sorted.
        indexed: Whether the kit has an index of its evidence, and it is true.
        unknown: Why the index could not be judged; None if it could.
    """

    decisions: tuple[Decision, ...]
    evidence: Evidence
    given: tuple[str, ...]
    indexed: bool
    unknown: KitError | None = None


def read_given(paths: Sequence[str]) -> list[Given]:
    """Return files of evidence that came beside the kit.

    Raises:
        UsageError: There are too many, or one is missing or too large.
    """
    if len(paths) > MAX_GIVEN:
        raise UsageError(
            f"--evidence was given {len(paths)} times, and {MAX_GIVEN} are read",
            fix="Put several statements into one file, with a line each.",
        )
    return [Given(path, _read_given(path)) for path in paths]


def _read_given(path: str) -> bytes:
    try:
        return read_file(path, MAX_FILE)
    except KitError as error:
        raise UsageError(error.message, where=repr(path), fix="Check the path.") from None


def choose(opened: Opened) -> Iterator[int]:
    """Yield the members that evidence may be in, or that say what it is about."""
    index = opened.index
    assert index is not None
    yield from range(index.bounds[EVIDENCE], index.bounds[EVIDENCE + 1])
    for prefix in _layouts(index):
        at = index.find(prefix + _INDEX[1:])
        if at is not None:
            yield at
        yield from _small_blobs(index, prefix)
    for run in _runs(index):
        for member, path in enumerate(index.paths(run.start, run.stop), run.start):
            if path.endswith(_HASHED):
                yield member


def _runs(index: Index) -> Iterator[range]:
    for rank, first, last in index.runs():
        if rank == DATA:
            yield range(first, last)


def _layouts(index: Index) -> Iterator[bytes]:
    """Yield the directory of each image layout, with a final ``/``."""
    for run in _runs(index):
        for path in index.paths(run.start, run.stop):
            if path.endswith(_LAYOUT):
                yield path[: -len(_LAYOUT) + 1]


def _small_blobs(index: Index, prefix: bytes) -> Iterator[int]:
    from verifier.evidence.images import MAX_BLOB

    for run in index.below(prefix + _BLOBS[1:-1]):
        for member in run:
            if index.sizes[member] <= MAX_BLOB:
                yield member


# --- facts ---------------------------------------------------------------------------------------


def judge_kit(
    opened: Opened,
    caught: Caught,
    attesters: Mapping[str, Attester],
    requirements: Sequence[Requirement],
    trust: Trust,
    given: Sequence[Given],
    now: int,
) -> Judged:
    """Return what the evidence of a kit comes to.

    Args:
        opened: What was proved.
        caught: The members that `choose` names.
        attesters: Whom the policy names, by their names.
        requirements: What it asks for.
        trust: Who signs, as this host knows it.
        given: Files that were given beside the kit.
        now: The moment judged by, in seconds since the epoch.

    Raises:
        EvidenceIndexFalse: The index of the evidence is not the one that follows from it.
    """
    from verifier.evidence.errors import EvidenceFormUnknown
    from verifier.evidence.images import claims_in
    from verifier.evidence.index import PATH, compare, parse_index
    from verifier.evidence.judge import Evidence
    from verifier.evidence.judgement import Document

    assert opened.manifest is not None
    layouts = list(_read_layouts(opened, caught))
    documents = list(_documents(opened, caught))
    lines: dict[str, list[Line]] | None = None
    unknown: KitError | None = None
    if opened.manifest.evidence_index is not None and PATH in caught.data:
        try:
            lines = parse_index(caught.data[PATH])
        except EvidenceFormUnknown as error:
            unknown = error
    more: list[tuple[Document, Claim]] = []
    broken: list[tuple[Document, KitError]] = []
    for layout in layouts:
        for path, sha256, claims in claims_in(layout):
            document = Document(path, sha256, None)
            if isinstance(claims, KitError):
                broken.append((document, claims))
            else:
                more += [(document, claim) for claim in claims]
    files = [
        Document(g.path, hashlib.sha256(g.data).hexdigest(), g.data, given=True) for g in given
    ]
    facts = _facts(opened, caught, layouts, now)
    evidence = Evidence(facts, [*documents, *files], trust, attesters, lines, more)
    evidence.unread += broken
    if lines is not None:
        compare(lines, {each.path: each.sha256 for each in documents}, evidence.by_path)
    decisions = tuple(evidence.decide(requirements))
    digests = tuple(sorted(each.sha256 for each in files))
    return Judged(decisions, evidence, digests, lines is not None, unknown)


def _documents(opened: Opened, caught: Caught) -> Iterator[Document]:
    from verifier.evidence.index import PATH
    from verifier.evidence.judgement import Document

    index = opened.index
    assert index is not None
    for member in range(index.bounds[EVIDENCE], index.bounds[EVIDENCE + 1]):
        path = index.path(member)
        if path != PATH:
            data = caught.data.get(path)
            why = caught.missed.get(path, "") if data is None else ""
            yield Document(path, index.digest(member).hex(), data, why=why)


def _read_layouts(opened: Opened, caught: Caught) -> Iterator[Layout]:
    from verifier.evidence.images import Layout

    index = opened.index
    assert index is not None
    for prefix in _layouts(index):
        path = prefix.decode("utf-8")
        blobs = {
            index.digest(member).hex(): caught.data[index.path(member)]
            for member in _small_blobs(index, prefix)
            if index.path(member) in caught.data
        }
        yield Layout(path, caught.data.get(f"{path}index.json"), blobs)


def _facts(opened: Opened, caught: Caught, layouts: Sequence[Layout], now: int) -> KitFacts:
    from verifier.evidence.images import lists_of
    from verifier.evidence.judgement import Facts as KitFacts
    from verifier.evidence.judgement import Part

    manifest, index = opened.manifest, opened.index
    assert manifest is not None
    assert index is not None
    assert opened.kit_id is not None
    below: dict[str, Sequence[str]] = {}
    blobs = [item for layout in layouts for item in layout.blobs.items()]
    inside = (data for path, data in caught.data.items() if path.startswith("evidence/"))
    papers = [(hashlib.sha256(data).hexdigest(), data) for data in inside]
    for sha256, data in (*blobs, *papers):
        listed = lists_of(data)
        if listed:
            below[sha256] = listed
    sha512 = {
        hashlib.sha512(data).hexdigest(): hashlib.sha256(data).hexdigest()
        for path, data in caught.data.items()
        if path.encode().endswith(_HASHED)
    }
    unread = [path for path in caught.missed if path.encode().endswith(_HASHED)]
    why = f"{unread[0]!r} was not read: {caught.missed[unread[0]]}" if unread else ""
    parts = tuple(
        Part(item.id, bool(item.placeholder), _finder(index, item, layouts))
        for item in manifest.components
    )
    return KitFacts(
        opened.kit_id,
        opened.content_id or "",
        parts,
        below,
        sha512,
        why,
        _locked(caught),
        now,
    )


def _finder(
    index: Index, component: Component, layouts: Sequence[Layout]
) -> Callable[[], Contents]:
    return lambda: _contents(index, component, layouts)


def _contents(index: Index, component: Component, layouts: Sequence[Layout]) -> Contents:
    from verifier.evidence.components import component_digest, members_of
    from verifier.evidence.images import images_of
    from verifier.evidence.judgement import Contents

    units: set[str] = set()
    also: set[str] = set()
    unread = ""
    inside = [layout.path.encode() for layout in layouts]
    for run in members_of(index, component):
        for member, path in enumerate(index.paths(run.start, run.stop), run.start):
            of_layout = any(path.startswith(prefix) for prefix in inside)
            (also if of_layout else units).add(index.digest(member).hex())
    for layout in layouts:
        here = any(
            layout.path.startswith(f"{path}/") or layout.path == f"{path}/"
            for path in component.paths
        )
        images = images_of(layout) if here else []
        if images is None:
            unread = f"the index of the images in {layout.path!r} was not read, or is none"
        units.update(images or ())
    return Contents(component_digest(index, component), frozenset(units), frozenset(also), unread)


def _locked(caught: Caught) -> frozenset[str] | None:
    """Return the SHA-256 of what the kit's lock names; None if it carries none that was read."""
    found = None
    if _LOCK in caught.data:
        found = {digits.decode() for digits in _LOCKED.findall(caught.data[_LOCK])}
    if _PROVENANCE in caught.data:
        found = (found or set()) | set(_dependencies(caught.data[_PROVENANCE]))
    return None if found is None else frozenset(found)


def _dependencies(data: bytes) -> Iterator[str]:
    from verifier.evidence.conditions import dig, objects
    from verifier.evidence.foreign import NotForeign, read_foreign

    try:
        value = read_foreign(data)
    except NotForeign:
        return
    listed = dig(value, "predicate", "buildDefinition", "resolvedDependencies")
    for each in objects(listed):
        sha256 = dig(each, "digest", "sha256")
        if isinstance(sha256, str):
            yield sha256


# --- trust ---------------------------------------------------------------------------------------


def make_trust(
    role: Role, vouching: Sequence[str], attesters: Iterable[Attester], roots: Mapping[str, bytes]
) -> Trust:
    """Return who signs, as a host knows it.

    Args:
        role: The kit signers of the effective root.
        vouching: Who signed the kit.
        attesters: Whom the policy names.
        roots: Contents of the trusted roots of this host, by the SHA-256 that names them.
    """
    from verifier.evidence.attesters import Trust
    from verifier.evidence.errors import TrustedRootMalformed
    from verifier.evidence.sigstore.roots import TrustedRoot, parse_trusted_root

    signers: dict[str, list[Key]] = {}
    for key in role.keys.values():
        signers.setdefault(key.signer, []).append(key)
    found: dict[str, TrustedRoot | KitError] = {}
    for sha256 in {each.trusted_root for each in attesters if each.trusted_root in roots}:
        try:
            found[sha256] = parse_trusted_root(roots[sha256])
            if hashlib.sha256(roots[sha256]).hexdigest() != sha256:
                raise TrustedRootMalformed("it is not what its name says", where=f"{sha256}.json")
        except KitError as error:
            found[sha256] = error
    return Trust(signers, found, vouching, role.threshold)


# --- faults --------------------------------------------------------------------------------------


def relax(
    judged: Judged, judgement: Judgement, line: str, kit_id: str
) -> tuple[Judged, Judgement, list[KitError]]:
    """Return what an override lets pass, and what stands against the kit all the same."""
    policy, faults = judgement.chosen.policy, list[KitError]()
    decisions, notices = [], list(judgement.notices)
    if judged.unknown is not None:
        fault = judged.unknown
        by = override_of(policy, fault.code, line, kit_id, judgement.now)
        if by:
            notices.append(Notice(fault.code, f"{fault.where}: {fault.message}", by))
        else:
            faults.append(fault)
    for decision in judged.decisions:
        if decision.fault is None:
            decisions.append(decision)
            continue
        fault = _placed(decision.fault, decision)
        by = override_of(policy, fault.code, line, kit_id, judgement.now)
        if by:
            notices.append(Notice(fault.code, f"{fault.where}: {fault.message}", by))
        else:
            faults.append(fault)
        decisions.append(replace(decision, fault=fault, relaxed_by=by))
    judged = replace(judged, decisions=tuple(decisions))
    return judged, replace(judgement, notices=tuple(notices)), faults


def _placed(fault: KitError, decision: Decision) -> KitError:
    """Return a fault that says which requirement it is about."""
    asked = f"required of {decision.component!r}: {decision.requirement.predicate_type}"
    if decision.component in fault.where or decision.requirement.predicate_type in fault.message:
        return fault
    return type(fault)(f"{fault.message} ({asked})", where=fault.where, fix=fault.fix)


# --- the judge -----------------------------------------------------------------------------------


class EvidenceJudge:
    """Judges the evidence of one kit for a host; see `verifier.catch.Judge`.

    Attributes:
        judged: What came of it; None until then.
    """

    member, kit = MEMBER, MOST

    def __init__(self, host: Host) -> None:
        self._host = host
        self._caught: Caught | None = None
        self._raw: tuple[object, Judged] | None = None
        self.judged: Judged | None = None

    def _requirements(self, opened: Opened) -> Sequence[Requirement]:
        rules = self._host.rules_for(opened)
        return rules.attestations if rules is not None else ()

    def choose(self, opened: Opened) -> Iterable[int]:
        """Return the members that evidence may be in; none if nothing is required of the line."""
        return choose(opened) if self._requirements(opened) else ()

    def judge(self, opened: Opened, caught: Caught) -> Sequence[KitError]:
        """Return what the policy has against the evidence of a kit that is proved."""
        self._caught = caught
        return self.again(opened)

    def again(self, opened: Opened) -> Sequence[KitError]:
        """Judge once more what was kept, by the policy that the host has now."""
        requirements = self._requirements(opened)
        if not requirements or self._caught is None:
            return ()
        host = self._host
        judgement = host.judgement
        assert judgement is not None
        assert opened.manifest is not None
        assert opened.kit_id is not None
        try:
            judged = self._judge(opened, judgement, requirements)
        except KitError as error:
            return [error]
        line = opened.manifest.kit.line
        self.judged, host.judgement, faults = relax(judged, judgement, line, opened.kit_id)
        return faults

    def _judge(
        self, opened: Opened, judgement: Judgement, requirements: Sequence[Requirement]
    ) -> Judged:
        """Judge, or return what came of it when nothing has changed since."""
        host, caught = self._host, self._caught
        attesters = {each.name: each for each in judgement.chosen.policy.attesters}
        roots = host.trusted_roots({each.trusted_root for each in attesters.values()} - {""})
        assert opened.signing is not None
        assert opened.reached is not None
        assert caught is not None
        signers = tuple(opened.signing.signers)
        root = opened.reached.root
        known = (judgement.chosen.sha256, root.signed, signers, sorted(roots), judgement.now)
        if self._raw is not None and self._raw[0] == known:
            return self._raw[1]
        trust = make_trust(root.targets, signers, attesters.values(), roots)
        judged = judge_kit(
            opened, caught, attesters, requirements, trust, host.given, judgement.now
        )
        self._raw = known, judged
        return judged
