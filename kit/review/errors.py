"""What is said no to when somebody signs far from the kit."""

from __future__ import annotations

from verifier.core.errors import Rejected, Undecided, Usage


class ReviewDiffDiffers(Rejected):
    """The diff.txt of a review pack does not follow from the pack and what it is compared with.

    Either whoever made the pack compared with another earlier kit than you do, or the text was
    changed on its way to make you sign what you would not.
    """

    code = "review-diff-differs"
    fix = "Sign nothing; ask which earlier kit the pack was made against, and for a new pack."


class DetachedMalformed(Rejected):
    """The file is not a detached signature in the form of FORMAT 14.3.

    A detached signature is one small JSON object.  The base64 files called `.sig` that lie beside
    a sealed kit are something else: signatures over SHA256SUMS for stock tools.
    """

    code = "detached-malformed"
    fix = (
        "Give the files that `offline-kit sign --detached` wrote; ask the signer to send it again."
    )


class DetachedTooLarge(Rejected):
    """The file is far larger than any detached signature can be, and was not read."""

    code = "detached-too-large"
    fix = "Give the files that `offline-kit sign --detached` wrote: some hundred bytes each."


class DetachedUnreadable(Undecided):
    """The file of a detached signature could not be opened or read."""

    code = "detached-unreadable"
    fix = "Check the path and the medium, then run again; nothing was changed."


class DetachedForeign(Rejected):
    """The signature is over another kit: its kitId is not that of this one.

    A kit that is built again from other sources, or with another root, is another kit, and old
    signatures do not count for it.
    """

    code = "detached-foreign-kit"
    fix = "Attach it to the kit it was made for, or send this kit's review pack to the signer."


class DetachedKeyUnknown(Rejected):
    """The kit's root does not name the key of the signature."""

    code = "detached-key-unknown"
    fix = "Ask who made it; if it is a signer with a new key, a new root must name that key first."


class DetachedInvalid(Rejected):
    """The signature is not one of the key that it names, over this kit."""

    code = "detached-signature-invalid"
    fix = "Ask the signer to sign the review pack again, and compare the kitId by telephone."


class DetachedTwice(Usage):
    """Two of the files are by one key."""

    code = "detached-twice"
    fix = "Give one file a key; the first and the second are named."


class PageFull(Usage):
    """The signatures do not fit into the page of this kit, or are more than a page may have."""

    code = "page-full"
    fix = "Attach fewer signatures; the threshold is enough."
