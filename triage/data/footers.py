"""Tell totals, footers and repeated headings from tickets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isnan
from typing import Any

import pandas as pd

LONGEST_FOOTER = 60
"""Characters of the first cell beyond which a row is no total or footer."""

_SUM = r"(?:合\s*计|总\s*计|小\s*计|共\s*计)"
_TOTAL = re.compile(
    rf".{{0,8}}(?:{_SUM}|总数|汇总|平均值?)(?:[:：(（\s\d].*)?"
    r"|共\s*\d+\s*[条行件单](?:记录|数据|工单)?。?|第\s*\d+\s*页.*|[(（]?以下(?:空白|无正文)[)）]?"
)
_TOTAL_AS_TEXT = re.compile(
    rf"{_SUM}[:：\s\d.,元件条单]*|共\s*\d+\s*[条行件单](?:记录|数据|工单)?。?"
    r"|第\s*\d+\s*页[,，\s]*(?:[共/]\s*\d+\s*页)?|[(（]?以下(?:空白|无正文)[)）]?"
)
_SIGNED = re.compile(
    r"(?:制表|填表|制单|审核|复核|统计|打印|导出|报表|查询)(?:人|者|员|时间|日期|单位|部门)?[:：].*"
)
_REMARK = re.compile(r"(?:备注|说明|注)[:：].*")
_ANY = re.compile("|".join(p.pattern for p in (_TOTAL, _TOTAL_AS_TEXT, _SIGNED, _REMARK)))


def footer_reason(cells: Sequence[Any], text: int, headings: Sequence[str]) -> str | None:
    """Say why a row is no ticket but a total, a footer or the heading again.

    Parameters
    ----------
    cells : sequence
        The row as read; blanks are None, NaN or empty.
    text : int
        Place of the cell that should hold the complaint.
    headings : sequence of str
        Of the same length as `cells`.

    Returns
    -------
    str or None
        In plain Chinese; None for a row that may well be a ticket.

    Examples
    --------
    >>> footer_reason(["合计", "", 128], 1, ["编号", "投诉内容", "金额"])
    '是合计行，不是工单'
    """
    at = next((at for at, cell in enumerate(cells) if not _is_blank(cell)), 0)
    words = cells[at].strip() if isinstance(cells[at], str) else ""
    repeated = bool(words) and words == headings[at]
    if len(words) > LONGEST_FOOTER or not (repeated or _ANY.fullmatch(words)):
        return None
    filled = {at: cell for at, cell in enumerate(cells) if not _is_blank(cell)}
    speechless = at != text and (text not in filled or _is_number(filled[text]))
    alone = len(filled) == 1
    if (_TOTAL if speechless else _TOTAL_AS_TEXT).fullmatch(words) and (speechless or alone):
        return "是合计行，不是工单"
    signed = len(cells) > 1 and alone and _SIGNED.fullmatch(words)
    if signed or (speechless and alone and _REMARK.fullmatch(words)):
        return "是表尾说明，不是工单"
    if repeated and all(str(cell).strip() == headings[at] for at, cell in filled.items()):
        return "是重复的表头，不是工单"
    return None


def _is_blank(cell: Any) -> bool:
    if isinstance(cell, str):
        return not cell.strip()
    return (
        cell is None or cell is pd.NaT or cell is pd.NA or isinstance(cell, float) and isnan(cell)
    )


def _is_number(cell: Any) -> bool:
    return str(cell).replace(",", "").replace(".", "").isdigit()
