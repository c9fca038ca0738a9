"""Error codes: each has a page that tells people what to do, and none of them is a dead letter."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, load
from tools.docs import errors_of, import_all
from verifier import cli
from verifier.core.errors import ExitStatus, KitError, Rejected, Undecided, Usage, UsageError
from verifier.show.explain import explain

VERIFIER = errors_of("verifier")
BUILDER = errors_of("kit")
ALL = [*VERIFIER, *BUILDER]
CODES = [kind.code for kind in ALL]
ABSTRACT = {"KitError", "Rejected", "Undecided", "Usage", "_Files", "_Sources"}


def classes() -> list[type[KitError]]:
    """Return every class of the tree of our own, those without a code included."""
    import_all()
    found: list[type[KitError]] = []
    left: list[type[KitError]] = [KitError]
    while left:
        kind = left.pop()
        found.append(kind)
        left += kind.__subclasses__()
    return [kind for kind in found if kind.__module__.split(".")[0] in {"kit", "verifier"}]


@functools.cache
def raised() -> set[str]:
    """Return the names of classes that our sources make; those handed over by name included."""
    names: set[str] = set()
    for source in load("kit", "verifier"):
        for use, call in source.calls():
            called = use.name.rpartition(".")[2]
            names.add(called)
            if called not in {"isinstance", "issubclass"}:
                names |= {a.id for a in call.args if isinstance(a, ast.Name)}
        for node in source.nodes:
            if isinstance(node, ast.IfExp):
                names |= {v.id for v in (node.body, node.orelse) if isinstance(v, ast.Name)}
            elif isinstance(node, ast.Dict):
                names |= {v.id for v in node.values if isinstance(v, ast.Name)}
    return names


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in classes() if "code" in vars(kind)]
    assert sorted(codes) == sorted(CODES)
    assert len(set(codes)) == len(codes)


def test_what_has_no_code_is_only_a_base() -> None:
    bases = {kind for kind in classes() if "code" not in vars(kind)}
    assert {kind.__name__ for kind in bases} == ABSTRACT
    assert not {kind.__name__ for kind in bases - {KitError}} & raised()


# Each question is asked of all codes at once: there are hundreds, and an answer takes no time.


def test_codes_are_kebab_case() -> None:
    assert not [code for code in CODES if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code)]


def test_status_says_what_its_place_in_the_tree_says() -> None:
    place = {Usage: 2, Undecided: 3, Rejected: 4}
    wrong = [
        kind.code
        for kind in ALL
        if [int(kind.status)] != [place[base] for base in place if issubclass(kind, base)]
        or kind.status is ExitStatus.VERIFIED
    ]
    assert not wrong


def test_fix_is_one_sentence_in_the_imperative() -> None:
    no_orders = {"The", "A", "An", "This", "You", "Your", "It", "Please"}
    wrong = {
        kind.code: kind.fix
        for kind in ALL
        if not re.fullmatch(r"[A-Z`][^\n]*[^.!? ]\.", kind.fix)
        or re.search(r"[.!?] [A-Z]", kind.fix)  # more than one sentence
        or kind.fix.split()[0] in no_orders
    }
    assert not wrong


def test_page_begins_with_a_full_sentence() -> None:
    heirs = [kind.code for kind in ALL if "__doc__" not in vars(kind)]
    assert not heirs, "the docstring of its base is not its page"
    first = {kind.code: (kind.__doc__ or "").split("\n\n")[0] for kind in ALL}
    assert not [code for code in CODES if not re.fullmatch(r"[A-Z-].*\.", first[code], re.S)]


def test_code_is_raised_somewhere() -> None:
    dead = [kind.code for kind in ALL if kind.__name__ not in raised()]
    assert not dead, "nothing makes this error: remove it, or raise it"


def test_page_has_all_of_it() -> None:
    words = {2: "usage", 3: "undecided", 4: "rejected"}
    wrong = []
    for kind in ALL:
        page, status = explain(kind.code), int(kind.status)
        head = f"{kind.code} ({words[status]}, exit status {status})\n\n"
        whole = page.startswith(head) and page.endswith(f"\n\nfix: {kind.fix}\n")
        if not whole or (kind.__doc__ or "").split("\n")[0] not in page:
            wrong.append(kind.code)
    assert not wrong


def test_page_is_in_the_docs() -> None:
    text = (ROOT / "docs" / "errors.md").read_text("utf-8")
    missing = [
        kind.code
        for kind in ALL
        if f"\n### {kind.code}\n\nExit status {int(kind.status)}, " not in text
        or f"\n**Fix:** {kind.fix}\n" not in text
    ]
    assert not missing


# --- the command -----------------------------------------------------------------------------


def test_command_prints_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "threshold-not-met"]) == 0
    assert capsys.readouterr().out == explain("threshold-not-met")


@pytest.mark.parametrize(
    ("wrong", "close"),
    [
        ("treshold-not-met", "threshold-not-met"),
        ("no_root", "no-root"),
        ("digest", "digest-mismatch"),
        ("THRESHOLD-NOT-MET".lower() + "s", "threshold-not-met"),
    ],
)
def test_unknown_code_suggests_a_close_one(wrong: str, close: str) -> None:
    with pytest.raises(UsageError) as refused:
        explain(wrong)
    assert f"no such code: {wrong!r}; close: " in str(refused.value)
    assert close in str(refused.value)


@pytest.mark.parametrize("code", ["", "\x1b[2J", "q" * 50, "no-root\n", "\udce4"])
def test_what_is_no_code_is_shown_escaped(code: str) -> None:
    with pytest.raises(UsageError) as refused:
        explain(code)
    assert repr(code) in str(refused.value)
    assert "\x1b" not in str(refused.value)


def test_unknown_code_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "nonsense"]) == 2
    assert capsys.readouterr().err.startswith("error[usage]: no such code: 'nonsense'")


FIRST_AND_LAST = [VERIFIER[0], VERIFIER[-1], BUILDER[0], BUILDER[-1]]
LONG = (pytest.mark.long,)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "kind"),
    [
        *(pytest.param("verifier", kind, id=f"verifier-{kind.code}") for kind in FIRST_AND_LAST),
        *(
            pytest.param(
                "kit.cli", kind, id=f"kit.cli-{kind.code}", marks=LONG if number < 3 else ()
            )
            for number, kind in enumerate(FIRST_AND_LAST)
        ),
    ],
)
def test_each_program_explains_what_it_can_say(
    program: str, kind: type[KitError], tmp_path: Path
) -> None:
    """In a process of its own: here every module is loaded, and so every class is there."""
    start = f"""import runpy, sys
sys.path.insert(0, {str(ROOT)!r})
sys.argv = ["x", "explain", {kind.code!r}]
runpy.run_module({program!r}, None, "__main__")"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", start],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if program == "verifier" and kind in BUILDER:
        assert done.returncode == 2
        assert "no such code" in done.stderr
    else:
        assert (done.returncode, done.stdout) == (0, explain(kind.code))
