"""What can go wrong with the files of an audit; the verdict on the kit stands."""

from __future__ import annotations

from verifier.core.errors import Undecided


class AuditUnwritable(Undecided):
    """A file of the audit could not be written; what was printed and decided stands.

    It is written beside its place and renamed, so that nothing half-written is left.
    """

    code = "audit-unwritable"
    fix = "Name another file, on a disk that has room, and run the same command again."
