"""What the verifier says when it says no.  Imports nothing from this package but types.

The docstring of each class is its page in ``kit-verify explain CODE`` and in docs/errors.md.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from verifier.typed import ClassVar


class ExitStatus(enum.IntEnum):
    """Process exit status; a script may rely on these four and on no others.

    1 is left to the interpreter: a crash or a too old Python must not read as "forged".
    """

    VERIFIED = 0
    USAGE = 2  # the command line or a file of this host is wrong
    UNDECIDED = 3  # this host could not find out: no pinned root, unreadable medium
    REJECTED = 4  # the kit is not what the signers signed


class KitError(Exception):
    """Base of everything raised on purpose; one concrete subclass, one code.

    Attributes:
        code: Kebab-case name that never changes its meaning and is never reused.
        status: What the process exits with when nobody catches it.
        fix: One sentence in the imperative: what the reader does next.
        where: What was being read, e.g. ``member 'bin/tool'``; empty if nothing was.
    """

    code: ClassVar[str]  # no default: a crash is no verdict
    status: ClassVar[ExitStatus]
    fix: str

    def __init__(self, message: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.where = where
        if fix:  # this once there is better advice than that of the class
            self.fix = fix

    @property
    def message(self) -> str:
        """The sentence without the code, the place and the fix."""
        return str(self.args[0])

    def __str__(self) -> str:
        head = f"{self.where}: " if self.where else ""
        return f"error[{self.code}]: {head}{self.message}\n  fix: {self.fix}"


def all_errors(base: type[KitError] = KitError) -> Iterator[type[KitError]]:
    """Yield every concrete class of the tree that has been imported, sorted by code."""
    found: dict[str, type[KitError]] = {}
    stack = [base]
    while stack:
        kind = stack.pop()
        stack.extend(kind.__subclasses__())
        if "code" in vars(kind):
            found[kind.code] = kind
    return iter([found[code] for code in sorted(found)])


class Rejected(KitError):
    """The kit is not what the signers signed, or not what this host asked for."""

    status = ExitStatus.REJECTED
    fix = "Do not use this kit; keep the file, and ask its sender for a fresh copy."


class Undecided(KitError):
    """This host could not find out; the kit may be good."""

    status = ExitStatus.UNDECIDED


class Usage(KitError):
    """The command line, or a file of this host, is wrong."""

    status = ExitStatus.USAGE


# --- the command line and files of this host -------------------------------------------------


class UsageError(Usage):
    """The command line asks for something that does not exist or does not go together."""

    code = "usage"
    fix = "Run the command with --help, and correct what is named."


class RootInvalid(Usage):
    """The root of trust given to this host is not usable.

    A root is TUF root metadata in the profile of manifests/FORMAT.md, "Roots": four roles, keys
    that name their signer, thresholds of at least 1, and signed by a threshold of its own root
    role.  A damaged or hand-edited file fails here, before any kit is opened.
    """

    code = "root-invalid"
    fix = "Fetch root.json again from where you first had it and compare its SHA-256."


class TargetExists(Usage):
    """The directory to extract into is there already; nothing was changed.

    Extraction always makes a new directory, so that what it holds is the kit and only the kit.
    """

    code = "target-exists"
    fix = "Name a directory that does not exist yet, or move the old one away."


class TargetBusy(Usage):
    """Another extraction into the same place is still running."""

    code = "target-busy"
    fix = "Wait for the other run to end, or name another directory."


class TargetExposed(Usage):
    """Others may rename what lies in the directory that the target goes into.

    They could put another directory in the place of the one that was proved, a moment later.  A
    directory is safe that only its owner may write, or that is sticky, as `/tmp` is.
    """

    code = "target-exposed"
    fix = "Name a target in a directory of your own; or add --shared-parent if you trust them."


# --- could not find out ----------------------------------------------------------------------


class NoRoot(Undecided):
    """No root of trust was given, so nobody vouches for the kit.

    Everything inside a kit, its keys included, may come from whoever wrote the file.  Without a
    root that reached this host another way, the page at the head is only a claim.
    """

    code = "no-root"
    fix = "Give the root of trust of this kit's publisher: --root root.json."


class RootGap(Undecided):
    """Roots are missing between the one pinned on this host and the first that the kit brings.

    A host follows a publisher's roots version by version, each signed by those whom the version
    before it names.  A kit that starts later than the version after the pinned one leaves a step
    out, and this host cannot see who allowed it.
    """

    code = "root-gap"
    fix = "Bring the missing roots: a kit or a roots.json that begins at the version named."


class FormatNewer(Undecided):
    """The kit needs something that this verifier does not know.

    A kit is never called forged because it is newer than the program that reads it.
    """

    code = "format-newer"
    fix = "Get a newer kit-verify.pyz from the publisher and compare its SHA-256."


class DecoderMissing(Undecided):
    """Some frames are compressed with zstd and this host has no decoder for them.

    A decoder is Python 3.14 (compression.zstd), libzstd as a shared library, the `zstd` program,
    or the slow one in plain Python that every kit brings; the one found here was ended by the host.
    Or a frame breaks the standard in a way that some decoders let pass and others do not (FORMAT
    2.4): no program for making kits writes one, so ask those who signed it.
    Without a decoder the compressed bytes can still be compared with what was signed.
    """

    code = "decoder-missing"
    fix = "Run again with --quick to prove the file as it is, or install the zstd package."


class StandingNowhere(Undecided):
    """The directory in which the program was started is no longer there.

    It was removed, or the medium it is on was taken away.  A relative path means nothing then.
    """

    code = "standing-nowhere"
    fix = "Change to a directory that exists, with `cd`, and run again."


class KitUnreadable(Undecided):
    """The kit could not be opened or read to its end: the medium, not the kit, is at fault."""

    code = "kit-unreadable"
    fix = "Check the path and the medium; copy the kit to a local disk and run again."


class KitChanged(Undecided):
    """The file was changed while it was being read."""

    code = "kit-changed"
    fix = "Wait until whatever writes the file has ended, then run again."


class DiskFull(Undecided):
    """The kit does not fit on the disk it would be extracted to."""

    code = "disk-full"
    fix = "Free the space named, or extract to another disk with --extract."


class FileTooLarge(Undecided):
    """A member is larger than any file can be where the kit would be extracted to.

    FAT has no file of 4 GiB or more, and `ulimit -f` may set a limit for a shell.
    """

    code = "file-too-large"
    fix = (
        "Extract to a disk with ext4, XFS, NTFS or exFAT; or raise the limit: ulimit -f unlimited."
    )


class WritesLost(Undecided):
    """The disk took what was written and then did not keep it.

    So behave thin volumes and sticks that claim more room than they have, full images behind a
    loop device, and disks that fail.  Nothing was accepted, and what had been extracted is removed.
    """

    code = "writes-lost"
    fix = "Extract to another disk, and check this one before anything is kept on it."


class OutputLost(Undecided):
    """What was to be printed could not be written: the disk is full, or the device is gone.

    The run may have ended well, and whoever reads its output does not have all of it.  So the exit
    status is neither "verified" nor "rejected".
    """

    code = "output-lost"
    fix = "Free the space where the output goes, or send it elsewhere, then run again."


class OpensslFailed(Undecided):
    """The openssl named with --openssl gave no verdict, or none that means anything.

    It could not be started, was stopped, took too long, said something else than yes or no, or
    said yes to a signature over other bytes.  Or the kit has no P-256 signature that is valid here,
    so that what was asked for could not be done.
    """

    code = "openssl-failed"
    fix = "Check the program with `PROGRAM version`, or run without --openssl."


class TargetUnwritable(Undecided):
    """The host refused to create or write a file below the directory to extract into."""

    code = "target-unwritable"
    fix = "Check permissions and space of the directory named, then run again."


class TargetExchanged(Undecided):
    """Somebody renamed the directory being written, and put something else in its place.

    What lies at the target now was not written by this run.  Whoever may write the directory above
    the target can do this at any time.
    """

    code = "target-exchanged"
    fix = "Extract into a directory that only you may write, and find out who writes in this one."


# --- not what the signers signed -------------------------------------------------------------


class KitTruncated(Rejected):
    """The file ends before the kit does."""

    code = "kit-truncated"
    fix = "Copy the kit again and compare the file sizes; the copy is not complete."


class TrailingBytes(Rejected):
    """There are bytes after the end of the kit."""

    code = "trailing-bytes"


class NotAKit(Rejected):
    """The file does not begin as a kit does: it is something else, or its head is damaged."""

    code = "not-a-kit"
    fix = "Check that this is the file the publisher named, and copy it again."


class EnvelopeMalformed(Rejected):
    """The signed page is not a DSSE envelope in its one spelling (FORMAT, "Page")."""

    code = "envelope-malformed"


class ManifestMalformed(Rejected):
    """The signed statement does not have the shape of a kit manifest (FORMAT, "Manifest")."""

    code = "manifest-malformed"


class RootChainMalformed(Rejected):
    """The root chain that the kit carries is not well formed (FORMAT, "Roots")."""

    code = "root-chain-malformed"


class RootFork(Rejected):
    """The kit brings another root under a version number that this host knows.

    Either the kit comes from another publisher, or somebody made a second root of this version:
    a publisher never has two.  Where both are signed by enough of the same people, their keys are
    in other hands.
    """

    code = "root-fork"
    fix = "Compare the SHA-256 of root.json with the publisher by telephone; do not use this kit."


class RootStepInvalid(Rejected):
    """A root is not signed by enough people of the root before it or its own, or breaks with it.

    Who may change the root is said by the root before.  A new root counts when a threshold of
    distinct signers of the old root and of the new one signed it.  A key id stays the key that it
    was: whoever gets a new key gets a new key id.  A line that an older root let start anew stays
    on the list of such lines (FORMAT 5.6).
    """

    code = "root-step-invalid"
    fix = "Do not use this kit; ask the publisher who signed the root of the version named."


class ThresholdNotMet(Rejected):
    """Too few distinct signers of the pinned root made a valid signature over the manifest.

    Signatures by keys that the root does not name count for nothing, and a person who signs
    twice counts once.
    """

    code = "threshold-not-met"
    fix = "Ask the sender for the missing co-signature; do not lower the threshold."


class OpensslDisagrees(Rejected):
    """The openssl named with --openssl refuses a signature that this verifier found valid.

    One of the two is wrong.  Nothing after the page has been read.
    """

    code = "openssl-disagrees"
    fix = "Do not use this kit; keep it, and report both versions to the publisher of the verifier."


class SignatureInvalid(Rejected):
    """The page carries a signature that is wrong, or one by a key the kit's root does not name.

    Every entry of a kit's page must be good, also those beyond the threshold.
    """

    code = "signature-invalid"


class UnexpectedKit(Rejected):
    """The kit is authentic, but it is not the one named with --expect."""

    code = "unexpected-kit"
    fix = "Check which kit you were sent; this one is genuine but not the one you asked for."


class DigestMismatch(Rejected):
    """Bytes of the kit do not have the SHA-256 that was signed for them."""

    code = "digest-mismatch"


class ListMalformed(Rejected):
    """A signed list (kit.index, kit.frames) does not have its one spelling (FORMAT, "Lists")."""

    code = "list-malformed"
    fix = "Report it to whoever built the kit: the signers signed a list that no builder makes."


class MemberPathUnsafe(Rejected):
    """A member would land outside the target, or land differently on another host."""

    code = "member-path-unsafe"
    fix = "Do not unpack this kit by other means; report it to whoever built it."


class MemberPathsCollide(Rejected):
    """Two members would land in the same place on some host."""

    code = "member-paths-collide"
    fix = "Do not unpack this kit by other means; report it to whoever built it."


class LayoutMismatch(Rejected):
    """Bytes between the contents (headers, padding, block headers) are not the derived ones."""

    code = "layout-mismatch"


class FrameInvalid(Rejected):
    """A compressed frame has a header that the format does not allow, or does not decode."""

    code = "frame-invalid"


class SeekTableMismatch(Rejected):
    """The seek table at the end is not the one that follows from the frames."""

    code = "seek-table-mismatch"


class NoSuchMember(Usage):
    """--only names neither a component nor a member of this kit."""

    code = "no-such-member"
    fix = "Run `kit-verify list KIT --root root.json` to see what the kit holds."
