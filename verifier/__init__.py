"""The standalone verifier: proves a kit with nothing but Python and a pinned root of trust."""

from __future__ import annotations

__version__ = "0.1.0"
