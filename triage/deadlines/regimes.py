"""Legal clocks: dated regimes, read from `regimes.yaml`, counted for one complaint."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from triage.deadlines.calendar import Due, WorkCalendar
from triage.schema import Complaint, Deadline, Grade, Kind, Milestone, Party, in_shanghai
from triage.settings import read_config
from triage.signals import NAMES as SIGNAL_NAMES

SHIPPED_REGIMES = Path(__file__).parents[1] / "regimes.yaml"

QUIET_KINDS: tuple[Kind, ...] = ("question", "suggestion", "praise")
"""Contacts that have no legal clock while their grade is minor."""

FACT_NAMES = {"complexity": "难易程度", "area": "城乡"}
FACT_VALUES = {"complexity": ("simple", "complex", "special"), "area": ("city", "countryside")}
"""Facts of a complaint that a clock may ask for, with their values."""

_UNIT_NAMES = {"hours": "小时", "days": "日", "working_days": "个工作日"}


def _check_signals(names: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in SIGNAL_NAMES]:
        raise ValueError(f"unknown signals {unknown}; known are {', '.join(SIGNAL_NAMES)}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class When(_Part):
    """What a clock needs to know; a fact that the complaint does not tell is unknown."""

    complexity: str | None = None
    area: str | None = None
    signals: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Self:
        for fact, values in FACT_VALUES.items():
            if (value := getattr(self, fact)) is not None and value not in values:
                raise ValueError(f"{fact} is {value!r}: it must be one of {', '.join(values)}")
        _check_signals(self.signals)
        return self


class Clock(_Part):
    """How long a party has for a milestone."""

    milestone: Milestone
    party: Party
    says: str = Field(description="What must be done, in Chinese.")
    hours: int | None = Field(None, gt=0)
    days: int | None = Field(None, gt=0)
    working_days: int | None = Field(None, gt=0)
    when: When = When()

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        given = [unit for unit in _UNIT_NAMES if getattr(self, unit) is not None]
        if len(given) != 1:
            raise ValueError(f"has {given or 'no unit'}: give one of {', '.join(_UNIT_NAMES)}")
        return self

    def due(self, received_at: datetime, calendar: WorkCalendar) -> Due:
        """Return when the clock ends."""
        if self.hours is not None:
            return Due(received_at + timedelta(hours=self.hours), provisional=False)
        if self.days is not None:
            return calendar.after_days(received_at, self.days)
        assert self.working_days is not None
        return calendar.after_working_days(received_at, self.working_days)

    @property
    def length(self) -> str:
        """The clock's length in Chinese."""
        unit = next(unit for unit in _UNIT_NAMES if getattr(self, unit) is not None)
        return f"{getattr(self, unit)}{_UNIT_NAMES[unit]}"


