"""What a runbook needs of the kit that carries it: programs, files, components (RUNBOOK 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runner.book.across import SITE
from runner.book.asked import ways_back
from runner.book.model import Runbook, Words
from runner.errors import Mistake
from verifier.core.errors import MemberPathUnsafe
from verifier.core.lists import DATA, Index
from verifier.core.names import parse_member_path
from verifier.typed import Any

KIT = "{kit}/"
FILE, PROGRAM, DIRECTORY = "file", "program", "directory"


def programs(book: Runbook) -> list[str]:
    """Return the members that are started as programs, each once, in order."""
    found = [words[0] for _, words in book.commands() if not words[0].startswith(SITE)]
    return sorted(set(found))


def way_back(book: Runbook, environment: str) -> list[str]:
    """Return the members that lead back from the steps of an environment, each once, in order."""
    commands: list[Words] = []
    for step in book.steps_in(environment):
        if step.undo is not None:
            commands += [step.undo.run, step.undo.check]
    for way in ways_back(book, environment):
        commands += [way.run, way.check]
    return sorted({words[0] for words in commands if words and not words[0].startswith(SITE)})


def named(book: Runbook) -> list[str]:
    """Return the members and directories that arguments name, each once, in order."""
    return sorted({path for _, words in _all(book) for path in _named_in(words)})


def _all(book: Runbook) -> Iterator[tuple[tuple[Any, ...], Words]]:
    yield from book.commands()
    for at, step in enumerate(book.steps):
        if step.arguments:
            yield ("step", at, "arguments"), tuple(step.arguments.values())


def _named_in(words: Words) -> Iterator[str]:
    """Yield what stands behind ``{kit}/``, as far as no value of the site is in it."""
    for word in words:
        _, mark, path = word.partition(KIT)
        path = path.partition("{")[0].rpartition("/")[0] if "{" in path else path
        if mark and path:
            yield path.rstrip("/")


def missing(
    book: Runbook, look: Callable[[str], str], has_component: Callable[[str], bool]
) -> list[Mistake]:
    """Return what a kit lacks of what its runbook names.

    Args:
        look: Says of a path whether it is a ``file``, a ``program`` (an executable file) or a
            ``directory`` of the kit; empty if it is none of these.
        has_component: Says whether there is a component of a name.
    """
    found: list[Mistake] = []
    for place, words in book.commands():
        if not words[0].startswith(SITE):
            found += _program(place, words[0], look(words[0]))
    for place, words in _all(book):
        for path in _named_in(words):
            if not look(path):
                found.append(Mistake(place, f"the kit has no {path!r}", "correct the path"))
    if book.image and not has_component(book.image):
        found.append(Mistake(("with", "image"), f"no component {book.image!r}", "name one"))
    for name in book.wheels:
        if not has_component(name):
            found.append(Mistake(("with", "wheels"), f"no component {name!r}", "name one"))
    return found


def _program(place: tuple[Any, ...], path: str, what: str) -> Iterator[Mistake]:
    try:
        parse_member_path(path)
    except MemberPathUnsafe as error:
        yield Mistake(place, f"{path!r}: {error.message}", "name a member of the kit")
        return
    if not what or what == DIRECTORY:
        fix = 'name a member, or "site:NAME" for a program of the site'
        yield Mistake(place, f"the kit has no program {path!r}", fix)
    elif what != PROGRAM and not path.endswith(".py"):
        yield Mistake(place, f"{path!r} is not executable", "chmod +x it, or make it a .py")


def kind_in(index: Index, path: str) -> str:
    """Return what a path is in a kit: see `missing`."""
    raw = path.encode("utf-8", "surrogateescape")
    if not index.below(raw):
        return ""
    at = index.first_at_or_after(raw)
    if at < index.bounds[DATA + 1] and index.paths(at, at + 1) == [raw]:
        return PROGRAM if index.executable[at] else FILE
    return DIRECTORY
