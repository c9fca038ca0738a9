"""Every vector about evidence of runs: refused with its own code, or good and said to be closed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from runner.homing.judge import verify
from runner.kitside import Looked, look_under
from tests.support.making import REPOSITORY
from tests.support.together import together
from verifier.core.errors import ExitStatus, KitError
from verifier.core.trust import Root, parse_root

RUNS = REPOSITORY / "fixtures" / "runs"
CASES = sorted(path.parent.name for path in RUNS.glob("*/expected.json"))


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Looked:
    path = tmp_path_factory.mktemp("kit") / "kit.tar.zst"
    path.write_bytes(gzip.decompress((RUNS / "kit.gz").read_bytes()))
    return look_under(str(path), parse_root((RUNS / "root.json").read_bytes()))


@pytest.fixture(scope="module")
def operators() -> Root:
    return parse_root((RUNS / "operators.json").read_bytes())


@together("name", CASES)
def test_vector(name: str, kit: Looked, operators: Root, tmp_path: Path) -> None:
    expected = json.loads((RUNS / name / "expected.json").read_bytes())
    path = tmp_path / "evidence.tar.zst"
    path.write_bytes(gzip.decompress((RUNS / name / "evidence.gz").read_bytes()))
    if not expected["code"]:
        found = verify(str(path), operators, kit)
        assert (found.state.phase == "closed") == expected["closed"]
        return
    with pytest.raises(KitError) as refused:
        verify(str(path), operators, kit)
    assert refused.value.code == expected["code"], refused.value
    assert refused.value.status is ExitStatus.REJECTED
