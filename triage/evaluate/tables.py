"""Tables of tickets with their truths and answers, masked: what went wrong, and all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triage.privacy import mask
from triage.schema import HEADS, ORDERED_HEADS

Floats = NDArray[np.float64]

TICKET_FACTS = ("id", "kind", "channel", "industry", "product", "region", "received_at", "amount",
                "repeat_count", "resolution", "source")  # fmt: skip
"""Facts that a model's folder keeps of each ticket; who the customer was is not among them."""


def tickets_table(
    frame: pd.DataFrame,
    test: NDArray[np.bool_],
    keys: Sequence[str],
    probabilities: Mapping[str, Floats],
    labels: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """List every ticket that a model was trained or measured on, masked.

    Parameters
    ----------
    frame : DataFrame of n_tickets
        Tickets with their labels, facts and `group`.
    test : ndarray of shape (n_tickets,)
        True for those that were held out.
    keys : sequence of str of length n_tickets
        What each ticket is known by: see `data.ticket_key`.
    probabilities : mapping of head to ndarray of shape (n_test, n_labels)
        Answers to the held-out ones.
    labels : mapping of head to sequence of str

    Returns
    -------
    DataFrame
        `key, group, side` (`train` or `test`), `sheet` of a workbook of several, `row`, `text`,
        facts, the true label of each head under the head's name (None where there is none), and for
        held-out tickets `<head>_answer`, `<head>_probability` of the answer.
    """
    facts = [name for name in TICKET_FACTS if name in frame]
    place = [name for name in ("sheet", "row") if name in frame]
    table = frame[[*place, *facts, "group"]].copy()
    table.insert(0, "key", list(keys))
    table.insert(1, "side", np.where(test, "test", "train"))
    for name in (name for name in facts if name not in ("received_at", "amount", "repeat_count")):
        table[name] = [mask(cell) if isinstance(cell, str) else None for cell in frame[name]]
    table["text"] = frame["text"].map(mask)
    for head in HEADS:
        truth = frame[head] if head in frame else pd.Series(None, index=frame.index, dtype=object)
        table[head] = truth.astype(object).where(truth.notna(), None)
        if head in probabilities:
            answer = pd.Series(None, index=frame.index, dtype=object)
            sure = pd.Series(np.nan, index=frame.index, dtype=float)
            answer[test] = np.asarray(labels[head])[probabilities[head].argmax(axis=1)]
            sure[test] = probabilities[head].max(axis=1)
            table[f"{head}_answer"], table[f"{head}_probability"] = answer, sure
    return table


def errors_table(
    frame: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    labels: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """List the rows that a head got wrong, the surest mistakes first.

    Parameters
    ----------
    frame : DataFrame of n_rows
        Held-out tickets with their labels.
    probabilities : mapping of head to ndarray of shape (n_rows, n_labels)
    labels : mapping of head to sequence of str

    Returns
    -------
    DataFrame
        `head, truth, answer, probability, probability_of_truth, steps_off`, facts and `text`, all
        of them masked.
    """
    parts = []
    for head, table in probabilities.items():
        if head not in frame:
            continue
        names = list(labels[head])
        answer = np.asarray(names)[table.argmax(axis=1)]
        truth = frame[head].to_numpy()
        wrong = np.array([t is not None and t == t and t != a
                          for t, a in zip(truth, answer, strict=True)])  # fmt: skip
        if not wrong.any():
            continue
        column = {label: at for at, label in enumerate(names)}
        part = frame.loc[
            wrong, [c for c in ("sheet", "row", "id", "channel", "industry") if c in frame]
        ]
        part = part.map(lambda cell: mask(cell) if isinstance(cell, str) else cell)
        part = part.assign(
            head=head,
            truth=[mask(str(label)) for label in truth[wrong]],
            answer=[mask(str(label)) for label in answer[wrong]],
            probability=table.max(axis=1)[wrong].round(4),
            probability_of_truth=[
                round(float(row[column[t]]), 4) if t in column else 0.0
                for row, t in zip(table[wrong], truth[wrong], strict=True)
            ],
            steps_off=[
                column[a] - column[t] if head in ORDERED_HEADS else 0
                for t, a in zip(truth[wrong], answer[wrong], strict=True)
            ],
            text=frame.loc[wrong, "text"].map(mask),
        )
        parts.append(part)
    if not parts:
        return pd.DataFrame(columns=["head", "truth", "answer", "probability", "text"])
    return pd.concat(parts).sort_values("probability", ascending=False, ignore_index=True)
