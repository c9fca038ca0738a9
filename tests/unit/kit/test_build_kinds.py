"""A build makes no kit whose components are not what their kinds promise."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.build import KindBroken
from kit.errors import SpecInvalid
from kit.spec import KitSpec, load_spec, parse_spec
from kit.spec.parts import _KIND_OF
from kit.spec.sources import FETCHED
from tests.support.cases.kinds import package
from tests.support.kindfiles import GOOD, Files, integrity, npm
from tests.support.making import build_kit, write_files, write_spec
from tests.support.together import together
from verifier.evidence.kinds.registry import KNOWN


def spec_of(directory: Path, kind: str, files: Files) -> KitSpec:
    directory.mkdir(exist_ok=True)
    write_files(directory / "src", {f"c/{name}": data for name, data in files.items()})
    path = write_spec(directory, ["c"])
    path.write_text(path.read_text().replace('id = "c"', f'id = "c"\nkind = "{kind}"'))
    return load_spec(path)


@pytest.mark.parametrize("kind", GOOD)
def test_kind_that_is_stated_is_checked_and_signed(tmp_path: Path, kind: str) -> None:
    made = build_kit(spec_of(tmp_path, kind, GOOD[kind]()), tmp_path / "out", sums=False)
    assert made.built.manifest.components[0].kind == kind
    assert made.built.report is not None
    said = made.built.report.opened.judged.done
    assert any(f"({kind}:" in sentence for sentence in said)


@pytest.mark.parametrize("kind", GOOD)
def test_broken_promise_makes_no_kit(tmp_path: Path, kind: str) -> None:
    files = {**GOOD[kind](), "stray.txt": b"x"}
    with pytest.raises(KindBroken) as raised:
        build_kit(spec_of(tmp_path, kind, files), tmp_path / "out", sums=False)
    assert "component 'c': stray.txt" in str(raised.value)
    assert list((tmp_path / "out").iterdir()) == []


NO_BUNDLES = {
    "a text": b"not a bundle\n",
    "nothing": b"",
    "a pack without a head": b"PACK\0\0\0\2" + bytes(24),
    "a head without a pack": b"# v2 git bundle\n" + b"0" * 40 + b" HEAD\n",
}


@pytest.mark.parametrize("what", NO_BUNDLES)
def test_git_bundle_that_is_none_makes_no_kit(tmp_path: Path, what: str) -> None:
    files = {"x.bundle": NO_BUNDLES[what]}
    with pytest.raises(KindBroken, match="git-bundle-") as raised:
        build_kit(spec_of(tmp_path, "git", files), tmp_path / "out", sums=False)
    assert "component 'c': x.bundle" in str(raised.value)
    assert raised.value.fix
    assert list((tmp_path / "out").iterdir()) == []


def test_sha512_is_compared_at_build(tmp_path: Path) -> None:
    files = package("file:tarballs/x-1.tgz", integrity(b"y"))
    with pytest.raises(KindBroken, match="npm-integrity-mismatch"):
        build_kit(spec_of(tmp_path, "npm", files), tmp_path / "out", sums=False)


def test_sha512_of_a_tarball_in_many_frames(tmp_path: Path) -> None:
    large = bytes(9 << 20)
    files = package("file:tarballs/x-1.tgz", integrity(large))
    files["tarballs/x-1.tgz"] = large
    build_kit(spec_of(tmp_path, "npm", files), tmp_path / "out", sums=False)
    files["tarballs/x-1.tgz"] = large[:-1] + b"x"
    with pytest.raises(KindBroken, match="npm-integrity-mismatch"):
        build_kit(spec_of(tmp_path / "again", "npm", files), tmp_path / "out2", sums=False)


def test_what_no_site_can_look_into_is_noted(tmp_path: Path) -> None:
    files = {**npm(), "package.json": b'{"x": "' + b"x" * (4 << 20) + b'"}'}
    made = build_kit(spec_of(tmp_path, "npm", files), tmp_path / "out", sums=False)
    assert any("no site can look into it" in note for note in made.built.notes)


# --- specs -------------------------------------------------------------------------------------

SPEC = """\
[kit]
name = "a"
version = "1"
line = "a/b"
sequence = 1
created = 2026-11-24T00:00:00Z
summary = "s"

[[component]]
id = "c"
version = "1"
path = "c"
lands = "/c"
{kind}
"""
NPM = '[[component.source]]\nnpm = "web"\n'
GIT = '[[component.source]]\ngit = "https://git.example/x.git"\nrev = "main"\n'
DIR = '[[component.source]]\ndir = "x"\n'


def parsed(sources: str, kind: str = "") -> KitSpec:
    text = SPEC.format(kind=f'kind = "{kind}"' if kind else "") + sources
    return parse_spec(text.encode(), file=Path("kit.toml"))


@together(
    ("sources", "stated", "kind"),
    [
        (NPM, "", "npm"),
        (GIT + GIT, "", "git"),
        (NPM + GIT, "", ""),
        (NPM + DIR, "", ""),
        (DIR, "", ""),
        (DIR, "wheels", "wheels"),
        (NPM, "files", "files"),
        (NPM, "npm", "npm"),
        (NPM + DIR, "npm", "npm"),
    ],
)
def test_kind_is_that_of_the_sources(sources: str, stated: str, kind: str) -> None:
    assert parsed(sources, stated).components[0].what == kind


@pytest.mark.parametrize(("sources", "stated"), [(NPM, "wheels"), (DIR, "whels")])
def test_kind_that_cannot_be_is_a_mistake(sources: str, stated: str) -> None:
    with pytest.raises(SpecInvalid):
        parsed(sources, stated)


def test_kinds_of_specs_are_those_that_can_be_judged() -> None:
    assert {*_KIND_OF.values(), "files"} == set(KNOWN)
    assert set(_KIND_OF) == set(FETCHED) - {"url"}
