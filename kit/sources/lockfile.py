"""The lock as a value: read strictly, written in one way, made for `git diff`.

One ``[[artifact]]`` a file, sorted by component and path; one ``[[source]]`` a part of the spec
with the digest of its source tables, so that a stale lock is named with what changed.  No URL is in
it: the spec or the ecosystem's client gives that when a file is needed, so that mirrors serve as
well and no credential can get in.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError

from kit.errors import Problem, SpecInvalid, show
from kit.sources.errors import LockInvalid, LockMissing, LockUnreadable
from kit.spec.fields import KitPath, Name, Text
from kit.spec.mistakes import explain
from kit.spec.positions import Lines, parse_toml
from kit.spec.table import Table
from kit.store import Artifact
from verifier.core import limits

MAX_LOCK = 64 * limits.MIB  # bytes
MAX_TABLES = 200_000  # a table takes 100 microseconds to read, and 10 KB while it is read
MAX_LINES = 8 * MAX_TABLES
NAME = "kit.lock"
_HEAD = """\
# Written by `offline-kit lock`: what each source is, by digest. Keep it in version control.
# It is not edited by hand; `offline-kit lock --update NAME` moves one source.
"""
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class LockedSources(Table):
    """The sources of one part of the spec, as they were when it was locked."""

    path: KitPath = Field(description="the part's directory inside the kit", examples=["tools"])
    digest: _Sha256 = Field(
        description="the SHA-256 of the part's source tables", examples=["0" * 64]
    )
    contents: _Sha256 = Field(
        description="the SHA-256 of all else that this lock says of the part", examples=["0" * 64]
    )


class LockedArtifact(Table):
    """A file that was fetched, by what it is."""

    component: Name | None = Field(
        default=None, description="the id of its component; none for evidence", examples=["tools"]
    )
    path: KitPath = Field(description="where it is in the kit", examples=["tools/jq-1.7.tar.gz"])
    purl: Text | None = Field(
        default=None, description="a package URL", examples=["pkg:pypi/pymongo@4.20.1"]
    )
    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40,64}$(?!\n)")] | None = Field(
        default=None, description="the commit that a bundle holds", examples=["0" * 40]
    )
    size: int = Field(ge=0, le=limits.MAX_MEMBER, description="bytes", examples=[4096])
    sha256: _Sha256 = Field(description="the SHA-256 of the file", examples=["0" * 64])
    executable: bool = Field(
        default=False, description="whether it may be executed in the kit", examples=[True]
    )

    @property
    def artifact(self) -> Artifact:
        """The file as the store knows it."""
        return Artifact(self.sha256, self.size)


class LockedImage(Table):
    """An entry of the index of an image layout: what its reference meant when it was locked."""

    path: KitPath = Field(
        description="the layout's directory inside the kit", examples=["images/runner"]
    )
    name: Text = Field(description="what the image is called in the layout", examples=["lnm:1"])
    reference: Text = Field(
        description="the image as the spec names it", examples=["registry.example/lnm:1"]
    )
    index: _Sha256 | None = Field(
        default=None,
        description="the SHA-256 of the index that it was chosen from",
        examples=["0" * 64],
    )
    platform: Text | None = Field(
        default=None, description="the platform that it was chosen for", examples=["linux/amd64"]
    )
    beside: Name | None = Field(
        default=None,
        description="what it is, if it is no image and stands beside one",
        examples=["signatures"],
    )
    subject: _Sha256 | None = Field(
        default=None,
        description="the SHA-256 of the manifest that it stands beside",
        examples=["0" * 64],
    )
    media: Text = Field(
        description="its media type", examples=["application/vnd.oci.image.index.v1+json"]
    )
    size: int = Field(ge=0, le=4 * limits.MIB, description="bytes", examples=[4096])
    sha256: _Sha256 = Field(description="the SHA-256 of the manifest", examples=["0" * 64])


class LockedRequirement(Table):
    """A Python package at one version, and where it is needed (PEP 508)."""

    path: KitPath = Field(description="its directory inside the kit", examples=["wheels"])
    name: Text = Field(description="the package", examples=["pymongo"])
    version: Text = Field(description="its version", examples=["4.20.1"])
    marker: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = Field(
        default=None,
        description="where it is needed",
        examples=["python_full_version >= '3.11'"],
    )


class Lock(Table):
    """All that a spec's sources are."""

    version: Literal[1] = Field(description="1, the form of this file", examples=[1])
    tools: dict[Name, Text] = Field(
        default_factory=dict,
        description="versions of the programs that decided something",
        examples=[{"uv": "0.13.9"}],
    )
    sources: tuple[LockedSources, ...] = Field(
        default=(), alias="source", strict=False, description="an array of tables, [[source]]"
    )
    images: tuple[LockedImage, ...] = Field(
        default=(), alias="image", strict=False, description="an array of tables, [[image]]"
    )
    requirements: tuple[LockedRequirement, ...] = Field(
        default=(), alias="requirement", strict=False, description="an array, [[requirement]]"
    )
    artifacts: tuple[LockedArtifact, ...] = Field(
        default=(), alias="artifact", strict=False, description="an array of tables, [[artifact]]"
    )


