"""The command line of the runner: the only file here that prints, reads argv or exits."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections.abc import Mapping, Sequence

from runner import __version__, orders, telling
from runner.errors import RunStands
from runner.homing import cli as homing
from runner.orders import RUNS, Allowed, Here
from runner.site import Surroundings
from runner.state import GONE
from runner.status import RunStatus
from runner.work import Answer
from verifier import _compat
from verifier.core.errors import UsageError
from verifier.core.manifest import NAME
from verifier.core.model import format_time
from verifier.options import Parser, check_no_file_is_an_option
from verifier.streams import guarded
from verifier.typed import Any, NoReturn

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
_INTERRUPTED = "STOPPED: interrupted; `kit-run status RUN` says where the run is"


def _parser() -> Parser:
    parser = Parser(
        prog="kit-run",
        description="Runs the runbook of a kit, with a journal, and takes it back.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"kit-run {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        _add_options(commands.add_parser(name, help=text, description=text), name)
    return parser


def _add_options(command: Parser, name: str) -> None:
    if name == "explain":
        command.add_argument("code", metavar="CODE", nargs="?", help="all of them if none is given")
        return
    if name in ("plan", "run"):
        command.add_argument("kit", metavar="KIT", help="the kit, a file")
        command.add_argument(
            "--trust", metavar="DIR", default=_compat.SYSTEM_TRUST, help="the trust directory"
        )
        command.add_argument(
            "--settings", metavar="FILE", required=True, help="the settings of the site, JSON"
        )
        command.add_argument(
            "--environment", metavar="NAME", default="", help="must be that of the settings"
        )
        command.add_argument(
            "--after", metavar="EVIDENCE", default="", help="of the environment before, a file"
        )
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


def _add_rare(command: Parser, name: str) -> None:
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
        homing.add_options(command)
    if name in ("mark", "abort"):
        command.add_argument("--reason", metavar="TEXT", required=True, help="why")


def main(argv: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Run the runner and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    kept = dict(environment or {})
    return guarded(lambda: _run(arguments, kept), interrupted=_INTERRUPTED, still=True)


def entry(environment: Mapping[str, str]) -> NoReturn:
    """Run the runner as a program."""
    sys.exit(main(None, environment))


def _run(arguments: list[str], environment: Mapping[str, str]) -> int:
    check_no_file_is_an_option(arguments)
    if not arguments:
        raise UsageError("there is no command", fix="Try `kit-run plan KIT --settings FILE`.")
    options = _parser().parse_args(arguments)
    if options.command == "explain":
        from runner import errors  # noqa: F401  # its classes have pages too
        from verifier.show import explain

        print(explain.explain(options.code) if options.code else explain.codes(), end="")
        return RunStatus.DONE
    here = Here(
        operator=getattr(options, "by", "") or _user(),
        host=_host(),
        clock=lambda: int(time.time()),
        environment=environment,
        top=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    )
    return {
        "plan": _plan,
        "run": _begin,
        "resume": _resume,
        "watch": _resume,
        "rollback": _resume,
        "status": _status,
        "abort": _abort,
        "approve": _approve,
        "mark": _mark,
        "export": _export,
    }[options.command](options, here)


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _host() -> str:
    """Return what tells this host from others: its name, and what its installation is called."""
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            number = file.read(32)[:12]
    except (OSError, UnicodeDecodeError):
        number = ""
    return f"{os.uname().nodename}/{number}" if number else os.uname().nodename


class _Teller:
    """Prints events as they come: lines for people, or JSON for programs."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json

    def say(self, event: str, **facts: Any) -> None:
        if self._json:
            print(telling.json_line({"event": event, **facts}))
        else:
            line = telling.event_line(event, facts)
            if line:
                print(line)
        sys.stdout.flush()

    def show(self, data: bytes) -> None:
        if not self._json:
            text = telling.shown(data)
            if text:
                print(text)
                sys.stdout.flush()


def _around(options: argparse.Namespace, here: Here, run: str) -> Surroundings:
    teller, given = _Teller(options.json), {}
    for text in options.answer:
        about, _, answer = text.rpartition("=")
        if not about or answer not in ("yes", "no"):
            raise UsageError(f"--answer wants ABOUT=yes or ABOUT=no, not {text!r}")
        given[about] = answer == "yes"

    def ask(about: str, question: str, yes: bool) -> Answer | None:
        name = about.partition(":")[2]
        for known in (about, name):
            if known in given:
                return Answer(given[known], here.operator)
        if yes and options.yes:
            return Answer(True, here.operator, "--yes")
        if options.json or sys.stdin is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return None
        return _ask(about, question)

    return Surroundings(
        run=run,
        top=here.top,
        say=teller.say,
        ask=ask,
        show=teller.show,
        end_alive=getattr(options, "end_survivors", False),
    )


def _ask(about: str, question: str) -> Answer | None:
    """Ask whoever sits at the terminal; nothing typed is no answer."""
    print(f"{about}: {question}")
    try:
        said = input("type yes or no, then your name: ").split(None, 1)
    except EOFError:
        return None
    if len(said) != 2 or said[0] not in ("yes", "no"):
        return None
    return Answer(said[0] == "yes", said[1][:64])


