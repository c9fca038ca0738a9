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
from typing import Any

from pydantic import Field, ValidationError

from kit.errors import (
    Problem,
    SpecInvalid,
    SpecMissing,
    SpecUnreadable,
    show,
)
from kit.spec.mistakes import explain
from kit.spec.positions import Lines, Place, parse_toml
from kit.spec.stages import STAGES, PipelineFields, SiteTable, StepTable, TestTable
from kit.spec.table import Table
from verifier.core.limits import MIB

CONFIG = "offline-kit.toml"
MAX_CONFIG = MIB  # bytes
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")  # as of a key's URI (RFC 3986 3.1)
_OF_FILES = ("file", "file2", "ssh")


class Release(PipelineFields):
    """What `release` does, and `build`, `sign` and `seal` take without options.

    Paths are relative to this file, but for those of steps and tests, which are to the spec.
    """


class Config(Table):
    """offline-kit.toml: defaults for every spec below it."""

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
class Pipeline:
    """What `release` does; paths as in `Default`.  A field is of the first file that has it.

    Attributes:
        stages: Names, in the order of the stages; None where nobody chose.
        sign: The signers of this host; None: all that have a key here.
        verify_key: Who signs the result of the verification, if that is said.
        to: Places as `publish` takes them.
    """

    stages: tuple[str, ...] | None = None
    steps: tuple[StepTable, ...] = ()
    sbom: str | None = None
    test: TestTable | None = None
    sign: tuple[str, ...] | None = None
    verify_key: str | None = None
    sites: tuple[SiteTable, ...] = ()
    to: tuple[str, ...] = ()
    publisher: str | None = None
    publishers: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    plain_http: tuple[str, ...] = ()
    ca_file: str | None = None
    one_writer: bool = False
    read_back: bool = False


@dataclass(frozen=True)
class Defaults:
    """What the commands take where an option is not given.

    Attributes:
        files: The files that were read, the one that wins first.
        keys: For each signer a key.
        pipeline: What only `release` does.
        origins: Of each field of the pipeline that is there, by its name in TOML (`step.NAME.run`),
            file and line.
    """

    root: Default | None = None
    out: Default | None = None
    store_dir: Default | None = None
    sums_key: Default | None = None
    keys: Mapping[str, Default] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    pipeline: Pipeline = Pipeline()
    origins: Mapping[str, str] = field(default_factory=dict)


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
        return Release.read({})
    try:
        return Config.read(values).release
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
        values.get("store-dir"),
        values.get("sums-key"),
        keys,
        tuple(path for path, _, _ in found),
        _pipeline([(path, release) for path, release, _ in found], keys),
        _origins(found),
    )


def _origins(found: list[tuple[Path, Release, Lines]]) -> dict[str, str]:
    """Return where each field of the pipeline is from; of the first file that has it."""
    origins: dict[str, str] = {}
    for path, release, lines in found:
        for name, place in _places(release.model_dump(by_alias=True, exclude_unset=True)):
            whole: Place = ("release", *place)
            origins.setdefault(name, f"{path}:{lines[whole]}")
    return origins


def _places(table: Mapping[str, Any]) -> Iterator[tuple[str, Place]]:
    for name, value in table.items():
        if name in ("step", "site"):
            for n, one in enumerate(value):
                yield from ((f"{name}.{one['name']}.{key}", (name, n, key)) for key in one)
        elif name in ("test", "verify"):
            yield from ((f"{name}.{key}", (name, key)) for key in value)
        else:
            yield name, (name,)


def _pipeline(found: list[tuple[Path, Release]], keys: Mapping[str, Default]) -> Pipeline:
    values: dict[str, Any] = {}
    for path, release in found:
        for name, value in _stages(release, path, keys):
            values.setdefault(name, value)
    return Pipeline(**values)


def _stages(release: Release, path: Path, keys: Mapping[str, Default]) -> Iterator[tuple[str, Any]]:
    """Yield the fields of `Pipeline` that a file has, with their paths as `Default` has them."""

    def key(value: str) -> str:
        return keys[value].value if value in keys else _resolved("keys", value, path)

    def near(value: str) -> str:
        return _resolved("", value, path)

    ready: dict[str, Any] = {
        "stages": release.stages and tuple(name for name in STAGES if name in release.stages),
        "steps": release.steps
        and tuple(step.model_copy(update={"key": key(step.key)}) for step in release.steps),
        "sbom": release.sbom,
        "test": release.test and release.test.model_copy(update={"key": key(release.test.key)}),
        "sign": release.sign,
        "verify_key": release.verify and release.verify.key and key(release.verify.key),
        "sites": release.sites
        and tuple(site.model_copy(update={"trust": near(site.trust)}) for site in release.sites),
        "to": release.to and tuple(_place(text, path) for text in release.to),
        "publisher": release.publisher and key(release.publisher),
        "publishers": release.publishers and tuple(map(near, release.publishers)),
        "owners": release.owners,
        "plain_http": release.plain_http,
        "ca_file": release.ca_file and near(release.ca_file),
        "one_writer": release.one_writer,
        "read_back": release.read_back,
    }
    return ((name, value) for name, value in ready.items() if value is not None)


def _place(text: str, path: Path) -> str:
    """Return a place; of a directory the path as it is seen from where the program stands."""
    start = "dir:"
    return start + _resolved("", text[len(start) :], path) if text.startswith(start) else text


def _values(release: Release) -> Iterator[tuple[str, Place, str]]:
    for name, value in (("root", release.root), ("out", release.out)):
        if value is not None:
            yield name, ("release", name), value
    if release.store_dir is not None:
        yield "store-dir", ("release", "store-dir"), release.store_dir
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
