"""A company's own service levels, in minutes and hours from the hour of receipt."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from triage.deadlines.calendar import Due, WorkCalendar
from triage.schema import SEVERITIES, SHANGHAI, Deadline, Grade, Milestone, in_shanghai

INTERNAL = "internal"
"""The regime of a company's own service levels."""

Unit = Literal["minutes", "hours"]

_UNIT_NAMES = {"minutes": "分钟", "hours": "小时"}
_MILESTONE_NAMES: dict[Milestone, str] = {
    "register": "登记",
    "accept": "受理",
    "first_response": "首次回应",
    "plan": "给出方案或结果",
    "resolve": "办结",
    "refund": "退款",
    "repair": "修复",
}


class ServiceLevel(BaseModel):
    """How soon a grade must be registered, answered and given a plan or result."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    register_minutes: float = Field(gt=0, description="Registered within, in minutes.")
    response_hours: float = Field(gt=0, description="First response within, in hours.")
    plan_hours: float = Field(gt=0, description="Plan or result within, in hours.")


class WorkingHours(BaseModel):
    """When a desk is open; clocks of the named grades stand still outside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opens: time = Field(description="The desk opens at, such as '09:00'.")
    closes: time = Field(description="The desk closes at, such as '18:00'.")
    grades: tuple[Grade, ...] = Field(("minor", "major"), description="Grades that wait for it.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.closes <= self.opens:
            raise ValueError(f"closes {self.closes} must be after opens {self.opens}")
        if set(self.grades) != set(SEVERITIES[: len(self.grades)]):
            raise ValueError(
                f"grades {list(self.grades)} must be the mildest ones: a graver grade must not "
                "wait for the desk to open while a milder one does not"
            )
        return self

    def after(self, start: datetime, length: timedelta, calendar: WorkCalendar) -> Due:
        """Return the moment when so much working time has passed since `start`."""
        day, at, known = start.date(), start, True
        while True:
            known = known and calendar.published(day)
            if calendar.is_working_day(day):
                begin = max(at, self._on(day, self.opens))
                room = self._on(day, self.closes) - begin
                if length <= room:
                    return Due(begin + length, not known)
                length -= max(room, timedelta(0))
            day += timedelta(days=1)

    @staticmethod
    def _on(day: date, hour: time) -> datetime:
        return datetime.combine(day, hour, SHANGHAI)


def milestone_name(milestone: Milestone) -> str:
    """Return the Chinese name of a milestone."""
    return _MILESTONE_NAMES[milestone]


def internal_deadlines(
    level: ServiceLevel,
    grade: Grade,
    grade_name: str,
    received_at: datetime,
    *,
    escalate_after: float,
    urgent_response_minutes: float | None = None,
    hours: WorkingHours | None = None,
    calendar: WorkCalendar | None = None,
) -> list[Deadline]:
    """Count a company's own service levels.

    Parameters
    ----------
    level : ServiceLevel
        The levels of the grade.
    grade, grade_name : str
        The grade's id and its Chinese name, for the basis.
    received_at : datetime
        When the complaint came in; naive is taken as Shanghai's.
    escalate_after : float
        The share of the time, 0 at once … 1 at the deadline, after which a superior is told.
    urgent_response_minutes : float, optional
        A shorter time to the first response, where feeling or danger asks for a person at once,
        whether the desk is open or not.
    hours : WorkingHours, optional
        When the desk is open; always if absent.
    calendar : WorkCalendar, optional
        Its working days; the published ones if absent.

    Returns
    -------
    list of Deadline
        Register, first response and plan, in that order; see `mark_binding`.
    """
    received_at = in_shanghai(received_at)
    response: tuple[float, Unit] = (level.response_hours, "hours")
    because = f"{grade_name}级"
    urgent = (
        urgent_response_minutes is not None and urgent_response_minutes <= level.response_hours * 60
    )
    if urgent:
        assert urgent_response_minutes is not None
        response, because = (urgent_response_minutes, "minutes"), "情绪激烈或有人身风险"
    clocks: list[tuple[Milestone, float, Unit, str]] = [
        ("register", level.register_minutes, "minutes", f"{grade_name}级"),
        ("first_response", *response, because),
        ("plan", level.plan_hours, "hours", f"{grade_name}级"),
    ]
    waits = hours if hours is not None and grade in hours.grades else None
    found = []
    for milestone, value, unit, why in clocks:
        length = timedelta(**{unit: value})
        due, part = (Due(received_at + share * length, False) for share in (1, escalate_after))
        note = ""
        if waits and not (urgent and milestone == "first_response"):
            known = calendar or WorkCalendar()
            due, part = (waits.after(received_at, share * length, known)
                         for share in (1, escalate_after))  # fmt: skip
            unknown = (
                f"；{due.at.year}年放假安排未公布，暂按周一至周五计" if due.provisional else ""
            )
            note = f"（按工作时间计{unknown}）"
        found.append(
            Deadline(
                regime=INTERNAL,
                milestone=milestone,
                party="company",
                due_at=due.at,
                escalate_at=part.at,
                binding=True,
                provisional=due.provisional,
                basis=f"内部服务时限：{why}，{value:g}{_UNIT_NAMES[unit]}内"
                f"{milestone_name(milestone)}{note}",
            )
        )
    return found
