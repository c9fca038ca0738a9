"""Where PINs and passphrases come from: a terminal, a file descriptor, or a named variable.

They are never arguments: whoever may list the processes of a host would read them.  A passphrase is
bytes: what is no UTF-8 goes through as it is, in Python's escapes (PEP 383).
"""

from __future__ import annotations

import getpass
import os
import warnings
from collections.abc import Callable, Sequence

from kit.errors import PassphraseMissing
from verifier.core.errors import UsageError

_OPTIONS = ("--passphrase-fd", "--passphrase-env")


def _terminal(name: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would read standard input
        try:
            return getpass.getpass(f"{name}: ")
        except (getpass.GetPassWarning, EOFError):
            raise PassphraseMissing("is needed, and there is no terminal", where=name) from None
        except UnicodeDecodeError:  # not the text of it: it may be the secret
            raise UsageError(
                f"{name}: what was typed is not in the encoding of this terminal; set LC_ALL to "
                "one of UTF-8, or use --passphrase-fd"
            ) from None


_source: Callable[[str], str] = _terminal


def ask(name: str) -> str:
    """Return the secret that a question is for."""
    return _source(name)


def ask_new(name: str) -> str:
    """Return a new secret, which a terminal asks for twice.

    Raises:
        UsageError: The two differ, or it is empty.
    """
    secret = _source(name)
    if _source is _terminal and _terminal(f"{name}, again") != secret:
        raise UsageError("the two passphrases differ; nothing was written")
    if not secret:
        raise UsageError("an empty passphrase protects nothing; nothing was written")
    if secret[-1] in "\r\n":
        raise UsageError(
            "the new passphrase ends in a line end, which nobody can type; nothing was written: "
            "give it without one (`printf %s`, and no CR as Windows writes it)"
        )
    return secret


def take_from(descriptor: int | None, variable: str | None) -> None:
    """Let questions be answered by a descriptor or a variable; by the terminal if neither is given.

    A descriptor has one line for each question that differs from those before, in their order.

    Raises:
        UsageError: Both are given, or the descriptor is not open.
    """
    global _source
    if descriptor is not None and variable is not None:
        raise UsageError("--passphrase-fd and --passphrase-env exclude each other")
    if descriptor is not None:
        _source = _lines_of(descriptor)
    elif variable is not None:
        _source = _variable(variable)
    else:
        _source = _terminal


def brought_forward(words: Sequence[str]) -> list[str]:
    """Return the words of a command line with our options first, wherever they were typed.

    They belong to the program and not to a command, which nobody has to know.  Behind ``--``, and
    of `verify`, whose words are another program's, everything stays as it is.
    """
    end = words.index("--") if "--" in words else len(words)
    first: list[str] = []
    rest: list[str] = []
    mine = iter(words[:end])
    for word in mine:
        if word == "verify":
            return list(words)
        if word in _OPTIONS:
            value = next(mine, None)
            first += [word] if value is None else [word, value]
        elif word.startswith(tuple(f"{option}=" for option in _OPTIONS)):
            first.append(word)
        else:
            rest.append(word)
    return [*first, *rest, *words[end:]]


def _variable(variable: str) -> Callable[[str], str]:
    def answer(name: str) -> str:
        value = os.environ.get(variable)
        if value is None:
            raise PassphraseMissing(f"the variable {variable!r} is not set", where=name)
        return value

    return answer


def _lines_of(descriptor: int) -> Callable[[str], str]:
    try:
        os.fstat(descriptor)
        stream = open(  # noqa: SIM115 - read as asked
            descriptor, encoding="utf-8", errors="surrogateescape", newline="\n", closefd=False
        )
    except (OSError, ValueError, OverflowError):
        raise UsageError(
            f"--passphrase-fd {descriptor}: no such file descriptor is open: `3< FILE` opens 3"
        ) from None
    answers: dict[str, str] = {}

    def answer(name: str) -> str:
        if name not in answers:
            try:
                line = stream.readline()
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise UsageError(f"--passphrase-fd {descriptor}: {reason}") from None
            if not line:
                raise PassphraseMissing(
                    f"--passphrase-fd {descriptor} has no further line", where=name
                )
            answers[name] = line.removesuffix("\n")
        return answers[name]

    return answer
