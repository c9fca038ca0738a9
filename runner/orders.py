"""What comes before a run, from top to bottom: look at the kit, hold the site to it, begin.

What is done with a run that is there stands in `runner.standing`.
"""

from __future__ import annotations

from collections.abc import Callable

from runner import __version__, kitside, preflight
from runner.book.asked import asked
from runner.here import Here, runner_sha256, sha256
from runner.homing.unlock import Unlocked, unlock
from runner.journal import JournalFile
from runner.rundir import KIT, RunDirectory
from runner.secret import read_secrets
from runner.settings import Settings, load_settings
from verifier.core.errors import DiskFull
from verifier.core.model import format_time
from verifier.core.pipeline import Opened
from verifier.host.accept import Host
from verifier.host.directory import TrustDirectory
from verifier.typed import Any, record


@record(frozen=True)
class Planned:
    """A run that could begin."""

    looked: kitside.Looked
    settings: Settings
    settings_data: bytes
    host: Host

    @property
    def now(self) -> int:
        """The moment judged by, in seconds since the epoch: never before what the line has seen."""
        assert self.host.judgement is not None
        return self.host.judgement.now


def look(kit: str, trust: str, here: Here) -> kitside.Looked:
    """Look at a kit alone; nothing is written.

    Raises:
        KitError: The kit is refused.
    """
    return kitside.look(kit, Host(TrustDirectory(trust), here.clock(), __version__))


def plan(kit: str, trust: str, settings: str, environment: str, here: Here) -> Planned:
    """Look at a kit and at the site; nothing is written.

    Raises:
        KitError: The kit is refused, or the site has not what the runbook asks for.
    """
    host = Host(TrustDirectory(trust), here.clock(), __version__)
    looked = kitside.look(kit, host)
    found, data = load_settings(settings, looked.book, environment)
    return Planned(looked, found, data, host)


def check(planned: Planned, here: Here, evidence: str) -> Unlocked:
    """Hold the site to what a run needs before it begins; return what opened the environment.

    Args:
        planned: The run that could begin.
        here: Who runs this, and where.
        evidence: Evidence of the environment before; empty if none was given.

    Raises:
        PreflightFailed: Something is missing.
        StagingMissing: The environment asks for another one before it.
        StagingUnfit: The evidence does not open it.
        SettingsInvalid: A secret is missing.
        KitError: The evidence is none.
    """
    book, settings = planned.looked.book, planned.settings
    unlocked = unlock(
        planned.looked,
        planned.host,
        settings.environment,
        settings.target,
        evidence,
        here.clock(),
    )
    needed = asked(book, settings.environment)
    secrets = read_secrets(settings.secrets, needed.secrets, here)
    created = planned.looked.manifest.kit.mtime
    preflight.check(book, settings, secrets, here.clock(), created)
    return unlocked


def begin(
    kit: str,
    planned: Planned,
    here: Here,
    place: str,
    name: str,
    unlocked: Unlocked,
    progress: Callable[[int, int], None] | None,
) -> tuple[RunDirectory, JournalFile]:
    """Accept the kit and begin a run in a new directory.

    Raises:
        KitError: The kit is refused, or the host refuses; no run has begun.
    """
    directory = RunDirectory.create(place)
    journals: list[JournalFile] = []

    def first(opened: Opened, members: bytes) -> None:
        bound = _bound(planned, opened, members, here, name)
        if unlocked.after:
            bound["after"] = dict(unlocked.after)
        journals.append(directory.begin(bound, members, planned.settings_data))
        if unlocked.override:
            facts = {"type": "override", "at": bound["at"], "reason": unlocked.override[:500]}
            journals[0].append(facts)

    try:
        kitside.accept(
            kit,
            planned.host,
            planned.looked,
            directory.place(KIT),
            first,
            progress,
            image=planned.settings.container is not None,
        )
    except BaseException as error:
        if not journals:
            directory.remove()
        for journal in journals:
            journal.close()
        directory.close()
        if isinstance(error, DiskFull):
            fix = "Free the space named, or keep runs on another disk with --runs."
            raise DiskFull(error.message, where=error.where, fix=fix) from None
        raise
    return directory, journals[0]


def _bound(
    planned: Planned, opened: Opened, members: bytes, here: Here, name: str
) -> dict[str, Any]:
    looked, settings = planned.looked, planned.settings
    info, reached = looked.manifest.kit, opened.reached
    assert reached is not None
    judgement = planned.host.judgement
    wheels = [c.paths for c in looked.manifest.components if c.id in looked.book.wheels]
    images = [c.paths for c in looked.manifest.components if c.id == looked.book.image]
    return {
        "type": "begin",
        **({"image": images[0][0]} if settings.container is not None and images else {}),
        "at": format_time(here.clock()),
        "environment": settings.environment,
        "host": here.host,
        "kit": {
            "line": info.line,
            "name": info.name,
            "sequence": info.sequence,
            "version": info.version,
        },
        "kitId": looked.kit_id,
        "members": sha256(members),
        "operator": here.operator,
        "policy": judgement.chosen.policy.name if judgement is not None else "",
        "python": here.python,
        "rootVersion": reached.root.version,
        "run": name,
        "runbook": looked.sha256,
        "runbookPath": looked.path,
        "runner": {"sha256": runner_sha256(here.top), "version": __version__},
        "settings": sha256(settings.bound),
        "steps": [step.id for step in looked.book.steps_in(settings.environment)],
        "target": settings.target,
        "trust": planned.host.directory.path,
        "wheels": [path for paths in wheels for path in paths],
    }
