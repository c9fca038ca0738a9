"""Every small change to a bundle is refused: some here, all of them by ``bundle_fuzz.py``."""

from __future__ import annotations

from tests.hostile.bundle_fuzz import one
from tests.support.bundlebends import WISHES, every_bend

SHARE, LEAST = 61, 300  # one change in so many, and how many these are at least


def test_changes_are_refused() -> None:
    """Each kind is accepted before it is changed, or every refusal would prove nothing."""
    found, passed = [], set()
    for item in every_bend(SHARE, ends=("messageDigest", "keyid")):
        code, wrong = one(item)
        found.append((code, wrong))
        if code.startswith("verified"):
            passed.add(item[0])
    assert [wrong for _, wrong in found if wrong] == []
    assert passed == set(WISHES)
    codes = {code for code, _ in found}
    assert codes >= {"certificate-untrusted", "log-proof-invalid", "timestamp-invalid"}
    assert len(found) > LEAST
