"""Labels that held-out answers speak against: confident learning."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triage.audit.result import SUSPECT_COLUMNS, Floats, display, empty, identify
from triage.schema import ORDERED_HEADS

TOP_SHARE = 0.1
"""Share of each head's tickets, the most suspect ones, that is always kept."""

LENT = 0.05
"""Share of its probability that a step of an ordered head lends to its neighbours: distance counts,
and a step that the answers squeeze out between two others is no certain error. With 5 % of the
labels of `data/complaints.csv` flipped, of the hundred most suspect ones 97 are flips of severity
and all are of emotion, against 87 and 89 without it; the top tenth holds 86 and 85 % either way."""


ISSUE_QUALITY, WORST_QUALITY = 0.1, 0.03
"""Quality below which a label that confident learning prunes is called an issue, and is called
most suspect. With 5 % of the labels of the corpus flipped, half of the nature's issues are flips
and 69 % of the other heads' (76, 67 and 58 % of all flips), and 75 to 99 % of the most suspect.
Without the bound 10 to 12 % of the labels would be issues."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The tickets of one head that have a label and a held-out answer.

    Attributes
    ----------
    head : str
    labels : list of str
        Labels that some ticket has, in the columns' order.
    at : ndarray of shape (n_judged,)
        Places in the frame.
    codes : ndarray of shape (n_judged,)
        Columns of their labels.
    table : ndarray of shape (n_judged, n_labels)
        Held-out probabilities over `labels`, each row adding up to 1.
    """

    head: str
    labels: list[str]
    at: NDArray[np.int64]
    codes: NDArray[np.int64]
    table: Floats

    @property
    def answers(self) -> NDArray[np.int64]:
        """Columns of the likeliest labels."""
        if not self.table.size:
            return np.zeros(0, dtype=np.int64)
        likeliest: NDArray[np.int64] = self.table.argmax(axis=1)
        return likeliest

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        head: str,
        table: Floats,
        labels: Sequence[str],
        known: NDArray[np.bool_] | None,
    ) -> Judged:
        """Gather a head's judged tickets; a label that no ticket has is left out."""
        column = {label: at for at, label in enumerate(labels)}
        codes = np.array([column.get(label, -1) for label in frame[head]], dtype=np.int64)
        rows = (codes >= 0) & (np.isfinite(table).all(axis=1)) & (table.sum(axis=1) > 0)
        at = np.flatnonzero(rows if known is None else rows & known)
        present = np.unique(codes[at])
        some = np.clip(table[np.ix_(at, present)], 1e-9, 1.0)
        some = some / some.sum(axis=1, keepdims=True)
        return cls(
            head, [labels[c] for c in present], at, np.searchsorted(present, codes[at]), some
        )


def label_quality(judged: Judged) -> Floats:
    """Return how well each label fits its held-out answer, 0 badly … 1 well.

    The probability of the label itself, for an ordered head with what neighbouring steps lend it.
    Of cleanlab's three scores it finds most flipped labels of the corpus: 82 % of the nature's in
    the top tenth, the margin 78 %, weighted entropy 81 %.

    References
    ----------
    Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels",
    2021; Kuan and Mueller, "Model-agnostic label quality scoring to detect real-world label
    errors", 2022.
    """
    from cleanlab.rank import get_label_quality_scores

    table = judged.table
    if steps := ORDERED_HEADS.get(judged.head):
        places = np.array([steps.index(label) for label in judged.labels])
        away = np.abs(places[:, None] - places[None, :])
        table = table @ np.select([away == 0, away == 1], [1.0, LENT], 0.0)
        table = table / table.sum(axis=1, keepdims=True)
    quality: Floats = get_label_quality_scores(judged.codes, table, method="self_confidence")
    return quality


def find_suspects(
    frame: pd.DataFrame, judged: Judged, names: Mapping[str, Mapping[str, str]]
) -> pd.DataFrame:
    """List the most suspect labels of one head.

    Parameters
    ----------
    frame : DataFrame
        All tickets.
    judged : Judged
        Those of the head.
    names : mapping of head to mapping of label to str
        Display names.

    Returns
    -------
    DataFrame
        See `Audit.suspects`; the index is the ticket's place in the frame.
    """
    if len(judged.labels) < 2:
        return empty(SUSPECT_COLUMNS)
    quality, answers = label_quality(judged), judged.answers
    order = np.lexsort((quality, answers == judged.codes))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    issue = _issues(judged) & (quality < ISSUE_QUALITY)
    kept = order[((rank <= np.ceil(TOP_SHARE * len(rank))) | issue)[order]]
    kept = kept[answers[kept] != judged.codes[kept]]
    found = identify(frame, judged.at[kept])
    labels = np.array(judged.labels, dtype=object)
    found = found.assign(
        head=judged.head,
        label=labels[judged.codes[kept]],
        suggested=labels[answers[kept]],
        score=quality[kept].round(4),
        probability=judged.table[kept, answers[kept]].round(4),
        own_probability=judged.table[kept, judged.codes[kept]].round(4),
        rank=rank[kept],
        issue=issue[kept],
    )
    found["reason"] = _reasons(found, frame, names)
    return found[list(SUSPECT_COLUMNS)]


def _issues(judged: Judged) -> NDArray[np.bool_]:
    """Tell which labels both of confident learning's prunings call wrong."""
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings():  # a class of one ticket is no fault of the file's
        warnings.filterwarnings("ignore", "May not flag all label issues", UserWarning)
        flags: NDArray[np.bool_] = find_label_issues(
            judged.codes, judged.table, filter_by="both", n_jobs=1
        )
    flags &= judged.answers != judged.codes
    return flags


def _reasons(
    found: pd.DataFrame, frame: pd.DataFrame, names: Mapping[str, Mapping[str, str]]
) -> list[str]:
    columns = ("head", "label", "suggested", "probability", "own_probability")
    rows = zip(*(found[column] for column in columns), _neighbours(found, frame), strict=True)
    return [
        _reason(head, label, suggested, sure, own, alike, names)
        for head, label, suggested, sure, own, alike in rows
    ]


def _reason(
    head: str, label: str, suggested: str, sure: float, own: float, alike: int,
    names: Mapping[str, Mapping[str, str]],
) -> str:  # fmt: skip
    better = display(names, head, suggested)
    reason = (
        f"模型没有看过这条工单时判为「{better}」（{_sureness(sure)}），"
        f"给「{display(names, head, label)}」的{_sureness(own)}"
    )
    if steps := ORDERED_HEADS.get(head):
        reason += f"，相差 {abs(steps.index(label) - steps.index(suggested))} 级"
    return f"{reason}；另有 {alike} 条几乎相同的工单标为「{better}」" if alike else reason


def _sureness(share: float) -> str:
    """Say how sure an answer is, without calling nearly nothing nothing."""
    if share < 0.01:
        return "把握不到 1%"
    return "把握超过 99%" if share > 0.99 else f"把握 {share:.0%}"


def _neighbours(found: pd.DataFrame, frame: pd.DataFrame) -> list[int]:
    """Count near duplicates that have the suggested label."""
    if found.empty:
        return [0] * len(found)
    head = str(found["head"].iloc[0])
    counts = frame.groupby(["group", head]).size().to_dict()
    groups = frame["group"].iloc[found.index.to_numpy()]
    return [
        int(counts.get((group, suggested), 0))
        for group, suggested in zip(groups, found["suggested"], strict=True)
    ]
