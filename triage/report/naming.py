"""What people call heads, labels, facts and their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from triage.data import COLUMN_NAMES
from triage.data.columns import KINDS
from triage.privacy import mask

VALUE_NAMES: Mapping[str, Mapping[str, str]] = MappingProxyType({
    "channel": {
        "web": "网站", "app": "手机应用", "wechat": "微信", "hotline": "客服热线",
        "email": "电子邮件", "letter": "来信", "store": "门店", "platform": "投诉平台",
        "survey": "回访问卷", "12315": "12315 转来", "12345": "12345 转来",
    },
    "kind": {kind: name for name, kind in reversed([*KINDS.items()])},
    "industry": {
        "ecommerce": "电商", "city_hotline": "城市热线", "food_delivery": "外卖", "car": "汽车",
        "hotel": "酒店", "education": "教育", "travel": "旅游", "courier": "快递",
        "medical": "医疗", "property": "物业", "telecom": "通信", "utilities": "水电气暖",
        "bank": "银行", "restaurant": "餐饮", "beauty_gym": "美容健身", "app_game": "应用与游戏",
        "insurance": "保险", "airline": "航空", "decoration": "装修",
    },
    "length": {"≤25": "25 字以内", "26–110": "26 到 110 字", ">110": "110 字以上"},
})  # fmt: skip
"""Chinese names of the ids that facts of the base corpus and the console use."""


@dataclass(frozen=True, slots=True)
class Naming:
    """Display names of labels, laid over the ids; what has no name is shown masked.

    Parameters
    ----------
    labels : mapping of head to mapping of label to str
    """

    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def head(self, head: str | None) -> str:
        """Return what a head is called; an unknown one is shown as it is."""
        return COLUMN_NAMES.get(head or "", mask(head or ""))

    def label(self, head: str | None, label: object) -> str:
        """Return what a label is called, a dash for none."""
        if label is None or label != label:
            return "—"
        known = self.labels.get(head or "", {}).get(str(label))
        return mask(known or str(label))

    def fact(self, fact: str) -> str:
        """Return what a column, or the length of the text, is called."""
        return "字数" if fact == "length" else COLUMN_NAMES.get(fact, mask(fact))

    def value(self, fact: str, value: str) -> str:
        """Return what a value of a fact is called."""
        return VALUE_NAMES.get(fact, {}).get(value, mask(value))

    def listed(self, head: str, labels: list[str]) -> str:
        """Return labels in one breath: 「重大」「特大」."""
        return "".join(f"「{self.label(head, label)}」" for label in labels)
