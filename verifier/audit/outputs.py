"""The files that an audit was asked for: each written whole, where it harms nothing (law 7).

This is the one module of the room that has something written, by `verifier.host.files`, and only
the files that were named.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence

from verifier import _compat
from verifier.audit.errors import AuditUnwritable
from verifier.audit.htmlform import audit_html
from verifier.audit.junit import audit_junit
from verifier.audit.model import Audit
from verifier.audit.sarif import audit_sarif
from verifier.audit.vexform import audit_vex
from verifier.core.errors import KitError, UsageError
from verifier.host import files

_MAKE: Mapping[str, Callable[[Audit], bytes]] = {
    "html": audit_html,
    "sarif": audit_sarif,
    "junit": audit_junit,
    "vex": audit_vex,
}
_MODE = 0o644


class Outputs:
    """Files to write when the audit is made; looked at before anything else is done.

    Args:
        wanted: From ``html``, ``sarif``, ``junit`` and ``vex`` to a file.
        inputs: What is read in this run, which no file may replace; None for nothing.
        trust: The trust directory of this host; empty if it has none.

    Raises:
        UsageError: A file cannot have the name that it is given.
    """

    def __init__(self, wanted: Mapping[str, str], inputs: Sequence[str | None], trust: str) -> None:
        self._wanted = dict(wanted)
        taken: list[str] = []
        for name, path in self._wanted.items():
            check_file(f"--{name}", path, inputs, trust)
            if os.path.abspath(path) in taken:
                raise _refused(f"--{name}", path, "is to be two files", "Name another file.")
            taken.append(os.path.abspath(path))

    def write(self, audit: Audit) -> None:
        """Write the files, each as a whole or not at all.

        Raises:
            AuditUnwritable: The host refuses.
        """
        for name, path in self._wanted.items():
            write_file(path, _MAKE[name](audit))


def check_file(option: str, path: str, inputs: Sequence[str | None], trust: str) -> None:
    """See before anything is done that a file may have the name that it is given.

    Args:
        option: What named it.
        path: The file.
        inputs: What is read in this run, which it may not replace; None for nothing.
        trust: The trust directory of this host; empty if it has none.

    Raises:
        UsageError: It may not.
    """
    _check_place(option, path)
    protected = [other for other in inputs if other and other != "-" and os.path.exists(other)]
    _check_not_one_of(option, path, protected)
    _check_outside(option, path, [place for place in (trust, _compat.SYSTEM_TRUST) if place])


def write_file(path: str, data: bytes) -> None:
    """Write a file that was named, as a whole or not at all.

    Raises:
        AuditUnwritable: The host refuses.
    """
    try:
        files.replace(os.path.abspath(path), data, _MODE, anywhere=True)
    except OSError as error:
        raise AuditUnwritable(error.strerror or str(error), where=repr(path)) from None


def _refused(option: str, path: str, why: str, fix: str) -> KitError:
    return UsageError(f"{option}: {path!r} {why}", fix=fix)


def _check_place(option: str, path: str) -> None:
    """See that there can be a file: a directory above it, and nothing else in its place."""
    above = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(above):
        fix = "Make the directory first, or name a file in another one."
        raise _refused(option, path, "has no directory above it", fix)
    try:
        status = os.lstat(path)
    except OSError:
        return
    if not stat.S_ISREG(status.st_mode):
        fix = "Name a file that does not exist yet, or an older audit."
        raise _refused(option, path, "is there and is no file", fix)


def _check_not_one_of(option: str, path: str, protected: Sequence[str]) -> None:
    for other in protected:
        if os.path.exists(path) and os.path.samefile(path, other):
            raise _refused(option, path, "is what is audited", "Name another file.")


def _check_outside(option: str, path: str, directories: Sequence[str]) -> None:
    """See that a file lies in no trust directory, by whatever name that is reached."""
    above = os.path.realpath(os.path.dirname(os.path.abspath(path)))
    while True:
        for directory in directories:
            if os.path.isdir(directory) and os.path.samefile(above, directory):
                fix = "Name a file outside: looking at a kit never changes whom this host believes."
                raise _refused(option, path, "lies in the trust directory", fix)
        parent = os.path.dirname(above)
        if parent == above:
            return
        above = parent
