"""What a spec carries and says of it, a table each: components, evidence, SBOMs, attestations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from kit.spec.fields import (
    FILLED,
    AttestedSubject,
    DataPath,
    EvidencePath,
    KitPath,
    Name,
    SourcePath,
    Text,
    Version,
    filled,
)
from kit.spec.mistakes import mistake
from kit.spec.sources import Source
from kit.spec.table import Table
from verifier.core.manifest import MAX_COMPONENTS

_KIND_OF = {  # from kinds of sources that are fetched to those of components
    "oci": "oci",
    "wheels": "wheels",
    "wheels_from": "wheels",
    "debs": "debs",
    "npm": "npm",
    "git": "git",
}


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
        return (Source.read({"file": self.file}),)


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
        return (Source.read({"file": self.file}),)


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
        return tuple(Source.read(each) for each in ({"file": self.file}, {"glob": links}))
