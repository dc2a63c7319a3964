"""Clocks: by when somebody must do what. All times carry the zone Asia/Shanghai."""

from triage.deadlines.binding import binding_clock, mark_binding
from triage.deadlines.calendar import WorkCalendar
from triage.deadlines.internal import (
    INTERNAL,
    ServiceLevel,
    WorkingHours,
    internal_deadlines,
    milestone_name,
)
from triage.deadlines.regimes import (
    Case,
    Regime,
    legal_deadlines,
    load_regimes,
    shipped_regimes,
)

__all__ = [
    "INTERNAL",
    "Case",
    "Regime",
    "ServiceLevel",
    "WorkCalendar",
    "WorkingHours",
    "binding_clock",
    "internal_deadlines",
    "legal_deadlines",
    "load_regimes",
    "mark_binding",
    "milestone_name",
    "shipped_regimes",
]
