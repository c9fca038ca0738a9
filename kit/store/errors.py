"""What goes wrong between a lock, the store and what a network gives."""

from __future__ import annotations

from verifier.core.errors import Rejected, Undecided, Usage


class StoreUnusable(Undecided):
    """The directory of the store cannot be made, read or written by this user.

    The store is `$XDG_CACHE_HOME/offline-kit/store` (or `~/.cache/offline-kit/store`) unless
    `--store-dir`, the variable OFFLINE_KIT_STORE or `store-dir` of `[release]` names another. It
    must belong to this user, and nobody else may write in it: whoever can, decides what a download
    is until its digest is compared.
    """

    code = "store-unusable"
    fix = "Check owner, permissions and space of the directory, or name another with --store-dir."


class StoreFull(Undecided):
    """The disk of the store is full; what was fetched so far is kept and will be continued."""

    code = "store-full"
    fix = "Free space, or run `offline-kit store gc`, or name another disk with --store-dir."


class ArtifactAbsent(Undecided):
    """The store does not have what the lock names, and nothing was fetched.

    `build` and `rebuild` use no network. `lock` fetches what is missing, by digest.
    """

    code = "artifact-absent"
    fix = "Run `offline-kit lock` on a host with a network, or copy the store from one that has it."


class ArtifactDiffers(Rejected):
    """What was received is not what the lock or the spec says: another digest or another size.

    Nothing of it was kept. Either the file was replaced at its source, or something between
    changed it.
    """

    code = "artifact-differs"
    fix = "Find out who changed it; if it is meant, change its sha256 in the spec, or use --update."


class ArtifactTooLarge(Rejected):
    """A server sends, or announces, more than the artifact may have; the transfer was ended."""

    code = "artifact-too-large"
    fix = "Find out who changed it; if it is meant, change its sha256 in the spec, or use --update."


class StoreDamaged(Rejected):
    """Files of the store no longer have the digest that is their name; they were removed.

    A disk, or another program, changed them. No kit was affected: a build compares every digest.
    """

    code = "store-damaged"
    fix = "Run `offline-kit lock` to fetch them again, and check the disk."


class StoreBusy(Usage):
    """Another run holds what this one wants to change, and kept it longer than this one waits."""

    code = "store-busy"
    fix = "Wait until the other run has ended, then run again."
