"""The tree against the definition of RFC 6962, for every size up to 130."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.ledger import tree

LEAVES = [tree.leaf_hash(str(number).encode()) for number in range(130)]


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word by word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + by_definition(leaves[:half]) + by_definition(leaves[half:])).digest()


ROOTS = [by_definition(LEAVES[:size]) for size in range(131)]
sizes = st.integers(1, 130)


def test_known_values_of_rfc_6962_implementations() -> None:
    # The test vectors of the certificate transparency project.
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [tree.leaf_hash(bytes.fromhex(item)) for item in inputs]
    assert tree.root(leaves[:1]).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert tree.root(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_roots_of_all_sizes() -> None:
    frontier = tree.Frontier()
    for size, expected in enumerate(ROOTS):
        assert tree.root(LEAVES[:size]) == expected == frontier.root()
        if size < 130:
            frontier.add(LEAVES[size])


def test_every_inclusion_proof_of_small_trees() -> None:
    for size in range(1, 40):
        for index in range(size):
            proof = tree.inclusion_proof(index, size, tree.span_of(LEAVES))
            assert tree.verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
            assert not tree.verify_inclusion(LEAVES[index], (index + 1) % size, size, proof, ROOTS[size]) or size == 1


def test_every_consistency_proof_of_small_trees() -> None:
    for size in range(40):
        for old in range(size + 1):
            proof = tree.consistency_proof(old, size, tree.span_of(LEAVES))
            assert tree.verify_consistency(old, size, ROOTS[old], ROOTS[size], proof)


@given(size=sizes, data=st.data())
def test_inclusion(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = tree.inclusion_proof(index, size, tree.span_of(LEAVES))
    assert tree.verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
    other = data.draw(st.integers(0, 129).filter(lambda number: number != index))
    assert not tree.verify_inclusion(LEAVES[other], index, size, proof, ROOTS[size])
    assert not tree.verify_inclusion(LEAVES[index], index, size, [*proof, LEAVES[0]], ROOTS[size])
    if proof:
        assert not tree.verify_inclusion(LEAVES[index], index, size, proof[:-1], ROOTS[size])


@given(size=sizes, data=st.data())
def test_consistency(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    proof = tree.consistency_proof(old, size, tree.span_of(LEAVES))
    assert tree.verify_consistency(old, size, ROOTS[old], ROOTS[size], proof)
    assert not tree.verify_consistency(old, size, LEAVES[0][::-1], ROOTS[size], proof)
    assert not tree.verify_consistency(old, size, ROOTS[old], LEAVES[0][::-1], proof)
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:place], LEAVES[5][::-1], *proof[place + 1 :]]
        assert not tree.verify_consistency(old, size, ROOTS[old], ROOTS[size], changed)


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0)])
def test_inclusion_outside_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="not among the first"):
        tree.inclusion_proof(index, size, tree.span_of(LEAVES))
    assert not tree.verify_inclusion(LEAVES[0], index, size, [], ROOTS[size])


def test_a_longer_old_tree_is_refused() -> None:
    with pytest.raises(ValueError, match="does not extend"):
        tree.consistency_proof(5, 4, tree.span_of(LEAVES))
    assert not tree.verify_consistency(5, 4, ROOTS[5], ROOTS[4], [])
