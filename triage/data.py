"""Past tickets: read, check, quarantine, de-duplicate, group, split.

Nothing is dropped in silence: a row that can't be used goes to the quarantine with its row number
and reason, and what was left out as a duplicate is counted.
"""

from __future__ import annotations

import csv
import gzip
import io
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from triage.schema import HEADS, ORDERED_HEADS, DataError, Kind, UsageError, in_shanghai
from triage.text import normalise

FACTS = ("id", "kind", "channel", "industry", "product", "region", "customer_id", "customer_tier",
         "received_at", "amount", "repeat_count", "resolution")  # fmt: skip
COLUMNS = ("text", *HEADS, *FACTS)

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "text": ("投诉内容", "诉求内容", "工单内容", "投诉详情", "投诉描述", "问题描述", "留言详情",
             "留言内容", "反映内容", "事件描述", "工单描述", "客户诉求", "诉求描述", "详细内容",
             "评论内容", "评价内容", "内容", "正文", "描述", "文本", "content", "complaint", "body",
             "description"),
    "nature": ("投诉性质", "性质", "投诉类型", "投诉类别", "投诉分类", "问题类型", "问题分类",
               "工单类型", "诉求类型", "业务类型", "一级分类", "一级标签", "类型", "类别", "分类",
               "category", "type"),
    "severity": ("投诉等级", "严重程度", "严重等级", "投诉级别", "紧急程度", "工单等级", "等级",
                 "级别", "优先级", "priority", "level"),
    "emotion": ("情绪", "客户情绪", "情绪等级", "情绪级别", "mood"),
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
    "resolution": ("处理结果", "解决方案", "处理意见", "处理情况", "回复内容", "答复意见"),
}  # fmt: skip
"""Common headings of exports, the likeliest first; compared without blanks and case."""

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

MIN_CLASS_ROWS = 3
"""A nature with fewer distinct tickets than this can be neither learned nor measured."""

SHINGLE = 5
NEAR_DUPLICATE = 0.5
"""Jaccard similarity of 5-character shingles from which two tickets count as near duplicates."""

_MINHASHES, _BANDS = 64, 16
_MOST_FILE_BYTES = 2_000_000_000
_REPLACEMENT = "\ufffd"

Row = dict[str, Any]
Part = Literal["train", "test"]


@dataclass
class Tickets:
    """Checked tickets and what was set aside.

    Attributes
    ----------
    frame : DataFrame
        One row a ticket, with `row` (its number in the file, the heading being row 1), the columns
        of `COLUMNS` that the file has, and once grouped `group`.
    quarantine : DataFrame
        `row`, `column`, `reason`, `kept` (whether the ticket stays without that fact), `text`.
    notes : list of str
        What was understood and what was left out, in plain Chinese.
    columns : dict
        The file's heading of each recognised column.
    """

    frame: pd.DataFrame
    quarantine: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def heads(self) -> list[str]:
        """The heads that the tickets hold labels for."""
        return [head for head in HEADS if head in self.frame and self.frame[head].notna().any()]


def read_table(path: Path, sheet: str | None = None) -> pd.DataFrame:
    """Read a CSV (UTF-8, with BOM or GB18030, also gzipped), Excel or Parquet file as it stands.

    Parameters
    ----------
    path : Path
        The file; its ending says what it is (.csv .tsv .txt with .gz, .xlsx .xls .xlsm .ods,
        .parquet).
    sheet : str, optional
        Name of the Excel sheet; the first one with rows if absent.

    Returns
    -------
    DataFrame
        Its headings as columns; `row` as index, the heading being row 1. Cells of a CSV are str.
        A CSV row with too many or too few cells carries its fault in the column `__fault__`.

    Raises
    ------
    UsageError
        If the file or sheet does not exist, or its ending is unknown.
    DataError
        If the file is empty, corrupt or has no rows.
    """
    if not path.is_file():
        raise UsageError(f"{path} does not exist: check the path.", code="file_missing")
    kind = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    reader = _READERS.get(kind)
    if reader is None:
        known = ", ".join(f".{ending}" for ending in _READERS)
        raise UsageError(f"{path}: .{kind} files can't be read; save it as one of {known}.")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty: export it again.", code="file_empty")
    frame = reader(path, sheet)
    if frame.empty:
        raise DataError(f"{path} has a heading but no rows: export it again.", code="file_empty")
    return frame


