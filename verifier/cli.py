"""The command line of the verifier: the only file here that prints, reads argv or exits."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Callable, NoReturn, TextIO

from verifier import __version__, _compat
from verifier.core.errors import ExitStatus, KitError, UsageError
from verifier.core.lists import DATA, ZSTD
from verifier.core.pipeline import Expectation, Job, Opened
from verifier.decoders import PlainDecoder
from verifier.report import Report, render_text, report_value
from verifier.run import default_workers, is_verified, load_root, parse_expectation, run

COMMANDS = ("verify", "list", "inspect", "explain", "selftest")
_EPILOG = """\
exit status: 0 verified, 2 usage, 3 undecided (this host could not find out), 4 rejected.
`kit-verify KIT` is short for `kit-verify verify KIT`; a kit named like a command is ./NAME."""
_SLOW = """\
note: this host has no native zstd, so plain Python decodes: a few MB a second.
  --quick proves the bytes of the file without decoding them."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kit-verify",
        description="Proves an offline kit with no network and nothing but Python.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kit-verify {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str, kit: bool) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        if kit:
            made.add_argument("kit", metavar="KIT", help="the kit; - reads a pipe")
            made.add_argument(
                "--root", metavar="FILE", help="the root of trust, from outside the kit"
            )
            made.add_argument("--json", action="store_true", help="print the report as JSON")
        return made

    verify = command("verify", "Prove every byte of a kit (the default command).", True)
    verify.add_argument("--expect", metavar="NAME[@VERSION]", help="refuse any other kit")
    verify.add_argument("--quick", action="store_true", help="compare bytes, decode nothing")
    verify.add_argument(
        "--extract", metavar="DIR", help="also write the members to a new directory"
    )
    verify.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="COMPONENT|PATH",
        help="check (and extract) only this part; may be given several times",
    )
    verify.add_argument("--jobs", type=int, default=0, metavar="N", help="threads")
    verify.add_argument("--quiet", action="store_true", help="print nothing but errors")
    command("list", "List the members of a kit whose signatures are good.", True)
    command("inspect", "Show the signed page: what the kit is and who signed it.", True)
    command("explain", "Explain an error code.", False).add_argument("code", metavar="CODE")
    command("selftest", "Check this verifier and this Python against built-in answers.", False)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the verifier and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    first = next((item for item in arguments if item == "-" or not item.startswith("-")), None)
    if first is not None and first not in COMMANDS:
        arguments.insert(0, "verify")
    try:
        status = _command(_parser().parse_args(arguments))
        if sys.stdout is not None:  # closed: then the exit status says it all
            sys.stdout.flush()
        return int(status)
    except KitError as error:
        print(error, file=sys.stderr)
        return int(error.status)
    except BrokenPipeError:  # whoever read the output has gone: kit-verify list KIT | head
        _compat.silence(sys.stdout.fileno())
        return int(ExitStatus.UNDECIDED)
    except KeyboardInterrupt:
        print("UNDECIDED: interrupted; nothing was decided and nothing was kept", file=sys.stderr)
        return int(ExitStatus.UNDECIDED)


def entry() -> NoReturn:
    """Run the verifier as a program."""
    sys.exit(main())


def _command(options: argparse.Namespace) -> ExitStatus:
    if options.command == "explain":
        from verifier.explain import explain  # here, since a zipapp compiles what it imports

        print(explain(options.code), end="")
        return ExitStatus.VERIFIED
    if options.command == "selftest":
        return _selftest()
    job = Job(root=load_root(options.root) if options.root else None, workers=default_workers())
    if options.command == "verify":
        return _verify(options, job)
    job.stop_after = "page" if options.command == "inspect" else "index"
    opened = Opened()
    report = run(options.kit, job, opened=opened)
    if options.command == "list" and is_verified(report) and not options.json:
        _list(opened)
        return report.status
    _print(report, options.json, quiet=False)
    return report.status


def _verify(options: argparse.Namespace, job: Job) -> ExitStatus:
    if options.quick and (options.extract or options.only):
        raise UsageError("--quick does not go with --extract or --only: those are always full")
    if options.jobs < 0 or options.jobs > 64:
        raise UsageError("--jobs wants a number from 1 to 64")
    job.expect = parse_expectation(options.expect) if options.expect else Expectation()
    job.only = tuple(options.only)
    job.quick = options.quick
    job.workers = options.jobs or job.workers
    opened = Opened()
    if sys.stderr is not None and not options.quiet:
        job.progress = _progress(sys.stderr, job, opened)
    report = run(options.kit, job, extract=options.extract or "", opened=opened)
    if job.progress is not None and sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    _print(report, options.json, options.quiet)
    return report.status


def _progress(stream: TextIO, job: Job, opened: Opened) -> Callable[[int, int], None]:
    """Return what says once that this will be slow, if it will, and on a terminal how far it is."""
    shown = -1
    terminal = stream.isatty()

    def show(done: int, total: int) -> None:
        nonlocal shown
        if shown < 0 and _is_slow(job, opened):
            print(_SLOW, file=stream)
        percent = 100 * done // total if total else 100
        if percent != shown and terminal:
            line = f"\rchecking {percent:3d} % of {total >> 20} MiB"
            print(line, end="", file=stream, flush=True)
        shown = percent

    return show


def _is_slow(job: Job, opened: Opened) -> bool:
    """Whether frames are decoded in plain Python."""
    if opened.decoder != PlainDecoder.name or opened.plain or job.quick:
        return False
    index, table, wanted = opened.index, opened.table, opened.wanted
    assert index is not None
    assert table is not None
    payload = wanted is None or any(run.stop > index.bounds[DATA] for run in wanted)
    return payload and ZSTD in table.kinds


def _print(report: Report, as_json: bool, quiet: bool) -> None:
    if as_json:
        print(json.dumps(report_value(report), indent=2, sort_keys=True))
    elif not is_verified(report) or not quiet:
        print(render_text(report), end="")


def _list(opened: Opened) -> None:
    index = opened.index
    assert index is not None
    for _, first, last in index.runs():
        columns = zip(
            index.executable[first:last], index.sizes[first:last], index.paths(first, last)
        )
        for executable, size, path in columns:
            mode = "0755" if executable else "0644"
            print(f"{mode} {size:>14} {path.decode('utf-8')}")


def _selftest() -> ExitStatus:
    from verifier import selftest

    results = selftest.run()
    for name, good in results:
        print(f"{'ok ' if good else 'BAD'} {name}")
    failed = [name for name, good in results if not good]
    if failed or len(results) != selftest.EXPECTED:
        print(f"selftest: {len(failed)} of {len(results)} FAILED", file=sys.stderr)
        return ExitStatus.UNDECIDED
    print(f"decoder for zstd: {selftest.decoder_name()}")
    print(f"selftest: {len(results)} of {selftest.EXPECTED} good")
    return ExitStatus.VERIFIED
