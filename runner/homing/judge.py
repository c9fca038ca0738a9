"""Evidence held to its kit: chain, seal, who, which kit, which host, every step and statement.

The seal is proved first, as of any kit, under the operators' root.  Then the journal is read, and
everything else in the evidence is worked out from it and the kit again, and compared.  What is true
of a journal that a host made up is true of this too: before the seal it could write anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

from runner import kitside
from runner.approving import signer_of, statement
from runner.book.model import Runbook, Step
from runner.chain import Record
from runner.errors import (
    EvidenceFalse,
    EvidenceForeign,
    EvidenceInconsistent,
    JournalDamaged,
    NoEvidence,
)
from runner.here import sha256
from runner.homing.chaincheck import read_sealed
from runner.homing.expectations import look_again, reports_in
from runner.homing.layout import BETWEEN, JOURNAL, components_of, info_of, site_of
from runner.homing.shapes import misshapen
from runner.homing.spec import spec_text
from runner.homing.statements import Told, all_outputs, statements
from runner.kitside import Looked
from runner.packing.provenance import PROVENANCE, version_in
from runner.packing.store import own_evidence
from runner.state import DONE, RunState, fold
from verifier.catch import Caught
from verifier.core.errors import KitError, UsageError
from verifier.core.lists import DATA, EVIDENCE, Index
from verifier.core.pipeline import Job, Opened
from verifier.core.trust import Root
from verifier.run import default_workers, prove_file
from verifier.typed import record

MAX_JOURNAL = 256 << 20  # bytes: of ten thousand steps it has ten million


@record(frozen=True)
class Evidence:
    """Evidence that is sealed, whole, and about the kit it was held to.

    Attributes:
        opened: The kit that it is.
        site: Who sealed it, as the line says.
        carried: Whether outputs are in it, and not only their digests.
        expected: How many expectations of the runbook hold in the reports that it carries, and of
            how many the report is not there.
    """

    opened: Opened
    told: Told
    site: str
    carried: bool
    expected: tuple[int, int]

    @property
    def state(self) -> RunState:
        """The state of the run."""
        return self.told.state

    @property
    def signers(self) -> tuple[str, ...]:
        """Who sealed it."""
        assert self.opened.signing is not None
        return tuple(sorted(self.opened.signing.signers))

    @property
    def kit_id(self) -> str:
        """The kitId of the evidence itself."""
        assert self.opened.kit_id is not None
        return self.opened.kit_id

    @property
    def created(self) -> int:
        """The time of its last record, in seconds; the word of that host."""
        assert self.opened.manifest is not None
        return self.opened.manifest.kit.mtime


def verify(path: str, operators: Root, kit: Looked) -> Evidence:
    """Return evidence that is proved in full and held to a kit.

    Args:
        path: The evidence, a file.
        operators: The operators' root.
        kit: The kit whose run it should be of, authentic.

    Raises:
        KitError: It is not sealed, not whole, not of this kit, or says what cannot be.
    """
    opened, judge = Opened(), _Judge(operators, kit)
    job = Job(root=operators, workers=default_workers())
    prove_file(path, job, opened, judges=[judge])
    assert judge.found is not None
    return judge.found


class _Judge:
    """Looks into the journal when all of the kit is proved; see `verifier.catch.Judge`."""

    member = kit = MAX_JOURNAL

    def __init__(self, operators: Root, looked: Looked) -> None:
        self._operators, self._looked = operators, looked
        self.found: Evidence | None = None

    def choose(self, opened: Opened) -> Iterable[int]:
        assert opened.index is not None
        member = opened.index.find(JOURNAL.encode())
        if member is None:
            return []
        own = opened.index.find(PROVENANCE)
        return [member, *([] if own is None else [own]), *reports_in(opened.index)]

    def judge(self, opened: Opened, caught: Caught) -> Sequence[KitError]:
        try:
            self.found = _read(opened, caught, self._operators, self._looked)
        except UsageError as fault:  # a name that no site can have
            return [EvidenceFalse(fault.message, where="the manifest")]
        except KitError as fault:
            return [fault]
        except (KeyError, TypeError, ValueError, AttributeError) as error:  # sealed all the same
            return [EvidenceInconsistent(f"a record lacks what every run writes: {error!r}"[:200])]
        return []


def _read(opened: Opened, caught: Caught, operators: Root, looked: Looked) -> Evidence:
    assert opened.manifest is not None
    assert opened.index is not None
    info = opened.manifest.kit
    if BETWEEN not in info.line or JOURNAL not in caught.data:
        why = caught.missed.get(JOURNAL, f"is a kit of line {info.line!r} and no evidence")
        raise NoEvidence(why)
    data = caught.data[JOURNAL]
    read = read_sealed(data)
    for why in misshapen(read.records):
        raise EvidenceInconsistent(why)
    try:
        state = fold(read.records)
    except JournalDamaged as error:
        raise EvidenceInconsistent(error.message, where=error.where) from None
    told = Told(data, read, state, looked.book)
    site = _check_kit(told, info.line, looked)
    for why in _contradictions(state, read.records, looked.book):
        raise EvidenceInconsistent(why)
    _check_approvals(state, looked.book, operators)
    if info_of(state, read.records[-1], site) != info:
        raise EvidenceFalse("has another name than its journal says", where="the manifest")
    carried = _check_members(told, opened, looked)
    _check_own(opened, caught.data.get(PROVENANCE.decode(), b""))
    return Evidence(opened, told, site, carried, look_again(told, caught.data))


def _check_kit(told: Told, line: str, looked: Looked) -> str:
    """Hold a run to the kit, and return the site."""
    bound, kit = told.bound, looked.manifest.kit
    if bound["kitId"] != looked.kit_id:
        name = f"{bound['kit']['name']} {bound['kit']['version']}"
        raise EvidenceForeign(f"is of a run of {name}, kitId {bound['kitId']}")
    own = {
        "line": kit.line,
        "name": kit.name,
        "sequence": kit.sequence,
        "version": kit.version,
    }
    runs = _members_of(looked, image="image" in bound)
    if (bound["runbook"], bound["runbookPath"]) != (looked.sha256, looked.path):
        raise EvidenceForeign("is of a run of another runbook")
    if bound["kit"] != own or bound["members"] != runs:
        raise EvidenceFalse("says of the kit what it is not", where="line 1")
    site = site_of(line, kit.line)
    if not site:
        raise EvidenceForeign(f"is of line {line!r}, and the kit of line {kit.line!r}")
    return site


def _members_of(looked: Looked, *, image: bool) -> str:
    """Return the digest of the list of members that a run of a kit writes."""
    index = looked.opened.index
    assert index is not None
    runs = kitside.wanted(looked.book, looked.path, looked.manifest, index, image=image)
    return sha256(kitside.members_text(index, runs))


# --- what the runbook excludes -------------------------------------------------------------------


def _contradictions(state: RunState, records: Sequence[Record], book: Runbook) -> Iterator[str]:
    """Yield what no runner writes of such a runbook."""
    environment = state.bound["environment"]
    if environment not in book.environments:
        yield f"the runbook has no environment {environment!r}"
        return
    steps = book.steps_in(environment)
    if state.bound["steps"] != [step.id for step in steps]:
        yield "the steps are not those of the runbook"
        return
    done = [name for name, one in state.steps.items() if one.status == DONE]
    if state.phase in ("complete", "watching", "closed") and len(done) < len(steps):
        open_ = next(name for name in state.steps if name not in done)
        yield f"the run is {state.phase}, and step {open_!r} is {state.steps[open_].status}"
    for step in steps:
        yield from _unsigned(step, state, environment)
    needed = max((step.watch_after for step in steps), default=0)
    if state.phase == "closed" and state.watched < needed:
        yield f"the run is closed, and was watched for {state.watched} of {needed} ms"
    for number, one in enumerate(records, start=1):
        calls_done = one["type"] == "outcome" and one["result"] == "done"
        if calls_done and (one.get("status") != 0 or one.get("missed")):
            yield f"line {number} calls done what did not end so"


def _unsigned(step: Step, state: RunState, environment: str) -> Iterator[str]:
    needed, one = step.people.get(environment, 0), state.steps[step.id]
    signed = len(state.approvals.get(step.id, ()))
    if one.status == DONE and one.how != "marked" and signed < needed:
        yield f"gate {step.id!r} is open, and {signed} of {needed} have signed"


def _check_approvals(state: RunState, book: Runbook, operators: Root) -> None:
    """Hold the signatures at gates to the operators' root again.

    Raises:
        ApprovalInvalid: One is none.
        EvidenceInconsistent: One is somebody else's, or at no gate.
    """
    for name, signed in state.approvals.items():
        step = book.step(name)
        for signer, one in signed.items():
            if step is None:
                raise EvidenceInconsistent(f"{name!r} is no gate of the runbook")
            message = statement(state.bound, name, step.ask)
            text = str(one.get("signature", "")).encode("utf-8")
            if signer_of(message, text, operators) != signer:
                raise EvidenceInconsistent(f"somebody else than {signer!r} signed at {name!r}")


# --- what is in it -------------------------------------------------------------------------------


def _check_members(told: Told, opened: Opened, looked: Looked) -> bool:
    """Hold every member to the journal; return whether outputs are among them.

    Raises:
        EvidenceFalse: One is not what follows, or has no place there.
    """
    index, manifest = opened.index, opened.manifest
    assert index is not None
    assert manifest is not None
    found = dict(_data_of(index))
    carried = any(path.startswith("outputs/") for path in found)
    wanted = {JOURNAL: (_sha256(told.data), len(told.data))}
    for path, data in statements(told, _digests(looked), carried=carried).items():
        wanted[path] = (_sha256(data), len(data))
    if carried:
        wanted.update((one.path, (one.sha256, one.size)) for one in all_outputs(told.read))
    for path in sorted({*wanted, *found}):
        if path not in found:
            raise EvidenceFalse("is missing", where=repr(path))
        if path not in wanted:
            raise EvidenceFalse("follows from nothing in the journal", where=repr(path))
        if found[path] != wanted[path]:
            raise EvidenceFalse("is not what the journal says", where=repr(path))
    if manifest.components != components_of(manifest.kit.version, list(found)):
        raise EvidenceFalse("has other components than evidence has", where="the manifest")
    return carried


def _check_own(opened: Opened, provenance: bytes) -> None:
    """Hold what the evidence says of its own making to its members.

    Which version packed it is in nothing else, so that word is taken as it stands.

    Raises:
        EvidenceFalse: It is not what follows, or more is there.
    """
    index, manifest = opened.index, opened.manifest
    assert index is not None
    assert manifest is not None
    spec = (spec_text(manifest.kit, manifest.components), version_in(provenance))
    wanted = own_evidence(manifest.kit, manifest.components, index, spec)
    first, last = index.bounds[EVIDENCE], index.bounds[EVIDENCE + 1]
    found = {index.path(member): index.digest(member).hex() for member in range(first, last)}
    for path in sorted({*wanted, *found}):
        if path not in wanted or found.get(path) != _sha256(wanted[path]):
            raise EvidenceFalse("is not what follows from its members", where=repr(path))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _data_of(index: Index) -> Iterator[tuple[str, tuple[str, int]]]:
    for member in range(index.bounds[DATA], len(index)):
        yield index.path(member), (index.digest(member).hex(), index.sizes[member])


class _digests:
    """From a path of the kit to its digest."""

    def __init__(self, looked: Looked) -> None:
        assert looked.opened.index is not None
        self._index = looked.opened.index

    def __call__(self, path: str) -> str:
        member = self._index.find(path.encode("utf-8", "surrogateescape"))
        return "" if member is None else self._index.digest(member).hex()
