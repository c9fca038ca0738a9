"""A runbook in TOML becomes a member of the kit, or the build refuses it (RUNBOOK 1)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kit.build import Options, build
from kit.runbook.graph import mermaid, svg
from kit.runbook.source import RunbookInvalid, load_runbook, parse_written
from kit.spec import load_spec
from runner.book.parse import parse_runbook
from tests.support.making import REPOSITORY, pinned, write_files, write_spec
from tests.support.program import apart
from verifier.core.pipeline import Job, Opened
from verifier.run import prove_file

TEXT = """\
schema = 1
id = "small"
[environment.production]
[[step]]
id = "one"
timeout = "60m"
apply = ["tools/run.py", "--report={report}"]
check = ["tools/run.py", "--check"]
undo = { none = "nothing is changed" }
[[step]]
id = "two"
kind = "gate"
ask = 'Go on "now" <really>?'
"""
COMPONENT = """
[[component]]
id = "runbook"
version = "1"
path = "runbook"
lands = "here"
[[component.source]]
runbook = "runbook.toml"
"""


def make(directory: Path, text: str = TEXT) -> Path:
    write_files(directory, {"src/tools/run.py": b"print(1)\n", "runbook.toml": text.encode()})
    spec = write_spec(directory, ["tools"])
    spec.write_text(spec.read_text("utf-8") + COMPONENT, encoding="utf-8")
    return spec


def offline_kit(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return apart([*map(str, words)], REPOSITORY)


def test_a_kit_carries_the_runbook_as_compact_json(tmp_path: Path) -> None:
    spec = load_spec(make(tmp_path))
    built = build(spec, [pinned()], tmp_path / "out", Options())
    job, opened = Job(kit_id=built.kit_id, only=("runbook",)), Opened()
    from verifier.run import Into

    prove_file(str(built.path), job, opened, Into(extract=str(tmp_path / "got")))
    data = (tmp_path / "got" / "runbook" / "runbook.json").read_bytes()
    book = parse_runbook(data)
    assert [step.id for step in book.steps] == ["one", "two"]
    assert b'"timeout"' not in data  # 60m is what it would be anyway
    again = build(spec, [pinned()], tmp_path / "again", Options())
    assert again.path.read_bytes() == built.path.read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"tools/run.py", "--check"', '"tools/look.py"', ":8: step[0].check: the kit has no prog"),
        ('undo = { none = "nothing is changed" }', "", ":4: step[0]: does not say how"),
        ('id = "two"', 'id = "two"\ncolour = 1', ":12: step[1].colour: 'colour' is not known"),
        ('kind = "gate"', 'kind = "gate"\nneeds = ["two"]', ":13: step[1].needs: 'two' comes"),
    ],
)
def test_the_build_refuses_a_bad_one(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in TEXT
    spec = load_spec(make(tmp_path, TEXT.replace(old, new)))
    with pytest.raises(RunbookInvalid) as caught:
        build(spec, [pinned()], tmp_path / "out", Options())
    assert said in str(caught.value)
    assert not list((tmp_path / "out").glob("*")) or not (tmp_path / "out").exists()


def test_a_kit_has_one_runbook(tmp_path: Path) -> None:
    spec = make(tmp_path)
    more = COMPONENT.replace('"runbook"', '"other"', 1).replace('path = "runbook"', 'path = "o"')
    spec.write_text(spec.read_text("utf-8") + more, encoding="utf-8")
    with pytest.raises(RunbookInvalid, match="the second runbook of one kit"):
        build(load_spec(spec), [pinned()], tmp_path / "out", Options())


def test_pictures_hold_texts_that_mean_something_to_their_language() -> None:
    book = parse_written(TEXT.encode(), where="x").book
    assert ElementTree.fromstring(svg(book)) is not None
    drawn = mermaid(book)
    assert "<really>" not in drawn
    assert 'Go on "now"' not in drawn


def test_the_command_line_checks_and_draws(tmp_path: Path) -> None:
    spec = make(tmp_path)
    done = offline_kit("runbook", "check", tmp_path / "runbook.toml", "--spec", spec)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("good: small, 2 steps, environments production\n")
    done = offline_kit("runbook", "check", tmp_path / "runbook.toml", "--json")
    assert json.loads(done.stdout)["programsOfTheKit"] == ["tools/run.py"]
    done = offline_kit("runbook", "graph", tmp_path / "runbook.toml", "--format", "svg")
    assert ElementTree.fromstring(done.stdout) is not None
    (tmp_path / "src" / "tools" / "run.py").rename(tmp_path / "src" / "tools" / "ran.py")
    done = offline_kit("runbook", "check", tmp_path / "runbook.toml", "--spec", spec)
    assert done.returncode == 2
    assert "error[runbook-invalid]" in done.stderr
    done = offline_kit("runbook", "check", tmp_path / "nowhere.toml")
    assert done.returncode == 3
    assert "error[runbook-unreadable]" in done.stderr


def test_a_text_that_is_no_toml_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("schema = 1\nid = \n", encoding="utf-8")
    with pytest.raises(Exception, match=r"bad\.toml:2"):
        load_runbook(tmp_path / "bad.toml")


def test_the_example_keeps_to_the_rules() -> None:
    book = load_runbook(REPOSITORY / "manifests" / "examples" / "runbooks" / "web.toml").book
    assert [step.use for step in book.steps if step.use] == [
        "install-wheels",
        "switch",
        "wait-http",
    ]


def test_a_component_of_a_runbook_says_that_it_is_one(tmp_path: Path) -> None:
    built = build(load_spec(make(tmp_path)), [pinned()], tmp_path / "out", Options())
    kinds = {item.id: item.kind for item in built.manifest.components}
    assert kinds == {"tools": "", "runbook": "runbook"}
