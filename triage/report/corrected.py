"""How many of people's corrections a model gets right, learned from and held out apart."""

from __future__ import annotations

from typing import Any

import pandas as pd

from triage.schema import HEADS

SIDES = {"test": "留出没学", "train": "学过", "absent": "不在这次的工单里"}
"""The held-out side first: only it tells whether the model has learned more than the ticket."""

MOST_LISTED = 12


def corrected_summary(
    corrections: pd.DataFrame | None, tickets: pd.DataFrame
) -> dict[str, Any] | None:
    """Count the corrections that the model answers as people said.

    Parameters
    ----------
    corrections : DataFrame or None
        `key, head, label`, and where known `text, was` and `answer`, the model's answer. Without it
        the answers to held-out tickets are taken from `tickets`, and the others are not counted as
        measured.
    tickets : DataFrame
        Of the model: see `evaluate.tickets_table`.

    Returns
    -------
    dict or None
        `total, measured, right`; `rows`: for each head and side `head, side, total, measured,
        right`; `wrong`: `key, head, label, was, answer, text, side` of those that it still gets
        wrong, the held-out ones first. None where there is no correction.
    """
    if corrections is None or corrections.empty:
        return None
    table = _joined(corrections, tickets)
    known = table[table["answer"].notna()]
    right = known["answer"] == known["label"]
    wrong = known[~right].sort_values("order", kind="stable")
    return {
        "total": len(table),
        "measured": len(known),
        "right": int(right.sum()),
        "rows": _counts(table),
        "wrong": wrong.drop(columns="order").head(MOST_LISTED).to_dict("records"),
        "more": max(0, len(wrong) - MOST_LISTED),
    }


def _joined(corrections: pd.DataFrame, tickets: pd.DataFrame) -> pd.DataFrame:
    """Find side and answer of each correction."""
    kept = tickets.drop_duplicates("key").set_index("key")
    table = corrections.reset_index(drop=True)
    for name in ("text", "was", "answer"):
        if name not in table:
            table[name] = None
    table["side"] = table["key"].map(kept["side"]).fillna("absent")
    answers = [
        answer if isinstance(answer, str) else _answer(kept, key, head)
        for key, head, answer in zip(table["key"], table["head"], table["answer"], strict=True)
    ]
    table["answer"] = pd.Series(answers, index=table.index, dtype=object)
    order = {side: at for at, side in enumerate(SIDES)}
    table["order"] = table["side"].map(order)
    names = ["key", "head", "label", "was", "answer", "text", "side", "order"]
    return table[names].astype(object).where(table[names].notna(), None)


def _answer(kept: pd.DataFrame, key: str, head: str) -> str | None:
    column = f"{head}_answer"
    if key not in kept.index or column not in kept:
        return None
    answer = kept.at[key, column]
    return answer if isinstance(answer, str) else None


def _counts(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for head in HEADS:
        for side in SIDES:
            some = table[(table["head"] == head) & (table["side"] == side)]
            known = some[some["answer"].notna()]
            if len(some):
                rows.append(
                    {"head": head, "side": side, "total": len(some), "measured": len(known),
                     "right": int((known["answer"] == known["label"]).sum())}
                )  # fmt: skip
    return rows
