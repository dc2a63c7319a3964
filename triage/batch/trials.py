"""Try a policy on files: a manager's own cases, and what a change would do to past tickets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from triage.batch.rows import read_complaints
from triage.engine import Triage
from triage.policy import Policy
from triage.schema import SEVERITIES, Assessment, UsageError

CASE_COLUMNS = {
    "grade": ("grade", "处置等级", "等级", "期望等级", "expected_grade"),
    "team": ("team", "团队", "去向", "期望团队", "expected_team"),
}
"""Headings of what a case expects."""

_SIGNS = {">=": ">=", "≥": ">=", "至少": ">=", "<": "<", "低于": "<", "": "="}


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case of a manager's: what was expected, what came out, whether it passed."""

    text: str
    expected: str
    found: str
    passed: bool


def try_cases(desk: Triage, path: Path, sheet: str | None = None) -> list[CaseResult]:
    """Run a manager's own cases through a desk.

    Parameters
    ----------
    desk : Triage
        With the policy to try.
    path : Path
        A table with a text and an expected `grade`, `team` or both. A grade is a step or its
        Chinese name; `>=critical` or 至少重大 asks for at least that, `<critical` or 低于重大 for
        less.

    Returns
    -------
    list of CaseResult
        In the order of the file.

    Raises
    ------
    UsageError
        If neither column is there, or an expected grade is unknown; the message names the row.
    """
    raw, _, items = read_complaints(path, sheet=sheet)
    asked = {
        column: next((name for name in names if name in raw.columns), None)
        for column, names in CASE_COLUMNS.items()
    }
    if not any(asked.values()):
        known = ", ".join(name for names in CASE_COLUMNS.values() for name in names)
        raise UsageError(f"{path} has no column of what is expected: name one of {known}.")
    answers = iter(desk.assess_each([item.complaint for item in items if item.complaint]))
    results = []
    for (place, row), item in zip(raw.iterrows(), items, strict=True):
        answer = next(answers) if item.complaint else item.error
        wishes = {column: str(row[name]).strip() for column, name in asked.items()
                  if name and not pd.isna(row[name]) and str(row[name]).strip()}  # fmt: skip
        where = f"{path}, row {place}"
        if isinstance(answer, Assessment):
            results.append(_judge(desk.policy, answer, wishes, where))
        else:
            results.append(CaseResult("", "；".join(wishes.values()), str(answer), passed=False))
    return results


def _judge(policy: Policy, answer: Assessment, wishes: Mapping[str, str], where: str) -> CaseResult:
    passed = True
    if grade := wishes.get("grade"):
        sign, step = _wished_grade(policy, grade, where)
        distance = SEVERITIES.index(answer.grade) - SEVERITIES.index(step)
        passed = {"=": distance == 0, ">=": distance >= 0, "<": distance < 0}[sign]
    if team := wishes.get("team"):
        passed = passed and team in (answer.route.team, answer.route.name)
    return CaseResult(
        answer.masked_text,
        "；".join(wishes.values()),
        f"{answer.grade_name}；{answer.route.name}",
        passed,
    )


def _wished_grade(policy: Policy, wish: str, where: str) -> tuple[str, Any]:
    """Read `critical`, `>=critical`, 至少重大 and the like."""
    sign = next(sign for sign in _SIGNS if wish.startswith(sign))
    name = wish.removeprefix(sign).strip()
    shown = policy.file.labels.severity
    steps: dict[str, str] = {step: step for step in SEVERITIES}
    steps |= {name: step for step, name in shown.items()}
    if name not in steps:
        raise UsageError(
            f"{where}: the expected grade is {wish!r}; write one of {', '.join(steps)}, with >= or "
            "< before it if you like."
        )
    return _SIGNS[sign], steps[name]


@dataclass(frozen=True, slots=True)
class PolicyDifference:
    """What would be otherwise under another policy.

    Attributes
    ----------
    rows : int
        Tickets that both policies assessed.
    errors : int
        Rows that could not be assessed.
    grades, teams, decisions : Counter
        (before, after) → number of tickets, for those that differ.
    changes : DataFrame
        The tickets that differ, masked: `row, text, grade_before, grade_after, team_before, …`.
    """

    rows: int
    errors: int
    grades: Counter[tuple[str, str]]
    teams: Counter[tuple[str, str]]
    decisions: Counter[tuple[str, str]]
    changes: pd.DataFrame


def compare_policies(
    desk: Triage,
    before: Policy,
    after: Policy,
    path: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    sheet: str | None = None,
    on_start: Callable[[int], None] | None = None,
    on_step: Callable[[int], None] | None = None,
) -> PolicyDifference:
    """Assess past tickets under two policies and tell what differs.

    Parameters
    ----------
    desk : Triage
        The model; its own policy plays no part.
    before, after : Policy
    path : Path
        Past tickets: CSV, Excel or Parquet.
    on_start, on_step : callable, optional
        Told the number of steps, then how many more are done.
    """
    raw, _, items = read_complaints(path, mapping, sheet)
    good = [(place, item.complaint) for place, item in zip(raw.index, items, strict=True)
            if item.complaint]  # fmt: skip
    if on_start:
        on_start(2 * len(good))
    complaints = [complaint for _, complaint in good]
    first = desk.under(before).assess_each(complaints, on_step)
    second = desk.under(after).assess_each(complaints, on_step)
    rows, differing = 0, []
    for (place, _), a, b in zip(good, first, second, strict=True):
        if not isinstance(a, Assessment) or not isinstance(b, Assessment):
            continue
        rows += 1
        if (a.grade, a.route, a.decision) != (b.grade, b.route, b.decision):
            differing.append({
                "row": place, "text": a.masked_text,
                "grade_before": a.grade_name, "grade_after": b.grade_name,
                "team_before": a.route.name, "team_after": b.route.name,
                "desk_before": a.route.desk, "desk_after": b.route.desk,
                "decision_before": a.decision, "decision_after": b.decision,
                "reasons_after": "；".join(b.reasons),
            })  # fmt: skip
    columns = ["row", "text", *(f"{what}_{when}" for what in ("grade", "team", "desk", "decision")
                                for when in ("before", "after")), "reasons_after"]  # fmt: skip
    changes = pd.DataFrame(differing, columns=columns)

    def counted(what: str) -> Counter[tuple[str, str]]:
        pairs = zip(changes[f"{what}_before"], changes[f"{what}_after"], strict=True)
        return Counter(pair for pair in pairs if pair[0] != pair[1])

    return PolicyDifference(
        rows, len(items) - rows, counted("grade"), counted("team"), counted("decision"), changes
    )
