"""Types and records without what `typing` and `dataclasses` cost (docs/performance.md).

A zipapp has no compiled files, so a verifier pays for each import on every run, and those two are a
quarter of a start.  Checkers see the real ones; at run time an annotation is text, and a record is
made here.
"""

from __future__ import annotations

__all__ = [
    "Any",
    "BinaryIO",
    "ClassVar",
    "NewType",
    "NoReturn",
    "Protocol",
    "TextIO",
    "TypeVar",
    "TYPE_CHECKING",
    "field",
    "record",
    "replace",
]

TYPE_CHECKING = False  # the name that checkers know
if TYPE_CHECKING:
    from dataclasses import dataclass as record
    from dataclasses import field, replace
    from typing import Any, BinaryIO, ClassVar, NewType, NoReturn, Protocol, TextIO, TypeVar
else:
    Any = BinaryIO = ClassVar = NoReturn = TextIO = None  # in annotations only
    Protocol = object

    def NewType(name, kind):
        """Return ``kind``: a new type is one to checkers only."""
        return kind

    def TypeVar(name):
        """Return nothing: a type variable is one to checkers only."""

    _MISSING = object()

    class _Field:
        """A field with more than a default: a factory, or no part in comparisons."""

        def __init__(self, default, factory, compare):
            self.default, self.factory, self.compare = default, factory, compare

    def field(*, default=_MISSING, default_factory=None, compare=True):
        """Return a field of a record, as `dataclasses.field` does."""
        return _Field(default, default_factory, compare)

    def record(cls=None, *, frozen=False):
        """Make a class a record of its annotated names, as `dataclasses.dataclass` does."""
        if cls is None:
            return lambda given: record(given, frozen=frozen)
        names = tuple(cls.__annotations__)
        defaults, factories, hidden = {}, {}, []
        for name in names:
            value = cls.__dict__.get(name, _MISSING)
            if isinstance(value, _Field):
                delattr(cls, name)
                if value.factory is not None:
                    factories[name] = value.factory
                if not value.compare:
                    hidden.append(name)
                value = value.default
            if value is not _MISSING:
                defaults[name] = value
        cls.__match_args__ = names
        cls._compared = tuple(name for name in names if name not in hidden)
        cls.__init__ = _initializer(cls.__qualname__, names, defaults, factories)
        cls.__eq__, cls.__repr__ = _equal, _shown
        cls.__hash__ = _hashed if frozen else None
        if frozen:
            cls.__setattr__ = cls.__delattr__ = _refuse
        return cls

    def replace(self, **changes):
        """Return a copy with some fields changed, as `dataclasses.replace` does."""
        return type(self)(
            **{name: changes.pop(name, getattr(self, name)) for name in self.__match_args__},
            **changes,
        )

    def _initializer(called, names, defaults, factories):
        known = frozenset(names)

        def __init__(self, *values, **named):
            state = self.__dict__
            state.update(zip(names, values))
            if (
                len(values) > len(names)
                or not known.issuperset(named)
                or not (state.keys().isdisjoint(named))
            ):
                raise TypeError(f"{called}() got a field too many, unknown or twice")
            state.update(named)
            if len(state) == len(names):
                return
            for name in names:
                if name in state:
                    continue
                if name in factories:
                    state[name] = factories[name]()
                elif name in defaults:
                    state[name] = defaults[name]
                else:
                    raise TypeError(f"{called}() misses {name!r}")

        return __init__

    def _key(self):
        return tuple(getattr(self, name) for name in self._compared)

    def _equal(self, other):
        return _key(self) == _key(other) if type(self) is type(other) else NotImplemented

    def _hashed(self):
        return hash(_key(self))

    def _shown(self):
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
        return f"{type(self).__qualname__}({shown})"

    def _refuse(self, name, *value):
        raise AttributeError(f"{type(self).__qualname__}.{name} is frozen")
