"""What was fetched once: files under their own SHA-256, shared by all builds of a user."""

from __future__ import annotations

from kit.store.store import Artifact, Damaged, Removed, Store, default_root

__all__ = ["Artifact", "Damaged", "Removed", "Store", "default_root"]
