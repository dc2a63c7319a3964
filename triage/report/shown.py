"""Mistakes as a page shows them, with the phrases that led there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from triage.privacy import mask
from triage.schema import HEADS, ORDERED_HEADS

LONGEST = 260
"""Characters of a text that a page shows; of a longer one the stretch that weighs most."""

_LEVELS = 3


@dataclass(frozen=True, slots=True)
class ShownSpan:
    """A stretch of a text and what it weighs.

    Attributes
    ----------
    start, end : int
        Character offsets `[start, end)` into the text.
    weight : float
        In margins: above 0 toward the answer of the model, below 0 away from it.
    """

    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True)
class ShownError:
    """One mistake of one head.

    Attributes
    ----------
    key : str
        What the ticket is known by.
    head, truth, answer : str
    probability : float
        Of the answer, 0 … 1.
    text : str
        Masked.
    spans : tuple of ShownSpan
        What led to the answer; empty where it is not known.
    """

    key: str
    head: str
    truth: str
    answer: str
    probability: float
    text: str
    spans: tuple[ShownSpan, ...] = ()

    @property
    def steps_off(self) -> int:
        """Steps of the answer above the truth, below 0 if it is too low; 0 without order."""
        steps = ORDERED_HEADS.get(self.head, ())
        if self.truth not in steps or self.answer not in steps:
            return 0
        return steps.index(self.answer) - steps.index(self.truth)

    @property
    def is_under_graded(self) -> bool:
        """Whether a ticket was put on a lower step of severity than it deserves."""
        return self.head == "severity" and self.steps_off < 0


def worst_errors(tickets: pd.DataFrame, *, surest: int = 5, under: int = 8) -> list[ShownError]:
    """Choose the mistakes that a page shows; the caller may add what led to them.

    Parameters
    ----------
    tickets : DataFrame
        Of a model: see `evaluate.tickets_table`.
    surest : int
        Mistakes of each head, the surest first.
    under : int
        Tickets that were graded too low: farthest off first, then the gravest.

    Returns
    -------
    list of ShownError
        Without spans; a ticket stands once a head.
    """
    found: dict[tuple[str, str], ShownError] = {}
    errors = {head: list(_errors(tickets, head)) for head in HEADS}
    low = [error for error in errors["severity"] if error.is_under_graded]
    grave = {step: at for at, step in enumerate(ORDERED_HEADS["severity"])}
    low.sort(key=lambda error: (error.steps_off, -grave[error.truth], -error.probability))
    for error in low[:under]:
        found[error.head, error.key] = error
    for head in HEADS:
        rest = [error for error in errors[head] if (head, error.key) not in found]
        for error in sorted(rest, key=lambda error: -error.probability)[:surest]:
            found[head, error.key] = error
    return list(found.values())


def _errors(tickets: pd.DataFrame, head: str) -> Iterator[ShownError]:
    """Yield the held-out mistakes of a head, identical texts once."""
    if head not in tickets or f"{head}_answer" not in tickets:
        return
    rows = tickets[(tickets["side"] == "test") & tickets[head].notna()]
    wrong = rows[rows[head].astype(str) != rows[f"{head}_answer"].astype(str)]
    for row in wrong.drop_duplicates("key").to_dict("records"):
        yield ShownError(
            str(row["key"]), head, str(row[head]), str(row[f"{head}_answer"]),
            float(row[f"{head}_probability"]), str(row["text"]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a shown text: `level` 0 (no weight) to 3, `side` "for", "against" or ""."""

    text: str
    level: int = 0
    side: str = ""


def pieces(text: str, spans: Sequence[ShownSpan] = ()) -> list[Piece]:
    """Part a text into stretches of equal weight, masked and cut to what a page has room for.

    Parameters
    ----------
    text : str
    spans : sequence of ShownSpan
        Offsets into `text`; where they overlap their weights add up. Those that reach beyond the
        text are cut.

    Examples
    --------
    >>> [(p.text, p.side, p.level) for p in pieces("快递没到", [ShownSpan(0, 2, 1.5)])]
    [('快递', 'for', 3), ('没到', '', 0)]
    """
    shown = mask(text)
    weights = np.zeros(len(shown))
    for span in spans:
        weights[max(span.start, 0) : max(span.end, 0)] += span.weight
    begin, end = _window(weights)
    top = np.abs(weights).max(initial=0) or 1.0
    levels = np.ceil(np.abs(weights) / top * _LEVELS).astype(int)
    signs = np.sign(weights).astype(int)
    cuts = [at for at in range(begin + 1, end)
            if (levels[at], signs[at]) != (levels[at - 1], signs[at - 1])]  # fmt: skip
    sides = {1: "for", 0: "", -1: "against"}
    parts = [
        Piece(shown[a:b], int(levels[a]), sides[int(signs[a])])
        for a, b in zip([begin, *cuts], [*cuts, end], strict=True)
        if a < b
    ]
    dots = Piece("…")
    return [*([dots] if begin else []), *parts, *([dots] if end < len(shown) else [])]


def _window(weights: np.ndarray) -> tuple[int, int]:
    """Choose the stretch that is shown: all of it, or where most weight lies."""
    if len(weights) <= LONGEST:
        return 0, len(weights)
    sums = np.concatenate([[0.0], np.cumsum(np.abs(weights))])
    begin = int((sums[LONGEST:] - sums[:-LONGEST]).round(9).argmax())
    return begin, begin + LONGEST
