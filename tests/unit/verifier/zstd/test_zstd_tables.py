"""FSE tables and Huffman trees: what is written comes back, and tables are what the RFC says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.zstdframes import (
    direct_weights,
    four_streams,
    huffman_stream,
    prefix_codes,
    probabilities,
    shares,
)
from verifier.zstd.bits import Corrupt, payload_bits
from verifier.zstd.codes import read_codes
from verifier.zstd.fse import build_table, read_probabilities
from verifier.zstd.huffman import Tree, decode_four, read_tree


@st.composite
def distributions(draw: st.DrawFn) -> tuple[int, list[int]]:
    """Draw an accuracy and probabilities that add up to it: zeros and "less than 1" too."""
    log = draw(st.integers(5, 9))
    left = 1 << log
    counts: list[int] = []
    while left:
        count = draw(st.sampled_from([-1, 0, 1, 2, 3, left]) | st.integers(-1, left))
        if abs(count) > left or len(counts) == 60:
            count = left
        counts.append(count)
        left -= abs(count)
    return log, counts


@given(distributions(), st.binary(max_size=4), st.binary(max_size=3))
def test_probabilities_come_back(
    distribution: tuple[int, list[int]], before: bytes, behind: bytes
) -> None:
    log, counts = distribution
    written = probabilities(log, counts)
    data = before + written + behind
    assert read_probabilities(data, len(before), 9, 61) == (counts, len(before + written))


@given(distributions())
def test_truncated_probabilities_are_refused(distribution: tuple[int, list[int]]) -> None:
    written = probabilities(*distribution)
    with pytest.raises(Corrupt, match="probabilities"):
        read_probabilities(written[:-1], 0, 9, 61)


@given(distributions())
def test_fewer_symbols_and_a_smaller_accuracy_are_limits(
    distribution: tuple[int, list[int]],
) -> None:
    log, counts = distribution
    with pytest.raises(Corrupt, match="accuracy"):
        read_probabilities(probabilities(log, counts), 0, log - 1, 61)
    with pytest.raises(Corrupt, match="too many"):
        read_probabilities(probabilities(log, counts), 0, log, len(counts) - 1)


@given(distributions())
def test_states_of_each_symbol_lead_everywhere_once(
    distribution: tuple[int, list[int]],
) -> None:
    """From the states of one symbol each state can be reached in exactly one way."""
    log, counts = distribution
    table = build_table(counts)
    assert len(table) == 1 << log
    for symbol, count in enumerate(counts):
        states = [(bits, base) for found, bits, base in table if found == symbol]
        assert len(states) == abs(count)
        reached = sorted(base + step for bits, base in states for step in range(1 << bits))
        assert reached == (list(range(1 << log)) if count else [])


def test_rare_symbols_stand_at_the_end_and_are_left_by_a_full_read() -> None:
    table = build_table([-1, 29, 0, -1, -1])
    assert table[-3:] == [(4, 5, 0), (3, 5, 0), (0, 5, 0)]


def test_example_of_the_standard() -> None:
    """RFC 8878 4.1.1: a probability of 5 at an accuracy of 7."""
    states = [(bits, base) for symbol, bits, base in build_table([5, 123]) if symbol == 0]
    assert states == [(5, 32), (5, 64), (5, 96), (4, 0), (4, 16)]


def test_predefined_tables_begin_as_in_the_standard() -> None:
    """RFC 8878, appendix A: symbol, bits and base of the first states."""
    lengths, offsets, matches = read_codes(b"\0", 0, [])[0]
    assert [len(code) for code in (lengths, offsets, matches)] == [64, 32, 64]
    rows = [(state[1], state[3]) for state in lengths[:8]]
    assert rows == [(4, 0), (4, 16), (5, 32), (5, 0), (5, 0), (5, 0), (5, 0), (5, 0)]
    assert [state[6] for state in lengths[:8]] == [0, 0, 1, 3, 4, 6, 7, 9]
    assert [state[4] for state in offsets[:8]] == [0, 6, 9, 15, 21, 3, 7, 12]
    assert [state[6] for state in matches[:8]] == [3, 4, 5, 6, 8, 9, 11, 13]
    assert lengths[63][4:] == (13, 8191, 8192)  # symbol 32
    assert matches[63][4:] == (10, 1023, 1027)  # symbol 46


def test_largest_values_of_each_code() -> None:
    """RFC 8878 3.1.1.3.2.1.1: 131,071 literals, a match of 131,074 bytes."""
    lengths, _, matches = read_codes(bytes((0b01010100, 35, 31, 52)), 0, [])[0]
    assert lengths == [(16, 0, 0, 0, 16, 65535, 65536)]
    assert matches == [(16, 0, 0, 0, 16, 65535, 65539)]


# --- Huffman ---------------------------------------------------------------------------------


@st.composite
def trees(draw: st.DrawFn) -> list[int]:
    """Draw the weights of a tree of at most 11 bits, the last one too."""
    lengths = [1, 1]
    for _ in range(draw(st.integers(0, 120))):
        at = draw(st.integers(0, len(lengths) - 1))
        if lengths[at] < 11:
            lengths[at : at + 1] = [lengths[at] + 1] * 2
    weights = [max(lengths) + 1 - length for length in lengths]
    gaps = draw(st.lists(st.integers(0, len(weights) - 1), max_size=6))
    for at in sorted(gaps, reverse=True):
        weights.insert(at, 0)
    return weights


@given(trees(), st.randoms(use_true_random=False), st.integers(6, 3000))
def test_symbols_come_back(weights: list[int], random: object, count: int) -> None:
    used = [symbol for symbol, weight in enumerate(weights) if weight]
    symbols = bytes(random.choices(used, k=count))  # type: ignore[attr-defined]
    tree = Tree(weights[:-1])
    assert tree.decode(huffman_stream(weights, symbols), count) == symbols
    streams = four_streams([huffman_stream(weights, share) for share in shares(symbols)])
    assert decode_four(tree, streams, count) == symbols


@given(trees())
def test_weights_in_half_bytes_come_back(weights: list[int]) -> None:
    described = direct_weights(weights[:-1])
    tree, end = read_tree(described + b"more")
    assert end == len(described)
    symbols = bytes(prefix_codes(weights))
    assert tree.decode(huffman_stream(weights, symbols), len(symbols)) == symbols


@given(trees(), st.integers(0, 40), st.binary(max_size=60))
def test_any_stream_is_decoded_or_refused(weights: list[int], count: int, stream: bytes) -> None:
    try:
        symbols = Tree(weights[:-1]).decode(stream, count)
    except Corrupt:
        return
    assert len(symbols) == count
    assert huffman_stream(weights, symbols) == stream


@pytest.mark.parametrize(("stream", "bits"), [(b"\x01", 0), (b"\x80", 7), (b"\xff\x01", 8)])
def test_bits_below_the_end_mark(stream: bytes, bits: int) -> None:
    assert payload_bits(stream, "x") == bits
