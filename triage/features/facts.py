"""The fact that joins the text: the kind of contact, where it is known.

It stands behind the prepared text, after a mark that no text holds, so that whatever passes texts
on passes it too. Amount and earlier contacts do not join here: they may only ever raise a grade,
which a learned weight does not promise, so the policy sees to them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triage.features.prepared import prepare

MARK = "\x1f"
"""Separates facts from the text; normalising takes it out of what people send."""

FACTS = ("question", "suggestion", "praise", "report", "help")
"""Kinds that differ from a plain complaint."""

KNOWN_SHARE = 0.5
"""Share of the training rows that keep their facts: the other half teaches how to do without."""


def with_facts(prepared: str, kind: str | None = None) -> str:
    """Put the kind of contact behind a prepared text, where it is known.

    Examples
    --------
    >>> with_facts("什么时候发货", "question").split(MARK)
    ['什么时候发货', 'question']
    """
    return f"{prepared}{MARK}{kind}" if kind in FACTS else prepared


def text_and_facts(prepared: str) -> tuple[str, list[str]]:
    """Take a prepared text and its facts apart again."""
    text, *told = prepared.split(MARK)
    return text, told


def prepare_tickets(tickets: pd.DataFrame, *, forgetful: bool = False) -> list[str]:
    """Prepare the texts of tickets with their facts.

    Parameters
    ----------
    tickets : DataFrame
        `text`, and `kind` where it is known.
    forgetful : bool
        Leave the facts of half of the tickets out, for training.

    Returns
    -------
    list of str of length n_tickets
    """
    kept = np.ones(len(tickets), dtype=bool)
    if forgetful:
        kept = np.random.default_rng(0).random(len(tickets)) < KNOWN_SHARE
    return list(_prepared(tickets, kept))


def _prepared(tickets: pd.DataFrame, kept: NDArray[np.bool_]) -> Iterator[str]:
    kinds = tickets["kind"] if "kind" in tickets else [None] * len(tickets)
    for text, kind, told in zip(tickets["text"], kinds, kept, strict=True):
        read = prepare(text).text
        yield with_facts(read, kind) if told else read
