"""A moment of what `make fuzz-evidence` does for two minutes, over the committed corpus."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.fuzz_evidence import corpus, run
from tests.hostile.readers import CORPUS, READERS, one, trusted_root
from tests.support.together import together
from verifier.core.errors import KitError
from verifier.evidence.sigstore.bundle import parse_bundle
from verifier.evidence.sigstore.identity import Identity
from verifier.evidence.sigstore.verify import verify_bundle

BUNDLES = sorted((CORPUS / "evidence").glob("bundle-*"))


def test_nothing_but_answers_comes_out() -> None:
    assert run(0.3, seed=7) > 10


def test_what_was_learned_still_gets_answers() -> None:
    inputs = corpus()
    assert len(inputs) > 250
    for data in inputs:
        one(data)


def test_corpus_has_every_kind() -> None:
    assert {data[0] for data in corpus()} >= set(range(len(READERS)))


@together("path", BUNDLES, ids=lambda path: path.name)
def test_bundles_of_the_corpus_hold(path: Path) -> None:
    """Else a fuzzer that starts from them would never come behind the first check."""
    data = path.read_bytes()[1:]
    READERS["bundle"](data)
    stranger = Identity("https://issuer.example", "somebody")
    with pytest.raises(KitError):
        verify_bundle(parse_bundle(data), stranger, [trusted_root()])
