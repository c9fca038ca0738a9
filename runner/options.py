"""The words of the command line of the runner; nothing here prints or exits."""

from __future__ import annotations

from runner import __version__
from runner.here import RUNS
from verifier import _compat
from verifier.options import Parser

COMMANDS = {
    "plan": "Say what a run of a kit would do here, and look whether it can.",
    "run": "Accept a kit, and run its runbook.",
    "resume": "Go on with a run, from wherever it is.",
    "watch": "Sample the probes of a run whose steps are done, until its window ends.",
    "status": "Say where a run is; --metrics says it for Prometheus.",
    "rollback": "Take back what a run has done, in reverse.",
    "approve": "Sign at a gate that asks for people, or write what is to be signed.",
    "abort": "End a run without taking anything back.",
    "mark": "Say of a step what only a person can: that it is done, or to be done again.",
    "export": "Show what evidence of a run would leave; with --out pack it, and seal it.",
    "explain": "Explain an error code.",
}
_EPILOG = """\
exit status: 0 done, 2 usage, 3 undecided, 4 the kit or the journal rejected, 5 stopped at a step,
6 waits for somebody, 7 a rollback could not be finished."""


def parser() -> Parser:
    """Return what reads the command line of the runner."""
    made = Parser(
        prog="kit-run",
        description="Runs the runbook of a kit, with a journal, and takes it back.",
        epilog=_EPILOG,
    )
    made.add_argument("--version", action="version", version=f"kit-run {__version__}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        _add_options(commands.add_parser(name, help=text, description=text), name)
    return made


def _add_options(command: Parser, name: str) -> None:
    if name == "explain":
        command.add_argument("code", metavar="CODE", nargs="?", help="all of them if none is given")
        return
    if name in ("plan", "run"):
        _add_kit(command, name)
    else:
        command.add_argument("run", metavar="RUN", help="the directory of the run")
    if name == "run":
        command.add_argument("--runs", metavar="DIR", default=RUNS, help="where runs are kept")
        command.add_argument("--name", metavar="NAME", default="", help="the name of the run")
    if name in ("resume", "watch", "rollback"):
        command.add_argument("--settings", metavar="FILE", default="", help="where secrets are now")
        command.add_argument(
            "--end-survivors", action="store_true", help="end what an earlier runner left at work"
        )
    if name in ("run", "resume", "watch", "rollback"):
        command.add_argument(
            "--answer",
            action="append",
            default=[],
            metavar="ABOUT=yes|no",
            help="answer a gate or a question; may be given several times",
        )
        command.add_argument("--yes", action="store_true", help="answer gates that allow it")
        command.add_argument(
            "--reason", metavar="TEXT", default="", help="why: stands beside each --answer"
        )
    if name in ("resume", "watch", "rollback", "abort", "mark", "approve"):
        command.add_argument(
            "--take-over", metavar="REASON", default="", help="another host worked on it last"
        )
        command.add_argument(
            "--changed", metavar="REASON", default="", help="settings, Python or runner changed"
        )
    if name == "status":
        command.add_argument("--metrics", action="store_true", help="print Prometheus text")
    _add_rare(command, name)
    command.add_argument("--json", action="store_true", help="print events and results as JSON")
    if name not in ("plan", "status", "export"):
        command.add_argument("--by", metavar="NAME", default="", help="who you are: a claim")


def _add_kit(command: Parser, name: str) -> None:
    command.add_argument("kit", metavar="KIT", help="the kit, a file")
    command.add_argument(
        "--trust", metavar="DIR", default=_compat.SYSTEM_TRUST, help="the trust directory"
    )
    command.add_argument(
        "--settings",
        metavar="FILE",
        required=name == "run",
        default="",
        help="the settings of the site, JSON"
        + ("; without them: what they must hold" if name == "plan" else ""),
    )
    command.add_argument(
        "--environment", metavar="NAME", default="", help="must be that of the settings"
    )
    command.add_argument(
        "--after", metavar="EVIDENCE", default="", help="of the environment before, a file"
    )


def _add_rare(command: Parser, name: str) -> None:
    if name == "resume":
        command.add_argument(
            "--trust", metavar="DIR", default="", help="has operators.json (where it was)"
        )
    if name == "rollback":
        command.add_argument(
            "--past-no-return", action="store_true", help="also from behind the point of no return"
        )
        command.add_argument(
            "--adopted", action="store_true", help="also what was done before this run"
        )
    if name == "mark":
        command.add_argument("step", metavar="STEP", help="a step")
        command.add_argument("to", metavar="done|redo", choices=("done", "redo"), help="what it is")
    if name == "approve":
        command.add_argument("step", metavar="STEP", help="a gate")
        command.add_argument(
            "--trust", metavar="DIR", default=_compat.SYSTEM_TRUST, help="has operators.json"
        )
        command.add_argument("--out", metavar="FILE", default="", help="write what is to be signed")
        command.add_argument("--signature", metavar="FILE", default="", help="a signature over it")
    if name == "export":
        _add_export(command)
    if name in ("mark", "abort"):
        command.add_argument("--reason", metavar="TEXT", required=True, help="why")


def _add_export(command: Parser) -> None:
    command.add_argument("--site", metavar="NAME", required=True, help="what this site is called")
    command.add_argument("--out", metavar="DIR", default="", help="write it here, when it is shown")
    command.add_argument(
        "--trust", metavar="DIR", default=_compat.SYSTEM_TRUST, help="has operators.json"
    )
    command.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="FILE|ssh:FILE",
        help="seal it by an Ed25519 key, or through ssh-keygen; may be given several times",
    )
    command.add_argument(
        "--digests-only", action="store_true", help="keep back what programs printed and wrote"
    )
    command.add_argument("--yes", action="store_true", help="what is shown may leave")
