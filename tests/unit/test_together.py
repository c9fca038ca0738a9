"""A table that is one test asks about every row, and says which of them fail."""

from __future__ import annotations

import pytest

from tests.support.together import together


def test_every_row_is_asked_and_all_that_fail_are_named() -> None:
    asked = []

    @together(("number", "wanted"), [(1, 1), (2, 3), (3, 3), (4, 5)], ids="abcd")
    def look(number: int, wanted: int) -> None:
        asked.append(number)
        assert number == wanted
        with pytest.raises(ValueError, match="base 10"):
            int("4" if number == 3 else "four")

    with pytest.raises(pytest.fail.Exception) as failed:
        look()
    assert asked == [1, 2, 3, 4]
    said = str(failed.value)
    assert said.startswith("3 of 4 rows fail\nb:\n")
    assert "\na:\n" not in said
    for part in ("\nc:\n", "\nd:\n", "DID NOT RAISE", "assert 2 == 3", "assert 4 == 5"):
        assert part in said


@together("number", [1, 2])
def test_fixtures_are_given_too(number: int, request: pytest.FixtureRequest) -> None:
    assert number
    assert request.node.name == "test_fixtures_are_given_too"


@pytest.mark.parametrize("rows", [[], [(1, 2)]], ids=["no rows", "too many values"])
def test_what_asks_nothing_is_a_mistake(rows: list[object]) -> None:
    with pytest.raises(AssertionError):
        together("one,two,three", rows)
