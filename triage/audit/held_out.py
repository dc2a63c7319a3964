"""Held-out answers: what a model says of each ticket without having seen it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triage import features, model
from triage.audit.result import Floats
from triage.data.tickets import MIN_CLASS_ROWS
from triage.schema import HEADS

HeldOut = tuple[dict[str, Floats], dict[str, list[str]], dict[str, NDArray[np.bool_]]]


def answer_held_out(
    frame: pd.DataFrame,
    *,
    text_features: features.TextFeatures | None = None,
    progress: Callable[[str], None] | None = None,
) -> HeldOut:
    """Train on all tickets, and return what each fold's model says of those that it did not see.

    Parameters
    ----------
    frame : DataFrame
        `text`, any of the heads, `group`, and `kind` where it is known. Labels of fewer than
        `MIN_CLASS_ROWS` tickets, and heads with fewer than two labels, are passed over.
    text_features : TextFeatures, optional
        Unfitted: for a company's dictionary or an encoder.
    progress : callable, optional
        Told the name of the head that comes next.

    Returns
    -------
    probabilities, labels, known : dict
        As `audit_tickets` takes them: see `held_out_answers`.
    """
    columns = {head: _learnable(frame[head]) for head in HEADS if head in frame}
    some = {head: labels for head, labels in columns.items() if pd.Series(labels).nunique() > 1}
    if not some:
        return {}, {}, {}
    space = model.fit_space(
        features.prepare_tickets(frame, forgetful=True), some, frame["group"].to_numpy(),
        features=text_features, progress=progress,
    )  # fmt: skip
    return held_out_answers(space.heads, len(frame))


def _learnable(labels: pd.Series) -> NDArray[Any]:
    """Return the labels, None where there is none or its class is too small to learn."""
    rows = labels.map(labels.value_counts())
    return labels.astype(object).where(rows >= MIN_CLASS_ROWS, None).to_numpy(dtype=object)


def held_out_answers(
    heads: Mapping[str, Any], n_rows: int
) -> tuple[dict[str, Floats], dict[str, list[str]], dict[str, NDArray[np.bool_]]]:
    """Gather what freshly fitted heads say of the tickets that they did not see.

    Parameters
    ----------
    heads : mapping of str to head
        Of `model.fit_space`: those with `held_out_`, `held_out_rows_` and `classes_`.
    n_rows : int
        Tickets that the heads were fitted on.

    Returns
    -------
    probabilities : dict of head to ndarray of shape (n_rows, n_labels)
        Zero in rows without an answer.
    labels : dict of head to list of str
        In the columns' order.
    known : dict of head to ndarray of shape (n_rows,)
        True for rows with an answer.
    """
    probabilities, labels, known = {}, {}, {}
    for name, head in heads.items():
        if not hasattr(head, "held_out_"):
            continue
        labels[name] = [str(label) for label in head.classes_]
        probabilities[name] = np.zeros((n_rows, len(labels[name])))
        probabilities[name][head.held_out_rows_] = head.held_out_
        known[name] = np.isin(np.arange(n_rows), head.held_out_rows_)
    return probabilities, labels, known
