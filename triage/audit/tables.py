"""The table that a lead corrects and feeds back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from triage.audit.result import Audit, masked
from triage.data import CORRECTION_COLUMNS
from triage.schema import HEAD_NAMES, HEADS

SUGGESTION, SUSPICION, WHY = "建议", "可疑程度", "原因"

LEAST_CONFLICT, MOST_CONFLICT = 0.5, 0.99
"""How suspect a conflict's members are: one of the label that leads, and one that stands against
many; the rest lie between by how rare their label is in the group."""


class _Hint(NamedTuple):
    """Why a ticket is in the table: how suspect it is, 0 … 1, what is suggested, and the reason."""

    suspicion: float
    suggestion: str
    why: str


_Hints = dict[tuple[str, str], list[_Hint]]


def corrections_table(audit: Audit, most: int | None = None) -> pd.DataFrame:
    """Return what a lead goes through: suspect tickets and conflicts, most suspect first.

    Parameters
    ----------
    audit : Audit
    most : int, optional
        Tickets at most.

    Returns
    -------
    DataFrame
        One row a ticket with the headings of `data.CORRECTION_COLUMNS`, those of the right labels
        and the remark blank, then `建议`, `可疑程度` (0 … 100) and `原因`. Labels stand in Chinese
        where they have a Chinese name. Text is masked; cells that a spreadsheet would run are for
        the writer to neutralise.
    """
    hints, tickets = _hints(audit), audit.tickets
    table = pd.DataFrame(index=tickets.index)
    for column, heading in CORRECTION_COLUMNS.items():
        table[heading] = tickets[column] if column in tickets else None
    for head in HEADS:
        table[CORRECTION_COLUMNS[head]] = [
            masked(audit.name(head, label)) if isinstance(label, str) else None
            for label in tickets[head]
        ]
    places = zip(tickets["key"], tickets["row"], strict=True)
    found = [hints.get(_place(key, row), []) for key, row in places]
    table[SUGGESTION] = ["；".join(_each(hint.suggestion for hint in some)) for some in found]
    table[SUSPICION] = [round(100 * max((h.suspicion for h in some), default=0), 1)
                        for some in found]  # fmt: skip
    table[WHY] = ["。".join(_each(hint.why for hint in some)) for some in found]
    order = sorted(
        (at for at, some in enumerate(found) if some),
        key=lambda at: -max(hint.suspicion for hint in found[at]),
    )
    return table.iloc[order[:most]].reset_index(drop=True)


def _each(parts: Any) -> list[str]:
    """Return what is said, each once."""
    return [part for part in dict.fromkeys(parts) if part]


def _place(key: Any, row: Any) -> tuple[str, str]:
    return str(key), str(row)


def _hints(audit: Audit) -> _Hints:
    """Gather the hints of each ticket, the surest first."""
    hints: _Hints = {}
    for suspect in audit.suspects.to_dict("records"):
        better = _suggestion(audit, suspect["head"], suspect["suggested"])
        hint = _Hint(1 - suspect["score"], better, suspect["reason"])
        hints.setdefault(_place(suspect["key"], suspect["row"]), []).append(hint)
    for conflict in audit.conflicts.to_dict("records"):
        why = _conflict_reason(audit, conflict)
        for member in conflict["members"]:
            hint = _Hint(
                _suspicion(conflict, member["label"]),
                _suggestion(audit, conflict["head"], conflict["suggested"])
                if conflict["suggested"] not in (None, member["label"])
                else "",
                why,
            )
            hints.setdefault(_place(member["key"], member["row"]), []).append(hint)
    for some in hints.values():
        some.sort(key=lambda hint: -hint.suspicion)
    return hints


def _suggestion(audit: Audit, head: str, label: str) -> str:
    return masked(f"{HEAD_NAMES[head]}：{audit.name(head, label)}")


def _suspicion(conflict: Mapping[Hashable, Any], label: str) -> float:
    """Return how suspect a member of a conflict is by how rare its label is in the group."""
    rarity = 1 - int(conflict["labels"][label]) / int(conflict["rows"])
    return LEAST_CONFLICT + (MOST_CONFLICT - LEAST_CONFLICT) * rarity


def _conflict_reason(audit: Audit, conflict: Mapping[Hashable, Any]) -> str:
    listed = "、".join(
        f"「{audit.name(conflict['head'], label)}」{rows} 条"
        for label, rows in conflict["labels"].items()
    )
    how = "内容完全相同" if conflict["identical"] else "内容几乎相同"
    return masked(
        f"{how}的 {conflict['rows']} 条工单{HEAD_NAMES[conflict['head']]}不一致：{listed}"
    )
