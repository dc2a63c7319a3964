"""The policy in force: from a severity distribution, signals and facts to grade, route and words.

Signals, amounts and repeats only ever raise a grade. Every raise has a reason in plain Chinese and
the path of the rule in the policy file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from operator import mul
from pathlib import Path
from typing import NamedTuple

from triage.deadlines import (
    Case,
    WorkCalendar,
    binding_clock,
    internal_deadlines,
    legal_deadlines,
    mark_binding,
    shipped_regimes,
)
from triage.policy.file import PolicyFile, read_policy_file
from triage.privacy import mask
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
)

_CERTAINTY_NAMES: dict[Certainty, str] = {
    "happened": "已发生",
    "hazard": "有隐患",
    "threatened": "扬言",
}


KEPT_CLOCKS = 1_024
"""Moments of receipt whose clocks are kept: complaints of one second or one batch share them."""


class Rule(NamedTuple):
    """One rule of a policy that had its say: where it stands, the grade after it, and why."""

    path: str
    grade: Grade
    reason: str


class Policy:
    """A policy file in force.

    Parameters
    ----------
    file : PolicyFile
        Its validated content.
    digest : str
        SHA-256 of the file; its beginning is part of `version`.
    calendar : WorkCalendar, optional
        Working days and holidays; the published ones if absent.
    """

    def __init__(self, file: PolicyFile, digest: str, calendar: WorkCalendar | None = None) -> None:
        self.file = file
        self.calendar = calendar or WorkCalendar()
        regimes = shipped_regimes()
        self._regimes = {name: regimes[name] for name in file.regimes}
        self.version = f"{file.name}@{digest[:8]}"
        self._by_name = {name: nature for nature, name in file.labels.nature.items()}
        matrix = file.cost_matrix
        self._costs = {step: [matrix[true][step] for true in matrix] for step in matrix}
        self._own_clocks = lru_cache(KEPT_CLOCKS)(self._count_own_clocks)

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
        shares = [distribution[true] for true in self.file.cost_matrix]
        expected = {step: sum(map(mul, shares, costs)) for step, costs in self._costs.items()}
        cheapest = min(expected, key=expected.__getitem__)
        return max(cheapest, _likeliest(distribution), key=_rank)

    def grade(
        self,
        distribution: Mapping[str, float],
        signals: Sequence[Signal],
        amount: float | None = None,
        repeat_count: int | None = None,
    ) -> tuple[Grade, list[Rule]]:
        """Decide the grade.

        Steps up are applied first, then the highest floor.

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
        rules : list of Rule
            What had its say, from the model's answer on.
        """
        likeliest = _likeliest(distribution)
        name = self.file.labels.severity
        sure = f"{distribution[likeliest]:.0%}"
        rules = [Rule("model", likeliest, f"模型判断严重程度为「{name[likeliest]}」（{sure}）")]
        grade = self.starting_step(distribution)
        if grade != likeliest:
            why = f"低估的代价高于高估，从「{name[grade]}」起评"
            rules.append(Rule("cost_matrix", grade, why))
        for path, floor, why in (
            *self._step_up(signals, grade),
            *sorted(self.floors(signals, amount, repeat_count), key=lambda rule: -_rank(rule[1])),
        ):
            if _rank(floor) > _rank(grade):
                grade = floor
                rules.append(Rule(path, grade, f"{why}，上调为「{name[grade]}」"))
            elif floor == grade and grade != "minor":
                rules.append(Rule(path, grade, f"{why}，不低于「{name[floor]}」"))
        return grade, rules

    def _step_up(self, signals: Sequence[Signal], grade: Grade) -> list[Rule]:
        """Return the rule by which a person in need of care raises the grade, if it holds."""
        if not any(signal.name == "vulnerable" for signal in signals):
            return []
        steps = {signal.name: self.file.vulnerable_steps.get(signal.name, 0) for signal in signals}
        most = max(steps, key=lambda name: steps[name])
        if not steps[most]:
            return []
        raised = SEVERITIES[min(_rank(grade) + steps[most], len(SEVERITIES) - 1)]
        why = "涉及需要照顾的人（老人、孩子、孕妇、残疾人等）"
        return [Rule(f"vulnerable_steps.{most}", raised, why)]

    def floors(
        self, signals: Sequence[Signal], amount: float | None, repeat_count: int | None
    ) -> list[Rule]:
        """Return each floor that holds, those too that a higher one makes idle.

        Parameters
        ----------
        signals, amount, repeat_count
            As in `grade`.

        Returns
        -------
        list of Rule
            One a signal, one for the amount and one for the repeats.
        """
        found: dict[str, Rule] = {}
        for signal in signals:
            floor = self.file.signal_floors.get(signal.name, {}).get(signal.certainty)
            if floor is None:
                continue
            known = found.get(signal.name)
            if known is None or _rank(known.grade) < _rank(floor):
                what = f"「{signal.text}」" if signal.text else "已知事实"
                path = f"signal_floors.{signal.name}.{signal.certainty}"
                why = f"出现{what}（{_CERTAINTY_NAMES[signal.certainty]}）"
                found[signal.name] = Rule(path, floor, why)
        floors = list(found.values())
        if amount is not None and (step := _reached(self.file.amount_floors, amount)):
            floors.append(Rule(f"amount_floors.{step}", step, f"涉及金额 {amount:,.0f} 元"))
        if repeat_count is not None and (step := _reached(self.file.repeat_floors, repeat_count)):
            floors.append(Rule(f"repeat_floors.{step}", step, f"此前已联系 {repeat_count} 次"))
        return floors

    def decide(
        self,
        sureness: float,
        thresholds: Mapping[str, float],
        grade: Grade,
        *,
        covered: float = 1.0,
        routed: bool = True,
    ) -> Decision:
        """Decide whether the answer may go out alone.

        Parameters
        ----------
        sureness : float
            Probability of the nature, 0 to 1.
        thresholds : mapping
            The artifact's `auto` and `suggest`, chosen to reach the target precisions.
        covered : float
            Probability of a severity no graver than the grade, 0 to 1; `auto` asks for both.
        grade : str
            The grade; from `human_from` on nothing is automatic.
        routed : bool
            Whether the nature has a route of its own; without one nothing is automatic.
        """
        if sureness < thresholds["suggest"]:
            return "review"
        human = _rank(grade) >= _rank(self.file.human_from)
        sure = sureness * covered >= thresholds["auto"]
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
        _, desk = self.desk(grade, emotion, tier)
        copies = [copy for signal in signals for copy in self.file.copies.get(signal.name, ())]
        team = owner or self.file.default_route
        return Route(team.team, team.name, desk, list(dict.fromkeys(copies))), owner is not None

    def desk(self, grade: Grade, emotion: str, tier: str | None) -> tuple[str, str]:
        """Return the path of the rule that names the desk, and the desk."""
        if grade != "minor":
            return f"desks.{grade}", self.file.desks[grade]
        if EMOTIONS.index(emotion) >= EMOTIONS.index(self.file.heated_from):
            return "heated_desk", self.file.heated_desk
        if tier in self.file.tier_desks:
            return f"tier_desks.{tier}", self.file.tier_desks[tier]
        return f"desks.{grade}", self.file.desks[grade]

    def deadlines(
        self, complaint: Complaint, grade: Grade, nature: str, emotion: str,
        signals: Sequence[Signal],
    ) -> list[Deadline]:  # fmt: skip
        """Return every clock of a complaint whose `received_at` is set.

        Parameters
        ----------
        complaint : Complaint
        grade, nature, emotion : str
            What was decided of it.
        signals : sequence of Signal
        """
        assert complaint.received_at is not None
        urgent = self.file.urgent
        names = {signal.name for signal in signals}
        at_once = EMOTIONS.index(emotion) >= EMOTIONS.index(urgent.emotion) or not (
            names.isdisjoint(urgent.signals)
        )
        own = self._own_clocks(complaint.received_at, grade, at_once)
        known = self.known_nature(nature)
        case = self._regimes and Case.of(complaint, grade, known, names, self.file.industry)
        if not case:
            return list(own)
        legal = legal_deadlines(
            self._regimes, case, escalate_after=self.file.escalate_after, calendar=self.calendar
        )
        return mark_binding([*own, *legal]) if legal else list(own)

    def _count_own_clocks(
        self, received_at: datetime, grade: Grade, at_once: bool
    ) -> Sequence[Deadline]:
        """Count the company's own clocks: each is the only one of its milestone, and binds."""
        return internal_deadlines(
            self.file.service_levels[grade],
            grade,
            self.file.labels.severity[grade],
            received_at,
            escalate_after=self.file.escalate_after,
            urgent_response_minutes=self.file.urgent.response_minutes if at_once else None,
            hours=self.file.working_hours,
            calendar=self.calendar,
        )

    def handling(
        self, complaint: Complaint, grade: Grade, nature: str, emotion: str,
        signals: Sequence[Signal], deadlines: Sequence[Deadline],
    ) -> Handling:  # fmt: skip
        """Choose the opening line and the advice; its time is the binding clock's."""
        known = self.known_nature(nature)
        parts = [
            self.file.signal_handling[name]
            for name in dict.fromkeys(signal.name for signal in signals)
            if name in self.file.signal_handling
        ]
        parts.append(self.file.handling[emotion])
        opening = self._opening(complaint, grade, known, emotion, signals)
        return Handling(
            self._filled(opening, complaint, known, deadlines),
            list(dict.fromkeys(chain.from_iterable(part.do for part in parts))),
            list(dict.fromkeys(chain.from_iterable(part.dont for part in parts))),
        )

    def _opening(
        self, complaint: Complaint, grade: Grade, nature: str, emotion: str,
        signals: Sequence[Signal],
    ) -> str:  # fmt: skip
        """Choose an opening: danger to a person first, then the kind, then the feeling."""
        present = {signal.name for signal in signals
                   if signal.certainty == "happened" or signal.name == "self_harm"}  # fmt: skip
        for name, line in self.file.signal_openings.items():
            if name in present:
                return line
        cool = EMOTIONS.index(emotion) < EMOTIONS.index(self.file.heated_from)
        if grade == "minor" and cool and complaint.kind in self.file.kind_openings:
            return self.file.kind_openings[complaint.kind]
        return self.file.openings.get(nature, self.file.openings["default"])[emotion]

    def _filled(
        self, line: str, complaint: Complaint, nature: str, deadlines: Sequence[Deadline]
    ) -> str:
        """Fill in the time, the matter and how often the customer has called."""
        if "{time}" in line:
            clock = binding_clock(deadlines, "first_response")
            line = line.replace("{time}", f"{clock.due_at:%m月%d日%H:%M}" if clock else "今天")
        if "{what}" in line:
            noun = self.file.nouns.get(nature, self.file.nouns["default"])
            product = mask(complaint.product) if complaint.product else ""
            line = line.replace("{what}", product + noun)
        if "{again}" in line:
            times = complaint.repeat_count
            line = line.replace("{again}", f"您前后已经联系了{times}次，" if times else "")
        return line

    def decision_reason(self, decision: Decision, sureness: float, grade: Grade) -> str:
        """Say in plain Chinese why the decision is what it is."""
        if decision == "review":
            return f"性质把握只有 {sureness:.0%}，请人工判断"
        if decision == "auto":
            return f"性质把握 {sureness:.0%}，可自动分派"
        if _rank(grade) >= _rank(self.file.human_from):
            return f"处置等级为「{self.file.labels.severity[grade]}」，须由人确认"
        return f"性质把握 {sureness:.0%}，建议人工确认后分派"


_rank = {step: rank for rank, step in enumerate(SEVERITIES)}.__getitem__


def _likeliest(distribution: Mapping[str, float]) -> Grade:
    return max(SEVERITIES, key=distribution.__getitem__)


def _reached(floors: Mapping[Grade, float], value: float) -> Grade | None:
    """Return the gravest step whose floor the value reaches."""
    reached = [step for step, floor in floors.items() if value >= floor]
    return max(reached, key=_rank, default=None)


def load_policy(name: str | Path = "default", calendar: WorkCalendar | None = None) -> Policy:
    """Load a shipped policy by name, or a policy file by path.

    Raises
    ------
    UsageError
        If neither a shipped policy nor a file has that name.
    ConfigError
        If the file breaks its rules; one line a fault.
    """
    return Policy(*read_policy_file(name), calendar)
