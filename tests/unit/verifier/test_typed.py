"""A record is a dataclass in all that we use: each row holds for both."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from verifier.typed import field, record, replace


def make(decorate: Any, field: Any) -> tuple[type, type]:
    @decorate(frozen=True)
    class Point:
        x: int
        y: int = 2
        unknown: tuple[str, ...] = field(default=(), compare=False)

    @decorate
    class Basket:
        name: str = ""
        items: list[str] = field(default_factory=list)

    return Point, Basket


MAKERS = {
    "record": (record, field, replace),
    "dataclass": (dataclasses.dataclass, dataclasses.field, dataclasses.replace),
}
pytestmark = pytest.mark.parametrize("kind", MAKERS)


def test_fields_come_by_place_by_name_and_by_default(kind: str) -> None:
    point, basket = make(*MAKERS[kind][:2])
    made = point(1, unknown=("a",))
    assert (made.x, made.y, made.unknown) == (1, 2, ("a",))
    assert basket().items == []
    assert basket().items is not basket().items


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), ((1, 2, (), 4), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((), {"y": 1})],
    ids=["a field is missing", "too many", "twice", "unknown", "only a later one"],
)
def test_wrong_fields_are_refused(kind: str, values: Any, named: Any) -> None:
    point, _ = make(*MAKERS[kind][:2])
    with pytest.raises(TypeError):
        point(*values, **named)


def test_equal_fields_are_equal_records_of_the_same_class(kind: str) -> None:
    point, basket = make(*MAKERS[kind][:2])
    assert point(1) == point(1, 2, ("not compared",))
    assert hash(point(1)) == hash(point(1, 2, ("not compared",)))
    assert point(1) != point(2)
    assert point(1) != (1, 2, ())
    assert basket("a") == basket("a")
    assert basket("a") != basket("b")
    with pytest.raises(TypeError, match="unhashable"):
        hash(basket())


def test_a_frozen_record_stays_as_it_is(kind: str) -> None:
    point, basket = make(*MAKERS[kind][:2])
    made = point(1)
    with pytest.raises(AttributeError):
        made.x = 2
    with pytest.raises(AttributeError):
        del made.x
    changed = basket()
    changed.name = "b"
    assert changed.name == "b"


def test_it_says_what_it_holds(kind: str) -> None:
    point, _ = make(*MAKERS[kind][:2])
    assert repr(point(1)).endswith("Point(x=1, y=2, unknown=())")


def test_a_copy_with_changes(kind: str) -> None:
    point, _ = make(*MAKERS[kind][:2])
    replace = MAKERS[kind][2]
    assert replace(point(1, 5), x=3) == point(3, 5)
    with pytest.raises(TypeError):
        replace(point(1), z=3)
