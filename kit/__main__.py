"""The program ``offline-kit``, also as ``python -m kit``.

What needs nothing is answered before anything is loaded: the version, and the page of an error.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from kit import __version__
from verifier.streams import guarded


def main() -> NoReturn:
    """Run offline-kit as a program."""
    words = sys.argv[1:]
    if words == ["--version"]:
        sys.exit(guarded(_version))
    if len(words) == 2 and words[0] == "explain" and _is_near(words[1]):
        sys.exit(guarded(_explain))
    from kit.cli import main as run  # here: it loads what most commands need

    run()


def _version() -> int:
    print(f"offline-kit {__version__}")
    return 0


def _is_near(code: str) -> bool:
    """Whether a code belongs to the modules of errors that load nothing else."""
    import kit.errors  # noqa: F401  # its classes have pages
    from verifier.core.errors import all_errors
    from verifier.show import explain  # noqa: F401  # and those of the verifier

    return any(kind.code == code for kind in all_errors())


def _explain() -> int:
    from verifier.show.explain import explain

    print(explain(sys.argv[2]), end="")
    return 0


if __name__ == "__main__":
    main()
