"""The kit of a run: its runbook looked at, the kit accepted, what the runbook needs written down.

Nothing of the runbook is read before the kit is authenticated and the member has its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runner.book import needs
from runner.book.model import Runbook
from runner.book.parse import MAX_RUNBOOK, parse_runbook
from runner.errors import Mistake, RunbookMalformed, RunbookMissing
from verifier.core.lists import DATA, Index
from verifier.core.model import Manifest
from verifier.core.pipeline import Job, Opened
from verifier.core.trust import Root
from verifier.host.accept import Host
from verifier.run import Into, default_workers, prove_file
from verifier.typed import TYPE_CHECKING, record

if TYPE_CHECKING:
    from verifier.catch import Judge

KIND, MEMBER = "runbook", "runbook.json"  # RUNBOOK 1.2


@record(frozen=True)
class Looked:
    """What was found in a kit that is authentic.

    Attributes:
        path: Where the runbook is in the kit.
        sha256: Its digest, as it was signed.
    """

    opened: Opened
    book: Runbook
    path: str
    sha256: str

    @property
    def manifest(self) -> Manifest:
        """The manifest of the kit."""
        assert self.opened.manifest is not None
        return self.opened.manifest

    @property
    def kit_id(self) -> str:
        """The kitId."""
        assert self.opened.kit_id is not None
        return self.opened.kit_id


class _Catch:
    """A sink that keeps one member."""

    def __init__(self, member: int, size: int) -> None:
        self._member, self.data = member, bytearray(size)

    def small(self, member: int, data: memoryview) -> None:
        """Take a whole member."""
        if member == self._member:
            self.data[:] = data

    def piece(self, member: int, offset: int, data: memoryview) -> None:
        """Take a part of a member."""
        if member == self._member:
            self.data[offset : offset + len(data)] = data


def look(path: str, host: Host) -> Looked:
    """Return the runbook of a kit that this host would take.

    Raises:
        RunbookMissing: It has none.
        KitError: The kit, or its runbook, is refused.
    """
    judges = host.judges()  # first: else the host would judge before evidence is read
    return look_under(path, host.root, host.judge, judges)


def look_under(
    path: str,
    root: Root,
    judge: Callable[[Opened], None] | None = None,
    judges: Sequence[Judge] = (),
) -> Looked:
    """Return the runbook of a kit that is authentic under a root, and that all judges would take.

    Args:
        judge: Told of the kit when it is authentic.
        judges: Who looks into its members: evidence, for what a policy demands.

    Raises:
        RunbookMissing: It has none.
        KitError: The kit, or its runbook, is refused.
    """
    opened = Opened()
    prove_file(path, Job(root=root, judge=judge, stop_after="index"), opened)
    assert opened.index is not None
    assert opened.manifest is not None
    where, member = find_runbook(opened.manifest, opened.index)
    size = opened.index.sizes[member]
    if size > MAX_RUNBOOK:
        raise RunbookMissing(f"{where!r} has {size} bytes, more than any runbook")
    catch, again = _Catch(member, size), Opened()
    job = Job(root=root, judge=judge, only=(where,))
    job.make_sink = lambda opened, wanted: catch
    prove_file(path, job, again, judges=judges)
    book = parse_runbook(bytes(catch.data))
    lacks = missing(book, opened.index, opened.manifest)
    if lacks:
        raise RunbookMalformed(lacks)
    return Looked(again, book, where, opened.index.digest(member).hex())


def find_runbook(manifest: Manifest, index: Index) -> tuple[str, int]:
    """Return where the runbook of a kit is, and its number.

    Raises:
        RunbookMissing: There is none, or more than one.
    """
    found = []
    for component in manifest.components:
        for path in component.paths if component.kind == KIND else ():
            at = index.find(f"{path}/{MEMBER}".encode())
            if at is not None:
                found.append((f"{path}/{MEMBER}", at))
    if len(found) != 1:
        raise RunbookMissing("the kit has more than one runbook" if found else "the kit has none")
    return found[0]


def missing(book: Runbook, index: Index, manifest: Manifest) -> list[Mistake]:
    """Return what a kit lacks of what its runbook names."""
    names = {component.id for component in manifest.components}
    return needs.missing(book, lambda path: needs.kind_in(index, path), names.__contains__)


def wanted(
    book: Runbook, runbook: str, manifest: Manifest, index: Index, *, image: bool = False
) -> list[range]:
    """Return the members that a run needs: whole components of programs, files that words name.

    Args:
        image: Whether programs are run in the image of the kit, which is needed then.
    """
    paths = [runbook, *needs.named(book)]
    own = [path for component in manifest.components for path in component.paths]
    for program in needs.programs(book):
        paths.append(next(path for path in own if _is_below(program, path)))
    for component in manifest.components:
        if component.id in book.wheels or (image and component.id == book.image):
            paths += component.paths
    numbers = sorted({n for path in paths for run in index.below(path.encode()) for n in run})
    runs: list[range] = []
    for number in numbers:
        if runs and runs[-1].stop == number:
            runs[-1] = range(runs[-1].start, number + 1)
        else:
            runs.append(range(number, number + 1))
    return runs


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def members_text(index: Index, runs: list[range]) -> bytes:
    """Return the list of what was written, as lines of ``kit.index``: it is held to at use."""
    return b"".join(index.lines(DATA, run.start, run.stop) for run in runs)


def accept(
    path: str,
    host: Host,
    looked: Looked,
    directory: str,
    begin: Callable[[Opened, bytes], None],
    progress: Callable[[int, int], None] | None = None,
    *,
    image: bool = False,
) -> Opened:
    """Prove a kit in full, write what a run needs of it, begin the run, and accept the kit.

    Args:
        directory: Where members go; it must not be there.
        begin: Told what was proved, and the list of members, when they are in place: writes the
            first record.  The kit counts as accepted after it.

    Raises:
        KitError: The kit is refused, is another than was looked at, or the host refuses.
    """
    opened, kept = Opened(), bytearray()

    def choose(opened: Opened) -> list[range]:
        assert opened.index is not None
        assert opened.manifest is not None
        if opened.kit_id != looked.kit_id:
            raise RunbookMissing("the kit was exchanged for another while it was looked at")
        runs = wanted(looked.book, looked.path, opened.manifest, opened.index, image=image)
        kept[:] = members_text(opened.index, runs)
        return runs

    job = Job(root=host.root, judge=host.judge, workers=default_workers(), progress=progress)
    into = Into(directory, members=choose, then=lambda opened: begin(opened, bytes(kept)))
    prove_file(path, job, opened, into, host, host.judges())
    return opened
