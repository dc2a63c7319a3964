"""Many texts as flat arrays: which n-grams stand where, and how their counts change without a word.

All texts are one row of words, each text after a gap, so that a few calls of numpy serve them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from triage.scoring.table import Ints, Table, joined, pair_key

GAP = "\x1f\x1f"
"""Stands between texts: two characters that no n-gram holds, for an n-gram has three."""


class Words(NamedTuple):
    """The words of many texts in one row.

    Attributes
    ----------
    words : list of str of length n_words
        Begins and ends with a `GAP`.
    rows : ndarray of shape (n_words,)
        The number of each word in the vocabulary.
    begins : ndarray of shape (n_texts + 1,)
        Where the gap before each text stands, and the last one.
    texts : ndarray of shape (n_words,)
        The text of each word; the last gap goes with the last text.
    """

    words: list[str]
    rows: Ints
    begins: Ints
    texts: Ints


class Changes(NamedTuple):
    """The n-grams of many texts, and those that would close the gap where a word is taken out.

    Attributes
    ----------
    columns, texts, counts : ndarray of shape (n_columns,)
        The columns of each text, sorted, and how often each stands there: 0 where it only would.
    places : ndarray of shape (n_changes,)
        Without any of the words `first[i]` to `last[i]` the count of the column at `places[i]`
        changes by `changes[i]`.
    """

    columns: Ints
    texts: Ints
    counts: Ints
    places: Ints
    first: Ints
    last: Ints
    changes: Ints


class Vocabulary:
    """Known words and n-grams.

    Parameters
    ----------
    words : sequence of str
        Known words by their numbers.
    columns : ndarray of shape (n_words + 3,)
        The column of each word, -1 where it has none; the last stand for others, gaps and blanks.
    table : Table
        Columns of runs of characters, and of pairs of words by their numbers.
    n_columns : int
        Number of columns.
    """

    def __init__(
        self, words: Sequence[str], columns: NDArray[np.int32], table: Table, n_columns: int
    ) -> None:
        self.numbers = _Numbers(zip(words, range(len(words)), strict=True))
        self.other = self.numbers.other = len(words)
        self.gap = self.numbers[GAP] = self.other + 1
        self.blank = self.numbers.blank = self.other + 2
        self.columns = columns
        self.table = table
        self.n_columns = n_columns

    def words(self, cut: Sequence[Sequence[str]]) -> Words:
        """Put the words of texts into one row."""
        words, begins = [GAP], [0]
        for some in cut:
            words += some
            begins.append(len(words))
            words.append(GAP)
        rows = np.array(list(map(self.numbers.__getitem__, words)))
        texts = (rows == self.gap).cumsum() - 1
        texts[-1] -= 1
        return Words(words, rows, np.array(begins), texts)

    def changes(self, found: Words) -> Changes:
        """Count the n-grams of texts, and how the counts change without each word."""
        columns, first, last, n_standing = self._found(found)
        known = (columns >= 0).nonzero()[0]
        columns, first, last = columns.take(known), first.take(known), last.take(known)
        texts = found.texts.take(first)
        order, fresh = sorted_runs(texts * self.n_columns + columns)
        places = np.empty(len(order), dtype=np.int64)
        places[order] = fresh.cumsum() - 1
        standing = int(known.searchsorted(n_standing))
        changes = np.ones(len(known), dtype=np.int64)
        changes[:standing] = -1
        one = order[fresh]
        counts = np.bincount(places[:standing], minlength=len(one))
        return Changes(columns.take(one), texts.take(one), counts, places, first, last, changes)

    def _found(self, found: Words) -> tuple[Ints, Ints, Ints, int]:
        """Look up all that stands in the texts, then all that would; -1 where it is unknown.

        Returns columns, first and last word of each, and how many of them stand there.
        """
        lengths = np.array(list(map(len, found.words)))
        text = "".join(found.words).encode("utf-32-le", "surrogatepass")
        chars = np.frombuffer(text, np.uint32).astype(np.int64)
        every = np.arange(len(lengths))
        owner = np.repeat(every, lengths)
        two = joined(chars[:-1], chars[1:])
        runs = (chars, two, joined(two[:-1], chars[2:]))
        kept = (found.rows != self.blank).nonzero()[0]
        rows = found.rows.take(kept)
        nth = (rows != self.gap).nonzero()[0]
        real = (found.rows != self.gap).nonzero()[0]
        after = lengths.cumsum().take(real)
        before = after - lengths.take(real) - 1
        bridge = joined(chars.take(before), chars.take(after))
        keys = np.concatenate((
            *runs, pair_key(rows[:-1], rows[1:]), pair_key(rows.take(nth - 1), rows.take(nth + 1)),
            bridge, joined(bridge, chars.take(after + 1)),
            joined(chars.take(before - 1), bridge, 2),
        ))  # fmt: skip
        columns = np.concatenate((self.columns.take(found.rows), self.table.find(keys)))
        within, around = kept[nth], (real, real, real)
        first = np.concatenate((every, owner, owner[:-1], owner[:-2], kept[:-1], within, *around))
        last = np.concatenate((every, owner, owner[1:], owner[2:], kept[1:], within, *around))
        n_standing = len(every) + sum(map(len, runs)) + len(kept) - 1
        return columns.astype(np.int64), first, last, n_standing


def sorted_runs(keys: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return what sorts keys, and True in that order for the first of equal ones."""
    order = keys.argsort()
    ordered = keys.take(order)
    fresh = np.empty(len(keys), dtype=bool)
    fresh[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=fresh[1:])
    return order, fresh


class _Numbers(dict[str, int]):
    """The numbers of known words; blanks and unknown words share one each."""

    other: int
    blank: int

    def __missing__(self, word: str) -> int:
        return self.blank if word.isspace() else self.other