def _plan(options: argparse.Namespace, here: Here) -> int:
    found = orders.plan(options.kit, options.trust, options.settings, options.environment, here)
    lines = list(telling.plan_lines(found.looked.book, found.settings))
    if options.json:
        print(telling.json_line({"kitId": found.looked.kit_id, "plan": lines}))
    else:
        print("\n".join(lines))
    unlocked = orders.check(found, here, options.after)
    if not options.json:
        print("".join(telling.unlocked_lines(unlocked.after, unlocked.override)), end="")
        print("the site has what it needs; nothing was changed")
    return RunStatus.DONE


def _begin(options: argparse.Namespace, here: Here) -> int:
    found = orders.plan(options.kit, options.trust, options.settings, options.environment, here)
    unlocked = orders.check(found, here, options.after)
    info = found.looked.manifest.kit
    moment = format_time(here.clock()).replace(":", "").replace("-", "").lower()
    name = options.name or f"{moment}-{secrets.token_hex(3)}"
    if not NAME.fullmatch(name):
        raise UsageError(f"--name wants 1 to 64 of a-z 0-9 . _ -, not {name!r}")
    place = os.path.join(options.runs, *info.line.split("/"), name)
    around = _around(options, here, name)
    directory, journal = orders.begin(options.kit, found, here, place, name, unlocked, None)
    journal.close()
    directory.close()
    around.say("begun", run=place)
    if not options.json:
        print(f"run {directory.path}")
    return _go(options, here, place)


def _resume(options: argparse.Namespace, here: Here) -> int:
    return _go(options, here, options.run)


def _allowed(options: argparse.Namespace) -> Allowed:
    return Allowed(getattr(options, "changed", ""), getattr(options, "take_over", ""))


def _go(options: argparse.Namespace, here: Here, place: str) -> int:
    settings = "" if options.command == "run" else options.settings
    run = orders.open_run(place, here, _allowed(options), settings)
    try:
        if options.command == "watch" and run.state.phase not in ("complete", "watching"):
            raise RunStands(f"the run is {run.state.phase}: there is nothing to watch yet")
        status = orders.go(
            run,
            here,
            _allowed(options),
            _around(options, here, run.bound["run"]),
            back=options.command == "rollback",
            past=getattr(options, "past_no_return", False),
            adopted=getattr(options, "adopted", False),
        )
    finally:
        run.close()
    if status not in (RunStatus.DONE,) and not options.json:
        print(f"the run is in {run.directory.path}")
    return status


def _status(options: argparse.Namespace, here: Here) -> int:
    state = orders.look(options.run)
    place = os.path.abspath(options.run)
    if options.metrics:
        print("\n".join(telling.metrics_lines(state)))
    elif options.json:
        print(telling.json_line(telling.status_value(state, place)))
    else:
        print("\n".join(telling.status_lines(state, place)))
    return RunStatus.DONE


def _abort(options: argparse.Namespace, here: Here) -> int:
    run = orders.open_run(options.run, here, _allowed(options))
    try:
        stamped = orders.start(run, here, _allowed(options))
        orders.note(
            run, stamped, {"type": "phase", "phase": "abandoned", "why": options.reason[:500]}
        )
        for line in telling.staying_lines(run.book, run.state):
            print(line)
    finally:
        run.close()
    return RunStatus.DONE


def _approve(options: argparse.Namespace, here: Here) -> int:
    if bool(options.out) == bool(options.signature):
        raise UsageError(
            "approve wants --out or --signature",
            fix="Write what is to be signed with --out FILE; sign it with `ssh-keygen -Y sign -n "
            "offline-kit -f KEY FILE`; then give --signature FILE.sig.",
        )
    run = orders.open_run(options.run, here, _allowed(options))
    try:
        step = run.book.step(options.step)
        if step is None or not step.people.get(run.settings.environment, 0):
            raise UsageError(f"{options.step!r} is no gate that asks for people here")
        if options.out:
            orders.write_statement(run, step, options.out)
            print(f"wrote {options.out}")
            return RunStatus.DONE
        signer = orders.approve(run, step, here, options.trust, options.signature)
        needed = step.people[run.settings.environment]
        signed = len(run.state.approvals[step.id])
        print(f"{step.id}: approved by {signer}, {signed} of {needed}")
    finally:
        run.close()
    return RunStatus.DONE


def _export(options: argparse.Namespace, here: Here) -> int:
    return homing.export(options, here)


def _mark(options: argparse.Namespace, here: Here) -> int:
    run = orders.open_run(options.run, here, _allowed(options))
    try:
        known = run.state.steps.get(options.step)
        if known is None:
            raise UsageError(f"there is no step {options.step!r} in this run")
        if run.state.phase in GONE or known.status in ("pending", "done"):
            raise RunStands(f"the step is {known.status}, and the run is {run.state.phase}")
        stamped = orders.start(run, here, _allowed(options))
        what = {"type": "mark", "step": options.step, "to": options.to, "by": here.operator}
        orders.note(run, stamped, {**what, "reason": options.reason[:500]})
        print(f"{options.step}: {options.to}")
    finally:
        run.close()
    return RunStatus.DONE
