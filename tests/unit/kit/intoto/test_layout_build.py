"""A build is held to the layout of its spec, at the moment that the kit names."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from kit.build import Options, build
from kit.keys import new_key
from kit.rebuild import rebuild
from kit.review.head import load_head
from kit.spec import KitSpec, load_spec
from tests.support.making import CREATED, pinned, write_files, write_spec
from tests.support.program import Run
from verifier.core.errors import KitError

LAYOUT = '[layout]\nfile = "root.layout"\nlinks = "links"\nkeys = ["owner.pub"]\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def prepare(place: Path, run: Run, expires: str = "2026-11-24T00:00:01Z") -> KitSpec:
    """Make the sources of a kit by a step, and a spec that names the layout."""
    for name in ("owner", "builder"):
        new_key("ecdsa-p256", place, name, None)
    write_files(place, {"in/a.txt": b"a\n", "src/tools/.keep": b""})
    (place / "links").mkdir()
    words = ["--functionary", "builder.pub", "--products", "CREATE src/tools/a.txt"]
    words += ["--products", "ALLOW src/tools/.keep", "--products", "DISALLOW *"]
    words_of_step = ["--materials", "in", "--products", "src", "--out", "links"]
    code = "import shutil as s; s.copy('in/a.txt', 'src/tools')"
    words_of_step += ["--", sys.executable, "-c", code]
    for line in (
        ["layout", "init", "root.layout", "--expires", expires],
        ["layout", "add", "root.layout", "build", *words],
        ["layout", "sign", "root.layout", "--key", "owner.pem"],
        ["step", "build", "--key", "builder.pem", *words_of_step],
    ):
        status, _, error = run(*line)
        assert status == 0, error
    spec = write_spec(place, ["tools"])
    spec.write_text(spec.read_text() + "\n" + LAYOUT)
    return load_spec(spec)


def make(spec: KitSpec, place: Path) -> list[str]:
    built = build(spec, [pinned()], place, Options(workers=1))
    rebuild(built.path, spec, Options(workers=1))
    index = load_head(built.path)[1]
    return [path.decode() for path in index.paths(0, len(index))]


def test_layout_and_links_travel_and_expiry_is_judged_at_created(
    here: Path, offline_kit: Run
) -> None:
    """The layout expired a second after `created`: long ago, on most hosts of this test."""
    paths = make(prepare(here, offline_kit), here / "out")
    found = [path for path in paths if path.startswith("evidence/in-toto/")]
    assert len(found) == 2
    assert found[0].startswith("evidence/in-toto/build.")
    assert found[1] == "evidence/in-toto/root.layout"
    assert not any(path.endswith(".pem") for path in paths)


def test_a_layout_that_had_expired_at_created(here: Path, offline_kit: Run) -> None:
    spec = prepare(here, offline_kit, expires=CREATED)
    with pytest.raises(KitError) as caught:
        make(spec, here / "out")
    assert caught.value.code == "layout-expired"
    assert list((here / "out").glob("*.zst")) == []


@pytest.mark.parametrize(
    ("bend", "code"),
    [
        (lambda place: next(place.glob("links/*")).unlink(), "source-missing"),
        (
            lambda place: next(place.glob("links/*")).rename(place / "links" / "x.link"),
            "layout-unmet",
        ),
        (lambda place: shutil.copy(place / "builder.pub", place / "owner.pub"), "layout-unmet"),
        (lambda place: (place / "owner.pub").unlink(), "key-unreadable"),
        (lambda place: (place / "root.layout").write_text("{}"), "layout-invalid"),
        (lambda place: (place / "root.layout").unlink(), "source-missing"),
    ],
)
def test_a_kit_whose_steps_are_not_shown_is_not_built(
    here: Path, offline_kit: Run, bend: object, code: str
) -> None:
    spec = prepare(here, offline_kit)
    assert callable(bend)
    bend(here)
    with pytest.raises(KitError) as caught:
        make(spec, here / "out")
    assert caught.value.code == code
    assert list((here / "out").glob("*.zst")) == []
