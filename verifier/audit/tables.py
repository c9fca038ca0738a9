"""An audit as tables of plain text: what the text and the HTML show, in one place.

Every cell went through `shown`, so that nothing in it moves a cursor, turns the line or hides; what
makes it safe in HTML is added there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from verifier.audit.model import Answer, AttestationRow, Audit, ImageRow, VulnerabilityRow
from verifier.show.fingerprint import fingerprint
from verifier.show.plain import plain
from verifier.typed import record

MAX_CELL = 300  # characters; JSON has all of it
# accents that are heaped on one letter reach into other lines; four in a row are no language's
_HEAPED = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4,}"
)
_MAX_NAMES = 5  # of subjects, origins, layers in one cell


@record(frozen=True)
class Table:
    """A part of an audit.

    Attributes:
        anchor: Its name in a link.
        empty: What is said where there is no row.
        rows: The first of them, in cells of text that is safe to print.
        count: How many there are.
        word: Number of the column with the word that decides; -1 for none.
    """

    anchor: str
    title: str
    empty: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    count: int
    word: int = -1


_Cells = Iterable[Sequence[str]]
_Draft = tuple[str, str, str, str, _Cells, int, int]
"""Anchor, title, what is said of nothing, columns, rows, how many they are, the word's column."""


def shown(text: str) -> str:
    """Return foreign text as it can be shown anywhere: visible, on one line, not endless."""
    if len(text) > MAX_CELL:
        text = f"{text[:MAX_CELL]} (and {len(text) - MAX_CELL} characters more)"
    if not text.isascii():
        text = _HEAPED.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
    return plain(text)


def tables(audit: Audit, most: int) -> list[Table]:
    """Return the tables of an audit in the order in which they are read.

    Args:
        audit: The audit.
        most: How many rows of a table are wanted.
    """
    made = []
    for anchor, title, empty, columns, rows, count, word in (*_asked(audit), *_held(audit)):
        cells = [tuple(map(shown, row)) for row in islice(rows, most)]
        made.append(Table(anchor, title, empty, tuple(columns.split("|")), cells, count, word))
    return made


def _asked(audit: Audit) -> Iterator[_Draft]:
    """Yield what is read first: what was asked of the kit, and what is in it in large."""
    nobody = "nobody is proved to have signed"
    signed = audit.report.opened.signing if audit.report.authenticated else None
    signers = len(signed.valid) if signed is not None else 0
    asked, parts = audit.decisions, audit.components
    yield "decisions", "Decisions", "none", _DECISIONS, _decisions(audit), len(asked), 0
    yield "signers", "Signers", nobody, _SIGNERS, _signers(audit), signers, -1
    yield "components", "Components", "none", _COMPONENTS, _components(audit), len(parts), -1
    yield "images", "Images", "none", _IMAGES, map(_image, audit.images), len(audit.images), -1


def _held(audit: Audit) -> Iterator[_Draft]:
    """Yield what the evidence says, and what nobody looked at."""
    found, said, cover = audit.vulnerabilities, audit.attestations, audit.coverage
    bare = len(cover.uncovered) + len(cover.absent) if cover is not None else 0
    open_ = ("vulnerabilities", "Vulnerabilities", "no scan in the kit names one")
    yield *open_, _VULNERABILITIES, map(_vulnerability, found), len(found), 1
    attested = ("attestations", "Attestations", "the kit carries none")
    yield *attested, _ATTESTATIONS, map(_attestation, said), len(said), 0
    yield "sboms", "SBOMs", "the kit carries none", _SBOMS, _sboms(audit), len(audit.sboms), -1
    uncovered = ("uncovered", "Not described by an SBOM", "nothing")
    yield *uncovered, _UNCOVERED, _uncovered(audit), bare, -1
    spared = list(_exempt(audit))
    yield "exempt", "Exempt from SBOMs", "nothing", _EXEMPT, spared, len(spared), -1
    packages = ("packages", "Packages", "no SBOM names one")
    yield *packages, _PACKAGES, _packages(audit), len(audit.packages), -1
    others = ("documents", "Other evidence", "none")
    yield *others, _DOCUMENTS, _documents(audit), len(audit.documents), -1
    left = ("unchecked", "Not checked", "nothing")
    yield *left, _UNCHECKED, _unchecked(audit), len(audit.not_checked), -1


