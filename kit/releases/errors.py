"""What goes wrong with the history of a line: entries, their order, and who published them."""

from __future__ import annotations

from verifier.core.errors import Rejected, Undecided, Usage


class EntryMalformed(Rejected):
    """An entry of a line is not in the form of `manifests/RELEASES.md`.

    Who can write to a bucket can put anything under the name of an entry.  Nothing in it was used.
    """

    code = "entry-malformed"
    fix = "Fetch from another mirror, and tell the publisher which entry this one damaged."


class EntryNewer(Undecided):
    """An entry is of a version of the format that this program does not know."""

    code = "entry-newer"
    fix = "Get a newer offline-kit; this one cannot read what was published."


class EntryUnsigned(Rejected):
    """No publisher whose key was given has signed an entry.

    The publisher's key says in which order releases came, and that none is missing; whether a kit
    is good is a matter of its root alone.
    """

    code = "entry-unsigned"
    fix = "Check that --publisher is the key of this line; otherwise somebody else wrote the entry."


class HistoryBroken(Rejected):
    """The entries of a line do not follow one another.

    Each names the digest of the one before it, the numbers have no gap, the sequence grows, and no
    version or kit comes twice.  An entry that was removed, changed or moved shows here.
    """

    code = "history-broken"
    fix = "Fetch from another mirror; if all say the same, ask the publisher what happened."


class HeadConflict(Rejected):
    """A line has two different entries with the same number: what was pinned, and what is there.

    One of both was signed by the publisher for other readers, or an entry was replaced after it had
    been published.  Both digests are named; keep both entries.
    """

    code = "head-conflict"
    fix = "Take nothing from this line, and ask the publisher which of both digests was published."


class HeadBehind(Rejected):
    """A line ends before the entry that was pinned: releases that were there are gone."""

    code = "head-behind"
    fix = "Fetch from another mirror: this one is stale, or somebody removed releases from it."


class HeadInvalid(Usage):
    """The file with the pinned head of a line is not one, or is that of another line."""

    code = "head-invalid"
    fix = "Name the file that `offline-kit releases pin` wrote for this line."


class HeadPinned(Usage):
    """There is a pinned head already, and `releases pin` makes new files only."""

    code = "head-pinned"
    fix = "Give --move to move the pin forward, once everything up to it has been checked."


class ReleaseUnknown(Usage):
    """The line has no release of this version, or none at all."""

    code = "release-unknown"
    fix = "List what there is: `offline-kit releases list LINE --from PLACE --publisher KEY`."


class EntryTaken(Rejected):
    """Another writer published under this number while this run was at it.

    Exactly one of both is in the line.  What this run sent lies there under its digests and harms
    nobody.  Both digests are named.
    """

    code = "entry-taken"
    fix = "Look at what was published; then give this release the next sequence, or leave it out."


class VersionTaken(Usage):
    """The line has a release of this version, and it is another one.

    What is published is never exchanged.  Both digests are named.
    """

    code = "version-taken"
    fix = "Give the release another version and the next sequence, and build it again."


class SequenceBehind(Usage):
    """The line has a release with this sequence or a higher one already.

    Sites that took that one would refuse this one, so it is not published.
    """

    code = "sequence-behind"
    fix = "Build the release again with a higher `sequence`; `releases list` shows the last one."


class PlacesDiffer(Usage):
    """The places named have different histories of one line; nothing was published."""

    code = "places-differ"
    fix = "Look at both with `offline-kit releases list`, and ask who wrote the other one."


class ReleaseUntidy(Usage):
    """Something in the directory of a release cannot be published with it.

    All regular files of the directory are the release; links, directories, a second kit and names
    that some disks or URLs do not take are not.
    """

    code = "release-untidy"
    fix = "Move what is named out of the directory of the release, then run again."


class EntryDiffers(Rejected):
    """An entry says other things of a kit than the kit says itself.

    The kit may be good: it is the entry, and so the publisher or whoever has that key, that is
    wrong.
    """

    code = "entry-differs"
    fix = "Take nothing from this line, and ask the publisher about the entry named."


class TufIndexUnusable(Usage):
    """The TUF repository in a directory cannot be gone on with; nothing more was written.

    It has no root yet, was signed by other keys, is damaged, or names something that its lines no
    longer have.
    """

    code = "tuf-index-unusable"
    fix = "Give the key of its root; or make it anew elsewhere, which readers must be told."
