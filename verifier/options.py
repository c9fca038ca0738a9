"""Options of the command line: each at most once, none abbreviated, none empty.

A repeated option is mostly a mistake, and under a pattern of the shell it is an attack: a file
named ``--root=x`` beside a kit would decide whom the operator believes.  An empty value is mostly
a variable that is not set; what was asked for with it must not be dropped in silence.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable, Sequence

from verifier.core.errors import UsageError
from verifier.show.plain import plain, shell
from verifier.typed import Any, NoReturn


def given_twice(option: str) -> UsageError:
    """Return what refuses an option that is there twice."""
    return UsageError(
        f"{option} is given twice",
        fix="Give it once; where names come from a pattern, put -- before them.",
    )


def given_empty(name: str) -> UsageError:
    """Return what refuses a value that is empty."""
    return UsageError(
        f"the value of {name} is empty",
        fix="Look whether a variable is not set; give a value, or leave the option out.",
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant; empty if none is near."""
    import difflib  # here: only mistakes need it

    near = difflib.get_close_matches(word, list(known), 1, 0.6)
    return near[0] if near else ""


def check_no_file_is_an_option(arguments: Sequence[str]) -> None:
    """Refuse an argument that would be read as an option and is the name of a file here.

    Raises:
        UsageError: There is one.
    """
    for argument in arguments:
        if argument == "--":
            return
        if argument.startswith("-") and argument != "-" and os.path.lexists(argument):
            raise UsageError(
                f"{plain(argument)} is an option, and also a file in this directory",
                fix=f"For the file write {shell(os.path.join('.', argument))}; for the option "
                "run this in another directory.",
            )


class Parser(argparse.ArgumentParser):
    """The parser of the standard library with our rules; its errors are errors of ours."""

    def __init__(self, *, example: str = "", **more: Any) -> None:
        """Make a parser.

        Args:
            example: How the command is mostly written, for whoever left something out.
            more: As the parser of the standard library takes it.
        """
        more.setdefault("formatter_class", Formatter)
        super().__init__(allow_abbrev=False, **more)
        self.example = example
        for name, action in (
            (None, _Store),
            ("store", _Store),
            ("store_true", _Flag),
            ("append", _Append),
        ):
            self.register("action", name, action)
        self.given: set[str] = set()

    def take(self, action: argparse.Action, values: Any, option: str | None) -> None:
        """Hold one option, or one argument, to the rules.

        Raises:
            UsageError: It is given twice, or is empty.
        """
        name = option or str(action.metavar or action.dest)
        if option is not None and not isinstance(action, _Append):
            if action.dest in self.given:
                raise given_twice(option)
            self.given.add(action.dest)
        for value in values if isinstance(values, list) else [values]:
            if value == "":
                raise given_empty(name)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the arguments; none may be left.

        Raises:
            UsageError: They do not say what this program can do.
        """
        options, left = self.parse_known_args(args, namespace)
        if left:
            self._refuse(left[0])
        return options

    def _refuse(self, word: str) -> NoReturn:
        if not word.startswith("-"):
            raise UsageError(f"{word!r} is one argument too many", fix=f"See `{self.prog} --help`.")
        name = word.partition("=")[0]
        meant = nearest(name, self._option_string_actions)
        raise UsageError(
            f"there is no option {plain(name)}",
            fix=f"Did you mean {meant}? See `{self.prog} --help`."
            if meant
            else f"See `{self.prog} --help`.",
        )

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found as an error of ours, in words of ours where it is common."""
        see = f"See `{self.prog} --help`."
        if self.example:
            see = f"Write for instance `{self.example}`."
        found = _MISSING.fullmatch(message)
        if found:
            many = " are" if ", " in found[1] else " is"
            raise UsageError(f"{found[1]}{many} missing", fix=see)
        found = _NO_VALUE.fullmatch(message)
        if found:
            raise UsageError(f"{found[1]} wants a value", fix=see)
        found = _TOGETHER.fullmatch(message)
        if found:
            raise UsageError(
                f"{found[2]} and {found[1]} do not go together", fix="Give one of them."
            )
        found = _CHOICE.match(message)
        if found and self._subparsers is not None:
            choices = self._subparsers._group_actions[0].choices
            known = list(choices or ())
            meant = nearest(found[1], known)
            raise UsageError(
                f"there is no `{self.prog} {plain(found[1])}`",
                fix=f"Did you mean `{self.prog} {meant}`?"
                if meant
                else f"It is one of: {', '.join(known)}.",
            )
        raise UsageError(plain(message), fix=see)


# What argparse says of the most common mistakes, in every Python from 3.9 on.
_MISSING = re.compile("the following arguments are required: (.+)", re.S)
_NO_VALUE = re.compile("argument ([^:]+): expected (?:one|at least one) argument")
_TOGETHER = re.compile("argument ([^:]+): not allowed with argument (.+)")
_CHOICE = re.compile("argument [^:]+: invalid choice: ['\"](.*?)['\"] \\(choose from", re.S)


class Formatter(argparse.RawDescriptionHelpFormatter):
    """The one of argparse, told its width: asking for it would load 3 ms of other modules."""

    def __init__(self, prog: str) -> None:
        try:
            columns = os.get_terminal_size(1).columns
        except OSError:
            columns = 80
        super().__init__(prog, width=max(columns, 40) - 2)


class _Store(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:
        parser.take(self, values, option)
        setattr(namespace, self.dest, values)


class _Flag(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, **more: Any) -> None:
        more.setdefault("default", False)
        super().__init__(option_strings, dest, nargs=0, const=True, **more)

    def __call__(self, parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:
        parser.take(self, None, option)
        setattr(namespace, self.dest, True)


class _Append(argparse.Action):
    def __call__(self, parser: Any, namespace: Any, values: Any, option: str | None = None) -> None:
        parser.take(self, values, option)
        setattr(namespace, self.dest, [*(getattr(namespace, self.dest) or []), values])
