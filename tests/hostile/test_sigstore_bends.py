"""Every small change to a bundle is refused: some here, all of them by ``bundle_fuzz.py``."""

from __future__ import annotations

import functools

import pytest

from tests.hostile.bundle_fuzz import one
from tests.support.bundlebends import WISHES, every_bend
from verifier.crypto import ecdsa, ed25519

SHARE = 7  # one in so many


@pytest.mark.slow
def test_changes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind is accepted before it is changed, or every refusal would prove nothing."""
    for module in (ecdsa, ed25519):  # the same signatures come again and again
        monkeypatch.setattr(module, "verify", functools.lru_cache(4096)(module.verify))
    found, passed = [], set()
    for number, item in enumerate(every_bend()):
        if number % SHARE == 0 or item[2].where.endswith(("messageDigest", "keyid")):
            code, wrong = one(item)
            found.append((code, wrong))
            if code.startswith("verified"):
                passed.add(item[0])
    assert [wrong for _, wrong in found if wrong] == []
    assert passed == set(WISHES)
    codes = {code for code, _ in found}
    assert codes >= {"certificate-untrusted", "log-proof-invalid", "timestamp-invalid"}
    assert len(found) > 2500
