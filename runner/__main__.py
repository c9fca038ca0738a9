"""Starts the runner isolated from the directory it is run in.

This file must stay valid for Python 2.7, so that an old Python answers in a sentence.
"""

from __future__ import print_function

import sys

OLDEST = (3, 9)

if sys.version_info[:2] < OLDEST:
    sys.stderr.write(
        "kit-run needs Python %d.%d or newer; this is %d.%d.\n"
        "Nothing was done. Run it with a newer Python, e.g.: python3.11 -I kit-run.pyz plan KIT\n"
        % (OLDEST + sys.version_info[:2])
    )
    sys.exit(3)


def _take_environment():
    """Return the environment, and empty it: a secret may be in it, and nothing else may act."""
    import os

    kept = dict(os.environ)
    for name in list(os.environ):
        try:
            del os.environ[name]
        except OSError:  # a name that is empty: nobody can ask for it
            pass
    return kept


def main():
    """Run the runner as a program; without -I it refuses, since it could not undo what was read."""
    if not sys.flags.isolated:
        sys.stderr.write(
            "kit-run must be started isolated: python3 -I kit-run.pyz COMMAND\nNothing was done.\n"
        )
        sys.exit(2)
    sys.dont_write_bytecode = True
    from runner.cli import entry

    entry(_take_environment())


if __name__ == "__main__":
    main()
