"""The piece of personal data, and what a list of pieces becomes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Personal(NamedTuple):
    """One piece of personal data: its kind and its span in the normalised text."""

    kind: str
    start: int
    end: int


def without_overlaps(found: Iterable[Personal]) -> list[Personal]:
    """Merge overlapping pieces under the kind of the first, in the order of their place."""
    merged: list[Personal] = []
    for piece in sorted(found, key=lambda piece: (piece.start, -piece.end)):
        if merged and piece.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = last._replace(end=max(last.end, piece.end))
        else:
            merged.append(piece)
    return merged
