"""axe finds nothing in the HTML of an audit, a browser loads nothing, A4 holds it; SARIF is SARIF.

Their packages are in `pages/package-lock.json`; `.ci/run` installs them where node is, and needs a
Chromium of the host.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Judge
from tests.hostile.test_audit_text import PAYLOADS, hostile
from tests.support.auditing import audit_of, everything
from verifier.audit.htmlform import audit_html
from verifier.audit.model import Audit
from verifier.audit.sarif import audit_sarif

PAGES = Path(__file__).parent / "pages"
A4 = (594.96, 841.92)  # points
FAR = ["a script", "end of a cell", "letters from the right"]


@pytest.fixture(scope="module")
def node() -> str:
    """Return node, if the judges' packages are there too."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("not run: node is not installed")
    if not (PAGES / "node_modules" / "axe-core").is_dir():
        pytest.skip(f"not run: `npm ci` has not been run in {PAGES}")
    return found


@pytest.fixture(scope="module")
def browser(node: str, judge: Judge) -> str:
    """Return a Chromium of this host; without node nobody would drive it."""
    del node
    return os.fspath(judge("chromium", "chromium-browser"))


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Audit]:
    """Return audits by name: full, empty, of a bad kit, and with hostile words in every field."""
    place = tmp_path_factory.mktemp("audits")
    evidence, data = everything()
    full = audit_of(place, evidence, data)
    made = {"full": full, "empty": audit_of(place, {})}
    made["refused"] = audit_of(place, evidence, data, signers=("alice",))
    for name in FAR:
        made[name] = hostile(full, lambda text, name=name: PAYLOADS[name])  # type: ignore[misc]
    return made


def run(node: str, words: Sequence[str | Path], **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [node, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **more},
    )


def judged(node: str, browser: str, page: Path) -> dict[str, Any]:
    """Return what the browser has to say of a page."""
    done = run(node, [PAGES / "page.mjs", "check", page], CHROMIUM=browser)
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout)
    return value


@pytest.mark.parametrize("name", ["full", "empty", "refused", *FAR])
def test_axe_and_the_browser_find_nothing(
    name: str, node: str, browser: str, audits: dict[str, Audit], tmp_path: Path
) -> None:
    page = tmp_path / "audit.html"
    page.write_bytes(audit_html(audits[name]))
    found = judged(node, browser, page)
    assert found["violations"] == []
    assert found["passes"] > 20
    assert found["asked"] == []
    assert found["scripts"] == 0
    assert set(found["overflow"].values()) == {0}
    assert found["pages"] >= 1
    assert [round(side) for side in found["box"][2:]] == [round(side) for side in A4]


def test_axe_would_find_what_is_wrong(node: str, browser: str, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text("<title>x</title><body><img src=y><p style='color:#ccc'>z", "utf-8")
    found = judged(node, browser, page)
    rules = {one["rule"] for one in found["violations"]}
    assert {"color-contrast", "html-has-lang", "image-alt"} <= rules
    assert any(name.endswith("/y") for name in found["asked"])


def test_sarif_is_of_its_schema(node: str, audits: dict[str, Audit], tmp_path: Path) -> None:
    files = []
    for name, audit in audits.items():
        files.append(tmp_path / f"{name.replace(' ', '-')}.sarif")
        files[-1].write_bytes(audit_sarif(audit))
    done = run(node, [PAGES / "sarif.mjs", *files])
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    value = json.loads(files[0].read_bytes())
    value["runs"][0]["results"][0]["level"] = "loud"
    files[0].write_text(json.dumps(value), "utf-8")
    done = run(node, [PAGES / "sarif.mjs", *files])
    assert done.returncode == 1, "the judge takes everything"
    assert files[0].name in done.stdout
