"""The receipt: a report as an in-toto Statement that this host can keep, and sign later.

It is unsigned, and says what a run found and how; it exists only for a kit of which every byte was
looked at.
"""

from __future__ import annotations

import os

from verifier.core.errors import ExitStatus, UsageError
from verifier.core.jsonstrict import compact
from verifier.core.model import STATEMENT_TYPE, format_time
from verifier.host import files
from verifier.host.errors import ReceiptUnwritable
from verifier.host.state import told_time
from verifier.show.report import Report
from verifier.show.reportvalue import report_value

RECEIPT_PREDICATE = "https://offline-kit.example/receipt/v1"
_OF_THE_HOST = ("extractedTo", "noted", "decoder")  # what says nothing of the kit


def receipt_bytes(report: Report, clock: int) -> bytes:
    """Return the receipt: compact JSON and an LF, the same for the same report and clock.

    Its subjects are the kit's two identities, under the names of FORMAT 11.

    Raises:
        ValueError: The kit is not proved; there is nothing to give a receipt for.
    """
    opened = report.opened
    if report.status is not ExitStatus.VERIFIED or opened.kit_id is None:
        raise ValueError("a receipt is for a kit that is proved")
    subjects = [{"name": "kitId", "digest": {"sha256": opened.kit_id}}]
    if opened.content_id is not None:
        subjects.append({"name": "contentId", "digest": {"sha256": opened.content_id}})
    value = report_value(report)
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": RECEIPT_PREDICATE,
        "predicate": {
            "at": format_time(told_time(clock)),
            "proof": report.proof,
            "report": {name: item for name, item in value.items() if name not in _OF_THE_HOST},
        },
    }
    return compact(statement) + b"\n"


def check_receipt(path: str) -> None:
    """See that a receipt could have this name, before anything else is done.

    Raises:
        UsageError: Something is there already: a receipt is never overwritten.
    """
    if os.path.lexists(path):
        raise UsageError(
            f"--receipt: {path!r} is there already",
            fix="Name a file that does not exist yet: a receipt is never overwritten.",
        )
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise UsageError(
            f"--receipt: there is no directory for {path!r}",
            fix="Make the directory first, or name a file in another one.",
        )


def write_receipt(path: str, report: Report, clock: int) -> None:
    """Write the receipt of a kit that is proved.

    Raises:
        ReceiptUnwritable: The host refuses, or something has the name by now.
    """
    try:
        files.create(os.path.abspath(path), receipt_bytes(report, clock), 0o644)
    except OSError as error:
        raise ReceiptUnwritable(error.strerror or str(error), where=repr(path)) from None
