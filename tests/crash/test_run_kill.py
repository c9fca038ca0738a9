"""Runs and rollbacks under SIGKILL at random moments: nothing is done twice, nothing is lost.

The steps log before they work, so a step that was begun twice shows.  A killed runner leaves its
step alive on purpose; whoever resumes has to wait for it.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from runner import cli
from tests.support.killing import ended, fork, killed_at, points
from tests.support.running import Grounds, step

KILLS = int(os.environ.get("OFFLINE_KIT_KILLS", "300"))
PARTS = 3  # that may be run side by side
STEPS = "abc"


def main(words: list[str]) -> int:
    """Run the command line in a child of ours, which is faster to start than a new Python."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return cli.main(words, {})


def killed(words: list[str], seconds: float) -> bool:
    """Run a command, kill it after a while; return whether that was before its end."""
    child = fork(lambda: os._exit(main(words)))
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    status = ended(child)
    assert status in (0, 2, 3, 5, -9), f"the runner failed by itself: {status}"
    return status == -9


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_done_twice_and_nothing_is_lost_whenever_it_is_killed(
    tmp_path: Path, part: int
) -> None:
    grounds = Grounds(tmp_path).make(
        "".join(step(name, "--slow=0.05") for name in STEPS) + step("z", "--exit=5")
    )
    rolls, kills, number = random.Random(13 + part), 0, 0
    while kills < KILLS // PARTS:
        number += 1
        place = grounds.runs / "demo" / "stable" / f"run{number}"
        for path in grounds.place.iterdir():
            path.unlink()
        first = ["run", str(grounds.kit), "--trust", str(grounds.trust), "--settings"]
        first += [str(grounds.settings), "--runs", str(grounds.runs), "--name", f"run{number}"]
        for command in ("resume", "rollback"):
            words = first if command == "resume" else [command, str(place)]
            for _ in range(rolls.randint(2, 7)):
                kills += killed(words, rolls.uniform(0.0, 0.7))
                if (place / "journal").exists():
                    words = [command, str(place)]
                elif place.exists():  # killed before the run began: it is in nobody's way
                    break
            if not (place / "journal").exists():
                break
            assert ended(fork(lambda w=[command, str(place)]: os._exit(main(w)))) in (0, 2, 5)  # type: ignore[misc]
            applied = [f"--apply {name}" for name in STEPS]
            undone = [f"--undo {name}" for name in reversed(STEPS)]
            wanted = applied if command == "resume" else undone
            log = grounds.log()
            kind = wanted[0].split()[0]
            log = [line for line in log if line.startswith(kind) and not line.endswith("z")]
            assert log == wanted, (number, command, grounds.log())
    assert kills >= KILLS // PARTS


def words_of(grounds: Grounds, name: str) -> list[str]:
    """Return what begins a run."""
    words = ["run", str(grounds.kit), "--trust", str(grounds.trust), "--settings"]
    return [*words, str(grounds.settings), "--runs", str(grounds.runs), "--name", name]


def to_the_gate(grounds: Grounds) -> None:
    """Have a kit of two steps and a gate."""
    gate = '[[step]]\nid = "go"\nkind = "gate"\nask = "Go on?"\n'
    grounds.make(step("a") + step("b") + gate)


def go(*words: str) -> None:
    assert main(list(words)) == (0 if words[0] == "rollback" else 6), words


def again(*words: str) -> None:
    assert ended(fork(lambda: go(*words))) == 0


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_killed_at_a_call_that_writes_goes_on_from_there(tmp_path: Path, part: int) -> None:
    """From the first directory to the last record; the parts are all calls together."""
    grounds = Grounds(tmp_path)
    to_the_gate(grounds)
    found = list(points(lambda: go(*words_of(grounds, "sample"))))
    assert len(found) > 50
    for number, point in list(enumerate(found))[part::PARTS]:
        for path in grounds.place.iterdir():
            path.unlink()
        place = grounds.runs / "demo" / "stable" / f"run{number}"
        words = words_of(grounds, place.name)
        killed_at(point, lambda words=words: go(*words))  # type: ignore[misc]
        if (place / "journal").exists():
            again("resume", str(place))  # to the gate
        else:  # no run has begun; what is left of it makes room for the same command
            assert grounds.log() == []
            again(*words)
        assert grounds.log() == ["--apply a", "--apply b"], point


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_a_way_back_killed_at_a_call_that_writes_goes_on_from_there(
    tmp_path: Path, part: int
) -> None:
    """The whole way back, each time of the same run that stands at its gate."""
    (tmp_path / "site").mkdir()
    grounds, kept = Grounds(tmp_path / "site"), tmp_path / "kept"
    to_the_gate(grounds)
    again(*words_of(grounds, "one"))
    for path in (grounds.place, grounds.runs):
        shutil.copytree(path, kept / path.name, symlinks=True)
    place = str(grounds.runs / "demo" / "stable" / "one")
    found = list(points(lambda: go("rollback", place)))
    assert len(found) > 30
    for point in found[part::PARTS]:
        for path in (grounds.place, grounds.runs):
            shutil.rmtree(path)
            shutil.copytree(kept / path.name, path, symlinks=True)
        killed_at(point, lambda: go("rollback", place))
        if b"rolled-back" not in Path(place, "journal").read_bytes():
            again("rollback", place)
        assert grounds.log()[2:] == ["--undo b", "--undo a"], point
