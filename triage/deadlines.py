"""Clocks: by when somebody must do what.

The internal service levels of the policy are counted here, in minutes and hours from the hour of
receipt. All times carry the zone Asia/Shanghai.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from triage.schema import Deadline, Grade, Milestone, in_shanghai

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
        A shorter time to the first response, where feeling or danger asks for a person at once.

    Returns
    -------
    list of Deadline
        Register, first response and plan, in that order; all of them binding.
    """
    received_at = in_shanghai(received_at)
    response: tuple[float, Unit] = (level.response_hours, "hours")
    because = f"{grade_name}级"
    if urgent_response_minutes is not None and urgent_response_minutes < level.response_hours * 60:
        response, because = (urgent_response_minutes, "minutes"), "情绪激烈或有人身风险"
    clocks: list[tuple[Milestone, float, Unit, str]] = [
        ("register", level.register_minutes, "minutes", f"{grade_name}级"),
        ("first_response", *response, because),
        ("plan", level.plan_hours, "hours", f"{grade_name}级"),
    ]
    return mark_binding(
        Deadline(
            regime=INTERNAL,
            milestone=milestone,
            party="company",
            due_at=received_at + timedelta(**{unit: value}),
            escalate_at=received_at + timedelta(**{unit: value * escalate_after}),
            binding=False,
            provisional=False,
            basis=f"内部服务时限：{why}，{value:g}{_UNIT_NAMES[unit]}内{milestone_name(milestone)}",
        )
        for milestone, value, unit, why in clocks
    )


def mark_binding(deadlines: Iterable[Deadline]) -> list[Deadline]:
    """Mark the earliest clock of each milestone and party as binding."""
    listed = list(deadlines)
    earliest: dict[tuple[str, str], Deadline] = {}
    for clock in listed:
        key = (clock.milestone, clock.party)
        if key not in earliest or clock.due_at < earliest[key].due_at:
            earliest[key] = clock
    return [
        replace(clock, binding=earliest[clock.milestone, clock.party] is clock) for clock in listed
    ]


def binding_clock(deadlines: Iterable[Deadline], milestone: Milestone) -> Deadline | None:
    """Return the company's binding clock of a milestone, if it has one."""
    return next(
        (
            clock
            for clock in deadlines
            if clock.binding and clock.milestone == milestone and clock.party == "company"
        ),
        None,
    )
