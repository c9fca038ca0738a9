"""Inclusion proofs against the definition of the tree, for every entry of every small tree."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.bundles import audit_path, tree_root
from verifier.evidence.sigstore.merkle import leaf_hash, root_of


def test_every_entry_of_every_small_tree() -> None:
    for size in range(1, 40):
        leaves = [b"%d" % number for number in range(size)]
        root = tree_root(leaves)
        for index, leaf in enumerate(leaves):
            assert root_of(leaf_hash(leaf), index, size, audit_path(leaves, index)) == root


@given(st.integers(1, 64), st.data())
def test_no_other_place_size_or_path_leads_to_the_root(size: int, data: st.DataObject) -> None:
    leaves = [b"%d" % number for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    path, root = audit_path(leaves, index), tree_root(leaves)
    leaf = leaf_hash(leaves[index])
    other = data.draw(st.integers(-1, 2 * size))
    assert other == index or root_of(leaf, other, size, path) != root
    assert root_of(leaf, index, size, [*path, bytes(32)]) is None
    assert not path or root_of(leaf, index, size, path[:-1]) != root
    assert not path or path == path[::-1] or root_of(leaf, index, size, path[::-1]) != root
    assert root_of(leaf, index, index, path) is None
    assert root_of(leaf_hash(leaves[index] + b"?"), index, size, path) != root


def test_an_inner_node_is_no_entry() -> None:
    """An entry that is the bytes of two hashes has another hash than the node above them."""
    leaves = [b"a", b"b", b"c", b"d"]
    left = leaf_hash(b"a") + leaf_hash(b"b")
    path = [tree_root(leaves[2:])]
    assert root_of(leaf_hash(left), 0, 2, path) != tree_root(leaves)


def test_sizes_at_the_end_of_64_bits() -> None:
    path = [bytes(32)] * 63
    assert root_of(bytes(32), 0, 2**63 - 1, path) is not None
    assert root_of(bytes(32), 2**63 - 2, 2**63 - 1, path[:-1]) is not None  # it has no pair
    assert root_of(bytes(32), 0, 2**63 - 1, path[:-1]) is None
