"""The benchmark runs: every leg once over tiny data.  How long anything takes is never tested."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kit.container.pyz import make_pyz, verifier_files
from tests.bench import bench_data, run
from tests.bench.bench_legs import DataSet, Leg, legs, prepare
from tests.bench.bench_measure import CommandFailed, Sample, measure
from tests.bench.bench_table import TARGETS, Result, render, verdicts

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("zstd", "openssl", "tar", "sha256sum"))),
    reason="not run: the benchmark compares with zstd, openssl, tar and sha256sum",
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[Result]:
    """Run every leg of three sets once."""
    work, disk = tmp_path_factory.mktemp("bench"), tmp_path_factory.mktemp("disk")
    found = []
    for name in ("mixed", "packed", "quarter"):
        data = prepare(name, "tiny", work, disk)
        chosen = legs(data, None)
        found.append(Result(data, chosen, run.run_rounds(data, chosen, rounds=1, tries=1, first=1)))
    return found


@pytest.mark.long
def test_every_leg_is_measured_and_shown(results: list[Result]) -> None:
    text = render(results, size="tiny", rounds=1, place="a disk")
    for result in results:
        assert f"**{result.data.name}**" in text
        for leg in result.legs:
            assert leg.text in text
            (sample,) = result.samples[leg.name]
            assert sample.wall > 0
            assert sample.rss > 1 << 20
    assert "The targets are meant for larger data" in text


@pytest.mark.long
def test_every_target_of_the_issue_is_judged(results: list[Result]) -> None:
    judged = {(data, text) for data, text, *_ in verdicts(results)}
    wanted = {(target.data, target.text) for target in TARGETS if target.data != "million"}
    assert judged == wanted


@pytest.mark.long
def test_legs_leave_nothing_behind(results: list[Result]) -> None:
    for result in results:
        for leg in result.legs:
            for name in leg.makes:
                assert not (result.data.directory / name).exists()


def hashed(root: Path) -> str:
    state = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            mode = path.stat().st_mode & 0o100
            state.update(b"%s %d %d\n" % (bytes(path.relative_to(root)), mode, len(data)) + data)
    return state.hexdigest()


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("mixed", "7110b1dc8b468e0f"),
        ("packed", "7beadcb9332551e2"),
        ("quarter", "38694a0e05328a07"),
    ],
)
def test_data_is_the_same_on_every_machine(name: str, digest: str, tmp_path: Path) -> None:
    bench_data.MAKERS[name](tmp_path, bench_data.SCALES["tiny"])
    assert hashed(tmp_path).startswith(digest)


def test_paths_of_the_million_have_76_bytes_or_more(tmp_path: Path) -> None:
    bench_data.make_many(tmp_path / "data", 1000)
    paths = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(paths) == 1000
    assert 76 <= sum(len(bytes(path)) for path in paths) / 1000 < 80


def test_command_that_fails_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"exit status 3: .*\nbecause"):
        measure(["/bin/sh", "-c", "echo because; exit 3"], tmp_path, {})


def test_least_disturbed_run_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = prepare_nothing(tmp_path)
    runs = iter([Sample(1.0, 1, 1, others=1.5), Sample(2.0, 1, 1, 0.5), Sample(3.0, 1, 1, 2.0)])
    monkeypatch.setattr(run, "measure", lambda *_: next(runs))
    monkeypatch.setattr(run, "settle", lambda seconds: None)
    assert run.run_leg(data, Leg("x", "x", ("true",)), tries=3).wall == 2.0


def prepare_nothing(directory: Path) -> DataSet:
    return DataSet("mixed", directory, files=1, bytes=1, kit_bytes=1, library="")


def test_tables_go_between_their_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{run.BEGIN}old\n{run.END}after\n")
    monkeypatch.setattr(run, "DOCS", page)
    run.write_docs("new\n")
    assert page.read_text() == f"before\n{run.BEGIN}\nnew\n\n{run.END}after\n"
    page.write_text("no marks\n")
    with pytest.raises(SystemExit, match="has no lines"):
        run.write_docs("new\n")


def test_page_has_the_marks() -> None:
    text = run.DOCS.read_text("utf-8")
    assert text.index(run.BEGIN) < text.index(run.END)


COUNT = """
import builtins, collections, runpy, sys
counts, real = collections.Counter(), builtins.compile
def counting(source, name, *rest, **more):
    counts[str(name)] += 1
    return real(source, name, *rest, **more)
builtins.compile = counting
sys.argv = [sys.argv[1], "--version"]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit:
    ours = {name: count for name, count in counts.items() if "verifier" in name}
    print(len(ours) > 15, max(ours.values()))
"""


def test_zipapp_compiles_no_module_twice(tmp_path: Path) -> None:
    pyz = tmp_path / "kit-verify.pyz"
    pyz.write_bytes(make_pyz(verifier_files()))
    command = [sys.executable, "-I", "-c", COUNT, str(pyz)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True 1"
