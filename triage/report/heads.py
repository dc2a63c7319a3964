"""What a page says of each head: figures, words, classes, confusion, calibration, slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from markupsafe import Markup

from triage.evaluate.metrics import LEAST_SLICE_ROWS
from triage.report.answers import Answers, calibration, confusion, find_slices
from triage.report.naming import Naming
from triage.schema import HEADS, ORDERED_HEADS

BASELINES = ("nature_only", "majority")
_F1_WORDS = ((0.9, "很好"), (0.8, "好"), (0.7, "尚可"), (0.5, "偏弱"), (0.0, "差"))
_KAPPA_WORDS = ((0.8, "几乎一致"), (0.6, "高度一致"), (0.4, "一般"), (-1.0, "偏弱"))


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar beside others: `kind` is "own", "champion" or "baseline"; `term` its explanation."""

    name: str
    value: float
    kind: str
    term: str | None = None


@dataclass(frozen=True, slots=True)
class HeadView:
    """One head as a page shows it."""

    head: str
    figures: Mapping[str, Any]
    words: list[str]
    bars: list[Bar]
    classes: list[dict[str, Any]]
    origin: str | None = None
    confusion: dict[str, Any] | None = None
    calibration: Markup | None = None
    calibration_words: str = ""
    slices: list[dict[str, Any]] = field(default_factory=list)

    @property
    def metric(self) -> str:
        """The term of the figure that the bars show."""
        return "kappa" if self.head in ORDERED_HEADS else "f1"


def head_views(
    metrics: Mapping[str, Any],
    tickets: pd.DataFrame,
    comparison: Mapping[str, Any] | None,
    protected: Sequence[str],
    naming: Naming,
) -> list[HeadView]:
    """Return what the page says of each head that was measured.

    Parameters
    ----------
    metrics : mapping
        `metrics.json`.
    tickets : DataFrame
    comparison : mapping or None
        `Comparison.to_dict()`.
    protected : sequence of str
        Labels whose recall must not get worse.
    naming : Naming
    """
    found = []
    for head in (head for head in HEADS if head in metrics.get("heads", {})):
        figures = metrics["heads"][head]
        answers = None if figures.get("origin") else Answers.of(tickets, head)
        view = HeadView(
            head, figures, _words(head, figures, answers, protected, naming),
            _bars(head, figures, comparison), _classes(head, figures, comparison, protected),
            figures.get("origin"),
        )  # fmt: skip
        found.append(_with_answers(view, answers, naming) if answers else view)
    return found


def _with_answers(view: HeadView, answers: Answers, naming: Naming) -> HeadView:
    """Add what only the tickets tell."""
    words, plot = calibration(answers, naming)
    return HeadView(
        view.head, view.figures, view.words, view.bars, view.classes, view.origin,
        confusion(answers, naming), plot, words, find_slices(answers, view.figures),
    )  # fmt: skip


def in_words(scale: Sequence[tuple[float, str]], value: float) -> str:
    """Return the word of the highest step that a value reaches."""
    return next((word for least, word in scale if value >= least), scale[-1][1])


def _words(
    head: str,
    figures: Mapping[str, Any],
    answers: Answers | None,
    protected: Sequence[str],
    naming: Naming,
) -> list[str]:
    """Say in sentences how good a head is."""
    rows, accuracy = figures["rows"], figures["accuracy"]
    said = [f"{rows:,} 条里判对 {round(accuracy * rows):,} 条，判对比例 {accuracy:.1%}。"]
    kappa = figures.get("kappa")
    if kappa is not None:
        said.append(f"与人工标注{in_words(_KAPPA_WORDS, kappa)}（κ {kappa:.3f}）。")
    else:
        f1 = figures["macro_f1"]
        said.append(f"各类平均来看{in_words(_F1_WORDS, f1)}（F1 {f1:.3f}）。")
    if figures.get("under_grading") is not None:
        under = figures["under_grading"]
        said.append(f"判轻了 {round(under * rows)} 条，判轻比例 {under:.1%}。")
    guarded = [row for row in figures["classes"] if row["label"] in protected and row["rows"]]
    if guarded:
        listed = "、".join(
            f"「{naming.label(head, row['label'])}」{row['rows']} 条找出 "
            f"{round(row['recall'] * row['rows'])} 条（{row['recall']:.0%}）"
            for row in guarded
        )
        said.append(f"受保护的{listed}。")
    elif answers is not None:
        said += _weakest(head, figures, naming)
    return said


def _weakest(head: str, figures: Mapping[str, Any], naming: Naming) -> list[str]:
    """Name the class that is found least often."""
    rows = [row for row in figures["classes"] if row["rows"] >= LEAST_SLICE_ROWS]
    if len(rows) < 2:
        return []
    least = min(rows, key=lambda row: row["recall"])
    name = naming.label(head, least["label"])
    return [f"最容易漏的是「{name}」：{least['rows']} 条找出 {least['recall']:.0%}。"]


def _bars(head: str, figures: Mapping[str, Any], comparison: Mapping[str, Any] | None) -> list[Bar]:
    """Return this model's main figure beside the champion's and the baselines'."""
    key = "kappa" if head in ORDERED_HEADS and figures.get("kappa") is not None else "macro_f1"
    bars = [Bar("这个模型", figures[key], "own")]
    compared = ((comparison or {}).get("heads") or {}).get(head)
    if compared and not figures.get("origin"):
        bars.append(Bar("现用模型", compared["champion"], "champion"))
    names = {"nature_only": "只看性质", "majority": "全猜最多"}
    bars += [
        Bar(names[name], figures["baselines"][name][key], "baseline", name)
        for name in BASELINES
        if key in figures.get("baselines", {}).get(name, {})
    ]
    return bars


def _classes(
    head: str,
    figures: Mapping[str, Any],
    comparison: Mapping[str, Any] | None,
    protected: Sequence[str],
) -> list[dict[str, Any]]:
    """Return the classes, steps in their order, others the most frequent first."""
    listed = (comparison or {}).get("classes", {}).get(head, [])
    before = {row["label"]: row for row in listed}
    rows = [row for row in figures["classes"] if row["rows"] or row["precision"] or listed]
    if head not in ORDERED_HEADS:
        rows = sorted(rows, key=lambda row: -row["rows"])
    return [
        {**row, "protected": row["label"] in protected, "before": before.get(row["label"])}
        for row in rows
    ]
