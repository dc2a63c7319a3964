"""One head's answers to the held-out tickets: confusion, calibration, slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from triage.evaluate.bootstrap import differences, macro_f1_of, quadratic_kappa_of
from triage.evaluate.metrics import LEAST_SLICE_ROWS, SLICES, length_slice
from triage.report import plots
from triage.report.naming import Naming
from triage.schema import ORDERED_HEADS

LARGEST_TABLE = 12
"""Classes up to which the confusion is drawn as a table."""


@dataclass(frozen=True, slots=True)
class Answers:
    """One head's answers to the held-out tickets that have a truth.

    Attributes
    ----------
    head : str
    rows : DataFrame
        The tickets.
    truth, answer : ndarray of shape (n_rows,)
        Labels.
    sure : ndarray of shape (n_rows,)
        Probability of the answer.
    """

    head: str
    rows: pd.DataFrame
    truth: NDArray[Any]
    answer: NDArray[Any]
    sure: NDArray[np.float64]

    @classmethod
    def of(cls, tickets: pd.DataFrame, head: str) -> Answers | None:
        """Gather them; None where the tickets hold none."""
        if head not in tickets or f"{head}_answer" not in tickets:
            return None
        known = (tickets["side"] == "test") & tickets[head].notna()
        rows = tickets[known & tickets[f"{head}_answer"].notna()]
        if rows.empty:
            return None
        truth, answer = (rows[name].astype(str).to_numpy(dtype=object)
                         for name in (head, f"{head}_answer"))  # fmt: skip
        return cls(head, rows, truth, answer, rows[f"{head}_probability"].to_numpy(float))

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer is the truth."""
        return np.asarray(self.truth == self.answer, dtype=bool)

    def gain(self, others: Sequence[str]) -> tuple[float, float]:
        """Return the 95 % interval of the gain over other answers to the same rows."""
        labels = list(ORDERED_HEADS.get(self.head) or sorted({*self.truth, *self.answer, *others}))
        place = {label: at for at, label in enumerate(labels)}
        codes = [np.array([place[label] for label in column], dtype=np.int64)
                 for column in (self.truth, others, self.answer)]  # fmt: skip
        measure = quadratic_kappa_of if self.head in ORDERED_HEADS else macro_f1_of
        found = differences(
            codes[0], codes[1], codes[2], self.rows["group"].to_numpy(), len(labels), [measure]
        )[0]
        return found.low, found.high


def confusion(answers: Answers, naming: Naming) -> dict[str, Any]:
    """Count what is taken for what.

    Returns
    -------
    dict
        `table` (None where there are too many classes): `labels`, and `rows` of `label, total,
        cells` of `count, share, hit`; `pairs`: the most frequent mistakes.
    """
    counts = Counter(zip(answers.truth, answers.answer, strict=True))
    totals = Counter(answers.truth)
    labels = _labels(answers, totals)
    pairs = [
        {"truth": true, "answer": given, "count": rows, "share": rows / totals[true]}
        for (true, given), rows in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if true != given
    ]
    table = _table(labels, counts, totals) if len(labels) <= LARGEST_TABLE else None
    return {"table": table, "pairs": pairs, "words": _confused(answers, pairs, naming)}


def _labels(answers: Answers, totals: Mapping[str, int]) -> list[str]:
    """Return the labels that occur: steps in their order, others the most frequent first."""
    present = {*answers.truth, *answers.answer}
    if steps := ORDERED_HEADS.get(answers.head):
        return [step for step in steps if step in present]
    return sorted(present, key=lambda label: (-totals.get(label, 0), label))


def _table(
    labels: Sequence[str], counts: Mapping[tuple[str, str], int], totals: Mapping[str, int]
) -> dict[str, Any]:
    rows = [
        {"label": true, "total": totals[true], "cells": [
            {"count": counts.get((true, given), 0), "hit": true == given,
             "share": counts.get((true, given), 0) / totals[true]} for given in labels]}
        for true in labels if totals.get(true)
    ]  # fmt: skip
    return {"labels": list(labels), "rows": rows}


def _confused(answers: Answers, pairs: Sequence[Mapping[str, Any]], naming: Naming) -> str:
    wrong = int((~answers.right).sum())
    if not wrong:
        return "没有判错的。"
    told = "；".join(
        f"{naming.listed(answers.head, [pair['truth']])}判成"
        f"{naming.listed(answers.head, [pair['answer']])}{pair['count']} 条"
        for pair in pairs[:3]
    )
    return f"判错 {wrong} 条，最多的是：{told}。"


def calibration(answers: Answers, naming: Naming) -> tuple[str, Markup]:
    """Draw the calibration and say what it means where the model is sure."""
    sure, right = answers.sure, answers.right
    high = sure >= 0.9
    words = "把握九成以上的"
    if high.sum() >= LEAST_SLICE_ROWS:
        words += (
            f"有 {int(high.sum()):,} 条，平均说有 {sure[high].mean():.0%} 的把握，"
            f"实际判对 {right[high].mean():.0%}。"
        )
    else:
        words += f"只有 {int(high.sum())} 条，模型少有把握。"
    name = f"{naming.head(answers.head)}的校准图：{words}"
    return words, plots.calibration(f"cal-{answers.head}", name, sure, right)


def find_slices(answers: Answers, figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the slices, the weakest first, and whether each lies below the rest beyond chance."""
    columns = {name: list(answers.rows[name]) for name in SLICES if name in answers.rows}
    columns["length"] = list(length_slice(answers.rows["text"].tolist()))
    whole = float(answers.right.mean())
    found = []
    for fact, column in columns.items():
        values = pd.Series(column, dtype=object).fillna("（无）").astype(str).to_numpy()
        names, counts = np.unique(values, return_counts=True)
        for value, rows in zip(names, counts, strict=True):
            if not LEAST_SLICE_ROWS <= rows < len(values):
                continue
            share = answers.right[values == value].mean()
            _, high = plots.wilson(np.array([share]), np.array([rows]))
            scores = figures.get("slices", {}).get(fact, {}).get(value, {})
            found.append(
                {"fact": fact, "value": str(value), "rows": int(rows), "accuracy": float(share),
                 "f1": scores.get("macro_f1"), "kappa": scores.get("kappa"),
                 "weak": bool(high[0] < whole)}
            )  # fmt: skip
    return sorted(found, key=lambda row: (not row["weak"], row["accuracy"]))
