"""Which clock of a milestone and party binds: the earliest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from triage.schema import Deadline, Milestone


def mark_binding(deadlines: Iterable[Deadline]) -> list[Deadline]:
    """Leave the earliest clock of each milestone and party binding, and no other."""
    listed = list(deadlines)
    earliest: dict[tuple[str, str], Deadline] = {}
    for clock in listed:
        key = (clock.milestone, clock.party)
        if key not in earliest or clock.due_at < earliest[key].due_at:
            earliest[key] = clock
    return [
        clock if earliest[clock.milestone, clock.party] is clock else replace(clock, binding=False)
        for clock in listed
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
