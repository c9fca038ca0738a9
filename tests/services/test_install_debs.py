"""`install-debs` by the real apt-get and dpkg, into a system of its own."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from runner.brought.action import DONE, TO_DO, NotPossible
from runner.brought.debs import InstallDebs
from tests.conftest import Judge
from tests.support.debs import control, deb
from tests.support.running import NO_SECRET, Grounds

pytestmark = pytest.mark.slow


def component(place: Path, *controls: str) -> Path:
    """Write a component as a kit carries it: packages, and their index."""
    place.mkdir(parents=True)
    index = ""
    for text in controls:
        data = deb(text)
        fields = dict(line.partition(": ")[::2] for line in text.splitlines())
        name = f"{fields['Package']}_{fields['Version']}_{fields['Architecture']}.deb"
        (place / name).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        index += f"{text}Filename: {name}\nSize: {len(data)}\nSHA256: {digest}\n\n"
    (place / "Packages").write_text(index, encoding="utf-8")
    return place


@pytest.fixture
def system(tmp_path: Path, judge: Judge, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty Debian system, as `dpkg --root` takes one."""
    judge("apt-get")
    if os.geteuid():
        pytest.skip("not run: dpkg installs as root only")
    root = tmp_path / "system"
    for name in ("info", "updates", "triggers"):
        (root / "var" / "lib" / "dpkg" / name).mkdir(parents=True)
    (root / "var" / "lib" / "dpkg" / "status").touch()
    for name in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/cache/apt/archives/partial"):
        (root / name).mkdir(parents=True)
    (root / "var" / "lib" / "apt" / "lists" / "partial").mkdir(parents=True)
    (root / "var" / "log" / "apt").mkdir(parents=True)
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path / "scratch")
    return root


def action(place: Path, root: Path, packages: str, **more: str) -> InstallDebs:
    told = {"from": str(place), "root": str(root), "packages": packages, "name": "r1", **more}
    return InstallDebs(told)


def test_packages_and_what_they_need_come_from_the_kit_and_go_again(
    tmp_path: Path, system: Path
) -> None:
    place = component(
        tmp_path / "debs",
        control("app", "1:1.0-1", "all", Depends="libapp (>= 2)"),
        control("libapp", "2.1", "all"),
        control("other", "1", "all"),
    )
    step = action(place, system, "app")
    assert (step.check(), step.undo_check()) == (TO_DO, DONE)
    step.apply()
    assert (step.check(), step.undo_check()) == (DONE, TO_DO)
    assert sorted(os.listdir(system / "opt")) == ["app", "libapp"]
    step.apply()  # again, as after a kill: nothing changes, and the notes stay
    step.undo()
    assert (step.check(), step.undo_check()) == (TO_DO, DONE)
    assert not list(system.glob("opt/*"))
    step.undo()


def test_an_upgrade_is_asked_for_and_leads_back_without_a_network(
    tmp_path: Path, system: Path
) -> None:
    old = component(tmp_path / "old", control("app", "1.0", "all"))
    action(old, system, "app", name="r0").apply()
    new = component(tmp_path / "new", control("app", "2.0", "all"), control("more", "1", "all"))
    with pytest.raises(NotPossible, match=r"app 1\.0 is installed, which is only replaced"):
        action(new, system, "app").check()
    bare = action(new, system, "app,more", upgrade="yes")
    with pytest.raises(NotPossible, match="not to be had again"):
        bare.apply()
    assert bare._installed("app") == "1.0"  # it said so before it did anything
    step = action(new, system, "app,more", upgrade="yes", back=str(old))
    step.apply()
    assert (step._installed("app"), step._installed("more")) == ("2.0", "1")
    with pytest.raises(NotPossible, match="newer than"):
        action(old, system, "app", name="r2").check()
    for path in old.iterdir():  # the medium is gone
        path.unlink()
    step.undo()
    assert (step._installed("app"), step._installed("more")) == ("1.0", "")
    assert step.undo_check() == DONE


def test_what_came_after_it_is_not_taken_away(tmp_path: Path, system: Path) -> None:
    place = component(tmp_path / "debs", control("base", "1", "all"))
    step = action(place, system, "base")
    step.apply()
    later = component(tmp_path / "later", control("late", "1", "all", Depends="base"))
    action(later, system, "late", name="r2").apply()
    with pytest.raises(NotPossible, match="late would be removed too"):
        step.undo()
    assert (step._installed("late"), step._installed("base")) == ("1", "1")


@pytest.mark.parametrize("name", ["../x", "-o=x", "a;b", "A"])
def test_a_word_that_is_no_package_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotPossible):
        action(tmp_path, tmp_path, name)


def test_a_package_that_is_not_what_the_index_says_is_not_installed(
    tmp_path: Path, system: Path
) -> None:
    place = component(tmp_path / "debs", control("app", "1.0", "all"))
    path = next(place.glob("*.deb"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    step = action(place, system, "app")
    with pytest.raises(NotPossible, match=r"(?i)hash sum mismatch|size"):
        step.apply()
    assert step.check() == TO_DO


def test_a_run_installs_them_and_takes_them_back(tmp_path: Path, system: Path) -> None:
    """As the runner starts it: another directory, umask and environment."""
    place = component(
        tmp_path / "debs",
        control("app", "1.0-1", "all", Depends="libapp"),
        control("libapp", "2", "all"),
    )
    files = {f"debs/{path.name}": path.read_bytes() for path in place.iterdir()}
    book = """\
[input.root]
type = "directory"
[[step]]
id = "debs"
owner = "DevOps Guild"
use = "install-debs"
arguments = { from = "{kit}/debs", packages = "app", name = "{run}", root = "{root}" }
undo = { brought = true }
[[step]]
id = "go"
kind = "gate"
ask = "Go on?"
"""
    grounds = Grounds(tmp_path / "site")
    grounds.top.mkdir()
    inputs = {"place": str(tmp_path / "site" / "place"), "root": str(system)}
    grounds.make(book, files, head=NO_SECRET, inputs=inputs)
    grounds.begin(6)
    assert sorted(os.listdir(system / "opt")) == ["app", "libapp"]
    assert (system / "opt" / "app").stat().st_mode & 0o777 == 0o644
    journal = (grounds.run_directory / "journal").read_text("utf-8")
    assert '"owner":"DevOps Guild","prev"' in journal
    grounds.then("rollback")
    assert not list(system.glob("opt/*"))
