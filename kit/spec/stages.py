"""What `[release]` says of the pipeline: the stages, their commands, and where releases go."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from kit.spec.fields import FILLED, Name, SourcePath, Text, filled
from kit.spec.table import Table

STAGES = ("steps", "lock", "sbom", "test", "build", "sign", "verify", "publish")
"""The stages of a release, in their order."""

HostPath = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
Word = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$(?!\n)", max_length=65_536)]
Words = Annotated[tuple[Word, ...], AfterValidator(filled)]
StageName = Literal["steps", "lock", "sbom", "test", "build", "sign", "verify", "publish"]
_KEY = "whose key signs it: a path, a URI, or a name of [release.keys]"


class StepTable(Table):
    """A step before anything is locked: a command, what goes in, what comes out, and who does it.

    It runs in the directory of the spec, and leaves a link of in-toto.
    """

    name: Name = Field(
        description="the name of the step, as a layout has it", examples=["runner-image"]
    )
    run: Words = Field(
        strict=False,
        json_schema_extra=FILLED,
        description="the command, an array of at least one word; no shell reads it",
        examples=[["python3", "make_image.py"]],
    )
    materials: tuple[SourcePath, ...] = Field(
        (),
        strict=False,
        description="what goes in: files and directories, relative to the spec",
        examples=[["runner"]],
    )
    products: tuple[SourcePath, ...] = Field(
        (),
        strict=False,
        description="what comes out: files and directories, relative to the spec",
        examples=[["artifacts/lnm"]],
    )
    key: HostPath = Field(description=_KEY, examples=["keys/ci.pem"])


class TestTable(Table):
    """What must pass before anything is built: a command, and the reports that it writes."""

    __test__ = False  # pytest would take it for a class of tests

    run: Words | None = Field(
        None,
        strict=False,
        description="the command, an array of words that no shell reads; without it the reports "
        "come from elsewhere",
        examples=[["dotnet", "test", "--logger", "trx;LogFileName=tests.trx"]],
    )
    reports: Annotated[tuple[SourcePath, ...], AfterValidator(filled)] = Field(
        strict=False,
        json_schema_extra=FILLED,
        description="an array of at least one report, TRX or JUnit, relative to the spec; the kit "
        "must carry each of them as evidence",
        examples=[["artifacts/tests.trx"]],
    )
    inputs: tuple[SourcePath, ...] = Field(
        (),
        strict=False,
        description="files and directories whose change has the tests run again, beside the "
        "components; relative to the spec",
        examples=[["tests"]],
    )
    attestation: SourcePath = Field(
        description="where the signed test result goes: the `file` of an [[attestation]]",
        examples=["attestations/tests.dsse.json"],
    )
    key: HostPath = Field(description=_KEY, examples=["keys/ci.pem"])


class VerifyTable(Table):
    """How the sealed kit is verified, beside what is always done."""

    key: HostPath | None = Field(
        None,
        description="whose key signs the result; the publisher's if not given",
        examples=["keys/ci.pem"],
    )


class SiteTable(Table):
    """A site that the kit is for: its policy is asked before the release is published."""

    name: Name = Field(description="the name of the site", examples=["north"])
    trust: HostPath = Field(
        description="a copy of its trust directory: a path", examples=["sites/north"]
    )


class DefaultFields(Table):
    """The fields of `[release]` that every order takes."""

    root: HostPath | None = Field(
        None,
        description="the root of trust, or the chain: a path",
        examples=["roots.json"],
    )
    out: HostPath | None = Field(
        None,
        description="the directory for releases: a path",
        examples=["out"],
    )
    store_dir: HostPath | None = Field(
        None,
        alias="store-dir",
        description="the directory of the store that `lock` fills and `build` takes from: a path",
        examples=["store"],
    )
    sums_key: HostPath | None = Field(
        None,
        alias="sums-key",
        description="who signs SHA256SUMS: a P-256 key file, or envvar:NAME",
        examples=["keys/sums.pem"],
    )
    keys: dict[str, HostPath] | None = Field(
        None,
        description="a table [release.keys]: for each signer the key that `sign` uses, a path or a "
        "URI",
        examples=[{"alice": "keys/alice.pem"}],
    )


class PipelineFields(DefaultFields):
    """The fields of `[release]` that only `offline-kit release` reads."""

    stages: tuple[StageName, ...] | None = Field(
        None,
        strict=False,
        description="which stages there are, of " + ", ".join(f'"{name}"' for name in STAGES) + "; "
        "they run in this order. If not given: all that have what they need",
        examples=[["lock", "sbom", "build", "sign", "verify", "publish"]],
    )
    steps: tuple[StepTable, ...] | None = Field(
        None,
        alias="step",
        strict=False,
        max_length=256,
        description="an array of tables, [[release.step]]",
    )
    sbom: Literal["check", "write"] | None = Field(
        None,
        description='"write" to write the SBOMs that components lack, "check" to refuse instead',
        examples=["check"],
    )
    test: TestTable | None = Field(None, description="a table [release.test]")
    sign: tuple[Name, ...] | None = Field(
        None,
        strict=False,
        description="which signers of [release.keys] sign here; all if not given",
        examples=[["ci"]],
    )
    verify: VerifyTable | None = Field(None, description="a table [release.verify]")
    sites: tuple[SiteTable, ...] | None = Field(
        None,
        alias="site",
        strict=False,
        max_length=256,
        description="an array of tables, [[release.site]]",
    )
    to: tuple[HostPath, ...] | None = Field(
        None,
        strict=False,
        max_length=64,
        description="where releases go: places as `publish --to` takes them; the path of a "
        "directory is relative to this file",
        examples=[["s3://releases/lnm", "oci://registry.example/releases/lnm"]],
    )
    publisher: HostPath | None = Field(
        None,
        description="who signs the entry of a release: a key file, envvar:NAME, or PUB=URI",
        examples=["keys/publisher.pem"],
    )
    publishers: tuple[HostPath, ...] | None = Field(
        None,
        strict=False,
        max_length=16,
        description="public keys of publishers of earlier entries: paths",
        examples=[["keys/publisher-2025.pub"]],
    )
    owners: tuple[Text, ...] | None = Field(
        None,
        strict=False,
        max_length=16,
        description="who answers for the release, lines for people",
        examples=[["DevOps Guild", "Concelier Storage Guild", "Platform Security"]],
    )
    plain_http: tuple[HostPath, ...] | None = Field(
        None,
        alias="plain-http",
        strict=False,
        max_length=64,
        description="hosts that are asked without TLS, with their port or without one",
        examples=[["127.0.0.1:5000"]],
    )
    ca_file: HostPath | None = Field(
        None,
        alias="ca-file",
        description="authorities that are trusted too, a PEM file: a path",
        examples=["ca.pem"],
    )
    one_writer: bool | None = Field(
        None,
        alias="one-writer",
        description="true to say that nobody else writes to these places",
        examples=[False],
    )
    read_back: bool | None = Field(
        None,
        alias="read-back",
        description="true to fetch and compare every file at a place before the entry is created",
        examples=[True],
    )
