"""``accept --switch``: stage beside, prove, switch by one rename, and the way back."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.hosting import Site, code
from tests.support.killing import A_FEW_OR_ALL, killed_at, points, spread
from verifier import cli
from verifier.core.errors import ExitStatus

pytestmark = pytest.mark.skipif(
    not hasattr(os, "symlink") or os.name != "posix", reason="not run: this host has no links"
)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "releases").mkdir()
    return Site(tmp_path).pin()


def releases(site: Site) -> Path:
    return site.base / "releases"


def take(site: Site, sequence: int, **kit: str) -> str:
    path = site.kit(sequence=sequence, version=f"{sequence}.0", **kit)
    return code(site.accept(path, switch=releases(site)))


def link(site: Site, name: str) -> str:
    path = releases(site) / name
    return os.readlink(path) if path.is_symlink() else ""


def names(site: Site) -> list[str]:
    return sorted(path.name for path in releases(site).iterdir())


def test_current_follows_what_is_accepted_and_the_older_stays(site: Site) -> None:
    assert take(site, 1) == ""
    first = link(site, "current")
    assert (releases(site) / "current" / "kit.dsse.json").is_file()
    assert names(site) == ["current", first]
    assert take(site, 2) == ""
    second = link(site, "current")
    assert second != first
    assert link(site, "previous") == first
    assert names(site) == sorted(["current", "previous", first, second])
    assert (releases(site) / "previous" / "kit.dsse.json").is_file()


def test_kit_that_is_refused_changes_nothing(site: Site) -> None:
    assert take(site, 5) == ""
    before = names(site), link(site, "current")
    assert take(site, 4) == "kit-older"
    path = site.kit("bad", sequence=6)
    path.write_bytes(path.read_bytes()[:-9])
    assert code(site.accept(path, switch=releases(site))) == "kit-truncated"
    assert (names(site), link(site, "current")) == before


@pytest.mark.parametrize("name", ["current", "previous"])
def test_what_is_no_link_is_not_replaced(site: Site, name: str) -> None:
    (releases(site) / name).mkdir()
    assert take(site, 1) == "target-unwritable"
    assert names(site) == [name]
    assert site.sequence() == 0


def test_directory_of_releases_must_be_there(site: Site) -> None:
    releases(site).rmdir()
    assert take(site, 1) == "target-unwritable"
    assert site.sequence() == 0


def test_way_back_of_the_docs(site: Site) -> None:
    for sequence in (1, 2):
        assert take(site, sequence) == ""
    first, second = link(site, "previous"), link(site, "current")
    back = 'ln -s "$(readlink previous)" .back && mv -T .back current'
    if not shutil.which("mv"):
        pytest.skip("not run: mv is not installed")
    subprocess.run(["/bin/sh", "-ec", back], cwd=releases(site), check=True)
    assert link(site, "current") == first
    assert take(site, 3) == ""
    assert (link(site, "previous"), second in names(site)) == (first, True)


@pytest.mark.parametrize("most", A_FEW_OR_ALL)
def test_switching_is_killed_at_any_call(site: Site, most: int) -> None:
    """The link names the old release or the new one, whole; then the next run goes on."""
    assert take(site, 1) == ""
    first = link(site, "current")
    kit = site.kit(sequence=2, version="2.0")
    aside = site.base / "aside"
    shutil.copytree(site.base / "releases", aside / "releases", symlinks=True)
    shutil.copytree(site.trust, aside / "trust")

    def work() -> None:
        assert code(site.accept(kit, switch=releases(site))) == ""

    def again() -> None:
        for name in ("releases", "trust"):
            shutil.rmtree(site.base / name)
            shutil.copytree(aside / name, site.base / name, symlinks=True)

    found = list(points(work))
    second = link(site, "current")
    seen = set()
    for point in spread(found[-60:], most):
        again()
        killed_at(point, work)
        now = link(site, "current")
        seen.add(now)
        assert now in {first, second}
        assert (releases(site) / now / "kit.index").is_file()
        if now == first and not (releases(site) / second).exists():
            work()
            assert (link(site, "current"), link(site, "previous")) == (second, first)
    assert seen == {first, second}


def test_switch_and_extract_do_not_go_together(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    kit = os.fspath(site.kit())
    more = ["--trust", os.fspath(site.trust), "--switch", os.fspath(releases(site))]
    assert cli.main(["accept", kit, *more, "--extract", "x"]) == ExitStatus.USAGE
    assert cli.main(["verify", kit, *more]) == ExitStatus.USAGE
    assert "--switch" in capsys.readouterr().err
