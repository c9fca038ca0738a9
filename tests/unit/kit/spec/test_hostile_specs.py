"""Specs that somebody made to break the reader: one error of ours, in bounded time and memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.errors import SpecInvalid
from kit.spec import parse_spec
from tests.support.making import REPOSITORY
from tests.support.together import together

GOOD = (REPOSITORY / "manifests/examples/minimal.toml").read_text()
NUMBER = "sequence = 1 "

HOSTILE = {
    "5,000 digits": (GOOD.replace(NUMBER, f"sequence = {'9' * 5000} "), "digits"),
    "5,000 hexadecimal digits": (GOOD.replace(NUMBER, f"sequence = 0x{'f' * 5000} "), "digits"),
    "a key of 3,000 parts": (f"{GOOD}\n{'.'.join('a' * 3000)} = 1\n", "deep"),
    "a table of 3,000 parts": (f"{GOOD}\n[{'.'.join('a' * 3000)}]\n", "deep"),
    "a key of 100,000 parts": (f"{GOOD}\n{' . '.join(['a'] * 100_000)} = 1\n", "deep"),
    "a quoted key of 3,000 parts": ('"a".' * 3000 + "a = 1\n" + GOOD, "deep"),
    "an inline key of 3,000 parts": (f"{GOOD}\nx = {{{'a.' * 3000}a = 1}}\n", "deep"),
    "300 arrays": (f"{GOOD}\nx = {'[' * 300}{']' * 300}\n", "deep"),
    "100,000 arrays": (f"{GOOD}\nx = {'[' * 100_000}\n", "deep"),
    "300 inline tables": (f"{GOOD}\nx = {'{a=' * 300}1{'}' * 300}\n", "deep"),
    "a number without end": (GOOD.replace(NUMBER, "sequence = 1e999999 "), "inf"),
}


@together(("text", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_spec_is_a_mistake_of_its_author(text: str, said: str) -> None:
    with pytest.raises(SpecInvalid, match=said) as error:
        parse_spec(text.encode(), file=Path("kit.toml"))
    assert len(str(error.value)) < 2000


def test_a_text_with_dots_is_no_deep_key() -> None:
    summary = "1.2.3.4.5.6.7.8.9 and so on... with www.a.b.example and 10.0.0.1/16"
    text = GOOD.replace("A kit with one directory", summary)
    assert parse_spec(text.encode(), file=Path("kit.toml")).kit.summary == summary
