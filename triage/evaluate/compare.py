"""Champion and challenger: two models on the same rows that neither was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triage.evaluate.bootstrap import (
    Difference,
    differences,
    macro_f1_of,
    quadratic_kappa_of,
    recall_of,
)
from triage.evaluate.metrics import LEAST_SLICE_ROWS, SLICES, length_slice
from triage.privacy import mask
from triage.schema import HEAD_NAMES, HEADS, ORDERED_HEADS

Verdict = Literal["accept", "warn", "refuse"]

LEAST_ROWS = 30
"""With fewer common rows nothing is said of a head."""

LEAST_LOST = 2
"""So many more tickets of a protected class must be missed before it counts: one is chance."""

MOST_LISTED = 200
"""Tickets newly right, and newly wrong, that are listed."""


@dataclass(frozen=True, slots=True)
class HeadComparison:
    """One head of two models.

    Attributes
    ----------
    metric : str
        `macro_f1` of the nature, `kappa` (quadratic weighted) of ordered heads.
    champion, challenger, difference, low, high : float
        Both values, the gain of the challenger and its 95 % interval.
    rows : int
        Number of common rows with a truth.
    """

    metric: str
    champion: float
    challenger: float
    difference: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True, slots=True)
class ProtectedClass:
    """Recall of a class that must not get worse.

    Attributes
    ----------
    champion, challenger : float
        Recall, 0 … 1.
    difference, low, high : float
        The challenger's gain and its 95 % interval.
    rows : int
        True rows of the class.
    margin : float
        Loss that is still borne.
    worse : bool
        Whether the loss is beyond the margin, and more than one ticket.
    """

    head: str
    label: str
    champion: float
    challenger: float
    difference: float
    low: float
    high: float
    rows: int
    margin: float
    worse: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """What separates a challenger from the champion, and whether it may take its place.

    Attributes
    ----------
    champion, challenger : str
        Versions.
    rows : int
        Rows that neither was trained on.
    verdict : {"accept", "warn", "refuse"}
    sentences : list of str
        The reasons in plain Chinese, the verdict first.
    heads : dict of head to HeadComparison
    protected : list of ProtectedClass
    classes : dict of head to list of dict
        Recall of each label under both: `label, champion, challenger, rows`.
    newly_right, newly_wrong : list of dict
        Tickets that one of them got right: `key, head, truth, champion, challenger, text`.
    counts : dict of head to dict
        How many tickets are newly right and newly wrong.
    slices : dict
        Head → slice → value → rows and accuracy of both.
    """

    champion: str
    challenger: str
    rows: int
    verdict: Verdict
    sentences: list[str]
    heads: dict[str, HeadComparison] = field(default_factory=dict)
    protected: list[ProtectedClass] = field(default_factory=list)
    classes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    newly_right: list[dict[str, Any]] = field(default_factory=list)
    newly_wrong: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    slices: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for `comparison.json`."""
        return asdict(self)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """Make a comparison of what `to_dict` gave."""
        heads = {head: HeadComparison(**found) for head, found in content["heads"].items()}
        protected = [ProtectedClass(**found) for found in content["protected"]]
        return cls(**{**content, "heads": heads, "protected": protected})


def compare(
    frame: pd.DataFrame,
    champion: tuple[str, Mapping[str, Sequence[str]]],
    challenger: tuple[str, Mapping[str, Sequence[str]]],
    *,
    protected: Sequence[str],
    margin: float,
    names: Mapping[str, Mapping[str, str]] | None = None,
    trained: tuple[int, int] | None = None,
) -> Comparison:
    """Compare two models on rows that neither was trained on.

    Parameters
    ----------
    frame : DataFrame of n_rows
        `key, group, text` (masked), facts, and the true label of each head, None where there is
        none.
    champion, challenger : (str, mapping of head to sequence of str of length n_rows)
        Version and answers of each.
    protected : sequence of str
        Labels whose recall must not get worse.
    margin : float
        Loss of recall that is still borne, 0 … 1.
    names : mapping of head to mapping of label to str, optional
        Display names for the sentences.
    trained : (int, int), optional
        Training rows of champion and challenger, for the sentences.
    """
    heads, classes, counts, slices = {}, {}, {}, {}
    guarded: list[ProtectedClass] = []
    right: list[dict[str, Any]] = []
    wrong: list[dict[str, Any]] = []
    skipped = []
    for head in HEADS:
        if head not in frame or head not in champion[1] or head not in challenger[1]:
            continue
        rows = frame[head].notna().to_numpy()
        pair = _Pair(head, frame[rows], *(np.asarray(a[1][head], dtype=object)[rows]
                                          for a in (champion, challenger)))  # fmt: skip
        if rows.sum() < LEAST_ROWS or pair.is_foreign:
            skipped.append(head)
            continue
        heads[head], found = pair.measure(protected, margin)
        guarded += found
        classes[head], slices[head] = pair.classes(), pair.slices()
        better, worse = pair.changes()
        counts[head] = {"newly_right": len(better), "newly_wrong": len(worse)}
        right += better[:MOST_LISTED]
        wrong += worse[:MOST_LISTED]
    verdict, sentences = _judge(heads, guarded, counts, skipped, names or {}, trained)
    return Comparison(
        champion[0], challenger[0], len(frame), verdict, sentences, heads, guarded, classes,
        right, wrong, counts, slices,
    )  # fmt: skip


