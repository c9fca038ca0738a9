"""The commands of `offline-kit` by name; the modules behind them are loaded when one is used.

A spec, a root and a signer each need libraries that take longer to load than most runs take, so
`--help` and the error for a mistyped command must not need them.
"""

from __future__ import annotations

import sys
from collections.abc import ItemsView, Iterator, Mapping, MutableMapping
from typing import Any

import typer

from kit.cli.options import Group

COMMANDS: Mapping[str, tuple[str, str]] = {
    "release": ("release", "Run what is not done of a release, from sources to publishing."),
    "build": (
        "build",
        "Build a kit; with --key also sign it and, when enough did, seal it.",
    ),
    "sign": ("kits", "Verify a kit in full, then add signatures; or sign a review pack of it."),
    "seal": ("kits", "Verify a kit under its root's threshold and complete its release."),
    "publish": ("publishing", "Publish a sealed release to directories, buckets and registries."),
    "releases": ("releases", "Look at the history of a line: list, show, diff, verify, pin."),
    "fetch": ("publishing", "Fetch a release; it has no name before it is verified."),
    "mirror": ("publishing", "Bring lines at one place up to what another has."),
    "release-note": ("note", "Print what to tell the sites of a sealed release, and a QR code."),
    "rebuild": ("build", "Build again from the spec and compare every byte with a kit."),
    "digest": ("digest", "Print the digest of a component and its list, for tools that attest."),
    "repair-pack": ("repair", "Write a file with just the parts of a kit that somebody asks for."),
    "review": ("review", "Show what would be signed, to a signer who does not have the kit."),
    "lock": ("lock", "Find out what sources from elsewhere are, and fetch what the store lacks."),
    "store": ("lock", "Look after the store of what was fetched."),
    "sbom": ("sbom", "Check SBOMs, write what is missing, make one of all."),
    "runbook": ("runbook", "Check a runbook, and draw it."),
    "evidence": ("evidence", "Judge what a run at a site leaves."),
    "attest": ("attest", "Make and sign statements about files, components and images."),
    "approve": ("approve", "Audit a kit under a policy, and sign that it may be used."),
    "step": ("intoto", "Run a command and sign a link of it, as in-toto has it."),
    "layout": ("intoto", "Make, sign and verify layouts of in-toto."),
    "doctor": ("doctor", "Say what this host has, and what each missing part costs."),
    "config": ("config", "Show what the commands take where nothing is given."),
    "key": ("keys", "Make and show keys."),
    "root": ("roots", "Make roots of trust, and change them."),
    "verify": ("looking", "Verify a kit; the same program as kit-verify."),
    "audit": ("looking", "Say all that is known of a kit, to sign it off."),
    "diff": (
        "looking",
        "Show what is different: by component and directory first, then member by member.",
    ),
    "explain": ("looking", "Explain an error code of either program, or list them all."),
    "schema": ("looking", "Print the JSON schema of the spec, for editors."),
}
"""From the name of a command to its module in this room, and what the list says of it."""


class Top(Group):
    """The program: it knows the names of its commands, and loads one when it is asked for."""

    def __init__(self, **more: Any) -> None:
        self.loaded: dict[str, Any] = dict(more.pop("commands", None) or {})
        super().__init__(**more)
        self.commands: MutableMapping[str, Any] = _Commands()

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order in which a release needs them."""
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands, without loading one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


class _Commands(MutableMapping[str, Any]):
    """The commands by name; what is looked at is loaded."""

    def __init__(self) -> None:
        self._more: dict[str, Any] = {}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name in self._more:
            return self._more[name]
        if name not in self._made:
            self._make(COMMANDS[name][0])
        return self._made[name]

    def items(self) -> ItemsView[str, Any]:
        """Return all of them, made together: each making is of all that are loaded."""
        self._make(*(module for module, _ in COMMANDS.values()))
        return super().items()

    def _make(self, *modules: str) -> None:
        for module in modules:
            _load(module)
        from kit.cli.common import app  # here: it is made of this module's class

        group = typer.main.get_command(app)
        assert isinstance(group, Top)
        for name, (module, _) in COMMANDS.items():
            if f"kit.cli.{module}" in sys.modules:  # groups of others are there too, still empty
                self._made[name] = group.loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._more[name] = command

    def __delitem__(self, name: str) -> None:
        del self._more[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*COMMANDS, *self._more])

    def __len__(self) -> int:
        return len(COMMANDS) + len(self._more)


def load_all() -> None:
    """Load every module, so that every class of errors exists and can be explained."""
    for module, _ in COMMANDS.values():
        _load(module)
    from kit import approve, lock  # noqa: F401  # what the commands load when they run
    from kit.attest import errors  # noqa: F401
    from kit.intoto import errors as _  # noqa: F401
    from kit.net import keyless  # noqa: F401
    from kit.pipeline import errors as __  # noqa: F401


def _load(module: str) -> None:
    """Load one of the modules with commands, which registers them."""
    match module:
        case "approve":
            from kit.cli import approve  # noqa: F401
        case "attest":
            from kit.cli import attest  # noqa: F401
        case "build":
            from kit.cli import build  # noqa: F401
        case "config":
            from kit.cli import config  # noqa: F401
        case "digest":
            from kit.cli import digest  # noqa: F401
        case "intoto":
            from kit.cli import intoto  # noqa: F401
        case "evidence":
            from kit.cli import evidence  # noqa: F401
        case "doctor":
            from kit.cli import doctor  # noqa: F401
        case "keys":
            from kit.cli import keys  # noqa: F401
        case "kits":
            from kit.cli import kits  # noqa: F401
        case "lock":
            from kit.cli import lock  # noqa: F401
        case "looking":
            from kit.cli import looking  # noqa: F401
        case "note":
            from kit.cli import note  # noqa: F401
        case "publishing":
            from kit.cli import publishing  # noqa: F401
        case "release":
            from kit.cli import release  # noqa: F401
        case "releases":
            from kit.cli import releases  # noqa: F401
        case "repair":
            from kit.cli import repair  # noqa: F401
        case "review":
            from kit.cli import review  # noqa: F401
        case "roots":
            from kit.cli import roots  # noqa: F401
        case "runbook":
            from kit.cli import runbook  # noqa: F401
        case "sbom":
            from kit.cli import sbom  # noqa: F401
