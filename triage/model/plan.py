"""How heads are fitted: folds that keep groups together, weights chosen on held-out domains."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_selection import chi2
from sklearn.model_selection import StratifiedGroupKFold

from triage.features import TextFeatures

Floats = NDArray[np.float64]

VECTOR_WEIGHTS = (0.0, 0.45, 1.2)
"""Weights of the meaning vector that are tried beside n-grams of length 1."""

ENCODER_WEIGHTS = (0.0, 0.7, 2.0)
"""Weights of an encoder, which stands in the place of the meaning vector: with 150 citizen messages
0.71 and 0.73 macro-F1 against 0.69 for the best weight of the meaning vector; both together
give no more."""

PRIOR_ROWS = 8
"""How many right answers the belief in meaning is worth when its weight is chosen."""

SIDE_WEIGHT = 0.4
"""Weight of rows that are not of the target's kind, the labelled reviews of the base model. Against
1.0 it gives 0.737 against 0.730 macro-F1 of nature and 0.847 against 0.838 kappa of emotion on
held-out industries; severity does not mind."""

SELECT_FROM = 1_000
"""Rows from which n-grams are selected: with 150 citizen messages selection costs 0.03 macro-F1."""

SIGNAL_WEIGHT = 0.6
"""Weight of each signal in the ordered heads; 0.3 to 1.0 differ by less than 0.01 kappa."""

FACT_WEIGHT = 0.6
"""Weight of each fact."""

SEED = 20261122

FOLDS = 5

FOLD_ROWS = 24_000
"""Rows that choose the weights and calibrate a head; of more than these, near-duplicate groups are
drawn, so that folds cost the same while the data grows. The head itself learns from all."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a head is told beside its matrix.

    Attributes
    ----------
    vectors, signals : slice
        Columns of the meaning vector and of the signals.
    encoder : slice
        Columns of the encoder, empty without one.
    facts : slice
        Columns of the facts.
    domains : ndarray of shape (n_rows,) or None
        Held out whole, one set after the other, to choose weights and decision thresholds, so that
        they suit texts of kinds that were never seen; the near-duplicate groups if None.
    target : ndarray of shape (n_rows,) or None
        True for rows of the kind that the model is for: they alone calibrate it, and the others
        count `SIDE_WEIGHT` while fitting. All if None.
    """

    vectors: slice
    signals: slice
    encoder: slice = field(default_factory=lambda: slice(0, 0))
    facts: slice = field(default_factory=lambda: slice(0, 0))
    domains: NDArray[Any] | None = None
    target: NDArray[np.bool_] | None = None

    def row_weights(self, n_rows: int) -> Floats:
        """Return how much each row counts while fitting: those outside the target less."""
        if self.target is None:
            return np.ones(n_rows)
        return np.where(self.target, 1.0, SIDE_WEIGHT)

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights of meaning to choose from."""
        return ENCODER_WEIGHTS if self.encoder.stop > self.encoder.start else VECTOR_WEIGHTS

    def scale(self, n_features: int, weight: float, signal_weight: float) -> Floats:
        """Return a factor for each column: 1 for n-grams, `weight` for meaning.

        With an encoder that is the encoder, and the meaning vector has no weight.
        """
        scale = np.ones(n_features)
        scale[self.vectors], scale[self.encoder], scale[self.signals] = 0.0, 0.0, signal_weight
        scale[self.facts] = FACT_WEIGHT
        scale[self.encoder if self.weights is ENCODER_WEIGHTS else self.vectors] = weight
        return scale

    def only(self, rows: NDArray[np.bool_]) -> Plan:
        """Return the plan for some of the rows."""
        return replace(
            self,
            domains=None if self.domains is None else self.domains[rows],
            target=None if self.target is None else self.target[rows],
        )


