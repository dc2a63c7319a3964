"""From margins to probabilities, as the heads were calibrated at training time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def platt_lines(heads: Iterable[Mapping[str, Any]], n_outputs: int) -> tuple[Floats, Floats]:
    """Return slope and offset of each output, 1 and 0 where a head has none."""
    slopes, offsets = np.ones(n_outputs), np.zeros(n_outputs)
    for facts in heads:
        if "slope" in facts:
            slopes[slice(*facts["columns"])] = facts["slope"]
            offsets[slice(*facts["columns"])] = facts["offset"]
    return slopes, offsets


def logistic(margins: Any) -> Floats:
    """Return 1 / (1 + exp(-margins)), without overflow."""
    found: Floats = 0.5 + 0.5 * np.tanh(0.5 * margins)
    return found


class Head(NamedTuple):
    """One head of a space: its outputs and how they become probabilities.

    Attributes
    ----------
    labels : list of str
        Empty for the sentiment.
    columns : slice
        The outputs of the space that are its margins.
    temperature : float or None
        What the margins of a nature are divided by.
    """

    labels: list[str]
    columns: slice
    temperature: float | None

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """Read a head from the facts of a model."""
        return cls(facts["labels"], slice(*facts["columns"]), facts.get("temperature"))

    def probabilities(self, margins: Floats, shares: Floats) -> Floats:
        """Return probabilities of shape (n_texts, n_labels); for the sentiment (n_texts, 1).

        Parameters
        ----------
        margins, shares : ndarray of shape (n_texts, n_outputs)
            All outputs of the space, and what Platt's lines make of them.
        """
        if self.temperature is not None:
            raised = margins[:, self.columns] / self.temperature
            weights = np.exp(raised - raised.max(axis=1, keepdims=True))
            natures: Floats = weights / weights.sum(axis=1, keepdims=True)
            return natures
        graver = shares[:, self.columns]
        if not self.labels:
            return graver
        edges = np.zeros((len(margins), len(self.labels) + 1))
        edges[:, 0] = 1.0
        np.minimum.accumulate(graver, axis=1, out=edges[:, 1:-1])
        return edges[:, :-1] - edges[:, 1:]

    def direction(self, label: str) -> tuple[int, float]:
        """Return the output that speaks for a label, and its sign.

        For the first step of an ordered head it speaks against leaving it.
        """
        at = self.labels.index(label)
        if self.temperature is not None:
            return self.columns.start + at, 1.0
        return self.columns.start + max(at - 1, 0), 1.0 if at else -1.0
