"""The audit of a file of past tickets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triage.audit.classes import find_alike, find_small
from triage.audit.conflicts import find_conflicts
from triage.audit.drift import (
    find_label_drift,
    find_labelling_drift,
    find_word_drift,
    month_shares,
    months_of,
)
from triage.audit.leaks import find_leaks
from triage.audit.result import (
    ALIKE_COLUMNS,
    CONFLICT_COLUMNS,
    DRIFT_COLUMNS,
    MONTH_COLUMNS,
    SMALL_COLUMNS,
    SUSPECT_COLUMNS,
    Audit,
    Floats,
    empty,
    identify,
)
from triage.audit.suspects import Judged, find_suspects
from triage.data import near_duplicate_groups
from triage.data.columns import LABEL_ALIASES
from triage.schema import HEAD_NAMES, HEADS, ORDERED_HEADS, DataError
from triage.text import Segmenter

Names = Mapping[str, Mapping[str, str]]


def audit_tickets(
    frame: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    labels: Mapping[str, Sequence[str]],
    known: Mapping[str, NDArray[np.bool_]] | None = None,
    *,
    names: Names | None = None,
    segmenter: Segmenter | None = None,
    on_stage: Callable[[str], None] | None = None,
) -> Audit:
    """Audit past tickets: suspect labels, conflicts, small and alike classes, leaks, drift.

    Parameters
    ----------
    frame : DataFrame of n_tickets
        `text`, any of the heads (None where a ticket has no label), and where they are known `key,
        row, group` (else worked out here) and `received_at`. Identical texts may stand in it more
        than once: where their labels differ, that is a conflict.
    probabilities : mapping of head to ndarray of shape (n_tickets, n_labels)
        Held-out answers: each by a model that saw neither the ticket nor its near duplicates. A
        head of the frame without an entry is audited without suspects and confusion.
    labels : mapping of head to sequence of str
        In the columns' order.
    known : mapping of head to ndarray of shape (n_tickets,), optional
        True for rows that have an answer; all whose row is not blank if absent.
    names : mapping of head to mapping of label to str, optional
        Display names in Chinese; those of severity and emotion are known.
    segmenter : Segmenter, optional
        What cuts words.
    on_stage : callable, optional
        Told in Chinese what comes next.

    Returns
    -------
    Audit

    Raises
    ------
    DataError
        If the frame has no head with a label, or the answers don't fit the frame.

    References
    ----------
    Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
    2021.
    """
    say = on_stage or (lambda _: None)
    frame = _checked(frame, probabilities, labels)
    heads = [head for head in HEADS if head in frame and frame[head].notna().any()]
    shown = _display_names(names or {})
    cut = segmenter or Segmenter()
    say("查找可疑标签")
    answered = [head for head in heads if head in probabilities]
    judged = {
        head: Judged.of(frame, head, probabilities[head], labels[head], (known or {}).get(head))
        for head in answered
    }
    suspects = [find_suspects(frame, one, shown) for one in judged.values()]
    say("查找内容相同而标签不同的工单")
    conflicts = [find_conflicts(frame, head) for head in heads]
    say("检查各类的数量与混淆")
    small = [find_small(frame, head, judged.get(head), shown) for head in heads]
    alike = [find_alike(frame, one, shown, cut) for one in judged.values()]
    say("查找泄露标签的固定用语")
    leaks = find_leaks(frame, frame["text"].tolist(), heads, shown)
    say("检查随时间的变化")
    drift, months = _over_time(frame, heads, judged, shown, cut)
    ranked = _joined(suspects, SUSPECT_COLUMNS).sort_values(["score", "rank"], kind="stable")
    torn = _joined(conflicts, CONFLICT_COLUMNS)
    return Audit(
        suspects=ranked.reset_index(drop=True),
        conflicts=torn,
        small=_joined(small, SMALL_COLUMNS),
        alike=_joined(alike, ALIKE_COLUMNS),
        leaks=leaks,
        drift=drift,
        months=months,
        tickets=_concerned(frame, ranked, torn),
        judged={head: len(one.at) for head, one in judged.items()},
        labelled={head: int(frame[head].notna().sum()) for head in heads},
        names=shown,
    )


def _checked(
    frame: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    labels: Mapping[str, Sequence[str]],
) -> pd.DataFrame:
    """Return the frame with a plain index, groups, and None for labels that are missing."""
    frame = frame.reset_index(drop=True)
    for head in HEADS:
        if head in frame:
            frame[head] = frame[head].astype(object).where(frame[head].notna(), None)
    if "group" not in frame:
        frame["group"] = near_duplicate_groups(frame["text"].tolist())
    if not any(head in frame and frame[head].notna().any() for head in HEADS):
        raise DataError(
            f"None of the {len(frame)} tickets has a label of {', '.join(HEADS)}, so there is "
            "nothing to audit: map a column of labels with --map 列名=nature.",
            code="no_labels",
        )
    for head, table in probabilities.items():
        if table.shape != (len(frame), len(labels[head])):
            raise DataError(
                f"Held-out answers of {head} have shape {table.shape}, but there are {len(frame)} "
                f"tickets and {len(labels[head])} labels: pass one row a ticket, one column a "
                "label.",
                code="audit_shape",
            )
    return frame


def _display_names(names: Names) -> dict[str, dict[str, str]]:
    """Join the Chinese names of the steps to those that are passed in."""
    shown: dict[str, dict[str, str]] = {}
    for head in HEADS:
        usual: dict[str, str] = {}
        for alias, label in (LABEL_ALIASES[head] if head in ORDERED_HEADS else {}).items():
            usual.setdefault(label, alias)
        shown[head] = {**usual, **names.get(head, {})}
    return shown


def _over_time(
    frame: pd.DataFrame,
    heads: Sequence[str],
    judged: Mapping[str, Judged],
    names: Names,
    segmenter: Segmenter,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what changed, and the labels of each month."""
    months = months_of(frame)
    if months is None:
        return empty(DRIFT_COLUMNS), empty(MONTH_COLUMNS)
    found = [find_label_drift(frame, months, head, names) for head in heads]
    found += [find_labelling_drift(months, one, HEAD_NAMES[head]) for head, one in judged.items()]
    found.append(find_word_drift(frame, months, segmenter))
    shares = [month_shares(frame, months, head) for head in heads]
    return _joined(found, DRIFT_COLUMNS), _joined(shares, MONTH_COLUMNS)


def _concerned(
    frame: pd.DataFrame, suspects: pd.DataFrame, conflicts: pd.DataFrame
) -> pd.DataFrame:
    """Return the tickets that are suspect or stand in a conflict, with all their labels."""
    groups = frame["group"].isin(conflicts["group"]) if len(conflicts) else pd.Series(dtype=bool)
    at = np.union1d(suspects.index.to_numpy(dtype=np.int64), np.flatnonzero(groups))
    return identify(frame, at.astype(np.int64)).reset_index(drop=True)


def _joined(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Join tables of which some may have no rows."""
    full = [table for table in tables if len(table)]
    if not full:
        return empty(columns)
    at = all(table.index.dtype == np.int64 for table in full) and tuple(columns) == SUSPECT_COLUMNS
    return pd.concat(full, ignore_index=not at)[list(columns)]
