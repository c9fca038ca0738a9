"""The index of the evidence: its one spelling, and what it is compared with (FORMAT 18)."""

from __future__ import annotations

import hashlib

from tests.support.attesting import envelope, provenance, true_index
from tests.support.together import together
from verifier.core.errors import KitError
from verifier.evidence.documents import read_document
from verifier.evidence.index import HEAD, compare, parse_index, write_index

PAPERS = {
    "evidence/a.json": envelope(provenance(), "alice"),
    "evidence/b.txt": b"words\n",
    "evidence/c.json": b'{"@context": "https://openvex.dev/ns/v0.2.0"}',
}
GOOD = true_index(PAPERS)
LINE = GOOD.split(b"\n")[1]
MEMBERS = {path: hashlib.sha256(data).hexdigest() for path, data in PAPERS.items()}
CLAIMS = {path: read_document(path, data) for path, data in PAPERS.items()}


def judge(data: bytes) -> str:
    """Return the code; empty if the index is true."""
    try:
        compare(parse_index(data), MEMBERS, CLAIMS)
    except KitError as error:
        return error.code
    return ""


def test_index_is_what_the_words_of_the_format_make() -> None:
    assert write_index(PAPERS) == GOOD
    assert judge(GOOD) == ""


lines = GOOD.split(b"\n")[1:-1]
FALSE = {
    "empty": b"",
    "another list": GOOD.replace(b"evidence/1", b"index/1"),
    "no line end": GOOD[:-1],
    "a line end too many": GOOD + b"\n",
    "out of order": HEAD + b"\n".join(reversed(lines)) + b"\n",
    "a line twice": HEAD + b"\n".join(sorted([*lines, lines[0]])) + b"\n",
    "a document less": HEAD + b"\n".join(lines[1:]) + b"\n",
    "a document more": HEAD + b"\n".join(sorted([*lines, lines[0] + b"x"])) + b"\n",
    "another digest": HEAD + b"\n".join(sorted([b"0" * 64 + lines[0][64:], *lines[1:]])) + b"\n",
    "upper case": GOOD.replace(LINE, LINE[:64].upper() + LINE[64:]),
    "another form": GOOD.replace(b" envelope ", b" bundle "),
    "another type": GOOD.replace(b"provenance/v1", b"provenance/v2"),
    "another algorithm": GOOD.replace(b"sha256:", b"sha512:"),
    "a subject that is none": GOOD.replace(b"sha256:", b"sha1:"),
    "called something else": GOOD.replace(b" vex ", b" other "),
    "not UTF-8": GOOD.replace(b"b.txt", b"\xff.txt"),
}


@together("data", FALSE.values(), ids=FALSE)
def test_false_index(data: bytes) -> None:
    assert judge(data) == "evidence-index-false"


def test_index_of_a_later_version_is_undecided() -> None:
    assert judge(GOOD.replace(b"evidence/1\n", b"evidence/2\n")) == "evidence-form-unknown"


def test_a_file_of_several_that_holds_none_has_its_line() -> None:
    """Without one, the index that we wrote left the document out."""
    papers = {"evidence/a.json": b'{"attestations": []}'}
    made = write_index(papers)
    assert made.split(b"\n")[1].endswith(b" other - - evidence/a.json")
    members = {path: hashlib.sha256(data).hexdigest() for path, data in papers.items()}
    claims = {path: read_document(path, data) for path, data in papers.items()}
    compare(parse_index(made), members, claims)


def test_document_that_was_not_read_is_held_to_its_digest_only() -> None:
    index = parse_index(GOOD.replace(b"provenance/v1", b"provenance/v2"))
    left = {path: claims for path, claims in CLAIMS.items() if path != "evidence/a.json"}
    compare(index, MEMBERS, left)
