"""A vocabulary of n-grams as two flat arrays: mapped from the disk, looked up in two steps.

An n-gram of characters is one number, its code points side by side; a pair of words is another, of
their numbers. A cuckoo table holds the known ones. An Aho–Corasick automaton finds the same: for
115,000 n-grams it takes 0.2 s to build in every process and memory of its own, and hands over one
Python tuple a match; the table takes no time and is shared.

References
----------
Pagh and Rodler, "Cuckoo hashing", 2004.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

NGRAM = 3
"""Characters of the longest n-gram; so many code points of 21 bits fit into 64."""

_BITS = 21
_MULTIPLIERS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_ROOM = 2.3
"""Places for each key: cuckoo tables with two choices fill up at 2."""


class Table(NamedTuple):
    """A map from keys to columns.

    Attributes
    ----------
    keys : ndarray of shape (2 ** k,)
    columns : ndarray of shape (2 ** k,)
        -1 where no key stands.
    """

    keys: Ints
    columns: NDArray[np.int32]

    def find(self, keys: Ints) -> NDArray[np.int32]:
        """Return the column of each key, -1 for an unknown one."""
        first, second = _places(keys, len(self.keys))
        at = np.where(self.keys.take(first) == keys, first, second)
        return np.where(self.keys.take(at) == keys, self.columns.take(at), np.int32(-1))


def ngram_key(text: str) -> int:
    """Return the key of one to `NGRAM` characters."""
    key = 0
    for char in text:
        key = key << _BITS | ord(char)
    return key


def joined(left: Ints, right: Ints, size: int = 1) -> Ints:
    """Return the keys of n-grams followed by n-grams of `size` characters."""
    key: Ints = left << (_BITS * size) | right
    return key


def pair_key(first: Any, second: Any) -> Any:
    """Return the keys of pairs of words, given by their numbers: below 0, so that no n-gram's."""
    return -(first << 31 | second) - 1


def build_table(keys: Ints, columns: Ints) -> Table:
    """Build a table of different keys."""
    size = 1 << max(4, int(np.ceil(np.log2(max(len(keys), 1) * _ROOM))))
    while (placed := _placed(keys, size)) is None:
        size *= 2
    table = Table(np.zeros(size, np.int64), np.full(size, -1, np.int32))
    table.keys[placed], table.columns[placed] = keys, columns
    return table


def _placed(keys: Ints, size: int) -> Ints | None:
    """Return a place for each key, one of its two; None where they don't settle."""
    choices = np.stack(_places(keys, size))
    choice = np.zeros(len(keys), np.int64)
    owner = np.full(size, -1, np.int64)
    waiting = np.arange(len(keys))
    for _ in range(500):
        at = choices[choice[waiting], waiting]
        before = owner[at]
        owner[at] = waiting
        won = owner[at] == waiting
        pushed = before[won]
        waiting = np.concatenate([waiting[~won], pushed[pushed >= 0]])
        if not len(waiting):
            return np.asarray(choices[choice, np.arange(len(keys))])
        choice[waiting] ^= 1
    return None


def _places(keys: Ints, size: int) -> tuple[Ints, Ints]:
    """Return the two places that each key may have in a table of a power of two."""
    mixed = keys.view(np.uint64)
    mixed = mixed ^ (mixed >> np.uint64(29))
    shift = np.uint64(65 - size.bit_length())
    first, second = ((mixed * multiplier) >> shift for multiplier in _MULTIPLIERS)
    return first.view(np.int64), second.view(np.int64)
