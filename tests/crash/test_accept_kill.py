"""Killed while a host accepts or takes a new root: it believes the old or the new, never neither.

Every call that changes the disk is made the last one, by a SIGKILL before it or in the middle of a
write.  After each: the directory can be read, what it says is old or new, and doing it again ends
where an undisturbed run ends.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.hosting import LINE, Site, binding, code, policy
from tests.support.killing import A_FEW_OR_ALL, Point, killed_at, points, spread
from tests.support.making import read_tree
from tests.support.people import sign_root
from tests.support.simulator import Publisher
from verifier.host.errors import TrustMissing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="not run: this host has no fork"),
]

OLD, NEW = policy("old"), policy("new")
RESETS = "x-offline-kit-reset-lines"


def publisher() -> Publisher:
    """Return roots 1 to 3; the first two name a policy each, and the third sets our line back."""
    made = Publisher()
    made.roots = []
    first = Publisher().signed()
    made.roots.append(sign_root({**first, **binding(OLD)}))
    made.rotate(lambda s: s.update(binding(NEW)), "alice", "bob")
    made.rotate(lambda s: s.update({RESETS: {LINE: s["version"]}}), "alice", "bob")
    return made


class Trial:
    """A host that is put back to one state before each attempt.

    Attributes:
        work: What is killed.
    """

    def __init__(self, base: Path, work: Callable[[Site], object]) -> None:
        base.mkdir()
        self.site = Site(base)
        self.roots = publisher().roots
        self.site.pin(self.roots[0], OLD)
        assert code(self.site.accept(self.site.kit(sequence=4, roots=self.roots[:1]))) == ""
        self._work = work
        self.kept = base / "kept"
        shutil.copytree(self.site.trust, self.kept)
        self.before = self.site.files()
        self.do()
        self.after = self.site.files()
        self.put_back()

    def do(self) -> None:
        """Do the work once."""
        self._work(self.site)

    def put_back(self) -> None:
        """Have the state before the work again."""
        shutil.rmtree(self.site.trust)
        shutil.copytree(self.kept, self.site.trust)
        shutil.rmtree(self.site.base / "out", ignore_errors=True)

    def killed(self, most: int = 1 << 30) -> Iterator[Point]:
        """Yield so many of the points, and the last ones, after the work was killed there."""
        found = list(points(self.do))
        self.put_back()
        for point in [*spread(found[:-most], most), *found[-most:]]:
            assert killed_at(point, self.do), point
            yield point
            self.put_back()


def settled(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files that a run leaves, without what the next run removes."""
    return {name: data for name, data in files.items() if not name.startswith(".")}


def update(site: Site) -> None:
    site.update(publisher().roots[:2], NEW)


def update_and_reset(site: Site) -> None:
    site.update(publisher().roots, NEW)


@pytest.mark.long
def test_update_killed_anywhere(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "a", update)
    roots = set()
    for point in trial.killed():
        trusted = trial.site.directory.load()
        chosen = trusted.choose(trusted.root)
        roots.add((trusted.root.version, chosen.policy.name))
        assert trial.site.sequence() == 4
        assert code(trial.site.look(trial.site.base / "4.tar.zst")) == "", point
        trial.do()
        assert settled(trial.site.files()) == settled(trial.after), point
        assert trial.site.directory.load().coming is None
    assert roots == {(1, "old"), (2, "new")}, "root and policy change in one moment"


@pytest.mark.long
def test_update_that_sets_a_line_back_killed_anywhere(tmp_path: Path) -> None:
    """What a root sets back is set back before that root counts, and never lost."""
    trial = Trial(tmp_path / "a", update_and_reset)
    found = set()
    for point in trial.killed():
        trusted = trial.site.directory.load()
        trusted.choose(trusted.root)
        found.add((trusted.root.version, trial.site.sequence()))
        trial.do()
        assert trial.site.sequence() == 0, point
        assert trial.site.directory.load().root.version == 3
        assert len(trial.site.state.resets) == 1
    assert found == {(1, 4), (1, 0), (3, 0)}


@pytest.mark.parametrize("most", A_FEW_OR_ALL)
def test_accept_killed_anywhere(tmp_path: Path, most: int) -> None:
    """With extraction: what is accepted is always extracted; the state is the old or the new."""
    (tmp_path / "a").mkdir()
    kit = Site(tmp_path / "a").kit(sequence=5, roots=publisher().roots[:1])
    data = kit.read_bytes()
    shutil.rmtree(tmp_path / "a")

    def work(site: Site) -> None:
        (site.base / "5.tar.zst").write_bytes(data)
        report = site.accept(site.base / "5.tar.zst", extract=site.base / "out")
        if code(report):
            raise AssertionError(report.error)

    trial = Trial(tmp_path / "a", work)
    states = set()
    tree: dict[str, tuple[int, bytes]] = {}
    for point in trial.killed(most):
        sequence = trial.site.sequence()
        extracted = (trial.site.base / "out").exists()
        states.add((extracted, sequence))
        assert extracted or sequence == 4, f"accepted and not extracted: {point}"
        now = settled(trial.site.files())
        assert now in (settled(trial.before), settled(trial.after)), point
        if extracted:
            tree = tree or read_tree(trial.site.base / "out")
            assert read_tree(trial.site.base / "out") == tree
            assert code(trial.site.accept(trial.site.base / "5.tar.zst")) == ""
        else:
            trial.do()
        assert settled(trial.site.files()) == settled(trial.after), point
    assert states == {(False, 4), (True, 4), (True, 5)}


@pytest.mark.long
def test_accept_with_a_new_root_killed_anywhere(tmp_path: Path) -> None:
    """Root, lines that it sets back, policy and state: one can go on from each moment."""

    def work(site: Site) -> None:
        roots = publisher().roots
        (site.trust / "policy.next.json").write_bytes(NEW)
        report = site.accept(site.kit(sequence=2, roots=roots))
        if code(report):
            raise AssertionError(report.error)

    trial = Trial(tmp_path / "a", work)
    found = set()
    for point in trial.killed():
        trusted = trial.site.directory.load()
        found.add((trusted.root.version, trial.site.sequence()))
        trusted.choose(trusted.root)
        trial.do()
        assert trial.site.sequence() == 2, point
        assert trial.site.directory.load().policy == NEW
        assert settled(trial.site.files()) == settled(trial.after), point
    assert found == {(1, 4), (1, 0), (3, 0), (3, 2)}


@pytest.mark.long
def test_init_killed_anywhere(tmp_path: Path) -> None:
    """A directory with a root is complete; without one it is made again."""
    root = publisher().roots[0]
    site = Site(tmp_path)
    site.pin(root, OLD)
    after = settled(site.files())
    shutil.rmtree(site.trust)

    def work() -> None:
        site.pin(root, OLD)

    found = list(points(work))
    shutil.rmtree(site.trust)
    for point in found:
        assert killed_at(point, work), point
        try:
            site.directory.load()
        except TrustMissing:
            site.pin(root, OLD)
        assert settled(site.files()) == after, point
        shutil.rmtree(site.trust)


@pytest.mark.long
def test_reset_killed_anywhere(tmp_path: Path) -> None:
    trial = Trial(tmp_path / "a", lambda site: site.directory.reset(LINE, "a test", site.clock))
    states = set()
    for point in trial.killed():
        assert settled(trial.site.files()) in (settled(trial.before), settled(trial.after)), point
        states.add(trial.site.sequence())
    assert states == {4, 0}
