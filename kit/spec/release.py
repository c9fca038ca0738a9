"""``[release]``: what the commands of every week would otherwise be told on the command line.

The table stands in the spec, or in ``offline-kit.toml`` in its directory or above it; what the
spec says wins.  Nothing in it becomes part of a kit.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from kit.errors import Problem, SpecInvalid, SpecMissing, SpecUnreadable, show
from kit.spec.mistakes import explain
from kit.spec.positions import Lines, Place, parse_toml
from verifier.core.limits import MIB

CONFIG = "offline-kit.toml"
MAX_CONFIG = MIB  # bytes
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # as of a key's URI (RFC 3986 3.1)
_OF_FILES = ("file", "file2", "ssh")

HostPath = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]


class Release(BaseModel):
    """What `build`, `sign` and `seal` do without options.  Paths are relative to this file."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, regex_engine="python-re")

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


class Config(BaseModel):
    """offline-kit.toml: defaults for every spec below it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, regex_engine="python-re")

    release: Release = Field(description="a table [release]")


@dataclass(frozen=True)
class Default:
    """A value that nobody typed.

    Attributes:
        value: Paths are relative to where the program stands, or absolute.
        where: File, line and field that it comes from.
    """

    value: str
    where: str


@dataclass(frozen=True)
class Defaults:
    """What the commands take where an option is not given.

    Attributes:
        files: The files that were read, the one that wins first.
        keys: For each signer a key.
    """

    root: Default | None = None
    out: Default | None = None
    sums_key: Default | None = None
    keys: Mapping[str, Default] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


def load_defaults(spec: Path) -> Defaults:
    """Return the defaults of a spec, which need not be there, from it and from above it.

    Only ``[release]`` of the spec is looked at, so that a kit can be signed while the spec of the
    next one is being written.

    Raises:
        SpecInvalid: A table ``[release]`` has mistakes, or a file is no TOML.
        SpecUnreadable: A file could not be read.
    """
    found: list[tuple[Path, Release, Lines]] = []
    if spec.is_file():
        values, lines = _parse(spec)
        table = {key: values[key] for key in ("release",) if key in values}
        found.append((spec, _release(table, lines, spec), lines))
    config = find_config(spec)
    if config is not None:
        values, lines = _parse(config)
        found.append((config, _release(values, lines, config), lines))
    return _merged(found)


def find_config(spec: Path) -> Path | None:
    """Return the nearest ``offline-kit.toml``, in the directory of a spec or above it.

    The way up ends at the top of a git checkout, and before a directory that others may write:
    who has no part in the release must not choose its root.
    """
    start = Path(os.path.dirname(spec) or ".")
    directory = start
    while True:
        try:
            others = directory.stat().st_mode & stat.S_IWOTH
        except OSError:
            return None
        if others and directory is not start:
            return None
        if (directory / CONFIG).is_file():
            return directory / CONFIG
        if os.path.lexists(directory / ".git") or directory.resolve() == Path("/"):
            return None
        directory = Path(os.path.normpath(directory / ".."))


def _parse(path: Path) -> tuple[dict[str, Any], Lines]:
    try:
        with open(path, "rb") as stream:
            raw = stream.read(MAX_CONFIG * 16 + 1)
    except FileNotFoundError:
        raise SpecMissing("is not there", where=show(path)) from None
    except OSError as error:
        raise SpecUnreadable(f"cannot be read: {error.strerror}", where=show(path)) from None
    return parse_toml(raw, where=os.fspath(path))


def _release(values: dict[str, Any], lines: Lines, path: Path) -> Release:
    if not values and path.name != CONFIG:
        return Release.model_validate({})
    try:
        return Config.model_validate(values).release
    except ValidationError as error:
        problems: list[Problem] = list(explain(error, Config, lines))
        raise SpecInvalid(problems, where=os.fspath(path)) from None


def _merged(found: list[tuple[Path, Release, Lines]]) -> Defaults:
    values: dict[str, Default] = {}
    keys: dict[str, Default] = {}
    for path, release, lines in found:
        for name, place, value in _values(release):
            default = Default(_resolved(name, value, path), f"{path}:{lines[place]}")
            (keys if name == "keys" else values).setdefault(str(place[-1]), default)
    return Defaults(
        values.get("root"),
        values.get("out"),
        values.get("sums-key"),
        keys,
        tuple(path for path, _, _ in found),
    )


def _values(release: Release) -> Iterator[tuple[str, Place, str]]:
    for name, value in (("root", release.root), ("out", release.out)):
        if value is not None:
            yield name, ("release", name), value
    if release.sums_key is not None:
        yield "sums-key", ("release", "sums-key"), release.sums_key
    for signer, value in (release.keys or {}).items():
        yield "keys", ("release", "keys", signer), value


def _resolved(name: str, value: str, path: Path) -> str:
    """Return a value with its path seen from where the program stands."""
    scheme = _SCHEME.match(value) if name in ("keys", "sums-key") else None
    if scheme is None:
        return os.path.normpath(path.parent / value)
    if scheme[1] not in _OF_FILES:
        return value
    rest = value[scheme.end() :]
    return scheme[0] + os.path.normpath(path.parent / rest.removeprefix("//"))