_DECISIONS = "outcome|rule|about|what was found|code"
_SIGNERS = "signer|scheme|SHA-256 of the public key"
_COMPONENTS = "component|version|owner|kinds|members|bytes|lands|licences|origin"
_IMAGES = "image|digest|platform|layers|signed by|missing"
_VULNERABILITIES = "severity|status|vulnerability|package|fixed in|answer|scan"
_ATTESTATIONS = "verdict|type|signed by|about|document|signed at|note"
_SBOMS = "document|format|name|packages|files|describes|with licence"
_UNCOVERED = "path or element|what is missing"
_EXEMPT = "paths|why, as the signers say"
_PACKAGES = "package|version|licence|package URL|SBOM"
_DOCUMENTS = "document|form|type"
_UNCHECKED = "what|why"


def some(names: Sequence[str], most: int = _MAX_NAMES) -> str:
    """Return the first of some names, and how many more there are."""
    told = ", ".join(names[:most])
    return told if len(names) <= most else f"{told} and {len(names) - most} more"


def _decisions(audit: Audit) -> Iterator[Sequence[str]]:
    for row in audit.decisions:
        message = f"{row.message} ({row.relaxed_by})" if row.relaxed_by else row.message
        yield row.outcome, row.rule, row.about, message, row.code


def _signers(audit: Audit) -> Iterator[Sequence[str]]:
    report = audit.report
    root, signing = report.effective, report.opened.signing
    if not report.authenticated or root is None or signing is None:
        return
    for keyid, signer in sorted(signing.valid.items(), key=lambda item: item[1]):
        key = root.targets.keys[keyid]
        yield signer, key.scheme, fingerprint(key)


def _components(audit: Audit) -> Iterator[Sequence[str]]:
    for row in audit.components:
        lands = f"{row.lands} (empty for now: {row.placeholder})" if row.placeholder else row.lands
        yield (
            *(row.id, row.version, row.owner or "nobody named", ", ".join(row.kinds)),
            *(str(row.members), str(row.size), lands, some(row.licences), some(row.origins)),
        )


def _image(row: ImageRow) -> Sequence[str]:
    size = sum(layer.size for layer in row.layers)
    layers = f"{len(row.layers)}, {size} bytes"
    return (
        *(row.name or row.layout, row.digest, row.platform, layers),
        *(some(row.signed_by) or "nobody", some(row.missing, 2) or "nothing"),
    )


def _vulnerability(row: VulnerabilityRow) -> Sequence[str]:
    answer = _answer(row.answers[0]) if row.answers else "none"
    name = row.id if not row.aliases else f"{row.id} ({some(row.aliases, 2)})"
    package = f"{row.package} {row.version}".strip()
    scan = f"{row.path}, knowledge of {row.database}" if row.database else row.path
    return row.severity, row.status, name, package, row.fixed_in or "-", answer, scan


def _answer(answer: Answer) -> str:
    said = ": ".join(filter(None, (answer.status, answer.justification)))
    said = f"{said} - {answer.statement}" if answer.statement else said
    return f"{said}, by {answer.by}" if answer.by else f"{said}, by nobody who is proved"


def _attestation(row: AttestationRow) -> Sequence[str]:
    about = [one.here or f"not in this kit: {one.name or one.digest}" for one in row.subjects]
    more = row.subject_count - len(row.subjects)
    told = some(about, 3) + (f" ({more} subjects more)" if more > 0 else "")
    who = some(row.signed_by)
    if not who and row.claimed_by:
        who = f"claims: {some(row.claimed_by)}"
    path = f"{row.path}, {row.place}" if row.place else row.path
    at = f"{row.signed_at} ({row.time_from})" if row.signed_at else "-"
    note = f"{row.code}: {row.message}" if row.code else row.message
    return row.verdict, row.type or row.form, who or "nobody", told, path, at, note or "-"


