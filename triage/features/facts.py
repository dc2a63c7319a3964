"""Facts that join the text: the kind of contact and the contacts before this one.

They stand behind the prepared text, after a mark that no text holds, so that whatever passes texts
on passes them too. Held-out complaints whose kind is known: severity kappa 0.87 without, 0.90 with.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triage.features.prepared import prepare

MARK = "\x1f"
"""Separates facts from the text; normalising takes it out of what people send."""

FACTS = ("question", "suggestion", "praise", "report", "help", "called", "called_often")
"""Kinds that differ from a plain complaint; called before, and three times or more."""

OFTEN = 3

KNOWN_SHARE = 0.5
"""Share of the training rows that keep their facts: the other half teaches how to do without."""


def with_facts(prepared: str, kind: str | None = None, repeat_count: float | None = None) -> str:
    """Put the facts that are known behind a prepared text.

    Examples
    --------
    >>> with_facts("什么时候发货", "question", 3).split(MARK)
    ['什么时候发货', 'question', 'called', 'called_often']
    """
    told = [kind] if kind in FACTS else []
    if repeat_count is not None and repeat_count >= 1:  # NaN is not
        told += ["called", "called_often"] if repeat_count >= OFTEN else ["called"]
    return MARK.join([prepared, *told])


def text_and_facts(prepared: str) -> tuple[str, list[str]]:
    """Take a prepared text and its facts apart again."""
    text, *told = prepared.split(MARK)
    return text, told


def prepare_tickets(tickets: pd.DataFrame, *, forgetful: bool = False) -> list[str]:
    """Prepare the texts of tickets with their facts.

    Parameters
    ----------
    tickets : DataFrame
        `text`, and `kind` and `repeat_count` where they are known.
    forgetful : bool
        Leave the facts of every other ticket out, for training.
    """
    kept = np.ones(len(tickets), dtype=bool)
    if forgetful:
        kept = np.random.default_rng(0).random(len(tickets)) < KNOWN_SHARE
    return list(_prepared(tickets, kept))


def _prepared(tickets: pd.DataFrame, kept: NDArray[np.bool_]) -> Iterator[str]:
    nothing = [None] * len(tickets)
    kinds = tickets["kind"] if "kind" in tickets else nothing
    repeats = tickets["repeat_count"] if "repeat_count" in tickets else nothing
    for text, kind, repeat, told in zip(tickets["text"], kinds, repeats, kept, strict=True):
        read = prepare(text).text
        yield with_facts(read, kind, repeat) if told else read