class Regime(_Part):
    """One dated set of clocks; it runs where all that it names fits the complaint."""

    name: str
    source: str
    checked: bool = True
    since: date = Field(alias="from")
    until: date | None = None
    kinds: tuple[Kind, ...] = ("complaint",)
    industries: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    natures: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    clocks: tuple[Clock, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        _check_signals(self.signals)
        if self.until is not None and self.until < self.since:
            raise ValueError(f"until {self.until} is before from {self.since}")
        return self

    def runs(self, case: Case) -> bool:
        """Tell whether the regime applies to a case."""
        if self.channels and case.channel not in self.channels:
            return False
        if self.industries and case.industry not in self.industries:
            return False
        if case.kind not in self.kinds:
            return False
        day = case.received_at.date()
        if day < self.since or (self.until is not None and day > self.until):
            return False
        about = (self.natures, self.signals, self.mentions)
        return not any(about) or (
            case.nature in self.natures
            or not case.signals.isdisjoint(self.signals)
            or any(word in case.text for word in self.mentions)
        )


class Regimes(RootModel[dict[str, Regime]]):
    """The whole of `regimes.yaml`."""


@dataclass(frozen=True, slots=True)
class Case:
    """What the regimes read of a complaint."""

    received_at: datetime
    text: str
    kind: Kind
    industry: str | None
    channel: str | None
    nature: str
    signals: frozenset[str]
    facts: Mapping[str, str | None]

    @classmethod
    def of(
        cls, complaint: Complaint, grade: Grade, nature: str, signals: Collection[str],
        industry: str | None,
    ) -> Self | None:  # fmt: skip
        """Return the case of a complaint with its `received_at`; None if no legal clock runs."""
        kind: Kind = complaint.kind or "complaint"
        if kind in QUIET_KINDS:
            if grade == "minor":
                return None
            kind = "complaint"
        assert complaint.received_at is not None
        return cls(
            in_shanghai(complaint.received_at), complaint.text, kind,
            complaint.industry or industry, complaint.channel, nature, frozenset(signals),
            {fact: getattr(complaint, fact) for fact in FACT_NAMES},
        )  # fmt: skip


def legal_deadlines(
    regimes: Mapping[str, Regime], case: Case, *, escalate_after: float, calendar: WorkCalendar
) -> list[Deadline]:
    """Count every clock of the regimes that apply.

    Parameters
    ----------
    regimes : mapping of id to Regime
        Those that are switched on.
    case : Case
    escalate_after : float
        The share of the time, 0 at once … 1 at the deadline, after which a superior is told.
    calendar : WorkCalendar

    Returns
    -------
    list of Deadline
        One for each milestone and party of each regime: the strictest that fits; see
        `mark_binding`.
    """
    return [
        _deadline(name, regime, clocks, case, escalate_after, calendar)
        for name, regime in regimes.items()
        if regime.runs(case)
        for clocks in _fitting(regime, case)
    ]


def _fitting(regime: Regime, case: Case) -> list[list[Clock]]:
    """Return the clocks that may hold, those of one milestone and party together."""
    found: dict[tuple[str, str], list[Clock]] = {}
    for clock in regime.clocks:
        facts = {fact: getattr(clock.when, fact) for fact in FACT_NAMES}
        known = all(value is None or case.facts[fact] in (value, None)
                    for fact, value in facts.items())  # fmt: skip
        if known and (not clock.when.signals or not case.signals.isdisjoint(clock.when.signals)):
            found.setdefault((clock.milestone, clock.party), []).append(clock)
    return list(found.values())


def _deadline(
    regime_id: str, regime: Regime, clocks: Sequence[Clock], case: Case,
    escalate_after: float, calendar: WorkCalendar,
) -> Deadline:  # fmt: skip
    """Count the strictest of clocks for one milestone and party; say what was not known."""
    dues = [clock.due(case.received_at, calendar) for clock in clocks]
    due, clock = min(zip(dues, clocks, strict=True), key=lambda pair: pair[0].at)
    unknown = [FACT_NAMES[fact] for fact in FACT_NAMES
               if getattr(clock.when, fact) and case.facts[fact] is None]  # fmt: skip
    notes = [f"{'、'.join(unknown)}未知，按最严的计"] if unknown else []
    if due.provisional:
        notes.append(f"{due.at.year}年放假安排未公布，暂按周一至周五计")
    if not regime.checked:
        notes.append("来源待核实")
    note = f"（{'；'.join(notes)}）" if notes else ""
    told_at = case.received_at + (due.at - case.received_at) * escalate_after
    return Deadline(
        regime=regime_id,
        milestone=clock.milestone,
        party=clock.party,
        due_at=due.at,
        escalate_at=told_at.replace(microsecond=0),
        binding=True,
        provisional=due.provisional,
        basis=f"{regime.name}：{clock.length}内{clock.says}{note}",
    )


def load_regimes(path: Path = SHIPPED_REGIMES) -> dict[str, Regime]:
    """Read a regimes file; the shipped one if none is named.

    Raises
    ------
    ConfigError
        If the file is missing or breaks its rules; one line a fault.
    """
    return read_config(path, Regimes)[0].root


@cache
def shipped_regimes() -> Mapping[str, Any]:
    """Return the shipped regimes, read once."""
    return load_regimes()
