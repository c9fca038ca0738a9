"""What programs say is told in one line, bounded, and without logins."""

from __future__ import annotations

import subprocess

import pytest

from kit.sources.told import not_run, told, without_logins


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("see https://alice:sesame@h.example/a?b=1 there", "see https://h.example/a?b=1 there"),
        ("http://token@[::1]:80/ and ssh://git:x@h/r", "http://[::1]:80/ and ssh://h/r"),
        ("'https://a:b@@h/'", "'https://h/'"),
        ("mail a@b.example, git@h:r, https://h/a@b", "mail a@b.example, git@h:r, https://h/a@b"),
    ],
)
def test_logins_of_urls_are_left_out(said: str, shown: str) -> None:
    assert without_logins(said) == shown


def test_one_line_of_bounded_length() -> None:
    assert told(["error: ", "", "  no\x1b[2J such"]) == "'error: no\\x1b[2J such'"
    assert len(told(["x" * 10_000])) == 602


def test_why_a_program_gave_no_answer() -> None:
    assert not_run(subprocess.TimeoutExpired(["uv"], 1800.0)) == "did not end within 1800 s"
    assert not_run(PermissionError(13, "Permission denied")) == "cannot be run: Permission denied"
