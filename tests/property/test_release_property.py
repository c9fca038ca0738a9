"""Whatever happens to the files of a history: the same history, or a refusal of ours."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kit.releases.entry import open_entry
from kit.releases.history import check_history, head_of
from kit.releases.record import File, Record, parse_record, render_record
from tests.support.effort import at_least
from tests.support.releases import LINE, entries, publisher, record
from verifier.core.errors import KitError

HISTORY = entries(4)
_, KEY = publisher()

texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20
)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
names = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._+-]{0,20}\Z")


@st.composite
def records(draw: st.DrawFn) -> Record:
    found = draw(st.lists(names, min_size=1, max_size=5, unique_by=str.casefold))
    files = tuple(
        File(name, draw(st.integers(0, 1 << 53) | st.just(0)) % (1 << 53), draw(digests))
        for name in sorted(found)
    )
    signers = sorted(draw(st.sets(texts, min_size=1, max_size=5)))
    n = draw(st.integers(1, 1_000_000))
    return record(
        n,
        draw(digests) if n > 1 else "",
        version="1.0+x",
        files=files,
        kit_file=draw(st.sampled_from(files)).name,
        signers=tuple(signers),
        threshold=draw(st.integers(1, len(signers))),
        owners=tuple(draw(st.lists(texts, max_size=3, unique=True))),
    )


@given(records())
def test_any_record_survives_the_round_trip(made: Record) -> None:
    assert parse_record(render_record(made)) == made


@at_least(60)  # each judges up to five signatures in plain Python
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["drop", "flip", "cut", "double", "move"])),
        max_size=3,
    ),
    st.integers(0, 1 << 16),
    st.integers(1, 255),
)
def test_no_damage_makes_another_history(
    steps: list[tuple[int, str]], place: int, bits: int
) -> None:
    files = [entry.data for entry in HISTORY]
    for number, what in steps:
        if not files:
            break
        i = number % len(files)
        if what == "drop":
            del files[i]
        elif what == "flip":
            data = bytearray(files[i])
            data[place % len(data)] ^= bits
            files[i] = bytes(data)
        elif what == "cut":
            files[i] = files[i][: place % len(files[i])] or b"x"
        elif what == "double":
            files.insert(i, files[i])
        else:
            files.append(files.pop(i))
    try:
        found = check_history(
            (open_entry(data, [KEY]) for data in files), LINE, head_of(HISTORY[-1])
        )
    except KitError:
        return
    # a keyid is a hint, and the only thing that may differ
    assert [entry.id for entry in found] == [entry.id for entry in HISTORY]
