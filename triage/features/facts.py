"""Tickets as the features read them: prepared, with the fact that joins the text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triage.features.prepared import prepare
from triage.scoring import with_facts

KNOWN_SHARE = 0.5
"""Share of the training rows that keep their facts: the other half teaches how to do without."""


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
