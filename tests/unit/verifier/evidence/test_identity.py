"""Who may have signed: exact, or a star for the whole of a part of a workflow's URI."""

from __future__ import annotations

import pytest

from tests.support.together import together
from verifier.evidence.sigstore.identity import make_identity, matches

ISSUER = "https://token.example"
NAME = "https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/v1"


@together(
    "pattern",
    [
        NAME,
        NAME.replace("acme/tool", "*"),
        NAME.replace("acme/tool", "acme/*"),
        NAME.replace("release.yml", "*"),
        NAME.replace("refs/tags/v1", "*"),
        "https://github.com/*/.github/workflows/*@*",
    ],
)
def test_pattern_means_the_name(pattern: str) -> None:
    assert matches(make_identity(ISSUER, pattern).name, NAME)


OTHERS = [
    NAME + "0",
    "x" + NAME,
    NAME.upper(),
    NAME.replace("github.com", "github.com.evil.example"),
    NAME.replace("github.com/", "github.com/evil/"),
    NAME.replace("acme/tool", "acme/tool/more"),
    NAME.replace("acme/tool", "acme"),
    NAME.replace(".github/workflows", ".github/other"),
    NAME.replace("release.yml", "deep/release.yml"),
    NAME.replace("https", "http"),
    NAME.replace("acme/tool", "a me/tool"),
    NAME + "\n",
    "https://evil.example/https://github.com/acme/tool/.github/workflows/release.yml@refs/tags/v1",
    "",
]


@together("name", OTHERS)
def test_no_pattern_means_something_else(name: str) -> None:
    assert not matches("https://github.com/*/.github/workflows/*@*", name) or (
        name in (NAME + "0",)  # another tag, which the star allows
    )
    assert not matches(NAME, name)
    assert not matches(NAME.replace("acme/tool", "acme/*"), name)


def test_star_stands_for_one_part_only() -> None:
    owner = NAME.replace("acme/tool", "acme/*")
    assert not matches(owner, NAME.replace("acme/", "other/"))
    assert not matches(owner, NAME.replace("release.yml", "other.yml"))
    assert not matches(NAME.replace("release.yml", "*"), NAME.replace("tool", "other"))
    assert not matches(NAME.replace("refs/tags/v1", "*"), NAME.replace("release.yml", "other.yml"))
    assert matches(NAME.replace("refs/tags/v1", "*"), NAME.replace("tags/v1", "heads/a@b"))


@together(
    "name",
    [
        "",
        "*",
        "*@example.org",
        "https://*/acme/tool/.github/workflows/a.yml@b",
        NAME.replace("acme", "ac*"),
        NAME.replace("acme", "*"),
        NAME.replace("release.yml", "*.yml"),
        NAME.replace("v1", "*"),
        NAME.replace(".github", "*"),
        "https://gitlab.com/*//.gitlab-ci.yml@refs/heads/main",
    ],
)
def test_star_stands_nowhere_else(name: str) -> None:
    with pytest.raises(ValueError, match=r"identity|stands"):
        make_identity(ISSUER, name)


def test_issuer_is_exact() -> None:
    with pytest.raises(ValueError, match="exact"):
        make_identity("https://*", NAME)
