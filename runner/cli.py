"""The command line of the runner: each command hands its words on, and prints what comes back."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections.abc import Mapping, Sequence

from runner import standing, telling
from runner.cli_teller import Teller, answers, around
from runner.errors import RunStands
from runner.here import Here
from runner.operators import look_at
from runner.options import parser
from runner.standing import Allowed
from runner.state import GONE
from runner.status import RunStatus
from verifier import _compat
from verifier.core.errors import OutputLost, TargetUnwritable, UsageError
from verifier.core.manifest import NAME
from verifier.core.model import format_time
from verifier.options import check_no_file_is_an_option
from verifier.streams import guarded
from verifier.typed import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from runner.kitside import Looked

_INTERRUPTED = "STOPPED: interrupted; `kit-run status RUN` says where the run is"


def main(argv: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """Run the runner and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    kept = dict(environment or {})
    return guarded(lambda: _refused(arguments, kept), interrupted=_INTERRUPTED, still=True)


def _refused(arguments: list[str], environment: Mapping[str, str]) -> int:
    """Do what was asked; what the host refuses where nobody expects it has its status, too."""
    try:
        return _run(arguments, environment)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not _compat.stands_somewhere():
            raise
        where = repr(error.filename) if error.filename is not None else ""
        raise TargetUnwritable(error.strerror or str(error), where=where) from None


def entry(environment: Mapping[str, str]) -> NoReturn:
    """Run the runner as a program."""
    sys.exit(main(None, environment))


def _run(arguments: list[str], environment: Mapping[str, str]) -> int:
    check_no_file_is_an_option(arguments)
    if not arguments:
        raise UsageError("there is no command", fix="Try `kit-run plan KIT --settings FILE`.")
    options = parser().parse_args(arguments)
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


def _plan(options: argparse.Namespace, here: Here) -> int:
    from runner import orders  # what proves kits is not loaded to resume

    if not options.settings:
        return _wanted(options, orders.look(options.kit, options.trust, here))
    found = orders.plan(options.kit, options.trust, options.settings, options.environment, here)
    lines = list(telling.plan_lines(found.looked.book, found.settings))
    operators = look_at(options.trust, found.now)
    if options.json:
        value = {"kitId": found.looked.kit_id, "plan": lines}
        print(telling.json_line({**value, **telling.operators_value(operators)}))
    else:
        print("\n".join([*lines, *telling.operators_lines(operators)]))
    unlocked = orders.check(found, here, options.after)
    if not options.json:
        print("".join(telling.unlocked_lines(unlocked.after, unlocked.override)), end="")
        print("the site has what it needs; nothing was changed")
    return RunStatus.DONE


def _wanted(options: argparse.Namespace, looked: Looked) -> int:
    """Say what the settings of a site must hold; nothing else is looked at."""
    from runner.wanting import environment_of, pattern, wanted_lines

    environment = environment_of(looked.book, options.environment)
    if options.json:
        value = {"kitId": looked.kit_id, "settings": pattern(looked.book, environment)}
        print(telling.json_line(value))
    else:
        print("\n".join(wanted_lines(looked.book, environment)))
    return RunStatus.DONE


def _begin(options: argparse.Namespace, here: Here) -> int:
    from runner import orders  # what proves kits is not loaded to resume

    found = orders.plan(options.kit, options.trust, options.settings, options.environment, here)
    unlocked = orders.check(found, here, options.after)
    operators = look_at(options.trust, found.now)
    info = found.looked.manifest.kit
    moment = format_time(here.clock()).replace(":", "").replace("-", "").lower()
    name = options.name or f"{moment}-{secrets.token_hex(3)}"
    if not NAME.fullmatch(name):
        raise UsageError(f"--name wants 1 to 64 of a-z 0-9 . _ -, not {name!r}")
    place = os.path.join(options.runs, *info.line.split("/"), name)
    answers(options)  # a mistake in one is found before anything begins
    teller = Teller(options.json)
    if operators is not None and operators.expired:
        teller.say("warning", why=operators.warning())
    directory, journal = orders.begin(
        options.kit, found, here, place, name, unlocked, teller.proved
    )
    journal.close()
    directory.close()
    teller.say("begun", run=place)
    teller.note(f"run {directory.path}")
    return _go(options, here, place, teller)


