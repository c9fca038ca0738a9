"""The docs: what they show was printed, what they link to is there, and nothing is stale."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.seal import SEALED_TYPE
from tests.support.together import together
from tools import docs
from tools.console import (
    TOP,
    PageBroken,
    commands,
    has_console,
    make_host,
    normalise,
    ready,
    run_page,
)
from verifier import decoders
from verifier.core import lists, manifest, model
from verifier.host.policy import POLICY_TYPE
from verifier.host.receipt import RECEIPT_PREDICATE
from verifier.host.state import STATE_TYPE
from verifier.show.reportvalue import REPORT_TYPE

PAGES = [path.relative_to(TOP).as_posix() for path in docs.pages()]
WITH_CONSOLE = [name for name in PAGES if has_console((TOP / name).read_text("utf-8"))]
OTHERS = [
    *("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "tests/README.md"),
    *("fixtures/keys/README.md", "fixtures/lnm/README.md"),
    *("manifests/FORMAT.md", "manifests/TRUST-FILES.md", "manifests/versioning.md"),
]
VERSIONS = (TOP / "manifests" / "versioning.md").read_text("utf-8")
FENCED = re.compile(r"^( *)(```|~~~).*?^\1\2`*$", re.M | re.S)
LINK = re.compile(r"(?<!!)\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.*?) *#*$", re.M)


def read(name: str) -> str:
    return (TOP / name).read_text("utf-8")


# --- nothing is stale ------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("name", PAGES)
def test_page_is_what_would_be_written_now(name: str) -> None:
    before = read(name)
    after = docs.fresh(name, before)
    assert before == after, f"run 'make docs'\n{docs.stale_lines(before, after)}"


def test_every_section_is_used() -> None:
    used = {match["name"] for name in PAGES for match in docs._SECTION.finditer(read(name))}
    assert used == set(docs.SECTIONS)


def test_stale_section_and_stale_output_are_noticed(tmp_path: Path) -> None:
    page = "<!-- generated spec-minimal -->\nold\n<!-- end of spec-minimal -->\n"
    assert "[kit]" in docs.fresh("docs/x.md", page)
    page = "```console\n$ echo new\nold\n$ false\n$ echo $?\n0\n```\n"
    assert (
        docs.fresh("docs/x.md", page) == "```console\n$ echo new\nnew\n$ false\n$ echo $?\n1\n```\n"
    )


def test_check_fails_on_a_stale_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo new\nold\n```\n")
    monkeypatch.setattr(docs, "TOP", tmp_path)
    assert docs.main(["--check", str(page)]) == 1
    assert (
        "page.md is stale, run 'make docs':\n  line 3\n  - old\n  + new" in capsys.readouterr().out
    )
    assert docs.main(["--write", str(page)]) == 0
    assert docs.main(["--check", str(page)]) == 0


# --- commands of a page ----------------------------------------------------------------------


def test_howtos_show_commands_that_run() -> None:
    pages = [name for name in PAGES if name.startswith("docs/howto/")]
    assert set(pages) <= set(WITH_CONSOLE)
    assert {"README.md", "docs/quickstart.md", "docs/report.md"} <= set(WITH_CONSOLE)


@together("name", WITH_CONSOLE)
def test_prompts_stand_in_console_blocks_only(name: str) -> None:
    """A ``$`` elsewhere would be a command that nobody runs; the demo's transcript was run."""
    for match in re.finditer(r"^```(\S*)[^\n]*\n(.*?)^```$", read(name), re.M | re.S):
        if match[1] != "console" and "== Release host" not in match[2]:
            assert not re.search(r"^\$ ", match[2], re.M), match[0]


def test_command_goes_on_behind_a_backslash() -> None:
    assert list(commands("$ a \\\n  b\nout\n$ c\n")) == ["a \\\n  b", "c"]


def test_page_runs_in_one_shell_with_its_files(tmp_path: Path) -> None:
    page = "```text in/a.txt\nhello\n```\n```console\n$ cd in\n```\n```console\n$ cat a.txt\n```\n"
    made = run_page(page, make_host(tmp_path))
    assert made == page.replace("$ cat a.txt\n", "$ cat a.txt\nhello\n")


@pytest.mark.parametrize("command", ["exit 3", "printf '\\036'", "exec true", "echo '```'", "'"])
def test_page_that_does_not_run_to_its_end_is_noticed(command: str, tmp_path: Path) -> None:
    page = f"```console\n$ echo one\none\n$ {command}\n$ echo two\ntwo\n```\n"
    with pytest.raises(PageBroken):
        run_page(page, make_host(tmp_path))


