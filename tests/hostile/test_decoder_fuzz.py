"""A little of `fuzz_decoders.py` in every run: odd signed frames, every decoder, one verdict."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.hostile.fuzz_decoders import decoders, one


@pytest.mark.parametrize("runs", [150, pytest.param(600, marks=pytest.mark.long)])
def test_no_decoder_verifies_what_another_rejects(runs: int) -> None:
    assert len(decoders()) > 1
    said: Counter[str] = Counter()
    for seed in range(7000, 7000 + runs):
        for words, wrong in one(seed, program=seed % 50 == 0):
            assert not wrong
            said[words] += 1
    assert said["taken everywhere"] > runs // 6
    assert said["refused everywhere"] > runs // 100
