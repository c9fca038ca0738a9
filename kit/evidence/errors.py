"""What the builder says of evidence that it does not carry."""

from __future__ import annotations

from collections.abc import Sequence

from kit.errors import MAX_SHOWN
from verifier.core.errors import Usage


class _Files(Usage):
    """Base of what is refused in evidence: one error names all files that have the same fault.

    Attributes:
        files: The files, each with what is wrong.
    """

    _fault = ""

    def __init__(self, files: Sequence[str]) -> None:
        more = [f"and {len(files) - MAX_SHOWN} more"] if len(files) > MAX_SHOWN else []
        count = "1 file" if len(files) == 1 else f"{len(files)} files"
        lines = "".join(f"\n  {line}" for line in [*files[:MAX_SHOWN], *more])
        super().__init__(f"{count} {self._fault}{lines}")
        self.files = tuple(files)


class AttestationElsewhere(_Files):
    """An attestation of the spec is not about what the spec says; all such files are named.

    It was made for another release, or the component has changed since.
    """

    code = "attestation-elsewhere"
    fix = "Attest again what is built now, or correct `component` and `subject`."
    _fault = "about something else"


class EvidenceRefused(_Files):
    """Evidence of the spec cannot be read by the sites that it is for; all such files are named.

    A file whose name says that it is JSON must be JSON; a bundle, an envelope or a statement must
    be one that this release can read.  What is carried unread would be found out at the site.
    """

    code = "evidence-refused"
    fix = "Make the files named again, or give a file that is no JSON another name."
    _fault = "of evidence"
