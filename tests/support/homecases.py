"""Evidence in memory: of a small run, good, and spoiled in every way before and after the seal."""

from __future__ import annotations

import base64
import copy
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kit.signing import load_signer
from runner.approving import statement
from runner.book.parse import parse_runbook
from runner.chain import FIRST, Record, digest_of, line_of, read_chain
from runner.here import sha256
from runner.homing.layout import JOURNAL, components_of, info_of
from runner.homing.spec import spec_text
from runner.homing.statements import Output, Told, all_outputs, statements
from runner.kitside import Looked, look_under, members_text, wanted
from runner.packing.store import Source, write_store
from runner.state import fold
from tests.support.homes import OPERATOR, STRANGER, operators_root, public_of
from tests.support.making import key, pinned
from verifier import typed
from verifier.core.envelope import pae
from verifier.core.jsonstrict import compact
from verifier.core.model import Component, KitInfo
from verifier.core.trust import Root, chain_bytes, parse_root

STUB = {"__init__.py": b"", "__main__.py": b"not a program: a vector\n"}
BOOK: dict[str, Any] = {
    "environment": {"production": {"after": {"environment": "staging"}}, "staging": {}},
    "id": "small",
    "schema": 1,
    "step": [
        {
            "apply": ["tools/a.py"],
            "check": ["tools/a.py", "--check"],
            "expect": ["/rows == 3"],
            "id": "a",
            "undo": {"none": "it stays"},
        },
        {"ask": "Go on?", "id": "open", "kind": "gate", "people": {"staging": 1}},
        {"check": ["tools/a.py", "--check"], "id": "b", "kind": "check"},
    ],
}
CREATED = "2026-11-23T00:00:00Z"
OUTPUT = b"working\n"
REPORT, OTHER_REPORT = b'{"rows": 3}', b'{"rows": 2}'
AT = "2026-11-24T10:00:{:02d}Z"
Lines = list[bytes]


def kit_bytes(version: str = "1.0") -> bytes:
    """Return a kit with the runbook, signed by alice and bob; its verifier is a stub."""
    info = KitInfo("demo", version, "demo/stable", 7, CREATED, "a kit with a runbook")
    components = (
        Component("runbook", "1", ("runbook",), "read by kit-run", kind="runbook"),
        Component("tools", "1", ("tools",), "run by kit-run"),
    )
    members = {"runbook/runbook.json": compact(BOOK), "tools/a.py": b"print('working')\n"}
    root = pinned()
    signers = [load_signer(key(name), root.targets.keys) for name in ("alice", "bob")]
    return packed(
        info,
        components,
        members,
        root,
        lambda payload: {one.keyid: one.sign(pae(payload)) for one in signers},
    )


def packed(
    info: KitInfo,
    components: tuple[Component, ...],
    members: Mapping[str, bytes],
    root: Root,
    sign: Callable[[bytes], Mapping[str, bytes]],
    spec: bytes = b"",
) -> bytes:
    """Return a stored kit whose verifier is a stub."""
    with tempfile.TemporaryFile() as file:
        sources = {path: Source(data) for path, data in members.items()}
        number = file.fileno()
        write_store(number, info, components, sources, STUB, chain_bytes([root]), (spec, "0"), sign)
        return os.pread(number, os.fstat(number).st_size, 0)


def operators() -> bytes:
    """Return the root of the operators: olga seals and approves."""
    return operators_root({"olga": ("ed25519", public_of(OPERATOR))})


