"""The nouns of the product and the tree of its errors.

TriageError                 everything that triage raises on purpose
├── UsageError              a wrong option, column name or path: exit code 2
├── DataError               a file or a row that can't be used: exit code 1
│   └── TextError           one complaint that can't be assessed
├── ArtifactError           a model folder that is missing, changed or does not fit: exit code 1
└── ConfigError             a policy, signal or settings file that breaks its rules: exit code 1

Every error carries a stable `code` for machines; its message says what, where, what was found and
what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

SHANGHAI = ZoneInfo("Asia/Shanghai")

Grade = Literal["minor", "major", "critical", "severe"]

SEVERITIES: tuple[Grade, ...] = ("minor", "major", "critical", "severe")
"""Severity steps from the mildest to the gravest; grades use the same four."""

EMOTIONS: tuple[str, ...] = ("calm", "annoyed", "angry", "furious")
"""Emotion steps from the coolest to the most heated."""

ORDERED_HEADS: Mapping[str, tuple[str, ...]] = {"severity": SEVERITIES, "emotion": EMOTIONS}
"""The heads whose labels are steps, each with its steps in order."""

HEADS: tuple[str, ...] = ("nature", *ORDERED_HEADS)
"""The heads that learn from a column of the same name."""

HEAD_NAMES: Mapping[str, str] = {"nature": "性质", "severity": "严重程度", "emotion": "情绪"}
"""What people call the heads."""

CHANNELS = ("web", "app", "wechat", "hotline", "email", "letter", "store", "platform", "survey",
            "12315", "12345")  # fmt: skip
"""Known channel ids; `channel` itself is free text."""

Decision = Literal["auto", "suggest", "review"]
Certainty = Literal["happened", "hazard", "threatened"]
Kind = Literal["complaint", "report", "question", "suggestion", "help", "praise"]
Milestone = Literal["register", "accept", "first_response", "plan", "resolve", "refund", "repair"]
Party = Literal["company", "authority"]


class TriageError(Exception):
    """Anything that triage refuses on purpose.

    Parameters
    ----------
    message : str
        What is wrong, where, what was found and what to do.
    code : str, optional
        A stable identifier for machines; the class has a default.
    """

    code: str = "triage_error"
    exit_code: int = 1

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class UsageError(TriageError):
    """A wrong option, column name or path."""

    code = "usage"
    exit_code = 2


class DataError(TriageError):
    """A file or a row that can't be used."""

    code = "data"


class TextError(DataError):
    """One complaint that can't be assessed."""

    code = "text_invalid"


TEXT_FAULTS = {
    "text_empty": "没有可读的内容，请填写投诉原文",
    "text_too_long": "内容超过长度上限，请只发送投诉正文，不带附件",
    "text_invalid": "投诉内容必须是文字",
}
"""What people are told of a `TextError`, by its code."""


class ArtifactError(TriageError):
    """A model folder that is missing, changed or does not fit this installation."""

    code = "artifact_invalid"


class ConfigError(TriageError):
    """A policy, signal or settings file that breaks its own rules."""

    code = "config_invalid"


class Span(NamedTuple):
    """Character offsets `[start, end)` into the text as sent."""

    start: int
    end: int


