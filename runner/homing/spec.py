"""The spec of evidence: what ``offline-kit build --store`` would make the same file of."""

from __future__ import annotations

import json

from verifier.core.model import Component, KitInfo


def spec_text(info: KitInfo, components: tuple[Component, ...]) -> bytes:
    """Return the spec of evidence whose members lie beside it under their own names."""
    lines = [
        "[kit]",
        f"name = {json.dumps(info.name)}",
        f"version = {json.dumps(info.version)}",
        f"line = {json.dumps(info.line)}",
        f"sequence = {info.sequence}",
        f"created = {info.created}",
        f"summary = {json.dumps(info.summary)}",
    ]
    for one in components:
        lines += ["", "[[component]]", f"id = {json.dumps(one.id)}"]
        lines += [f"version = {json.dumps(one.version)}", f"path = {json.dumps(one.paths[0])}"]
        lines += [f"lands = {json.dumps(one.lands)}", "[[component.source]]"]
        lines += [f"dir = {json.dumps(one.paths[0])}"]
    return ("\n".join(lines) + "\n").encode("utf-8")
