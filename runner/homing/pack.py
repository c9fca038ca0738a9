"""Packs what a run leaves into evidence: shown first, then written, proved, and only then named."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence

from runner import __version__
from runner.errors import EvidenceExists, EvidenceUnwritable, RunChanged, RunMissing
from runner.homing.layout import JOURNAL, components_of, info_of
from runner.homing.seal import seal
from runner.homing.spec import spec_text
from runner.homing.statements import Told, all_outputs, statements
from runner.masking import Masker
from runner.packing.head import Sealable, file_name
from runner.packing.store import Source, SourceMoved, SourceOther, write_store
from runner.rundir import ATTEMPTS, RunDirectory
from runner.state import fold
from verifier.core.errors import KitError
from verifier.core.model import Component, KitInfo
from verifier.core.pipeline import Job, Opened
from verifier.core.trust import Root, chain_bytes
from verifier.folder import Folder
from verifier.run import prove_file
from verifier.typed import record


@record(frozen=True)
class Package:
    """What would leave the site.

    Attributes:
        members: From path in the evidence to contents.
        sizes: Bytes of each.
        kept: Outputs that stay, when only digests go.
    """

    told: Told
    info: KitInfo
    components: tuple[Component, ...]
    members: Mapping[str, Source]
    sizes: Mapping[str, int]
    kept: int


def gather(directory: RunDirectory, data: bytes, site: str, *, digests_only: bool) -> Package:
    """Return what evidence of a run has in it.

    Args:
        directory: Its directory.
        data: Its journal, as it is on the disk.
        site: What the site is called.
        digests_only: Whether what steps printed and wrote stays here.

    Raises:
        KitError: The run is damaged, or an output is not what the journal says.
    """
    from runner.chain import read_chain

    read = read_chain(data)
    if not read.records:
        raise RunMissing("the journal is empty", where=repr(directory.path))
    state = fold(read.records)
    book = directory.load_members(state.bound)
    told = Told(data[: read.size], read, state, book)
    outputs = list(all_outputs(read))
    members: dict[str, Source] = {JOURNAL: Source(told.data)}
    sizes = {JOURNAL: len(told.data)}
    for path, text in statements(told, directory.digest, carried=not digests_only).items():
        members[path], sizes[path] = Source(text), len(text)
    for one in outputs if not digests_only else ():
        place = directory.place(ATTEMPTS, one.attempt, one.place)
        _check_output(place, one.size)
        members[one.path], sizes[one.path] = Source(path=place, sha256=one.sha256), one.size
    info = info_of(state, read.records[-1], site)
    kept = len(outputs) if digests_only else 0
    return Package(told, info, components_of(info.version, list(members)), members, sizes, kept)


def _check_output(place: str, size: int) -> None:
    try:
        status = os.lstat(place)
    except OSError as error:
        raise RunChanged(error.strerror or str(error), where=repr(place)) from None
    if not stat.S_ISREG(status.st_mode) or status.st_size != size:
        raise RunChanged("is not what the journal says", where=repr(place))


def holds_secret(package: Package, secrets: Sequence[str]) -> Iterator[str]:
    """Yield the members in which a secret stands, in any form that programs print one in."""
    for path in sorted(package.members):
        masker, changed = Masker(secrets), False
        for piece in package.members[path].read():
            changed |= _masks(masker, piece)
        if changed or _masks(masker, b""):
            yield path


def _masks(masker: Masker, piece: bytes) -> bool:
    """Whether something had to be masked by now."""
    masker.feed(piece) if piece else masker.finish()
    return masker.found


def write(
    package: Package,
    out: str,
    keys: Sequence[str],
    operators: Root,
    verifier: Mapping[str, bytes],
    agent: str = "",
) -> tuple[str, Opened | None]:
    """Write evidence into a directory, sealed by the keys that are given.

    Args:
        package: What goes into it.
        out: The directory.
        keys: See `runner.homing.seal.seal`.
        operators: Their root; the evidence carries it.
        verifier: The sources of the verifier, which every kit carries.
        agent: The socket of an SSH agent; empty for none.

    Returns:
        Its path, and what the verifier says of it; None if too few have sealed it.

    Raises:
        EvidenceExists: It is there already.
        EvidenceUnwritable: The host refuses, or the run changed meanwhile.
        RunChanged: An output is not what the journal says.
        KitError: A key does not serve, or the verifier refuses what was written.
    """
    name = file_name(package.info)
    beside = os.fsencode(f".{name}.new")
    where = repr(os.path.join(out, name))
    try:
        with Folder.open(out) as folder:
            if folder.look(os.fsencode(name)) is not None:
                raise EvidenceExists("is there already", where=where)
            folder.discard(beside)
            try:
                opened = _write(package, folder, beside, keys, operators, verifier, agent)
                folder.give(beside, os.fsencode(name))
                folder.sync()
            except BaseException:
                folder.discard(beside)
                raise
    except FileExistsError:
        raise EvidenceExists("is there already", where=where) from None
    except SourceOther as error:
        raise RunChanged(str(error), where=repr(out)) from None
    except (OSError, SourceMoved) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise EvidenceUnwritable(str(why or error), where=where) from None
    return os.path.join(out, name), opened


def _write(
    package: Package,
    folder: Folder,
    beside: bytes,
    keys: Sequence[str],
    operators: Root,
    verifier: Mapping[str, bytes],
    agent: str = "",
) -> Opened | None:
    descriptor = folder.create(beside)
    try:
        made = write_store(
            descriptor,
            package.info,
            package.components,
            package.members,
            verifier,
            chain_bytes([operators]),
            (spec_text(package.info, package.components), __version__),
            lambda payload: seal(payload, keys, operators, agent),
        )
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return _prove(os.path.join(os.fsdecode(folder.path), os.fsdecode(beside)), made, operators)


def _prove(path: str, made: Sealable, operators: Root) -> Opened | None:
    """Have the verifier prove what was written: under the operators' root, or by its kitId."""
    opened = Opened()
    try:
        prove_file(path, Job(root=operators), opened)
    except KitError as error:
        if error.code != "threshold-not-met":
            raise
        prove_file(path, Job(root=None, kit_id=made.kit_id), Opened())
        return None
    return opened
