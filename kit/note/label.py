"""The label of a medium: printed at the low side, and put on what is carried."""

from __future__ import annotations

from kit.note.medium import FIRST_CONTACT, HALF, README, ROOT
from kit.note.note import VERIFIER
from kit.releases.record import Record
from verifier.show.fingerprint import groups

_LABEL = """\
{name} {version}
line {line}, sequence {sequence}, created {created}
signed by {signers} (threshold {threshold}, root version {root})

{count} files, {size} bytes, in the directory {called}
kit: {kit}

A host that has taken a kit of this publisher: follow {readme}.
A host that has not: follow {first}, with two numbers from the publisher
that came another way than this medium. As this medium was written they were:

{numbers}
These numbers prove nothing on their own: who can change the medium can print a label.

carried by ____________________  from ____________________  to ____________________
"""


def label(record: Record) -> bytes:
    """Return the label of a medium that a release was fetched to, as text of one page."""
    numbers = []
    for number, name in enumerate((VERIFIER, ROOT), 1):
        found = [file.sha256 for file in record.files if file.name == name]
        digits = groups(found[0]) if found else "not in this release"
        numbers += [
            f"  {number}  {name:<15} {digits[:HALF]}",
            f"     {'':<15} {digits[HALF + 1 :]}",
        ]
    text = _LABEL.format(
        name=record.name,
        version=record.version,
        line=record.line,
        sequence=record.sequence,
        created=record.created,
        signers=", ".join(record.signers),
        threshold=record.threshold,
        root=record.root_version,
        count=len(record.files),
        size=record.size,
        called=f"{record.name}-{record.version}",
        kit=record.kit_file,
        readme=README,
        first=FIRST_CONTACT,
        numbers="\n".join(line.rstrip() for line in numbers) + "\n",
    )
    return text.encode("utf-8")
