"""What a model answers to the tickets that people corrected."""

from __future__ import annotations

import pandas as pd

from triage.engine.promotion import Heads, likeliest
from triage.schema import HEADS


def answer_corrections(
    model: Heads, tickets: pd.DataFrame, corrections: pd.DataFrame
) -> pd.DataFrame:
    """Put a model's answer beside each correction of a ticket that it was trained or measured on.

    Parameters
    ----------
    model : TriageModel or Scorer
    tickets : DataFrame
        See `evaluate.tickets_table`.
    corrections : DataFrame
        The latest ones: `key, head, label` and what else is known of them.

    Returns
    -------
    DataFrame
        The corrections with `side` (`train`, `test`, or None where the ticket is not among them)
        and `answer`.
    """
    found = corrections.reset_index(drop=True)
    held = tickets[tickets["key"].isin(found["key"])].drop_duplicates("key").reset_index(drop=True)
    place = {key: at for at, key in enumerate(held["key"])}
    answers = likeliest(model, held) if len(held) else {head: [] for head in HEADS}
    at = [place.get(key) for key in found["key"]]
    sides = [None if nth is None else held["side"][nth] for nth in at]
    given = [None if nth is None else answers[head][nth]
             for nth, head in zip(at, found["head"], strict=True)]  # fmt: skip
    found["side"] = pd.Series(sides, index=found.index, dtype=object)
    found["answer"] = pd.Series(given, index=found.index, dtype=object)
    return found
