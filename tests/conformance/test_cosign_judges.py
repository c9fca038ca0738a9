"""The real cosign checks a kit's files with the lines of the page, without a network.

`.ci/run` builds two versions from their modules where Go is; one on the PATH is asked too.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Judge
from tests.support.making import KEYS
from tests.support.stock import (
    Change,
    append_to,
    copy_site,
    lines_of,
    make_site,
    other_signature,
    other_statement,
    run_line,
    swap_keys,
)
from verifier.core.model import KIT_PREDICATE

pytestmark = pytest.mark.slow

LINES = dict(
    zip(
        ("signature", "bundle", "statement by digest", "statement by list"),
        lines_of("cosign"),
        strict=True,
    )
)
LIST = ["signature", "bundle"]
STATEMENT = ["statement by digest", "statement by list"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, judge: Judge) -> Path:
    """Return what a site has of a kit."""
    return make_site(tmp_path_factory.mktemp("cosign"), judge)


@pytest.mark.parametrize("line", LINES)
def test_cosign_agrees(cosign: Path, site: Path, line: str) -> None:
    done = run_line(LINES[line], site, cosign=cosign)
    assert (done.returncode, "Verified OK" in done.stderr) == (0, True), done.stderr
    if line in ("bundle", "statement by digest"):
        # where it asks a network, it says that it could not: in a namespace of its own none answers
        assert "TUF" not in done.stderr


def second_signature(site: Path) -> None:
    """Put all signatures of the page into the bundle, as a tool that knows no better would."""
    bundle = json.loads((site / "kit.sigstore.json").read_bytes())
    bundle["dsseEnvelope"]["signatures"] *= 2
    (site / "kit.sigstore.json").write_text(json.dumps(bundle))


REFUSED: dict[str, tuple[list[str], Change]] = {
    "one byte more in the list": ([*LIST, *STATEMENT], append_to("SHA256SUMS")),
    "another key": ([*LIST, *STATEMENT], swap_keys),
    "a signature of something else": ([*LIST, *STATEMENT], other_signature),
    "another statement": (STATEMENT, other_statement),
    "two signatures in a bundle": (["statement by digest"], second_signature),
}
CASES = [(line, what) for what, (lines, _) in REFUSED.items() for line in lines]
SHORT = [  # each line and each change once; together they are long
    ("signature", "one byte more in the list"),
    ("bundle", "another key"),
    ("statement by list", "a signature of something else"),
    ("statement by digest", "another statement"),
    ("statement by digest", "two signatures in a bundle"),
]


@pytest.mark.parametrize(
    ("line", "what"),
    [case if case in SHORT else pytest.param(*case, marks=pytest.mark.long) for case in CASES],
)
def test_cosign_refuses(cosign: Path, site: Path, tmp_path: Path, line: str, what: str) -> None:
    changed = copy_site(site, tmp_path, REFUSED[what][1])
    done = run_line(LINES[line], changed, cosign=cosign)
    assert (done.returncode != 0, "Verified OK" in done.stderr) == (True, False), done.stderr


@pytest.mark.parametrize("line", STATEMENT)
def test_cosign_refuses_another_type(cosign: Path, site: Path, line: str) -> None:
    asked = LINES[line].replace(KIT_PREDICATE, "https://offline-kit.example/another/v1")
    assert asked != LINES[line]
    assert run_line(asked, site, cosign=cosign).returncode != 0


def test_cosign_checks_each_signature_of_the_page(cosign: Path, site: Path, tmp_path: Path) -> None:
    """A page with several signatures is read as it is, one key a run, Ed25519 too."""
    copy = copy_site(site, tmp_path)
    shutil.copyfile(KEYS / "alice.pub", copy / "signer.pub")
    done = run_line(LINES["statement by list"], copy, cosign=cosign)
    assert done.returncode == 0, done.stderr
    shutil.copyfile(KEYS / "carol.pub", copy / "signer.pub")
    assert run_line(LINES["statement by list"], copy, cosign=cosign).returncode != 0


def test_verify_blob_says_ok_to_any_statement(cosign: Path, site: Path) -> None:
    """The page warns of it: if cosign learns to look, the warning goes."""
    line = LINES["bundle"].replace("SHA256SUMS.sigstore.json", "kit.sigstore.json")
    done = run_line(line.replace("cosign.pub", "signer.pub"), site, cosign=cosign)
    assert (done.returncode, "Verified OK" in done.stderr) == (0, True), done.stderr
