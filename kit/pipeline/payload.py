"""What the components of a spec are, by digest, while its evidence is still being made."""

from __future__ import annotations

from kit.container.draft import created_of, draft_manifest
from kit.pipeline.model import Order
from kit.sources.digests import payload_index
from kit.sources.taken import take
from kit.spec import KitSpec
from verifier.core.model import parse_time
from verifier.evidence.components import component_digest


def payload_only(spec: KitSpec) -> KitSpec:
    """Return a spec without its evidence."""
    empty: dict[str, object] = {"evidence": (), "sboms": (), "attestations": (), "layout": None}
    return spec.model_copy(update={**empty, "exemptions": ()})


def component_digests(spec: KitSpec, order: Order) -> dict[str, str]:
    """Return the digest of each component, by its id (FORMAT 11.2).

    Raises:
        KitError: A source is at fault.
    """
    bare = payload_only(spec)
    created = created_of(bare, order.host.epoch)
    with take(bare, order.host.store) as taken:
        index = payload_index(bare, taken, parse_time(created) or 0)
    components = draft_manifest(bare, created).components
    return {item.id: component_digest(index, item) for item in components}
