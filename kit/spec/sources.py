"""A source of a spec: where files come from, one kind a table."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from kit.spec.fields import (
    Architecture,
    DebName,
    Exclude,
    GitRev,
    GitUrl,
    GlobPattern,
    ImageReference,
    KitId,
    KitPath,
    Platform,
    PythonVersion,
    Requirement,
    SourcePath,
    Suite,
    Url,
    check_platforms,
)
from kit.spec.mistakes import mistake
from kit.spec.table import Table

# Each kind of source, and the fields that mean something beside it.
_ONLY_BESIDE: dict[str, tuple[str, ...]] = {
    "file": ("as", "follow"),
    "dir": ("as", "empty", "exclude", "follow", "links", "pack", "private_keys"),
    "glob": ("exclude", "follow", "links", "private_keys"),
    "url": ("as", "executable", "mirrors", "sha256"),
    "oci": ("as", "beside", "nondistributable", "platforms"),
    "git": ("as", "rev", "submodules"),
    "wheels": ("platforms", "pythons"),
    "wheels_from": ("platforms", "pythons"),
    "npm": (),
    "runbook": (),
    "debs": ("architecture", "assume", "repositories", "suite"),
}
FETCHED = ("url", "oci", "git", "wheels", "wheels_from", "npm", "debs")
_SAME_KIND = {"wheels_from": "wheels"}
_NEEDED = {
    "url": ["sha256"],
    "git": ["rev"],
    "wheels": ["platforms", "pythons"],
    "wheels_from": ["platforms", "pythons"],
    "debs": ["architecture", "suite"],
}
_OPTIONS = sorted({name for names in _ONLY_BESIDE.values() for name in names})
_ONE_OF: dict[str, Any] = {
    "oneOf": [
        {
            "required": [kind, *_NEEDED.get(kind, [])],
            "properties": {name: False for name in _OPTIONS if name not in names},
            **({"dependentRequired": {"as": ["pack"]}} if "pack" in names else {}),
        }
        for kind, names in _ONLY_BESIDE.items()
    ]
}


class Source(Table):
    """Where files come from: this host, a URL with its digest, or a registry."""

    model_config = ConfigDict(json_schema_extra=_ONE_OF)

    file: SourcePath | None = Field(
        None,
        description="one file, relative to the spec; it lands under its name or under `as`",
        examples=["out/runner.bin"],
    )
    dir: SourcePath | None = Field(
        None,
        description="a directory, relative to the spec; its whole tree lands below the path",
        examples=["migrations/21-101"],
    )
    glob: GlobPattern | None = Field(
        None,
        description="a pattern of * ? [...] and ** for any directories, relative to the spec; "
        "matches land under what follows the part without wildcards",
        examples=["wheels/**/*.whl"],
    )
    runbook: SourcePath | None = Field(
        None,
        description="a runbook in TOML, relative to the spec; it is checked, and lands as "
        "runbook.json",
        examples=["runbook.toml"],
    )
    url: Url | None = Field(
        None,
        description="an https or file URL of one file, whose `sha256` is given; it lands under "
        "its last part or under `as`",
        examples=["https://files.example/jq-1.7.1.tar.gz"],
    )
    mirrors: tuple[Url, ...] = Field(
        (),
        strict=False,
        max_length=16,
        description="an array of at most 16 URLs that are tried in order after `url`",
        examples=[["https://mirror.example/jq-1.7.1.tar.gz"]],
    )
    sha256: KitId | None = Field(
        None,
        description="the SHA-256 of what `url` gives, 64 hexadecimal digits in lower case",
        examples=["0" * 64],
    )
    executable: bool = Field(
        False, description="whether what `url` gives is a program", examples=[True]
    )
    oci: ImageReference | None = Field(
        None,
        description="an image: HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST in a registry, or "
        "oci:DIR:NAME, oci-archive:FILE:NAME, docker-archive:FILE:TAG relative to the spec; all "
        "images of a component are one OCI layout",
        examples=["registry.example/lnm/runner:1.0"],
    )
    platforms: tuple[Platform, ...] = Field(
        (),
        strict=False,
        max_length=64,
        description="an array of platforms: of `oci` OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT "
        "(without it the image is carried for all); of `wheels` platform tags such as "
        "manylinux_2_28_x86_64, the newest that a site's hosts take",
        examples=[["linux/amd64"]],
    )
    nondistributable: bool = Field(
        False,
        description="whether layers that may not be distributed are carried",
        examples=[True],
    )
    beside: tuple[Literal["signatures", "attestations", "sboms", "others"], ...] = Field(
        (),
        strict=False,
        max_length=4,
        description="an array of what else of `oci` comes along, and must be there: signatures, "
        "attestations, sboms, others; of the image, its index and its platforms",
        examples=[["signatures", "attestations"]],
    )
    git: GitUrl | None = Field(
        None,
        description="a git repository by an https, ssh or file URL; one commit of it, `rev`, is "
        "carried as a bundle",
        examples=["https://git.example/lnm/tools.git"],
    )
    rev: GitRev = Field(
        "",
        description="what of the repository: a branch, a tag or a commit id",
        examples=["v1.0"],
    )
    submodules: bool = Field(
        False,
        description="whether the commit may have submodules, which its bundle does not hold",
        examples=[True],
    )
    wheels: tuple[Requirement, ...] = Field(
        (),
        strict=False,
        max_length=1024,
        description="an array of requirements as pip writes them; they and what they need are "
        "carried as wheels, with a requirements.txt",
        examples=[["pymongo>=4.18"]],
    )
    wheels_from: SourcePath | None = Field(
        None,
        description="a file, relative to the spec, that says what is carried as wheels: uv.lock "
        "(with its pyproject.toml), pylock.toml, pylock.NAME.toml, or else one of requirements",
        examples=["requirements.txt"],
    )
    pythons: tuple[PythonVersion, ...] = Field(
        (),
        strict=False,
        max_length=32,
        description="an array of the Pythons of the sites that `wheels` are for",
        examples=[["3.11", "3.12"]],
    )
    npm: SourcePath | None = Field(
        None,
        description="a directory, relative to the spec, with package.json and package-lock.json; "
        "what the lock names is carried as tarballs, with a lock that finds them",
        examples=["web"],
    )
    debs: tuple[DebName, ...] = Field(
        (),
        strict=False,
        max_length=1024,
        description="an array of Debian packages, NAME or NAME=VERSION; they and what they need "
        "are carried as a repository that apt takes at the site",
        examples=[["nginx-light", "jq=1.6-2.1"]],
    )
    suite: Suite | None = Field(
        None,
        description="the suite that `debs` are of; its -updates and -security count to it",
        examples=["bookworm"],
    )
    architecture: Architecture | None = Field(
        None, description="the architecture that `debs` are for", examples=["arm64"]
    )
    assume: tuple[DebName, ...] = Field(
        (),
        strict=False,
        max_length=4096,
        description="an array of packages that a site has, NAME or NAME=VERSION: neither they nor "
        "what only they need is carried",
        examples=[["libc6", "libssl3"]],
    )
    repositories: SourcePath | None = Field(
        None,
        description="a file of apt's, NAME.sources or NAME.list, relative to the spec, that says "
        "where `debs` come from (without it this host's)",
        examples=["debian.sources"],
    )
    as_: KitPath | None = Field(
        None,
        alias="as",
        description="where `file`, `url` or a packed `dir` lands, relative to the path; the name "
        "of `oci` in the layout",
        examples=["bin/runner"],
    )
    exclude: tuple[Exclude, ...] = Field(
        (),
        strict=False,
        description="an array of patterns of * ? [...] that leave out what they match in `dir` or "
        "`glob`: by relative path or last name, with a final / directories only",
        examples=[["*.pyc", "__pycache__/"]],
    )
    follow: bool = Field(
        False,
        description="true if the source itself, or a directory on the way to it, may be a link",
        examples=[True],
    )
    links: Literal["refuse", "copy"] = Field(
        "refuse",
        description='"refuse" for links inside `dir` or `glob`, "copy" to carry what they lead to '
        "in their place, if that is inside the source",
        examples=["copy"],
    )
    empty: Literal["refuse", "drop", "keep"] = Field(
        "refuse",
        description='"refuse" for directories of `dir` without a file, "drop" if they may be '
        'missing at the site, "keep" beside `pack`, where they arrive anyway',
        examples=["drop"],
    )
    pack: Literal["tar"] | None = Field(
        None,
        description='"tar" to carry `dir` as one tar archive with its links, modes and empty '
        "directories, called as the directory or by `as`",
        examples=["tar"],
    )
    private_keys: tuple[Exclude, ...] = Field(
        (),
        strict=False,
        description="an array of patterns, as in `exclude`, of private keys in `dir` or `glob` "
        "that are meant to be carried, such as those of a test",
        examples=[["tests/*.pem"]],
    )

    @property
    def fetched(self) -> str | None:
        """The kind of source that this is, if it is fetched by `lock`."""
        kind = next((kind for kind in FETCHED if getattr(self, kind)), None)
        return _SAME_KIND.get(kind, kind) if kind else None

    @model_validator(mode="after")
    def _one_kind(self) -> Source:
        kinds = [kind for kind in _ONLY_BESIDE if getattr(self, kind) not in {None, ()}]
        if len(kinds) != 1:
            raise mistake(
                f"has {' and '.join(kinds) or 'none of them'}",
                expected=f"exactly one of {', '.join(_ONLY_BESIDE)}",
                fix="write a table of its own for each",
            )
        given = {name.rstrip("_") for name in self.model_fields_set}
        for name in sorted(given - set(_ONLY_BESIDE) - set(_ONLY_BESIDE[kinds[0]])):
            beside = [f"`{kind}`" for kind, names in _ONLY_BESIDE.items() if name in names]
            expected = f"`{name}` only beside {' or '.join(beside)}"
            raise mistake(f"has `{name}`", expected=expected, fix=f"remove `{name}`")
        self._has_what_it_needs()
        if self.dir is not None:
            self._is_packed_or_not()
        return self

    def _is_packed_or_not(self) -> None:
        if self.pack is None:
            if self.as_ is not None:
                expected = "`as` only beside one file, or beside `pack`"
                raise mistake("has `as`", expected=expected, fix="remove `as`")
            if self.empty == "keep":
                raise mistake(
                    'has `empty = "keep"`',
                    expected="`pack` beside it: a kit carries files, an archive directories too",
                    fix='add `pack = "tar"`, or write `empty = "drop"`',
                )
        elif "links" in self.model_fields_set or self.empty == "drop":
            name = "links" if "links" in self.model_fields_set else "empty"
            expected = "no such field: links and empty directories of a packed tree arrive"
            raise mistake(f"has `{name}` beside `pack`", expected=expected, fix=f"remove `{name}`")
        elif self.as_ is None and (self.dir or "").rstrip("/").rpartition("/")[2] in {
            "",
            ".",
            "..",
        }:
            raise mistake(
                "has no name for the archive",
                expected="`as` beside a `dir` that has no name of its own",
                fix='add `as = "NAME.tar"`',
            )

    def _has_what_it_needs(self) -> None:
        if self.url is not None and self.sha256 is None:
            raise mistake(
                "has no `sha256`",
                expected="the SHA-256 of the file beside `url`",
                fix="run sha256sum on a copy that you trust, and write the digits",
            )
        wheels = bool(self.wheels or self.wheels_from)
        if wheels and not (self.pythons and self.platforms):
            raise mistake(
                "does not say what it is for",
                expected="`pythons` and `platforms` beside `wheels`",
                fix='add `pythons = ["3.11"]` and `platforms = ["manylinux_2_28_x86_64"]`',
            )
        check_platforms(self.platforms, of_wheels=wheels)
        if self.debs and not (self.suite and self.architecture):
            raise mistake(
                "does not say what it is for",
                expected="`suite` and `architecture` beside `debs`",
                fix='add `suite = "bookworm"` and `architecture = "amd64"`',
            )
        if self.git is not None and not self.rev:
            raise mistake(
                "has no `rev`",
                expected="a branch, a tag or a commit id beside `git`",
                fix='add `rev = "v1.0"`',
            )