def test_host_has_nothing_but_what_a_reader_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    printed = make_host(tmp_path).shell("env | sort; ls; python3 -I -c 'import kit'")
    assert "SOURCE_DATE_EPOCH" not in printed
    assert "PYTHONPATH" not in printed
    assert "ModuleNotFoundError" in printed


AS_STARTED = """
offline-kit --version; offline-kit --version >&-; echo $?; offline-kit buidl; echo $?
offline-kit key show nothing; echo $?; cd /; offline-kit root show x <&- 2>&-; echo $?; cd "$HOME"
umask 027; offline-kit key new a --out keys >made; stat -c %a made keys/a.pub; grep -c . made
umask 022; mkdir b; cd b; (exec 5>five; offline-kit explain usage >&5; echo $?); wc -c <five
for n in 1 2 3; do offline-kit explain usage >out$n & done; wait; cat out1 out2 out3 | wc -l
"""


@pytest.mark.long
def test_a_program_that_is_ready_does_what_one_that_is_started_does(tmp_path: Path) -> None:
    started, forked = make_host(tmp_path / "a"), make_host(tmp_path / "b")
    ready(forked)
    said = started.shell(AS_STARTED)
    assert said.count("error[") >= 2
    assert forked.shell(AS_STARTED) == said


def test_output_keeps_what_does_not_change() -> None:
    digest = "0123456789abcdef" * 4
    groups = " ".join(digest[i : i + 4] for i in range(0, 64, 4))
    text = f"{digest} a\n{groups}  b\n12 members, 345 bytes\nat offset 99: 10 of 12 bytes\n"
    text += f"index: 62 members; frame table: 1 frame\n{digest}0"
    assert normalise(text).splitlines() == [
        "<sha256> a",
        "<sha256 in groups>  b",
        "12 members, <n> bytes",
        "at offset <n>: <n> bytes",
        "index: <n> members; frame table: 1 frame",
        f"{digest}0",
    ]


# --- first contact ---------------------------------------------------------------------------

FIRST_CONTACT = "docs/howto/first-contact.md"


def test_first_contact_fits_on_one_page() -> None:
    assert len(read(FIRST_CONTACT).splitlines()) <= 100


# --- the contract ------------------------------------------------------------------------------


def test_versions_are_those_of_the_code() -> None:
    rows = {
        what: now.strip("`") for what, _, now in table(VERSIONS, "## Where a version is written")
    }
    assert rows["the format as a whole"] == model.KIT_PREDICATE
    assert rows["the index"] == lists.INDEX_HEAD.decode().strip()
    assert rows["the frame table"] == lists.FRAMES_HEAD.decode().strip()
    assert rows["how frames are cut"] == model.FRAME_RULES
    assert rows["features that a reader must know"] == "none"
    assert frozenset() == manifest.KNOWN_FEATURES
    assert rows["the report"] == REPORT_TYPE
    assert rows["the seal"] == SEALED_TYPE
    assert rows["the policy of a host"] == POLICY_TYPE
    assert rows["the memory of a host"] == STATE_TYPE
    assert rows["a receipt"] == RECEIPT_PREDICATE


def test_limits_are_still_limits() -> None:
    """When one of them falls, these pages are to be rewritten, and not only their output."""
    native = {"compression.zstd", "libzstd", "zstd program"}
    lacking = "No decoder in plain Python" in read("README.md")
    assert lacking == (set(decoders.FINDERS) == native)
    assert lacking == ("this version has none" in read("docs/howto/hosts-without-zstd.md"))


def test_two_commands_are_enough() -> None:
    block = read("README.md").split("\n## Set up\n")[1].split("```")[1]
    assert block == "sh\nmake demo\nmake test\n"


# --- the demo --------------------------------------------------------------------------------


def test_shortened_demo_leaves_out_only_what_follows_a_finding() -> None:
    text = "$ a\nfine\n$ b\nerror[x]: y\n  fix: z.\n\nkit: k\n$ echo $?\n4\n"
    assert docs.shorten(text) == "$ a\nfine\n$ b\nerror[x]: y\n  fix: z.\n\n[...]\n$ echo $?\n4\n"


