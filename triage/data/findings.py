"""What a first look finds: labels, dates, duplicates, conflicts, personal data, lengths, faults."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from triage.data.check import STEP, Checked
from triage.data.labels import LabelValue
from triage.data.tickets import MIN_CLASS_ROWS, Tickets
from triage.privacy import find_personal, mask
from triage.schema import HEADS

EXAMPLES = 10
"""Examples that are kept of each finding."""

SHOWN_CHARS = 80
"""Characters of a ticket that an example shows."""

LENGTHS = (10, 30, 60, 120, 240, 480)
"""Bounds of the classes of text lengths, in characters."""

PERSONAL_NAMES: Mapping[str, str] = {
    "mobile": "手机号", "landline": "座机号", "identity_card": "身份证号", "bank_card": "银行卡号",
    "email": "邮箱", "plate": "车牌号", "account": "微信或 QQ 号", "address": "门牌号",
    "name": "姓名",
}  # fmt: skip
"""What people read of the kinds of personal data."""

_VALUE = re.compile(r"「[^」]*」")
_NUMBER = re.compile(r"\d+")
_PERSONAL_HEADING = re.compile(
    r"电话|手机|姓名|联系人|联系方式|身份证|证件号|住址|地址|微信|邮箱|卡号|车牌"
)


class Labels(NamedTuple):
    """What one head's column holds.

    Attributes
    ----------
    values : list of LabelValue
        Values as they stand in the export, the most frequent first.
    classes : dict of str to int
        Label → tickets that can be used, duplicates counted once.
    unlabelled : int
        Tickets that can be used for other heads only.
    unknown : list of LabelValue
        Values that were not understood.
    lost : int
        Rows that they cost.
    """

    values: list[LabelValue]
    classes: dict[str, int]
    unlabelled: int
    unknown: list[LabelValue]
    lost: int


class Conflict(NamedTuple):
    """One text that carries several labels: masked, with the rows of each label of a head."""

    text: str
    head: str
    labels: dict[str, int]


class Fault(NamedTuple):
    """Rows that share a fault; `kept` where only one fact of the row is ignored."""

    column: str
    reason: str
    kept: bool
    rows: int
    examples: list[str]


class Likeness(NamedTuple):
    """Texts that are nearly the same: how many, and one of them, masked."""

    texts: int
    example: str


def find_kinds(plain: Sequence[str], step: Callable[[int], None]) -> dict[str, int]:
    """Count the rows that hold each kind of personal data."""
    rows: Counter[str] = Counter()
    for at, text in enumerate(plain):
        rows.update({piece.kind for piece in find_personal(text)})
        if at % STEP == STEP - 1 or at == len(plain) - 1:
            step(at % STEP + 1)
    return dict(rows.most_common())


def distinct_texts(checked: Checked) -> list[str]:
    """Return one text of each normalised text."""
    found: dict[str, str] = {}
    for plain, text in zip(checked.plain, checked.frame["text"], strict=True):
        if plain:
            found.setdefault(plain, text)
    return list(found.values())


def near_alike(texts: Sequence[str], groups: Any) -> list[Likeness]:
    """Return the groups of more than one text, the largest first."""
    sizes = Counter(groups.tolist())
    first: dict[int, str] = {}
    for text, group in zip(texts, groups.tolist(), strict=True):
        if sizes[group] > 1:
            first.setdefault(group, text)
    found = [Likeness(sizes[group], _shown(text)) for group, text in first.items()]
    return sorted(found, key=lambda one: -one.texts)


def _shown(text: str) -> str:
    """Return the beginning of a text as an example shows it."""
    masked = " ".join(mask(text[: 2 * SHOWN_CHARS]).split())
    return masked if len(masked) <= SHOWN_CHARS else masked[: SHOWN_CHARS - 1] + "…"


def find_conflicts(checked: Checked) -> list[Conflict]:
    """Find the texts that carry more than one label of a head."""
    found = []
    key = pd.Series(checked.plain, dtype=object)
    for head in (head for head in HEADS if head in checked.frame):
        labelled = checked.frame[head].notna() & (key != "")
        labels, keys = checked.frame.loc[labelled, head], key[labelled]
        several = labels.groupby(keys).transform("nunique") > 1
        for _, rows in labels[several].groupby(keys[several]):
            text = _shown(str(checked.frame.at[rows.index[0], "text"]))
            found.append(Conflict(text, head, dict(Counter(rows))))
    return found


def label_facts(tickets: Tickets, head: str, values: list[LabelValue]) -> Labels:
    """Gather what is known of one head's column."""
    unknown = [value for value in values if not value.known]
    column = tickets.frame[head]
    counts = {str(label): int(rows) for label, rows in column.value_counts().items()}
    lost = sum(value.rows for value in unknown)
    return Labels(values, counts, int(column.isna().sum()), unknown, lost)


def date_facts(frame: pd.DataFrame) -> dict[str, Any]:
    """Return `months`, `first`, `last` and `undated` of `Look`."""
    if "received_at" not in frame or frame["received_at"].isna().all():
        return {"months": {}, "first": None, "last": None, "undated": len(frame)}
    times = frame["received_at"].dropna()
    months = Counter(f"{time:%Y-%m}" for time in times)
    return {
        "months": dict(sorted(months.items())),
        "first": f"{min(times):%Y-%m-%d}",
        "last": f"{max(times):%Y-%m-%d}",
        "undated": len(frame) - len(times),
    }


def length_facts(texts: pd.Series) -> tuple[dict[str, int], dict[str, int]]:
    """Return `lengths` and `length_classes` of `Look`."""
    sizes = np.array([len(text) for text in texts if text])
    if not sizes.size:
        return {}, {}
    low, middle, high, top = np.percentile(sizes, [0, 50, 95, 100]).astype(int).tolist()
    bounds = (0, *LENGTHS)
    place = np.searchsorted(bounds, sizes, side="right") - 1
    names = [f"{a}–{b - 1}" for a, b in zip(bounds, LENGTHS, strict=False)] + [f"{bounds[-1]} 以上"]
    counts = np.bincount(place, minlength=len(names))
    return (
        {"min": low, "median": middle, "p95": high, "max": top},
        dict(zip(names, counts.tolist(), strict=True)),
    )


def gather_faults(quarantine: pd.DataFrame) -> list[Fault]:
    """Gather the rows that share a fault, whatever the value at fault."""
    rows: Counter[tuple[str, str, bool]] = Counter()
    examples: dict[tuple[str, str, bool], list[str]] = {}
    sheets = quarantine["sheet"] if "sheet" in quarantine else [None] * len(quarantine)
    for sheet, row, column, reason, kept in zip(
        sheets, quarantine["row"], quarantine["column"], quarantine["reason"], quarantine["kept"],
        strict=True,
    ):  # fmt: skip
        key = (str(column), _NUMBER.sub("N", _VALUE.sub("「…」", reason)), bool(kept))
        rows[key] += 1
        places = examples.setdefault(key, [])
        if len(places) < EXAMPLES:
            places.append(f"{sheet}!{row}" if sheet else str(row))
    return [Fault(*key, count, examples[key]) for key, count in rows.most_common()]


def small_natures(tickets: Tickets) -> dict[str, int]:
    """Count the tickets of natures that have too few to learn."""
    if "nature" not in tickets.frame:
        return {}
    counts = tickets.frame["nature"].value_counts()
    return {str(name): int(rows) for name, rows in counts[counts < MIN_CLASS_ROWS].items()}


def is_personal_heading(heading: str) -> bool:
    """Tell whether a column is personal data as a whole, judged by its heading."""
    return _PERSONAL_HEADING.search(heading) is not None
