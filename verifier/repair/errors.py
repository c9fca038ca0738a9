"""What mending says no to."""

from __future__ import annotations

from verifier.core.errors import Rejected, Undecided, Usage


class KitDamaged(Rejected):
    """Parts of the kit are not what was signed, and all of them are listed.

    The list and the offsets are those of this file.  Nothing was written but, if it was asked for,
    the request.
    """

    code = "kit-damaged"
    fix = "Send a request (`kit-verify damage KIT --request FILE`), or mend it from a second copy."


class RepairIncomplete(Undecided):
    """What was given does not have all that is damaged, so nothing was made.

    Each part is taken only when it is what was signed.  So a part may be missing from the pack, be
    damaged in each copy, or come from another kit.
    """

    code = "repair-incomplete"
    fix = "Give --request FILE and send it to the release side; or bring another copy."


class RequestMalformed(Usage):
    """The file is not a request for parts of a kit (FORMAT 16.2)."""

    code = "repair-request-malformed"
    fix = "Make it with `kit-verify damage KIT --request FILE`, and carry that file unchanged."


class RequestOfAnother(Usage):
    """The request is for another kit than this one."""

    code = "repair-another-kit"
    fix = "Name the kit that the request was made of: it has the kitId shown."


class PackMalformed(Usage):
    """The file begins as a repair pack and is not one (FORMAT 16.3)."""

    code = "repair-pack-malformed"
    fix = "Copy the pack again; it may have been cut off on its way."
