"""Stretches of text that many tickets share letter by letter, and where they stand.

All texts lie in one array of characters. Three characters fit one integer, so that counting every
trigram of 200,000 texts is one sort; a trigram that is rare enough to be telling is then drawn out
to both sides for as long as nearly all of its places agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triage.text import normalise

WIDTH = 3
"""Characters of the stretches that are counted."""

AGREEMENT = 0.85
"""Share of a trigram's places that must go on alike for the phrase to grow."""

LONGEST = 40
"""Characters of the longest phrase."""

WINDOW = 5
"""Characters that the place of a phrase may waver by and still be fixed."""

LEAST_PLACES = 8
"""Places of a trigram that is worth looking at."""

MOST_PHRASES = 5_000
"""Phrases that are looked at, those of the most frequent trigrams first."""

_DIGITS = str.maketrans("123456789", "000000000")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A stretch of text with every place where it stands.

    Attributes
    ----------
    text : str
        Normalised, digits as 0.
    rows : ndarray of shape (n_rows,)
        The texts that hold it, rising.
    first, last : ndarray of shape (n_rows,)
        Characters before its first place in each text, and behind its last.
    lengths : ndarray of shape (n_rows,)
        Characters of each of these texts.
    parted : float
        Share of the places with an edge of the text, a mark or a blank on both sides.
    """

    text: str
    rows: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    lengths: NDArray[np.int64]
    parted: float

    def fixed_share(self) -> tuple[float, float, str]:
        """Return how many of its rows hold it at one place, by chance how many would, and where.

        Returns
        -------
        share : float
            The most that stand within `WINDOW` characters, from the start or from the end.
        chance : float
            The same share if it stood anywhere in these texts.
        edge : {"start", "end"}
        """
        room = np.maximum(self.lengths - len(self.text) + 1, 1)
        chance = float(np.minimum(WINDOW / room, 1.0).mean())
        start, end = _densest(self.first), _densest(self.last)
        return (start, chance, "start") if start > end else (end, chance, "end")


class Repeats:
    """Texts as one array of characters, in which repeated stretches are found.

    Parameters
    ----------
    texts : sequence of str of length n_texts
        Folded: see `fold`.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        joined = "\0".join(["", *texts, ""])
        units = np.frombuffer(joined.encode("utf-16-le", "replace"), dtype=np.uint16)
        self._units = np.where((units >= 0xD800) & (units < 0xE000), 0xFFFD, units)
        self._units = self._units.astype(np.uint16)
        edges = np.flatnonzero(self._units == 0)
        self._starts, self._ends = edges[:-1] + 1, edges[1:]
        self._rows = np.cumsum(self._units == 0, dtype=np.int32) - 1
        self._marks = _marks(self._units)
        self._count()

    def phrases(
        self, telling: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
    ) -> Iterator[Phrase]:
        """Yield the phrases that telling trigrams grow into, each once, the most frequent first.

        Parameters
        ----------
        telling : callable
            From rising numbers of trigrams and rows, one pair for each trigram that a text holds,
            to one flag a trigram.
        """
        flags = telling(self._pairs // len(self._starts), self._pairs % len(self._starts))
        worth = np.flatnonzero(flags)
        often = np.argsort(-np.diff(self._bounds)[worth], kind="stable")
        covered = np.zeros(len(self._units), dtype=bool)
        seen: set[str] = set()
        for at in worth[often]:
            places = self._places(int(at))
            if len(seen) >= MOST_PHRASES or covered[places].mean() >= AGREEMENT:
                continue
            text = self._grown(places)
            if len(text) >= WIDTH and text not in seen:
                seen.add(text)
                begin = self._begins(text)
                covered[begin[:, None] + np.arange(len(text) - WIDTH + 1)] = True
                yield self._located(text, begin)

    def _count(self) -> None:
        """Sort all places by the trigram that begins there; drop those of rare trigrams."""
        grams = _packed(self._units)
        inside = np.flatnonzero(
            (self._units[:-2] > 0) & (self._units[1:-1] > 0) & (self._units[2:] > 0)
        )
        order = inside[np.argsort(grams[inside], kind="stable")]
        begins = np.flatnonzero(np.r_[True, grams[order[1:]] != grams[order[:-1]]][: len(order)])
        sizes = np.diff(np.r_[begins, len(order)])
        often = sizes >= LEAST_PLACES
        self._order = order[np.repeat(often, sizes)]
        self._bounds = np.r_[0, np.cumsum(sizes[often])]
        self._keys = grams[order[begins[often]]]
        number = np.repeat(np.arange(len(self._keys)), sizes[often])
        pairs = np.sort(number * np.int64(len(self._starts)) + self._rows[self._order])
        self._pairs = pairs[np.r_[True, pairs[1:] != pairs[:-1]][: len(pairs)]]

    def _places(self, at: int) -> NDArray[np.int64]:
        places: NDArray[np.int64] = self._order[self._bounds[at] : self._bounds[at + 1]]
        return places

    def _grown(self, places: NDArray[np.int64]) -> str:
        """Draw a trigram out to both sides while nearly all of its places agree."""
        least = AGREEMENT * len(places)
        left, right = 0, WIDTH
        for step in (-1, 1):
            while right - left < LONGEST:
                side = places + (left - 1 if step < 0 else right)
                values, counts = np.unique(self._units[side], return_counts=True)
                best = int(counts.argmax())
                if counts[best] < least or values[best] == 0:
                    break
                places = places[self._units[side] == values[best]]
                left, right = (left - 1, right) if step < 0 else (left, right + 1)
        return _text(self._units[places[0] + left : places[0] + right]).strip(_LOOSE)

    def _begins(self, text: str) -> NDArray[np.int64]:
        """Find every place of a phrase, by the rarest of its trigrams."""
        units = np.frombuffer(text.encode("utf-16-le"), dtype=np.uint16)
        numbers = np.searchsorted(self._keys, _packed(units))
        rarest = int(np.diff(self._bounds)[numbers].argmin())
        begin = self._places(int(numbers[rarest])) - rarest
        begin = begin[(begin > 0) & (begin + len(units) < len(self._units))]
        same = self._units[begin[:, None] + np.arange(len(units))] == units
        return np.sort(begin[same.all(axis=1)])

    def _located(self, text: str, begin: NDArray[np.int64]) -> Phrase:
        end = begin + len(text)
        before = self._marks[begin - 1] | self._marks[begin]
        behind = self._marks[end] | self._marks[end - 1]
        rows, at = np.unique(self._rows[begin].astype(np.int64), return_index=True)
        final = np.r_[at[1:], len(begin)] - 1
        return Phrase(
            text, rows, begin[at] - self._starts[rows], self._ends[rows] - end[final],
            self._ends[rows] - self._starts[rows], float((before & behind).mean()),
        )  # fmt: skip


_LOOSE = " ,.。，、;；:：!！?？\n"


def fold(text: str) -> str:
    """Normalise a text and fold its digits, which differ from ticket to ticket in one phrase."""
    return normalise(text).text.replace("\0", " ").translate(_DIGITS)


def _marks(units: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Tell which characters are no letters, digits or Han characters; the edge is none either."""
    known, where = np.unique(units, return_inverse=True)
    return np.array([not chr(unit).isalnum() for unit in known])[where]


def _densest(offsets: NDArray[np.int64]) -> float:
    """Return the largest share of the offsets that lie within `WINDOW` characters."""
    ordered = np.sort(offsets)
    upto = np.searchsorted(ordered, ordered + WINDOW, side="left")
    return float((upto - np.arange(len(ordered))).max() / len(ordered))


def _packed(units: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Return each three characters in a row as one number."""
    wide = units.astype(np.uint64)
    return (wide[:-2] << np.uint64(32)) | (wide[1:-1] << np.uint64(16)) | wide[2:]


def _text(units: NDArray[np.uint16]) -> str:
    return units.astype("<u2").tobytes().decode("utf-16-le")
