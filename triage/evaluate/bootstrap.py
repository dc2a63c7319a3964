"""Paired bootstrap of two models' answers to the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.float64]

RESAMPLES = 1_000
_CHUNK_CELLS = 20_000_000
SEED = 20261122


class Difference(NamedTuple):
    """Two models' values of one figure, and what separates them.

    Attributes
    ----------
    champion, challenger : float
        The figure of each model on all rows.
    low, high : float
        Middle 95 % of challenger minus champion on groups of rows drawn with replacement.
    """

    champion: float
    challenger: float
    low: float
    high: float

    @property
    def gain(self) -> float:
        """Challenger minus champion."""
        return self.challenger - self.champion


def macro_f1_of(tables: Floats) -> Floats:
    """Return the macro-F1 over the classes that have true rows.

    Parameters
    ----------
    tables : ndarray of shape (n_tables, n_classes, n_classes)
        Confusion tables: true classes down, answers across.

    Returns
    -------
    ndarray of shape (n_tables,)
    """
    hits = np.diagonal(tables, axis1=1, axis2=2)
    true, given = tables.sum(axis=2), tables.sum(axis=1)
    scores = 2 * hits / np.maximum(true + given, 1e-12)
    present = true > 0
    means: Floats = (scores * present).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    return means


def quadratic_kappa_of(tables: Floats) -> Floats:
    """Return the quadratic weighted kappa; 0 where all true rows are of one step.

    Parameters
    ----------
    tables : ndarray of shape (n_tables, n_steps, n_steps)
        Confusion tables in the order of the steps.
    """
    n_steps = tables.shape[1]
    away = (np.arange(n_steps)[:, None] - np.arange(n_steps)) ** 2
    chance = tables.sum(axis=2)[:, :, None] * tables.sum(axis=1)[:, None, :]
    chance /= np.maximum(tables.sum(axis=(1, 2)), 1e-12)[:, None, None]
    expected = (chance * away).sum(axis=(1, 2))
    kappa: Floats = np.where(
        expected > 0, 1 - (tables * away).sum(axis=(1, 2)) / np.maximum(expected, 1e-12), 0.0
    )
    return kappa


def recall_of(label: int) -> Callable[[Floats], Floats]:
    """Return the measure of one class's recall; 0 where it has no true rows."""

    def recall(tables: Floats) -> Floats:
        found: Floats = tables[:, label, label] / np.maximum(tables[:, label].sum(axis=1), 1e-12)
        return found

    return recall


def differences(
    truth: NDArray[np.int64],
    champion: NDArray[np.int64],
    challenger: NDArray[np.int64],
    groups: NDArray[np.int64],
    n_labels: int,
    measures: Sequence[Callable[[Floats], Floats]],
    resamples: int = RESAMPLES,
) -> list[Difference]:
    """Compare two models by several figures on the same rows.

    Near-duplicate groups are drawn whole, since their rows are not independent.

    Parameters
    ----------
    truth, champion, challenger : ndarray of shape (n_rows,)
        Places of the labels, 0 to `n_labels` - 1.
    groups : ndarray of shape (n_rows,)
        Near-duplicate group of each row.
    n_labels : int
    measures : sequence of callable
        Each from confusion tables of shape (n_tables, n_labels, n_labels) to (n_tables,).
    resamples : int
        How often groups are drawn.

    References
    ----------
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.
    """
    cells = [_one_hot(truth * n_labels + answer, n_labels**2) for answer in (champion, challenger)]
    shape = (-1, n_labels, n_labels)
    everything = [np.asarray(cell.sum(axis=0)).reshape(shape).astype(float) for cell in cells]
    drawn: list[list[Floats]] = [[] for _ in measures]
    for weights in _draws(groups, resamples, max(len(truth), n_labels**2)):
        tables = [np.asarray(weights @ cell).reshape(shape) for cell in cells]
        for at, measure in enumerate(measures):
            drawn[at].append(measure(tables[1]) - measure(tables[0]))
    found = []
    for at, measure in enumerate(measures):
        low, high = np.quantile(np.concatenate(drawn[at]), [0.025, 0.975])
        one, other = (float(measure(table)[0]) for table in everything)
        found.append(Difference(one, other, float(low), float(high)))
    return found


def _one_hot(places: NDArray[np.int64], width: int) -> sp.csr_matrix:
    rows = np.arange(len(places))
    return sp.csr_matrix((np.ones(len(places)), (rows, places)), shape=(len(places), width))


def _draws(groups: NDArray[np.int64], resamples: int, width: int) -> Iterator[Floats]:
    """Yield, some draws at a time, how often each row was drawn."""
    _, at = np.unique(groups, return_inverse=True)
    n_groups = int(at.max()) + 1
    rng = np.random.default_rng(SEED)
    step = max(1, _CHUNK_CELLS // width)
    for begin in range(0, resamples, step):
        size = min(step, resamples - begin)
        yield rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size)[:, at].astype(float)
