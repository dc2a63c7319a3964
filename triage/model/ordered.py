"""The heads of severity and emotion: labels that are steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from triage.model.base import LinearHead, linear_svm
from triage.model.plan import SIGNAL_WEIGHT, Floats, Plan, best_scale, every_row, scaled


class OrderedHead(LinearHead):
    """An ordered label as a row of questions: is it beyond the first step, the second, and so on.

    Each question is a balanced linear SVM with Platt scaling; the answers, made falling, give the
    distribution over the steps.

    Parameters
    ----------
    steps : tuple of str
        The labels in order.
    C : float
        Inverse strength of regularisation.

    Attributes
    ----------
    classes_ : ndarray of shape (n_steps,)
        The steps in order.
    coef_ : ndarray of shape (n_features, n_steps - 1)
    intercept_ : ndarray of shape (n_steps - 1,)
    slope_, offset_ : ndarray of shape (n_steps - 1,)
        Platt's line from margin to log-odds.
    held_out_ : ndarray of shape (n_target_rows, n_steps)
        Here each by a model that did not see its fold.

    References
    ----------
    Frank and Hall, "A Simple Approach to Ordinal Classification", 2001; Platt, "Probabilistic
    Outputs for Support Vector Machines", 1999.
    """

    def __init__(self, steps: tuple[str, ...], C: float = 0.5) -> None:  # noqa: N803
        self.steps = steps
        self.C = C

    def _codes(self, y: NDArray[Any]) -> NDArray[np.int64]:
        self.classes_ = np.array(self.steps)
        return np.array([self.steps.index(label) for label in y])

    def _calibrate(
        self,
        X: sp.csr_matrix,  # noqa: N803
        codes: NDArray[Any],
        groups: NDArray[Any],
        plan: Plan | None,
        rows: NDArray[np.int64],
    ) -> Floats:
        """Choose the weight of meaning and Platt's lines on folds; return each column's factor."""
        held_out = self._fold_margins(X, codes, plan, len(self.steps) - 1, blank=0.0)
        target = every_row(plan, codes)

        def right(margins: Floats) -> Floats:
            return np.asarray((margins > 0).sum(axis=1) == codes)[target].astype(float)

        scale, self.vector_weight_, strange = best_scale(
            X.shape[1], groups, plan, SIGNAL_WEIGHT, held_out, right
        )
        margins = held_out(scale, groups) if plan and plan.domains is not None else strange
        lines = [_platt(margins[target, k], codes[target] > k) for k in range(len(self.steps) - 1)]
        self.slope_, self.offset_ = np.array(lines).T
        self._hold_out(self._distribution(margins), codes, target, rows)
        return scale

    def _linear(
        self,
        X: sp.csr_matrix,  # noqa: N803
        codes: NDArray[Any],
        scale: Floats,
        weights: Floats,
    ) -> tuple[Floats, Floats]:
        """Fit one SVM a question; one that all rows answer alike has a margin of 0."""
        coef = np.zeros((X.shape[1], len(self.steps) - 1), dtype=np.float32)
        intercept = np.zeros(len(self.steps) - 1)
        read = np.flatnonzero(scale)
        matrix = scaled(X, read, scale)
        for k in range(len(self.steps) - 1):
            graver = codes > k
            if graver.any() and not graver.all():
                machine = linear_svm(self.C)
                machine.fit(matrix, graver, sample_weight=weights)
                coef[read, k] = machine.coef_[0] * scale[read]
                intercept[k] = machine.intercept_[0]
        return coef, intercept

    def _distribution(self, margins: Floats) -> Floats:
        graver = np.minimum.accumulate(expit(margins * self.slope_ + self.offset_), axis=1)
        edges = np.pad(graver, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))
        return np.maximum(-np.diff(edges, axis=1), 0.0)

    def predict_proba(self, X: sp.csr_matrix) -> Floats:  # noqa: N803
        """Return distributions of shape (n_rows, n_steps), columns in the steps' order."""
        return self._distribution(self.decision_function(X))

    def predict(self, X: sp.csr_matrix) -> NDArray[Any]:  # noqa: N803
        """Return the most probable step of each row."""
        likeliest: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return likeliest

    def direction(self, label: str) -> tuple[Floats, float]:
        """Return coefficients and intercept whose margin speaks for reaching a step.

        For the first step it is the margin against leaving it.
        """
        at = self.steps.index(label)
        sign, at = (-1.0, 0) if at == 0 else (1.0, at - 1)
        return sign * self.coef_[:, at], sign * float(self.intercept_[at])


def _platt(margins: Floats, graver: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset from margin to log-odds; a constant where all answer alike."""
    if graver.all() or not graver.any():
        share = (graver.sum() + 0.5) / (len(graver) + 1)
        return 0.0, float(np.log(share / (1 - share)))
    line = LogisticRegression(C=100.0).fit(margins[:, None], graver)
    return max(float(line.coef_[0, 0]), 0.0), float(line.intercept_[0])
