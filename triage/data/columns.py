"""Recognise headings, and turn cells into facts and labels."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from triage.data.encoding import decode
from triage.schema import HEADS, ORDERED_HEADS, DataError, Kind, UsageError, plausible_time
from triage.settings import parse_yaml

FACTS = ("id", "kind", "channel", "industry", "product", "region", "customer_id", "customer_tier",
         "received_at", "amount", "repeat_count", "complexity", "area",
         "resolution")  # fmt: skip
COLUMNS = ("text", *HEADS, *FACTS)

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "text": ("投诉内容", "诉求内容", "工单内容", "投诉详情", "投诉描述", "问题描述", "留言详情",
             "留言内容", "反映内容", "事件描述", "工单描述", "客户诉求", "诉求描述", "详细内容",
             "评论内容", "评价内容", "投诉事由", "工单详情", "反馈内容", "来电内容", "事项描述",
             "内容", "正文", "描述", "文本", "content", "complaint", "body", "description"),
    "nature": ("投诉性质", "性质", "投诉类型", "投诉类别", "投诉分类", "问题类型", "问题分类",
               "工单类型", "诉求类型", "业务类型", "一级分类", "一级标签", "类型", "类别", "分类",
               "category", "type"),
    "severity": ("投诉等级", "严重程度", "严重等级", "投诉级别", "紧急程度", "紧急度", "工单等级",
                 "风险等级", "优先级", "等级", "级别", "level", "priority"),
    "emotion": ("情绪", "客户情绪", "情绪等级", "情绪级别", "情绪标签", "情绪状态", "mood"),
    "id": ("工单编号", "工单号", "投诉编号", "投诉单号", "受理编号", "留言编号", "编号", "单号",
           "序号", "ticket_id"),
    "kind": ("来件类型", "诉求性质", "联系类型", "工单性质"),
    "channel": ("渠道", "投诉渠道", "受理渠道", "来源", "投诉来源", "来源渠道", "工单来源",
                "source"),
    "industry": ("行业", "所属行业"),
    "product": ("产品", "产品名称", "商品", "商品名称", "产品类型", "涉及产品", "业务名称"),
    "region": ("地区", "区域", "省份", "城市", "所在地", "归属地"),
    "customer_id": ("客户编号", "客户号", "客户id", "用户编号", "用户id", "会员号", "会员编号",
                    "留言用户"),
    "customer_tier": ("客户等级", "客户级别", "会员等级", "用户等级", "vip等级"),
    "received_at": ("受理时间", "投诉时间", "投诉日期", "受理日期", "创建时间", "来电时间",
                    "登记时间", "提交时间", "留言时间", "时间", "日期", "date", "time",
                    "created_at"),
    "amount": ("涉及金额", "投诉金额", "金额", "损失金额", "争议金额"),
    "repeat_count": ("重复次数", "投诉次数", "重复投诉次数", "来电次数"),
    "complexity": ("难易程度", "复杂程度"),
    "area": ("城乡",),
    "resolution": ("处理结果", "解决方案", "处理意见", "处理情况", "回复内容", "答复意见"),
}  # fmt: skip
"""Common headings of exports, the likeliest first; compared without blanks and case."""

COLUMN_NAMES: Mapping[str, str] = {
    "text": "投诉内容", "nature": "性质", "severity": "严重程度", "emotion": "情绪",
    "id": "工单编号", "kind": "来件类型", "channel": "渠道", "industry": "行业", "product": "产品",
    "region": "地区", "customer_id": "客户编号", "customer_tier": "客户等级",
    "received_at": "受理时间", "amount": "涉及金额", "repeat_count": "重复次数",
    "complexity": "难易程度", "area": "城乡", "resolution": "处理结果",
}  # fmt: skip
"""What people read of our columns."""

LABEL_ALIASES: Mapping[str, Mapping[str, str]] = {
    "severity": {
        "一般": "minor", "轻微": "minor", "普通": "minor", "低": "minor", "1": "minor",
        "较大": "major", "较重": "major", "中": "major", "中等": "major", "2": "major",
        "重大": "critical", "严重": "critical", "高": "critical", "3": "critical",
        "特大": "severe", "特别重大": "severe", "非常严重": "severe", "极高": "severe",
        "4": "severe",
    },
    "emotion": {
        "平静": "calm", "0": "calm", "不满": "annoyed", "1": "annoyed", "愤怒": "angry",
        "生气": "angry", "2": "angry", "激烈": "furious", "暴怒": "furious", "3": "furious",
    },
}  # fmt: skip
"""Values of ordered labels that are understood without a mapping file."""


LIKELY: Mapping[str, re.Pattern[str]] = {
    column: re.compile(rf"(?!.*(?:处理|回复|答复|结果|编号|备注)).*(?:{words})")
    for column, words in {
        "text": "内容|描述|详情|留言",
        "nature": "归类|分类|类别|类型",
        "severity": "紧急度|紧急程度|等级|级别|严重度",
        "emotion": "情绪",
        "received_at": "时间|日期",
    }.items()
}
"""Headings that are taken for a column where no common one stands and only one is like this."""


def recognise(
    headings: Sequence[str], mapping: Mapping[str, str], unwanted: Collection[str] = ()
) -> dict[str, str]:
    """Find which heading holds which of our columns.

    Parameters
    ----------
    headings : sequence of str
        The file's headings.
    mapping : mapping of heading to column
        What the user says; it goes before what is recognised.
    unwanted : collection of str
        Our columns that are not to be recognised.

    Returns
    -------
    dict
        Our column → the file's heading.

    Raises
    ------
    UsageError
        If the mapping names a heading that the file lacks, or a column that we don't know.
    """
    listed = ", ".join(headings)
    if twice := {column for column in mapping.values() if list(mapping.values()).count(column) > 1}:
        raise UsageError(
            f"--map names two headings for {', '.join(sorted(twice))}: keep one.",
            code="column_unknown",
        )
    for heading, column in mapping.items():
        if heading not in headings:
            raise UsageError(
                f"--map {heading}={column}: the file has no column {heading!r}; it has {listed}.",
                code="column_unknown",
            )
        if column not in COLUMNS:
            raise UsageError(
                f"--map {heading}={column}: {column!r} is none of {', '.join(COLUMNS)}.",
                code="column_unknown",
            )
    found = {column: heading for heading, column in mapping.items()}
    plain: dict[str, str] = {}
    for heading in headings:
        if heading not in mapping:
            plain.setdefault(plain_heading(heading), heading)
    for column in COLUMNS:
        if column in found or column in unwanted:
            continue
        for candidate in (column, *HEADINGS[column]):
            if heading := plain.pop(plain_heading(candidate), ""):
                found[column] = heading
                break
    for column, pattern in LIKELY.items():
        likely = [heading for read, heading in plain.items() if pattern.fullmatch(read)]
        if column not in found and column not in unwanted and len(likely) == 1:
            found[column] = likely[0]
            del plain[plain_heading(likely[0])]
    return found


def recognise_text(
    path: Path | str,
    headings: Sequence[str],
    mapping: Mapping[str, str],
    unwanted: Collection[str] = (),
) -> dict[str, str]:
    """Recognise headings, among which the complaint's text must be.

    Raises
    ------
    UsageError
        If none holds the text, or the mapping is wrong; see `recognise`.
    """
    columns = recognise(headings, mapping, unwanted)
    if "text" not in columns:
        raise UsageError(
            f"{path}: no column is recognised as the complaint's text; it has "
            f"{', '.join(headings)}. Name it: --map 列名=text.",
            code="column_unknown",
        )
    return columns


def is_known_heading(heading: str) -> bool:
    """Tell whether a cell reads like a heading of an export."""
    return plain_heading(heading) in _known_headings()


def is_text_heading(heading: str) -> bool:
    """Tell whether a cell reads like the heading of the complaint's text."""
    plain = plain_heading(heading)
    return plain in _known_headings("text") or bool(LIKELY["text"].fullmatch(plain))


