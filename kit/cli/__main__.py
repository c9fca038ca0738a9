"""``python -m kit.cli``: the same as the program ``offline-kit``."""

from __future__ import annotations

from kit.cli import main

main()
