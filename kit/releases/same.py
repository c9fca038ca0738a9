"""Whether a release is the one that is published under its version already."""

from __future__ import annotations

from collections.abc import Sequence

from kit.releases.entry import Entry
from kit.releases.errors import PlacesDiffer, SequenceBehind, VersionTaken
from kit.releases.layout import ENDING
from kit.releases.record import Record
from kit.stock.outputs import PAGE_BUNDLE, SUMS_SSHSIG
from verifier.core.names import HEAD

STATEMENT = ".release.json"
VERIFICATION = (
    *(".verification.txt", ".verification.json", ".verification.xml"),
    ".verification.dsse.json",
)
"""What the pipeline says of a sealed kit, beside it: text, JSON, JUnit, and a signed statement."""


def check_sequence(line: str, sequence: int, last: Record) -> None:
    """Hold a sequence to that of the last release.

    Raises:
        SequenceBehind: It is not higher.
    """
    if sequence <= last.sequence:
        raise SequenceBehind(
            f"sequence {sequence} is not higher than {last.sequence} of {last.version}",
            where=repr(line),
        )


def check_same_kit(there: Record, kit_id: str, sha256: str) -> None:
    """Hold a kit to what is published under its version.

    Raises:
        VersionTaken: It is another one.
    """
    if there.kit_id != kit_id:
        raise VersionTaken(
            f"entry {there.n} is version {there.version} with kitId {there.kit_id} and file "
            f"{there.kit.sha256}; here are {kit_id} and {sha256}",
            where=repr(there.line),
        )


def check_same(entry: Entry, base: Record) -> None:
    """Hold a release to what is published under its version.

    Raises:
        VersionTaken: It is another one.
    """
    there = entry.record
    check_same_kit(there, base.kit_id, base.kit.sha256)
    signed = _signed(there)
    other = [name for name in _changed(there, base) if name not in signed]
    if other:
        raise VersionTaken(
            f"entry {there.n} is this kit with other files beside it: {', '.join(other[:5])}",
            where=repr(base.line),
        )


def _changed(there: Record, here: Record) -> list[str]:
    """Return the files that are not the same in two records of one release."""
    was, now = ({file.name: file.sha256 for file in one.files} for one in (there, here))
    return sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))


def other_signatures(
    entry: Entry, base: Record, histories: Sequence[list[Entry]]
) -> tuple[str, ...]:
    """Return the files that were published with other signatures than they have here.

    Raises:
        PlacesDiffer: A place lacks the entry, and what it names is not here.
    """
    changed = _changed(entry.record, base)
    if changed and any(len(history) < entry.record.n for history in histories):
        raise PlacesDiffer(
            f"{changed[0]} is another one than at a place that has this entry: its key does not "
            "sign the same bytes twice",
            fix="Bring it up: `offline-kit mirror --from A-PLACE-THAT-HAS-IT --to THIS`.",
        )
    return tuple(changed)


def _signed(record: Record) -> frozenset[str]:
    """Return the files of a release in which signatures are, or the digest of one that has them.

    Hardware and services sign with a random nonce: a kit that is built again from a fresh checkout
    has the same kitId, which is what was signed, and other bytes here.
    """
    called = record.kit_file.removesuffix(ENDING)
    beside = (f"{called}{ending}" for ending in (".sealed.json", *VERIFICATION))
    statement = f"{record.name}-{record.version}{STATEMENT}"
    return frozenset({record.kit_file, HEAD[0], PAGE_BUNDLE, SUMS_SSHSIG, statement, *beside})
