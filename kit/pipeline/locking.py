"""Lock and pin: what every source from elsewhere is, and that the store has it."""

from __future__ import annotations

from kit.lock import LockOptions, lock
from kit.pipeline import digests
from kit.pipeline.model import Digests, Order, counted
from kit.sources.fetched import parts
from kit.sources.lockfile import load_lock
from kit.sources.taken import lock_path
from kit.spec import KitSpec


class LockTask:
    """The lock of the spec."""

    stage = label = "lock"

    def __init__(self, order: Order) -> None:
        self._order = order

    def _spec(self) -> KitSpec:
        return self._order.load()

    def prepare(self) -> None:
        """Nothing is to be settled."""

    def inputs(self) -> Digests:
        """Return the sources of each part that is fetched, with the files that name others."""
        return {part.path: part.digest() for part in parts(self._spec())}

    def outputs(self) -> Digests:
        """Return the lock, and whether the store has all of it."""
        spec = self._spec()
        if not any(parts(spec)):
            return {}
        path = lock_path(spec)
        known = load_lock(path)
        if known is None:
            return {path.name: digests.GONE}
        with self._order.host.store.hold(item.artifact for item in known.artifacts) as missing:
            lacks = len(list(missing))
        return {path.name: digests.of_file(path), "the store": f"lacks {lacks}"}

    def run(self, *, interrupted: bool) -> str:
        """Resolve, fetch and write.

        Raises:
            KitError: A source cannot be had.
        """
        del interrupted  # what was fetched is in the store
        spec = self._spec()
        if not any(parts(spec)):
            return "nothing is fetched"
        host = self._order.host
        with host.access() as ways:
            locked = lock(spec, host.store, ways.client, ways.logins, LockOptions(), ways.progress)
        what = "written" if locked.changed else "as it was"
        return f"{locked.path.name} {what}: {counted(len(locked.lock.artifacts), 'file')} pinned"
