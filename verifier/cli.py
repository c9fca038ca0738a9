"""The command line of the verifier: the only file here that prints, reads argv or exits."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence

from verifier import __version__, _compat
from verifier.arguments import COMMANDS, parse
from verifier.core.errors import ExitStatus, KitError, UsageError
from verifier.core.lists import DATA, ZSTD
from verifier.core.pipeline import Job, Opened
from verifier.decoders import PlainDecoder
from verifier.options import check_no_file_is_an_option, nearest
from verifier.rootfile import load_root
from verifier.run import check_itself, default_workers, is_verified, parse_expectation, run
from verifier.show.report import Report, render_text
from verifier.streams import guarded, move
from verifier.typed import TYPE_CHECKING, NoReturn, TextIO, replace

if TYPE_CHECKING:
    from verifier.core.trust import Root
    from verifier.host.accept import Host
    from verifier.host.attestations import Given

_OF_THE_HOST = ("trust", "policy", "receipt")  # these have a command line of their own
_INTERRUPTED = "UNDECIDED: interrupted; `kit-verify trust show` says what this host believes now"
_SLOW = """\
note: this host has no native zstd, so plain Python decodes: a few MB a second.
  --quick proves the bytes of the file without decoding them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the verifier and return its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "--accept" in arguments or arguments[:1] in (["accept"], ["trust"], ["policy"]):
        return guarded(lambda: _run(arguments), interrupted=_INTERRUPTED, still=True)
    return guarded(lambda: _run(arguments), still=True)


def _run(arguments: list[str]) -> int:
    arguments = _with_command(arguments)
    check_no_file_is_an_option(arguments)
    if arguments[0] in ("damage", "repair"):
        from verifier import cli_repair  # here, as below

        return int(cli_repair.command(arguments))
    if arguments[0] in _OF_THE_HOST:
        from verifier.cli_trust import command  # here, since a zipapp compiles what it imports

        return int(command(arguments))
    return int(_command(parse(arguments)))


def _with_command(arguments: list[str]) -> list[str]:
    """Return the arguments behind a command; `verify` where there is none.

    Raises:
        UsageError: There is nothing, or the first word is nearly a command and no file.
    """
    if not arguments:
        raise UsageError(
            "nothing to do: there is neither a kit nor a command",
            fix="Try `kit-verify KIT --root root.json`, or `kit-verify --help`.",
        )
    first = arguments[0]
    if first == "help" and not os.path.lexists(first):
        return [*arguments[1:2], "--help"]
    if first in COMMANDS or first in ("-h", "--help", "--version"):
        return arguments
    meant = "" if first.startswith("-") or os.path.lexists(first) else nearest(first, COMMANDS)
    if meant:
        raise UsageError(
            f"{first!r} is neither a command nor a file",
            fix=f"Did you mean `kit-verify {meant}`? See `kit-verify --help`.",
        )
    return ["verify", *arguments]


def entry() -> NoReturn:
    """Run the verifier as a program."""
    sys.exit(main())


def _command(options: argparse.Namespace) -> ExitStatus:
    if options.command == "explain":
        from verifier.show import explain  # here, since a zipapp compiles what it imports

        print(explain.explain(options.code) if options.code else explain.codes(), end="")
        return ExitStatus.VERIFIED
    if options.command == "selftest":
        return _selftest()
    root = _root(options)
    job = Job(root=root, workers=default_workers())
    clock = int(time.time())
    host = _host(options, clock)
    if options.command == "diff":
        from verifier.cli_look import show_difference  # here, as above

        hosts = [one for one in (host, _host(options, clock)) if one is not None]
        return show_difference(options, root if host is None else host.root, hosts)
    if options.command == "audit":
        from verifier.cli_audit import show_audit  # here, as above

        return show_audit(options, job, host)
    if options.command in ("verify", "accept"):
        return _verify(options, job, host, clock)
    job.expect = parse_expectation("", options.expect_line or "")
    job.stop_after = "page" if options.command == "inspect" else "index"
    opened = Opened()
    report = run(options.kit, job, opened=opened, host=host)
    if options.command == "list" and is_verified(report):
        from verifier.cli_look import show_members  # here, as above

        show_members(options, opened, report)
        return report.status
    _print(report, options.json, quiet=False)
    return report.status


