"""The spec: what a kit holds, as its author writes it in TOML.

Paths are relative to the spec's directory.  What an author can get wrong is said with the line of
the field, and all mistakes at once.  Shape and single fields are pydantic's (`kit.spec.fields`),
what takes two fields is `kit.spec.across`.  Descriptions double as "expected ..." in messages and
as help in editors.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    ValidationError,
)

from kit.errors import (
    Problem,
    SpecInvalid,
    SpecMissing,
    SpecUnreadable,
)
from kit.spec.across import check_across
from kit.spec.fields import (
    FILLED,
    KitId,
    Line,
    Moment,
    Name,
    Text,
    Version,
    filled,
)
from kit.spec.mistakes import explain, field_name
from kit.spec.parts import AttestationFile, Component, Evidence, Exemption, LayoutTable, SbomFile
from kit.spec.positions import Lines, parse_toml
from kit.spec.release import Release
from kit.spec.settings import Settings, apply
from kit.spec.table import Table
from verifier.core import limits
from verifier.core.manifest import MAX_COMPONENTS
from verifier.show.plain import plain

MAX_SPEC = 16 * limits.MIB  # bytes


class KitTable(Table):
    """The kit as a whole."""

    name: Name = Field(
        description="the kit's name, 1 to 64 of a-z 0-9 . _ -, the first of them a letter or digit",
        examples=["lnm"],
    )
    version: Version = Field(
        description="the kit's version, a text of 1 to 64 of A-Z a-z 0-9 . _ + -, the first of "
        "them a letter or digit",
        examples=["2026.11.0"],
    )
    line: Line = Field(
        description="product and release branch, 1 to 64 of a-z 0-9 . _ / -, the first of them a "
        "letter or digit",
        examples=["lnm/stable"],
    )
    sequence: int = Field(
        ge=1,
        le=limits.MAX_SEQUENCE,
        description="a whole number from 1 to 2^40 that rises with every kit of the line",
        examples=[7],
    )
    created: Moment = Field(
        description="a time from 1970 to 2242-03-16T12:56:31Z in UTC and whole seconds",
        examples=[datetime.datetime(2026, 11, 24, tzinfo=datetime.timezone.utc)],
    )
    expires: Moment | None = Field(
        None,
        description="a time after `created`, in UTC and whole seconds",
        examples=[datetime.datetime(2027, 11, 24, tzinfo=datetime.timezone.utc)],
    )
    supersedes: tuple[KitId, ...] = Field(
        (),
        strict=False,
        max_length=64,
        description="an array of at most 64 kitIds, 64 hexadecimal digits in lower case each",
        examples=[["0" * 64]],
    )
    summary: Text = Field(
        description="what the kit is, a line of 1 to 500 characters for people",
        examples=["one line for people"],
    )
    names: Literal["ascii", "unicode"] = Field(
        "ascii",
        description='"ascii" for printable ASCII in paths, "unicode" for more',
        examples=["ascii"],
    )
    coverage: Literal["require", "report"] | None = Field(
        None,
        description='"require" to refuse a kit with a file that no SBOM describes, "report" to say '
        "so; without it, reported where there are SBOMs",
        examples=["require"],
    )
    level: int = Field(3, ge=1, le=19, description="a zstd level, 1 to 19", examples=[3])


class KitSpec(Table):
    """What one kit holds and is called, with the directory that its paths are relative to."""

    kit: KitTable
    components: Annotated[tuple[Component, ...], AfterValidator(filled)] = Field(
        alias="component",
        strict=False,
        max_length=MAX_COMPONENTS,
        json_schema_extra=FILLED,
        description=f"an array of 1 to {MAX_COMPONENTS} tables, [[component]]",
    )
    evidence: tuple[Evidence, ...] = Field(
        (), strict=False, description="an array of tables, [[evidence]]"
    )
    sboms: tuple[SbomFile, ...] = Field(
        (),
        alias="sbom",
        strict=False,
        max_length=MAX_COMPONENTS,
        description=f"an array of at most {MAX_COMPONENTS} tables, [[sbom]]",
    )
    attestations: tuple[AttestationFile, ...] = Field(
        (),
        alias="attestation",
        strict=False,
        max_length=4 * MAX_COMPONENTS,
        description=f"an array of at most {4 * MAX_COMPONENTS} tables, [[attestation]]",
    )
    exemptions: tuple[Exemption, ...] = Field(
        (),
        alias="exemption",
        strict=False,
        max_length=MAX_COMPONENTS,
        description=f"an array of at most {MAX_COMPONENTS} tables, [[exemption]]",
    )
    layout: LayoutTable | None = Field(None, description="a table [layout], of in-toto")
    release: Release | None = Field(None, description="a table [release]")

    _file: Path = PrivateAttr(default=Path("kit.toml"))
    _lines: Lines = PrivateAttr(default_factory=Lines)
    _sha256: str = PrivateAttr(default="0" * 64)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the spec as it was read."""
        return self._sha256

    @property
    def file(self) -> Path:
        """The spec itself, as it was named."""
        return self._file

    @property
    def base(self) -> Path:
        """The directory that paths of the spec are relative to, absolute."""
        return self._file.absolute().parent

    @property
    def has_runbook(self) -> bool:
        """Whether a kit of this spec carries a runbook, and so what runs it."""
        return any(source.runbook for component in self.components for source in component.sources)

    def where(self, *place: str | int) -> str:
        """Return file, line and field of ``place``, as messages name them."""
        return f"{plain(os.fspath(self._file))}:{self._lines[place]}: {field_name(place)}"


def load_spec(path: Path, settings: Settings | None = None) -> KitSpec:
    """Read a spec.

    Args:
        settings: Fields of ``[kit]`` that are otherwise than in the file.

    Raises:
        SpecMissing: There is no file ``path``.
        SpecUnreadable: It could not be read.
        SpecInvalid: It has mistakes; all of them are in the error.
    """
    where = plain(os.fspath(path))
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_SPEC + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise SpecMissing(f"no spec here: {error.strerror}", where=where) from None
    except OSError as error:
        raise SpecUnreadable(f"cannot be read: {error.strerror}", where=where) from error
    return _parsed(raw, path, tuple(sorted((settings or {}).items())))


@functools.lru_cache(maxsize=2)  # a release reads it for each task, and nobody changes a spec
def _parsed(raw: bytes, file: Path, settings: tuple[tuple[str, str | int], ...]) -> KitSpec:
    return parse_spec(raw, file=file, settings=dict(settings))


def parse_spec(raw: bytes, *, file: Path, settings: Settings | None = None) -> KitSpec:
    """Return the spec that ``raw`` is; ``file`` names it and gives its directory.

    Raises:
        SpecInvalid: It has mistakes; all of them are in the error.
    """
    where = plain(os.fspath(file))
    if len(raw) > MAX_SPEC:
        found = f"more than {MAX_SPEC} bytes"
        problem = Problem(1, "", found, "a spec", "name directories instead of single files")
        raise SpecInvalid([problem], where=where)
    values, lines = parse_toml(raw, where=where)
    apply(settings or {}, values)
    problems = list(check_across(values, lines))
    try:
        spec = KitSpec.read(values)
    except ValidationError as error:
        problems.extend(explain(error, KitSpec, lines))
    if problems:
        raise SpecInvalid(problems, where=where)
    spec._file, spec._lines, spec._sha256 = file, lines, hashlib.sha256(raw).hexdigest()
    return spec
