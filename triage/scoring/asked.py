"""What a model is asked: a prepared text, and the fact that joins it.

The fact, the kind of contact where it is known, stands behind the prepared text, after a mark that
no text holds, so that whatever passes texts on passes it too. Amount and earlier contacts do not
join here: they may only ever raise a grade, which a learned weight does not promise, so the policy
sees to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from triage.scoring.flags import Flagged

MARK = "\x1f"
"""Separates facts from the text; normalising takes it out of what people send."""

FACTS = ("question", "suggestion", "praise", "report", "help")
"""Kinds that differ from a plain complaint."""


class Asked(NamedTuple):
    """One prepared text with its facts, and the signals in it if they are known already."""

    text: str
    facts: Sequence[str] = ()
    flags: Sequence[Flagged] | None = None

    @classmethod
    def of(cls, prepared: str) -> Asked:
        """Take a prepared text and its facts apart."""
        return cls(*text_and_facts(prepared))


def with_facts(prepared: str, kind: str | None = None) -> str:
    """Put the kind of contact behind a prepared text, where it is known.

    Examples
    --------
    >>> with_facts("什么时候发货", "question").split(MARK)
    ['什么时候发货', 'question']
    """
    return f"{prepared}{MARK}{kind}" if kind in FACTS else prepared


def text_and_facts(prepared: str) -> tuple[str, list[str]]:
    """Take a prepared text and its facts apart again."""
    text, *told = prepared.split(MARK)
    return text, told
