"""Specs: what is accepted, and what an author is told about a mistake."""

from __future__ import annotations

import datetime
import functools
import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator, meta

from kit.errors import (
    Problem,
    SpecInvalid,
    SpecMissing,
    SpecUnreadable,
)
from kit.spec import KitSpec, load_spec, parse_spec, schema_bytes, spec_schema
from kit.spec.positions import parse_toml
from tests.support.together import together
from verifier.core.errors import ExitStatus

REPOSITORY = Path(__file__).resolve().parents[4]
SCHEMA = REPOSITORY / "manifests/schema/spec.v1.json"
EXAMPLES = sorted((REPOSITORY / "manifests/examples").glob("*.toml"))
WRITE_SCHEMA = (
    "python -c 'import kit.spec, pathlib; "
    'pathlib.Path("manifests/schema/spec.v1.json").write_bytes(kit.spec.schema_bytes())\''
)

GOOD = """\
[kit]
name = "lnm"
version = "2026.11.0"
line = "lnm/stable"
sequence = 7
created = 2026-11-24T00:00:00Z
summary = "one line"

[[component]]
id = "migrations"
version = "21.101.0"
path = "migrations/21-101"
lands = "/opt/lnm"

[[component.source]]
dir = "migrations"
exclude = ["*.pyc", "__pycache__/"]

[[component.source]]
file = "out/runner.bin"
as = "bin/runner"

[[component]]
id = "seeds"
version = "21.103.0"
path = "seeds"
lands = "the object store"
source = [
    { glob = "seeds/**/*.json" },
]

[[evidence]]
path = "sbom"
source = [{ file = "a.spdx.json" }]

[[exemption]]
paths = ["seeds/README.md"]
reason = "text for people"
"""


def parse(text: str) -> KitSpec:
    return parse_spec(text.encode(), file=Path("kit.toml"))


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(SpecInvalid) as refused:
        parse(text)
    assert refused.value.status is ExitStatus.USAGE
    return refused.value.problems


def line_of(text: str, part: str) -> int:
    """Return the one line of ``text`` that ``part`` is in."""
    assert text.count(part) == 1, part
    return text[: text.index(part)].count("\n") + 1


def test_values_of_a_good_spec() -> None:
    spec = parse(GOOD)
    assert spec.kit.created == datetime.datetime(2026, 11, 24, tzinfo=datetime.timezone.utc)
    assert spec.kit.names == "ascii"
    assert spec.kit.level == 3
    assert [component.id for component in spec.components] == ["migrations", "seeds"]
    tree, runner = spec.components[0].sources
    assert (tree.dir, tree.exclude) == ("migrations", ("*.pyc", "__pycache__/"))
    assert (runner.file, runner.as_) == ("out/runner.bin", "bin/runner")
    assert spec.components[1].sources[0].glob == "seeds/**/*.json"
    assert spec.evidence[0].path == "sbom"
    assert spec.exemptions[0].paths == ("seeds/README.md",)


def test_a_spec_knows_its_directory_and_the_lines_of_its_fields(tmp_path: Path) -> None:
    file = tmp_path / "kit.toml"
    file.write_text(GOOD, encoding="utf-8")
    spec = load_spec(file)
    assert spec.base == tmp_path
    place = ("component", 0, "source", 1, "file")
    line = line_of(GOOD, 'file = "out')
    assert spec.where(*place) == f"{file}:{line}: component[0].source[1].file"


def test_a_text_with_crlf_has_the_same_lines() -> None:
    bad = GOOD.replace("sequence = 7", "sequence = 0").replace("\n", "\r\n")
    (problem,) = problems(bad)
    assert (problem.line, problem.field) == (5, "kit.sequence")


# --- mistakes: what stands in GOOD, what stands there instead, the field, what the message says

