"""The page by which a lead decides whether a new model is switched on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from triage.report import plots
from triage.report.answers import Answers
from triage.report.corrected import SIDES, corrected_summary
from triage.report.dataset import data_summary
from triage.report.heads import head_views
from triage.report.naming import Naming
from triage.report.shown import ShownError, pieces, worst_errors
from triage.report.verdict import Verdict, first_verdict, verdict_of
from triage.report.writing import render, typed
from triage.schema import HEADS, ORDERED_HEADS

PROTECTED = ("critical", "severe")
MOST_CHANGES, MOST_SUSPECTS = 40, 40
"""Tickets newly right, newly wrong, and suspect that the page holds."""

_LINES = (("auto", "自动分派", plots.GOOD), ("suggest", "建议分派", plots.WARN))

Names = Mapping[str, Mapping[str, str]]


def model_page(
    manifest: Mapping[str, Any],
    metrics: Mapping[str, Any],
    tickets: pd.DataFrame,
    comparison: Mapping[str, Any] | None = None,
    audit: Mapping[str, Any] | None = None,
    corrections: pd.DataFrame | None = None,
    names: Names | None = None,
    *,
    version: str,
    errors: Sequence[ShownError] | None = None,
    protected: Sequence[str] = PROTECTED,
    promoted: bool = False,
    source: str | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Write the page of a model: the verdict first, then what a lead asks next.

    Parameters
    ----------
    manifest, metrics : mapping
        `manifest.json` and `metrics.json` of its folder.
    tickets : DataFrame
        What it was trained and measured on: see `evaluate.tickets_table`.
    comparison : mapping, optional
        `Comparison.to_dict()` with the promoted model; a first model has none.
    audit : mapping, optional
        `Audit.to_dict()` of the same tickets.
    corrections : DataFrame, optional
        See `corrected_summary`.
    names : mapping of head to mapping of label to str, optional
        Display names in Chinese.
    version : str
        What the model is called.
    errors : sequence of ShownError, optional
        Mistakes with what led to them; `worst_errors` without it if absent.
    protected : sequence of str
        Labels whose recall must not get worse.
    promoted : bool
        Whether the model is already switched on.
    source : str, optional
        The file of tickets, for the commands to type next.
    notes : sequence of str
        What reading the tickets gave to say, in Chinese: `Tickets.notes`.

    Returns
    -------
    str
        HTML in one piece: nothing is loaded from elsewhere, no script. Sections without data are
        left out.
    """
    naming = Naming(names or {})
    heads = head_views(metrics, tickets, comparison, protected, naming)
    verdict = (
        verdict_of(comparison) if comparison else first_verdict(metrics, tickets, protected, naming)
    )
    mistakes = worst_errors(tickets) if errors is None else errors
    return render(
        "model.html",
        naming,
        title=f"模型报告 {version}",
        version=version,
        manifest=manifest,
        verdict=verdict,
        tiles=_tiles(manifest, tickets, protected, naming),
        comparison=comparison,
        heads=heads,
        protected=protected,
        decisions=_decisions(manifest, metrics, tickets),
        sentiment=_sentiment(metrics),
        mistakes=_mistakes(mistakes, naming),
        changes=_changes(comparison, protected),
        audit=_suspects(audit),
        corrected=corrected_summary(corrections, tickets),
        sides=SIDES,
        data=data_summary(manifest, tickets, naming),
        notes=notes,
        commands=_commands(verdict, version, promoted, source),
        ordered=ORDERED_HEADS,
        pieces=pieces,
    )


def _tiles(
    manifest: Mapping[str, Any], tickets: pd.DataFrame, protected: Sequence[str], naming: Naming
) -> list[tuple[str, str, str]]:
    """Return the figures that are seen first: what, how much, and a remark."""
    tiles = []
    if own := Answers.of(tickets, "nature"):
        usual = float(pd.Series(own.truth).value_counts(normalize=True).iloc[0])
        tiles.append(("性质判对", f"{own.right.mean():.0%}", f"全猜最多只对 {usual:.0%}"))
        auto = manifest.get("thresholds", {}).get("auto", 2.0)
        sure = own.sure >= auto
        right = f"其中判对 {own.right[sure].mean():.0%}" if sure.any() else "够不着要求的精确率"
        tiles.append(("把握够自动分派", f"{sure.mean():.0%}", right))
    for head in ORDERED_HEADS:
        own = Answers.of(tickets, head)
        guarded = [label for label in protected if own and label in own.truth]
        if own and guarded:
            rows = np.isin(own.truth.astype(str), guarded)
            found = np.isin(own.answer[rows].astype(str), guarded)
            title = "、".join(naming.label(head, label) for label in guarded)
            tiles.append((f"{title}找出", f"{found.mean():.0%}",
                          f"{int(rows.sum()):,} 条里 {int(found.sum()):,} 条"))  # fmt: skip
    rows_of = manifest.get("rows", {})
    tiles.append(("留出检验", f"{rows_of.get('test', 0):,} 条",
                  f"学习了 {rows_of.get('train', 0):,} 条"))  # fmt: skip
    return tiles


