"""The verdict on top of a page: of a comparison, or of a first model beside its baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from triage.evaluate import Baselines
from triage.report.answers import Answers
from triage.report.naming import Naming
from triage.schema import HEADS

LEAST_TEST_ROWS = 50
"""With fewer held-out tickets the figures say little."""

LEAST_FOUND = 0.5
"""A first model that finds a smaller share of the protected classes is warned about."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the model may be switched on.

    Attributes
    ----------
    kind : {"accept", "warn", "refuse"}
    sentence : str
        The verdict in one sentence.
    reasons : list of str
    """

    kind: str
    sentence: str
    reasons: list[str]


def verdict_of(comparison: Mapping[str, Any]) -> Verdict:
    """Return the verdict of a comparison: its first sentence, and the others as reasons."""
    sentence, *reasons = comparison["sentences"]
    return Verdict(str(comparison["verdict"]), sentence, list(reasons))


def first_verdict(
    metrics: Mapping[str, Any],
    tickets: pd.DataFrame,
    protected: Sequence[str],
    naming: Naming,
) -> Verdict:
    """Judge a first model by whether it clearly beats the baselines.

    Parameters
    ----------
    metrics : mapping
        `metrics.json`, whose `baselines` say what they answer.
    tickets : DataFrame
    protected : sequence of str
        Labels of which enough must be found.
    naming : Naming
    """
    answers = {head: found for head in HEADS if (found := Answers.of(tickets, head))}
    beaten: list[str] = []
    unbeaten: list[str] = []
    reasons = []
    for head, own in answers.items():
        clear, reason = _beside_baseline(own, metrics, naming)
        (beaten if clear else unbeaten).append(naming.head(head))
        reasons.append(reason)
    missed, told = _found_of_protected(answers, protected, naming)
    rows = max((len(own.truth) for own in answers.values()), default=0)
    return _judged(rows, beaten, unbeaten, missed, [*reasons, *told])


def _judged(
    rows: int, beaten: Sequence[str], unbeaten: Sequence[str], missed: str, reasons: list[str]
) -> Verdict:
    if rows < LEAST_TEST_ROWS:
        sentence = f"请斟酌：只有 {rows} 条留出工单可以检验，成绩还说明不了什么，请补充工单再训练"
        return Verdict("warn", sentence, reasons)
    if unbeaten:
        listed = "、".join(unbeaten)
        sentence = f"请斟酌：{listed}并不明显好于不读内容的猜测，这一项还不能用来分派"
        return Verdict("warn", sentence, reasons)
    if missed:
        return Verdict("warn", f"请斟酌：模型明显好于不读内容的猜测，但{missed}", reasons)
    listed, both = "、".join(beaten), "都" if len(beaten) > 1 else ""
    sentence = f"可以启用：{listed}{both}明显好于不读内容的猜测；还没有现用模型可比"
    return Verdict("accept", sentence, reasons)


def _beside_baseline(own: Answers, metrics: Mapping[str, Any], naming: Naming) -> tuple[bool, str]:
    """Compare with the best of the baselines on the same rows."""
    figures, key, measure = metrics["heads"][own.head], "macro_f1", "F1"
    if figures.get("kappa") is not None:
        key, measure = "kappa", "κ"
    known = metrics.get("baselines") or {}
    baselines = Baselines(known.get("majority", {}), known.get("severity_by_nature", {}))
    given = baselines.answers(own.head, own.rows)
    if not given:
        return True, f"{naming.head(own.head)} {measure} {figures[key]:.3f}"
    best = max(given, key=lambda name: figures["baselines"].get(name, {}).get(key, -1.0))
    low, high = own.gain(given[best])
    name = {"majority": "全猜最多", "nature_only": "只看性质"}[best]
    verb = "明显更好" if low > 0 else "明显更差" if high < 0 else "差别在偶然范围内"
    return low > 0, (
        f"{naming.head(own.head)} {measure} {figures[key]:.3f}，{name}只有 "
        f"{figures['baselines'].get(best, {}).get(key, 0.0):.3f}"
        f"（高出的 95% 区间 {low:+.3f} 到 {high:+.3f}，{verb}）"
    )


def _found_of_protected(
    answers: Mapping[str, Answers], protected: Sequence[str], naming: Naming
) -> tuple[str, list[str]]:
    """Return what is wrong with the share of protected tickets that is found, and the reasons."""
    missed, told = "", []
    for head, own in answers.items():
        guarded = [label for label in protected if label in own.truth]
        if not guarded:
            continue
        rows = np.isin(own.truth.astype(str), guarded)
        found = int(np.isin(own.answer[rows].astype(str), guarded).sum())
        names = "、".join(naming.label(head, label) for label in guarded)
        share = f"{names}投诉 {int(rows.sum())} 条"
        told.append(f"{share}，找出 {found} 条（{found / rows.sum():.0%}）")
        if found < LEAST_FOUND * rows.sum():
            missed = f"{share}里只找出 {found} 条"
    return missed, told
