"""The head of the nature: one class against the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from triage.model.base import LinearHead, linear_svm
from triage.model.plan import Floats, Plan, best_features, best_scale, every_row, scaled

BROAD_C = 0.2
"""Strength for a corpus of many industries: macro-F1 on industries that are held out whole is 0.738
with it and 0.730 with 1.0, on held-out groups 0.827 and 0.808."""


class NatureHead(LinearHead):
    """One-against-rest linear SVM, its margins turned to probabilities by a temperature.

    Parameters
    ----------
    C : float
        Inverse strength of regularisation. 1.0 suits a desk's own tickets; see `BROAD_C`.
    n_best : int
        N-grams that are kept, those of the highest chi-squared with the labels. 20,000 to 40,000
        of 308,000 give macro-F1 0.908 on citizen messages (five-fold by near-duplicate group),
        all of them 0.900, 5,000 0.897.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order.
    coef_ : ndarray of shape (n_features, n_classes)
    intercept_ : ndarray of shape (n_classes,)
    temperature_ : float
        What margins are divided by; above 1 cools.
    vector_weight_ : float
        What the meaning vector, or the encoder, is multiplied by (see `best_scale`); the
        coefficients hold it.
    held_out_ : ndarray of shape (n_target_rows, n_classes)
        Here each by a model that did not see its domain.

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", 2017.
    """

    def __init__(self, C: float = 1.0, n_best: int = 30_000) -> None:  # noqa: N803
        self.C = C
        self.n_best = n_best

    def _codes(self, y: NDArray[Any]) -> NDArray[np.int64]:
        self.classes_, codes = np.unique(y, return_inverse=True)
        return np.asarray(codes)

    def _calibrate(
        self,
        X: sp.csr_matrix,  # noqa: N803
        codes: NDArray[Any],
        groups: NDArray[Any],
        plan: Plan | None,
        rows: NDArray[np.int64],
    ) -> Floats:
        """Choose the weight of meaning and the temperature; return each column's factor."""
        held_out = self._fold_margins(X, codes, plan, len(self.classes_), blank=-1.0)
        target = every_row(plan, codes)

        even = 1 / np.bincount(codes[target], minlength=len(self.classes_)).clip(1)[codes[target]]
        even /= even.mean()

        def right(margins: Floats) -> Floats:
            return np.asarray(even * (margins.argmax(axis=1) == codes)[target])

        scale, self.vector_weight_, strange = best_scale(
            X.shape[1], groups, plan, 0.0, held_out, right
        )
        margins = held_out(scale, groups) if plan and plan.domains is not None else strange
        self.temperature_ = fit_temperature(margins[target], codes[target])
        self._hold_out(softmax(strange / self.temperature_, axis=1), codes, target, rows)
        return scale

    def _linear(
        self,
        X: sp.csr_matrix,  # noqa: N803
        codes: NDArray[Any],
        scale: Floats,
        weights: Floats,
    ) -> tuple[Floats, Floats]:
        """Fit the SVM; a class without rows gets margins of -1 everywhere."""
        coef = np.zeros((X.shape[1], len(self.classes_)), dtype=np.float32)
        intercept = np.full(len(self.classes_), -1.0)
        present = np.unique(codes)
        if len(present) < 2:
            return coef, intercept
        ngrams, rest = np.flatnonzero(scale == 1), np.flatnonzero((scale > 0) & (scale != 1))
        best = np.r_[ngrams[best_features(X[:, ngrams], codes, self.n_best)], rest]
        machine = linear_svm(self.C)
        machine.fit(scaled(X, best, scale), codes, sample_weight=weights)
        signs = np.array([[-1], [1]]) if len(present) == 2 else np.ones((len(present), 1))
        coef[np.ix_(best, present)] = (signs * machine.coef_).T * scale[best, None]
        intercept[present] = signs[:, 0] * machine.intercept_
        return coef, intercept

    def predict_proba(self, X: sp.csr_matrix) -> Floats:  # noqa: N803
        """Return probabilities of shape (n_rows, n_classes), columns in `classes_` order."""
        probabilities: Floats = softmax(self.decision_function(X) / self.temperature_, axis=1)
        return probabilities

    def predict(self, X: sp.csr_matrix) -> NDArray[Any]:  # noqa: N803
        """Return the likeliest label of each row."""
        likeliest: NDArray[Any] = self.classes_[self.decision_function(X).argmax(axis=1)]
        return likeliest

    def direction(self, label: str) -> tuple[Floats, float]:
        """Return coefficients and intercept whose margin speaks for a label."""
        at = int(np.flatnonzero(self.classes_ == label)[0])
        return self.coef_[:, at], float(self.intercept_[at])


def fit_temperature(margins: Floats, codes: NDArray[Any]) -> float:
    """Return the temperature of least log loss.

    Parameters
    ----------
    margins : ndarray of shape (n_rows, n_classes)
        Held-out margins.
    codes : ndarray of shape (n_rows,)
        Column of the true class.
    """

    def loss(log_temperature: float) -> float:
        logs = log_softmax(margins / np.exp(log_temperature), axis=1)
        return -float(logs[np.arange(len(codes)), codes].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-4.0, 4.0), method="bounded").x))