MISTAKES = {
    "name in upper case": ('name = "lnm"', 'name = "LNM"', "kit.name", "'LNM'; expected the kit's"),
    "name with a final LF": ('name = "lnm"', 'name = "lnm\\n"', "kit.name", r"'lnm\n'"),
    "name too long": ('name = "lnm"', f'name = "{"a" * 65}"', "kit.name", "1 to 64"),
    "version is a number": (
        'version = "2026.11.0"',
        "version = 2026.11",
        "kit.version",
        'put it in quotes: "2026.11"',
    ),
    "line begins with a slash": ('"lnm/stable"', '"/lnm"', "kit.line", "'/lnm'"),
    "sequence 0": ("sequence = 7", "sequence = 0", "kit.sequence", "from 1 to 2^40"),
    "sequence above 2^40": ("sequence = 7", "sequence = 1099511627777", "kit.sequence", "2^40"),
    "sequence in quotes": ("sequence = 7", 'sequence = "7"', "kit.sequence", "without quotes: 7"),
    "sequence true": ("sequence = 7", "sequence = true", "kit.sequence", "true; expected"),
    "sequence 7.0": ("sequence = 7", "sequence = 7.0", "kit.sequence", "7.0; expected"),
    "created not in UTC": (
        "2026-11-24T00:00:00Z",
        "2026-11-24T00:00:00+01:00",
        "kit.created",
        "is not in UTC",
    ),
    "created without zone": (
        "2026-11-24T00:00:00Z",
        "2026-11-24T00:00:00",
        "kit.created",
        "is not in UTC",
    ),
    "created with a fraction": (
        "2026-11-24T00:00:00Z",
        "2026-11-24T00:00:00.5Z",
        "kit.created",
        "has a fraction of a second",
    ),
    "created is a date": ("2026-11-24T00:00:00Z", "2026-11-24", "kit.created", "with a time"),
    "created before 1970": (
        "2026-11-24T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "kit.created",
        "before 1970",
    ),
    "created after tar": (
        "2026-11-24T00:00:00Z",
        "2242-03-16T12:56:32Z",
        "kit.created",
        "what a tar header can hold",
    ),
    "created is another text": (
        "2026-11-24T00:00:00Z",
        '"24.11.2026"',
        "kit.created",
        "is not such a time",
    ),
    "created on a day that does not exist": (
        "2026-11-24T00:00:00Z",
        '"2026-02-30T00:00:00Z"',
        "kit.created",
        "is not such a time",
    ),
    "summary of two lines": ('"one line"', '"one\\nline"', "kit.summary", r"'one\nline'"),
    "summary turns the line": ('"one line"', '"one \\u202eline"', "kit.summary", r"\u202e"),
    "summary empty": ('"one line"', '""', "kit.summary", "1 to 500"),
    "summary too long": ('"one line"', f'"{"x" * 501}"', "kit.summary", "1 to 500"),
    "names of another kind": (
        'summary = "one line"',
        'summary = ""\nnames = "utf-8"',
        "kit.names",
        '"ascii" for printable ASCII',
    ),
    "level 0": ('summary = "one line"', 'summary = "x"\nlevel = 0', "kit.level", "1 to 19"),
    "level 20": ('summary = "one line"', 'summary = "x"\nlevel = 20', "kit.level", "1 to 19"),
    "kitId too short": (
        'summary = "one line"',
        'summary = "x"\nsupersedes = ["ab"]',
        "kit.supersedes[0]",
        "64 hexadecimal digits",
    ),
    "supersedes is a text": (
        'summary = "one line"',
        'summary = "x"\nsupersedes = "ab"',
        "kit.supersedes",
        "write it like `supersedes = [",
    ),
    "expires before created": (
        'summary = "one line"',
        'summary = "x"\nexpires = 2026-11-24T00:00:00Z',
        "kit.expires",
        "a time after `created`",
    ),
    "key misspelt": ('lands = "/opt/lnm"', 'lnads = "/opt"', "component[0].lnads", "mean lands?"),
    "key of another table": (
        'lands = "/opt/lnm"',
        "sequence = 3",
        "component[0].sequence",
        "[kit]",
    ),
    "key nobody knows": ('lands = "/opt/lnm"', "xyzzy = 3", "component[0].xyzzy", "remove it"),
    "key in quotes": ('lands = "/opt/lnm"', '"l nds" = 3', "component[0].'l nds'", "not known"),
    "key missing": ('id = "migrations"\n', "", "component[0].id", "is missing"),
    "lands empty": ('"/opt/lnm"', '""', "component[0].lands", "1 to 500"),
    "path climbs out": ('"migrations/21-101"', '"a/../b"', "component[0].path", "'..' component"),
    "path absolute": ('"migrations/21-101"', '"/a"', "component[0].path", "an empty"),
    "path ends in a slash": ('"migrations/21-101"', '"a/"', "component[0].path", "an empty"),
    "path empty": ('"migrations/21-101"', '""', "component[0].path", "an empty"),
    "path with a colon": ('"migrations/21-101"', '"c:/a"', "component[0].path", "cannot write"),
    "path is a device": ('"migrations/21-101"', '"a/NUL.d"', "component[0].path", "a device"),
    "path decomposed": (
        '"migrations/21-101"',
        '"cafe\\u0301"',
        "component[0].path",
        "normal form C",
    ),
    "path not ASCII": (
        '"migrations/21-101"',
        '"caf\\u00e9"',
        "component[0].path",
        'names = "unicode"',
    ),
    "path reserved": ('"migrations/21-101"', '"Verifier/x"', "component[0].path", "needs itself"),
    "path reserved, a file": (
        '"migrations/21-101"',
        '"README.TXT"',
        "component[0].path",
        "needs itself",
    ),
    "two components with one id": (
        'id = "seeds"',
        'id = "migrations"',
        "component[1].id",
        "unique",
    ),
    "two components with one path": (
        'path = "seeds"',
        'path = "Migrations/21-101"',
        "component[1].path",
        "is the directory of component[0]",
    ),
    "path inside another's": (
        'path = "seeds"',
        'path = "migrations/21-101/x"',
        "component[1].path",
        "is inside 'migrations/21-101' of component[0]",
    ),
    "path around another's": (
        'path = "seeds"',
        'path = "migrations"',
        "component[0].path",
        "is inside 'migrations' of component[1]",
    ),
    "source of two kinds": (
        'dir = "migrations"',
        'dir = "migrations"\nglob = "x/*"',
        "component[0].source[0]",
        "exactly one of file, dir, glob",
    ),
    "source of no kind": (
        'dir = "migrations"\n',
        "",
        "component[0].source[0]",
        "exactly one of file, dir, glob",
    ),
    "source misspelt": (
        'dir = "migrations"',
        'dri = "x"',
        "component[0].source[0].dri",
        "mean dir?",
    ),
    "source absolute": (
        '"out/runner.bin"',
        '"/etc/passwd"',
        "component[0].source[1].file",
        "relative to the directory of the spec",
    ),
    "source with backslash": (
        '"out/runner.bin"',
        "'out\\runner'",
        "component[0].source[1].file",
        "backslash",
    ),
    "as climbs out": ('"bin/runner"', '"../x"', "component[0].source[1].as", "'..' component"),
    "as not ASCII": ('"bin/runner"', '"r\\u00fc"', "component[0].source[1].as", "not ASCII"),
    "as beside dir": (
        'dir = "migrations"',
        'dir = "migrations"\nas = "x"',
        "component[0].source[0]",
        "`as` only beside one file, or beside `pack`",
    ),
    "exclude beside file": (
        'as = "bin/runner"',
        'as = "bin/runner"\nexclude = []',
        "component[0].source[1]",
        "`exclude` only beside `dir` or `glob`",
    ),
    "exclude is a text": (
        'exclude = ["*.pyc", "__pycache__/"]',
        'exclude = "*.pyc"',
        "component[0].source[0].exclude",
        'write it like `exclude = ["',
    ),
    "exclude has a number": (
        'exclude = ["*.pyc", "__pycache__/"]',
        'exclude = ["*.pyc",\n\n 3]',
        "component[0].source[0].exclude[1]",
        'put it in quotes: "3"',
    ),
    "glob without wildcard": (
        "seeds/**/*.json",
        "seeds/x.json",
        "component[1].source[0].glob",
        "has no wildcard",
    ),
    "glob with half a **": (
        "seeds/**/*.json",
        "seeds/a**",
        "component[1].source[0].glob",
        "only a whole component",
    ),
    "glob climbs out": (
        "seeds/**/*.json",
        "seeds/*/../x",
        "component[1].source[0].glob",
        "behind a wildcard",
    ),
    "no source and no placeholder": (
        'source = [\n    { glob = "seeds/**/*.json" },\n]\n',
        "",
        "component[1]",
        "placeholder",
    ),
    "evidence without source": (
        'source = [{ file = "a.spdx.json" }]',
        "source = []",
        "evidence[0].source",
        "which is empty",
    ),
    "evidence under a reserved name": (
        'path = "sbom"',
        'path = "Evidence.Index"',
        "evidence[0].path",
        "needs itself",
    ),
    "exemption of nothing": ('["seeds/README.md"]', "[]", "exemption[0].paths", "which is empty"),
    "exemption of no path": ('["seeds/README.md"]', '["a/"]', "exemption[0].paths[0]", "an empty"),
    "one bracket": ("[[evidence]]", "[evidence]", "evidence", "[[evidence]] with two brackets"),
}


