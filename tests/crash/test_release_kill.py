"""A release that is killed in any of its stages goes on, and ends as if nobody had killed it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.pipeline.state import BEGUN, DONE, Entry, State
from tests.support import killing
from tests.support.killing import WRITING, Point, ended, fork
from tests.support.pipelines import RELEASE, SPEC, make_project, tree, without
from tests.support.program import quiet_run

_NOTES = r"^kit\.release\.json$|^links/"  # a link has its duration
_LEFT = re.compile(  # what `store gc` clears up, once whoever held it is gone
    _NOTES + r"|^releases/lines/.*/\.[^/]*offline-kit-(partial|probe)|^store/(holds|partial)/"
)
MOST = int(os.environ.get("OFFLINE_KIT_KILLS", "24"))  # kills in a stage
STAGES = ["steps export", "test", "build", "sign", "verify", "publish"]
FETCHING = ["lock", "sbom"]  # of another project, that begins with them


def _release(
    top: Path, before: Callable[[], object] = lambda: None, *options: str
) -> Callable[[], object]:
    """Return work for a child: stand in a project, and release it."""

    def work() -> None:
        os.chdir(top)
        os.environ.pop("SOURCE_DATE_EPOCH", None)
        os.environ["OFFLINE_KIT_STORE"] = os.fspath(top / "store")
        before()
        assert quiet_run("release", *options) == 0

    return work


def _watch(task: str, begun: Callable[[], object], done: Callable[[], object]) -> None:
    """Have something called when a task has begun, and when it is done, in this process."""
    original = State.put

    def put(self: State, name: str, entry: Entry) -> None:
        if name == task and entry.state == DONE:
            done()
        original(self, name, entry)
        if name == task and entry.state == BEGUN:
            begun()

    State.put = put  # type: ignore[method-assign, assignment]


def _points(top: Path, task: str) -> list[Point]:
    """Do a task in a child, and return every moment at which it changes the disk."""
    reading, writing = os.pipe()
    counters: list[killing._Counter] = []

    def tell() -> None:
        os.write(writing, " ".join(counters[0].seen).encode())

    def watch() -> None:
        _watch(task, lambda: counters.append(killing._Counter(None)), tell)

    child = fork(_release(top, watch, "--until", _stage(task)))
    os.close(writing)
    with open(reading, "rb") as pipe:
        seen = pipe.read().decode().split()
    assert ended(child) == 0
    halves = [Point(n, half=True) for n, name in enumerate(seen) if name in WRITING]
    return [Point(n, half=False) for n in range(len(seen))] + halves


def _killed(top: Path, task: str, point: Point) -> bool:
    """Release a project in a child that is killed in a task; return whether it was."""
    strike: list[killing._Counter] = []

    def watch() -> None:
        _watch(task, lambda: strike.append(killing._Counter(point)), lambda: None)

    status = ended(fork(_release(top, watch, "--until", _stage(task))))
    assert status in (0, -signal.SIGKILL)
    return status != 0


def _stage(task: str) -> str:
    return task.split()[0]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what gives a project whose next task is the one named; nobody changes it."""
    top = tmp_path_factory.mktemp("ready")
    made = {STAGES[0]: top / "0" / "project", FETCHING[0]: top / "lock" / "project"}
    make_project(made[STAGES[0]])
    (top / "elsewhere").write_bytes(b"of somebody else\n" * 100_000)
    _make_fetching(made[FETCHING[0]], top / "elsewhere")
    for task in ("build", FETCHING[-1]):  # once here: what a release imports is there in each fork
        loading = top / "loading" / task
        shutil.copytree(made[STAGES[0] if task in STAGES else FETCHING[0]], loading)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(loading)
            patch.setenv("OFFLINE_KIT_STORE", "")  # both are changed for good
            patch.delenv("SOURCE_DATE_EPOCH", raising=False)
            _release(loading, int, "--until", _stage(task))()

    def make(task: str) -> Path:
        if task not in made:
            stages = STAGES if task in STAGES else FETCHING
            before = stages[stages.index(task) - 1]
            copy = top / task / "project"
            shutil.copytree(make(before), copy)
            assert ended(fork(_release(copy, int, "--until", _stage(before)))) == 0
            made[task] = copy
        return made[task]

    return make


