"""Build: the version takes its number, and the kit is written, unsigned and proved."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from pathlib import Path

from kit import __version__
from kit.build import BuiltKit, Options, build
from kit.container.archive import compressor_name
from kit.container.draft import created_of
from kit.container.head import read_head
from kit.container.output import sweep
from kit.errors import show
from kit.pipeline import digests
from kit.pipeline.errors import BuiltOtherwise
from kit.pipeline.model import Digests, Order, counted
from kit.pipeline.numbers import find_number, keep_number, load_numbers, with_number
from kit.pipeline.payload import component_digests
from kit.pipeline.signing import mend_page
from kit.pipeline.taking import next_number
from kit.rebuild import RebuildDiffers, rebuild
from kit.releases.layout import new_release
from kit.signing import SumsSigner, key_files, load_sums_signer
from kit.sources.collect import collect
from kit.sources.taken import lock_path, take
from kit.spec import KitSpec
from verifier.core.envelope import parse_page
from verifier.core.pipeline import kit_id_of
from verifier.core.trust import chain_bytes


class BuildTask:
    """The kit of a version."""

    stage = label = "build"

    def __init__(self, order: Order) -> None:
        self._order = order

    @property
    def _plain(self) -> KitSpec:
        return self._order.load()

    def _numbered(self) -> KitSpec:
        """Return the spec with the number of its version: what it took, or would take now."""
        spec, order = self._plain, self._order
        number = find_number(load_numbers(spec.file), spec) or next_number(spec, order)
        return with_number(spec, number, order.host.settings)

    @cached_property
    def _sums(self) -> SumsSigner | None:
        key = self._order.defaults.sums_key
        return load_sums_signer(key.value, secrets=self._order.host.secrets) if key else None

    def prepare(self) -> None:
        """Take the number of the version, which is on the disk from then on."""
        mend_page(self._order.kit)
        spec = self._plain
        if find_number(load_numbers(spec.file), spec) is None:
            keep_number(spec.file, next_number(spec, self._order))

    def inputs(self) -> Digests:
        """Return the spec, what its version took, and all that the kit will carry."""
        order, spec = self._order, self._numbered()
        kit, created = spec.kit, created_of(spec, order.host.epoch)
        found = {
            "the spec": spec.sha256,
            "the version": kit.version,
            "its sequence": str(kit.sequence),
            "its time": created,
            "what it supersedes": digests.of_value(list(kit.supersedes)),
            "the lock": digests.of_file(lock_path(spec)),
            "the root": hashlib.sha256(chain_bytes(order.chain)).hexdigest(),
            "offline-kit": f"{__version__}, {compressor_name()}",
        }
        if self._sums is not None:
            found["the key of SHA256SUMS"] = hashlib.sha256(
                self._sums.public_pem.encode()
            ).hexdigest()
        for name, digest in component_digests(spec, order).items():
            found[f"component {name}"] = digest
        with take(spec, order.host.store) as taken:
            evidence = collect(spec, taken=taken).evidence
        for i in range(len(evidence)):
            path = evidence.path(i).decode("utf-8", "backslashreplace")
            found[path] = digests.of_file(Path(os.fsdecode(evidence.source(i))))
        return found

    def outputs(self) -> Digests:
        """Return the kitId of the kit as it lies there; who signed it is no matter here."""
        path = self._order.kit
        if not os.path.lexists(path):
            return {path.name: digests.GONE}
        return {path.name: str(kit_id_of(parse_page(read_head(path)[0])))}

    def run(self, *, interrupted: bool) -> str:
        """Build.

        Raises:
            BuiltOtherwise: There is a kit of this version, of other sources.
            KitError: The sources or this host are at fault.
        """
        order, spec, path = self._order, self._numbered(), self._order.kit
        if os.path.lexists(path):
            if not interrupted:
                self._compare(path, spec)
            sweep(path.parent)
            # else: it has its name, so that run had proved it, and no input has changed since
            return f"{path.name} is there already, and is what the sources make"
        keys = [item.value for item in order.defaults.keys.values()]
        keys += [order.defaults.sums_key.value] if order.defaults.sums_key is not None else []
        with take(spec, order.host.store) as taken, new_release(path):
            options = Options(
                workers=order.host.workers,
                epoch=order.host.epoch,
                keys=key_files(keys, order.chain[-1].targets.keys),
                out=order.out,
                taken=taken,
                progress=order.host.progress,
            )
            built = build(spec, order.chain, path.parent, options, sums=self._sums)
        return _said(built)

    def _compare(self, path: Path, spec: KitSpec) -> None:
        """Hold a kit that was there to what would be built now."""
        host = self._order.host
        try:
            with take(spec, host.store) as taken:
                options = Options(workers=host.workers, epoch=host.epoch, taken=taken)
                rebuild(path, spec, options, root=self._order.chain[-1])
        except RebuildDiffers as error:
            why = f"is of other sources: {error.where}: {error.message}"
            raise BuiltOtherwise(why, where=show(path)) from None


def _said(built: BuiltKit) -> str:
    info = built.manifest.kit
    return (
        f"{built.path.name}: sequence {info.sequence}, {counted(built.members, 'member')}, "
        f"{built.size} bytes, kitId {built.kit_id}"
    )
