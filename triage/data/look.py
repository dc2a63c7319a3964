"""A first look at an export: what was understood and what was not, before anything is trained."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from triage.data.check import Checked, check_source
from triage.data.findings import (
    EXAMPLES,
    Conflict,
    Fault,
    Labels,
    Likeness,
    date_facts,
    distinct_texts,
    find_conflicts,
    find_kinds,
    gather_faults,
    is_personal_heading,
    label_facts,
    length_facts,
    near_alike,
    small_natures,
)
from triage.data.labels import LabelValue
from triage.data.mapping import FileMapping
from triage.data.source import Source, open_source
from triage.data.split import near_duplicate_groups
from triage.data.tickets import MIN_CLASS_ROWS, Tickets
from triage.privacy import mask
from triage.schema import HEAD_NAMES, HEADS

_PLAIN_WORD = re.compile(r"[\w@%+=:,./-]+")


@dataclass(frozen=True)
class Look:
    """What a first look at an export found.

    Attributes
    ----------
    source : Source
        What was read; its `name`, `sheets`, `columns`, `levels` and `unread`.
    tickets : Tickets
        What can be used, and the quarantine.
    labels : dict of str to Labels
        Of each head that has a column.
    months : dict of str to int
        `2026-03` → rows received in it.
    first, last : str or None
        Days of the earliest and the latest receipt.
    undated : int
        Rows without a readable time of receipt.
    duplicates : int
        Rows whose text stands in another row already.
    near : list of Likeness
        Groups of nearly equal texts, the largest first.
    near_texts : int
        Texts in such groups.
    conflicts : list of Conflict
        The texts with the most rows first.
    conflict_texts : dict of str to int
        Head → texts with more than one label of it.
    personal : dict of str to int
        Kind of personal data → rows that hold some.
    personal_headings : list of str
        Headings of columns that are personal data as a whole.
    lengths : dict of str to int
        `min`, `median`, `p95`, `max` in characters.
    length_classes : dict of str to int
        Class of length → rows.
    faults : list of Fault
        What is in the quarantine, the most frequent first.
    small : dict of str to int
        Natures with too few tickets to learn, which training sets aside.
    """

    source: Source
    tickets: Tickets
    labels: dict[str, Labels]
    months: dict[str, int]
    first: str | None
    last: str | None
    undated: int
    duplicates: int
    near: list[Likeness]
    near_texts: int
    conflicts: list[Conflict]
    conflict_texts: dict[str, int]
    personal: dict[str, int]
    personal_headings: list[str]
    lengths: dict[str, int]
    length_classes: dict[str, int]
    faults: list[Fault]
    small: dict[str, int]

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return len(self.source.raw)

    @property
    def refused(self) -> int:
        """How many rows can't be used."""
        return int((~self.tickets.quarantine["kept"].astype(bool)).sum())

    @property
    def values(self) -> dict[str, list[LabelValue]]:
        """Head → the values of its column."""
        return {head: labels.values for head, labels in self.labels.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return all findings as plain data, masked."""
        found = {
            "source": self.source.name,
            "form": self.source.form,
            "rows": self.rows,
            "usable": len(self.tickets.frame),
            "refused": self.refused,
            "sheets": [asdict(sheet) for sheet in self.source.sheets],
            "columns": dict(self.source.columns),
            "levels": list(self.source.levels),
            "unread": list(self.source.unread),
            "labels": {head: _plain(labels) for head, labels in self.labels.items()},
            "dates": {"first": self.first, "last": self.last, "undated": self.undated,
                      "months": self.months},
            "duplicates": {"rows": self.duplicates, "near_groups": len(self.near),
                           "near_texts": self.near_texts,
                           "examples": [one._asdict() for one in self.near[:EXAMPLES]]},
            "conflicts": {"texts": self.conflict_texts,
                          "examples": [one._asdict() for one in self.conflicts[:EXAMPLES]]},
            "personal": {"kinds": self.personal, "headings": self.personal_headings},
            "lengths": {**self.lengths, "classes": self.length_classes},
            "faults": [fault._asdict() for fault in self.faults],
            "small_classes": self.small,
            "notes": list(self.tickets.notes),
            "todo": todo(self),
        }  # fmt: skip
        masked: dict[str, Any] = _masked(found)
        return masked


def _plain(labels: Labels) -> dict[str, Any]:
    return {
        **labels._asdict(),
        "values": [value._asdict() for value in labels.values],
        "unknown": [value._asdict() for value in labels.unknown],
    }


def _masked(found: Any) -> Any:
    """Mask every word in plain data; counts of words that become equal are added up."""
    if isinstance(found, str):
        return mask(found)
    if isinstance(found, list):
        return [_masked(one) for one in found]
    if not isinstance(found, dict):
        return found
    masked: dict[str, Any] = {}
    for key, one in found.items():
        name, value = mask(str(key)), _masked(one)
        masked[name] = masked[name] + value if name in masked else value
    return masked


def look_at(
    source: Path | str,
    *,
    mapping: Mapping[str, str] | None = None,
    labels: Mapping[str, Mapping[str, str]] | None = None,
    sheet: str | None = None,
    query: str | None = None,
    plan: FileMapping | None = None,
    max_chars: int = 100_000,
    on_stage: Callable[[str, int | None], None] | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Look:
    """Look at an export before anything is trained.

    Parameters
    ----------
    source, mapping, labels, sheet, query, plan
        See `load_tickets`.
    max_chars : int
        A longer text can't be used.
    on_stage : callable, optional
        Told the name of each stage in Chinese and how many steps it has, None where nobody knows.
    on_step : callable, optional
        Told how many more steps of the stage are done.

    Returns
    -------
    Look

    Raises
    ------
    UsageError, DataError
        See `load_tickets`; that no row can be used is a finding, not an error.
    """
    stage = on_stage or (lambda name, total: None)
    step = on_step or (lambda steps: None)
    stage("读取", None)
    opened = open_source(
        source, mapping=mapping, labels=labels, sheet=sheet, query=query, plan=plan, on_step=step
    )
    stage("逐行检查", len(opened.raw))
    checked = check_source(opened, max_chars=max_chars, on_step=step)
    stage("找个人信息", len(opened.raw))
    personal = find_kinds(checked.plain, step)
    texts = distinct_texts(checked)
    stage("找近似重复", len(texts))
    near = near_alike(texts, near_duplicate_groups(texts, step) if texts else np.empty(0, np.int64))
    stage("汇总", None)
    return _gather(opened, checked, personal, texts, near)


def _gather(
    source: Source,
    checked: Checked,
    personal: dict[str, int],
    texts: Sequence[str],
    near: list[Likeness],
) -> Look:
    """Put together what was found."""
    tickets = checked.tickets
    conflicts = find_conflicts(checked)
    lengths, length_classes = length_facts(checked.frame["text"])
    readable = sum(map(bool, checked.plain))
    return Look(
        source=source,
        tickets=tickets,
        labels={
            head: label_facts(tickets, head, values) for head, values in checked.values.items()
        },  # fmt: skip
        **date_facts(checked.frame),
        duplicates=readable - len(texts),
        near=near,
        near_texts=sum(one.texts for one in near),
        conflicts=sorted(conflicts, key=lambda one: -sum(one.labels.values())),
        conflict_texts=dict(Counter(one.head for one in conflicts)),
        personal=personal,
        personal_headings=[h for h in source.unread if is_personal_heading(h)],
        lengths=lengths,
        length_classes=length_classes,
        faults=gather_faults(tickets.quarantine),
        small=small_natures(tickets),
    )


def todo(look: Look) -> list[str]:
    """Say in plain Chinese what a person should see to before training; the gravest first."""
    found = []
    if not look.labels:
        found.append(
            "没有认出任何标签列（性质、严重程度、情绪），没有可学的：请用 --map 列名=字段 指明"
        )
    if look.tickets.frame.empty:
        found.append("没有一行可以用来训练，原因见「坏行」")
    found += [_unknown(head, labels) for head, labels in look.labels.items() if labels.unknown]
    nature = look.labels.get("nature")
    large = len(nature.classes) - len(look.small) if nature else 0
    if nature and large < 2 and not any(labels.unknown for labels in look.labels.values()):
        found.append(
            f"性质够 {MIN_CLASS_ROWS} 条的只有 {large} 类，至少要两类才能学：请检查列有没有认错"
        )
    spoilt = sum(fault.rows for fault in look.faults
                 if not fault.kept and fault.column not in HEADS)  # fmt: skip
    if spoilt > look.rows / 5:
        found.append(f"{spoilt} 行（{spoilt / look.rows:.0%}）不能用，请先看「坏行」")
    return found


def _unknown(head: str, labels: Labels) -> str:
    """Name the values of a head that were not understood."""
    listed = "、".join(f"{one.value}（{one.rows} 行）" for one in labels.unknown[:EXAMPLES])
    if len(labels.unknown) > EXAMPLES:
        listed += f" 等 {len(labels.unknown)} 种"
    return (
        f"{HEAD_NAMES[head]}有没看懂的标签，{labels.lost} 行暂时不能学：{listed}；"
        "请在对照表里把 null 换成我们的标签"
    )


def next_command(look: Look, query: str | None = None, options: Sequence[str] = ()) -> str:
    """Return the command that a person should run next.

    Parameters
    ----------
    look : Look
    query : str, optional
        What was read from a database.
    options : sequence of str
        Further words of the command that the mapping file does not hold.
    """
    command = "triage import" if todo(look) else "python train.py --data"
    asked = ["--query", query] if query else []
    return " ".join([command, *map(_quoted, [look.source.name, *asked, *options])])


def _quoted(word: str) -> str:
    """Quote a word for the shell where it needs it; Chinese does not."""
    return word if _PLAIN_WORD.fullmatch(word) else shlex.quote(word)
