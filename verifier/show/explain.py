"""Explains an error code without a network: the docstring of its class is its page."""

from __future__ import annotations

import difflib
import inspect

from verifier import pack as _of_packs  # noqa: F401  # and these
from verifier.audit import errors as _of_audits  # noqa: F401  # its classes have pages too
from verifier.core.errors import KitError, UsageError, all_errors
from verifier.evidence import errors as _of_evidence  # noqa: F401  # and these
from verifier.evidence.kinds import errors as _of_kinds  # noqa: F401  # and these
from verifier.evidence.sigstore import errors as _of_sigstore  # noqa: F401  # and these
from verifier.host import errors as _of_the_host  # noqa: F401  # and these
from verifier.repair import errors as _of_repair  # noqa: F401  # and these

_MEANING = {2: "usage", 3: "undecided", 4: "rejected"}


def explain(code: str) -> str:
    """Return the page of one code.

    Raises:
        UsageError: There is no such code; close ones are named.
    """
    pages: dict[str, type[KitError]] = {kind.code: kind for kind in all_errors()}
    if code not in pages:
        close = difflib.get_close_matches(code.lower(), pages, 3, 0.4)
        hint = f"; close: {', '.join(close)}" if close else ""
        raise UsageError(f"no such code: {code!r}{hint}", fix="`explain` alone lists them all.")
    return page(pages[code])


def codes() -> str:
    """Return every code with its exit status and the first sentence of its page."""
    lines = []
    for kind in all_errors():
        first = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        lines.append(f"{kind.code:<28} {int(kind.status)}  {first}\n")
    return "".join(lines)


def page(kind: type[KitError]) -> str:
    """Return the page of one class of errors."""
    status = int(kind.status)
    text = inspect.cleandoc(kind.__doc__ or "")
    return f"{kind.code} ({_MEANING[status]}, exit status {status})\n\n{text}\n\nfix: {kind.fix}\n"
