"""Signals and the disputed sum as columns of the features."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from triage.schema import Certainty
from triage.signals import NAMES, Amount, Mention

_SUMS = ("small", "middling", "large")
_SUM_EDGES = (200.0, 5_000.0)
"""Yuan from which a lost or disputed sum is middling, and above which it is large."""

FLAGS = {
    key: at
    for at, key in enumerate(
        (*((name, certainty) for name in NAMES for certainty in get_args(Certainty)),
         *(("amount", size) for size in _SUMS))
    )
}  # fmt: skip
"""The column of each signal and certainty, and of each size of sum."""

Flagged = tuple[int, int, int]
"""A flag's column, and the half-open span in the text that it stands for."""


def flagged(mentions: Iterable[Mention], amount: Amount | None) -> list[Flagged]:
    """Return the flags of a text: unguarded signals, and the disputed sum.

    Parameters
    ----------
    mentions : iterable of Mention
        As found in the text without regard to its channel.
    amount : Amount or None
        The largest disputed sum.
    """
    flags = [
        (FLAGS[mention.name, mention.certainty], mention.start, mention.end)
        for mention in mentions
        if mention.guard is None
    ]
    if amount is not None:
        small, large = _SUM_EDGES
        size = _SUMS[(amount.value >= small) + (amount.value > large)]
        flags.append((FLAGS["amount", size], amount.start, amount.end))
    return flags