ELSEWHERE = {  # the line is not that of what was written: the text of that line, which of them
    "key missing": ("[[component]]", 0),
    "source of two kinds": ("[[component.source]]", 0),
    "source of no kind": ("[[component.source]]", 0),
    "as beside dir": ("[[component.source]]", 0),
    "exclude beside file": ("[[component.source]]", 1),
    "no source and no placeholder": ("[[component]]", 1),
    "path around another's": ('path = "migrations/21-101"', 0),
}


@together("case", MISTAKES)
def test_a_mistake_is_named_with_its_line_field_and_fix(case: str) -> None:
    old, new, field, says = MISTAKES[case]
    assert GOOD.count(old) == 1
    text = GOOD.replace(old, new)
    told = [problem for problem in problems(text) if problem.field == field]
    assert any(says in str(problem) for problem in told)
    assert all(problem.fix for problem in told)
    line = text.count("\n", 0, GOOD.index(old) + len(new)) + 1
    if case in ELSEWHERE:
        header, which = ELSEWHERE[case]
        line = [n for n, content in enumerate(text.splitlines(), 1) if content == header][which]
    assert {problem.line for problem in told} == {line}


def test_all_mistakes_are_told_at_once_in_the_order_of_lines() -> None:
    text = GOOD.replace('"lnm"', "3").replace("sequence = 7", "sequence = 0\nxyzzy = 1")
    text = text.replace('id = "seeds"', 'id = "migrations"').replace('"bin/runner"', '"../x"')
    found = problems(text)
    assert [problem.field for problem in found] == [
        "kit.name",
        "kit.sequence",
        "kit.xyzzy",
        "component[0].source[1].as",
        "component[1].id",
    ]
    with pytest.raises(SpecInvalid) as refused:
        parse(text)
    message = str(refused.value)
    assert message.startswith(
        "error[spec-invalid]: kit.toml: 5 mistakes\n  kit.toml:2: kit.name: 3;"
    )
    for problem in found:
        assert f"\n  kit.toml:{problem.line}: {problem.field}: " in message


