"""The pages on the medium: a person who types what they say ends with an accepted kit."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.making import Made, make_kit
from verifier.show.fingerprint import groups

_COMMANDS = re.compile(r"^  ((?:mkdir|sha256sum|env) (?:.*\\\n)*.*)$", re.M)
_SIGN = "PROVES NOTHING HERE"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_kit(tmp_path_factory.mktemp("medium"))


def test_the_page_of_first_contact_ends_in_an_accepted_kit(made: Made, tmp_path: Path) -> None:
    page = (made.directory / "FIRST-CONTACT.txt").read_text("ascii")
    assert made.sealed is not None
    number = groups(made.sealed.outputs["root.json"])
    lines = [
        line.replace("python3", sys.executable).replace("NUMBER", number)
        for line in _COMMANDS.findall(page)
    ]
    assert len(lines) == 5
    done = subprocess.run(
        ["/bin/sh", "-ec", "\n".join(lines)],
        cwd=tmp_path,
        env={"MEDIUM": str(made.directory), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert groups(made.sealed.outputs["kit-verify.pyz"]) in done.stdout
    assert (tmp_path / "contact/demo/tools/bin/run").exists()
    assert (tmp_path / "contact/trust/root.json").exists()


def test_the_numbers_on_the_page_stand_below_the_line_that_disowns_them(made: Made) -> None:
    page = (made.directory / "FIRST-CONTACT.txt").read_text("ascii")
    before, _, after = page.partition(_SIGN)
    assert not re.search(r"[0-9a-f]{4} [0-9a-f]{4}", before)
    assert made.sealed is not None
    flat = " ".join(after.split())
    for digest in (made.sealed.outputs["kit-verify.pyz"], made.sealed.kit_id):
        assert groups(digest) in flat
    assert max(map(len, page.splitlines())) <= 100


def test_the_readme_names_what_lies_there(made: Made) -> None:
    text = (made.directory / "README.txt").read_text("utf-8")
    for name in (made.path.name, "kit-verify.pyz", "root.json", "FIRST-CONTACT.txt"):
        assert (made.directory / name).exists()
        assert name in text
