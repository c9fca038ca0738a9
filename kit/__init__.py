"""The release host's side: turns a spec into a signed kit.  May import `verifier`."""

from __future__ import annotations

__version__ = "0.1.0"