def _root(options: argparse.Namespace) -> Root | None:
    """Return the root that was given, held to the numbers that were given; None without one."""
    number = " ".join(getattr(options, "fingerprint", None) or ())
    own = " ".join(getattr(options, "self_fingerprint", None) or ())
    if own:
        check_itself(own)
    if options.root is None or options.command == "accept":
        if number:
            raise UsageError(
                "--fingerprint is about the file of --root, and there is none",
                fix="Give --root root.json too; a trust directory was held to it by `trust init`.",
            )
        return None
    return load_root(options.root, number)


def _host(options: argparse.Namespace, clock: int) -> Host | None:
    """Return the host that judges by its trust directory; None without one."""
    place = options.trust
    if place is None and options.root is None and os.path.lexists(_compat.SYSTEM_TRUST):
        place = _compat.SYSTEM_TRUST
    if place is None:
        return None
    from verifier.host.accept import Host
    from verifier.host.directory import TrustDirectory

    return Host(TrustDirectory(place), clock, __version__, _given(options))


def _given(options: argparse.Namespace) -> Sequence[Given]:
    """Return the files of evidence that were given beside the kit."""
    if not getattr(options, "evidence", None):
        return ()
    from verifier.host.attestations import read_given  # here, as above

    return read_given(options.evidence)


def _check_together(options: argparse.Namespace, host: Host | None) -> None:
    """Refuse options that do not go together.

    Raises:
        UsageError: There are such.
    """
    if getattr(options, "switch", None) and options.extract:
        raise UsageError(
            "--switch names the directory itself; it does not go with --extract",
            fix="Leave --extract out.",
        )
    if options.command == "accept" and options.root is not None:
        raise UsageError(
            "accept believes the root that this host keeps, and takes no --root",
            fix="Keep the root first: `kit-verify trust init --root FILE --fingerprint HEX`.",
        )
    if options.quick and (options.extract or options.only):
        raise UsageError(
            "--quick does not go with --extract or --only: those are always full",
            fix="Leave --quick out.",
        )
    if options.accept and (options.quick or options.only):
        raise UsageError(
            "--accept does not go with --quick or --only: all of a kit is accepted",
            fix="Look with --quick or --only first; then run `kit-verify accept KIT`.",
        )
    if options.receipt and options.only:
        raise UsageError(
            "--receipt does not go with --only: a receipt is of a whole kit",
            fix="Leave out --only; `--json` reports what a partial run found.",
        )
    if options.evidence and host is None:
        raise UsageError(
            "--evidence is judged by the policy of a trust directory, and there is none",
            fix="Name yours with --trust DIR.",
        )
    if options.accept and host is None:
        raise UsageError(
            f"accepting needs a trust directory, and there is none at {_compat.SYSTEM_TRUST}",
            fix="Name yours with --trust DIR, or make one: `kit-verify trust init --root FILE "
            "--fingerprint HEX`.",
        )


def _verify(options: argparse.Namespace, job: Job, host: Host | None, clock: int) -> ExitStatus:
    _check_together(options, host)
    job.expect = parse_expectation(options.expect or "", options.expect_line or "")
    job.only = tuple(options.only)
    job.quick = options.quick
    job.workers = options.jobs or job.workers
    opened = Opened()
    if sys.stderr is not None and not options.quiet:
        job.progress = _progress(sys.stderr, job, opened)
    if options.receipt:
        from verifier.host.receipt import check_receipt, write_receipt

        check_receipt(options.receipt)
    report = run(
        options.kit,
        job,
        extract=options.extract or "",
        switch=getattr(options, "switch", None) or "",
        opened=opened,
        host=host,
        accept=options.accept,
        openssl=options.openssl,
        shared=options.shared_parent,
    )
    if job.progress is not None and sys.stderr.isatty():
        move(sys.stderr, "\r\x1b[K")
    if options.receipt and is_verified(report):
        try:
            write_receipt(options.receipt, report, clock)
        except KitError as error:  # before the report, which says what this run exits with
            report = replace(report, status=error.status, error=error)
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
            move(stream, f"\rchecking {percent:3d} % of {total >> 20} MiB")
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
        from verifier.show.reportvalue import report_value  # here, as above

        print(json.dumps(report_value(report), indent=2, sort_keys=True))
    elif not is_verified(report) or not quiet:
        print(render_text(report), end="")


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
