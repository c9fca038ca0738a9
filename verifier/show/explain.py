"""Explains an error code without a network: the docstring of its class is its page."""

from __future__ import annotations

import difflib
import inspect

from verifier.core.errors import KitError, UsageError, all_errors
from verifier.evidence import errors as _of_evidence  # noqa: F401  # its classes have pages too
from verifier.host import errors as _of_the_host  # noqa: F401  # and these

_MEANING = {2: "usage", 3: "undecided", 4: "rejected"}


def explain(code: str) -> str:
    """Return the page of one code.

    Raises:
        UsageError: There is no such code; close ones are named.
    """
    pages: dict[str, type[KitError]] = {kind.code: kind for kind in all_errors()}
    if code not in pages:
        close = difflib.get_close_matches(code.lower(), pages, 3, 0.4)
        raise UsageError(
            f"no such code: {code!r}" + (f"; close: {', '.join(close)}" if close else ""),
            fix="Copy the code from between the brackets of error[...].",
        )
    return page(pages[code])


def page(kind: type[KitError]) -> str:
    """Return the page of one class of errors."""
    status = int(kind.status)
    text = inspect.cleandoc(kind.__doc__ or "")
    return f"{kind.code} ({_MEANING[status]}, exit status {status})\n\n{text}\n\nfix: {kind.fix}\n"
