"""sigstore's own verifier for JavaScript checks the two bundles, with a key and no network.

Its packages are in `js/package-lock.json`; `.ci/run` installs them where node is.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Judge
from tests.support.stock import (
    Change,
    append_to,
    copy_site,
    make_site,
    other_signature,
    other_statement,
    replace_in,
    swap_keys,
)
from tools.demo import isolation
from verifier.core.model import KIT_PREDICATE

JS = Path(__file__).parent / "js"
LIST = ["SHA256SUMS.sigstore.json", "cosign.pub", "SHA256SUMS"]
PAGE = ["kit.sigstore.json", "signer.pub"]


@pytest.fixture(scope="module")
def node() -> str:
    """Return node, if the judge's packages are there too."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("not run: node is not installed")
    if not (JS / "node_modules" / "@sigstore" / "verify").is_dir():
        pytest.skip(f"not run: `npm ci` has not been run in {JS}")
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, judge: Judge) -> Path:
    """Return what a site has of a kit."""
    return make_site(tmp_path_factory.mktemp("js"), judge)


def ask(node: str, site: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*isolation(), node, JS / "judge.mjs", *words],
        cwd=site,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_sigstore_checks_the_list(node: str, site: Path) -> None:
    done = ask(node, site, LIST)
    assert (done.returncode, done.stdout) == (0, "Verified OK\n"), done.stderr


def test_sigstore_checks_the_statement(node: str, site: Path) -> None:
    done = ask(node, site, PAGE)
    assert (done.returncode, done.stdout) == (0, f"Verified OK\n{KIT_PREDICATE}\n"), done.stderr


REFUSED: dict[str, tuple[list[str], Change]] = {
    "one byte more in the list": (LIST, append_to("SHA256SUMS")),
    "list, another key": (LIST, swap_keys),
    "list, a signature of something else": (LIST, other_signature),
    "list, a bundle without a key": (LIST, replace_in(LIST[0], b'"publicKey"', b'"publicKex"')),
    "statement, another key": (PAGE, swap_keys),
    "statement, a signature of something else": (PAGE, other_signature),
    "another statement": (PAGE, other_statement),
}


@pytest.mark.parametrize(("words", "change"), REFUSED.values(), ids=REFUSED.keys())
def test_sigstore_refuses(
    node: str, site: Path, tmp_path: Path, words: list[str], change: Change
) -> None:
    done = ask(node, copy_site(site, tmp_path, change), words)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