def looked_at(kit: bytes) -> Looked:
    """Return what a kit is, under the root of the test keys."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "kit"
        path.write_bytes(kit)
        return look_under(str(path), pinned())


def chained(records: Sequence[Record]) -> Lines:
    """Return the lines of a journal with these records."""
    lines: Lines = []
    head = FIRST
    for number, one in enumerate(records):
        lines.append(line_of(number, head, one))
        head = digest_of(lines[-1])
    return lines


def run_records(looked: Looked, run: str = "one", **bound: Any) -> list[Record]:
    """Return the records of a run in staging that is closed."""
    begin = {**_begin(looked, run), **bound}
    text = statement(at_second(begin, 0), "open", "Go on?")
    signature = base64.b64encode(OPERATOR.sign(text)).decode()
    records: list[Record] = [
        begin,
        {
            "type": "start",
            "boot": "b",
            "by": "olga",
            "epoch": 1,
            "host": "stage1",
            "pid": 1,
            "python": "3.11.2",
            "run": run,
        },
        {"type": "phase", "phase": "running"},
        *_attempt("a", REPORT),
        {
            "type": "approval",
            "step": "open",
            "signer": "olga",
            "signature": signature,
            "operatorsVersion": 1,
        },
        {"type": "done", "step": "open", "how": "approved"},
        *_attempt("b"),
        {"type": "phase", "phase": "complete"},
        {"type": "phase", "phase": "closed"},
    ]
    return [at_second(one, second) for second, one in enumerate(records)]


def _begin(looked: Looked, run: str) -> Record:
    info, index = looked.manifest.kit, looked.opened.index
    assert index is not None
    runs = wanted(looked.book, looked.path, looked.manifest, index)
    return {
        "type": "begin",
        "environment": "staging",
        "host": "stage1",
        "kit": {name: getattr(info, name) for name in ("line", "name", "sequence", "version")},
        "kitId": looked.kit_id,
        "members": sha256(members_text(index, runs)),
        "operator": "olga",
        "policy": "",
        "python": "3.11.2",
        "rootVersion": 1,
        "run": run,
        "runbook": looked.sha256,
        "runbookPath": looked.path,
        "runner": {"sha256": "", "version": "1.0"},
        "settings": sha256(b"{}"),
        "steps": ["a", "open", "b"],
        "target": "staging's own",
        "wheels": [],
    }


def _attempt(step: str, report: bytes = b"") -> list[Record]:
    """Return the intent and the outcome of a step that is done."""
    printed, left = (
        {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} for data in (OUTPUT, report)
    )
    ended: Record = {"durationMs": 7, "output": printed, "status": 0, "why": "exited 0"}
    if report:
        ended["files"] = {"report": left}
    about = {"step": step, "what": "apply", "attempt": 1}
    place = {"attempt-directory": f"{step}.apply.1"}
    outcome = {"type": "outcome", **about, "result": "done", **place, **ended}
    return [{"type": "intent", **about}, outcome]


def _timed(records: list[Record], first: int) -> list[Record]:
    """Return records with the times that follow."""
    return [at_second(one, first + at) for at, one in enumerate(records)]


def at_second(one: Record, second: int) -> Record:
    """Return a record with its time."""
    return {**one, "at": AT.format(second)}


@dataclass(frozen=True)
class Draft:
    """Evidence to be packed, every part of it open to change.

    Attributes:
        lines: The journal.
        truth: The journal that statements are made of; None for the same.
        change: From path to other contents; None removes it.
        spec_more: What its provenance takes the spec to end with.
    """

    looked: Looked
    lines: Lines
    truth: Lines | None = None
    carried: bool = True
    site: str = "hall-2"
    by: Ed25519PrivateKey | None = OPERATOR
    change: Mapping[str, bytes | None] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)
    spec_more: bytes = b""

    def members(self) -> tuple[dict[str, bytes], KitInfo]:
        """Return what is packed, and what the kit is called."""
        data = b"".join(self.truth or self.lines)
        read = read_chain(data)
        told = Told(data, read, fold(read.records), parse_runbook(compact(BOOK)))
        members = {JOURNAL: b"".join(self.lines)}
        members |= statements(told, self._digest, carried=self.carried)
        if self.carried:
            members |= {one.path: self._output(one) for one in all_outputs(read)}
        for path, other in self.change.items():
            members.pop(path, None)
            if other is not None:
                members[path] = other
        info = info_of(told.state, read.records[-1], self.site)
        return members, typed.replace(info, **self.info) if self.info else info

    def _output(self, one: Output) -> bytes:
        known = (OUTPUT, REPORT, OTHER_REPORT)
        return next(data for data in known if hashlib.sha256(data).hexdigest() == one.sha256)

    def _digest(self, path: str) -> str:
        index = self.looked.opened.index
        assert index is not None
        member = index.find(path.encode())
        return "" if member is None else index.digest(member).hex()

    def bytes(self) -> bytes:
        """Return the evidence, sealed."""
        members, info = self.members()
        by, components = self.by, components_of(info.version, list(members))
        return packed(
            info,
            components,
            members,
            parse_root(operators()),
            lambda payload: {} if by is None else {"olga-key": by.sign(pae(payload))},
            spec_text(info, components) + self.spec_more,
        )


@dataclass(frozen=True)
class HomeCase:
    """One vector.

    Attributes:
        rule: A rule of RUNBOOK.
        code: What it is refused with; empty if it is good.
    """

    name: str
    rule: str
    why: str
    code: str
    make: Callable[[], bytes]
    closed: bool = True


def every_case(kit: bytes) -> list[HomeCase]:
    """Return all vectors about evidence of a kit."""
    looked = looked_at(kit)
    records = run_records(looked)
    good = Draft(looked, chained(records))
    return [
        *_accepted(good, records),
        *_after_the_seal(good),
        *_broken_chains(good, records),
        *_false(good, records),
        *_foreign(good),
    ]


def _accepted(good: Draft, records: list[Record]) -> Iterator[HomeCase]:
    yield HomeCase("closed", "11.2", "A run that is closed.", "", good.bytes)
    digests = replace(good, carried=False)
    yield HomeCase("digests_only", "11.3", "Outputs stay at the site.", "", digests.bytes)
    stopped = [*records[:4], at_second({"type": "phase", "phase": "stopped", "why": "a: INT"}, 4)]
    draft = replace(good, lines=chained(stopped))
    yield HomeCase("stopped", "11.5", "A run that stopped.", "", draft.bytes, closed=False)
    draft = replace(good, lines=good.lines[:-1])
    why = "The last line was left out before the seal: the run reads as not closed."
    yield HomeCase("tail_cut", "11.5", why, "", draft.bytes, closed=False)


def _after_the_seal(good: Draft) -> Iterator[HomeCase]:
    def flipped() -> bytes:
        data = bytearray(good.bytes())
        data[data.index(b"staging's own")] ^= 1
        return bytes(data)

    def exchanged() -> bytes:
        data = good.bytes()
        names = sorted(path.encode() for path in good.members()[0] if path.startswith("steps/"))
        first, second = (data.rindex(name) for name in names[:2])
        third = data.rindex(names[2])
        return data[:first] + data[second:third] + data[first:second] + data[third:]

    def spliced() -> bytes:
        looked = good.looked
        other = replace(good, lines=chained(run_records(looked, operator="otto"))).bytes()
        return good.bytes()[: 65536 + 512] + other[65536 + 512 :]

    def longer() -> bytes:
        return good.bytes() + b"\0"

    yield HomeCase("file_cut", "11.4", "The file is cut.", "kit-truncated",
                   lambda: good.bytes()[:-700])  # fmt: skip
    yield HomeCase("file_edited", "11.4", "A letter of the journal is another.",
                   "digest-mismatch", flipped)  # fmt: skip
    yield HomeCase("file_reordered", "11.4", "Two statements have changed places.",
                   "layout-mismatch", exchanged)  # fmt: skip
    yield HomeCase("file_spliced", "11.4", "The page of one, the rest of another.",
                   "digest-mismatch", spliced)  # fmt: skip
    yield HomeCase("file_longer", "11.4", "A byte more.", "trailing-bytes", longer)
    by = replace(good, by=STRANGER)
    yield HomeCase("stranger", "11.4", "A stranger sealed it.", "threshold-not-met", by.bytes)
    by = replace(good, by=None)
    yield HomeCase("unsealed", "11.4", "Nobody sealed it.", "threshold-not-met", by.bytes)


def _broken_chains(good: Draft, records: list[Record]) -> Iterator[HomeCase]:
    def case(name: str, why: str, code: str, lines: Lines) -> HomeCase:
        draft = replace(good, lines=lines, truth=good.lines)
        return HomeCase(name, "11.5", why, code, draft.bytes)

    lines = good.lines
    yield case("journal_cut", "A line in the middle is missing.", "evidence-cut",
               [*lines[:5], *lines[6:]])  # fmt: skip
    yield case("journal_cut_head", "The first line is missing.", "evidence-cut", lines[1:])
    yield case("journal_cut_in_line", "The last line has no end.", "evidence-cut",
               [*lines[:-1], lines[-1][:-9]])  # fmt: skip
    yield case("journal_reordered", "Two lines have changed places.", "evidence-reordered",
               [*lines[:4], lines[5], lines[4], *lines[6:]])  # fmt: skip
    edited = lines[4].replace(b'"status":0', b'"status":3')
    yield case("journal_edited", "A status is another.", "evidence-edited",
               [*lines[:4], edited, *lines[5:]])  # fmt: skip
    yield case("journal_edited_spelling", "A space in a line.", "evidence-edited",
               [*lines[:4], lines[4].replace(b":", b": ", 1), *lines[5:]])  # fmt: skip
    yield case("journal_noise", "A line is no record.", "evidence-edited",
               [*lines[:4], b"noise\n", *lines[5:]])  # fmt: skip
    yield case("journal_doubled", "A line is there twice.", "evidence-spliced",
               [*lines[:5], lines[4], *lines[5:]])  # fmt: skip
    other = chained(run_records(good.looked, "two"))
    yield case("journal_spliced", "From the start on it is of another run.", "evidence-spliced",
               [lines[0], *other[1:]])  # fmt: skip
    start = {**records[1], "run": "two"}
    again = chained([records[0], start, *records[2:]])
    yield case("journal_spliced_chained", "The same, chained again.", "evidence-spliced", again)


def _false(good: Draft, records: list[Record]) -> Iterator[HomeCase]:
    def false(name: str, why: str, **change: Any) -> HomeCase:
        return HomeCase(name, "11.6", why, "evidence-false", replace(good, **change).bytes)

    members, _ = good.members()
    step = next(path for path in sorted(members) if path.startswith("steps/"))
    output = next(path for path in sorted(members) if path.startswith("outputs/"))
    yield false("statement_edited", "A statement names another host.",
                change={step: members[step].replace(b"stage1", b"stage2")})  # fmt: skip
    yield false("statement_missing", "A statement is missing.", change={step: None})
    yield false("statement_more", "A statement of a step that is none.",
                change={"steps/00009.x.apply.json": members[step]})  # fmt: skip
    yield false("output_edited", "An output is another.", change={output: b"worked!\n"})
    yield false("output_missing", "One of two outputs is missing.", change={output: None})
    yield false("named_otherwise", "The version is not the name of the run.",
                info={"version": "two"})  # fmt: skip
    yield false("later_sequence", "The sequence is not the time of the last record.",
                info={"sequence": 1 << 39})  # fmt: skip
    yield false("provenance_of_another", "Its provenance says that it was built of another spec.",
                spec_more=b"\n")  # fmt: skip

    def excluded(name: str, why: str, code: str, changed: list[Record]) -> HomeCase:
        return HomeCase(name, "11.6", why, code, replace(good, lines=chained(changed)).bytes)

    without = [one for one in records if one.get("step") != "b"]
    yield excluded("closed_undone", "Closed, and a step was never done.",
                   "evidence-inconsistent", without)  # fmt: skip
    without = [one for one in records if one["type"] != "approval"]
    yield excluded("gate_unsigned", "A gate for a person is open, and nobody signed.",
                   "evidence-inconsistent", without)  # fmt: skip
    changed = copy.deepcopy(records)
    changed[5]["signature"] = changed[5]["signature"][:-6] + "AAAA=="
    yield excluded("approval_forged", "The signature at a gate is none.",
                   "approval-invalid", changed)  # fmt: skip
    changed = copy.deepcopy(records)
    changed[4]["status"] = 3
    yield excluded("done_with_status_3", "Done, with an exit status of 3.",
                   "evidence-inconsistent", changed)  # fmt: skip
    yield excluded(
        "report_unexpected",
        "Done, and the report that it carries is not what the runbook expects.",
        "evidence-inconsistent",
        [*records[:3], *_timed(_attempt("a", OTHER_REPORT), 3), *records[5:]],
    )
    changed = copy.deepcopy(records)
    del changed[0]["target"]
    changed[5]["signature"] = records[5]["signature"]
    yield HomeCase("no_target", "11.6", "The first record lacks a member.",
                   "evidence-inconsistent",
                   replace(good, lines=chained(changed), truth=good.lines).bytes)  # fmt: skip


def _foreign(good: Draft) -> Iterator[HomeCase]:
    def foreign(name: str, why: str, lines: Lines, **more: Any) -> HomeCase:
        draft = replace(good, lines=lines, truth=lines, **more)
        return HomeCase(name, "11.4", why, "evidence-foreign", draft.bytes)

    other = looked_at(kit_bytes("1.1"))
    yield foreign("another_kit", "Of a run of the next version.", chained(run_records(other)))
    records = run_records(good.looked, runbook="0" * 64)
    yield foreign("another_runbook", "Of another runbook.", chained(records))

    def plain() -> bytes:
        root = parse_root(operators())
        info = KitInfo("demo", "1", "demo/stable", 1, "2026-11-24T00:00:00Z", "no evidence")
        component = Component("a", "1", ("a",), "")
        return packed(info, (component,), {"a/b": b"1"}, root,
                      lambda payload: {"olga-key": OPERATOR.sign(pae(payload))})  # fmt: skip

    yield HomeCase("no_evidence", "11.4", "A kit that the operators signed, and no evidence.",
                   "no-evidence", plain)  # fmt: skip