def folds(codes: NDArray[Any], groups: NDArray[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield train and held-out indices, stratified by label, groups kept together."""
    _, rows = np.unique(codes, return_counts=True)
    n_folds = max(2, min(FOLDS, len(np.unique(groups)), int(rows.max())))
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=SEED)
    with warnings.catch_warnings():  # a class with fewer rows than folds is no fault
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        yield from splitter.split(np.zeros(len(codes)), codes, groups)


def fold_rows(groups: NDArray[Any], most: int = FOLD_ROWS) -> NDArray[np.int64]:
    """Return the rows that the folds are made of: all, or those of groups drawn at random.

    Parameters
    ----------
    groups : ndarray of shape (n_rows,)
    most : int
        About how many rows at most.
    """
    if len(groups) <= most:
        return np.arange(len(groups))
    names, at = np.unique(groups, return_inverse=True)
    drawn = np.random.default_rng(SEED).random(len(names)) < most / len(groups)
    return np.flatnonzero(drawn[at])


def every_row(plan: Plan | None, codes: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the rows that calibrate a head: those of the plan's target, else all."""
    if plan is None or plan.target is None:
        return np.ones(len(codes), dtype=bool)
    return plan.target


def best_scale(
    n_features: int,
    groups: NDArray[Any],
    plan: Plan | None,
    signal_weight: float,
    held_out: Callable[[Floats, NDArray[Any]], Floats],
    right: Callable[[Floats], Floats],
) -> tuple[Floats, float, Floats]:
    """Choose the weight of the meaning vector, or of the encoder, on held-out folds.

    Of the plan's weights the largest is taken that costs no more than `PRIOR_ROWS` right answers:
    with few labels meaning is worth more than a noisy difference says, with many it must pay.

    Parameters
    ----------
    n_features : int
    groups : ndarray of shape (n_rows,)
        What is held out together where the plan names no domains.
    plan : Plan or None
        None: there are n-grams only, and nothing to choose.
    signal_weight : float
        What the signals are multiplied by.
    held_out : callable
        From a factor a column and groups to the margins of held-out folds.
    right : callable
        From margins to how much each row of the target adds: nothing where its answer is wrong, and
        1 on the average of those that are right.

    Returns
    -------
    scale : ndarray of shape (n_features,)
    weight : float
    margins : ndarray
        The held-out margins under it.
    """
    by = groups if plan is None or plan.domains is None else plan.domains
    tried = []
    for weight in plan.weights if plan else (0.0,):
        scale = plan.scale(n_features, weight, signal_weight) if plan else np.ones(n_features)
        margins = held_out(scale, by)
        tried.append((float(right(margins).mean()), scale, weight, margins))
    best = max(accuracy for accuracy, *_ in tried)
    least = best - PRIOR_ROWS / len(right(tried[0][-1]))
    _, scale, weight, margins = [trial for trial in tried if trial[0] >= least][-1]
    return scale, weight, margins


def best_features(X: sp.csr_matrix, codes: NDArray[Any], n_best: int) -> NDArray[np.int64]:  # noqa: N803
    """Return the columns of the highest chi-squared with the labels, in their order.

    With fewer than `SELECT_FROM` rows all stay: chance would choose among them.

    Parameters
    ----------
    X : csr_matrix of shape (n_rows, n_features)
        Not negative.
    codes : ndarray of shape (n_rows,)
        Labels.
    n_best : int
        How many columns at most.
    """
    if X.shape[1] <= n_best or X.shape[0] < SELECT_FROM:
        return np.arange(X.shape[1])
    scores = np.nan_to_num(chi2(X, codes)[0])
    return np.sort(np.argsort(-scores, kind="stable")[:n_best])


def scaled(X: sp.csr_matrix, columns: NDArray[np.int64], scale: Floats) -> sp.csr_matrix:  # noqa: N803
    """Return some columns, each times its factor, in double precision.

    Parameters
    ----------
    X : csr_matrix of shape (n_rows, n_features)
    columns : ndarray of shape (n_columns,)
    scale : ndarray of shape (n_features,)
    """
    some = X[:, columns].astype(np.float64)
    some.data *= scale[columns].take(some.indices)
    return some


def usual_plan(features: TextFeatures) -> Plan:
    """Return the plan of fitted features without domains."""
    return Plan(features.vector_columns, features.flag_columns, features.encoder_columns,
                features.fact_columns)  # fmt: skip
