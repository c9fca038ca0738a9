"""The transcript of `make lnm-site` in the docs is one, and a later run is held to it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.support.transcript import differences, shape
from tools import lnm_site


def headings(path: Path) -> list[str]:
    """Return patterns of the headings that a drill says."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "say" and node.args):
            continue
        [given] = node.args
        parts = given.values if isinstance(given, ast.JoinedStr) else [given]
        texts = [str(p.value) if isinstance(p, ast.Constant) else None for p in parts]
        words = "".join(".*" if text is None else re.escape(text.strip("\n")) for text in texts)
        if words.startswith("=="):
            found.append(words)
    return found


def test_the_page_has_every_part_of_the_drill_and_no_other() -> None:
    said = headings(Path(lnm_site.__file__))
    assert len(said) > 10
    kept = lnm_site.KEPT.read_text("utf-8")
    there = re.findall(r"(?m)^==.*$", kept)
    for heading in said:
        assert any(re.fullmatch(heading, line) for line in there), heading
    for line in there:
        assert any(re.fullmatch(heading, line) for heading in said), line
    head, _, behind = lnm_site.PAGE.partition("TRANSCRIPT")
    assert kept.startswith(head)
    assert kept.endswith(behind)


def test_times_and_samples_may_differ_and_what_was_done_may_not() -> None:
    kept = "  backup: done (exited 0) after 4.5 s\n  ALERT lag: 2\n$ echo $?\n5\n"
    now = "  backup: done (exited 0) after 11 s\n  ALERT lag: 2\n  ALERT lag: 3\n$ echo $?\n5\n"
    assert list(differences(kept, now)) == []
    again = "  freeze: apply, attempt 1\n  freeze: failed (exited 3) after 2 s\n"
    again += "  freeze: apply, attempt 2\n  done               21-102 (checked)\n"
    assert shape(again) == ["  freeze: apply, attempt 0", "  done               0-0"]
    other = now.replace("backup: done", "backup: failed")
    assert [line for line in differences(kept, other) if line[0] in "+-"][2:] == [
        "-  backup: done (exited 0) after 0 s",
        "+  backup: failed (exited 0) after 0 s",
    ]
    assert shape("a\n\n\nb 1\nb 2\n") == ["a", "", "b 0"]
