"""Options of `offline-kit`, held to the rules of `verifier.options`: each once, none empty.

A command and a group of typer's, which every command here is made of; and what typer refuses
becomes an error of ours, its words shown as all foreign text is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from verifier.core.errors import UsageError
from verifier.options import check_no_file_is_an_option, given_empty, given_twice, nearest
from verifier.show.plain import plain


class App(typer.Typer):
    """Commands of the kinds below; see `typer.Typer`."""

    def __init__(self, **more: Any) -> None:
        more.setdefault("cls", Group)
        more.setdefault("rich_markup_mode", None)  # help as plain text: nothing to load
        super().__init__(**more)

    def command(self, *name: Any, **more: Any) -> Callable[[Any], Any]:
        """Return what makes a function a command; see `typer.Typer.command`."""
        more.setdefault("cls", Command)
        return super().command(*name, **more)


def _show_help(ctx: Any, param: Any, value: bool) -> None:
    """Print the help of a command on our own stream, which notices a full disk."""
    del param
    if value and not ctx.resilient_parsing:
        print(ctx.get_help())
        ctx.exit()


class Command(TyperCommand):
    """A command whose options are given once, and whose values are not empty."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return ``--help``; see `click.Command.get_help_option`."""
        return _printed(super().get_help_option(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments of this command; see `click.Command.parse_args`."""
        _check(self, ctx, args)
        return super().parse_args(ctx, args)


class Group(TyperGroup):
    """A group of commands; a mistyped one is answered with the nearest."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return ``--help``; see `click.Command.get_help_option`."""
        return _printed(super().get_help_option(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what is before the command."""
        _check(self, ctx, args)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the first argument names."""
        word = args[0]
        if self.get_command(ctx, word) is None and not word.startswith("-"):
            meant, path = nearest(word, self.commands), ctx.command_path
            raise UsageError(
                f"there is no command {word!r} of {path}",
                fix=f"Did you mean `{path} {meant}`? See `{path} --help`."
                if meant
                else f"See `{path} --help`.",
            )
        return super().resolve_command(ctx, args)


def _printed(option: Any) -> Any:
    if option is not None:
        option.callback = _show_help
    return option


def _check(command: Any, ctx: Any, args: list[str]) -> None:
    """Hold the arguments of one command to the rules.

    Raises:
        UsageError: An option is given twice, a value is empty, or a file is named like an option.
    """
    if ctx.allow_interspersed_args:  # of a group it is not: what follows belongs to its command
        check_no_file_is_an_option(args)
    values, _, order = command.make_parser(ctx).parse_args(args=list(args))
    counted = Counter(id(item) for item in order)
    for item in order:
        if item.param_type_name != "option":
            name = str(item.metavar or item.name.upper()).strip("[].")
        else:
            name = item.opts[-1]
            if counted[id(item)] > 1 and not (item.multiple or item.count):
                raise given_twice(name)
        value = values.get(item.name)
        if "" in (value if isinstance(value, (list, tuple)) else [value]):
            raise given_empty(name)


def told(program: Callable[[], Any]) -> int:
    """Run a program of typer's and return its exit status.

    Raises:
        UsageError: What typer does not like.
    """
    try:
        return int(program() or 0)
    except typer.TyperException as error:
        format_message = getattr(error, "format_message", None)
        if format_message is None:
            raise
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError" and context is not None:
            raise UsageError(
                f"{context.command_path} wants a command, or what it is about",
                fix=f"See `{context.command_path} --help`.",
            ) from None
        where = context.command_path if context is not None else "offline-kit"
        message = plain(" ".join(str(format_message()).split())).rstrip(".")
        fix = _elsewhere(error, context) or f"See `{where} --help`."
        raise UsageError(message[:1].lower() + message[1:], fix=fix) from None


def _elsewhere(error: Any, context: Any) -> str:
    """Return which commands have an option that this one lacks; empty if none has it."""
    option = getattr(error, "option_name", None)
    if type(error).__name__ != "NoSuchOption" or context is None:
        return ""
    root = context.find_root()
    known = [
        f"`{' '.join([root.command_path, *words])}`"
        for words, command in _commands(root.command, [])
        if any(option in item.opts for item in command.params)
    ]
    if not known or getattr(error, "possibilities", None):
        return ""
    named = ", ".join(known[:3]) + (" and others" if len(known) > 3 else "")
    return f"It is an option of {named}; see `{context.command_path} --help`."


def _commands(command: Any, words: list[str]) -> Iterator[tuple[list[str], Any]]:
    for name, inner in getattr(command, "commands", {}).items():
        yield [*words, name], inner
        yield from _commands(inner, [*words, name])
