"""The page of an audit: which labels of past tickets are to be looked at, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triage.report.dataset import stacked_months
from triage.report.naming import Naming
from triage.report.shown import pieces
from triage.report.writing import render, typed
from triage.schema import HEADS

MOST_SUSPECTS, MOST_CONFLICTS = 80, 40
"""Rows that the page holds; the Excel has all of them."""

KINDS = {"tag": "标签名", "note": "处理人员的话", "tone": "转述语气", "fixed": "固定用语"}
PLACES = {"start": "开头", "end": "结尾", "anywhere": "句中"}
LEVELS = {"unlearned": "学不会", "weak": "学不牢", "unmeasured": "量不准"}


def audit_page(
    audit: Mapping[str, Any],
    names: Mapping[str, Mapping[str, str]] | None = None,
    *,
    sentences: Sequence[str] = (),
    source: str = "",
    table: str = "",
) -> str:
    """Write the page of an audit.

    Parameters
    ----------
    audit : mapping
        `Audit.to_dict()`.
    names : mapping of head to mapping of label to str, optional
        Display names in Chinese; those of the audit if absent.
    sentences : sequence of str
        What was found and what to do, the most urgent first: `audit.summary_sentences`.
    source : str
        The file that was audited.
    table : str
        The Excel that was written, to be corrected and fed back.

    Returns
    -------
    str
        HTML in one piece; sections without data are left out.
    """
    naming = Naming(names or audit.get("names") or {})
    kind, headline = _headline(audit)
    return render(
        "audit.html",
        naming,
        title=f"标签检查 {source}".strip(),
        audit=audit,
        kind_of_verdict=kind,
        headline=headline,
        sentences=sentences,
        tiles=_tiles(audit),
        source=source,
        table=table or "检查结果.xlsx",
        suspects=list(audit.get("suspects") or ())[:MOST_SUSPECTS],
        conflicts=list(audit.get("conflicts") or ())[:MOST_CONFLICTS],
        months=_months(audit, naming),
        kinds=KINDS,
        places=PLACES,
        levels=LEVELS,
        commands=_commands(source, table or "检查结果.xlsx"),
        pieces=pieces,
    )


def _total(audit: Mapping[str, Any], part: str) -> int:
    """Return how many rows a part has, those beyond the cap too."""
    listed = len(audit.get(part) or ())
    return max(int((audit.get("totals") or {}).get(part, 0)), listed)


def _issues(audit: Mapping[str, Any]) -> int:
    found = sum((audit.get("issues") or {}).values())
    return found or sum(bool(row.get("issue")) for row in audit.get("suspects") or ())


def _headline(audit: Mapping[str, Any]) -> tuple[str, str]:
    """Say in one sentence what to do first."""
    steps = []
    if leaks := _total(audit, "leaks"):
        steps.append(f"删去 {leaks} 处泄露标签的固定用语")
    if conflicts := _total(audit, "conflicts"):
        steps.append(f"统一 {conflicts} 组内容相同、标签不同的工单")
    if issues := _issues(audit):
        steps.append(f"从 {issues:,} 处可疑标签里最上面的改起")
    if not steps:
        return "accept", "标签没有发现大问题，可以训练"
    if leaks or conflicts:
        return "warn", f"训练之前，请先{'，再'.join(steps)}"
    return "plain", f"可以训练；若还想更准，请{'，再'.join(steps)}"


def _tiles(audit: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rows = max((audit.get("labelled") or {}).values(), default=0)
    issues = _issues(audit)
    judged = sum((audit.get("judged") or {}).values())
    tiles = [("检查了", f"{rows:,} 条", "有标签的工单")]
    if judged:
        tiles.append(("可疑标签", f"{issues:,} 处", f"占 {issues / judged:.1%}"))
    tiles += [
        (title, f"{total:,} {unit}", remark)
        for part, title, unit, remark in (
            ("conflicts", "互相矛盾", "组", "内容相同，标签不同"),
            ("leaks", "泄露标签", "处", "处理之后才写上的话"),
            ("small", "条数太少", "类", "学不牢或量不准"),
        )
        if (total := _total(audit, part))
    ]
    return tiles


def _months(audit: Mapping[str, Any], naming: Naming) -> list[dict[str, Any]]:
    """Draw the labels of each month, head by head."""
    found = []
    for head in HEADS:
        rows = [row for row in audit.get("months") or () if row["head"] == head]
        months = sorted({row["month"] for row in rows})
        counts = {row["label"]: [0] * len(months) for row in rows}
        for row in rows:
            counts[row["label"]][months.index(row["month"])] = row["rows"]
        if drawn := stacked_months(f"months-{head}", head, months, counts, naming):
            found.append({"head": head, **drawn})
    return found


def _commands(source: str, table: str) -> list[tuple[str, str]]:
    file = typed(source or "过往工单.xlsx")
    return [
        ("把改好的表交回来", f"triage feedback import {typed(table)}"),
        ("用改正后的标签训练", f"python train.py --data {file}"),
        ("再检查一遍", f"triage audit {file}"),
    ]
