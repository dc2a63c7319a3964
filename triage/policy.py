"""The policy: from a severity distribution, signals and facts to grade, decision, route and words.

A policy is a YAML file that a manager changes; this room gives it meaning. Signals, amounts and
repeats only ever raise a grade. Every raise has a reason in plain Chinese.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from triage.deadlines import ServiceLevel, binding_clock, internal_deadlines
from triage.schema import (
    EMOTIONS,
    SEVERITIES,
    Certainty,
    Complaint,
    Deadline,
    Decision,
    Grade,
    Handling,
    Route,
    Signal,
    UsageError,
)
from triage.settings import read_config
from triage.signals import NAMES as SIGNAL_NAMES

SHIPPED = Path(__file__).with_name("policies")

_CERTAINTY_NAMES: dict[Certainty, str] = {
    "happened": "已发生",
    "hazard": "有隐患",
    "threatened": "扬言",
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Labels(_Part):
    """Display names in Chinese; a nature without one is shown by its own label."""

    nature: dict[str, str]
    severity: dict[Grade, str]
    emotion: dict[str, str]


class TargetPrecision(_Part):
    """How often the nature must be right for each decision, from 0 to 1."""

    auto: float = Field(gt=0, lt=1)
    suggest: float = Field(gt=0, lt=1)


class Team(_Part):
    """Who owns a matter."""

    team: str
    name: str


class Urgent(_Part):
    """Who is called by a person at once, and within how many minutes."""

    emotion: str
    signals: list[str]
    response_minutes: float = Field(gt=0)


class Conduct(_Part):
    """What to do and what not to do."""

    do: list[str]
    dont: list[str]


class PolicyFile(_Part):
    """The whole of a policy file."""

    name: str
    labels: Labels
    cost_matrix: dict[Grade, dict[Grade, float]]
    target_precision: TargetPrecision
    human_from: Grade
    signal_floors: dict[str, dict[Certainty, Grade]]
    vulnerable_steps: dict[str, int]
    amount_floors: dict[Grade, float]
    repeat_floors: dict[Grade, int]
    service_levels: dict[Grade, ServiceLevel]
    escalate_after: float = Field(gt=0, le=1)
    urgent: Urgent
    routes: dict[str, Team]
    default_route: Team
    desks: dict[Grade, str]
    heated_from: str
    heated_desk: str
    tier_desks: dict[str, str]
    copies: dict[str, list[str]]
    openings: dict[str, dict[str, str]]
    crisis_opening: str
    handling: dict[str, Conduct]
    signal_handling: dict[str, Conduct]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        faults = [
            *self._missing_steps(),
            *self._impatient_grades(),
            *self._unknown_names(),
            *(f"openings.{nature} lacks {_lacking(lines, EMOTIONS)}: write them"
              for nature, lines in self.openings.items() if _lacking(lines, EMOTIONS)),
        ]  # fmt: skip
        faults += [
            f"openings.{nature}.{emotion} holds {place!r}: the only placeholder is {{time}}"
            for nature, lines in self.openings.items()
            for emotion, line in lines.items()
            for place in re.findall(r"\{[^}]*\}", line)
            if place != "{time}"
        ]
        if "default" not in self.openings:
            faults.append("openings lacks 'default', for natures without lines of their own")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _missing_steps(self) -> list[str]:
        tables: dict[str, Mapping[Grade, object]] = {
            "labels.severity": self.labels.severity,
            "cost_matrix": self.cost_matrix,
            "service_levels": self.service_levels,
            "desks": self.desks,
            **{f"cost_matrix.{step}": row for step, row in self.cost_matrix.items()},
        }
        faults = [f"{where} lacks {_lacking(table, SEVERITIES)}: every step needs one"
                  for where, table in tables.items() if _lacking(table, SEVERITIES)]  # fmt: skip
        for where, table in (("labels.emotion", self.labels.emotion), ("handling", self.handling)):
            if _lacking(table, EMOTIONS):
                faults.append(f"{where} lacks {_lacking(table, EMOTIONS)}: every step needs one")
        return faults

    def _impatient_grades(self) -> list[str]:
        """Find graver grades that wait longer than a milder one."""
        faults = []
        for milder, graver in zip(SEVERITIES, SEVERITIES[1:], strict=False):
            levels = self.service_levels
            if milder not in levels or graver not in levels:
                continue
            for field in ServiceLevel.model_fields:
                slow, quick = getattr(levels[graver], field), getattr(levels[milder], field)
                if slow > quick:
                    faults.append(
                        f"service_levels.{graver}.{field} is {slow:g} but {milder}'s is "
                        f"{quick:g}: a graver grade must not wait longer"
                    )
        return faults

    def _unknown_names(self) -> list[str]:
        tables: dict[str, Sequence[str]] = {
            "signal_floors": list(self.signal_floors),
            "vulnerable_steps": list(self.vulnerable_steps),
            "copies": list(self.copies),
            "signal_handling": list(self.signal_handling),
            "urgent.signals": self.urgent.signals,
        }
        faults = [
            f"{where} names the unknown signal {name!r}: known are {', '.join(SIGNAL_NAMES)}"
            for where, names in tables.items()
            for name in names
            if name not in SIGNAL_NAMES
        ]
        faults += [
            f"{where} is {value!r}: it must be one of {', '.join(EMOTIONS)}"
            for where, value in (("urgent.emotion", self.urgent.emotion),
                                 ("heated_from", self.heated_from))
            if value not in EMOTIONS
        ]  # fmt: skip
        faults += [
            f"routes lacks {nature!r}, which labels.nature names: give it a team"
            for nature in self.labels.nature
            if nature not in self.routes
        ]
        return faults


def _lacking(table: Collection[str], names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in table]


class Policy:
    """A policy file in force.

    Parameters
    ----------
    file : PolicyFile
        Its validated content.
    digest : str
        SHA-256 of the file; its beginning is part of `version`.
    """

    def __init__(self, file: PolicyFile, digest: str) -> None:
        self.file = file
        self.version = f"{file.name}@{digest[:8]}"
        self._by_name = {name: nature for nature, name in file.labels.nature.items()}

    def name_of(self, head: str, label: str) -> str:
        """Return the Chinese display name of a label, or the label itself."""
        names: Mapping[str, str] = getattr(self.file.labels, head)
        return names.get(label, label)

    def known_nature(self, label: str) -> str:
        """Return the policy's id of a nature that a company calls by its display name."""
        return label if label in self.file.routes else self._by_name.get(label, label)

    def starting_step(self, distribution: Mapping[str, float]) -> Grade:
        """Return the step of least expected cost, never below the most probable one.

        Parameters
        ----------
        distribution : mapping of str to float
            Probability of each severity step; adds up to 1.
        """
        costs = self.file.cost_matrix
        likeliest = max(SEVERITIES, key=lambda step: distribution[step])
        expected = {
            assigned: sum(distribution[true] * costs[true][assigned] for true in costs)
            for assigned in costs
        }
        cheapest = min(costs, key=lambda step: expected[step])
        return max(cheapest, likeliest, key=SEVERITIES.index)

    def grade(
        self,
        distribution: Mapping[str, float],
        signals: Sequence[Signal],
        amount: float | None = None,
        repeat_count: int | None = None,
    ) -> tuple[Grade, list[str]]:
        """Decide the grade.

        Parameters
        ----------
        distribution : mapping of str to float
            Probability of each severity step.
        signals : sequence of Signal
            What was found in the text or follows from facts.
        amount : float, optional
            Loss or disputed sum in yuan.
        repeat_count : int, optional
            Contacts about the matter before this one.

        Returns
        -------
        grade : str
            One of the four steps; more signals, a larger amount or more repeats never lower it.
        reasons : list of str
            What the model says and each raise, in plain Chinese.
        """
        likeliest = max(SEVERITIES, key=lambda step: distribution[step])
        grade = self.starting_step(distribution)
        name = self.file.labels.severity
        reasons = [f"模型判断严重程度为「{name[likeliest]}」（{distribution[likeliest]:.0%}）"]
        if grade != likeliest:
            reasons.append(f"低估的代价高于高估，从「{name[grade]}」起评")
        steps, why = self._vulnerable_steps(signals)
        if steps and (raised := SEVERITIES[min(SEVERITIES.index(grade) + steps, 3)]) != grade:
            grade = raised
            reasons.append(f"{why}，上调为「{name[grade]}」")
        for floor, why in sorted(
            self._floors(signals, amount, repeat_count), key=lambda item: -SEVERITIES.index(item[0])
        ):
            if SEVERITIES.index(floor) > SEVERITIES.index(grade):
                grade = floor
                reasons.append(f"{why}，上调为「{name[floor]}」")
            elif floor == grade and grade != "minor":
                reasons.append(f"{why}，不低于「{name[floor]}」")
        return grade, reasons

    def _vulnerable_steps(self, signals: Sequence[Signal]) -> tuple[int, str]:
        """Return how many steps a person in need of care raises the grade, and why."""
        if not any(signal.name == "vulnerable" for signal in signals):
            return 0, ""
        steps = [self.file.vulnerable_steps.get(signal.name, 0) for signal in signals]
        return max(steps, default=0), "涉及需要照顾的人（老人、孩子、孕妇、残疾人等）"

    def _floors(
        self, signals: Sequence[Signal], amount: float | None, repeat_count: int | None
    ) -> list[tuple[Grade, str]]:
        """Return each floor that holds with its reason, one a signal."""
        found: dict[str, tuple[Grade, str]] = {}
        for signal in signals:
            floor = self.file.signal_floors.get(signal.name, {}).get(signal.certainty)
            if floor is None:
                continue
            known = found.get(signal.name)
            if known is None or SEVERITIES.index(known[0]) < SEVERITIES.index(floor):
                what = f"「{signal.text}」" if signal.text else "已知事实"
                found[signal.name] = (floor, f"出现{what}（{_CERTAINTY_NAMES[signal.certainty]}）")
        floors = list(found.values())
        if amount is not None:
            floors += [(step, f"涉及金额 {amount:,.0f} 元") for step in _reached(
                self.file.amount_floors, amount)]  # fmt: skip
        if repeat_count is not None:
            floors += [(step, f"此前已联系 {repeat_count} 次") for step in _reached(
                self.file.repeat_floors, repeat_count)]  # fmt: skip
        return floors

    def decide(
        self, sureness: float, thresholds: Mapping[str, float], grade: Grade, *, routed: bool = True
    ) -> Decision:
        """Decide whether the answer may go out alone.

        Parameters
        ----------
        sureness : float
            Probability of the nature, 0 to 1.
        thresholds : mapping
            The artifact's `auto` and `suggest`, chosen to reach the target precisions.
        grade : str
            The grade; from `human_from` on nothing is automatic.
        routed : bool
            Whether the nature has a route of its own; without one nothing is automatic.
        """
        if sureness < thresholds["suggest"]:
            return "review"
        human = SEVERITIES.index(grade) >= SEVERITIES.index(self.file.human_from)
        sure = sureness >= thresholds["auto"]
        return "auto" if sure and routed and not human else "suggest"

    def route(
        self, nature: str, grade: Grade, emotion: str, tier: str | None, signals: Sequence[Signal]
    ) -> tuple[Route, bool]:
        """Choose team, desk and copies.

        Returns
        -------
        route : Route
            Where the complaint goes.
        known : bool
            False where the nature has no route and the default one was taken.
        """
        owner = self.file.routes.get(self.known_nature(nature))
        desk = self.file.desks[grade]
        if grade == "minor":
            desk = self.file.tier_desks.get(tier or "", desk)
            if EMOTIONS.index(emotion) >= EMOTIONS.index(self.file.heated_from):
                desk = self.file.heated_desk
        copies = [copy for signal in signals for copy in self.file.copies.get(signal.name, ())]
        team = owner or self.file.default_route
        return Route(team.team, team.name, desk, list(dict.fromkeys(copies))), owner is not None

    def deadlines(
        self, complaint: Complaint, grade: Grade, emotion: str, signals: Sequence[Signal]
    ) -> list[Deadline]:
        """Return every clock of a complaint whose `received_at` is set."""
        assert complaint.received_at is not None
        urgent = self.file.urgent
        at_once = EMOTIONS.index(emotion) >= EMOTIONS.index(urgent.emotion) or any(
            signal.name in urgent.signals for signal in signals
        )
        return internal_deadlines(
            self.file.service_levels[grade],
            grade,
            self.file.labels.severity[grade],
            complaint.received_at,
            escalate_after=self.file.escalate_after,
            urgent_response_minutes=urgent.response_minutes if at_once else None,
        )

    def handling(
        self, nature: str, emotion: str, signals: Sequence[Signal], deadlines: Sequence[Deadline]
    ) -> Handling:
        """Choose the opening line and the advice; its time is the binding clock's."""
        names = list(dict.fromkeys(signal.name for signal in signals))
        lines = self.file.openings.get(self.known_nature(nature), self.file.openings["default"])
        opening = self.file.crisis_opening if "self_harm" in names else lines[emotion]
        clock = binding_clock(deadlines, "first_response")
        opening = opening.replace("{time}", f"{clock.due_at:%m月%d日%H:%M}" if clock else "今天")
        parts = [self.file.signal_handling[name] for name in names
                 if name in self.file.signal_handling]  # fmt: skip
        parts.append(self.file.handling[emotion])
        return Handling(
            opening,
            list(dict.fromkeys(line for part in parts for line in part.do)),
            list(dict.fromkeys(line for part in parts for line in part.dont)),
        )

    def decision_reason(self, decision: Decision, sureness: float, grade: Grade) -> str:
        """Say in plain Chinese why the decision is what it is."""
        if decision == "review":
            return f"性质把握只有 {sureness:.0%}，请人工判断"
        if decision == "auto":
            return f"性质把握 {sureness:.0%}，可自动分派"
        if SEVERITIES.index(grade) >= SEVERITIES.index(self.file.human_from):
            return f"处置等级为「{self.file.labels.severity[grade]}」，须由人确认"
        return f"性质把握 {sureness:.0%}，建议人工确认后分派"


def _reached(floors: Mapping[Grade, float], value: float) -> list[Grade]:
    """Return the gravest step whose floor the value reaches, as a list of none or one."""
    reached = [step for step, floor in floors.items() if value >= floor]
    return [max(reached, key=SEVERITIES.index)] if reached else []


def load_policy(name: str | Path = "default") -> Policy:
    """Load a shipped policy by name, or a policy file by path.

    Raises
    ------
    UsageError
        If neither a shipped policy nor a file has that name.
    ConfigError
        If the file breaks its rules; one line a fault.
    """
    shipped = SHIPPED / f"{name}.yaml"
    path = shipped if shipped.is_file() else Path(name)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
        raise UsageError(f"No policy named {name}: give a path of a file, or one of {known}.")
    return Policy(*read_config(path, PolicyFile))
