"""kit.lock: one spelling, read strictly, and what was edited by hand is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.sources.errors import LockInvalid
from kit.sources.lockfile import (
    MAX_LOCK,
    Lock,
    LockedArtifact,
    LockedImage,
    LockedSources,
    digest_of,
    load_lock,
    parse_lock,
    render,
)
from tests.support.together import together
from verifier.core.errors import KitError

ZERO = "0" * 64
LOCK = Lock(
    version=1,
    tools={"uv": "0.13.9", "syft.image": "1"},
    source=(
        LockedSources(path="images", digest=ZERO, contents=ZERO),
        LockedSources(path="tools", digest=ZERO, contents=ZERO),
    ),
    image=(
        LockedImage(
            path="images",
            name="lnm:1",
            reference="registry.example/lnm:1",
            index=ZERO,
            platform="linux/amd64",
            media="application/vnd.oci.image.manifest.v1+json",
            size=7,
            sha256=ZERO,
        ),
    ),
    artifact=(
        LockedArtifact(path="evidence/sbom/a.json", size=0, sha256=ZERO),
        LockedArtifact(component="tools", path="tools/jq", size=9, sha256=ZERO, executable=True),
    ),
)


def test_what_is_written_is_what_is_read() -> None:
    assert parse_lock(render(LOCK), where="kit.lock") == LOCK


def test_it_has_no_url_and_says_what_it_is() -> None:
    text = render(LOCK).decode()
    assert "://" not in text
    assert text.startswith("# Written by `offline-kit lock`")
    assert '[[artifact]]\ncomponent = "tools"\npath = "tools/jq"\nsize = 9\n' in text


_TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1)


@given(st.lists(st.tuples(_TEXT, st.integers(0, 2**40)), max_size=5), _TEXT)
def test_any_text_comes_back(purls: list[tuple[str, int]], tool: str) -> None:
    artifacts = tuple(
        LockedArtifact(path=f"a/{number:03}", purl=purl[:500], size=size, sha256=ZERO)
        for number, (purl, size) in enumerate(purls)
    )
    lock = Lock(version=1, tools={"uv": tool[:500]}, artifact=artifacts)
    assert parse_lock(render(lock), where="kit.lock") == lock


GOOD = render(LOCK)
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "version: is missing"),
    "not TOML": (b"<<<<<<< HEAD\n" + GOOD, "kit.lock:1"),
    "a conflict inside": (GOOD + b"=======\n", "kit.lock"),
    "not UTF-8": (GOOD.replace(b"lnm:1", b"lnm:\xff"), "is not UTF-8"),
    "another version": (GOOD.replace(b"version = 1", b"version = 2"), "version"),
    "an unknown field": (GOOD.replace(b"size = 9", b'size = 9\nurl = "x"'), "artifact[1].url"),
    "a negative size": (GOOD.replace(b"size = 9", b"size = -9"), "artifact[1].size"),
    "a size of 2^70": (GOOD.replace(b"size = 9", b"size = 1180591620717411303424"), "size"),
    "a size in quotes": (GOOD.replace(b"size = 9", b'size = "9"'), "size"),
    "5,000 digits": (GOOD.replace(b"size = 9", b"size = " + b"9" * 5000), "kit.lock"),
    "a way up": (GOOD.replace(b"tools/jq", b"tools/../../jq"), "artifact[1].path"),
    "absolute": (GOOD.replace(b"tools/jq", b"/etc/passwd"), "artifact[1].path"),
    "an upper-case digest": (GOOD.replace(b'sha256 = "0', b'sha256 = "A'), "sha256"),
    "a short digest": (GOOD.replace(b'digest = "0000', b'digest = "000'), "digest"),
    "twice": (GOOD.replace(b'path = "tools"', b'path = "images"'), "is there twice"),
    "another order": (b"# mine\n" + GOOD, "other spelling or order"),
    "Windows line ends": (GOOD.replace(b"\n", b"\r\n"), "other spelling or order"),
    "deep": (b"a = " + b"[" * 5000 + b"]" * 5000, "more than 32 deep"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, "byte order mark"),
    "too large": (b"#" * (MAX_LOCK + 1), "more than"),
    "too many tables": (b"version = 1\n" + b"[[source]]\n" * 2_000_000, "200000 tables"),
    "too many lines": (b"version = 1\n" + b"[tools]\n" + b"#\n" * 3_000_000, "1600000 lines"),
}


@together("what", BAD)
def test_a_lock_that_was_edited_is_named(what: str) -> None:
    raw, said = BAD[what]
    with pytest.raises(LockInvalid) as caught:
        parse_lock(raw, where="kit.lock")
    assert said in str(caught.value)
    assert {problem.fix for problem in caught.value.problems} == {"lock again"}


def test_files_stand_by_component_and_path() -> None:
    """Evidence, which has no component, comes first."""
    given = [("b", "a/2"), ("a", "z/1"), (None, "evidence/x"), ("b", "a/1"), ("a", "c")]
    files = tuple(
        LockedArtifact(component=component, path=path, size=0, sha256=ZERO)
        for component, path in given
    )
    raw = render(Lock(version=1, artifact=files))
    paths = [item.path for item in parse_lock(raw, where="kit.lock").artifacts]
    assert paths == ["evidence/x", "c", "z/1", "a/1", "a/2"]


def test_no_lock_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(KitError) as caught:
        load_lock(tmp_path / "kit.lock")
    assert caught.value.code == "lock-missing"
    (tmp_path / "kit.lock").mkdir()
    with pytest.raises(KitError) as caught:
        load_lock(tmp_path / "kit.lock")
    assert caught.value.code == "lock-unreadable"


def test_the_digest_of_sources_does_not_hang_on_their_order_inside() -> None:
    assert digest_of([{"url": "a", "as": "b"}]) == digest_of([{"as": "b", "url": "a"}])
    assert digest_of([{"url": "a"}, {"url": "b"}]) != digest_of([{"url": "b"}, {"url": "a"}])
