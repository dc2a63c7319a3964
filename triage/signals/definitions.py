"""What `signals.yaml` holds: phrases in a small language, guards and the words they go by."""

from __future__ import annotations

import re
from math import prod
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, field_validator

from triage.schema import Certainty

NAMES = ("self_harm", "injury", "food_safety", "fire_safety", "fraud", "privacy", "legal",
         "regulator", "media", "group", "repeat", "vulnerable", "churn", "violence", "outage",
         "malicious", "abuse")  # fmt: skip
"""Signal names in the order of FIELD's table; they are part of the contract."""

Guard = Literal["hypothesis", "settled", "quotation", "dare", "doubt", "own_channel"]

_GAP = r"[^,。.!?;\n没未不]{0,6}?"
_NUMBER = r"(?:\d{1,8}|[一二两三四五六七八九十百千]{1,8})(?:几|多|余|来)?"
_SEVERAL = (
    r"(?:好几|很多|无数|许多|好多|几十|上百|一百|多|n|几"
    r"|(?:[2-9]|\d{2,8}|[二两三四五六七八九十百千]{1,8})(?:几|多|余|来)?)"
)
_COMMON = frozenset(
    "的了我是不有一在人来到出没给打说要都就还去着上里个多次天把被也再后过他你们家好看用买退钱"
)
_GROUP = re.compile(r"\([^()]*\)\??|[…NM]")


class SignalDefinition(BaseModel):
    """What one signal is made of; phrases stand in one string, parted by blanks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    guards: frozenset[Guard] = frozenset()
    act: bool = False
    happened: tuple[str, ...] = ()
    hazard: tuple[str, ...] = ()
    threatened: tuple[str, ...] = ()
    neutral: tuple[str, ...] = ()

    @field_validator("happened", "hazard", "threatened", "neutral", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value


class Cues(BaseModel):
    """The words by which each guard is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    negation: tuple[str, ...]
    filler: tuple[str, ...]
    brief_negation: tuple[str, ...]
    brief_filler: tuple[str, ...]
    double: tuple[str, ...]
    negated_after: tuple[str, ...]
    hypothesis: tuple[str, ...]
    some_day: tuple[str, ...]
    question: tuple[str, ...]
    threat: tuple[str, ...]
    done: tuple[str, ...]
    settled: tuple[str, ...]
    quotation: tuple[str, ...]
    doubt: tuple[str, ...]
    own_channel: tuple[str, ...]

    @field_validator("*", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value


class SignalFile(BaseModel):
    """The whole of `signals.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cues: Cues
    signals: dict[str, SignalDefinition]

    @field_validator("signals")
    @classmethod
    def _known_names(cls, value: dict[str, SignalDefinition]) -> dict[str, SignalDefinition]:
        if unknown := set(value) - set(NAMES):
            raise ValueError(f"unknown signals {sorted(unknown)}; known are {', '.join(NAMES)}")
        return value


class Mention(NamedTuple):
    """One place where a signal is mentioned, with its span in the normalised text.

    `guard` names what makes it count for nothing, and is None where it counts.
    """

    name: str
    certainty: Certainty
    start: int
    end: int
    guard: str | None


def anchors(phrase: str) -> tuple[str, ...]:
    """Return texts of which one at least stands in every text that a phrase matches.

    Of the plain parts and the groups of a phrase the one is taken whose shortest text is longest:
    the fewer texts hold it, the less often the phrase is tried.

    Examples
    --------
    >>> anchors("打了M(个|次)…电话"), anchors("住院"), anchors("(喝|吞)…(农药|敌敌畏)")
    (('打了',), ('住院',), ('农药', '敌敌畏'))
    """
    choices = _choices(phrase)
    return max(choices, key=lambda texts: (min(map(len, texts)), -len(texts)), default=("",))


def rarest(phrase: str) -> tuple[str, ...]:
    """Return texts like `anchors`, but those that fewest texts hold, as far as lengths tell.

    Examples
    --------
    >>> rarest("(吃|嚼|咬)(到|出)…(蛆|玻璃|塑料|石子)"), rarest("(缝|打)了N针")
    (('蛆', '玻璃', '塑料', '石子'), ('针',))
    """
    return min(_choices(phrase), key=lambda texts: sum(map(_commonness, texts)), default=("",))


def _choices(phrase: str) -> list[tuple[str, ...]]:
    """Return the plain parts of a phrase, and what its groups choose from."""
    choices: list[tuple[str, ...]] = [(part,) for part in _GROUP.split(phrase) if part]
    for group in re.findall(r"\(([^()]*)\)(?!\?)", phrase):
        choices.append(tuple(max(_GROUP.split(part), key=len) for part in group.split("|")))
    return choices


def _commonness(text: str) -> float:
    """Return about what share of all texts holds a text."""
    return prod(0.3 if char in _COMMON else 0.03 for char in text)


def phrase_to_regex(phrase: str) -> str:
    """Translate a phrase with `…`, `N`, `M` and `(a|b)` to a regular expression.

    Examples
    --------
    >>> import re
    >>> bool(re.search(phrase_to_regex("打了M(个|次)…电话"), "打了十几个投诉电话"))
    True
    """
    parts = []
    for part in re.split(r"(\([^()]*\)\??|[…NM])", phrase):
        if part.startswith("("):
            inner = "|".join(phrase_to_regex(choice) for choice in part.strip("()?").split("|"))
            parts.append(f"(?:{inner}){'?' if part.endswith('?') else ''}")
        else:
            parts.append({"…": _GAP, "N": _NUMBER, "M": _SEVERAL}.get(part, re.escape(part)))
    return "".join(parts)


def one_of(phrases: tuple[str, ...]) -> str:
    """Return a group that matches any of the phrases, the longest first."""
    return f"(?:{'|'.join(map(phrase_to_regex, sorted(phrases, key=len, reverse=True)))})"
