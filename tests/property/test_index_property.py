"""The index is read in steps; where the steps end changes nothing."""

from __future__ import annotations

import hashlib
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import naive
from tests.support.assembler import OWN, assemble
from tests.support.effort import at_least
from tests.support.judging import judge
from tests.support.naive import MIB, Entry
from verifier.core import lists
from verifier.core.frames import plan_frames
from verifier.core.lists import SIG, IndexReader

paths = st.text("abAB-./ \u00e9\u4e2d", min_size=1, max_size=9).map(
    lambda text: "/".join(f"d{part.strip('. ')}x" for part in text.split("/"))
)
sizes = st.one_of(st.integers(0, 5 * MIB), st.sampled_from([MIB - 1, MIB, 4 * MIB, 2**33]))


def lines_of(members: dict[bytes, tuple[int, bool]], *, signed: bool) -> list[bytes]:
    """Return the lines of an index with this payload; digests are made up."""
    sums = Entry(b"SHA256SUMS", b"", b"sums")
    own = [sums, *([Entry(b"SHA256SUMS.sig", b"s", b"sig")] if signed else []), *OWN]
    lines = [naive.index_line(entry) for entry in own]
    for path, (size, executable) in sorted(members.items()):
        digest = hashlib.sha256(path).hexdigest().encode()
        mode = b"0755" if executable else b"0644"
        lines.append(b"%b %d data %b %b\n" % (digest, size, mode, path))
    return lines


@at_least(300)
@given(data=st.data(), signed=st.booleans())
def test_index_is_the_same_in_any_steps(data: st.DataObject, signed: bool) -> None:
    drawn = data.draw(st.dictionaries(paths, st.tuples(sizes, st.booleans()), max_size=30))
    folded: dict[str, bytes] = {}
    for path in drawn:
        folded.setdefault(path.casefold(), path.encode())
    directories = {path[:at] for path in folded for at in range(len(path)) if path[at] == "/"}
    members = {raw: drawn[raw.decode()] for f, raw in folded.items() if f not in directories}
    lines = lines_of(members, signed=signed)
    reader = IndexReader(["sha256", "sha512"])
    at = 0
    while at < len(lines):
        step = data.draw(st.integers(1, len(lines)))
        reader.feed(b"".join(lines[at : at + step]))
        at += step
    index = reader.finish()

    head = b"offline-kit-index/1\n"
    with mock.patch.object(lists, "_RUN", data.draw(st.sampled_from([1, 3, 8192]))):
        assert b"".join(index.text()) == head + b"".join(lines)
        plan = plan_frames(index)
    whole = plan_frames(index)
    assert (plan.payload, plan.content, plan.offset) == (whole.payload, whole.content, whole.offset)
    without = [line for line in lines if b" sig " not in line[64:90]]
    assert reader.content.digest() == hashlib.sha256(head + b"".join(without)).digest()
    assert index.count(SIG) == signed
    sums = b"".join(
        line[:64] + b"  " + line.split(b" ", 4)[4] for line in without if b" sums " not in line[:90]
    )
    for name, state in reader.sums.items():
        assert state.digest() == hashlib.new(name, sums).digest()


@pytest.mark.parametrize("more", [b"a" * MIB, (b"0" * 64 + b" 0 data 0644 ") * 8000])
def test_list_without_line_ends_is_refused(more: bytes) -> None:
    verdict = judge(assemble(index=lambda text: text + more))
    assert (verdict.status, verdict.code) == (4, "list-malformed")
    assert verdict.fault[1:] == ("kit.index", "a line has no end")
