"""The spec: what a kit holds, as its author writes it in TOML.

Paths are relative to the spec's directory.  What an author can get wrong is said with the line of
the field, and all mistakes at once.  Shape and single fields are pydantic's (`kit.spec.fields`),
what takes two fields is `kit.spec.across`.  Descriptions double as "expected ..." in messages and
as help in editors.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema

from kit.errors import Problem, SpecInvalid, SpecMissing, SpecUnreadable
from kit.spec.across import check_across
from kit.spec.fields import (
    FILLED,
    AttestedSubject,
    DataPath,
    EvidencePath,
    KitId,
    KitPath,
    Line,
    Moment,
    Name,
    SourcePath,
    Text,
    Version,
    filled,
)
from kit.spec.mistakes import explain, field_name, mistake
from kit.spec.positions import Lines, parse_toml
from kit.spec.release import Release
from kit.spec.settings import Settings, apply
from kit.spec.sources import Source
from kit.spec.table import Table
from verifier.core import limits
from verifier.core.manifest import MAX_COMPONENTS
from verifier.show.plain import plain

MAX_SPEC = 16 * limits.MIB  # bytes
_KIND_OF = {  # from kinds of sources that are fetched to those of components
    "oci": "oci",
    "wheels": "wheels",
    "wheels_from": "wheels",
    "debs": "debs",
    "npm": "npm",
    "git": "git",
}
SCHEMA_ID = "https://offline-kit.example/schema/spec.v1.json"  # a name, not an address


def _kind_of(source: Source) -> str:
    """Return the kind of a component that has nothing but such sources."""
    return "runbook" if source.runbook is not None else _KIND_OF.get(source.fetched or "", "")


class Component(Table):
    """A part of the release with a version of its own, in a directory of its own."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["placeholder"]},
                {"required": ["source"], "properties": {"source": {"minItems": 1}}},
            ]
        }
    )

    id: Name = Field(
        description="the component's name, unique, 1 to 64 of a-z 0-9 . _ -, the first of them "
        "a letter or digit",
        examples=["migrations-21-101"],
    )
    version: Version = Field(
        description="the component's version, a text of 1 to 64 of A-Z a-z 0-9 . _ + -, the "
        "first of them a letter or digit",
        examples=["21.101.0"],
    )
    path: DataPath = Field(
        description="the component's directory inside the kit, not in another's and not reserved",
        examples=["migrations/21-101"],
    )
    lands: Text = Field(
        description="where it belongs on the site, a line of 1 to 500 characters for people",
        examples=["/opt/lnm/migrations/21-101"],
    )
    kind: Literal["files", "oci", "wheels", "debs", "npm", "git"] | None = Field(
        None,
        description="what the files are together, and so what is promised of them: the build and "
        "the site check it; that of its sources if they are fetched and all of one kind",
        examples=["wheels"],
    )
    owner: Text | None = Field(
        None,
        description="who answers for it, a line of 1 to 500 characters for people",
        examples=["Concelier Storage Guild"],
    )
    scan: bool = Field(
        False,
        description='true to have "offline-kit sbom" look for packages in its files with syft',
        examples=[True],
    )
    placeholder: Text | None = Field(
        None,
        description="why the component may be empty for now, a line of 1 to 500 characters",
        examples=["the contract is not final"],
    )
    sources: tuple[Source, ...] = Field(
        (), alias="source", strict=False, description="an array of tables, [[component.source]]"
    )

    @property
    def what(self) -> str:
        """Its kind: as stated, or as all its sources are; empty if it promises nothing."""
        if self.kind is not None:
            return self.kind
        found = {_kind_of(source) for source in self.sources}
        return found.pop() if len(found) == 1 else ""

    @model_validator(mode="after")
    def _is_what_it_fetches(self) -> Component:
        found = {_kind_of(source) for source in self.sources}
        others = sorted(found - {"", self.kind})
        if self.kind not in {None, "files"} and others:
            raise mistake(
                f'has `kind = "{self.kind}"` and a source of {others[0]}',
                expected="the kind that its sources have",
                fix="remove `kind`, or make a component of its own",
            )
        return self

    @model_validator(mode="after")
    def _has_source(self) -> Component:
        if not self.sources and self.placeholder is None:
            raise mistake(
                "has no source",
                expected="a [[component.source]], or a placeholder that says why there is none",
                fix='add `placeholder = "why it is empty for now"`, or a source',
            )
        return self


class Evidence(Table):
    """Files that speak about the kit: SBOMs, attestations, licences.  They land raw."""

    path: EvidencePath = Field(
        description="a directory below evidence/ inside the kit", examples=["sbom"]
    )
    sources: Annotated[tuple[Source, ...], AfterValidator(filled)] = Field(
        alias="source",
        strict=False,
        json_schema_extra=FILLED,
        description="an array of at least one table, [[evidence.source]]",
    )


