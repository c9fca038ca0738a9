"""What ends `.ci/run`, and what is left of it then: its functions, around steps that sleep."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.making import REPOSITORY

HEAD, _, _ = (REPOSITORY / ".ci" / "run").read_text("utf-8").partition("\ninstalled() {")
ALONE = "alone long nap"
LANES = """
short() { step short nap; }
long() { step first true; step long nap; }
side_by_side short long
"""


def script(place: Path, steps: str) -> Path:
    """Write `.ci/run` with other steps; each says who sleeps in it."""
    path = place / ".ci" / "run"
    path.parent.mkdir()
    nap = f"nap() {{ bash -c 'echo $$ >>{place}/naps; sleep 60; echo late'; }}"
    path.write_text(f"{HEAD}\n{nap}\n{steps}\n", encoding="utf-8")
    return path


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # whoever is to reap it may be slow


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize(("steps", "number"), [(ALONE, 1), (LANES, 2)], ids=["alone", "lanes"])
def test_a_signal_to_it_alone_ends_the_steps_too(
    tmp_path: Path, steps: str, number: int, sent: signal.Signals
) -> None:
    naps = tmp_path / "naps"
    with subprocess.Popen(
        ["bash", script(tmp_path, steps)],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    ) as run:
        until = time.monotonic() + 60
        while not naps.exists() or naps.read_text().count("\n") < number:
            assert time.monotonic() < until
            time.sleep(0.01)
        os.kill(run.pid, sent)
        said, _ = run.communicate(timeout=60)
    assert run.returncode == 128 + sent
    assert "failed: long\n" in said
    assert "late" not in said
    assert [pid for pid in map(int, naps.read_text().split()) if alive(pid)] == []


def test_what_fails_is_named_and_nothing_follows(tmp_path: Path) -> None:
    steps = "alone good true\nalone bad false\nalone never true\n"
    done = subprocess.run(
        ["bash", script(tmp_path, steps)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout.endswith("failed: bad\n")
    assert " s  good\n" in done.stdout
    assert "never" not in done.stdout


def test_lanes_stand_together_and_one_that_fails_fails_all(tmp_path: Path) -> None:
    steps = "a() { step one echo 1; step two echo 2; }\nb() { step three false; }\n"
    done = subprocess.run(
        ["bash", script(tmp_path, f"{steps}side_by_side a b\nalone never true\n")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "\n=== one: echo 1\n1\n\n=== two: echo 2\n2\n" in done.stdout
    assert "... three\n" in done.stdout
    assert done.stdout.endswith("failed: three\n")
    assert "never" not in done.stdout
