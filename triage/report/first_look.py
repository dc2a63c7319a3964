"""The page of a first look at an export: what was understood, before anything is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.data import PERSONAL_NAMES
from triage.report import plots
from triage.report.naming import Naming
from triage.report.shown import pieces
from triage.report.writing import render, typed

FORMS = {"utf-8-sig": "UTF-8 文本", "utf-8": "UTF-8 文本", "gb18030": "GB18030 文本",
         "utf-16": "UTF-16 文本", "excel": "Excel", "parquet": "Parquet",
         "sql": "数据库查询"}  # fmt: skip


def import_page(
    look: Mapping[str, Any],
    names: Mapping[str, Mapping[str, str]] | None = None,
    *,
    command: str = "",
    mapping: str = "",
    quarantine: str = "",
) -> str:
    """Write the page of a first look.

    Parameters
    ----------
    look : mapping
        `Look.to_dict()`.
    names : mapping of head to mapping of label to str, optional
        Display names in Chinese.
    command : str
        What to type next: `data.next_command`.
    mapping : str
        The mapping file that holds what columns and labels mean.
    quarantine : str
        The file that says row by row what can't be used.

    Returns
    -------
    str
        HTML in one piece; sections without data are left out.
    """
    naming = Naming(names or {})
    kind, headline = _headline(look)
    dates = look.get("dates") or {}
    return render(
        "import.html",
        naming,
        title=f"导入检查 {look.get('source', '')}".strip(),
        look=look,
        form=FORMS.get(str(look.get("form")), str(look.get("form") or "")),
        kind_of_verdict=kind,
        headline=headline,
        tiles=_tiles(look),
        months=_months(dates.get("months") or {}),
        lengths=_bars((look.get("lengths") or {}).get("classes") or {}),
        personal=PERSONAL_NAMES,
        command=command,
        mapping=mapping,
        quarantine=quarantine,
        commands=_commands(command, look),
        pieces=pieces,
    )


def _headline(look: Mapping[str, Any]) -> tuple[str, str]:
    rows, usable = look.get("rows", 0), look.get("usable", 0)
    tasks = look.get("todo") or ()
    if not usable:
        return "refuse", f"还不能训练：读到 {rows:,} 行，没有一条能用"
    if tasks:
        return (
            "warn",
            f"还有 {len(tasks)} 件事要您处理：读到 {rows:,} 行，{usable:,} 条工单能用来训练",
        )
    return "accept", f"可以训练：读到 {rows:,} 行，{usable:,} 条工单能用来训练"


def _tiles(look: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the figures that are seen first: what, how much, and a remark."""
    rows = look.get("rows", 0)
    tiles = [("能用来训练", f"{look.get('usable', 0):,} 条", f"读到 {rows:,} 行")]
    if rows:
        refused = look.get("refused", 0)
        tiles.append(("整行不能用", f"{refused:,} 行", f"占 {refused / rows:.1%}"))
    same = (look.get("duplicates") or {}).get("rows", 0)
    tiles.append(("重复", f"{same:,} 行", "内容与别的行完全相同"))
    dates = look.get("dates") or {}
    if dates.get("first"):
        tiles.append(("时间", f"{len(dates.get('months') or {})} 个月",
                      f"{dates['first']} 至 {dates['last']}"))  # fmt: skip
    return tiles


def _months(months: Mapping[str, int]) -> dict[str, Any] | None:
    if len(months) < 2:
        return None
    names, counts = list(months), list(months.values())
    words = (
        f"每月 {min(counts):,} 到 {max(counts):,} 行，最多的是 {names[counts.index(max(counts))]}"
    )
    return {"plot": plots.months("months", words, names, [counts], [plots.ACCENT]), "words": words}


def _bars(counts: Mapping[str, int]) -> list[tuple[str, int, float]]:
    """Return name, number, and length of the bar from 0 to 1."""
    top = max(counts.values(), default=0) or 1
    return [(name, rows, rows / top) for name, rows in counts.items()]


def _commands(command: str, look: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not command:
        return []
    first = "处理好以后，再看一遍" if look.get("todo") else "训练"
    listed = [(first, command)]
    if not look.get("todo"):
        listed.append(
            ("想先检查标签", f"triage audit {typed(look.get('source', '过往工单.xlsx'))}")
        )
    return listed
