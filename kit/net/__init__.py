"""The one place that speaks to a network: HTTP for `offline-kit lock`, and nobody else."""

from __future__ import annotations