def _sboms(audit: Audit) -> Iterator[Sequence[str]]:
    for row in audit.sboms:
        counts = map(str, (row.packages, row.files, row.describes, row.licences))
        yield (row.path, f"{row.format} {row.version}", row.name, *counts)


def _uncovered(audit: Audit) -> Iterator[Sequence[str]]:
    if audit.coverage is None:
        return
    for path in audit.coverage.uncovered:
        yield path, "no SBOM describes it, and it is not exempt"
    for text in audit.coverage.absent:
        yield text, "an SBOM is about it, and the kit does not carry it"


def _exempt(audit: Audit) -> Iterator[Sequence[str]]:
    """Yield what no SBOM has to describe; of a kit that nobody vouches for nothing is believed."""
    manifest = audit.report.opened.manifest
    for item in manifest.exemptions if manifest is not None else ():
        yield some(item.paths, 20), item.reason


def _packages(audit: Audit) -> Iterator[Sequence[str]]:
    for row in audit.packages:
        yield row.name, row.version, row.licence or "not named", row.purl, some(row.sboms, 2)


def _documents(audit: Audit) -> Iterator[Sequence[str]]:
    return ((row.path, row.form, row.type) for row in audit.documents)


def _unchecked(audit: Audit) -> Iterator[Sequence[str]]:
    return ((row.what, row.why) for row in audit.not_checked)


def facts(audit: Audit) -> list[tuple[str, str]]:
    """Return what stands at the head: the kit in large."""
    report = audit.report
    kit, opened = report.kit, report.opened
    rows: list[tuple[str, str]] = []
    if kit is not None:
        rows += [
            ("kit", f"{kit.name} {kit.version}"),
            ("line", f"{kit.line}, sequence {kit.sequence}"),
            ("created", kit.created),
            ("expires", kit.expires or "never"),
            ("summary", kit.summary),
        ]
    rows += [("kitId", opened.kit_id or "not known"), ("contentId", opened.content_id or "-")]
    if opened.reached is not None:
        rows.append(("root of trust", opened.reached.sentence().partition(": ")[2]))
    judged = report.host.judgement if report.host is not None else None
    if judged is not None and judged.chosen.sha256:
        chosen = judged.chosen
        rows.append(("policy", f"{chosen.policy.name}, SHA-256 {chosen.sha256}"))
    elif judged is not None:
        rows.append(("policy", "none: any line is accepted"))
    else:
        rows.append(("policy", "none was asked: no trust directory was given"))
    rows.append(("proof", report.proof))
    return [(name, shown(text)) for name, text in rows]


def counts(audit: Audit) -> list[tuple[str, str]]:
    """Return the figures that are read first."""
    opened = [row for row in audit.vulnerabilities if row.status == "open"]
    bad = [row for row in audit.decisions if row.outcome in ("failed", "undecided")]
    passed = [row for row in audit.decisions if row.outcome == "let pass"]
    good = [row for row in audit.attestations if row.verdict == "good"]
    cover = audit.coverage
    described = "not known"
    if cover is not None:
        described = f"{cover.covered} of {cover.units}, {cover.exempt} exempt"
    worst = opened[0].severity if opened else "none"
    return [
        ("decisions not met", f"{len(bad)} of {len(audit.decisions)}, {len(passed)} let pass"),
        ("vulnerabilities open", f"{len(opened)} of {len(audit.vulnerabilities)}, worst: {worst}"),
        ("attestations good", f"{len(good)} of {len(audit.attestations)}"),
        ("described by SBOMs", described),
        ("packages", str(len(audit.packages))),
        ("not checked", str(len(audit.not_checked))),
    ]


def headline(audit: Audit) -> str:
    """Return the verdict in a line, in the words of `verify`."""
    from verifier.show.report import render_text

    return plain(render_text(audit.report).split("\n", 1)[0])
