"""Find the heading of an export among its first rows, titles and group rows above it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from triage.data.columns import is_known_heading, is_text_heading
from triage.data.taxonomy import is_level

SEARCHED = 20
"""How many of the first rows may hold the heading."""


class Heading(NamedTuple):
    """The names of the columns, and the place of the first row below them."""

    names: list[str]
    body: int


def find_heading(
    rows: Sequence[Sequence[str]],
    groups: Sequence[Sequence[str]] | None = None,
    asked: Collection[str] = (),
) -> Heading:
    """Find the heading: the row, or pair of rows, with the text column and most known names.

    Parameters
    ----------
    rows : sequence of sequence of str
        The first rows as they stand; blank cells are empty.
    groups : sequence of sequence of str, optional
        The same with merged cells filled from their first cell.
    asked : collection of str
        Headings that the user names; they count as known.

    Returns
    -------
    Heading
        Of two rows the names are joined where the lower one alone says too little: 受理 over 时间
        is 受理时间.
    """
    rows = rows[:SEARCHED]
    groups = groups or rows
    singles = [Heading(list(row), at + 1) for at, row in enumerate(rows)]
    best = max(singles, key=lambda one: (*known_headings(one.names, asked), -one.body))
    if known_headings(best.names, asked) < (False, 2):
        best = _widest(singles)
    score = (*known_headings(best.names, asked), False)
    for at in (best.body - 2, best.body - 1):
        if 0 <= at < len(rows) - 1:
            pair = Heading(_joined(groups[at], rows[at + 1]), at + 2)
            tall = _is_tall(rows[at], rows[at + 1], groups[at + 1], asked)
            found = (*known_headings(pair.names, asked), tall)
            if found > score and found >= (False, 2):
                best, score = pair, found
    return best


def _is_tall(
    upper: Sequence[str], lower: Sequence[str], filled: Sequence[str], asked: Collection[str]
) -> bool:
    """Tell whether the text's heading is merged over two rows."""
    return any(
        not below and above == merged and (above in asked or is_text_heading(above))
        for above, below, merged in zip(upper, lower, filled, strict=True)
    )


def known_headings(names: Sequence[str], asked: Collection[str]) -> tuple[bool, int]:
    """Return whether a row holds the text's heading, and how many known ones it holds."""
    filled = {name for name in names if name}
    known = sum(name in asked or is_known_heading(name) or is_level(name) for name in filled)
    return any(name in asked or is_text_heading(name) for name in filled), known


def _widest(candidates: Sequence[Heading]) -> Heading:
    """Return the first row that fills most columns: a title fills one."""
    filled = [sum(map(bool, candidate.names)) for candidate in candidates]
    return next(c for c, count in zip(candidates, filled, strict=True) if 2 * count > max(filled))


def _joined(upper: Sequence[str], lower: Sequence[str]) -> list[str]:
    """Name each column of two rows of headings."""
    times = Counter(name for name in lower if name)
    return [
        _name(above, below, times[below] == 1) for above, below in zip(upper, lower, strict=True)
    ]


def _name(above: str, below: str, alone: bool) -> str:
    if not above or not below or above == below:
        return below or above
    joined = above + below
    if is_known_heading(joined) or is_level(joined):
        return joined
    return below if alone else f"{above}/{below}"
