"""Frames that nothing shrinks are stored without compressing all of them; no others are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.making import ROOT_FILE, make_kit, noise, text
from verifier.core.lists import RAW, ZSTD
from verifier.core.pipeline import Job, Opened
from verifier.rootfile import load_root
from verifier.run import prove_file

MIB = 1 << 20
CASES = {
    "nothing shrinks": ([noise(3 * MIB)], [RAW]),
    "all shrinks": ([text(3 * MIB)], [ZSTD]),
    "a quarter in the middle shrinks": (
        [noise(MIB), text(MIB // 2), noise(MIB // 2, 1)],
        [ZSTD],
    ),
    "the last eighth shrinks": ([noise(7 * MIB // 4), text(MIB // 4)], [ZSTD]),
    "small, nothing shrinks": ([noise(40_000)], [RAW]),
    "small, half shrinks": ([noise(20_000), text(20_000)], [ZSTD]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_frame_is_stored_only_if_nothing_in_it_shrinks(case: str, tmp_path: Path) -> None:
    parts, kinds = CASES[case]
    made = make_kit(tmp_path, {"data/one": b"".join(parts)})
    opened = Opened()
    prove_file(str(made.path), Job(root=load_root(str(ROOT_FILE))), opened)
    assert opened.table is not None
    assert list(opened.table.kinds) == kinds
