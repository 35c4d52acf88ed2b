"""RFC 6962 Merkle tree: hashes, inclusion and consistency proofs, all pure.

Proof makers take ``span(start, stop)``, the tree hash over a range of leaves, so that the same code serves a list in
memory and a store that keeps only some of the nodes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

EMPTY = hashlib.sha256(b"").digest()

Span = Callable[[int, int], bytes]


def leaf_hash(data: bytes) -> bytes:
    """Hash of one entry; its prefix keeps it apart from every inner node."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below ``size`` (2 or more): how many leaves the left half of a tree has."""
    return 1 << ((size - 1).bit_length() - 1)


def root(leaves: Sequence[bytes]) -> bytes:
    """Tree hash over leaf hashes."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


def span_of(leaves: Sequence[bytes]) -> Span:
    """``span`` over a list of leaf hashes."""
    return lambda start, stop: root(leaves[start:stop])


class Frontier:
    """A growing tree that keeps one hash per complete subtree: enough for the root of any number of leaves."""

    def __init__(self) -> None:
        self.size = 0
        self._stack: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        carry, value = self.size, leaf
        while carry & 1:
            value = node_hash(self._stack.pop(), value)
            carry >>= 1
        self._stack.append(value)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append leaf hashes in order."""
        for leaf in leaves:
            self.add(leaf)

    def root(self) -> bytes:
        """Tree hash of what has been added."""
        if not self._stack:
            return EMPTY
        value = self._stack[-1]
        for left in reversed(self._stack[:-1]):
            value = node_hash(left, value)
        return value


def inclusion_proof(index: int, size: int, span: Span) -> list[bytes]:
    """Sibling hashes that lead from leaf ``index`` (from 0) to the root of the first ``size`` leaves."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not among the first {size}: ask for an index from 0 to {size - 1}")
    proof: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + split(stop - start)
        if index < middle:
            proof.append(span(middle, stop))
            stop = middle
        else:
            proof.append(span(start, middle))
            start = middle
    return proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether ``leaf`` is number ``index`` of the ``size`` leaves under ``expected_root`` (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            value = node_hash(sibling, value)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            value = node_hash(value, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and value == expected_root


def consistency_proof(old: int, size: int, span: Span) -> list[bytes]:
    """Hashes that show the first ``old`` leaves unchanged within the first ``size``."""
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} leaves does not extend one of {old}")
    if old in (0, size):
        return []
    proof: list[bytes] = []
    start, stop = 0, size
    whole = True
    while stop != old:
        middle = start + split(stop - start)
        if old <= middle:
            proof.append(span(middle, stop))
            stop = middle
        else:
            proof.append(span(start, middle))
            start = middle
            whole = False
    if not whole:
        proof.append(span(start, stop))
    return proof[::-1]


def verify_consistency(old: int, size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree of ``size`` leaves extends the tree of ``old`` leaves (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= size:
        return False
    if old == size:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    node, last = old - 1, size - 1
    while node & 1:
        node >>= 1
        last >>= 1
    first = second = path[0]
    for value in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = node_hash(value, first), node_hash(value, second)
            while node and not node & 1:
                node >>= 1
                last >>= 1
        else:
            second = node_hash(second, value)
        node >>= 1
        last >>= 1
    return last == 0 and first == old_root and second == new_root
