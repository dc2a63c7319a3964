"""What a model got wrong on held-out tickets, and the words that led it there."""

from __future__ import annotations

import pandas as pd

from triage.analysis.opened import Opened, Wanted, open_version
from triage.analysis.words import worded
from triage.features import prepare_tickets
from triage.schema import ORDERED_HEADS

N_PHRASES = 5
"""Deciding phrases of a mistake that are listed."""


def errors(
    version: str | None = None,
    head: str = "nature",
    *,
    truth: Wanted = None,
    answer: Wanted = None,
    contains: str | None = None,
    n: int = 50,
    **facts: Wanted,
) -> pd.DataFrame:
    """List held-out tickets that a model misjudged, the worst first.

    Parameters
    ----------
    version : str, optional
        The promoted model if absent.
    head : {"nature", "severity", "emotion"}
    truth, answer : str or sequence of str, optional
        Labels that were right and that were answered, by id, Chinese name or usual alias. Name two
        in both to see a pair of classes in both directions.
    contains : str, optional
        Only tickets whose text contains this.
    n : int
        Rows at most.
    **facts : str or sequence of str
        Values of `channel, kind, industry, product, region, source` or `length` (`≤25`, `26–110`,
        `>110`), as far as the tickets have them.

    Returns
    -------
    DataFrame of at most n rows
        `key, truth, answer, probability` (of the answer, 0 … 1), `steps_off` (of ordered heads:
        below 0 the answer is too low), facts, `phrases` (the words that weigh most toward the
        answer, with their weights) and `text`, masked. Ordered heads: the most steps off first;
        within, and for the nature, the surest mistakes first.

    Raises
    ------
    UsageError
        If there is no such version, head, label or fact; the message lists what there is.
    ArtifactError
        If no model is promoted, or it can't be loaded.
    """
    opened = open_version(version)
    rows = opened.held_out(head, **facts)
    rows = rows[rows["truth"] != rows["answer"]]
    for column, wanted in (("truth", truth), ("answer", answer)):
        if (labels := opened.wanted_labels(head, wanted)) is not None:
            rows = rows[rows[column].isin(labels)]
    if contains:
        rows = rows[rows["text"].str.contains(contains, regex=False)]
    steps = ORDERED_HEADS.get(head, ())
    if steps:
        off = rows["answer"].map(steps.index) - rows["truth"].map(steps.index)
        rows = rows.assign(steps_off=off.astype(int), far=off.abs())
    order = ["far", "probability"] if steps else ["probability"]
    worst = rows.sort_values(order, ascending=False, kind="stable").head(n)
    worst = worst.assign(phrases=_phrases(opened, head, worst)).reset_index(drop=True)
    shown = ["key", "truth", "answer", "probability", *(["steps_off"] if steps else [])]
    return worst[[*shown, *opened.facts, "phrases", "text"]].round({"probability": 3})


def _phrases(opened: Opened, head: str, rows: pd.DataFrame) -> list[str]:
    """Return the deciding phrases of each row's answer in one line."""
    if rows.empty:
        return []
    predictions = opened.desk.model.predict(prepare_tickets(rows))
    lines = []
    for at, (text, answer) in enumerate(zip(rows["text"], rows["answer"], strict=True)):
        reading = opened.desk.read(text)
        words = opened.desk.contributions(reading, answer, head, predictions, at)
        strongest = sorted(worded(words), key=lambda word: -word.weight)[:N_PHRASES]
        lines.append("、".join(f"{w.text} {w.weight:+.2f}" for w in strongest if w.weight > 0))
    return lines
