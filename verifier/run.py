"""One run of the verifier: opens the kit, proves it, extracts it if asked, makes the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier import _compat
from verifier.core import limits
from verifier.core.errors import ExitStatus, KitError, RootInvalid, UsageError
from verifier.core.manifest import NAME, VERSION
from verifier.core.pipeline import Expectation, Job, Opened, prove
from verifier.core.trust import Root, parse_root
from verifier.decoders import find_decoder
from verifier.report import Report, make_report
from verifier.source import FileSource, open_source

if TYPE_CHECKING:
    from verifier.extract import Extraction

MAX_WORKERS = 8  # more only multiplies buffers: two workers saturate most media


def load_root(path: str) -> Root:
    """Return the root of trust in a file.

    Raises:
        RootInvalid: The file cannot be read or is not a root.
    """
    try:
        source = FileSource(path)
    except KitError as error:
        raise RootInvalid(error.message, where=repr(path)) from None
    try:
        assert source.size is not None
        data = bytearray(min(source.size, limits.MAX_ROOT + 1))
        source.read_into(0, [memoryview(data)])
        return parse_root(bytes(data))
    except RootInvalid as error:
        raise RootInvalid(error.message, where=repr(path)) from None
    finally:
        source.close()


def parse_expectation(text: str) -> Expectation:
    """Return what ``--expect NAME[@VERSION]`` says.

    Raises:
        UsageError: It is not of that form.
    """
    name, at, version = text.partition("@")
    if not NAME.fullmatch(name) or (at and not VERSION.fullmatch(version)):
        raise UsageError(f"--expect wants NAME or NAME@VERSION, not {text!r}")
    return Expectation(name, version)


def default_workers() -> int:
    """Return how many workers a run has when nobody says."""
    return min(MAX_WORKERS, _compat.cores())


def prove_file(path: str, job: Job, opened: Opened, extract: str = "") -> None:
    """Prove the kit at ``path`` (``-``: standard input) with the best decoder of this host.

    Args:
        path: The kit.
        job: What to prove; a decoder of this host is added.
        opened: Where to note what was established.
        extract: The directory to make; empty to write nothing.

    Raises:
        KitError: At the first thing that is not as it must be; nothing is left of ``extract``.
    """
    found = find_decoder()
    if found is not None:
        opened.decoder, job.make_decoder = found
    source = open_source(path)
    extraction: Extraction | None = None
    try:
        if extract:
            from verifier.extract import Extraction  # here: a zipapp compiles what it imports

            extraction = Extraction(extract)
            job.make_sink = extraction.sink
        prove(source, job, opened)
        if extraction is not None:
            extraction.finish(opened)
    finally:
        if extraction is not None:
            extraction.abort()
        source.close()


def run(path: str, job: Job, *, extract: str = "", opened: Opened | None = None) -> Report:
    """Do what `prove_file` does and return the report, whatever came of it."""
    opened = opened if opened is not None else Opened()
    try:
        prove_file(path, job, opened, extract)
    except KitError as error:
        return make_report(job, opened, error)
    return make_report(job, opened, None, extract)


def is_verified(report: Report) -> bool:
    """Whether all that was asked for is proved."""
    return report.status is ExitStatus.VERIFIED
