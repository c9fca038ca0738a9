"""What a kit says about itself: plain values, no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone

from verifier.typed import NewType, field, record

KIT_PREDICATE = "https://offline-kit.example/kit/v1"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
FRAME_RULES = "offline-kit-frames/1"

KitId = NewType("KitId", str)
"""SHA-256 of the DSSE payload, in hexadecimal: what the signers signed."""

TIME = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
)  # narrower than what `datetime` takes: some versions of it know an hour 24


def parse_time(text: str) -> int | None:
    """Return the seconds since the epoch of ``YYYY-MM-DDTHH:MM:SSZ``; None if no such moment."""
    if not TIME.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text[:-1]).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return int(moment.timestamp()) if moment.year >= 1970 else None


def format_time(seconds: int) -> str:
    """Return ``YYYY-MM-DDTHH:MM:SSZ`` of seconds since the epoch."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@record(frozen=True)
class Blob:
    """A descriptor: how long something is and what it hashes to.

    Attributes:
        size: Bytes.
        digest: From algorithm to hexadecimal digits; ``sha256`` is always there.
    """

    size: int
    digest: Mapping[str, str]


@record(frozen=True)
class Subject:
    """One subject of the Statement."""

    name: str
    digest: Mapping[str, str]


@record(frozen=True)
class Component:
    """A part of the payload that belongs together.

    Attributes:
        id: Unique in the kit.
        version: The component's own version.
        paths: Members or directories; every payload member lies at or below exactly one.
        lands: Where it belongs on the site, for people.
        placeholder: Why it is empty for now; empty if it is not.
        kind: What it is, and so what it promises (FORMAT 17); empty if it promises nothing.
        owner: Who answers for it, for people; empty if nobody is named.
    """

    id: str
    version: str
    paths: tuple[str, ...]
    lands: str
    placeholder: str = ""
    kind: str = ""
    owner: str = ""


@record(frozen=True)
class Exemption:
    """Paths that a later check shall pass over, and why."""

    paths: tuple[str, ...]
    reason: str


@record(frozen=True)
class KitInfo:
    """A kit in large.

    Attributes:
        line: Product and release branch; sequences count inside it.
        created: ``YYYY-MM-DDTHH:MM:SSZ``; also the mtime of every member.
        expires: The same form, or empty.
        supersedes: kitIds of earlier kits, for people.
    """

    name: str
    version: str
    line: str
    sequence: int
    created: str
    summary: str
    expires: str = ""
    supersedes: tuple[str, ...] = ()

    @property
    def mtime(self) -> int:
        """Seconds since the epoch of ``created``."""
        seconds = parse_time(self.created)
        assert seconds is not None  # the parser of the manifest has looked
        return seconds


@record(frozen=True)
class Built:
    """With what a kit was built; for people."""

    compressor: str
    level: int
    rules: str = FRAME_RULES


@record(frozen=True)
class Manifest:
    """The signed Statement of a kit (FORMAT 9).

    Attributes:
        sums_key: The public key of SHA256SUMS.sig: base64 of a P-256 SubjectPublicKeyInfo; empty
            if the manifest names none.
        unknown: JSON paths of members that this version does not know, for the report.
    """

    kit: KitInfo
    index: Blob
    frames: Blob
    roots: Blob
    page_size: int
    built: Built
    subjects: tuple[Subject, ...]
    components: tuple[Component, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    requires: tuple[str, ...] = ()
    evidence_index: Blob | None = None
    sums_key: str = ""
    unknown: tuple[str, ...] = field(default=(), compare=False)
