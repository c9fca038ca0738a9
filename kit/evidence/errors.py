"""What the builder says of evidence that it does not carry."""

from __future__ import annotations

from collections.abc import Sequence

from kit.errors import MAX_SHOWN
from verifier.core.errors import Usage


class EvidenceRefused(Usage):
    """Evidence of the spec cannot be read by the sites that it is for; all such files are named.

    A file whose name says that it is JSON must be JSON; a bundle, an envelope or a statement must
    be one that this release can read.  What is carried unread would be found out at the site.

    Attributes:
        files: The files, each with what is wrong.
    """

    code = "evidence-refused"
    fix = "Make the files named again, or give a file that is no JSON another name."

    def __init__(self, files: Sequence[str]) -> None:
        more = [f"and {len(files) - MAX_SHOWN} more"] if len(files) > MAX_SHOWN else []
        count = "1 file" if len(files) == 1 else f"{len(files)} files"
        lines = "".join(f"\n  {line}" for line in [*files[:MAX_SHOWN], *more])
        super().__init__(f"{count} of evidence{lines}")
        self.files = tuple(files)