class Exemption(Table):
    """Paths that a rule does not apply to, and why."""

    paths: Annotated[tuple[KitPath, ...], AfterValidator(filled)] = Field(
        strict=False,
        json_schema_extra=FILLED,
        description="an array of at least one path inside the kit",
        examples=[["migrations/21-101/README.md"]],
    )
    reason: Text = Field(
        description="the reason, a line of 1 to 500 characters for people",
        examples=["text for people"],
    )


class SbomLink(Table):
    """What an element of an SBOM describes, said explicitly: the build holds it to that."""

    element: Text = Field(
        description="the element, by its id in the document: SPDXID, spdxId or bom-ref",
        examples=["SPDXRef-Package-runner"],
    )
    member: KitPath = Field(
        description="the file of the kit that it describes", examples=["tools/runner.bin"]
    )


class SbomFile(Table):
    """A document that says what the kit carries: SPDX or CycloneDX, as JSON.

    It lands below evidence/sbom/ under its own name, and is judged before anything is built.
    """

    file: SourcePath = Field(
        description="one file, relative to the spec", examples=["sboms/runner.spdx.json"]
    )
    links: tuple[SbomLink, ...] = Field(
        (),
        alias="link",
        strict=False,
        max_length=MAX_COMPONENTS,
        description=f"an array of at most {MAX_COMPONENTS} tables, [[sbom.link]]",
    )

    @property
    def path(self) -> str:
        """The directory below evidence/ that it lands in."""
        return "sbom"

    @property
    def kit_path(self) -> str:
        """Where it lands in the kit."""
        return f"evidence/{self.path}/{self.file.rpartition('/')[2]}"

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where it comes from, as an entry of evidence has it."""
        return (Source.model_validate({"file": self.file}),)


class AttestationFile(Table):
    """A document that attests something of one component: a statement, signed or not.

    It lands below evidence/attestations/ in the directory of its component, under its own name.
    """

    file: SourcePath = Field(
        description="one file, relative to the spec", examples=["attestations/runner.dsse.json"]
    )
    component: Name = Field(
        description="the id of the component that it is about", examples=["runner-image"]
    )
    subject: AttestedSubject = Field(
        "component",
        description='what of it: "component" for all or any of it, "image" for one of its images, '
        "or the path of a file of it in the kit",
        examples=["image"],
    )

    @property
    def path(self) -> str:
        """The directory below evidence/ that it lands in."""
        return f"attestations/{self.component}"

    @property
    def kit_path(self) -> str:
        """Where it lands in the kit."""
        return f"evidence/{self.path}/{self.file.rpartition('/')[2]}"

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where it comes from, as an entry of evidence has it."""
        return (Source.model_validate({"file": self.file}),)


class LayoutTable(Table):
    """The in-toto layout that the kit was built by, and the links of its steps.

    Both are judged before anything is built, at `created`, and land below evidence/in-toto/.
    """

    file: SourcePath = Field(
        description="the layout, one file, relative to the spec", examples=["supply/root.layout"]
    )
    links: SourcePath = Field(
        description="the directory of the links, STEP.KEYID.link, relative to the spec",
        examples=["supply/links"],
    )
    keys: Annotated[tuple[SourcePath, ...], AfterValidator(filled)] = Field(
        strict=False,
        max_length=64,
        json_schema_extra=FILLED,
        description="an array of files of public keys, relative to the spec: the owners of the "
        "layout, each of whom must have signed it",
        examples=[["supply/owner.pub"]],
    )

    @property
    def path(self) -> str:
        """The directory below evidence/ that it lands in."""
        return "in-toto"

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where it comes from, as an entry of evidence has it."""
        links = f"{self.links.rstrip('/')}/*.link"
        return tuple(Source.model_validate(each) for each in ({"file": self.file}, {"glob": links}))


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
    return parse_spec(raw, file=path, settings=settings)


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
        spec = KitSpec.model_validate(values)
    except ValidationError as error:
        problems.extend(explain(error, KitSpec, lines))
    if problems:
        raise SpecInvalid(problems, where=where)
    spec._file, spec._lines, spec._sha256 = file, lines, hashlib.sha256(raw).hexdigest()
    return spec


# --- the schema for editors ------------------------------------------------------------------


class _Schema(GenerateJsonSchema):
    """Without the titles that pydantic makes of attribute names, and without null, as TOML is."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: Any) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])


def spec_schema() -> dict[str, Any]:
    """Return the shape of a spec as JSON Schema 2020-12, for editors.

    A date-time of TOML is a string there, as editors hand it over.  What a schema cannot say
    (unique ids, disjoint paths, dates that exist, ...) is checked by `load_spec` alone.
    """
    made = KitSpec.model_json_schema(by_alias=True, schema_generator=_Schema)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "offline-kit spec, version 1",
    }
    return {**head, **_without_titles(made)}


def _without_titles(schema: Any) -> Any:
    """Drop pydantic's titles of tables, and defaults that TOML cannot write."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _without_titles(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str)) and (key, value) != ("default", None)
    }


def schema_bytes() -> bytes:
    """Return manifests/schema/spec.v1.json as it should be."""
    return (json.dumps(spec_schema(), indent=2, ensure_ascii=True) + "\n").encode()
