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

every_error = pytest.mark.parametrize("kind", ALL, ids=CODES)


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
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call):
                called = source.resolve(node.func).rpartition(".")[2]
                names.add(called)
                if called not in {"isinstance", "issubclass"}:
                    names |= {a.id for a in node.args if isinstance(a, ast.Name)}
            elif isinstance(node, ast.IfExp):
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


@every_error
def test_code_is_kebab_case(kind: type[KitError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", kind.code)


@every_error
def test_status_says_what_its_place_in_the_tree_says(kind: type[KitError]) -> None:
    place = {Usage: 2, Undecided: 3, Rejected: 4}
    assert [int(kind.status)] == [place[base] for base in place if issubclass(kind, base)]
    assert kind.status is not ExitStatus.VERIFIED


@every_error
def test_fix_is_one_sentence_in_the_imperative(kind: type[KitError]) -> None:
    assert re.fullmatch(r"[A-Z`][^\n]*[^.!? ]\.", kind.fix)
    assert not re.search(r"[.!?] [A-Z]", kind.fix), "one sentence"
    first = kind.fix.split()[0]
    assert first not in {"The", "A", "An", "This", "You", "Your", "It", "Please"}


@every_error
def test_page_begins_with_a_full_sentence(kind: type[KitError]) -> None:
    assert "__doc__" in vars(kind), "the docstring of its base is not its page"
    first = (kind.__doc__ or "").split("\n\n")[0]
    assert re.fullmatch(r"[A-Z-].*\.", first, re.S)


@every_error
def test_code_is_raised_somewhere(kind: type[KitError]) -> None:
    assert kind.__name__ in raised(), "nothing makes this error: remove it, or raise it"


@every_error
def test_page_has_all_of_it(kind: type[KitError]) -> None:
    page = explain(kind.code)
    word = {2: "usage", 3: "undecided", 4: "rejected"}[int(kind.status)]
    assert page.startswith(f"{kind.code} ({word}, exit status {int(kind.status)})\n\n")
    assert page.endswith(f"\n\nfix: {kind.fix}\n")
    assert (kind.__doc__ or "").split("\n")[0] in page


@every_error
def test_page_is_in_the_docs(kind: type[KitError]) -> None:
    text = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert f"\n### {kind.code}\n\nExit status {int(kind.status)}, " in text
    assert f"\n**Fix:** {kind.fix}\n" in text


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
                "kit.cli", kind, id=f"kit.cli-{kind.code}", marks=LONG if 0 < number < 3 else ()
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
