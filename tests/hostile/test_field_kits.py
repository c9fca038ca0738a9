"""Signed kits from elsewhere that were once judged differently by different decoders."""

from __future__ import annotations

import gzip

from tests.support.corpora import beside
from tests.support.judging import judge
from verifier.core.trust import parse_root
from verifier.decoders import FINDERS


def test_each_has_one_verdict_whatever_the_decoder() -> None:
    kits = sorted(beside("field/kits").glob("*.kit.gz"))
    assert kits
    for path in kits:
        kit = gzip.decompress(path.read_bytes())
        root = parse_root(path.with_name(path.name.replace(".kit.gz", ".root.json")).read_bytes())
        makers = [make for make in (finder() for finder in FINDERS.values()) if make is not None]
        said = {judge(kit, root=root, make_decoder=make).fault for make in makers}
        assert len(said) == 1, path.name
