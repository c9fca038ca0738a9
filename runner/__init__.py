"""Runs the runbook of a kit at the site: step by step, with a journal, and back again.

Imports the standard library and `verifier` only; runs on Python 3.9 to 3.14 of a POSIX host.
"""

from __future__ import annotations

__version__ = "0.1.0"