def _resume(options: argparse.Namespace, here: Here) -> int:
    return _go(options, here, options.run, Teller(options.json))


def _allowed(options: argparse.Namespace) -> Allowed:
    given = (getattr(options, name, "") for name in ("changed", "take_over", "trust"))
    return Allowed(*given)


def _go(options: argparse.Namespace, here: Here, place: str, teller: Teller) -> int:
    settings = "" if options.command == "run" else options.settings
    run = standing.open_run(place, here, _allowed(options), settings)
    try:
        if options.command == "watch" and run.state.phase not in ("complete", "watching"):
            raise RunStands(f"the run is {run.state.phase}: there is nothing to watch yet")
        status = standing.go(
            run,
            here,
            _allowed(options),
            around(options, here, run.bound, teller),
            back=options.command == "rollback",
            past=getattr(options, "past_no_return", False),
            adopted=getattr(options, "adopted", False),
        )
    finally:
        run.close()
    if teller.lost and status == RunStatus.DONE:
        raise OutputLost("the run is done, and what it said is lost", where="standard output")
    if status != RunStatus.DONE:
        teller.note(f"the run is in {run.directory.path}")
    return status


def _status(options: argparse.Namespace, here: Here) -> int:
    state = standing.look(options.run)
    place = os.path.abspath(options.run)
    if options.metrics:
        print("\n".join(telling.metrics_lines(state)))
        return RunStatus.DONE
    operators = look_at(str(state.bound.get("trust", "")), here.clock())
    if options.json:
        value = telling.status_value(state, place)
        print(telling.json_line({**value, **telling.operators_value(operators)}))
    else:
        lines = telling.status_lines(state, place)
        print("\n".join([*lines, *telling.operators_lines(operators)]))
    return RunStatus.DONE


def _abort(options: argparse.Namespace, here: Here) -> int:
    run = standing.open_run(options.run, here, _allowed(options))
    try:
        stamped = standing.start(run, here, _allowed(options))
        standing.note(
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
    run = standing.open_run(options.run, here, _allowed(options))
    try:
        step = run.book.step(options.step)
        if step is None or not step.people.get(run.settings.environment, 0):
            raise UsageError(f"{options.step!r} is no gate that asks for people here")
        if options.out:
            standing.write_statement(run, step, options.out)
            print(f"wrote {options.out}")
            return RunStatus.DONE
        signer, admitted = standing.approve(run, step, here, options.trust, options.signature)
        needed = step.people[run.settings.environment]
        signed = len(run.state.approvals[step.id])
        for line in telling.operators_lines(admitted.dated):
            print(line)
        if admitted.override:
            print(f"let pass: {admitted.override}")
        print(f"{step.id}: approved by {signer}, {signed} of {needed}")
    finally:
        run.close()
    return RunStatus.DONE


def _export(options: argparse.Namespace, here: Here) -> int:
    from runner.homing import cli as homing

    return homing.export(options, here)


def _mark(options: argparse.Namespace, here: Here) -> int:
    run = standing.open_run(options.run, here, _allowed(options))
    try:
        known = run.state.steps.get(options.step)
        if known is None:
            raise UsageError(f"there is no step {options.step!r} in this run")
        if run.state.phase in GONE or known.status in ("pending", "done"):
            raise RunStands(f"the step is {known.status}, and the run is {run.state.phase}")
        stamped = standing.start(run, here, _allowed(options))
        what = {"type": "mark", "step": options.step, "to": options.to, "by": here.operator}
        standing.note(run, stamped, {**what, "reason": options.reason[:500]})
        print(f"{options.step}: {options.to}")
    finally:
        run.close()
    return RunStatus.DONE
