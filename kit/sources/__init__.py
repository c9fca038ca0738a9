"""Where the contents of a kit come from: found, listed in the order of the archive, read."""

from __future__ import annotations
