"""``kit-run export``: what a run leaves, packed and sealed; shown before anything is written."""

from __future__ import annotations

import argparse
import sys

from runner import telling
from runner.here import Here
from runner.operators import look_at
from runner.status import RunStatus


def export(options: argparse.Namespace, here: Here) -> int:
    """Show what would leave, ask, write, and say who sealed it."""
    from runner.homing import orders  # here: a zipapp compiles what it imports
    from runner.homing.words import leaving_lines

    held = orders.opened(options.run, options.site, options.digests_only, here)
    with held as (package, unseen):
        operators = look_at(options.trust, here.clock())
        about = telling.operators_value(operators)
        if not options.json:
            lines = [*leaving_lines(package, unseen), *telling.operators_lines(operators)]
            print("\n".join(lines))
            sys.stdout.flush()
        if not options.out:
            if options.json:
                print(telling.json_line({**orders.package_value(package, unseen), **about}))
            return RunStatus.DONE
        # before anybody is asked
        admitted = orders.sealed_under(package, options.key, options.trust, here)
        if admitted.override:
            about["override"] = admitted.override
        if not (options.yes or _agreed(options.json)):
            print("nothing was written: somebody must say that this may leave (--yes)")
            return RunStatus.WAITS
        path, signers = orders.export(package, options.out, options.key, admitted.root, here)
    if options.json:
        value = orders.package_value(package, unseen)
        print(telling.json_line({**value, **about, "path": path, "sealedBy": signers}))
    else:
        if admitted.override:
            print(f"let pass: {admitted.override}")
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
