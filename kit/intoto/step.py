"""Does a step: what was there, the command, what is there now, signed by whoever did it.

The command runs with the environment, the terminal and the time that it has without us.  The link
has its words, its status and how long it took; what it printed only if asked for; nothing of the
environment.
"""

from __future__ import annotations

import os
import subprocess
import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kit.attest.statement import envelope_bytes, write_attestation
from kit.container.output import replace_file
from kit.errors import show
from kit.intoto.errors import StepUnusable
from kit.intoto.library import check_name, library, short
from kit.signing.errors import SignerUnsupported
from kit.signing.model import KitSigner
from verifier.core.jsonstrict import compact
from verifier.core.signature import SSH_SCHEMES

MAX_OUTPUT = 1 << 20  # bytes of each stream that a link keeps: the last ones
_PIECE = 1 << 16
_LEFT_OUT = [".git"]  # patterns; the library's own would leave out more, and say nothing

Sink = Callable[[int, bytes], object]
"""Takes what the command prints, with the number of the stream."""


@dataclass(frozen=True)
class Step:
    """What is to be done.

    Attributes:
        materials: Files and directories that go in.
        products: Files and directories that come out.
        sink: Where output goes when the link keeps it; None to keep none.
        clock: Seconds of a clock that only goes forward.
        base: The directory that it is done in, and paths are relative to; None: where we stand.
        stdout: The descriptor for what it prints to standard output; None: our own.
        bound: Called in the new process before the command.
    """

    name: str
    command: Sequence[str]
    materials: Sequence[str]
    products: Sequence[str]
    clock: Callable[[], float]
    sink: Sink | None = None
    base: Path | None = None
    stdout: int | None = None
    bound: Callable[[], object] | None = None


@dataclass(frozen=True)
class Recorded:
    """A link that was written.

    Attributes:
        path: Its file.
        status: How the command ended: its exit status, or a signal's number below 0.
    """

    path: Path
    status: int
    materials: int
    products: int
    milliseconds: int


def do_step(step: Step, signer: KitSigner, directory: Path, *, again: bool = False) -> Recorded:
    """Do a step and write its link, whatever comes of the command.

    Args:
        directory: Where links go.
        again: Whether a link of this step by this key is of an earlier time, and goes.

    Raises:
        ExtraMissing: in-toto is not installed.
        StepUnusable: The step cannot be recorded; the command did not run, or its products are not
            as they must be.
        AttestationExists: There is a link of this step by this key.
        KitError: The signer cannot sign.
    """
    check_name(step.name)
    if signer.scheme in SSH_SCHEMES:
        raise SignerUnsupported(
            "in-toto knows no signatures of ssh-keygen",
            where=f"key {signer.keyid}",
            fix="Sign with a key file, or with hardware.",
        )
    path = link_path(directory, step.name, signer)
    if os.path.lexists(path) and not again:
        from kit.attest.errors import AttestationExists

        raise AttestationExists("is there already", where=show(path))
    materials = record_artifacts(step.materials, step.base)
    begun = step.clock()
    status, output = _run(step)
    milliseconds = int((step.clock() - begun) * 1000)
    products = record_artifacts(step.products, step.base)
    link = make_link(step, (materials, products), status, milliseconds, output)
    data = envelope_bytes(compact(link), [signer])
    if again:
        replace_file(path, data)
    else:
        write_attestation(path, data)
    return Recorded(path, status, len(materials), len(products), milliseconds)


def link_path(directory: Path, name: str, signer: KitSigner) -> Path:
    """Return where the link of a step goes, as in-toto calls it."""
    return directory / f"{name}.{signer.keyid[:8]}.link"


def make_link(
    step: Step,
    artifacts: tuple[dict[str, Any], dict[str, Any]],
    status: int,
    milliseconds: int,
    output: tuple[str, str] = ("", ""),
) -> dict[str, Any]:
    """Return the link of a step that was done.

    Args:
        artifacts: Materials and products, as `record_artifacts` returns them.

    Raises:
        StepUnusable: The library could not read it.
    """
    link = {
        "_type": "link",
        "name": step.name,
        "command": list(step.command),
        "materials": artifacts[0],
        "products": artifacts[1],
        "byproducts": {
            "return-value": status,
            "stdout": output[0],
            "stderr": output[1],
            "duration-milliseconds": milliseconds,
        },
        "environment": {},
    }
    _check(link)
    return link


def _check(link: dict[str, Any]) -> None:
    """Have the library read what it will have to read.

    Raises:
        StepUnusable: It cannot.
    """
    try:
        library().link.Link.read(link)
        compact(link)
    except Exception as error:  # securesystemslib's, attr's
        raise StepUnusable(short(error), where=f"step {link['name']}") from None


def record_artifacts(paths: Sequence[str], base: Path | None = None) -> dict[str, Any]:
    """Return artifacts by path, each with its digests, as the library records them.

    Args:
        base: The directory that paths are relative to; None: where we stand.

    Raises:
        StepUnusable: One is not a file or directory below here.
    """
    for path in paths:
        parts = Path(path).parts
        if os.path.isabs(path) or ".." in parts or ":" in path:
            raise StepUnusable("is not a path below here", where=show(path))
        there = Path(path) if base is None else base / path
        if not there.exists():
            raise StepUnusable("is not there", where=show(path))
        if not there.is_file() and not there.is_dir():
            raise StepUnusable("is neither a file nor a directory", where=show(path))
    runlib = library().runlib
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library's own, about patterns of another one
            found: dict[str, Any] = runlib.record_artifacts_as_dict(
                list(paths),
                exclude_patterns=_LEFT_OUT,
                base_path=os.fspath(base) if base is not None else None,
            )
    except (OSError, ValueError) as error:
        raise StepUnusable(short(error), where="artifacts") from None
    for name in found:
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            raise StepUnusable("has a name that is not UTF-8", where=show(name)) from None
    return dict(sorted(found.items()))


# --- the command -----------------------------------------------------------------------------


def _run(step: Step) -> tuple[int, tuple[str, str]]:
    pipe = subprocess.PIPE if step.sink is not None else None
    try:
        process = subprocess.Popen(
            list(step.command),
            stdout=pipe if pipe is not None else step.stdout,
            stderr=pipe,
            cwd=step.base,
            preexec_fn=step.bound,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise StepUnusable(f"cannot be run: {why}", where=show(step.command[0])) from None
    kept = [bytearray(), bytearray()]
    threads = []
    with process:
        if step.sink is not None and process.stdout is not None and process.stderr is not None:
            for number, stream in enumerate((process.stdout, process.stderr)):
                work = (stream, number + 1, kept[number], step.sink)
                threads.append(threading.Thread(target=_pass_on, args=work, daemon=True))
        for thread in threads:
            thread.start()
        status = process.wait()
        for thread in threads:
            thread.join()
    return status, (_text(kept[0]), _text(kept[1]))


def _pass_on(stream: IO[bytes], number: int, kept: bytearray, sink: Sink) -> None:
    """Pass output on as it comes, and keep the last of it."""
    while data := stream.read1(_PIECE):  # type: ignore[attr-defined]  # of a buffered pipe
        sink(number, data)
        kept += data
        del kept[: max(0, len(kept) - MAX_OUTPUT)]


def _text(data: bytearray) -> str:
    return bytes(data).decode("utf-8", "backslashreplace")
