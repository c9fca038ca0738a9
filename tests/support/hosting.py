"""An operator's host for tests: a real trust directory, kits in files, and a clock that is given.

Kits come from `tests.support.assembler`, roots from `tests.support.simulator`; what looks and
accepts is what `kit-verify` runs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.assembler import Draft, assemble
from tests.support.people import chain, root_line
from verifier.core.model import parse_time
from verifier.core.pipeline import Job
from verifier.core.trust import parse_chain
from verifier.host.accept import Host
from verifier.host.directory import TrustDirectory
from verifier.host.policy import POLICY_TYPE
from verifier.host.state import State, parse_state
from verifier.run import run
from verifier.show.report import Report

LINE = "vectors/stable"
CREATED = "2026-11-24T00:00:00Z"


def moment(text: str) -> int:
    """Return seconds since the epoch; a day is enough."""
    seconds = parse_time(text if "T" in text else f"{text}T00:00:00Z")
    assert seconds is not None
    return seconds


CLOCK = moment("2026-11-25")


def policy(name: str = "tried", **fields: Any) -> bytes:
    """Return the bytes of a policy that takes any line, but for what is given."""
    value = {"type": POLICY_TYPE, "name": name, "otherLines": "allow", **fields}
    return json.dumps(value, indent=1).encode() + b"\n"


def rules(line: str = LINE, **fields: Any) -> list[dict[str, Any]]:
    """Return ``lines`` of a policy, with one line."""
    return [{"line": line, **fields}]


def override(code: str, **fields: Any) -> dict[str, Any]:
    """Return an override for the line of the test kits."""
    where = {} if "kitId" in fields else {"line": LINE}
    return {"name": f"let {code} pass", "code": code, "reason": "a test", **where, **fields}


def binding(data: bytes) -> dict[str, Any]:
    """Return what a root that names a policy has in its signed part."""
    return {"x-offline-kit-policy": {"sha256": hashlib.sha256(data).hexdigest()}}


def make_kit_bytes(
    signers: Sequence[str] = ("alice", "bob"), roots: Sequence[bytes] = (), **kit: Any
) -> bytes:
    """Return a small kit; further names are members of the manifest's ``kit``."""
    return assemble(Draft(signers=signers, chain=chain(*(roots or [root_line()])), kit=kit))


class Site:
    """A host in a directory of its own.

    Attributes:
        trust: Its trust directory, on disk.
        clock: What its clock says.
    """

    def __init__(self, base: Path, clock: int = CLOCK) -> None:
        self.base = base
        self.trust = base / "trust"
        self.clock = clock

    @property
    def directory(self) -> TrustDirectory:
        """The trust directory."""
        return TrustDirectory(os.fspath(self.trust))

    def pin(self, root: bytes | None = None, policy: bytes | None = None) -> Site:
        """Make the trust directory."""
        data = (root or root_line()) + b"\n"
        self.directory.make(data, hashlib.sha256(data).hexdigest(), policy)
        return self

    def kit(self, name: str = "", **kit: Any) -> Path:
        """Write a kit beside the trust directory and return its path; see `make_kit_bytes`."""
        path = self.base / f"{name or kit.get('sequence', 1)}.tar.zst"
        path.write_bytes(make_kit_bytes(**kit))
        return path

    def _run(
        self,
        kit: Path,
        *,
        accept: bool,
        clock: int | None,
        extract: Path | None = None,
        switch: Path | None = None,
    ) -> Report:
        host = Host(self.directory, self.clock if clock is None else clock, "0.1.0")
        into = os.fspath(extract) if extract else ""
        beside = os.fspath(switch) if switch else ""
        return run(os.fspath(kit), Job(), extract=into, switch=beside, host=host, accept=accept)

    def look(self, kit: Path, clock: int | None = None) -> Report:
        """Do what ``verify --trust`` does."""
        return self._run(kit, accept=False, clock=clock)

    def accept(
        self,
        kit: Path,
        extract: Path | None = None,
        clock: int | None = None,
        switch: Path | None = None,
    ) -> Report:
        """Do what ``accept`` does."""
        return self._run(kit, accept=True, extract=extract, clock=clock, switch=switch)

    def update(self, roots: Sequence[bytes], policy: bytes | None = None) -> None:
        """Do what ``trust update`` does with a kit that carries these roots."""
        self.directory.update(parse_chain(chain(*roots)), policy, self.clock)

    @property
    def state(self) -> State:
        """What the host remembers."""
        return parse_state((self.trust / "state.json").read_bytes())

    def sequence(self, line: str = LINE) -> int:
        """Return the remembered sequence of a line; 0 if there is none."""
        known = self.state.lines.get(line)
        return known.sequence if known else 0

    def files(self) -> dict[str, bytes]:
        """Return every file of the trust directory."""
        files = (path for path in sorted(self.trust.rglob("*")) if path.is_file())
        return {path.relative_to(self.trust).as_posix(): path.read_bytes() for path in files}


def code(report: Report) -> str:
    """Return the code of a report; empty if the kit is verified."""
    return report.error.code if report.error else ""


def notices(report: Report) -> dict[str, str]:
    """Return what was let pass or noted: from code to what relaxed it."""
    assert report.host is not None
    assert report.host.judgement is not None
    return {notice.code: notice.relaxed_by for notice in report.host.judgement.notices}
