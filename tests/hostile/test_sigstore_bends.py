"""Every small change to a bundle is refused: some here, all of them by ``bundle_fuzz.py``."""

from __future__ import annotations

import pytest

from tests.hostile.bundle_fuzz import one
from tests.support.bundlebends import WISHES, every_bend


@pytest.mark.parametrize(
    ("share", "least"), [(61, 300), pytest.param(7, 2500, marks=pytest.mark.long)]
)
def test_changes_are_refused(share: int, least: int) -> None:
    """Each kind is accepted before it is changed, or every refusal would prove nothing.

    Args:
        share: One change in so many is made.
        least: How many these are at least.
    """
    found, passed = [], set()
    for item in every_bend(share, ends=("messageDigest", "keyid")):
        code, wrong = one(item)
        found.append((code, wrong))
        if code.startswith("verified"):
            passed.add(item[0])
    assert [wrong for _, wrong in found if wrong] == []
    assert passed == set(WISHES)
    codes = {code for code, _ in found}
    assert codes >= {"certificate-untrusted", "log-proof-invalid", "timestamp-invalid"}
    assert len(found) > least
