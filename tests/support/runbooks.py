"""Runbooks for tests: one that uses everything, and a strategy that makes any."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from runner.book.model import (
    INPUT_KINDS,
    SIGNALS,
    THEN,
    After,
    Environment,
    Input,
    Probe,
    Program,
    Retry,
    Runbook,
    Step,
    Stop,
    Undo,
    Way,
)
from runner.values import BUILT_IN, Condition
from verifier.typed import replace

Tree = dict[str, Any]

FULL: Tree = {
    "schema": 1,
    "id": "lnm",
    "title": "everything once",
    "environment": {
        "staging": {},
        "production": {"after": {"environment": "staging", "maximum-age-days": 14}},
    },
    "input": {
        "mongo": {"type": "secret", "env": "LNM_MONGO_URI"},
        "disk": {"type": "directory", "free": "20GiB"},
        "batch": {"type": "integer", "default": "500"},
    },
    "program": {"mongosh": {"title": "a shell", "version": ["--version"], "minimum": "2.0"}},
    "probe": {
        "lag": {
            "run": ["probes/lag.py", "--report={report}"],
            "breach": "/lagSeconds > 60",
            "for": 2,
            "then": "stop-step",
            "secrets": ["mongo"],
        },
        "backlog": {"run": ["probes/lag.py"], "breach": "/unpublished rises", "for": 5},
    },
    "way": {
        "restore": {
            "run": ["tools/restore.py", "--from={disk}/dump"],
            "check": ["tools/restore.py", "--check"],
            "secrets": ["mongo"],
            "ask": "Everything written since the backup is lost.",
        }
    },
    "with": {"wheels": ["tools"], "image": "tools"},
    "step": [
        {
            "id": "21-101",
            "owner": "Storage Guild",
            "apply": ["tools/run.py", "--report={report}"],
            "check": ["tools/run.py", "--check"],
            "secrets": ["mongo"],
            "undo": {"ask": "Did the layout break?", "yes": "restore", "no": "indexes stay"},
        },
        {
            "id": "21-102",
            "timeout": "12h",
            "apply": ["tools/run.py", "--run-id={run}", "--batch-size={batch}"],
            "check": ["tools/run.py", "--check"],
            "expect": ['/status == "done"', "/counts/failed == 0"],
            "capture": ["counts.json"],
            "retry": {"on": [3], "attempts": 5},
            "stop": {"signal": "INT", "grace": "2m"},
            "watch": ["lag"],
            "needs": ["21-101"],
            "undo": {
                "run": ["site:mongosh", "tools/back.js"],
                "check": ["tools/run.py", "--undone"],
                "on": [4],
                "else": "restore",
            },
        },
        {"id": "validate", "kind": "check", "check": ["tools/run.py", "--validate"]},
        {
            "id": "open",
            "kind": "gate",
            "ask": "Open ingest? From here only the backup leads back.",
            "people": {"staging": 1, "production": 2},
            "no-return": True,
        },
        {
            "id": "publishers",
            "apply": ["tools/run.py"],
            "check": ["tools/run.py"],
            "leaves-running": True,
            "watch": ["backlog"],
            "watch-after": "1h",
            "undo": {"none": "publishers are stopped by hand"},
        },
        {
            "id": "up",
            "kind": "wait",
            "use": "wait-http",
            "arguments": {"url": "http://localhost/"},
            "timeout": "1m",
        },
        {"id": "seen", "kind": "probe", "probe": "lag"},
        {
            "id": "phone",
            "kind": "manual",
            "ask": "Tell the night shift.",
            "undo": {"none": "said is said"},
            "only": ["production"],
        },
        {
            "id": "21-103",
            "enabled": False,
            "apply": ["tools/run.py"],
            "check": ["tools/run.py"],
            "undo": {"way": "restore"},
        },
    ],
}
CARRIED = {"tools/run.py": "file", "tools/restore.py": "file", "probes/lag.py": "file"}


def full(**changes: Any) -> Tree:
    """Return a copy of the runbook that uses everything, with members of its top changed."""
    return {**copy.deepcopy(FULL), **changes}


def changed(path: str, value: Any) -> Tree:
    """Return the full runbook with one member set at ``step.1.undo``; `...` removes it."""
    tree: Any = full()
    *above, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    at = tree
    for part in above:
        at = at[part]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return dict(tree)


# --- any runbook -------------------------------------------------------------------------------

NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
TEXTS = st.text("abc ÄÖ§'\"<>&;#-", min_size=1, max_size=20).filter(lambda t: t.isprintable())
TIMES = st.integers(1, 10**9)
BOOLS = st.booleans()
STATUSES = st.sets(st.integers(2, 125).filter(lambda n: n != 10), min_size=1, max_size=3).map(
    lambda found: tuple(sorted(found))
)
ORDERED = st.builds(
    Condition,
    st.sampled_from(["", "/a", "/a/0/b~1c"]),
    st.sampled_from(["<", "<=", ">", ">="]),
    st.integers(-(10**9), 10**9),
)
EQUAL = st.builds(
    Condition,
    st.sampled_from(["/a", "/b c".replace(" ", "")]),
    st.sampled_from(["==", "!="]),
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), TEXTS),
)
CONDITIONS = st.one_of(ORDERED, EQUAL)


def _commands(values: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    word = st.one_of(
        st.sampled_from(["--all", "a b", "ü", "'quoted'", "$(no)"]),
        st.sampled_from(values).map(lambda name: f"{{{name}}}"),
        st.sampled_from(values).map(lambda name: f"--x={{{name}}}/y"),
    )
    first = st.sampled_from(["tools/run.py", "bin/go", "site:thing"])
    return st.builds(lambda head, more: (head, *more), first, st.lists(word, max_size=3))


@st.composite
def runbooks(draw: st.DrawFn, *, most: int = 6) -> Runbook:
    """Return a runbook that keeps to every rule."""
    inputs = _inputs(draw)
    commands = _commands([*BUILT_IN, *(n for n, item in inputs.items() if item.kind != "secret")])
    named = sorted(draw(st.sets(NAMES, min_size=1, max_size=3)))
    environments = {name: Environment(name) for name in named}
    if draw(BOOLS) and len(named) > 1:
        after = After(named[0], draw(st.integers(1, 60)))
        environments[named[-1]] = Environment(named[-1], after)
    probes = {
        name: _probe(draw, name, commands) for name in sorted(draw(st.sets(NAMES, max_size=2)))
    }
    ways: dict[str, Way] = {}
    for name in sorted(draw(st.sets(NAMES, max_size=3))):
        on = draw(STATUSES) if draw(BOOLS) and ways else ()
        other = draw(st.sampled_from(sorted(ways))) if on else ""
        ask = draw(st.one_of(st.just(""), TEXTS))
        run, check = draw(commands), draw(commands)
        ways[name] = Way(name, run, check, "", ask, draw(TIMES), on, other)
    ids = draw(st.lists(NAMES, min_size=1, max_size=most, unique=True))
    steps: list[Step] = []
    for name in ids:
        steps.append(_step(draw, name, commands, named, sorted(probes), sorted(ways), steps))
    secrets = [name for name, item in inputs.items() if item.kind == "secret"]
    _give_secrets(draw, secrets, probes, ways, steps)
    return Runbook(
        id=draw(NAMES),
        title=draw(st.one_of(st.just(""), TEXTS)),
        environments=environments,
        inputs=inputs,
        programs={
            "thing": Program("thing", "", *draw(st.sampled_from([((), ""), (("-V",), "1.2")])))
        },
        probes=probes,
        ways=ways,
        python=(3, draw(st.integers(9, 14))),
        wheels=tuple(sorted(draw(st.sets(NAMES, max_size=2)))),
        image=draw(st.one_of(st.just(""), NAMES)),
        steps=tuple(steps),
    )


def _inputs(draw: st.DrawFn) -> Mapping[str, Input]:
    found = {}
    for at, name in enumerate(sorted(draw(st.sets(NAMES, max_size=3)) - set(BUILT_IN))):
        kind = draw(st.sampled_from(INPUT_KINDS))
        variable = f"SECRET_{at}" if kind == "secret" else ""
        free = draw(st.integers(0, 10**12)) if kind == "directory" else 0
        default = "" if kind == "secret" else draw(st.sampled_from(["", "x", "ü y"]))
        reachable = kind in ("url", "address", "secret") and draw(BOOLS)
        title = draw(st.one_of(st.just(""), TEXTS))
        found[name] = Input(name, kind, title, default, free, variable, reachable)
    return found


def _give_secrets(
    draw: st.DrawFn,
    secrets: list[str],
    probes: dict[str, Probe],
    ways: dict[str, Way],
    steps: list[Step],
) -> None:
    """Have each secret be given to something that runs programs; to a new step if nothing does."""
    for name in secrets:
        able = [at for at, step in enumerate(steps) if step.kind not in ("gate", "probe")]
        tables: list[Any] = [table for table in (probes, ways) if table]
        tables += [steps] if able else []
        if not tables:
            ways["w"] = Way("w", ("bin/go",), ("bin/go",))
            tables = [ways]
        table = draw(st.sampled_from(tables))
        at = draw(st.sampled_from(able if table is steps else sorted(table)))
        table[at] = replace(table[at], secrets=(*table[at].secrets, name))


def _probe(draw: st.DrawFn, name: str, commands: st.SearchStrategy[tuple[str, ...]]) -> Probe:
    breach = draw(st.one_of(CONDITIONS, st.just(Condition("/n", "rises"))))
    times, then = draw(st.integers(1, 9)), draw(st.sampled_from(THEN))
    return Probe(name, draw(commands), breach, "", draw(TIMES), draw(TIMES), times, then)


def _undo(draw: st.DrawFn, commands: st.SearchStrategy[tuple[str, ...]], ways: list[str]) -> Undo:
    kind = draw(st.sampled_from(["run", "none", "way", "ask"] if ways else ["run", "none"]))
    if kind == "none":
        return Undo(none=draw(TEXTS))
    if kind == "way":
        return Undo(way=draw(st.sampled_from(ways)))
    if kind == "ask":
        return Undo(ask=draw(TEXTS), yes=draw(st.sampled_from(ways)), no=draw(TEXTS))
    on = draw(STATUSES) if draw(BOOLS) and ways else ()
    other = draw(st.sampled_from(ways)) if on else ""
    return Undo(run=draw(commands), check=draw(commands), on=on, otherwise=other)


def _step(
    draw: st.DrawFn,
    name: str,
    commands: st.SearchStrategy[tuple[str, ...]],
    environments: list[str],
    probes: list[str],
    ways: list[str],
    before: list[Step],
) -> Step:
    kinds = [
        "command",
        "command",
        "check",
        "gate",
        "wait",
        "manual",
        *(["probe"] if probes else []),
    ]
    kind = draw(st.sampled_from(kinds))
    more: dict[str, Any] = {}
    if kind in ("command", "check"):
        more["expect"] = tuple(draw(st.lists(CONDITIONS, max_size=2)))
        retry = st.builds(Retry, STATUSES, st.integers(2, 9), TIMES)
        more["retry"] = draw(st.one_of(st.none(), retry))
    if kind in ("command", "check", "wait"):
        more["check"] = draw(commands)
    if kind == "command":
        more["apply"] = draw(commands)
        more["leaves_running"] = draw(BOOLS)
    if kind in ("command", "manual"):
        more["undo"] = _undo(draw, commands, ways)
    if kind in ("gate", "manual"):
        more["ask"] = draw(TEXTS)
    if kind == "gate":
        more["people"] = {env: draw(st.integers(0, 3)) for env in environments if draw(BOOLS)}
        more["yes"] = not any(more["people"].values()) and draw(BOOLS)
    if kind == "probe":
        more["probe"] = draw(st.sampled_from(probes))
    if draw(BOOLS) and probes:
        more["watch"] = (draw(st.sampled_from(probes)),)
        more["watch_after"] = draw(st.one_of(st.just(0), TIMES))
    if draw(BOOLS) and before:
        more["needs"] = (draw(st.sampled_from(before)).id,)
    return Step(
        id=name,
        kind=kind,
        title=draw(st.one_of(st.just(""), TEXTS)),
        enabled=draw(BOOLS),
        only=tuple(draw(st.sets(st.sampled_from(environments), max_size=1))),
        timeout=draw(TIMES),
        every=draw(TIMES),
        stop=draw(st.builds(Stop, st.sampled_from(SIGNALS), TIMES)),
        no_return=draw(BOOLS),
        **more,
    )