def test_demo_shows_each_verdict() -> None:
    by_root, by_policy, planned = "0004043", "00004", "0000"
    for name, expected in (("README.md", by_root), ("docs/demo.md", by_root + by_policy + planned)):
        text = read(name)
        for said in ("VERIFIED: lnm", "REJECTED: digest-mismatch", "REJECTED: threshold-not-met"):
            assert f"\n{said}" in text
        assert "\nUNDECIDED: nobody vouches for this kit\n" in text
        statuses = re.findall(r"^\$ echo \$\?\n(\d+)$", text.split("<!-- end of demo")[0], re.M)
        assert "".join(statuses) == expected
    assert "\nREJECTED: attestation-missing" in read("docs/demo.md")
    assert "\nthe site has what it needs; nothing was changed\n" in read("docs/demo.md")


# --- links -----------------------------------------------------------------------------------


def anchor(heading: str) -> str:
    """Return what a heading is linked to by: lower case, without punctuation, spaces as hyphens."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    return {anchor(match[1]) for match in HEADING.finditer(FENCED.sub("", text))}


@functools.cache
def anchors_of(path: Path) -> set[str]:
    return anchors(path.read_text("utf-8"))


def broken_links(name: str, text: str) -> Iterator[str]:
    """Yield the relative links of a page that lead nowhere."""
    for match in LINK.finditer(FENCED.sub("", text)):
        target, _, fragment = match[1].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = ((TOP / name).parent / target).resolve()
        if target and not (path.exists() and path.is_relative_to(TOP)):
            yield match[1]
            continue
        if fragment and fragment not in (anchors_of(path) if target else anchors(text)):
            yield match[1]


@together("name", [*PAGES, *OTHERS])
def test_links_lead_somewhere(name: str) -> None:
    assert list(broken_links(name, read(name))) == []


@pytest.mark.parametrize(
    "link",
    ["missing.md", "../README.md#no-such-heading", "#no-such-heading", "../../elsewhere"],
)
def test_broken_link_is_noticed(link: str) -> None:
    text = f"# A page\n\n[good](../README.md#set-up) [good](#a-page) [bad]({link})\n"
    assert list(broken_links("docs/x.md", text)) == [link]


def test_every_page_can_be_reached() -> None:
    reached, left = set(), ["README.md"]
    while left:
        name = left.pop()
        reached.add(name)
        for match in LINK.finditer(FENCED.sub("", read(name))):
            path = ((TOP / name).parent / match[1].partition("#")[0]).resolve()
            found = path.relative_to(TOP).as_posix() if path.is_relative_to(TOP) else ""
            if found in PAGES and found not in reached:
                left.append(found)
    assert set(PAGES) - reached == set()


def test_no_page_names_a_host_on_the_network() -> None:
    """Links that need a network are no use where these pages are read; names of formats stay."""
    for name in PAGES:
        for found in re.findall(r"\]\((https?://[^)]*)\)", read(name)):
            pytest.fail(f"{name} links to {found}")


# --- the threat model, decisions, glossary ---------------------------------------------------


def table(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head."""
    section = text.split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_each_guarantee_names_a_test() -> None:
    rows = table(read("docs/threat-model.md"), "## Guarantees")
    assert len(rows) >= 20
    for promise, proof in rows:
        targets = LINK.findall(proof)
        assert targets, promise
        assert all(re.fullmatch(r"\.\./tests/\S*/test_\w+\.py", target) for target in targets)


def test_decisions_are_numbered_and_complete() -> None:
    records = sorted((TOP / "docs" / "adr").glob("0*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    index = read("docs/adr/README.md")
    for path in records:
        text = path.read_text("utf-8")
        title = text.splitlines()[0]
        assert title.startswith(f"# {int(path.name[:4])}. ")
        assert f"| [{int(path.name[:4])}]({path.name}) | {title.split('. ', 1)[1]} |" in index
        assert re.search(r"^Status: (accepted|replaced by)", text, re.M)
        for heading in ("Context", "Decision", "Consequences"):
            assert f"\n## {heading}\n" in text
        assert len(text.splitlines()) <= 80, "one page"


def test_glossary_is_sorted_and_defines_each_word_once() -> None:
    found = re.findall(r"^\| \*\*(.*?)\*\* \|", read("docs/glossary.md"), re.M)
    words = [word.lower() for word in found]
    assert len(words) > 40
    assert words == sorted(words)
    assert len(set(words)) == len(words)