_Entry = LockedSources | LockedImage | LockedRequirement | LockedArtifact


def digest_of(tables: Any) -> str:
    """Return the digest of tables of a spec or a lock: of their JSON, sorted and compact."""
    text = json.dumps(tables, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def contents_of(entries: Iterable[LockedImage | LockedRequirement | LockedArtifact]) -> str:
    """Return the digest of what a lock says of one part; the order does not matter."""
    ordered = sorted(entries, key=lambda entry: (type(entry).__name__, _place(entry)))
    return digest_of([entry.model_dump(by_alias=True, exclude_defaults=True) for entry in ordered])


def load_lock(path: Path) -> Lock:
    """Read a lock.

    Raises:
        LockMissing: There is none.
        LockUnreadable: It could not be read.
        LockInvalid: It is none.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_LOCK + 1)
    except FileNotFoundError:
        raise LockMissing("there is no lock beside the spec", where=show(path)) from None
    except OSError as error:
        raise LockUnreadable(error.strerror or str(error), where=show(path)) from None
    return parse_lock(raw, where=os.fspath(path))


def parse_lock(raw: bytes, *, where: str) -> Lock:
    """Return the lock that ``raw`` is.

    Raises:
        LockInvalid: It is none, or not in the order and spelling of `render`.
    """
    if len(raw) > MAX_LOCK:
        raise _too_large(f"more than {MAX_LOCK} bytes", where)
    if raw.count(b"\n[") > MAX_TABLES or raw.count(b"\n") > MAX_LINES:
        raise _too_large(f"more than {MAX_TABLES} tables, or than {MAX_LINES} lines", where)
    try:
        values, lines = parse_toml(raw, where=where)
        lock = Lock.read(values)
    except SpecInvalid as error:
        raise LockInvalid(_locked_again(error.problems), where=where) from None
    except ValidationError as error:
        raise LockInvalid(_locked_again(explain(error, Lock, lines)), where=where) from None
    problems = list(_twice(lock, lines))
    if not problems and render(lock) != raw:
        problems.append(
            Problem(
                1, "", "other spelling or order", "what `offline-kit lock` writes", "lock again"
            )
        )
    if problems:
        raise LockInvalid(problems, where=where)
    return lock


def _locked_again(problems: Iterable[Problem]) -> list[Problem]:
    """Return mistakes without advice on mending them: nobody writes in a lock by hand."""
    return [dataclasses.replace(problem, fix="lock again") for problem in problems]


def _too_large(found: str, where: str) -> LockInvalid:
    return LockInvalid([Problem(1, "", found, "a lock", "lock again")], where=where)


def _twice(lock: Lock, lines: Lines) -> list[Problem]:
    """Return what is named twice, which would leave open what is meant."""
    problems: list[Problem] = []
    for key, entries in _arrays(lock):
        seen: set[str] = set()
        for at, entry in enumerate(entries):
            name = _place(entry)
            if name in seen:
                found = f"{show(name)} is there twice"
                line = lines[key, at]
                problems.append(Problem(line, f"{key}[{at}].path", found, "one", "lock again"))
            seen.add(name)
    return problems


def _place(entry: _Entry) -> str:
    """Return what an entry is known by, and may be there once; UTF-8 sorts as code points do."""
    if isinstance(entry, LockedImage):
        return f"{entry.path}\n{entry.name}"
    if isinstance(entry, LockedRequirement):
        return f"{entry.path}\n{entry.name}\n{entry.version}\n{entry.marker}"
    return entry.path


def _order(entry: _Entry) -> tuple[str, str]:
    """Return what an entry is sorted by: files of one component stand together."""
    component = entry.component if isinstance(entry, LockedArtifact) else None
    return component or "", _place(entry)


def _arrays(lock: Lock) -> tuple[tuple[str, tuple[_Entry, ...]], ...]:
    return (
        ("source", lock.sources),
        ("image", lock.images),
        ("requirement", lock.requirements),
        ("artifact", lock.artifacts),
    )


def render(lock: Lock) -> bytes:
    """Return a lock as text: sorted, one spelling, the same on every host."""
    parts = [f"{_HEAD}\nversion = {lock.version}\n"]
    if lock.tools:
        tools = "".join(
            f"{_text(name)} = {_text(lock.tools[name])}\n" for name in sorted(lock.tools)
        )
        parts.append(f"\n[tools]\n{tools}")
    for key, entries in _arrays(lock):
        for entry in sorted(entries, key=_order):
            parts.append(f"\n[[{key}]]\n{_fields(entry)}")
    return "".join(parts).encode()


def _fields(entry: _Entry) -> str:
    values = entry.model_dump(by_alias=True, exclude_defaults=True)
    return "".join(f"{name} = {_text(value)}\n" for name, value in values.items())


def _text(value: str | int | bool) -> str:
    """Return a value as TOML has it; a string of JSON is a basic string of TOML."""
    # but for U+007F, and surrogate pairs: what is not ASCII stands as it is
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