@cache
def _known_headings(*columns: str) -> frozenset[str]:
    """Return the folded headings of some columns, of all if none is named."""
    return frozenset(
        plain_heading(known)
        for column in columns or COLUMNS
        for known in (column, *HEADINGS[column])
    )


def plain_heading(heading: str) -> str:
    """Fold blanks, marks, case and what stands in brackets: 涉及金额（元） reads as 涉及金额."""
    folded = unicodedata.normalize("NFKC", heading).lower()
    bare = _BRACKETS.sub("", folded)
    return "".join(filter(str.isalnum, bare)) or "".join(filter(str.isalnum, folded))


_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】")


def read_label_mapping(path: Path) -> dict[str, dict[str, str]]:
    """Read a YAML file that maps a company's label values to ours, head by head.

    Raises
    ------
    UsageError
        If the file does not exist.
    DataError
        If it is no mapping of heads to mappings of values.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist: check --labels.", code="file_missing")
    content = parse_yaml(decode(path.read_bytes())[0], path)
    if not isinstance(content, dict) or not all(
        head in HEADS and isinstance(values, dict) for head, values in content.items()
    ):
        raise DataError(
            f"{path}: write `severity: {{紧急: critical, …}}`, one entry for each of "
            f"{', '.join(HEADS)} that needs one.",
            code="labels_file",
        )
    mapping: dict[str, dict[str, str]] = {}
    for head, values in content.items():
        steps, aliases = ORDERED_HEADS.get(head), LABEL_ALIASES.get(head, {})
        mapping[head] = {}
        for value, label in values.items():
            ours = aliases.get(str(label), str(label))
            if steps and ours not in steps:
                raise DataError(
                    f"{path}: {head}.{value} is {label!r}: it must be one of {', '.join(steps)}.",
                    code="labels_file",
                )
            mapping[head][str(value).strip()] = ours
    return mapping


def clean_fact(column: str, value: Any) -> Any:
    """Turn a cell into the value of a column; a blank one is None.

    Raises
    ------
    ValueError
        If the cell is no time, sum or count where the column asks for one.
    """
    if as_text(value) is None:
        return None
    convert, fault = _CONVERTERS.get(column, (as_text, ""))
    try:
        return convert(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"「{value}」{fault}") from error


def as_text(value: Any) -> str | None:
    """Return a cell as text, whole numbers without `.0`, blanks as None."""
    if value is None or pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() or None


def _to_time(value: Any) -> pd.Timestamp:
    if isinstance(value, int | float) and 20_000 < value < 80_000:  # Excel's day number
        moment = pd.Timestamp("1899-12-30") + pd.Timedelta(days=float(value))
        return pd.Timestamp(plausible_time(moment.round("s").to_pydatetime()))
    text = str(value).strip().replace("年", "-").replace("月", "-").replace("日", " ")
    return pd.Timestamp(plausible_time(pd.Timestamp(text).to_pydatetime()))


def _to_amount(value: Any) -> float:
    text = unicodedata.normalize("NFKC", str(value)).strip().strip("¥￥元 ").replace(",", "")
    amount = float(text.removesuffix("万")) * (10_000 if text.endswith("万") else 1)
    if not 0 <= amount <= 1e12:
        raise ValueError(text)
    return amount


def _to_count(value: Any) -> int:
    count = float(str(value).strip().removesuffix("次"))
    if not count.is_integer() or not 0 <= count <= 100_000:
        raise ValueError(value)
    return int(count)


KINDS: Mapping[str, str] = {
    "投诉": "complaint", "举报": "report", "咨询": "question", "建议": "suggestion",
    "求助": "help", "表扬": "praise", "感谢": "praise",
}  # fmt: skip
"""Chinese names of the kinds of contact."""


def _to_kind(value: Any) -> str:
    return _one_of(str(value).strip().removesuffix("类"), KINDS, get_args(Kind))


def _to_complexity(value: Any) -> str:
    names = {"简单": "simple", "一般": "simple", "复杂": "complex", "疑难": "complex",
             "特殊": "special"}  # fmt: skip
    return _one_of(str(value).strip(), names, tuple(names.values()))


def _to_area(value: Any) -> str:
    names = {"城市": "city", "城镇": "city", "农村": "countryside", "乡村": "countryside"}
    return _one_of(str(value).strip(), names, tuple(names.values()))


def _one_of(text: str, names: Mapping[str, str], known: Sequence[str]) -> str:
    """Return the id of a value given by id or by its Chinese name."""
    found = names.get(text, text)
    if found not in known:
        raise ValueError(text)
    return found


_CONVERTERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "received_at": (_to_time, "不是时间"),
    "amount": (_to_amount, "不是金额"),
    "repeat_count": (_to_count, "不是次数"),
    "kind": (_to_kind, "不是来件类型"),
    "complexity": (_to_complexity, "不是难易程度"),
    "area": (_to_area, "不是城乡"),
}
