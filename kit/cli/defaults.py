"""Values that nobody typed: out of ``[release]``, and kits that are found where they were built."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kit.cli.common import note_open_keys
from kit.cli.wanted import KIT, ROOT, wanted
from kit.errors import show
from kit.releases.layout import ENDING
from kit.releases.previous import noted_releases, open_releases
from kit.spec.release import Defaults, load_defaults
from verifier.core.errors import UsageError

if TYPE_CHECKING:
    from kit.store import Store

SPEC = Path("kit.toml")

SpecArgument = Annotated[
    Path, typer.Argument(metavar="[SPEC]", help="The spec, a TOML file; kit.toml if not given.")
]
KitArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[KIT]", help="The kit, or its directory; if not given, the one kit not sealed yet."
    ),
]

StoreOption = Annotated[
    Path | None,
    typer.Option("--store-dir", metavar="DIR", help="The store of what `lock` fetched."),
]
STORE_VARIABLE = "OFFLINE_KIT_STORE"


class Chosen:
    """What an order takes: an option where it is given, else what ``[release]`` says.

    Files are read when the first value is missing, and only then.
    """

    def __init__(self, spec: Path = SPEC) -> None:
        self._spec = spec
        self._defaults: Defaults | None = None

    @property
    def defaults(self) -> Defaults:
        """What the files say."""
        if self._defaults is None:
            self._defaults = load_defaults(self._spec)
        return self._defaults

    def root(self, given: Path | None) -> Path | None:
        """Return the root to hold a kit to, if there is one."""
        if given is None and self.defaults.root is not None:
            return wanted(Path(self.defaults.root.value), ROOT)
        return given if given is None else wanted(given, ROOT)

    def needed_root(self, given: Path | None) -> Path:
        """Return the root to build with.

        Raises:
            UsageError: Nobody named one.
        """
        root = self.root(given)
        if root is None:
            raise UsageError(
                "no root of trust is named",
                fix="Give --root ROOT.JSON, or write `root` in [release] of the spec.",
            )
        return root

    def out(self, given: Path | None) -> Path:
        """Return the directory for releases."""
        if given is None and self.defaults.out is not None:
            return Path(self.defaults.out.value)
        return given or Path(".")

    def store(self, given: Path | None) -> Store:
        """Return the store of what was fetched: as an option, a variable or a file names it.

        Where nobody names one, it is that of this user.
        """
        from kit.store import Store  # here: only some commands need it

        return Store(given if given is not None else Path(self.store_row()[0]))

    def store_row(self) -> tuple[str, str]:
        """Return where the store is if no option says so, and who says so."""
        from kit.store import default_root

        if named := os.environ.get(STORE_VARIABLE):
            return named, f"the variable {STORE_VARIABLE}"
        if (default := self.defaults.store_dir) is not None:
            return default.value, default.where
        return os.fspath(default_root(os.environ)), "nobody: that of this user"

    def ways(
        self, plain_http: Sequence[str], ca_file: Path | None
    ) -> tuple[list[str], Path | None]:
        """Return which hosts are asked without TLS, and which authorities are trusted too."""
        plan = self.defaults.pipeline
        known = Path(plan.ca_file) if plan.ca_file is not None else None
        return [*plain_http, *plan.plain_http], ca_file or known

    def sums_key(self, given: str | None) -> str | None:
        """Return who signs SHA256SUMS, if anybody does."""
        if given is None and self.defaults.sums_key is not None:
            given = self.defaults.sums_key.value
        note_open_keys([given] if given else [])
        return given

    def named_keys(self, given: Sequence[str]) -> list[str]:
        """Return ``--key`` arguments, with the key of ``[release.keys]`` for a signer's name."""
        return note_open_keys([self._named(argument) for argument in given])

    def known_keys(self) -> list[str]:
        """Return where the keys of ``[release.keys]`` are."""
        return [item.value for item in self.defaults.keys.values()]

    def _named(self, argument: str) -> str:
        if "=" in argument or ":" in argument or os.path.lexists(argument):
            return argument
        default = self.defaults.keys.get(argument)
        return f"{argument}={default.value}" if default is not None else argument

    def keys(self, given: Sequence[str]) -> list[str]:
        """Return ``--key`` arguments; all of ``[release.keys]`` if there are none.

        Raises:
            UsageError: There is none there either.
        """
        if given:
            return self.named_keys(given)
        keys = [f"{signer}={item.value}" for signer, item in self.defaults.keys.items()]
        if not keys:
            raise UsageError(
                "no key is named",
                fix="Give --key SIGNER=URI, or write [release.keys] in the spec.",
            )
        return note_open_keys(keys)

    def kit_to_finish(self, given: Path | None) -> Path:
        """Return the kit to sign or seal: the one given, or the only one that is not sealed.

        Raises:
            UsageError: There is none, or there are several.
        """
        if given is not None:
            return wanted(kit_in(given), KIT)
        out = self.out(None)
        found = list(open_releases(out))
        if len(found) == 1:
            return found[0]
        if not found:
            raise UsageError(
                f"no kit is named, and {show(out)} holds none that is not sealed yet",
                fix="Name the kit, or its directory, before the options.",
            )
        names = ", ".join(show(path) for path in found[:5])
        raise UsageError(
            f"no kit is named, and several are not sealed yet: {names}",
            fix="Name one of them before the options.",
        )

    def sealed_kit(self, given: Path | None) -> Path:
        """Return the kit that was sealed: the one given, or the one of the highest sequence.

        Raises:
            UsageError: There is none.
        """
        if given is not None:
            return wanted(kit_in(given), KIT)
        out = self.out(None)
        known = max(noted_releases(out), key=lambda one: one.sequence, default=None)
        if known is None:
            raise UsageError(
                f"no kit is named, and {show(out)} holds no sealed release",
                fix="Name the kit, or its directory, before the options.",
            )
        return known.path.parent / f"{known.name}-{known.version}{ENDING}"


def kit_in(path: Path) -> Path:
    """Return the kit in the directory of a release; anything else is returned as it is."""
    inside = path / f"{path.resolve().name}{ENDING}"
    return inside if path.is_dir() and inside.exists() else path
