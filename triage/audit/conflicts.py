"""Identical or near-identical texts with unlike labels."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Any

import numpy as np
import pandas as pd

from triage.audit.result import CONFLICT_COLUMNS, empty, identify

MOST_MEMBERS = 60
"""Members of a conflict that are listed, those of the rarer labels first."""

MOST_COMPARED = 12
"""Members whose texts are compared pair by pair."""


def find_conflicts(frame: pd.DataFrame, head: str) -> pd.DataFrame:
    """List near-duplicate groups whose tickets have unlike labels.

    Parameters
    ----------
    frame : DataFrame
        `text, group`, the head's column, and where known `key, row`.
    head : str

    Returns
    -------
    DataFrame
        See `Audit.conflicts`: identical texts first, then the most alike.
    """
    labelled = frame[head].notna().to_numpy()
    groups = frame.loc[labelled, "group"]
    kinds = frame.loc[labelled, head].groupby(groups).nunique()
    torn = kinds.index[kinds > 1]
    at = np.flatnonzero(labelled & frame["group"].isin(torn).to_numpy())
    if not len(at):
        return empty(CONFLICT_COLUMNS)
    members = identify(frame, at).assign(group=frame["group"].to_numpy()[at])
    found = [_conflict(head, part) for _, part in members.groupby("group", sort=False)]
    table = pd.DataFrame(found, columns=list(CONFLICT_COLUMNS))
    return table.sort_values(
        ["identical", "similarity", "rows"], ascending=False, ignore_index=True, kind="stable"
    )


def _conflict(head: str, members: pd.DataFrame) -> dict[str, Any]:
    counts = members[head].value_counts()
    leads = counts.iloc[0] > counts.iloc[1]
    rarest_first = members.assign(size=members[head].map(counts)).sort_values("size", kind="stable")
    labels_of_key = members.groupby("key")[head].nunique()
    identical = bool((labels_of_key > 1).any())
    listed = rarest_first.head(MOST_MEMBERS).rename(columns={head: "label"})
    return {
        "head": head,
        "group": members["group"].iloc[0],
        "identical": identical,
        "similarity": 1.0 if identical else _similarity(rarest_first, head),
        "rows": len(members),
        "label": counts.index[0],
        "label_rows": int(counts.iloc[0]),
        "other": counts.index[1],
        "other_rows": int(counts.iloc[1]),
        "labels": {str(label): int(count) for label, count in counts.items()},
        "suggested": counts.index[0] if leads else None,
        "text": members["text"].iloc[0],
        "members": listed[["key", "row", "text", "label"]].to_dict("records"),
    }


def _similarity(members: pd.DataFrame, head: str) -> float:
    """Return how alike the most alike pair with unlike labels is, 0 … 1."""
    some = members.drop_duplicates("key")
    some = pd.concat([some.head(MOST_COMPARED // 2), some.tail(MOST_COMPARED // 2)])
    texts, labels = some["text"].tolist(), some[head].tolist()
    ratios = [
        SequenceMatcher(None, texts[i], texts[j], autojunk=False).ratio()
        for i in range(len(texts))
        for j in range(i)
        if labels[i] != labels[j]
    ]
    return round(max(ratios, default=0.0), 3)