def _make_fetching(top: Path, source: Path) -> None:
    """Write a project with a source from elsewhere, whose SBOM is to be written."""
    spec = without(SPEC, "[[evidence]]", "[[evidence.source]]", "[[attestation]]")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    fetched = f'url = "{source.as_uri()}"\nsha256 = "{digest}"'
    spec = spec.replace('dir = "artifacts/app"', fetched)
    release = without(RELEASE, "[[release.step]]", "[release.test]")
    make_project(top, release.replace('out = "out"', 'out = "out"\nsbom = "write"'), spec)


def _contents(top: Path) -> dict[str, str]:
    """Return all files of a project but its notes, and but what the next entry clears up."""
    return {name: one for name, one in tree(top).items() if not _LEFT.search(name)}


def _kill_and_go_on(ready: Path, top: Path, task: str, point: Point) -> bool:
    """Kill a release in a task, and let it go on; return whether it was killed."""
    shutil.rmtree(top, ignore_errors=True)
    shutil.copytree(ready, top)
    killed = _killed(top, task, point)
    assert ended(fork(_release(top, int, "--until", _stage(task)))) == 0
    return killed


def _whole(ready: Path, top: Path, task: str) -> tuple[list[Point], dict[str, str]]:
    """Do a task without a kill; return the moments that there are, and all files then."""
    shutil.copytree(ready, top)
    return _points(top, task), _contents(top)


@pytest.mark.parametrize("task", ["steps export", "build", *FETCHING[-1:]])
def test_killed_in_the_middle_of_a_stage(
    task: str, ready: Callable[[str], Path], tmp_path: Path
) -> None:
    points, whole = _whole(ready(task), tmp_path / "whole", task)
    assert _kill_and_go_on(ready(task), tmp_path / "killed", task, points[len(points) // 3])
    assert _contents(tmp_path / "killed") == whole


@pytest.mark.long
@pytest.mark.parametrize("task", STAGES + FETCHING)
def test_killed_at_every_call_of_a_stage(
    task: str, ready: Callable[[str], Path], tmp_path: Path
) -> None:
    points, whole = _whole(ready(task), tmp_path / "whole", task)
    every = 1 + len(points) // MOST
    kills = 0
    for point in points[::every]:
        kills += _kill_and_go_on(ready(task), tmp_path / "killed", task, point)
        assert _contents(tmp_path / "killed") == whole, point
    assert kills >= min(len(points), MOST) // 2


# --- what it has started ---------------------------------------------------------------------


@pytest.mark.parametrize("task", ["steps export", "test"])
def test_a_killed_release_takes_its_command_with_it(
    task: str, ready: Callable[[str], Path], tmp_path: Path
) -> None:
    """Else a second one would work beside it, on the same files."""
    top = tmp_path / "project"
    shutil.copytree(ready(task), top)
    slow = "import pathlib, time, os; pathlib.Path('pid').write_text(str(os.getpid())); "
    slow += "time.sleep(60); "
    text = (top / "offline-kit.toml").read_text()
    old = "import pathlib;" if task == "test" else "import shutil"
    (top / "offline-kit.toml").write_text(text.replace(old, slow + old, 1))
    child = fork(_release(top))
    pid = _wait_for(top / "pid")
    os.kill(child, signal.SIGKILL)
    ended(child)
    for _ in range(500):
        if not _lives(pid):
            break
        time.sleep(0.01)
    assert not _lives(pid)
    noted = (top / "kit.release.json").read_text()
    assert '"begun"' in noted


def _wait_for(path: Path) -> int:
    for _ in range(3000):
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(path.read_text())
        time.sleep(0.01)
    raise AssertionError("the command did not start")


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"
