"""``kit-run export``: what a run leaves, packed and sealed; shown before anything is written."""

from __future__ import annotations

import argparse
import sys

from runner import telling
from runner.here import Here
from runner.status import RunStatus


def export(options: argparse.Namespace, here: Here) -> int:
    """Show what would leave, ask, write, and say who sealed it."""
    from runner.homing import orders  # here: a zipapp compiles what it imports
    from runner.homing.words import leaving_lines

    held = orders.opened(options.run, options.site, options.digests_only, here.environment)
    with held as (package, unseen):
        if not options.json:
            print("\n".join(leaving_lines(package, unseen)))
            sys.stdout.flush()
        if not options.out:
            if options.json:
                print(telling.json_line(orders.package_value(package, unseen)))
            return RunStatus.DONE
        if not (options.yes or _agreed(options.json)):
            print("nothing was written: somebody must say that this may leave (--yes)")
            return RunStatus.WAITS
        path, signers = orders.export(package, options.out, options.key, options.trust, here)
    if options.json:
        value = orders.package_value(package, unseen)
        print(telling.json_line({**value, "path": path, "sealedBy": signers}))
    else:
        print(f"wrote {path}")
        print(f"SEALED by {', '.join(signers)}" if signers else "NOT SEALED: it is nobody's word")
    return RunStatus.DONE if signers else RunStatus.WAITS


def _agreed(as_json: bool) -> bool:
    if as_json or sys.stdin is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        return input("may this leave the site? type yes: ").strip() == "yes"
    except EOFError:
        return False
