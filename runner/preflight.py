"""What a run needs of the site, looked at before its first step: half a run is worse than none."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping

from runner import processes, reach, wheels
from runner.book.across import SITE
from runner.book.asked import asked
from runner.book.model import Program, Runbook
from runner.errors import PreflightFailed, listed
from runner.program import PATH
from runner.rundir import KIT, WHEELS, RunDirectory
from runner.settings import Settings
from verifier import _compat
from verifier.core.errors import KitError
from verifier.core.model import format_time

_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_ASKING_SECONDS = 20
DAY = 24 * 3600


def check(
    book: Runbook, settings: Settings, secrets: Mapping[str, str], clock: int, created: int
) -> None:
    """See that the site has what the runbook asks for.

    Args:
        secrets: By the names of their inputs.
        clock: Seconds since the epoch, by this host.
        created: The moment that the kit was made, by its signers.

    Raises:
        PreflightFailed: It has not; everything that is missing is named.
    """
    found = list(problems(book, settings))
    if clock < created - DAY:
        found.append(f"the clock says {format_time(max(0, clock))}, a day before the kit was made")
    values = {**settings.inputs, **secrets}
    needed = asked(book, settings.environment)
    reached = {name for name in (*needed.inputs, *needed.secrets) if book.inputs[name].reachable}
    found += reach.problems({name: values[name] for name in sorted(reached)}, clock)
    if found:
        raise PreflightFailed(listed(found))


def problems(book: Runbook, settings: Settings) -> Iterator[str]:
    """Yield what is not there, a sentence each."""
    if sys.version_info[:2] < book.python:
        wanted = ".".join(map(str, book.python))
        yield f"programs of the kit need Python {wanted}, and this is {sys.version.split()[0]}"
    if not processes.can_look():
        yield "this host does not show environments of processes (/proc), so survivors are not seen"
    needed = asked(book, settings.environment)
    for name in needed.inputs:
        item, path = book.inputs[name], settings.inputs[name]
        if item.kind == "directory":
            yield from _directory(name, path, item.free)
        elif item.kind == "file" and not os.access(path, os.R_OK):
            yield f"{name}: {path!r} cannot be read"
    for name in needed.programs:
        yield from _program(book.programs[name], settings.programs[name])
    if settings.container is not None:
        engine = settings.container
        yield from _program(Program(engine.by, version=("--version",)), engine.program)
        for step in book.steps_in(settings.environment):
            if step.leaves_running and not step.use and not step.apply[0].startswith(SITE):
                yield f"step {step.id} leaves programs at work, and a container ends them"


def _directory(name: str, path: str, free: int) -> Iterator[str]:
    if not os.path.isdir(path) or not os.access(path, os.W_OK | os.X_OK):
        yield f"{name}: {path!r} is no directory that can be written"
        return
    room = _compat.Room(None, path)
    if free and room.bytes is not None and room.bytes < free:
        yield f"{name}: {path!r} has {room.bytes} bytes free, and {free} are wanted"


def _program(program: Program, path: str) -> Iterator[str]:
    try:
        status = os.stat(path)
    except OSError as error:
        yield f"program {program.name}: {path!r}: {error.strerror}"
        return
    who = _compat.whoever_else_writes(status)
    if not stat.S_ISREG(status.st_mode) or not os.access(path, os.X_OK):
        yield f"program {program.name}: {path!r} is no program that can be started"
    elif who:
        yield f"program {program.name}: {path!r} can be changed by {who}"
    elif program.version:
        said = _ask(path, program.version)
        number = _VERSION.search(said)
        if program.minimum and (number is None or _parts(number[0]) < _parts(program.minimum)):
            shown = number[0] if number else "nothing"
            yield f"program {program.name} says {shown}, and {program.minimum} is wanted"


def _ask(path: str, words: tuple[str, ...]) -> str:
    try:
        done = subprocess.run(
            [path, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_ASKING_SECONDS,
            env={"PATH": PATH, "LANG": "C.UTF-8"},
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")[:10_000]


def _parts(text: str) -> list[int]:
    return [int(part[:9]) for part in text.split(".")]


def unpack_wheels(directory: RunDirectory, components: list[str]) -> None:
    """Unpack the wheels that programs of the kit import, once in a run.

    Raises:
        PreflightFailed: None fits this Python, or one is no wheel.
    """
    target = directory.place(WHEELS)
    paths = [path for name in components for path in directory.below(name) if path.endswith(".whl")]
    if os.path.isdir(target):
        return
    beside = f"{target}.new"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        os.mkdir(beside, 0o700)
        directory.prove(paths)
        full = [directory.place(KIT, *path.split("/")) for path in paths]
        for path in wheels.choose(full, wheels.this_host()):
            wheels.unpack(path, beside)
        os.rename(beside, target)
    except (OSError, zipfile.BadZipFile) as error:
        raise PreflightFailed(f"the wheels cannot be unpacked: {error}") from None
    except KitError:
        shutil.rmtree(beside, ignore_errors=True)
        raise