def in_shanghai(moment: datetime) -> datetime:
    """Return `moment` in Asia/Shanghai; a naive time is taken as Shanghai's."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=SHANGHAI)
    return moment.astimezone(SHANGHAI)


_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")


def replace_surrogates(text: object) -> object:
    """Replace lone surrogates, which no encoder accepts, and NUL, which PostgreSQL refuses."""
    return _UNKEEPABLE.sub("\ufffd", text) if isinstance(text, str) else text


Text = Annotated[str, Field(strict=True), BeforeValidator(replace_surrogates)]
Name = Annotated[str, BeforeValidator(replace_surrogates), Field(max_length=200)]


def need_number(value: object) -> object:
    """Refuse truth values and texts, which would be read as numbers.

    Raises
    ------
    ValueError
        If it is one of them.
    """
    if isinstance(value, bool | str):
        raise ValueError("it must be a number")
    return value


Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False), BeforeValidator(need_number)]
Count = Annotated[int, Field(ge=0, le=100_000), BeforeValidator(need_number)]

_NUMBER = re.compile(r"\s*[-+]?[\d_.]+([eE][-+]?\d+)?\s*")


def refuse_number(moment: object) -> object:
    """Refuse a number in place of a time: 20261122 would be read as seconds, a day in 1970.

    Raises
    ------
    ValueError
        If it is one, or a text of one.
    """
    if isinstance(moment, int | float) or (isinstance(moment, str) and _NUMBER.fullmatch(moment)):
        raise ValueError("a number is no time: write 2026-11-22T09:30:00+08:00")
    return moment


def plausible_time(moment: datetime) -> datetime:
    """Return `moment` in Asia/Shanghai.

    Raises
    ------
    ValueError
        If its year is before 1970 or after 2200, as database fillers are.
    """
    if not 1970 <= moment.year <= 2200:
        raise ValueError("the year must lie between 1970 and 2200")
    return in_shanghai(moment)


ShanghaiTime = Annotated[datetime, BeforeValidator(refuse_number), AfterValidator(plausible_time)]


class Complaint(BaseModel):
    """One complaint as it comes in: its text and the facts that are known.

    Unknown fields are refused, so that a misspelt fact is not lost in silence.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "text": "快递把冰箱摔坏了，客服一直不理，再不处理我就打12315",
                    "channel": "app",
                    "customer_id": "c1",
                    "received_at": "2026-11-22T09:30:00+08:00",
                }
            ]
        },
    )

    text: Text = Field(
        description="The complaint in the customer's or operator's words.",
        json_schema_extra={"minLength": 1, "pattern": r"\S"},
    )
    id: Name | None = Field(None, description="The caller's own id of the ticket.")
    kind: Kind | None = Field(None, description="Kind of contact 来件类型, where intake knows it.")
    channel: Name | None = Field(
        None, description=f"Where it came in 渠道; known ids: {' '.join(CHANNELS)}."
    )
    industry: Name | None = Field(None, description="Industry 行业.")
    product: Name | None = Field(None, description="Product or service concerned 产品.")
    region: Name | None = Field(None, description="Region 地区.")
    customer_id: Name | None = Field(None, description="Customer id 客户编号.")
    customer_tier: Name | None = Field(
        None, description="Customer tier 客户等级: may change the desk, never grade or clock."
    )
    received_at: ShanghaiTime | None = Field(
        None, description="When it came in 受理时间; now if absent, Shanghai time if naive."
    )
    amount: Amount | None = Field(
        None, description="Loss or disputed sum in yuan 涉及金额; overrides what the text says."
    )
    repeat_count: Count | None = Field(
        None, description="Contacts about the matter before this one 重复次数."
    )
    complexity: Literal["simple", "complex", "special"] | None = Field(
        None, description="How hard the case is 难易程度, where a legal clock depends on it."
    )
    area: Literal["city", "countryside"] | None = Field(
        None, description="City or countryside 城乡, where a legal clock depends on it."
    )
    resolution: Text | None = Field(None, description="How a past ticket was settled 处理结果.")


@dataclass(frozen=True, slots=True)
class Alternative:
    """One label with its probability, 0 impossible … 1 certain."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class NaturePrediction:
    """What the complaint is about: the likeliest nature and the next ones."""

    label: str
    name: str
    probability: float
    alternatives: list[Alternative]


@dataclass(frozen=True, slots=True)
class StepPrediction:
    """The most probable step of an ordered head with the distribution over all of them."""

    label: str
    name: str
    probability: float
    distribution: dict[str, float]


@dataclass(frozen=True, slots=True)
class Signal:
    """A risk signal; `span` and `text` are None where it comes from facts."""

    name: str
    certainty: Certainty
    span: Span | None
    text: str | None


@dataclass(frozen=True, slots=True)
class Route:
    """The team that owns the matter, the desk that answers and who gets a copy."""

    team: str
    name: str
    desk: str
    copies: list[str]


@dataclass(frozen=True, slots=True)
class Deadline:
    """One clock: who must do what by when, and why.

    `binding` marks the earliest clock of its milestone and party; `provisional` a date computed
    without a published calendar.
    """

    regime: str
    milestone: Milestone
    party: Party
    due_at: datetime
    escalate_at: datetime
    binding: bool
    provisional: bool
    basis: str

    def remaining(self, at: datetime) -> timedelta:
        """Return the time that is left at a moment; negative once it is overdue."""
        return self.due_at - in_shanghai(at)

    def overdue(self, at: datetime) -> bool:
        """Tell whether the time has run out at a moment."""
        return self.remaining(at) < timedelta(0)


@dataclass(frozen=True, slots=True)
class Handling:
    """How to answer: an opening line that names feeling and fact, what to do, what not to do."""

    opening: str
    do: list[str]
    dont: list[str]


@dataclass(frozen=True, slots=True)
class Contribution:
    """A stretch of text and what it weighs toward a label: what the margin loses without it."""

    span: Span
    text: str
    weight: float
    toward: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """The whole answer about one complaint.

    `sentiment` runs from 0, most negative, to 1, most positive. Spans are offsets into the text as
    sent, and hold in `masked_text` too. `degraded` names the parts that fell back.
    """

    id: str | None
    revision: int
    model_version: str
    policy_version: str
    stored: bool
    received_at: datetime
    masked_text: str
    nature: NaturePrediction
    severity: StepPrediction
    emotion: StepPrediction
    sentiment: float
    signals: list[Signal]
    grade: Grade
    grade_name: str
    decision: Decision
    route: Route
    deadlines: list[Deadline]
    reasons: list[str]
    handling: Handling
    explanation: list[Contribution]
    degraded: list[str]
