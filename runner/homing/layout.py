"""What evidence of a run is as a kit: its line, its name, and where things are in it."""

from __future__ import annotations

from runner.chain import Record
from runner.state import RunState
from verifier.core.errors import UsageError
from verifier.core.manifest import LINE, NAME
from verifier.core.model import Component, KitInfo, parse_time
from verifier.typed import Any

BETWEEN = "/evidence/"
JOURNAL, RUN = "run/journal", "run/statement.json"
STEPS, OUTPUTS = "steps/", "outputs/"
_LANDS = "read by `offline-kit evidence verify`"


def line_of(line: str, site: str) -> str:
    """Return the line of evidence of a site about kits of a line.

    Raises:
        UsageError: It would be no name of a line.
    """
    made = f"{line}{BETWEEN}{site}"
    if not NAME.fullmatch(site) or not NAME.fullmatch(f"evidence-{site}"):
        raise UsageError(f"--site wants 1 to 55 of a-z 0-9 . _ -, not {site!r}")
    if not LINE.fullmatch(made):
        raise UsageError(f"the line {made!r} is longer than 64 characters: shorten --site")
    return made


def site_of(line: str, kit_line: str) -> str:
    """Return the site that a line of evidence names; empty if it is none about kits of a line."""
    before = f"{kit_line}{BETWEEN}"
    return line[len(before) :] if line.startswith(before) else ""


def info_of(state: RunState, last: Record, site: str) -> KitInfo:
    """Return what a kit with the evidence of a run is called.

    The same journal has the same name, version and sequence wherever it is exported: the sequence
    is the time of the last record.

    Raises:
        UsageError: The site makes no name.
    """
    bound = state.bound
    kit: dict[str, Any] = bound["kit"]
    created = str(last["at"])
    return KitInfo(
        name=f"evidence-{site}",
        version=bound["run"],
        line=line_of(kit["line"], site),
        sequence=max(1, parse_time(created) or 0),
        created=created,
        summary=f"run {bound['run']} of {kit['name']} {kit['version']}: {state.phase}",
    )


def components_of(version: str, paths: list[str]) -> tuple[Component, ...]:
    """Return what the members of evidence belong to."""
    names = [name for name in ("run", "steps", "outputs") if any_below(name, paths)]
    return tuple(Component(name, version, (name,), _LANDS) for name in names)


def any_below(directory: str, paths: list[str]) -> bool:
    """Whether a path lies in a directory."""
    return any(path.startswith(f"{directory}/") for path in paths)
