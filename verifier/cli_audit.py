"""The command line of `audit`: one report of a kit from which it can be signed off."""

from __future__ import annotations

import argparse
import sys

from verifier.core.errors import ExitStatus, KitError
from verifier.core.pipeline import Job
from verifier.options import Parser
from verifier.run import default_workers, parse_expectation
from verifier.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.host.accept import Host

FILES = {
    "html": "write the audit as one HTML file",
    "sarif": "write what stands against the kit as SARIF 2.1.0",
    "junit": "write the decisions as JUnit XML",
    "vex": "write the findings with their answers as OpenVEX",
}


def add_options(command: Parser) -> None:
    """Add what `audit` takes beside what every command that reads a kit does."""
    command.add_argument("--expect", metavar="NAME[@VERSION]", help="refuse any other kit")
    command.add_argument(
        "--evidence",
        action="append",
        default=[],
        metavar="FILE",
        help="evidence that came later; counts by who signed it; may be given several times",
    )
    for name, text in FILES.items():
        command.add_argument(f"--{name}", metavar="FILE", help=text)


def show_audit(options: argparse.Namespace, job: Job, host: Host | None) -> ExitStatus:
    """Audit a kit, write the files that were asked for, and print the rest.

    Raises:
        UsageError: A file cannot have the name that it is given.
        AuditUnwritable: A file could not be written.
    """
    from verifier.audit.jsonform import audit_pieces  # here: verify starts without this room
    from verifier.audit.order import audit_kit
    from verifier.audit.outputs import Outputs
    from verifier.audit.textform import audit_text
    from verifier.host.attestations import read_given

    job.expect = parse_expectation(options.expect or "", options.expect_line or "")
    job.workers = default_workers()
    outputs = Outputs(
        {name: getattr(options, name) for name in FILES if getattr(options, name)},
        (options.kit, options.root, options.trust, *options.evidence),
        host.directory.path if host is not None else "",
    )
    audit = audit_kit(options.kit, job, host=host, later=read_given(options.evidence))
    status = audit.report.status
    if options.json:
        for piece in audit_pieces(audit):
            sys.stdout.write(piece)
    else:
        for line in audit_text(audit):
            print(line)
    try:
        outputs.write(audit)
    except KitError as error:
        print(error, file=sys.stderr)
        return max(status, error.status)
    return status
