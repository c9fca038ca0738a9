"""A second of what `make fuzz-evidence` does for two minutes, over the committed corpus."""

from __future__ import annotations

from tests.hostile.fuzz_evidence import CORPUS, corpus, run, seeds


def test_nothing_but_answers_comes_out() -> None:
    assert run(1, seed=7) > 50


def test_corpus_has_every_kind() -> None:
    assert {data[0] for data in corpus()} == set(range(7))
    assert {path.name for path in CORPUS.iterdir()} >= set(seeds())
