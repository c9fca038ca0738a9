"""What each record of a journal has in it, as runners write them: for journals from elsewhere.

A runner trusts its own journal as far as the chain goes.  Whoever is given evidence reads a journal
that somebody else's host wrote, and nothing behind this has to wonder whether a number is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from runner.chain import Record
from verifier.core.model import parse_time
from verifier.typed import Any

_TEXT, _NUMBER, _TEXTS, _TABLE = "text", "number", "list of texts", "table"
_MUST: Mapping[str, Mapping[str, str]] = {
    "begin": {
        **dict.fromkeys(("environment", "host", "kitId", "members", "operator", "policy"), _TEXT),
        **dict.fromkeys(("python", "run", "runbook", "runbookPath", "settings", "target"), _TEXT),
        "kit": _TABLE,
        "rootVersion": _NUMBER,
        "runner": _TABLE,
        "steps": _TEXTS,
    },
    "start": {
        **dict.fromkeys(("boot", "by", "host", "python"), _TEXT),
        "epoch": _NUMBER,
        "pid": _NUMBER,
    },
    "intent": {"step": _TEXT, "what": _TEXT, "attempt": _NUMBER},
    "outcome": {"step": _TEXT, "what": _TEXT, "attempt": _NUMBER, "result": _TEXT, "why": _TEXT},
    "done": {"step": _TEXT, "how": _TEXT},
    "failed": {"step": _TEXT, "why": _TEXT},
    "undone": {"step": _TEXT, "how": _TEXT},
    "way-done": {"way": _TEXT},
    "answer": {"about": _TEXT, "answer": _TEXT, "by": _TEXT},
    "approval": {"step": _TEXT, "signer": _TEXT, "signature": _TEXT},
    "mark": {"step": _TEXT, "to": _TEXT, "by": _TEXT, "reason": _TEXT},
    "phase": {"phase": _TEXT},
    "override": {"reason": _TEXT},
    "alert": {"probe": _TEXT, "step": _TEXT, "why": _TEXT},
    "watched": {"milliseconds": _NUMBER},
    "note": {},
}
_MAY = {
    **dict.fromkeys(("why", "run", "attempt-directory", "error", "image"), _TEXT),
    **dict.fromkeys(("status", "durationMs", "torn"), _NUMBER),
    "missed": _TEXTS,
    "output": _TABLE,
    "files": _TABLE,
    "container": _TABLE,
    "program": _TABLE,
    "after": _TABLE,
}


def misshapen(records: Sequence[Record]) -> Iterator[str]:
    """Yield what of a journal is not as any runner writes it."""
    for number, one in enumerate(records, start=1):
        must = _MUST.get(one["type"], {})
        for name, kind in must.items():
            if not _is(one.get(name), kind):
                yield f"line {number} has no {kind} {name!r}"
        for name, kind in _MAY.items():
            if name in one and name not in must and not _is(one[name], kind):
                yield f"line {number} has no {kind} {name!r}"
        if not isinstance(one.get("at"), str) or parse_time(one["at"]) is None:
            yield f"line {number} says not when"
        for file in _files(one):
            if not isinstance(file, dict) or not _is_file(file):
                yield f"line {number} has no digest of a file"


def _files(one: Record) -> Iterator[Any]:
    if isinstance(one.get("output"), dict):
        yield one["output"]
    if isinstance(one.get("files"), dict):
        yield from one["files"].values()


def _is_file(file: Mapping[str, Any]) -> bool:
    return _is(file.get("sha256"), _TEXT) and _is(file.get("size"), _NUMBER)


def _is(value: Any, kind: str) -> bool:
    if kind == _TEXT:
        return isinstance(value, str)
    if kind == _NUMBER:
        return type(value) is int
    if kind == _TABLE:
        return isinstance(value, dict)
    return isinstance(value, list) and all(isinstance(one, str) for one in value)
