"""Sizes, words and locks: what keeps the project easy to read and to install."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, Law, Source, complaints, parse
from tests.support.together import together

MODULE_LINES = 400  # of code: comments and docstrings are free
TEST_LINES = 600  # a table of hostile cases is long and still one idea
FUNCTION_LINES = 50  # without the docstring
FOLDERS = ("kit", "verifier", "runner", "fixtures", "tests", "tools")

# Written in pieces, so that this file does not say them either.
INDEXES = [
    *("py" + "pi.org", "python" + "hosted.org", "crates" + ".io", "proxy.golang" + ".org"),
    *("registry.npm" + "js", "repo1." + "maven", "deb." + "debian"),
    *("index" + "-url", "find" + "-links", "trusted" + "-host"),
]
PLACES = ["/wo" + "rk/", "/ro" + "ot/\\.", "/tmp/" + "bash_jobs", "/opt/wh" + "eels"]
MAKERS = ["C" + "EO", "A" + "I", "LL" + "Ms?", "work" + "place", "cl" + "aude", "anth" + "ropic"]
MAKERS += ["chat" + "gpt", "cop" + "ilot"]
WORD = r"(?<![\w+/=-])(?:{})(?![\w+/=-])"  # base64 has no word
FORBIDDEN = {
    "names where packages come from": re.compile("|".join(map(re.escape, INDEXES)), re.I),
    "names a place on one machine": re.compile("|".join(PLACES)),
}
FORBIDDEN_IN_TEXT = {
    **FORBIDDEN,
    "speaks of who made it": re.compile(WORD.format("|".join(MAKERS))),
    "speaks of who made it, in some case": re.compile(WORD.format("|".join(MAKERS[3:])), re.I),
    "speaks of one sitting": re.compile(r"\bses" + r"sions?\b", re.I),
}
# No pattern finds anything where none of these is.
IN_ONE_CASE = [
    *(word.replace("\\", "") for word in PLACES),
    *(word.rstrip("s?") for word in MAKERS[:3]),
]
WORDS = [*INDEXES, *MAKERS[3:], "ses" + "sion"]
# What a site types installs from a directory of the kit, which is no index.
FROM_A_DIRECTORY = re.compile("--find" + "-links (?:DIR|wheels)\\b")
# Words of a craft that only look like the above: pytest's scope, a database's connection.
ALLOWED = re.compile(
    "scope=[\"']{0}[\"']|{0}-scoped|pytest\\.{0}|\\.{0}\\b|set {0} |{0}_user".format(
        "ses" + "sion"
    ),
    re.I,
)
NOT_OURS = {".git", ".venv", "build", "dist", "__pycache__", ".hypothesis", ".pytest_cache"}
NOT_OURS |= {".mypy_cache", ".ruff_cache", "node_modules"}


def module_is_short(source: Source) -> Iterator[str]:
    limit = TEST_LINES if source.path.startswith("tests/") else MODULE_LINES
    if source.text.count("\n") >= limit and source.code_lines > limit:
        yield source.at(1, f"{source.code_lines} lines of code, not {limit}: split it by idea")


def functions_are_short(source: Source) -> Iterator[str]:
    for node in source.functions():
        first = node.body[0].lineno
        if ast.get_docstring(node, clean=False) is not None:
            first = (node.body[0].end_lineno or first) + 1
        lines = (node.end_lineno or first) - first + 1
        if lines > FUNCTION_LINES:
            yield source.at(node.lineno, f"{node.name} has {lines} lines, not {FUNCTION_LINES}")


def our_files() -> Iterator[Path]:
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(set(folders) - NOT_OURS)
        yield from (Path(folder, name) for name in sorted(set(files) - NOT_OURS))


def words_out_of_place(where: str, data: bytes) -> Iterator[str]:
    try:
        text, forbidden = data.decode("utf-8"), FORBIDDEN_IN_TEXT
    except UnicodeDecodeError:  # a kit, say: short words turn up in it by chance
        text, forbidden = data.decode("latin-1"), FORBIDDEN
    lower = text.lower()
    if not any(word in text for word in IN_ONE_CASE) and not any(word in lower for word in WORDS):
        return  # nearly every file, in a tenth of the time that the patterns take
    for number, line in enumerate(text.splitlines(), start=1):
        said = FROM_A_DIRECTORY.sub("", ALLOWED.sub("", line))
        for complaint, pattern in forbidden.items():
            if pattern.search(said):
                yield f"{where}:{number}: {complaint}"


def lock_faults(text: str) -> Iterator[str]:
    """Yield what is wrong with a lock: every line exact, every distribution hashed, no index."""
    whole = text.replace("\\\n", " ")
    entries = [line for line in whole.splitlines() if line.strip() and not line.startswith("#")]
    if not entries:
        yield "names nothing"
    for entry in entries:
        if not re.match(r"[a-z0-9][a-z0-9.-]*==[0-9][0-9a-z.+]* *(;|--hash)", entry):
            yield f"is not NAME==VERSION: {entry[:60]!r}"
        if not re.search(r" --hash=sha256:[0-9a-f]{64}\b", entry):
            yield f"has no hash: {entry[:60]!r}"
    if "://" in text or re.search(r"^\s*-(?!-hash)", text, re.M) or " @ " in text:
        yield "names an index, an address or a file"


def locked(name: str) -> set[str]:
    text = (ROOT / "requirements" / name).read_text("utf-8")
    return set(re.findall(r"^[a-z0-9.-]+==\S+(?: ; [^\\\n]+)?", text, re.M))


def versions(entries: set[str]) -> set[str]:
    """Return the entries without the Pythons and platforms that they are for."""
    return {entry.split(" ; ")[0] for entry in entries}


SIZES: list[tuple[Law, str]] = [
    (module_is_short, "x = 1\n" * 401),
    (functions_are_short, "def f():\n" + "    x = 1\n" * 51),
]


@pytest.mark.parametrize("law", [law for law, _ in SIZES])
def test_sources_are_short(law: Law) -> None:
    assert complaints(law, *FOLDERS) == []


@pytest.mark.parametrize(("law", "text"), SIZES)
def test_long_source_is_noticed(law: Law, text: str) -> None:
    assert list(law(parse("kit/a.py", text)))
    shorter = text.rsplit("\n", 2)[0]
    assert list(law(parse("kit/a.py", shorter))) == []


def test_files_speak_of_the_project_only() -> None:
    found: list[str] = []
    for path in our_files():
        found += words_out_of_place(path.relative_to(ROOT).as_posix(), path.read_bytes())
    assert found == [], "say it in another way, or add the idiom to ALLOWED"


@together(
    "text",
    [
        "see https://" + "py" + "pi.org/project/x",
        "pip install --extra-index" + "-url x",
        "the previous ses" + "sion wrote this",
        "cp /wo" + "rk/main/x .",
        "asked the C" + "EO",
    ],
)
def test_word_out_of_place_is_noticed(text: str) -> None:
    assert list(words_out_of_place("a.md", text.encode()))


@together(
    "data",
    [
        b'@pytest.fixture(scope="ses' + b'sion")',
        b"subprocess.Popen(x, start_new_ses" + b"sion=True)",
        b'{"sig":"b3/A' + b'I+x="}',
        b"\xff A" + b"I \xfe",
        b"said again: 'available'",
    ],
)
def test_words_of_the_craft_pass(data: bytes) -> None:
    assert list(words_out_of_place("a.py", data)) == []


@together("path", sorted((ROOT / "requirements").glob("*.txt")), ids=lambda p: p.name)
def test_lock_is_exact_hashed_and_names_no_index(path: Path) -> None:
    assert list(lock_faults(path.read_text("utf-8"))) == [], "run 'make lock'"


def test_development_runs_on_what_a_release_host_installs() -> None:
    assert locked("runtime.txt"), "requirements/runtime.txt is empty: run 'make lock'"
    assert versions(locked("runtime.txt")) <= versions(locked("dev.txt")), "run 'make lock'"


def test_compressor_is_the_one_that_pyproject_pins() -> None:
    pinned = re.search(r'"(zstandard==[0-9.]+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    assert pinned, "the bytes of a kit depend on libzstd: pin zstandard exactly"
    assert pinned[1] in versions(locked("runtime.txt")), "run 'make lock'"


GOOD_LOCK = "# made by x\nrich==15.0.0 ; python_version < '3.11' \\\n    --hash=sha256:" + "0" * 64


@together(
    "text",
    [
        "",
        "rich==15.0.0",
        GOOD_LOCK.replace("==", ">="),
        GOOD_LOCK + "\nrich",
        "-i https" + "://x\n" + GOOD_LOCK,
        "--extra-index" + "-url x\n" + GOOD_LOCK,
        "rich @ https" + "://x/rich.whl --hash=sha256:" + "0" * 64,
    ],
)
def test_bad_lock_is_noticed(text: str) -> None:
    assert list(lock_faults(GOOD_LOCK)) == []
    assert list(lock_faults(text))
