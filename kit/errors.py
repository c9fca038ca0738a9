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
            f"{show(source)} (as {show(path)})" for source, path in zip(sources, paths, strict=True)
        )
        super().__init__(f"{one} and {other}: {why}", where=where)
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
    """A tree holds what must not leave this host: a private key, or the directory for the output.

    Keys given as options and the directory of `--out` are known by what they are, not by their
    name; other private keys by their content (PEM, OpenSSH, cosign, PKCS #1 and #8, SEC 1, OpenPGP,
    age, minisign, signify, PuTTY).  A key that is meant to be carried, such as one of a test, is
    named by the spec: as a `file`, or by a pattern in `private_keys` of its `dir` or `glob`.
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


# --- keys ------------------------------------------------------------------------------------


class KeyUnreadable(Usage):
    """A key file is missing, cannot be read, or holds nothing that is a key.

    The file named is not there, is a directory, may not be read by this user, is empty or damaged.
    """

    code = "key-unreadable"
    fix = "Check the path and the file; a key file begins with `-----BEGIN` and is PEM text."


class KeyVariableUnset(Usage):
    """A key was given as ``envvar:NAME``, and the variable is not set, or there is nothing in it.

    Systems for continuous integration set no secrets for changes that come from elsewhere.
    """

    code = "key-variable-unset"
    fix = "Set the variable to the private key: its PEM text, or that text in base64."


class KeyUnsupported(Usage):
    """The file holds a key, but not one that this command can use.

    Private keys are PKCS#8 PEM, encrypted or not, or cosign's encrypted keys; public keys are
    SubjectPublicKeyInfo PEM, or `ssh-ed25519` lines.  Roots may name Ed25519, ECDSA P-256 and
    P-384, and RSA of 2,048 to 8,192 bits (FORMAT 5.4).  The message says what the file is.
    """

    code = "key-unsupported"
    fix = "Give a key of a kind that a root may name; `offline-kit key new` makes both halves."


class KeyNameInvalid(Usage):
    """The name asked for a new key cannot be the name of its two files."""

    code = "key-name-invalid"
    fix = "Use 1 to 64 of A-Z a-z 0-9 . _ - and begin with a letter or a digit."


class PassphraseWrong(Usage):
    """The passphrase does not open the key file, or the file is damaged: both look the same.

    Nothing was signed or written.
    """

    code = "passphrase-wrong"
    fix = "Run again with the right passphrase; if it is right, restore the file from its backup."


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


# --- signers ---------------------------------------------------------------------------------


class ModesMissing(Usage):
    """The file system keeps no modes, so that everybody on this host could read a private key.

    FAT, exFAT and many network and virtual file systems are like that.  Nothing was written.
    """

    code = "modes-missing"
    fix = "Name a directory on a file system with modes, or protect the key with --encrypt."


class SignerArgumentInvalid(Usage):
    """What was given for ``--key`` does not say which key signs for whom.

    A file key is found by its public half, so its path is enough.  Every other URI says nothing
    about the person, and needs the name that the root gives to the signer.
    """

    code = "signer-argument-invalid"
    fix = (
        "Write --key SIGNER=URI with a name out of the root, or --key with the path of a key file."
    )


class SignerNotInRoot(Usage):
    """The root names no signer, and no key, like the one before the ``=``."""

    code = "signer-not-in-root"
    fix = "Use one of the names listed, exactly as the root spells it."


class KeyNotInRoot(Usage):
    """The root does not name this key, so nobody who relies on it would count the signature."""

    code = "key-not-in-root"
    fix = "Sign with a key that the root names, or use the root that names this key."


class KeyOfAnotherSigner(Usage):
    """The root names this key, but for somebody else than the signer it was given for."""

    code = "key-of-another-signer"
    fix = "Give each signer's own key; leave out SIGNER= to have a key file matched by its key."


class SignerUnsupported(Usage):
    """This kind of signer cannot make a signature that counts for the key in the root.

    Kits are signed over the DSSE encoding with one of the schemes of FORMAT 4.5, and the scheme is
    the one that the root gives to the key.  GnuPG, TKey and sigstore's keyless signing make none
    of these.
    """

    code = "signer-unsupported"
    fix = "Sign with a key file, an SSH key, or an HSM or KMS key of a scheme that the root names."


class SignerUnavailable(Undecided):
    """The signer exists, but this host could not use it now.

    A package or a library is missing, a token is not plugged in, a service did not answer.
    """

    code = "signer-unavailable"
    fix = "Provide what the message says is missing, then sign again; nothing was changed."


class SignatureSelfCheckFailed(Usage):
    """The signer made a signature that is not valid under the key in the root; it was dropped.

    The URI most likely names another slot, key or version than the one whose public half was put
    into the root, or the service signs with another scheme than the root names.
    """

    code = "signature-self-check"
    fix = "Check the key that the URI names; of a signer with several, choose with --key KEYID=URI."


__all__ = [
    "BuildDiskFull",
    "ExemptionIdle",
    "HostUnsupported",
    "FileExists",
    "FileUnwritable",
    "KeyNameInvalid",
    "KeyNotInRoot",
    "KeyOfAnotherSigner",
    "KeyUnreadable",
    "KeyUnsupported",
    "KeyVariableUnset",
    "KitError",
    "KitTooLarge",
    "OutputExists",
    "OutputForeign",
    "OutputUnwritable",
    "PassphraseMissing",
    "PassphraseWrong",
    "Problem",
    "SignatureSelfCheckFailed",
    "SignerArgumentInvalid",
    "SignerNotInRoot",
    "SignerUnavailable",
    "SignerUnsupported",
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
