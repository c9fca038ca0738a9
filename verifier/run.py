"""One run of the verifier: opens the kit, proves it, extracts it if asked, makes the report."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from verifier import _compat
from verifier.core.errors import (
    ExitStatus,
    KitError,
    KitUnreadable,
    NoSuchMember,
    NotAKit,
    TargetUnwritable,
    UnexpectedKit,
    UsageError,
)
from verifier.core.manifest import LINE, NAME, VERSION
from verifier.core.members import Sink
from verifier.core.pipeline import Expectation, Job, Opened, prove
from verifier.decoders import find_decoder
from verifier.options import nearest
from verifier.rootfile import read_file, what_is
from verifier.show.plain import shell
from verifier.show.report import Report, make_report
from verifier.source import FileSource, kit_in, open_source
from verifier.typed import TYPE_CHECKING, record

if TYPE_CHECKING:
    from verifier.catch import Catching, Judge
    from verifier.extract import Extraction
    from verifier.host.accept import Host

MAX_WORKERS = 8  # more only multiplies buffers: two workers saturate most media


def check_itself(fingerprint: str) -> None:
    """Hold the running ``kit-verify.pyz`` to its SHA-256 from another channel.

    It is no proof: another program would not ask.  It finds the mistake of having compared one
    file and started another.

    Raises:
        UsageError: This is not run from one file.
        FingerprintMismatch: It is another one.
    """
    import verifier

    archive = os.path.dirname(os.path.dirname(os.path.abspath(verifier.__file__)))
    try:
        source = FileSource(archive)
    except KitError:
        raise UsageError(
            "this verifier is no single file",
            fix="Start it as `python3 -I kit-verify.pyz`, or leave --self-fingerprint out.",
        ) from None
    try:
        assert source.size is not None
        data = bytearray(source.size)
        source.read_into(0, [memoryview(data)])
    finally:
        source.close()
    from verifier.host.errors import FingerprintMismatch
    from verifier.host.fingerprint import check_fingerprint

    try:
        check_fingerprint(bytes(data), fingerprint, option="--self-fingerprint")
    except FingerprintMismatch as error:
        raise FingerprintMismatch(
            error.message,
            where=repr(archive),
            fix="Stop: use nothing that it said; read the number again with the publisher.",
        ) from None


def parse_expectation(text: str, line: str = "") -> Expectation:
    """Return what ``--expect NAME[@VERSION]`` and ``--expect-line LINE`` say.

    Raises:
        UsageError: It is not of that form.
    """
    name, at, version = text.partition("@")
    if text and (not NAME.fullmatch(name) or (at and not VERSION.fullmatch(version))):
        raise UsageError(
            f"--expect wants NAME or NAME@VERSION, not {text!r}",
            fix="Write for instance --expect lnm or --expect lnm@2026.11.0.",
        )
    if line and not LINE.fullmatch(line):
        raise UsageError(
            f"--expect-line wants the name of a line, not {line!r}",
            fix="Write for instance --expect-line lnm/stable; `inspect` shows the line of a kit.",
        )
    return Expectation(name, version, line)


def default_workers() -> int:
    """Return how many workers a run has when nobody says."""
    return min(MAX_WORKERS, _compat.cores())


@record(frozen=True)
class Into:
    """Where members are written while a kit is proved; both empty: nowhere.

    Attributes:
        extract: A directory to make.
        switch: A directory in which one of the kit's own name is made, and a link to it.
        shared: Whether others may write the directory above.
        members: Which members are written to `extract`, though all are proved; None for all.
        then: What is done when they are in place, before the kit counts as accepted.
    """

    extract: str = ""
    switch: str = ""
    shared: bool = False
    members: Callable[[Opened], list[range]] | None = None
    then: Callable[[Opened], None] | None = None


NOWHERE = Into()


class _Writing:
    """What writes members in one run, if anything does."""

    def __init__(self, into: Into, job: Job) -> None:
        self._into = into
        self._extraction: Extraction | None = None
        self.place = into.extract
        if into.switch:
            from verifier.switch import check_switch

            check_switch(into.switch)
            job.make_sink = self._sink_by_name
        elif into.extract:
            extraction, members = self._begin(into.extract), into.members
            job.make_sink = extraction.sink
            if members is not None:
                job.make_sink = lambda opened, wanted: extraction.sink(opened, members(opened))

    def _begin(self, place: str) -> Extraction:
        from verifier.extract import Extraction  # here: a zipapp compiles what it imports

        with _compat.Uninterrupted():  # else it could lie there, and nobody knows of it
            self.place, self._extraction = place, Extraction(place, shared=self._into.shared)
        return self._extraction

    def _sink_by_name(self, opened: Opened, wanted: list[range] | None) -> Sink:
        from verifier.switch import place_of

        assert opened.manifest is not None
        return self._begin(place_of(self._into.switch, opened.manifest.kit)).sink(opened, wanted)

    def finish(self, opened: Opened) -> None:
        if self._extraction is not None:
            self._extraction.finish(opened)
        if self._into.switch:
            from verifier.switch import switch

            switch(self._into.switch, self.place)
        if self._into.then is not None:
            self._into.then(opened)

    def abort(self) -> None:
        if self._extraction is not None:
            self._extraction.abort()


def prove_file(
    path: str,
    job: Job,
    opened: Opened,
    into: Into = NOWHERE,
    accept: Host | None = None,
    judges: Sequence[Judge] = (),
) -> str:
    """Prove the kit at ``path`` (``-``: standard input) with the best decoder of this host.

    Args:
        path: The kit.
        job: What to prove; a decoder of this host is added.
        opened: Where to note what was established.
        into: Where members are written.
        accept: The host that shall remember the kit when all of it is proved.
        judges: Who looks into members when all of it is proved, before anything is finished.

    Returns:
        The directory that was made; empty if none was.

    Raises:
        KitError: At the first thing that is not as it must be; nothing is left of the directory.
    """
    found = find_decoder()
    if found is not None:
        opened.decoder, job.make_decoder = found
    source = open_source(path)
    writing: _Writing | None = None
    try:
        with _compat.Uninterrupted():  # what is begun is also known, and so ended
            writing = _Writing(into, job)
        catching = _catching(job, judges)
        prove(source, job, opened)
        if catching is not None:
            _hear(catching, opened)
        if accept is not None:
            accept.accept(opened, lambda: writing.finish(opened))
        else:
            writing.finish(opened)
        return writing.place
    finally:
        if writing is not None:
            writing.abort()
        source.close()


def _catching(job: Job, judges: Sequence[Judge]) -> Catching | None:
    """Have a job keep what judges want; without judges nothing is loaded."""
    if not judges or job.stop_after != "members":
        return None
    from verifier.catch import Catching

    return Catching(job, judges)


def _hear(catching: Catching, opened: Opened) -> None:
    """Have the judges look at what is proved.

    Raises:
        KitError: The first rejection among what they say, else the first thing undecided.
    """
    opened.judged.faults += catching.judge(opened)
    for fault in sorted(opened.judged.faults, key=lambda fault: -fault.status):
        raise fault


def run(
    path: str,
    job: Job,
    *,
    extract: str = "",
    switch: str = "",
    opened: Opened | None = None,
    host: Host | None = None,
    accept: bool = False,
    openssl: str = "",
    shared: bool = False,
    judges: Sequence[Judge] = (),
) -> Report:
    """Do what `prove_file` does and return the report, whatever came of it.

    Args:
        path: The kit.
        job: What to prove; with a host, its root and its judgement are asked.
        extract: The directory to make; empty to write nothing.
        switch: A directory to make one of the kit's name in, and a link ``current`` to it.
        opened: Where to note what was established.
        host: The host that judges by policy and memory; None to ask the root of the job only.
        accept: Whether the host shall remember the kit when all of it is proved.
        openssl: A program of this host that shall check the P-256 signatures too; empty for none.
        shared: Whether others may write the directory above the one to make.
        judges: Who looks into members when the kit is proved, beside those that the host has.

    Raises:
        ValueError: Only a part would be proved, and that cannot be accepted.
    """
    if accept and (job.quick or job.only or job.stop_after != "members"):
        raise ValueError("only a kit that is proved in full is accepted")
    opened = opened if opened is not None else Opened()
    if host is not None:
        job.root, job.judge = host.root, host.judge
        if job.stop_after == "members":
            judges = (*judges, *host.judges())
    if openssl:
        job.judge = _asking(openssl, job.judge)
    try:
        into = Into(extract, switch, shared)
        made = prove_file(path, job, opened, into, host if accept else None, judges)
    except KitError as error:
        advise(error, path, job, opened, extract)
        return make_report(job, opened, error, host=host)
    return make_report(job, opened, None, made, host)


def advise(error: KitError, path: str, job: Job, opened: Opened, extract: str = "") -> None:
    """Give an error a better fix than that of its class, where the mistake can be guessed."""
    kit = opened.manifest.kit if opened.manifest is not None else None
    if isinstance(error, NotAKit):
        what = _what_lies_at(path)
        if what:
            error.fix = f"This is {what}: give the kit as KIT; did two arguments change places?"
    elif isinstance(error, KitUnreadable) and os.path.isdir(path):
        try:
            error.fix = f"Name the kit in it: {shell(kit_in(path))}."
        except KitError as other:
            error.fix = other.fix
    elif isinstance(error, NoSuchMember) and opened.manifest is not None:
        known = [item.id for item in opened.manifest.components]
        near = [nearest(name.strip("/"), known) for name in job.only if name not in known]
        if any(near):
            error.fix = f"Did you mean --only {next(filter(None, near))}?"
    elif isinstance(error, UnexpectedKit) and kit is not None:
        if job.expect.name == f"{kit.name}-{kit.version}":
            error.fix = f"Name and version have an @ between them: {kit.name}@{kit.version}."
    elif isinstance(error, TargetUnwritable):
        above = os.path.dirname(os.path.abspath(extract))
        if not os.path.isdir(above):
            error.fix = f"Make the directory above it first: {shell('mkdir', '-p', above)}."


def _what_lies_at(path: str) -> str:
    """Return in words what is there in place of a kit; empty if that does not show."""
    try:
        return what_is(read_file(path, 4096))
    except KitError:
        return ""


def _asking(openssl: str, judge: Callable[[Opened], None] | None) -> Callable[[Opened], None]:
    """Return what asks openssl about the signatures, and then judges."""
    from verifier.openssl import check_program, check_signatures

    check_program(openssl)

    def ask(opened: Opened) -> None:
        check_signatures(openssl, opened)
        if judge is not None:
            judge(opened)

    return ask


def is_verified(report: Report) -> bool:
    """Whether all that was asked for is proved."""
    return report.status is ExitStatus.VERIFIED