class _Pair:
    """Two models' answers to the rows of one head."""

    def __init__(
        self, head: str, frame: pd.DataFrame, champion: NDArray[Any], challenger: NDArray[Any]
    ) -> None:
        self.head, self.frame = head, frame
        self.truth = frame[head].astype(str).to_numpy(dtype=object)
        self.answers = (champion.astype(str), challenger.astype(str))
        steps = ORDERED_HEADS.get(head)
        found = sorted({*self.truth, *self.answers[0], *self.answers[1]})
        self.labels = list(steps) if steps else found
        self.hits = tuple(answer == self.truth for answer in self.answers)

    @property
    def is_foreign(self) -> bool:
        """Whether one model answers in another taxonomy than most truths."""
        return any(
            bool(np.mean(~np.isin(self.truth.astype(str), np.unique(answer))) > 0.5)
            for answer in self.answers
        )

    def measure(
        self, protected: Sequence[str], margin: float
    ) -> tuple[HeadComparison, list[ProtectedClass]]:
        """Compare the head's figure and the recall of its protected classes."""
        place = {label: at for at, label in enumerate(self.labels)}
        codes = [np.array([place[label] for label in column], dtype=np.int64)
                 for column in (self.truth, *self.answers)]  # fmt: skip
        guarded = [label for label in protected if label in place and label in self.truth]
        ordered = self.head in ORDERED_HEADS
        overall, *recalls = differences(
            codes[0], codes[1], codes[2], self.frame["group"].to_numpy(), len(self.labels),
            [quadratic_kappa_of if ordered else macro_f1_of,
             *(recall_of(place[label]) for label in guarded)],
        )  # fmt: skip
        head = HeadComparison("kappa" if ordered else "macro_f1", *_rounded(overall), len(codes[0]))
        return head, [
            self._protected(label, found, margin)
            for label, found in zip(guarded, recalls, strict=True)
        ]

    def _protected(self, label: str, found: Difference, margin: float) -> ProtectedClass:
        rows = self.truth == label
        lost = int(self.hits[0][rows].sum()) - int(self.hits[1][rows].sum())
        worse = found.gain < -margin - 1e-9 and lost >= LEAST_LOST
        return ProtectedClass(self.head, label, *_rounded(found), int(rows.sum()), margin, worse)

    def classes(self) -> list[dict[str, Any]]:
        """Return the recall of each label under both."""
        return [
            {"label": mask(label), "rows": int(rows.sum()),
             "champion": round(float(self.hits[0][rows].mean()), 4),
             "challenger": round(float(self.hits[1][rows].mean()), 4)}
            for label in self.labels if (rows := self.truth == label).any()
        ]  # fmt: skip

    def slices(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return the accuracy of both for each value of a fact that has rows enough."""
        columns = {name: self.frame[name] for name in SLICES if name in self.frame}
        columns["length"] = pd.Series(length_slice(self.frame["text"].tolist()))
        found: dict[str, dict[str, dict[str, float]]] = {}
        for name, column in columns.items():
            values = column.astype(object).fillna("（无）").astype(str).to_numpy()
            found[name] = {
                mask(value): {
                    "rows": int(count),
                    "champion": round(float(self.hits[0][values == value].mean()), 4),
                    "challenger": round(float(self.hits[1][values == value].mean()), 4),
                }
                for value, count in zip(*np.unique(values, return_counts=True), strict=True)
                if count >= LEAST_SLICE_ROWS
            }
        return found

    def changes(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the tickets that only the challenger, and only the champion, got right."""
        return self._listed(self.hits[1] & ~self.hits[0]), self._listed(
            self.hits[0] & ~self.hits[1]
        )

    def _listed(self, rows: NDArray[np.bool_]) -> list[dict[str, Any]]:
        return [
            {"key": key, "head": self.head, "truth": mask(truth), "champion": mask(one),
             "challenger": mask(other), "text": mask(text)}
            for key, truth, one, other, text in zip(
                self.frame["key"][rows], self.truth[rows], self.answers[0][rows],
                self.answers[1][rows], self.frame["text"][rows], strict=True,
            )
        ]  # fmt: skip


def _rounded(found: Difference) -> tuple[float, float, float, float, float]:
    return (round(found.champion, 4), round(found.challenger, 4), round(found.gain, 4),
            round(found.low, 4), round(found.high, 4))  # fmt: skip


def _judge(
    heads: Mapping[str, HeadComparison],
    guarded: Sequence[ProtectedClass],
    counts: Mapping[str, Mapping[str, int]],
    skipped: Sequence[str],
    names: Mapping[str, Mapping[str, str]],
    trained: tuple[int, int] | None,
) -> tuple[Verdict, list[str]]:
    """Say whether the challenger may take the champion's place, and why."""
    lost = [found for found in guarded if found.worse]
    gains = [head for head, found in heads.items() if found.low > 0]
    losses = [head for head, found in heads.items() if found.high < 0]
    reasons = [_lost_sentence(found, names) for found in lost]
    reasons += [_head_sentence(head, found, counts[head]) for head, found in heads.items()]
    reasons += [
        f"{HEAD_NAMES[head]}无法比较：共同的留出工单不足 {LEAST_ROWS} 条，或两个模型的分类不同"
        for head in skipped
    ]
    if trained and trained[0]:
        reasons.append(f"训练工单：现用模型 {trained[0]} 条，新模型 {trained[1]} 条")
    if lost:
        listed = "、".join(f"「{names.get(f.head, {}).get(f.label, f.label)}」" for f in lost)
        return "refuse", [f"不能启用：新模型对{listed}类投诉漏得更多", *reasons]
    if not heads:
        return "warn", ["无法判断：没有两个模型都没学过的、可比较的工单", *reasons]
    if losses:
        listed = "、".join(HEAD_NAMES[head] for head in losses)
        return "warn", [f"请斟酌：新模型在{listed}上不如现用模型，差距不像偶然", *reasons]
    if not gains:
        return "warn", ["请斟酌：新模型的变化可能只是偶然，不足以说明它更好", *reasons]
    listed = "、".join(HEAD_NAMES[head] for head in gains)
    return "accept", [f"可以启用：新模型在{listed}上更好，且没有牺牲受保护的类别", *reasons]


def _lost_sentence(found: ProtectedClass, names: Mapping[str, Mapping[str, str]]) -> str:
    before, after = (round(share * found.rows) for share in (found.champion, found.challenger))
    name = names.get(found.head, {}).get(found.label, found.label)
    return (
        f"{HEAD_NAMES[found.head]}「{name}」共 {found.rows} 条，现用模型找出 {before} 条"
        f"（{found.champion:.0%}），新模型只找出 {after} 条（{found.challenger:.0%}），"
        f"少了 {-found.difference:.1%}，超过策略允许的 {found.margin:.0%}"
    )


def _head_sentence(head: str, found: HeadComparison, counts: Mapping[str, int]) -> str:
    measure = "κ" if found.metric == "kappa" else "F1"
    sure = (
        "提高不像偶然" if found.low > 0
        else "下降不像偶然" if found.high < 0
        else "差别在偶然范围内"
    )  # fmt: skip
    return (
        f"{HEAD_NAMES[head]} {measure}：{found.champion:.3f} → {found.challenger:.3f}"
        f"（差 {found.difference:+.3f}，95% 区间 {found.low:+.3f} 到 {found.high:+.3f}，{sure}）；"
        f"新判对 {counts['newly_right']} 条，新判错 {counts['newly_wrong']} 条"
    )
