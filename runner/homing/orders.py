"""What `export` does, from top to bottom."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from runner.errors import EvidenceHoldsSecret
from runner.here import Here
from runner.homing import pack
from runner.operators import Admitted, admit, dated, load_operators
from runner.packing.pyz import sources_in
from runner.rundir import SETTINGS, RunDirectory
from runner.secret import read_secret
from runner.settings import Settings, parse_settings
from verifier.core.errors import KitError
from verifier.core.trust import Root
from verifier.host.directory import TrustDirectory
from verifier.typed import Any

Pack = pack.Package


@contextlib.contextmanager
def opened(
    place: str, site: str, digests_only: bool, here: Here
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
            secrets, unseen = _secrets(settings, here)
            found = list(pack.holds_secret(package, secrets))
            if found:
                raise EvidenceHoldsSecret(f"{len(found)} would leave with one", where=found[0])
            yield package, unseen
    finally:
        directory.close()


def _secrets(settings: Settings, here: Here) -> tuple[list[str], list[str]]:
    """Return the secrets that can be read now, and the names of the others."""
    found: list[str] = []
    unseen: list[str] = []
    for name, where in sorted(settings.secrets.items()):
        try:
            found.append(read_secret(f"secrets.{name}", where, here))
        except KitError:
            unseen.append(name)
    return found, unseen


def sealed_under(package: Pack, keys: Sequence[str], trust: str, here: Here) -> Admitted:
    """Return the operators' root that evidence goes under.

    Only who seals is held to its date: what nobody has sealed is nobody's word yet.

    Args:
        keys: What seals it; none if it is not sealed here.

    Raises:
        RootExpired: It is past its date, and the policy enforces that.
        KitError: There is no root of operators, or it does not serve.
    """
    if not keys:
        root = load_operators(trust, TrustDirectory(trust).load().root)
        return Admitted(root, dated(root, here.clock()))
    bound = package.told.bound
    return admit(trust, here.clock(), str(bound["kit"]["line"]), str(bound["kitId"]))


def export(
    package: Pack, out: str, keys: Sequence[str], operators: Root, here: Here
) -> tuple[str, list[str]]:
    """Write evidence, and return its path and who has sealed it; nobody if too few have.

    Args:
        package: What `opened` gave.
        out: A directory that is there.
        keys: See `runner.homing.seal.seal`.
        operators: Their root.
        here: Who runs this, and where.

    Raises:
        KitError: A key does not serve, or the host refuses.
    """
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
