"""From a tree, as TOML and JSON give it, to a `Runbook` (RUNBOOK 2 to 7)."""

from __future__ import annotations

import re

from runner.book.across import across
from runner.book.model import (
    HOUR,
    INPUT_KINDS,
    MINUTE,
    SCHEMA,
    SECOND,
    SIGNALS,
    STEP_KINDS,
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
    Words,
)
from runner.book.reading import Notes, Table
from runner.book.render import render
from runner.errors import Mistake, RunbookMalformed, RunbookNewer
from runner.values import why_no_value, why_no_word
from verifier.core.jsonstrict import NotStrict, parse_compact
from verifier.typed import Any

MAX_RUNBOOK = 4 << 20  # bytes of compact JSON
NOTHING: Words = ()
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
# what the runner sets itself, or what would have a program load something else
_TAKEN = re.compile(r"PATH|HOME|TMPDIR|LANG|LC_.*|LD_.*|PYTHON.*|OFFLINE_KIT.*|IFS|ENV|BASH.*")
_PYTHON = re.compile(r">=3\.(9|[1-9][0-9])")
_NUMBERS = re.compile(r"(0|[1-9][0-9]{0,5})(\.(0|[1-9][0-9]{0,5})){0,3}")


def read_tree(tree: Any) -> tuple[Runbook | None, list[Mistake]]:
    """Return the runbook that a tree is, and everything that is wrong with it.

    Raises:
        RunbookNewer: It says that it is of a later version.
    """
    notes: Notes = []
    top = Table(tree, (), notes)
    schema = top.take("schema") if isinstance(tree, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise RunbookNewer(f"it is of version {schema}, and this knows {SCHEMA}", where="runbook")
    if schema is not None and (schema != SCHEMA or type(schema) is not int):
        top.note("is not 1", "write `schema = 1`", "schema")
    book = _runbook(top)
    top.done()
    notes += across(book) if not notes else []
    return (None if notes else book), notes


def parse_tree(tree: Any) -> Runbook:
    """Return the runbook that a tree is.

    Raises:
        RunbookMalformed: It has mistakes; all of them are in the error.
        RunbookNewer: It says that it is of a later version.
    """
    book, mistakes = read_tree(tree)
    if book is None:
        raise RunbookMalformed(mistakes)
    return book


def parse_runbook(data: bytes) -> Runbook:
    """Return the runbook that a kit carries: compact JSON, in the one spelling of what it says.

    Raises:
        RunbookMalformed: It is not that.
        RunbookNewer: It says that it is of a later version.
    """
    ask = "carry what `offline-kit build` makes of the TOML"
    if len(data) > MAX_RUNBOOK:
        raise RunbookMalformed([Mistake((), f"has more than {MAX_RUNBOOK} bytes", ask)])
    try:
        tree = parse_compact(data)
    except NotStrict as error:
        raise RunbookMalformed([Mistake((), str(error), ask)]) from None
    book = parse_tree(tree)
    if render(book) != tree:
        raise RunbookMalformed([Mistake((), "is not in the one spelling of what it says", ask)])
    return book


def parse_again(data: bytes) -> Runbook:
    """Return the runbook of bytes that `parse_runbook` took before: rules across fields hold.

    A run knows them by their digest, and with 10,000 steps the rules take as long as the rest.

    Raises:
        RunbookMalformed: It was taken by a runner that knew fewer rules.
    """
    notes: Notes = []
    top = Table(parse_compact(data), (), notes)
    top.take("schema")
    book = _runbook(top)
    if notes:
        raise RunbookMalformed(notes)
    return book


def _runbook(top: Table) -> Runbook:
    inputs = top.by_name("input", _input)
    with_ = top.table("with")
    python, wheels, image = (3, 9), NOTHING, ""
    if with_ is not None:
        asked = with_.matching("python", _PYTHON, 'a version like ">=3.9"', ">=3.9")
        python = (3, int(asked[4:]))
        wheels = with_.names("wheels")
        image = with_.name("image") if with_.has("image") else ""
        with_.done()
    return Runbook(
        id=top.name("id"),
        title=top.text("title", ""),
        environments=top.by_name("environment", _environment),
        inputs=inputs,
        programs=top.by_name("program", _program),
        probes=top.by_name("probe", _probe),
        ways=top.by_name("way", _way),
        python=python,
        wheels=wheels,
        image=image,
        steps=tuple(_step(table) for _, table in top.each("step")),
    )


def _environment(name: str, table: Table) -> Environment:
    after = table.table("after")
    if after is None:
        return Environment(name)
    made = After(after.name("environment"), after.integer("maximum-age-days", 1, 3650, 30))
    after.done()
    return Environment(name, made)


def _input(name: str, table: Table) -> Input:
    kind = table.one_of("type", INPUT_KINDS, "")
    if not kind:
        table.note("'type' is missing", f"write one of {', '.join(INPUT_KINDS)}")
    default, variable = table.get("default"), ""
    if default is not None:
        why = why_no_value(default) if isinstance(default, str) else "is no string"
        why = "is not for secrets" if kind == "secret" else why
        if why:
            table.note(why, "write a plain text, or leave it to the settings", "default")
            default = None
    if kind == "secret":
        variable = table.matching("env", _VARIABLE, "a variable like LNM_MONGO_URI")
        if not variable:
            table.note("'env' is missing", "say in which variable programs get the secret")
        elif _TAKEN.fullmatch(variable):
            table.note("is a variable that means something else", "give it another name", "env")
    free = table.size("free")
    if free and kind != "directory":
        table.note("is only for directories", "leave it out", "free")
    reachable = table.flag("reachable", False)
    if reachable and kind not in ("url", "address", "secret"):
        table.note("is only for urls, addresses and secrets", "leave it out", "reachable")
    return Input(name, kind, table.text("title", ""), default or "", free, variable, reachable)


def _program(name: str, table: Table) -> Program:
    version = table.get("version")
    words: tuple[str, ...] = ()
    if version is not None:
        good = isinstance(version, list) and 1 <= len(version) <= 8
        if good and all(
            isinstance(w, str) and not why_no_word(w) and "{" not in w for w in version
        ):
            words = tuple(version)
        else:
            table.note("is no array of plain words", 'write it like ["--version"]', "version")
    minimum = table.matching("minimum", _NUMBERS, "numbers with dots")
    if minimum and not words:
        table.note(
            "has no `version`, which asks for it", 'write `version = ["--version"]`', "minimum"
        )
    return Program(name, table.text("title", ""), words, minimum)


def _probe(name: str, table: Table) -> Probe:
    return Probe(
        name=name,
        run=table.words("run", must=True),
        breach=table.condition("breach"),
        title=table.text("title", ""),
        every=table.duration("every", 10 * SECOND),
        timeout=table.duration("timeout", MINUTE),
        times=table.integer("for", 1, 1000, 1),
        then=table.one_of("then", THEN, "stop-after"),
        secrets=table.names("secrets"),
    )


def _way(name: str, table: Table) -> Way:
    return Way(
        name=name,
        run=table.words("run", must=True),
        check=table.words("check", must=True),
        title=table.text("title", ""),
        ask=table.text("ask", ""),
        timeout=table.duration("timeout", HOUR),
        on=table.statuses("on"),
        otherwise=table.name("else") if table.has("else") else "",
        secrets=table.names("secrets"),
    )


def _step(table: Table) -> Step:
    name, kind = table.name("id"), table.one_of("kind", STEP_KINDS, "command")
    use = table.name("use") if table.has("use") else ""
    step = Step(
        id=name,
        kind=kind,
        title=table.text("title", ""),
        owner=table.text("owner", ""),
        enabled=table.flag("enabled", True),
        only=table.names("only"),
        needs=table.names("needs"),
        use=use,
        arguments=_arguments(table),
        apply=table.words("apply", must=kind == "command" and not use),
        check=table.words("check", must=kind in ("command", "check", "wait") and not use),
        secrets=table.names("secrets"),
        every=table.duration("every", 5 * SECOND),
        timeout=table.duration("timeout", HOUR),
        retry=_retry(table.table("retry")),
        stop=_stop(table.table("stop")),
        leaves_running=table.flag("leaves-running", False),
        expect=table.conditions("expect"),
        capture=table._array("capture", _is_file, "a plain file name"),
        undo=_undo(table.table("undo")),
        no_return=table.flag("no-return", False),
        ask=table.text("ask", None if kind in ("gate", "manual") else ""),
        people=_people(table),
        yes=table.flag("yes", False),
        probe=table.name("probe") if kind == "probe" or table.has("probe") else "",
        watch=table.names("watch"),
        watch_after=table.duration("watch-after", 0),
    )
    table.done()
    return step


def _is_file(name: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}", name)) and name != "report"


def _arguments(table: Table) -> dict[str, str]:
    value = table.get("arguments")
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        table.note("is no table", "write `arguments = { name = ... }`", "arguments")
        return {}
    found = {}
    for key, item in sorted(value.items()):
        why = why_no_word(item) if isinstance(item, str) else "is no string"
        if why:
            table.note(why, "write one plain text", "arguments", key)
        else:
            found[key] = item
    return found


def _people(table: Table) -> dict[str, int]:
    value = table.get("people")
    if value is None:
        return {}
    good = isinstance(value, dict) and all(
        isinstance(key, str) and type(item) is int and 0 <= item <= 16
        for key, item in value.items()
    )
    if not good:
        table.note(
            "is no table of numbers up to 16", "write `people = { production = 2 }`", "people"
        )
        return {}
    return dict(sorted(value.items()))


def _retry(table: Table | None) -> Retry | None:
    if table is None:
        return None
    on = table.statuses("on")
    if not on:
        table.note("'on' is missing", "name the exit statuses after which it is tried again")
    attempts = table.integer("attempts", 2, 1000, 3)
    made = Retry(on, attempts, table.duration("wait", 10 * SECOND))
    table.done()
    return made


def _stop(table: Table | None) -> Stop:
    if table is None:
        return Stop()
    made = Stop(table.one_of("signal", SIGNALS, "TERM"), table.duration("grace", 10 * SECOND))
    table.done()
    return made


def _undo(table: Table | None) -> Undo | None:
    if table is None:
        return None
    kinds = [name for name in ("run", "way", "ask", "none", "brought") if table.has(name)]
    if len(kinds) != 1:
        table.note("must have exactly one of run, way, ask, none, brought", "write one of them")
    made = Undo(
        run=table.words("run", must=False),
        check=table.words("check", must="run" in kinds),
        timeout=table.duration("timeout", HOUR),
        on=table.statuses("on"),
        otherwise=table.name("else") if table.has("else") else "",
        way=table.name("way") if table.has("way") else "",
        ask=table.text("ask", ""),
        yes=table.name("yes") if "ask" in kinds else "",
        no=table.text("no") if "ask" in kinds else "",
        none=table.text("none", ""),
        brought=table.flag("brought", False),
    )
    table.done()
    return made
