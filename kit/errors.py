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


def _listed(problems: Sequence[tuple[bytes, str]], fault: str) -> str:
    """Return a message that counts what has one fault and names it, a line each."""
    listed = [f"\n  {show(source)}: {why}" for source, why in problems[:MAX_SHOWN]]
    if len(problems) > MAX_SHOWN:
        listed.append(f"\n  and {len(problems) - MAX_SHOWN} more")
    count = "1 source" if len(problems) == 1 else f"{len(problems)} sources"
    return f"{count} {fault}{''.join(listed)}"


class _Sources(Usage):
    """Base of what is refused in sources: one error names all files that have the same fault.

    Attributes:
        sources: The files named, relative to the spec.
    """

    _fault = "cannot be carried"

    def __init__(self, problems: Sequence[tuple[bytes, str]], *, where: str = "") -> None:
        super().__init__(_listed(problems, self._fault), where=where)
        self.sources = tuple(source for source, _ in problems)


class SourceMissing(_Sources):
    """A source of the spec is not there, or there is nothing in it to carry.

    A pattern that matches no file and a directory without a file are mistakes too: a kit that
    quietly lacks what its spec names would be found out at the site.  A component that is empty on
    purpose says so with `placeholder`.
    """

    _fault = "not found"
    code = "source-missing"
    fix = "Correct the path or the pattern, or make the file, then run again."


class SourceUnsupported(_Sources):
    """A source is or holds something that is neither a regular file nor a directory.

    A kit carries contents and the executable bit of regular files, nothing else: links, devices,
    sockets and FIFOs would not arrive as they were.  No link is followed, because what it points
    to may be outside of what the spec names.  `links = "copy"` beside `dir` or `glob` carries what
    links lead to, inside of the source, in their place; `pack = "tar"` beside `dir` carries the
    tree as one tar archive, links and all; `follow = true` is for a source that is itself a link.
    """

    code = "source-unsupported"
    fix = 'Use `exclude`, `links = "copy"` or `pack = "tar"` (see `explain`), or regular files.'


class SourceKindWrong(_Sources):
    """The spec names a directory with `file`, or a file with `dir` or `glob`."""

    _fault = "of another kind"
    code = "source-kind-wrong"
    fix = "Name a directory with `dir` and a file with `file`, as the message says."


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
            show(path) if source == path else f"{show(source)} (as {show(path)})"
            for source, path in zip(sources, paths, strict=True)
        )
        named = f"{one} and {other}" if one != other else f"two sources bring {one}"
        super().__init__(f"{named}: {why}", where=where)
        self.sources, self.paths = sources, paths


class HostUnsupported(Undecided):
    """This host cannot make kits: the builder needs POSIX (Linux, macOS, WSL).

    What it makes must not depend on the host, and it locks, syncs and refuses links in ways that
    Windows does not have.  Kits are verified, unpacked and accepted everywhere: kit-verify needs
    nothing but Python.
    """

    code = "host-unsupported"
    fix = "Run offline-kit on Linux, macOS or WSL, or use kit-verify here."


class ExemptionIdle(Usage):
    """An exemption of the spec names nothing that the kit will carry.

    It would exempt nothing, so it is misspelt, or what it was written for is gone.
    """

    code = "exemption-idle"
    fix = "Correct the path in the spec, or remove it; a path is that of a file or a directory."


class KitTooLarge(Usage):
    """The sources have more files, or longer names in all, than one kit may have (FORMAT 6.8)."""

    code = "kit-too-large"
    fix = "Divide the release into several kits, or pack small files into archives."


class SourceChanged(Undecided):
    """A file or directory changed while it was being read, so no content of it is the true one.

    Size, times, device and inode are those that were noted when it was found, and no directory on
    the way to it has become a link.  Nothing half is left behind.
    """

    code = "source-changed"
    fix = "Wait until whatever writes the file has ended, then run again."


class SourceUnreadable(Undecided):
    """Files or directories of the sources could not be read by this user on this host.

    All that may not be read are named at once, before anything is written.
    """

    code = "source-unreadable"
    fix = "Check owner, permissions and disk of what is named, then run again."

    def __init__(self, problems: Sequence[tuple[bytes, str]]) -> None:
        where = f"source {show(problems[0][0])}" if len(problems) == 1 else ""
        super().__init__(_listed(problems, "cannot be read"), where=where)


