"""What `export` does, from top to bottom."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from runner.approving import load_operators
from runner.errors import EvidenceHoldsSecret
from runner.here import Here
from runner.homing import pack
from runner.packing.pyz import sources_in
from runner.rundir import SETTINGS, RunDirectory
from runner.settings import Settings, parse_settings, read_secrets
from verifier.core.errors import KitError
from verifier.host.directory import TrustDirectory
from verifier.typed import Any, replace

Pack = pack.Package


@contextlib.contextmanager
def opened(
    place: str, site: str, digests_only: bool, environment: Mapping[str, str]
) -> Iterator[tuple[Pack, list[str]]]:
    """Give what would leave of a run, and the secrets that could not be looked for in it.

    The run is held meanwhile, so that nobody goes on with it.

    Raises:
        EvidenceHoldsSecret: A secret stands in something that would leave.
        KitError: The run is missing, busy or damaged.
    """
    from runner.journal import held

    directory = RunDirectory.at(place)
    try:
        with held(directory.folder) as data:
            package = pack.gather(directory, data, site, digests_only=digests_only)
            settings = parse_settings(directory.read(SETTINGS), package.told.book)
            secrets, unseen = _secrets(settings, environment)
            found = list(pack.holds_secret(package, secrets))
            if found:
                raise EvidenceHoldsSecret(f"{len(found)} would leave with one", where=found[0])
            yield package, unseen
    finally:
        directory.close()


def _secrets(settings: Settings, environment: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the secrets that can be read now, and the names of the others."""
    found: list[str] = []
    unseen: list[str] = []
    for name, where in sorted(settings.secrets.items()):
        try:
            one = replace(settings, secrets={name: where})
            found += read_secrets(one, environment).values()
        except KitError:
            unseen.append(name)
    return found, unseen


def export(
    package: Pack, out: str, keys: Sequence[str], trust: str, here: Here
) -> tuple[str, list[str]]:
    """Write evidence, and return its path and who has sealed it; nobody if too few have.

    Args:
        package: What `opened` gave.
        out: A directory that is there.
        keys: See `runner.homing.seal.seal`.
        trust: The trust directory, with ``operators.json``.
        here: Who runs this, and where.

    Raises:
        KitError: There is no root of operators, a key does not serve, or the host refuses.
    """
    operators = load_operators(trust, TrustDirectory(trust).load().root)
    sources, agent = sources_in(here.top, "verifier"), here.environment.get("SSH_AUTH_SOCK", "")
    path, proved = pack.write(package, out, keys, operators, sources, agent)
    signers = [] if proved is None or proved.signing is None else sorted(proved.signing.signers)
    return path, signers


def package_value(package: Pack, unseen: Sequence[str]) -> dict[str, Any]:
    """Return what ``export --json`` says of what leaves."""
    return {
        "files": dict(sorted(package.sizes.items())),
        "line": package.info.line,
        "name": package.info.name,
        "outputsKept": package.kept,
        "phase": package.told.state.phase,
        "run": package.info.version,
        "secretsNotLookedFor": list(unseen),
    }
