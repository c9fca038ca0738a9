"""What goes wrong at a place where releases lie."""

from __future__ import annotations

from verifier.core.errors import Rejected, Undecided, Usage


class PlaceInvalid(Usage):
    """A place is not named in a form that is known, or there is no such bucket or directory.

    Places are `dir:PATH`, `s3://BUCKET/PREFIX`, `oci://HOST/REPOSITORY` and, for reading,
    `https://HOST/PATH`.
    """

    code = "place-invalid"
    fix = "Write dir:PATH, s3://BUCKET/PREFIX, oci://HOST/REPOSITORY or https://HOST/PATH."


class PlaceUnauthorized(Undecided):
    """A place does not accept the credentials of this host, or wants some and there are none.

    A bucket that may be read and not listed answers "forbidden" for what is not there, so the end
    of a history cannot be told: readers need the right to list it (`s3:ListBucket`).
    """

    code = "place-unauthorized"
    fix = "Check the credentials of this host for the place named, and what they are allowed."


class PlaceUnreachable(Undecided):
    """A place does not answer, or fails again and again.

    What arrived there is kept, and the next run goes on behind it; nobody sees half a release,
    because its entry goes last.
    """

    code = "place-unreachable"
    fix = "Check the network and the server named, then run the same command again."


class PlaceFull(Undecided):
    """A place takes no more, or nothing that large: a quota, a full disk, a limit of a proxy."""

    code = "place-full"
    fix = "Make room at the place named, or raise its limit, then run the same command again."


class PlaceDiffers(Rejected):
    """A place has other bytes than were sent to it, or than the entry says.

    The digest that the server computed is another one, or what was read back is.
    """

    code = "place-differs"
    fix = (
        "Remove the file at the place named and publish again, which puts it back; if it stays, "
        "do not trust the disks there."
    )


class NoConditionalWrite(Usage):
    """A server creates an object although it is there, so two writers could both have published.

    Only an operation that fails if there is something already can decide who was first: PutObject
    with `If-None-Match: *`.  This server takes the condition and does not keep it, or does not know
    it; that was tried with an object named `offline-kit-probe`.
    """

    code = "no-conditional-write"
    fix = (
        "Write `one-writer = true` in [release] (for `mirror`: --one-writer) if nobody else "
        "publishes there meanwhile, or take another server."
    )


class ClockSkewed(Undecided):
    """The clock of this host and that of a server are too far apart for signed requests.

    The server's time is only named: nothing is signed with a time that a server says.
    """

    code = "clock-skewed"
    fix = "Set the clock of the host that is wrong, then run the same command again."
