"""Evidence that came home: held to its kit, and shown as a page (RUNBOOK 11)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from runner.homing.judge import Evidence, verify
from runner.kitside import look_under
from runner.operators import check_apart
from verifier.audit.htmlform import page
from verifier.audit.tables import Table, shown
from verifier.core.trust import Root
from verifier.rootfile import load_root

_GOOD = {"done": "good"}


def held_evidence(evidence: Path, kit: Path, root: Path, operators: Path) -> tuple[Evidence, Root]:
    """Return evidence that is sealed by operators and of a run of a kit, and their root.

    Args:
        evidence: What `kit-run export` wrote.
        kit: The kit whose run it is of.
        root: The publisher's root.
        operators: The operators' root.

    Raises:
        OperatorsShareKey: A key stands in both roots.
        KitError: Kit or evidence is refused.
    """
    publisher, theirs = load_root(os.fspath(root)), load_root(os.fspath(operators))
    check_apart(theirs, publisher, os.fspath(operators))
    looked = look_under(os.fspath(kit), publisher)
    return verify(os.fspath(evidence), theirs, looked), theirs


def evidence_html(value: Mapping[str, Any]) -> bytes:
    """Return an HTML document of what `runner.homing.words.audit_value` returns."""
    kit = value["kit"]
    title = f"Run {value['run']} of {kit['name']} {kit['version']}"
    return page(title, _head(value), list(_tables(value)))


def _head(value: Mapping[str, Any]) -> Iterator[str]:
    if value["closed"]:
        word, text = "good", "CLOSED: every step is done and the watch has ended"
    else:
        word, text = "bad", f"NOT CLOSED, unlocks nothing: {value['phase']} {value['why']}".strip()
    yield f'<p class="verdict {word}">{escape(shown(text))}</p>\n<dl class="facts">\n'
    facts = {
        "sealed by": ", ".join(value["evidence"]["sealedBy"]),
        "site": value["site"],
        "environment": value["environment"],
        "target": value["target"],
        "hosts": ", ".join(value["hosts"]) or value["host"],
        "begun by": value["operator"],
        "kitId": value["kitId"],
        "evidence": value["evidence"]["kitId"],
        "outputs": value["outputs"],
        "expectations": "{held} hold again, of {reportNotHere} the report is not here".format(
            **value["expectations"]
        ),
    }
    operators = value.get("operators", {})
    if operators:
        past = ", expired" if operators["expired"] else ""
        facts["operators' root"] = f"version {operators['version']}, {operators['expires']}{past}"
    for name, text in facts.items():
        yield f"<div><dt>{name}</dt><dd><bdi>{escape(shown(text))}</bdi></dd></div>\n"
    yield "</dl>\n<p>Before the seal the host could write anything: who sealed it vouches.</p>\n"


def _tables(value: Mapping[str, Any]) -> Iterator[Table]:
    steps = [
        (
            _GOOD.get(one["status"], one["status"]),
            one["id"],
            one.get("owner", ""),
            str(one["attempts"]),
            one["how"],
        )
        for one in value["steps"]
    ]
    columns = ("", "step", "owner", "attempts", "how")
    yield _table("steps", "Steps", "There was no step.", columns, steps, 0)
    signed = [(step, ", ".join(names)) for step, names in value["approvals"].items()]
    yield _table("signed", "Signed at gates", "Nobody signed.", ("gate", "who"), signed)
    against = [("alert", one["why"]) for one in value["alerts"]]
    against += [("in spite of a rule", why) for why in value["overrides"]]
    yield _table("against", "Alerts and overrides", "There is none.", ("what", "why"), against)
    lines = [(one["at"], one["what"]) for one in value["timeline"]]
    yield _table("timeline", "Timeline", "Nothing happened.", ("at", "what"), lines)


def _table(
    anchor: str,
    title: str,
    empty: str,
    columns: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    word: int = -1,
) -> Table:
    cells = [tuple(shown(cell) for cell in row) for row in rows]
    return Table(anchor, title, empty, columns, cells, len(cells), word)
