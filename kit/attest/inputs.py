"""Files that attestations are made of: read whole, once, and within bounds."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from kit.attest.errors import ReportMalformed, ReportTooLarge, ReportUnreadable
from kit.errors import show
from verifier.core.limits import MAX_TIME
from verifier.core.model import format_time
from verifier.evidence.foreign import MAX_BYTES, NotForeign, read_foreign

_PIECE = 1 << 20  # bytes read at once


@dataclass(frozen=True)
class Input:
    """A file that was given.

    Attributes:
        path: As it was given.
        data: All of it.
    """

    path: Path
    data: bytes = field(repr=False)

    @property
    def where(self) -> str:
        """What messages call it."""
        return show(self.path)

    @property
    def sha256(self) -> str:
        """Its digest."""
        return hashlib.sha256(self.data).hexdigest()

    def json(self) -> Any:
        """Return the value of JSON that somebody else wrote.

        Raises:
            ReportMalformed: It is no JSON, or could be read in two ways.
            ReportTooLarge: It is above a bound.
        """
        try:
            return read_foreign(self.data)
        except NotForeign as error:
            kind = ReportTooLarge if error.too_large else ReportMalformed
            place = f", {error.place}" if error.place else ""
            raise kind(f"{error}{place}", where=self.where) from None

    def object(self) -> dict[str, Any]:
        """Return the value of JSON that is an object.

        Raises:
            ReportMalformed: It is none.
        """
        value = self.json()
        if not isinstance(value, dict):
            raise ReportMalformed("is no JSON object", where=self.where)
        return value


def read_input(path: Path) -> Input:
    """Read a file, if it is a regular one of at most 64 MiB.

    Raises:
        ReportUnreadable: It is not there or cannot be read.
        ReportTooLarge: It is larger.
    """
    where = show(path)
    descriptor = _open(path, where)
    with open(descriptor, "rb") as stream:
        if os.fstat(descriptor).st_size > MAX_BYTES:
            raise ReportTooLarge(f"has more than {MAX_BYTES} bytes", where=where)
        try:
            data = stream.read(MAX_BYTES + 1)
        except OSError as error:
            raise ReportUnreadable(error.strerror or str(error), where=where) from None
    if len(data) > MAX_BYTES:
        raise ReportTooLarge(f"has more than {MAX_BYTES} bytes", where=where)
    return Input(path, data)


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a regular file of any size.

    Raises:
        ReportUnreadable: It is not there or cannot be read.
    """
    where, state = show(path), hashlib.sha256()
    with open(_open(path, where), "rb", buffering=0) as stream:
        try:
            while piece := stream.read(_PIECE):
                state.update(piece)
        except OSError as error:
            raise ReportUnreadable(error.strerror or str(error), where=where) from None
    return state.hexdigest()


def _open(path: Path, where: str) -> int:
    """Open a regular file; a FIFO is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ReportUnreadable(error.strerror or str(error), where=where) from None
    except ValueError:  # a NUL in the path
        raise ReportUnreadable("is not a path", where=where) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ReportUnreadable("is no regular file", where=where)
    return descriptor


def moment(text: object) -> str:
    """Return a time of RFC 3339 as in-toto writes it, in UTC and whole seconds.

    Go writes the year 1 for a time that it does not know: that is none.  Empty for what is no time
    from 1970 on.
    """
    if not isinstance(text, str) or len(text) > 64 or "T" not in text:
        return ""
    head, _, fraction = text.partition(".")
    zone = fraction.lstrip("0123456789") if fraction else ""
    with contextlib.suppress(ValueError, OverflowError):
        at = datetime.fromisoformat((head + zone).replace("Z", "+00:00"))
        seconds = int(at.timestamp()) if at.tzinfo is not None else -1
        if 0 <= seconds <= MAX_TIME and at.astimezone(timezone.utc).year >= 1970:
            return format_time(seconds)
    return ""
