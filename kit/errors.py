"""What the builder says when it says no.

The tree, the exit statuses and the rule for messages are those of `verifier.core.errors`: mistakes
in the spec and in the sources are *usage*, what this host could not read or write is *undecided*.
The docstring of each class is its page in the error reference.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from verifier.core.errors import KitError, Undecided, Usage

MAX_SHOWN = 20  # problems listed in one message; the rest is counted


def show(path: bytes | str | os.PathLike[str]) -> str:
    """Return a path for a message, escaped; bytes that are not UTF-8 stay bytes."""
    raw = os.fsencode(path)
    try:
        return repr(raw.decode("utf-8"))
    except UnicodeDecodeError:
        return repr(raw)


# --- the spec --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """One mistake in a spec.

    Attributes:
        line: Counted from 1; the line of the field, or of the table that lacks it.
        field: Dotted, with the number of the entry in each array: ``component[0].source[1].dir``;
            empty if the mistake is in the text as such.
        found: What is there, as the spec has it.
        expected: What should be there.
        fix: What to do, in the imperative.
    """

    line: int
    field: str
    found: str
    expected: str
    fix: str

    def __str__(self) -> str:
        field = f"{self.field}: " if self.field else ""
        return f"{field}{self.found}; expected {self.expected}; {self.fix}"


class SpecInvalid(Usage):
    """The spec has mistakes; all of them are listed, each with its line and field.

    Nothing was read or built.  The shape of a spec is `manifests/schema/spec.v1.json`, which an
    editor can use; examples are in `manifests/examples/`.

    Attributes:
        problems: The mistakes, in the order of their lines.
    """

    code = "spec-invalid"
    fix = "Correct the lines named and run again."

    def __init__(self, problems: Sequence[Problem], *, where: str) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.line, p.field, p.found)))
        count = "1 mistake" if len(self.problems) == 1 else f"{len(self.problems)} mistakes"
        lines = [f"\n  {where}:{problem.line}: {problem}" for problem in self.problems]
        super().__init__(count + "".join(lines), where=where)


class SpecMissing(Usage):
    """There is no spec under the name given."""

    code = "spec-missing"
    fix = "Give the path of the spec, a TOML file; paths in it are relative to its directory."


class SpecUnreadable(Undecided):
    """The spec is there, but this host could not read it."""

    code = "spec-unreadable"
    fix = "Check owner, permissions and disk of the file named, then run again."


# --- the sources -----------------------------------------------------------------------------


class _Sources(Usage):
    """Base of what is refused in sources: one error names all files that have the same fault.

    Attributes:
        sources: The files named, relative to the spec.
    """

    _fault = "cannot be carried"

    def __init__(self, problems: Sequence[tuple[bytes, str]], *, where: str = "") -> None:
        listed = [f"\n  {show(source)}: {why}" for source, why in problems[:MAX_SHOWN]]
        if len(problems) > MAX_SHOWN:
            listed.append(f"\n  and {len(problems) - MAX_SHOWN} more")
        count = "1 source" if len(problems) == 1 else f"{len(problems)} sources"
        super().__init__(f"{count} {self._fault}{''.join(listed)}", where=where)
        self.sources = tuple(source for source, _ in problems)


class SourceMissing(_Sources):
    """A source of the spec is not there, or there is nothing in it to carry.

    A pattern that matches no file and a directory without a file are mistakes too: a kit that
    quietly lacks what its spec names would be found out at the site.  A component that is empty on
    purpose says so with `placeholder`.
    """

    _fault = "not found"
    code = "source-missing"
    fix = "Correct the path or the pattern, or make the file, then build again."


class SourceUnsupported(_Sources):
    """A source is or holds something that is neither a regular file nor a directory.

    A kit carries contents and the executable bit of regular files, nothing else: links, devices,
    sockets and FIFOs would not arrive as they were.  No link is followed, because what it points
    to is outside of what the spec names.
    """

    code = "source-unsupported"
    fix = "Put regular files in their place, or leave them out with `exclude`."


class SourceNameUnsafe(_Sources):
    """A source has a name that does not mean the same file on every host.

    The rules are those that the verifier holds each kit to (FORMAT 6.3); unless the spec says
    `names = "unicode"`, only printable ASCII is allowed.  Nothing is renamed silently.
    """

    code = "source-name-unsafe"
    fix = "Rename the files, give single files another name with `as`, or use `exclude`."


class SourceTooLarge(_Sources):
    """A source is larger than a member of its class may be (FORMAT 6.8)."""

    code = "source-too-large"
    fix = "Split the files named into parts, or leave them out with `exclude`."


class SourcesCollide(Usage):
    """Two sources would land in the same place, or one as the directory of another, on some host.

    Names are compared as hosts that ignore case do (FORMAT 6.4): `Readme` and `README` are one
    file on Windows and macOS.

    Attributes:
        sources: The two files, relative to the spec.
        paths: Where each would land in the kit.
    """

    code = "sources-collide"
    fix = "Rename one of the two files, or leave one out with `exclude`."

    def __init__(
        self, sources: tuple[bytes, bytes], paths: tuple[bytes, bytes], why: str, *, where: str = ""
    ) -> None:
        one, other = (
            f"{show(source)} (as {show(path)})" for source, path in zip(sources, paths, strict=True)
        )
        super().__init__(f"{one} and {other}: {why}", where=where)
        self.sources, self.paths = sources, paths


class KitTooLarge(Usage):
    """The sources have more files, or longer names in all, than one kit may have (FORMAT 6.8)."""

    code = "kit-too-large"
    fix = "Divide the release into several kits, or pack small files into archives."


class SourceChanged(Undecided):
    """A file or directory changed while it was being read, so no content of it is the true one.

    Nothing half is left behind.
    """

    code = "source-changed"
    fix = "Wait until whatever writes the file has ended, then build again."


class SourceUnreadable(Undecided):
    """A file or directory of the sources could not be read by this user on this host."""

    code = "source-unreadable"
    fix = "Check owner, permissions and disk of what is named, then build again."


# --- the output ------------------------------------------------------------------------------


class OutputExists(Usage):
    """A file of the name the kit would get is there already; it was not touched."""

    code = "output-exists"
    fix = "Move the file away, give another directory with --out, or raise the kit's version."


class OutputUnwritable(Undecided):
    """The host refused to create, write or rename a file in the directory for the output."""

    code = "output-unwritable"
    fix = "Check that the directory named exists and is writable, then build again."


class BuildDiskFull(Undecided):
    """The disk of the output is full; the unfinished file was removed."""

    code = "build-disk-full"
    fix = "Free the space named, or give a directory on another disk with --out."


__all__ = [
    "BuildDiskFull",
    "KitError",
    "KitTooLarge",
    "OutputExists",
    "OutputUnwritable",
    "Problem",
    "SourceChanged",
    "SourceMissing",
    "SourceNameUnsafe",
    "SourceTooLarge",
    "SourceUnreadable",
    "SourceUnsupported",
    "SourcesCollide",
    "SpecInvalid",
    "SpecMissing",
    "SpecUnreadable",
    "show",
]
