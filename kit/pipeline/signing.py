"""Sign and seal: with the keys of this host and what others have sent; else the release waits."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from kit.container.head import read_head, sealed_marker
from kit.container.page import locked
from kit.errors import show
from kit.pipeline import digests
from kit.pipeline.errors import SignaturesMissing, StageUnready
from kit.pipeline.model import Digests, Order
from kit.review.attach import attach
from kit.review.detached import load_detached
from kit.seal import seal
from kit.sign import sign
from verifier.core.envelope import evaluate, parse_page
from verifier.core.pipeline import kit_id_of
from verifier.show.plain import shell


class SignTask:
    """The signatures of a kit, and its seal."""

    stage = label = "sign"

    def __init__(self, order: Order) -> None:
        self._order = order

    def _keys(self) -> dict[str, str]:
        """Return the keys of this host, by signer.

        Raises:
            StageUnready: A signer has none.
        """
        known = {name: item.value for name, item in self._order.defaults.keys.items()}
        wanted = self._order.plan.sign
        if wanted is None:
            wanted = tuple(
                name for name in known if name in self._order.chain[-1].targets.signers()
            )
        lacking = [name for name in wanted if name not in known]
        if lacking:
            raise StageUnready(f"[release.keys] has no {', '.join(lacking)}", where="`sign`")
        return {name: known[name] for name in wanted}

    def prepare(self) -> None:
        """Mend a page that a killed run left half written."""
        mend_page(self._order.kit)

    def inputs(self) -> Digests:
        """Return the kit, and who signs here."""
        page, root = read_head(self._order.kit)
        return {
            self._order.kit.name: str(kit_id_of(parse_page(page))),
            "who signs here": ", ".join(sorted(self._keys())),
            "the root": digests.of_value([root.version, sorted(root.targets.keys)]),
        }

    def outputs(self) -> Digests:
        """Return what notes the seal: it names every other file by its digest."""
        marker = sealed_marker(self._order.kit)
        return {marker.name: digests.of_file(marker)}

    def run(self, *, interrupted: bool) -> str:
        """Sign, put in what others have signed, and seal if that is enough.

        Raises:
            SignaturesMissing: It is not: others have to sign.
            KitError: A key, the kit or this host is at fault.
        """
        del interrupted  # each of the three finds out what is done
        path, root, host = self._order.kit, self._order.chain[-1], self._order.host
        keys = self._keys()
        if keys and not sealed_marker(path).exists():
            named = [f"{name}={uri}" for name, uri in keys.items()]
            sign(path, named, root=root, workers=host.workers, secrets=host.secrets)
        page, _ = read_head(path)
        envelope = parse_page(page)
        signed, kit_id = set(evaluate(envelope, root.targets).signers), kit_id_of(envelope)
        far = {file: load_detached(file) for file in _detached(path)}
        own = {
            root.targets.keys[one.keyid].signer
            for one in far.values()
            if one.kit_id == kit_id and one.keyid in root.targets.keys
        }
        if len(signed | own) < root.targets.threshold:
            raise self._missing(path, signed | own)
        if far and not signed >= own:
            attach(path, list(far), root=root)
        sealed = seal(path, root=root, workers=host.workers)
        return f"signed by {', '.join(sealed.signers)} (threshold {sealed.threshold}), sealed"

    def _missing(self, path: Path, signed: set[str]) -> SignaturesMissing:
        root = self._order.chain[-1]
        missing = [name for name in root.targets.signers() if name not in signed]
        need = root.targets.threshold - len(signed)
        has = f"signed by {', '.join(sorted(signed))}; " if signed else ""
        pack = shell("offline-kit", "review", "pack", path)
        return SignaturesMissing(
            f"{has}{need} more of {', '.join(missing)} must sign",
            where=show(path),
            fix=f"Have them sign it in place, or a pack (`{pack}`) whose .sig goes into "
            f"{show(path.parent.parent)}; then `offline-kit release --resume`.",
        )


def mend_page(path: Path) -> None:
    """Put back the page of a kit whose signing was killed in the middle of writing it."""
    if os.path.lexists(path):
        with locked(path):
            pass  # whoever takes the lock finds the copy of the page that was there before


def _detached(path: Path) -> Sequence[Path]:
    """Return the detached signatures that lie beside the directory of a release."""
    called = path.parent.name + "."
    try:
        names = sorted(os.listdir(path.parent.parent))
    except OSError:
        return ()
    return [
        path.parent.parent / name
        for name in names
        if name.startswith(called) and name.endswith(".sig")
    ]
