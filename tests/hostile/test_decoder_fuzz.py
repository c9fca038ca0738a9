"""A little of `fuzz_decoders.py` in every run: odd signed frames, every decoder, one verdict."""

from __future__ import annotations

from collections import Counter

from tests.hostile.fuzz_decoders import decoders, one

RUNS = 150


def test_no_decoder_verifies_what_another_rejects() -> None:
    assert len(decoders()) > 1
    said: Counter[str] = Counter()
    for seed in range(7000, 7000 + RUNS):
        for words, wrong in one(seed, program=seed % 50 == 0):
            assert not wrong
            said[words] += 1
    assert said["taken everywhere"] > RUNS // 6
    assert said["refused everywhere"] > RUNS // 100