def _read_csv(path: Path, sheet: str | None) -> pd.DataFrame:
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is no intact gzip file ({error}): export it again.") from error
    text, _ = decode(raw)
    if not text.strip():
        raise DataError(f"{path} is empty: export it again.", code="file_empty")
    csv.field_size_limit(10_000_000)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        header = [cell.strip() for cell in next(lines)]
        return _table(header, lines)
    except csv.Error as error:
        raise DataError(
            f"{path}, line {lines.line_num}: {error}. Save the file as UTF-8 CSV again.",
            code="file_corrupt",
        ) from error


def _table(header: list[str], lines: Iterable[list[str]]) -> pd.DataFrame:
    """Build a table from CSV rows, marking those of another width."""
    rows, index, faults = [], [], []
    for number, cells in enumerate(lines, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        fault = None
        if len(cells) != len(header) and any(cell.strip() for cell in cells[len(header) :]):
            fault = f"有 {len(cells)} 列，表头只有 {len(header)} 列"
        elif len(cells) < len(header) and len(cells) < len(header) - 1:
            fault = f"只有 {len(cells)} 列，表头有 {len(header)} 列"
        rows.append((cells + [""] * len(header))[: len(header)])
        index.append(number)
        faults.append(fault)
    frame = pd.DataFrame(rows, columns=header, index=pd.Index(index, name="row"), dtype=object)
    if any(faults):
        frame["__fault__"] = pd.Series(faults, index=frame.index, dtype=object)
    return frame


def decode(raw: bytes) -> tuple[str, str]:
    """Decode bytes as UTF-8 (with or without BOM), UTF-16 with BOM, or GB18030.

    Where neither decodes cleanly, the one with fewer faults is taken and each fault becomes
    U+FFFD, so that one broken row does not cost the file.

    Returns
    -------
    text : str
        The content without its byte order mark.
    encoding : str
        What it was decoded as.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace"), "utf-16"
    best: tuple[int, str, str] | None = None
    for encoding in ("utf-8-sig", "gb18030"):
        text = raw.decode(encoding, errors="replace")
        faults = text.count(_REPLACEMENT) - raw.count(b"\xef\xbf\xbd")
        if faults <= 0:
            return text, encoding
        if best is None or faults < best[0]:
            best = (faults, text, encoding)
    assert best is not None
    return best[1], best[2]


def _delimiter(text: str) -> str:
    """Return the delimiter that the heading shows most of."""
    heading = text.split("\n", 1)[0]
    return max(",\t;|", key=heading.count)


def _read_excel(path: Path, sheet: str | None) -> pd.DataFrame:
    try:
        with pd.ExcelFile(path, engine="calamine") as book:
            names = [str(name) for name in book.sheet_names]
            if sheet is not None and sheet not in names:
                raise UsageError(f"{path} has no sheet {sheet!r}: it has {', '.join(names)}.")
            for name in [sheet] if sheet else names:
                frame = pd.read_excel(book, sheet_name=name, dtype=object)
                if not frame.empty:
                    break
    except UsageError:
        raise
    except Exception as error:  # calamine raises a class of its own for each format
        raise DataError(
            f"{path} is no intact Excel file ({error}): open it and save it as .xlsx again.",
            code="file_corrupt",
        ) from error
    frame.columns = pd.Index([str(column).strip() for column in frame.columns])
    frame.index = pd.RangeIndex(2, len(frame) + 2, name="row")
    return frame.dropna(how="all")


def _read_parquet(path: Path, sheet: str | None) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pyarrow's errors share no base that pandas does not wrap
        raise DataError(
            f"{path} is no intact Parquet file ({error}): export it again.", code="file_corrupt"
        ) from error
    frame = frame.reset_index(drop=True)
    frame.columns = pd.Index([str(column) for column in frame.columns])
    frame.index = pd.RangeIndex(2, len(frame) + 2, name="row")
    return frame


_READERS: dict[str, Callable[[Path, str | None], pd.DataFrame]] = {
    **dict.fromkeys(("csv", "tsv", "txt"), _read_csv),
    **dict.fromkeys(("xlsx", "xls", "xlsm", "xlsb", "ods"), _read_excel),
    "parquet": _read_parquet,
}


def recognise(headings: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Find which heading holds which of our columns.

    Parameters
    ----------
    headings : sequence of str
        The file's headings.
    mapping : mapping of heading to column
        What the user says; it goes before what is recognised.

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
    plain = {_plain(heading): heading for heading in headings if heading not in mapping}
    for column in COLUMNS:
        if column in found:
            continue
        for candidate in (column, *HEADINGS[column]):
            if heading := plain.pop(_plain(candidate), ""):
                found[column] = heading
                break
    return found


def _plain(heading: str) -> str:
    """Fold blanks, marks and case of a heading."""
    folded = unicodedata.normalize("NFKC", heading).lower()
    return "".join(char for char in folded if char.isalnum())


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
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not all(
        head in HEADS and isinstance(values, dict) for head, values in content.items()
    ):
        raise DataError(
            f"{path}: write `severity: {{紧急: critical, …}}`, one entry for each of "
            f"{', '.join(HEADS)} that needs one.",
            code="labels_file",
        )
    return {
        head: {str(value).strip(): str(label) for value, label in values.items()}
        for head, values in content.items()
    }


def load_tickets(
    path: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
    sheet: str | None = None,
    max_chars: int = 100_000,
) -> Tickets:
    """Read and check a file of past tickets.

    Parameters
    ----------
    path : Path
        See `read_table`.
    mapping : mapping of heading to column, optional
        For headings that are not recognised.
    labels : mapping of head to mapping of value to label, optional
        For label values in a company's own words.
    sheet : str, optional
        Name of the Excel sheet.
    max_chars : int
        A longer text goes to the quarantine.

    Returns
    -------
    Tickets
        Checked and without exact duplicates.

    Raises
    ------
    UsageError
        If no column holds the text, or the mapping is wrong.
    DataError
        If the file can't be read, or no row of it can be used.
    """
    raw = read_table(path, sheet)
    headings = [str(heading) for heading in raw.columns if heading != "__fault__"]
    columns = recognise(headings, mapping or {})
    if "text" not in columns:
        raise UsageError(
            f"{path}: no column is recognised as the complaint's text; it has "
            f"{', '.join(headings)}. Name it: --map 列名=text.",
            code="column_unknown",
        )
    frame = pd.DataFrame({column: raw[heading] for column, heading in columns.items()})
    check = _Check(frame, labels or {}, max_chars)
    if "__fault__" in raw:
        check.refuse_faulty(raw["__fault__"])
    tickets = check.run()
    tickets.columns = columns
    if tickets.frame.empty:
        first = tickets.quarantine.iloc[0]
        raise DataError(
            f"{path}: no row can be used; the first fault: row {first['row']}, {first['reason']}.",
            code="no_usable_rows",
        )
    return remove_duplicates(tickets)


class _Check:
    """Checks a table row by row and gathers the faults."""

    def __init__(
        self, frame: pd.DataFrame, labels: Mapping[str, Mapping[str, str]], max_chars: int
    ) -> None:
        self.frame = frame.astype(object).where(frame.notna(), None)
        self.labels = labels
        self.max_chars = max_chars
        self.bad: dict[int, tuple[str, str]] = {}
        self.ignored: list[tuple[int, str, str]] = []

    def run(self) -> Tickets:
        self._check_text()
        for head in (head for head in HEADS if head in self.frame):
            self._check_labels(head)
        for column in FACTS:
            self._check_fact(column)
        return self._result()

    def refuse_faulty(self, faults: pd.Series) -> None:
        """Refuse rows that the reader marked."""
        for row, fault in faults.items():
            if isinstance(fault, str):
                self._refuse(row, "", fault)

    def _refuse(self, row: Any, column: str, reason: str) -> None:
        self.bad.setdefault(row, (column, reason))

    def _check_text(self) -> None:
        texts = [_to_str(value) or "" for value in self.frame["text"]]
        self.frame["text"] = texts
        for row, text in zip(self.frame.index, texts, strict=True):
            if not normalise(text[: self.max_chars]).text:
                self._refuse(row, "text", "内容为空")
            elif len(text) > self.max_chars:
                self._refuse(row, "text", f"内容有 {len(text)} 字，超过 {self.max_chars} 字")
            elif _REPLACEMENT in text:
                self._refuse(row, "text", "内容里有无法解码的字节")

    def _check_labels(self, head: str) -> None:
        own = self.labels.get(head, {})
        steps = ORDERED_HEADS.get(head)
        known = {**LABEL_ALIASES.get(head, {}), **{step: step for step in steps or ()}, **own}
        values = []
        for row, value in zip(self.frame.index, self.frame[head], strict=True):
            text = _to_str(value)
            label = known.get(text, known.get(text.lower())) if text else None
            if text and label is None and steps is None:
                label = text
            if text and (label is None or (steps and label not in steps)):
                self._refuse(
                    row, head, f"标签「{text}」不认识；可用 {'、'.join(steps or ())}，或用 --labels"
                )
            values.append(label)
        self.frame[head] = values

    def _check_fact(self, column: str) -> None:
        """Convert a column of facts; a cell that can't be is ignored and reported."""
        if column not in self.frame:
            return
        values = []
        for row, value in zip(self.frame.index, self.frame[column], strict=True):
            try:
                values.append(clean_fact(column, value))
            except ValueError as error:
                values.append(None)
                self.ignored.append((row, column, f"{error}，该项忽略"))
        self.frame[column] = pd.Series(values, index=self.frame.index, dtype=object)

    def _result(self) -> Tickets:
        text = self.frame["text"]
        faults = [(row, column, reason, False, text[row])
                  for row, (column, reason) in self.bad.items()]  # fmt: skip
        faults += [(row, column, reason, True, text[row])
                   for row, column, reason in self.ignored if row not in self.bad]  # fmt: skip
        quarantine = pd.DataFrame(faults, columns=["row", "column", "reason", "kept", "text"])
        frame = self.frame.drop(index=list(self.bad)).reset_index(names="row")
        return Tickets(frame, quarantine.sort_values("row", ignore_index=True))


def clean_fact(column: str, value: Any) -> Any:
    """Turn a cell into the value of a column; a blank one is None.

    Raises
    ------
    ValueError
        If the cell is no time, sum or count where the column asks for one.
    """
    if _to_str(value) is None:
        return None
    convert, fault = _CONVERTERS.get(column, (_to_str, ""))
    try:
        return convert(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"「{value}」{fault}") from error


def _to_str(value: Any) -> str | None:
    """Return a cell as text, whole numbers without `.0`, blanks as None."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() or None


def _to_time(value: Any) -> pd.Timestamp:
    if isinstance(value, int | float) and 20_000 < value < 80_000:  # Excel's day number
        moment = pd.Timestamp("1899-12-30") + pd.Timedelta(days=float(value))
        return pd.Timestamp(in_shanghai(moment.round("s").to_pydatetime()))
    text = str(value).strip().replace("年", "-").replace("月", "-").replace("日", " ")
    return pd.Timestamp(in_shanghai(pd.Timestamp(text).to_pydatetime()))


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
    text = str(value).strip()
    kind = KINDS.get(text.removesuffix("类"), text)
    if kind not in get_args(Kind):
        raise ValueError(text)
    return kind


_CONVERTERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "received_at": (_to_time, "不是时间"),
    "amount": (_to_amount, "不是金额"),
    "repeat_count": (_to_count, "不是次数"),
    "kind": (_to_kind, "不是来件类型"),
}


def remove_duplicates(tickets: Tickets) -> Tickets:
    """Keep one row of each normalised text; rows with other labels go to the quarantine.

    Of equal texts with unlike labels the most frequent labels stay, the latest row on a tie.
    """
    frame = tickets.frame
    labels = [head for head in HEADS if head in frame]
    key = frame["text"].map(lambda text: normalise(text).text)
    verdict = frame[labels].astype(str).agg("|".join, axis=1) if labels else key
    votes = verdict.groupby([key, verdict]).transform("size")
    order = pd.DataFrame({"key": key, "verdict": verdict, "votes": votes, "row": frame["row"]})
    winner = order.sort_values(["votes", "row"]).groupby("key")["verdict"].last()
    agrees = verdict == key.map(winner)
    conflicts = frame[~agrees]
    kept = frame[agrees & ~key.where(agrees).duplicated()]
    copies = int(agrees.sum()) - len(kept)
    notes = list(tickets.notes)
    if copies:
        notes.append(f"完全重复的 {copies} 行已合并")
    quarantine = tickets.quarantine
    if len(conflicts):
        notes.append(f"同一内容标签不一致的 {len(conflicts)} 行移入隔离文件")
        fault = conflicts[["row", "text"]].assign(
            column="|".join(labels), reason="与另一行内容相同而标签不同", kept=False
        )
        quarantine = pd.concat([quarantine, fault], ignore_index=True)
    return Tickets(kept.reset_index(drop=True), quarantine, notes, tickets.columns)


def set_aside_small_classes(tickets: Tickets, min_rows: int = MIN_CLASS_ROWS) -> Tickets:
    """Move natures with too few tickets to the quarantine; other labels of the row go with it.

    Raises
    ------
    DataError
        If fewer than two natures are left; the message says what to do.
    """
    frame = tickets.frame
    if "nature" not in tickets.heads:
        return tickets
    counts = frame["nature"].value_counts()
    small = counts[counts < min_rows]
    if len(counts) - len(small) < 2:
        raise DataError(
            f"The column nature has {len(counts)} class(es) "
            f"({', '.join(map(str, counts.index[:5]))}), of which "
            f"{len(counts) - len(small)} with {min_rows} rows or more: two are needed. Check that "
            "--map names the right column, add tickets, or merge classes with --labels.",
            code="too_few_classes",
        )
    if small.empty:
        return tickets
    rows = frame["nature"].isin(small.index)
    listed = "、".join(f"{name}（{count} 行）" for name, count in small.items())
    notes = [
        *tickets.notes,
        f"性质 {listed} 不足 {min_rows} 行，学不会也量不准，已移入隔离文件；"
        "请补充工单，或用 --labels 合并类别",
    ]
    fault = frame.loc[rows, ["row", "text"]].assign(
        column="nature", reason=f"该性质不足 {min_rows} 行", kept=False
    )
    quarantine = pd.concat([tickets.quarantine, fault], ignore_index=True)
    return Tickets(frame[~rows].reset_index(drop=True), quarantine, notes, tickets.columns)


def near_duplicate_groups(
    texts: Sequence[str], on_step: Callable[[int], None] | None = None
) -> NDArray[np.int64]:
    """Group near duplicates: MinHash over 5-character shingles, 16 bands of 4, checked pairs.

    Parameters
    ----------
    texts : sequence of str of length n_texts
        Texts as sent.
    on_step : callable, optional
        Told of each text done.

    Returns
    -------
    ndarray of shape (n_texts,)
        A stable number per group: equal groups of texts get it in any order and any file.

    References
    ----------
    Broder, "On the resemblance and containment of documents", 1997.
    """
    import rensa
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    signatures = np.empty((len(texts), _MINHASHES), dtype=np.uint32)
    keys = np.empty(len(texts), dtype=np.int64)
    for at, text in enumerate(texts):
        plain = "".join(char for char in normalise(text).text if char.isalnum()) or text
        minhash = rensa.RMinHash(num_perm=_MINHASHES, seed=7)
        minhash.update([plain[i : i + SHINGLE] for i in range(max(1, len(plain) - SHINGLE + 1))])
        signatures[at] = minhash.digest()
        keys[at] = int.from_bytes(blake2b(plain.encode(), digest_size=7).digest())
        if on_step:
            on_step(1)
    left, right = _candidate_pairs(signatures)
    alike = (signatures[left] == signatures[right]).mean(axis=1) >= NEAR_DUPLICATE
    links = coo_array((np.ones(alike.sum()), (left[alike], right[alike])), shape=(len(texts),) * 2)
    _, component = connected_components(links, directed=False)
    return pd.Series(keys).groupby(component).transform("min").to_numpy()


def _candidate_pairs(
    signatures: NDArray[np.uint32],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair each text with the first that shares a band of its signature."""
    width = signatures.shape[1] // _BANDS
    left, right = [], []
    for band in range(_BANDS):
        part = np.ascontiguousarray(signatures[:, band * width : (band + 1) * width])
        codes = part.view([("", part.dtype)] * width).ravel()
        _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
        other = first[inverse.ravel()]
        own = np.arange(len(codes))
        left.append(own[other != own])
        right.append(other[other != own])
    return np.concatenate(left), np.concatenate(right)


def split(
    tickets: Tickets,
    *,
    by: Literal["group", "time"] = "group",
    test_share: float = 0.2,
) -> NDArray[np.bool_]:
    """Choose the held-out test rows; near duplicates stay on one side.

    Parameters
    ----------
    tickets : Tickets
        Their frame has `group`; for `time` also `received_at`.
    by : {"group", "time"}
        By a stable hash of the near-duplicate group, so that a ticket keeps its side from run to
        run, or the latest groups by time of receipt.
    test_share : float
        Share of the rows to hold out, between 0 and 1.

    Returns
    -------
    ndarray of shape (n_tickets,)
        True for test rows. A label of which all rows would be held out stays in training.

    Raises
    ------
    DataError
        If `time` is asked for and no row has a time, or one side would be empty.
    """
    frame = tickets.frame
    if by == "time":
        if "received_at" not in frame or frame["received_at"].isna().all():
            raise DataError(
                "No row has a time of receipt, so the tickets can't be split by time: map it with "
                "--map 列名=received_at, or split by group.",
                code="no_times",
            )
        times = pd.to_datetime(frame["received_at"], utc=True).groupby(frame["group"])
        first = times.transform("min").fillna(pd.Timestamp(0, tz="UTC"))
        test = (first > first.quantile(1 - test_share, interpolation="lower")).to_numpy(dtype=bool)
    else:
        test = np.array([stable_share(group) < test_share for group in frame["group"]])
    for head in tickets.heads:
        test &= ~_only_held_out(frame[head], frame["group"], test)
    if not test.any() or test.all():
        raise DataError(
            f"{len(frame)} distinct tickets are too few to hold some out: add tickets.",
            code="too_few_rows",
        )
    return test


def _only_held_out(
    labels: pd.Series, groups: pd.Series, test: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Find groups with a label of which every row is held out: it must be learned first."""
    learned = set(labels[~test].dropna())
    lost = labels.notna() & ~labels.isin(learned)
    return groups.isin(groups[lost]).to_numpy()


def stable_share(group: int) -> float:
    """Return a number in [0, 1) that depends on the group alone."""
    digest = blake2b(int(group).to_bytes(8, signed=True), digest_size=7, person=b"triage")
    return int.from_bytes(digest.digest()) / 2**56


def frame_digest(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of the texts and labels of a table, in their order."""
    columns = [column for column in ("text", *HEADS) if column in frame]
    hashed = sha256()
    for values in frame[columns].astype(str).itertuples(index=False):
        hashed.update("\x1f".join(values).encode("utf-8", "replace") + b"\x1e")
    return hashed.hexdigest()


def text_share(text: str) -> float:
    """Return a number in [0, 1) that depends on the normalised text alone."""
    digest = blake2b(normalise(text).text.encode(), digest_size=7, person=b"triage")
    return int.from_bytes(digest.digest()) / 2**56