class SourceSecret(_Sources):
    """A tree holds what must not leave this host: a private key, the output, or the store.

    Keys given as options, the directory of `--out` and the store are known by what they are, not by
    their name; other private keys by their content (PEM, OpenSSH, cosign, PKCS #1 and #8, SEC 1,
    OpenPGP, age, minisign, signify, PuTTY).  A key that is meant to be carried, such as one of a
    test, is named by the spec: as a `file`, or by a pattern in `private_keys` of its `dir` or
    `glob`.
    """

    _fault = "must not leave this host"
    code = "source-secret"
    fix = "Leave them out with `exclude`, or name keys that are meant to be carried in the spec."


class SourceDirectoryEmpty(_Sources):
    """A directory has no file in it, so it would not arrive: a kit carries files.

    A bare git repository and a database's directory do not work without their empty directories.
    `pack = "tar"` beside `dir` carries the tree as one tar archive, with empty directories, links
    and modes; `empty = "drop"` says that they may be missing at the site.
    """

    _fault = "empty, and would not arrive"
    code = "source-directory-empty"
    fix = 'Write `empty = "drop"` or `pack = "tar"` beside the `dir`, or put a file in them.'


# --- the output ------------------------------------------------------------------------------


class OutputExists(Usage):
    """A file of the name the kit would get is there already; it was not touched."""

    code = "output-exists"
    fix = "Move the file that is named out of the way, or choose another name or directory."


class OutputForeign(Usage):
    """Something that offline-kit did not make has the name of a file that it is writing.

    Unfinished files, and the old page of a kit that is being signed, have fixed names beside what
    they belong to.  Whoever else may write in that directory could put a link, a FIFO or a file of
    their own there; nothing is written to it or read from it.
    """

    code = "output-foreign"
    fix = "Remove what is named, and work in a directory that only you can write to."


class OutputUnwritable(Undecided):
    """The host refused to create, write or rename a file in the directory for the output."""

    code = "output-unwritable"
    fix = "Check that the directory named exists and is writable, then run again."


class BuildDiskFull(Undecided):
    """The disk of the output is full, has no inode left, or takes no file as large as the kit.

    Asked before the first byte is written; of what is compressed, the size is estimated from some
    members.  `ulimit -f` limits what a process may write, and FAT32 has no files of 4 GiB.
    """

    code = "build-disk-full"
    fix = "Free the space named, or give a directory on another disk with --out."


# --- secrets, and files that are never written over ------------------------------------------


class PassphraseMissing(Usage):
    """A key needs a passphrase or a PIN, and there is nobody to ask and no place to read it from.

    A passphrase is never an argument: other users of the host would see it.
    """

    code = "passphrase-missing"
    fix = "Run on a terminal, or give --passphrase-fd or --passphrase-env before the command."


class FileExists(Usage):
    """A file that would be written is there already; nothing was changed.

    Keys and roots are never overwritten: nobody can make a lost one again.
    """

    code = "file-exists"
    fix = "Choose another name or directory, or move the file that is named out of the way."


class FileUnwritable(Undecided):
    """The host refused to write a file; nothing is left behind."""

    code = "file-unwritable"
    fix = "Check the directory, its permissions and the space left, then run again."


class ModesMissing(Usage):
    """The file system keeps no modes, so that everybody on this host could read a private key.

    FAT, exFAT and many network and virtual file systems are like that.  Nothing was written.
    """

    code = "modes-missing"
    fix = "Name a directory on a file system with modes, or protect the key with --encrypt."


__all__ = [
    "BuildDiskFull",
    "ExemptionIdle",
    "HostUnsupported",
    "FileExists",
    "FileUnwritable",
    "KitError",
    "KitTooLarge",
    "OutputExists",
    "OutputForeign",
    "OutputUnwritable",
    "PassphraseMissing",
    "Problem",
    "SourceChanged",
    "SourceDirectoryEmpty",
    "SourceKindWrong",
    "SourceMissing",
    "SourceNameUnsafe",
    "SourceSecret",
    "SourceTooLarge",
    "SourceUnreadable",
    "SourceUnsupported",
    "SourcesCollide",
    "SpecInvalid",
    "SpecMissing",
    "SpecUnreadable",
    "show",
]