def test_a_wrong_entry_does_not_read_as_an_empty_array() -> None:
    """pydantic counts only the good entries of an array that has a least length."""
    text = GOOD.replace('["seeds/README.md"]', "[3]")
    assert [problem.field for problem in problems(text)] == ["exemption[0].paths[0]"]


def test_the_line_of_a_second_table_is_its_own() -> None:
    text = GOOD.replace('lands = "the object store"', 'lands = ""')
    (problem,) = problems(text)
    assert problem.line == line_of(text, 'lands = ""')


def test_lines_inside_arrays_and_inline_tables_are_their_own() -> None:
    text = GOOD.replace(
        'source = [{ file = "a.spdx.json" }]',
        'source = [ # two\n  { file = "a" },\n  # x\n  { file = "/b" },\n] # end',
    )
    (problem,) = problems(text)
    assert problem.field == "evidence[0].source[1].file"
    assert problem.line == line_of(text, '"/b"')


def test_hostile_values_are_shown_escaped_and_short() -> None:
    text = GOOD.replace('name = "lnm"', f'name = "\\u001b[2J\\u202e{"x" * 500}"')
    (problem,) = problems(text)
    assert problem.found.startswith(r"'\x1b[2J\u202exxx")
    assert len(problem.found) <= 80


NOT_TOML = {
    "no value": ("a = \n", 1),
    "key twice": ('[kit]\nname = "a"\nname = "b"\n', 3),
    "table twice": ("[kit]\n\n[kit]\n", 3),
    "string without end": ('[kit]\nname = """\nabc\n', 3),
    "array without end": ("[kit]\na = [1,\n2", 3),
    "nested too deep": ("a = " + "[" * 100_000, 1),
    "byte order mark": ("\ufeff[kit]\n", 1),
}


@together("case", NOT_TOML)
def test_text_that_is_not_toml_is_told_with_its_line(case: str) -> None:
    text, line = NOT_TOML[case]
    (problem,) = problems(text)
    assert (problem.line, problem.field) == (line, "")
    assert problem.found
    assert "TOML" in problem.expected