def _decisions(
    manifest: Mapping[str, Any], metrics: Mapping[str, Any], tickets: pd.DataFrame
) -> dict[str, Any] | None:
    """Draw what the thresholds of the nature let through, and say it."""
    curve, own = metrics.get("coverage"), Answers.of(tickets, "nature")
    if not curve or own is None:
        return None
    thresholds = manifest.get("thresholds") or {}
    rows, marks = [], []
    for key, name, colour in _LINES:
        line = thresholds.get(key)
        if line is None:
            continue
        sure = own.sure >= line
        right = float(own.right[sure].mean()) if sure.any() else None
        rows.append({"key": key, "name": name, "threshold": line, "coverage": float(sure.mean()),
                     "precision": right, "off": line > 1})  # fmt: skip
        if right is not None:
            marks.append((name, float(sure.mean()), right, colour))
    words = "；".join(f"{name}覆盖 {x:.0%}，判对 {y:.0%}" for name, x, y, _ in marks)
    plot = plots.coverage("coverage", f"覆盖率与精确率。{words}", curve, marks)
    return {"rows": rows, "plot": plot}


def _sentiment(metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Draw how sentiment scores lie between 0 and 1 by length, beside SnowNLP's."""
    found = metrics.get("sentiment")
    if not found:
        return None
    lengths = [
        {"name": name, "rows": part["rows"],
         "own": _extremes(part["histogram"]), "snownlp": _extremes(part["histogram_snownlp"]),
         "plot": plots.histograms(f"sentiment-{at}", f"{name} 字的情感倾向得分分布",
                                  part["histogram"], part["histogram_snownlp"])}
        for at, (name, part) in enumerate(found["by_length"].items())
        if part["rows"]
    ]  # fmt: skip
    return {**found, "lengths": lengths}


def _extremes(bins: Sequence[int]) -> float:
    return (bins[0] + bins[-1]) / max(sum(bins), 1)


def _mistakes(errors: Sequence[ShownError], naming: Naming) -> dict[str, Any]:
    """Part the mistakes into those graded too low and the surest of each head."""
    low = [error for error in errors if error.is_under_graded]
    rest = [error for error in errors if not error.is_under_graded]
    return {
        "under": low,
        "surest": {head: found for head in HEADS
                   if (found := [error for error in rest if error.head == head])},
        "marked": any(error.spans for error in errors),
    }  # fmt: skip


def _changes(
    comparison: Mapping[str, Any] | None, protected: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the tickets newly wrong and newly right, protected classes first."""
    found = []
    for kind in ("newly_wrong", "newly_right"):
        listed = (comparison or {}).get(kind) or []
        if not listed:
            continue
        counts = comparison.get("counts", {}) if comparison else {}
        total = sum(count.get(kind, 0) for count in counts.values()) or len(listed)
        order = sorted(listed, key=lambda row: row["truth"] not in protected)
        found.append({"kind": kind, "total": total, "rows": order[:MOST_CHANGES]})
    return found


def _suspects(audit: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not audit or not audit.get("suspects"):
        return None
    totals = audit.get("totals", {})
    return {
        "rows": audit["suspects"][:MOST_SUSPECTS],
        "total": totals.get("suspects", len(audit["suspects"])),
        "issues": sum(audit.get("issues", {}).values()),
        "conflicts": totals.get("conflicts", len(audit.get("conflicts", ()))),
        "leaks": totals.get("leaks", len(audit.get("leaks", ()))),
    }


def _commands(
    verdict: Verdict, version: str, promoted: bool, source: str | None
) -> list[tuple[str, str]]:
    """Return what to type next: what for, and the command."""
    file = typed(source or "过往工单.xlsx")
    if promoted:
        first = [("让服务用上它（已在运行的会自动换上）", "triage serve"),
                 ("不满意，退回上一个", "triage models rollback")]  # fmt: skip
    elif verdict.kind == "refuse":
        first = [("先改正标签或补充工单，再训练", f"python train.py --data {file}"),
                 ("执意启用，须写明原因，会记录下来",
                  f"triage models promote {version} --force --reason 为什么")]  # fmt: skip
    else:
        first = [("启用这个模型", f"triage models promote {version}"),
                 ("启用后不满意，退回上一个", "triage models rollback")]  # fmt: skip
    return [
        *first,
        ("检查工单里的可疑标签", f"triage audit {file}"),
        ("挑出最值得标注的 50 条", "triage review pick 50"),
        ("把改好的表交回来", "triage feedback import 改好的表.xlsx"),
    ]
