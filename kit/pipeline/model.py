"""What all stages share: the order that was given, what a task is, and how a run is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from kit.places.choose import Access
from kit.releases.layout import kit_path
from kit.signing.model import KitSigner
from kit.spec import KitSpec, load_spec
from kit.spec.release import Defaults, Pipeline
from kit.store import Store
from verifier.core.trust import Root

Digests = Mapping[str, str]
"""From a name that people read to a SHA-256, or a short value that is its own digest."""


@dataclass(frozen=True)
class Event:
    """What happened to a task.

    Attributes:
        task: Its label, "STAGE" or "STAGE NAME".
        what: ``begins``, ``done``, ``unchanged``, ``waits``, ``failed``, ``would run``, ``off``.
        said: A sentence without a full stop: why, or what came of it.
    """

    task: str
    what: str
    said: str


@dataclass(frozen=True)
class Host:
    """What this host lends to a run.

    Attributes:
        store: Where fetched files are.
        access: Gives the ways to places.
        clock: Seconds of a clock that only goes forward.
        secrets: Asks for a PIN or passphrase.
        settings: What ``--set`` said.
        epoch: SOURCE_DATE_EPOCH, if it is set.
        workers: Threads; 0 for all cores.
        python: The interpreter that runs the shipped verifier.
    """

    store: Store
    access: Callable[[], AbstractContextManager[Access]]
    clock: Callable[[], float]
    secrets: Callable[[str], str]
    settings: Mapping[str, str | int] = field(default_factory=dict)
    epoch: str | None = None
    workers: int = 0
    python: str = "python3"
    progress: Callable[[str, int, int], None] | None = None


@dataclass(frozen=True)
class Order:
    """A release that was ordered.

    Attributes:
        spec: The file.
        chain: The roots that kits carry; the last one is theirs.
        sites: Trust directories by the name of their site.
    """

    spec: Path
    defaults: Defaults
    chain: Sequence[Root]
    host: Host
    sites: Mapping[str, Path]

    @property
    def plan(self) -> Pipeline:
        """What `[release]` says of stages."""
        return self.defaults.pipeline

    @property
    def base(self) -> Path:
        """The directory of the spec, in which commands run."""
        return self.spec.parent

    @property
    def out(self) -> Path:
        """The directory for releases."""
        return Path(self.defaults.out.value) if self.defaults.out is not None else Path(".")

    def load(self) -> KitSpec:
        """Read the spec as it is now: stages before this one may have written it.

        Raises:
            SpecInvalid: It is none.
        """
        return load_spec(self.spec, self.host.settings)

    @property
    def kit(self) -> Path:
        """Where the kit is, or will be."""
        kit = self.load().kit
        return kit_path(self.out, kit.name, kit.version)

    def signer(self, argument: str) -> KitSigner:
        """Return who signs what is no kit: links, test results, entries."""
        from kit.signing.attesters import load_attester  # slow to load

        targets = self.chain[-1].targets.keys if self.chain else {}
        return load_attester(argument, targets, secrets=self.host.secrets)


def counted(number: int, what: str) -> str:
    """Return a number with its noun: ``1 member``, ``2 members``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


class Task(Protocol):
    """One thing that a stage does, which is done or not."""

    @property
    def stage(self) -> str:
        """The stage that it is part of."""

    @property
    def label(self) -> str:
        """What it is called in notes and messages: the stage, and a name if there are several."""

    def prepare(self) -> None:
        """Settle what the inputs are, if that leaves a trace; not in a dry run."""

    def inputs(self) -> Digests:
        """Return what decides whether it has to run again.

        Raises:
            KitError: Something that it needs is not there.
        """

    def outputs(self) -> Digests:
        """Return what it has made, as it is now; a name for each that is gone has no digest."""

    def run(self, *, interrupted: bool) -> str:
        """Do it, and return what was done.

        Args:
            interrupted: Whether an earlier run with the same inputs began and did not end.

        Raises:
            KitError: It failed, or waits; nothing half is left.
        """
