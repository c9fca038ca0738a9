"""What every table of our files in TOML has in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

_T = TypeVar("_T", bound="Table")
_DISABLE = "PYDANTIC_DISABLE_PLUGINS"  # pydantic's own switch


class Table(BaseModel):
    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        regex_engine="python-re",
        defer_build=True,  # what is inside another table is not built for itself
    )

    @classmethod
    def read(cls: type[_T], values: Any) -> _T:
        """Return the table that values of TOML are.

        Raises:
            pydantic.ValidationError: They break its rules.
        """
        with _without_plugins():
            cls.model_rebuild()
        return cls.model_validate(values)


@contextmanager
def _without_plugins() -> Iterator[None]:
    """Have pydantic use no plugins for the models that are built meanwhile.

    Another package's code would judge our files, and looking for it asks all that is installed:
    35 ms at each start.  Programs that we start must not inherit this.
    """
    before = os.environ.get(_DISABLE)
    os.environ[_DISABLE] = "__all__"
    try:
        yield
    finally:
        del os.environ[_DISABLE]
        if before is not None:
            os.environ[_DISABLE] = before
