"""No secret in what is kept, in whatever form and however it arrives."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.masking import MASK, Masker, forms_of

URI = "mongodb://ingest:p%40ss+w%2F%C3%B6%20rd@db.example:27017/lnm"
SECRETS = ["hunter2hunter2", URI, "a b+c/d=e\"f'g\\", "ünïcödé-secret"]


def masked(secrets: list[str], data: bytes, cuts: list[int]) -> bytes:
    masker, at, out = Masker(secrets), 0, b""
    for cut in sorted(cuts):
        out += masker.feed(data[at : max(at, cut)])
        at = max(at, cut)
    return out + masker.feed(data[at:]) + masker.finish()


def test_what_begins_no_secret_is_shown_at_once() -> None:
    """What a program prints is shown live: a short line must not wait for the next one."""
    masker = Masker(SECRETS)
    assert masker.feed(b"progress 1/9 documents\n") == b"progress 1/9 documents\n"
    assert masker.feed(b"it is hunter2hun") == b"it is "
    assert masker.feed(b"ger\n") == b"hunter2hunger\n"
    assert masker.feed(b"hunter2") == b""
    assert masker.feed(b"hunter2") == b""  # it may be the beginning of a longer form
    assert masker.finish() == b"[secret]"


def test_long_secrets_are_masked_too() -> None:
    secret = "".join(chr(33 + n % 90) for n in range(20_000))
    text = f"before {secret} behind".encode()
    for size in (1 << 12, len(text)):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        masker = Masker([secret])
        found = b"".join([*map(masker.feed, pieces), masker.finish()])
        assert found == b"before [secret] behind"


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("shift", range(3))
def test_each_form_is_masked_at_each_cut(secret: str, shift: int) -> None:
    raw = secret.encode()
    coded = base64.b64encode(b"xyz"[:shift] + raw + b"tail")
    forms = [raw, quote(secret, safe="").encode(), quote_plus(secret).encode(), coded]
    forms += [json.dumps(secret).encode(), base64.urlsafe_b64encode(b"xyz"[:shift] + raw + b"t")]
    for form in forms:
        data = b"before " + form + b" after"
        for cut in range(len(data)):
            out = masked([secret], data, [cut])
            assert MASK in out
            assert raw not in out
            assert out.startswith(b"before ")
            assert out.endswith(b" after")


def test_the_password_of_a_uri_is_masked_alone() -> None:
    for said in (b"auth failed for p%40ss+w%2F%C3%B6%20rd", "tried p@ss+w/ö rd".encode()):
        assert MASK in masked([URI], said, [])


@given(
    st.lists(st.text(min_size=6, max_size=12), max_size=3),
    st.lists(st.binary(max_size=12), max_size=8),
    st.data(),
)
def test_what_is_no_secret_stays_and_secrets_go(
    secrets: list[str], parts: list[bytes], data: st.DataObject
) -> None:
    secrets = [one for one in secrets if one.encode("utf-8", "ignore").decode() == one]
    text = b"".join(
        part + (data.draw(st.sampled_from(secrets)).encode() if secrets else b"") for part in parts
    )
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=4))
    whole = masked(secrets, text, [])
    assert masked(secrets, text, cuts) == whole
    forms = [form for one in secrets for form in forms_of(one)]
    if not any(form in text for form in forms):
        assert whole == text
