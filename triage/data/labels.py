"""Read a company's label values as ours, and say which ones were not understood."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from triage.data.columns import LABEL_ALIASES
from triage.schema import ORDERED_HEADS

IGNORED = "ignore"
"""What a mapping file says of a value that is no label: the row stays, without this label."""

OwnLabels = Mapping[str, Mapping[str, str | None]]
"""Head → a company's value → our label, `IGNORED`, or None where nobody has said yet."""

_LIKELY_STEPS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "severity": (("特急|非常紧急|十分紧急|特别紧急|加急", "severe"), ("不紧急|不急", "minor"),
                 ("紧急|^急$|严重", "critical"), ("较急|较高|偏高|重要", "major"),
                 ("普通|正常|常规|轻", "minor")),
    "emotion": (("暴|激动|辱骂|失控", "furious"), ("气|怒|火", "angry"),
                ("失望|抱怨|焦|烦|不耐", "annoyed"), ("平|中性|正常|理性|稳定", "calm")),
    "nature": (("价格|收费|费用|计费|扣费|资费|账单|多收|费$", "price"),
               ("物流|快递|配送|送货|发货|派送|运输|骑手", "logistics"),
               ("服务|态度|客服", "service"), ("质量|故障|破损|瑕疵|产品|商品", "product"),
               ("^其[他它]$", "other")),
}  # fmt: skip
"""Patterns of what a value may well mean: only ever suggested, never applied."""


class LabelValue(NamedTuple):
    """A value of a label column: in how many rows, and what it means to us.

    `known` is false where it was not understood; `label` is None there and where it is ignored.
    """

    value: str
    rows: int
    label: str | None
    known: bool


def read_label(head: str, value: str, own: Mapping[str, str | None]) -> tuple[str | None, bool]:
    """Return our label of a value and whether the value is understood.

    Parameters
    ----------
    head : {"nature", "severity", "emotion"}
    value : str
        A cell that is not blank.
    own : mapping of value to label
        What the company says of its values; it goes before what is understood anyway.

    Returns
    -------
    label : str or None
    known : bool

    Examples
    --------
    >>> read_label("severity", "重大", {}), read_label("severity", "紧急", {})
    (('critical', True), (None, False))
    >>> read_label("severity", "待定", {"待定": "ignore"})
    (None, True)
    """
    steps = ORDERED_HEADS.get(head)
    said = own.get(value)
    if said == IGNORED:
        return None, True
    if steps is None:
        return said or value, True
    aliases = {**LABEL_ALIASES.get(head, {}), **{step: step for step in steps}}
    if said is not None:
        label = aliases.get(said, said)
    elif value in own:
        return None, False
    else:
        label = aliases.get(value, aliases.get(value.lower(), ""))
    return (label, True) if label in steps else (None, False)


def likely_label(head: str, value: str) -> str | None:
    """Return which of our labels a value may mean, judged by its words alone.

    Examples
    --------
    >>> likely_label("nature", "服务态度"), likely_label("severity", "紧急")
    ('service', 'critical')
    """
    for pattern, label in _LIKELY_STEPS.get(head, ()):
        if re.search(pattern, value):
            return label
    return None
