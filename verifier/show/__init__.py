"""What people read: reports, explanations, digests in groups, and what a host says of its trust."""

from __future__ import annotations