def test_text_that_is_not_utf_8_is_told_with_its_line() -> None:
    with pytest.raises(SpecInvalid) as refused:
        parse_spec(b"[kit]\nname = '\xe9'\n", file=Path("kit.toml"))
    (problem,) = refused.value.problems
    assert problem.line == 2
    assert "0xe9" in problem.found


def test_an_endless_spec_is_refused() -> None:
    with pytest.raises(SpecInvalid, match="more than 16777216 bytes"):
        parse_spec(b"#" * (16 * 1024 * 1024 + 1), file=Path("kit.toml"))


def test_a_spec_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "no.toml", tmp_path, tmp_path / "no" / "no.toml"):
        with pytest.raises(SpecMissing) as refused:
            load_spec(path)
        assert refused.value.status is ExitStatus.USAGE
        assert str(path) in str(refused.value)


def test_a_spec_that_cannot_be_read() -> None:
    """/proc/self/mem opens and fails to read at 0, for root too."""
    with pytest.raises(SpecUnreadable) as refused:
        load_spec(Path("/proc/self/mem"))
    assert refused.value.status is ExitStatus.UNDECIDED


# --- lines: a document is written with its lines known, then read

keys = st.text(st.sampled_from('ab.-_ "#=[\u00e9'), min_size=1, max_size=4)
values = st.recursive(
    st.integers(0, 9) | st.booleans() | st.text(st.sampled_from("a#=[]{}\"'\\\n,"), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", # x\n".join([*map(_inline, value), ""]) + "]"
    return json.dumps(value)


@given(st.lists(st.tuples(st.booleans(), st.dictionaries(keys, values, max_size=3)), max_size=4))
def test_every_field_of_any_document_has_its_line(
    tables: list[tuple[bool, dict[str, Any]]],
) -> None:
    text = ""
    expected: dict[tuple[str | int, ...], int] = {}
    arrays = 0
    for number, (in_array, table) in enumerate(tables):
        place: tuple[str | int, ...] = ("many", arrays) if in_array else (f"one{number}",)
        arrays += in_array
        text += "# comment [\n\n"
        expected[place] = text.count("\n") + 1
        text += "[[many]]\n" if in_array else f"[one{number}]\n"
        for key, value in table.items():
            entry = (*place, key)
            expected[entry] = text.count("\n") + 1
            text += f"{json.dumps(key)} = {_inline(value)} # {key}\n"
    parsed, lines = parse_toml(text.encode(), where="x")
    assert len(parsed.get("many", [])) == arrays
    assert {place: lines[place] for place in expected} == expected


# --- any document is a spec or has problems, and nothing else happens


@given(st.dictionaries(st.sampled_from(["kit", "component", "evidence", "x"]), values), st.data())
def test_any_toml_is_a_spec_or_has_problems_with_lines(top: dict[str, Any], data: Any) -> None:
    kit = data.draw(st.dictionaries(st.sampled_from(["name", "created", "names", "level"]), values))
    part = data.draw(
        st.dictionaries(st.sampled_from(["id", "path", "source", "as", "placeholder"]), values)
    )
    top = {"kit": kit, "component": [part, part], **top}
    text = "".join(f"{key} = {_inline(value)}\n" for key, value in top.items())
    found: tuple[Problem, ...] = ()
    try:
        parse(text)
    except SpecInvalid as refused:
        found = refused.problems
    assert all(1 <= problem.line <= text.count("\n") + 1 for problem in found)


# --- the schema


def as_json(value: Any) -> Any:
    """Return a TOML value as an editor hands it to a schema."""
    if isinstance(value, dict):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat().replace("+00:00", "Z")
    return value


@functools.cache
def schema_validator() -> Draft202012Validator:
    return Draft202012Validator(spec_schema())


def schema_accepts(text: str) -> bool:
    document, _ = parse_toml(text.encode(), where="x")
    return schema_validator().is_valid(as_json(document))


def model_accepts(text: str) -> bool:
    try:
        parse(text)
    except SpecInvalid:
        return False
    return True


BEYOND_A_SCHEMA = {
    "sequence 7.0": "JSON has one kind of number",
    "created after tar": "the last seconds of the year 2242",
    "created on a day that does not exist": "how long a month is",
    "expires before created": "two fields",
    "path is a device": "names in any case",
    "path decomposed": "Unicode's tables",
    "path not ASCII": "two fields",
    "path reserved": "case folding",
    "path reserved, a file": "case folding",
    "two components with one id": "two tables",
    "two components with one path": "two tables",
    "path inside another's": "two tables",
    "path around another's": "two tables",
    "as not ASCII": "two fields",
    "glob with half a **": "components of a pattern",
    "glob climbs out": "components of a pattern",
    "evidence under a reserved name": "case folding",
}


@together("case", MISTAKES)
def test_the_schema_refuses_what_the_model_refuses(case: str) -> None:
    old, new, _, _ = MISTAKES[case]
    text = GOOD.replace(old, new)
    assert not model_accepts(text)
    assert schema_accepts(text) == (case in BEYOND_A_SCHEMA)


VARIANTS = {
    "as it is": ("", ""),
    "created as a text": ("2026-11-24T00:00:00Z", '"2026-11-24T00:00:00Z"'),
    "the first second": ("2026-11-24T00:00:00Z", "1970-01-01T00:00:00Z"),
    "the last second": ("2026-11-24T00:00:00Z", "2242-03-16T12:56:31Z"),
    "names up to 64": ('name = "lnm"', f'name = "{"a" * 64}"'),
    "the last sequence": ("sequence = 7", "sequence = 1099511627776"),
    "level": ('summary = "one line"', 'summary = "x"\nlevel = 19'),
    "supersedes": ('summary = "one line"', f'summary = "x"\nsupersedes = ["{"0a" * 32}"]'),
    "expires": ('summary = "one line"', 'summary = "x"\nexpires = 2026-11-24T00:00:01Z'),
    "more than ASCII, asked for": (
        'path = "migrations/21-101"',
        'path = "b\\u00fccher"',
    ),
    "summary of 500": ('"one line"', '"' + "\\u00e9" * 500 + '"'),
    "placeholder and source": ('path = "seeds"', 'path = "seeds"\nplaceholder = "soon"'),
    "placeholder and no source": (
        'source = [\n    { glob = "seeds/**/*.json" },\n]\n',
        'placeholder = "soon"\n',
    ),
    "placeholder and empty source": (
        '[\n    { glob = "seeds/**/*.json" },\n]\n',
        '[]\nplaceholder = "soon"\n',
    ),
    "no evidence": ('[[evidence]]\npath = "sbom"\nsource = [{ file = "a.spdx.json" }]\n', ""),
    "a source above the spec": ('"out/runner.bin"', '"../out/./runner.bin"'),
    "exclude beside glob": ('*.json" }', '*.json", exclude = ["x/"] }'),
    "glob of everything": ("seeds/**/*.json", "**"),
}


@together("case", VARIANTS)
def test_the_schema_accepts_what_the_model_accepts(case: str) -> None:
    old, new = VARIANTS[case]
    text = GOOD.replace(old, new) if old else GOOD
    assert not old or GOOD.count(old) == 1
    if "asked for" in case:
        text = text.replace("[kit]\n", '[kit]\nnames = "unicode"\n')
    assert model_accepts(text)
    assert schema_accepts(text)


def test_the_schema_file_is_fresh() -> None:
    assert SCHEMA.read_bytes() == schema_bytes(), f"stale; write it again with: {WRITE_SCHEMA}"


def test_the_schema_is_a_schema() -> None:
    schema = json.loads(SCHEMA.read_bytes())
    meta.validate(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


# --- the examples


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_accepted_by_model_and_schema(path: Path) -> None:
    load_spec(path)
    assert schema_accepts(path.read_text(encoding="utf-8"))


def test_the_full_example_has_every_field() -> None:
    full = (REPOSITORY / "manifests/examples/full.toml").read_text(encoding="utf-8")
    schema = spec_schema()
    tables = [schema, *schema["$defs"].values()]
    fields = {name for table in tables for name in table["properties"]}
    used = set(re.findall(r"^(?:\[+(?:\w+\.)?)?([\w-]+)", full, re.MULTILINE))
    assert fields - used == set()


def test_the_examples_are_plain_files() -> None:
    assert [path.name for path in EXAMPLES] == ["full.toml", "minimal.toml"]
    assert all(stat.S_ISREG(os.lstat(path).st_mode) for path in EXAMPLES)
