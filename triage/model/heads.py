"""The heads: linear, each calibrated on margins of held-out folds."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from triage.model.plan import (
    SEED,
    SIGNAL_WEIGHT,
    Floats,
    Plan,
    best_features,
    best_scale,
    every_row,
    folds,
)

BROAD_C = 0.2
"""Strength for a corpus of many industries: macro-F1 on industries that are held out whole is 0.738
with it and 0.730 with 1.0, on held-out groups 0.827 and 0.808."""


class _HeldOut:
    """Keeps held-out answers while training, out of the saved model.

    Attributes
    ----------
    held_out_ : ndarray of shape (n_target_rows, n_labels)
        Probabilities of the plan's target rows, each by a model that did not see it.
    held_out_codes_ : ndarray of shape (n_target_rows,)
        Columns of their true labels.
    held_out_rows_ : ndarray of shape (n_target_rows,)
        Which of the rows they are.
    """

    held_out_: Floats
    held_out_codes_: NDArray[np.int64]
    held_out_rows_: NDArray[np.int64]

    def _hold_out(
        self, probabilities: Floats, codes: NDArray[Any], target: NDArray[np.bool_]
    ) -> None:
        self.held_out_ = probabilities[target]
        self.held_out_codes_ = codes[target]
        self.held_out_rows_ = np.flatnonzero(target)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())  # type: ignore[call-overload]
        return {name: held for name, held in state.items() if not name.startswith("held_out_")}


class NatureHead(_HeldOut, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
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

    def fit(
        self,
        X: sp.csr_matrix,  # noqa: N803
        y: NDArray[Any],
        groups: NDArray[Any],
        plan: Plan | None = None,
    ) -> Self:
        """Fit on all rows, calibrated on held-out folds.

        Parameters
        ----------
        X : csr_matrix of shape (n_rows, n_features)
        y : ndarray of shape (n_rows,)
            Labels, at least two.
        groups : ndarray of shape (n_rows,)
            Near-duplicate groups; a group never stands on both sides of a fold.
        plan : Plan, optional
            Without it all columns are n-grams. A nature does not read the signals.
        """
        self.classes_, codes = np.unique(y, return_inverse=True)
        weights = plan.row_weights(len(codes)) if plan else np.ones(len(codes))

        def held_out(scale: Floats, by: NDArray[Any]) -> Floats:
            margins = np.full((len(codes), len(self.classes_)), -1.0)
            for train, test in folds(codes, by):
                coef, intercept = self._linear(X[train], codes[train], scale, weights[train])
                margins[test] = X[test] @ coef + intercept
            return margins

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
        self._hold_out(softmax(strange / self.temperature_, axis=1), codes, target)
        self.coef_, self.intercept_ = self._linear(X, codes, scale, weights)
        return self

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
        machine = LinearSVC(C=self.C, class_weight="balanced", random_state=SEED)
        machine.fit(X[:, best] @ sp.diags(scale[best]), codes, sample_weight=weights)
        signs = np.array([[-1], [1]]) if len(present) == 2 else np.ones((len(present), 1))
        coef[np.ix_(best, present)] = (signs * machine.coef_).T * scale[best, None]
        intercept[present] = signs[:, 0] * machine.intercept_
        return coef, intercept

    def decision_function(self, X: sp.csr_matrix) -> Floats:  # noqa: N803
        """Return margins of shape (n_rows, n_classes), columns in `classes_` order."""
        margins: Floats = X @ self.coef_ + self.intercept_
        return margins

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


class OrderedHead(_HeldOut, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
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

    def fit(
        self,
        X: sp.csr_matrix,  # noqa: N803
        y: NDArray[Any],
        groups: NDArray[Any],
        plan: Plan | None = None,
    ) -> Self:
        """Fit on all rows, calibrated on held-out folds.

        Parameters
        ----------
        X : csr_matrix of shape (n_rows, n_features)
        y : ndarray of shape (n_rows,)
            Steps.
        groups : ndarray of shape (n_rows,)
            Near-duplicate groups; a group never stands on both sides of a fold.
        plan : Plan, optional
            Without it all columns are n-grams.
        """
        self.classes_ = np.array(self.steps)
        codes = np.array([self.steps.index(label) for label in y])
        weights = plan.row_weights(len(codes)) if plan else np.ones(len(codes))

        def held_out(scale: Floats, by: NDArray[Any]) -> Floats:
            margins = np.zeros((len(codes), len(self.steps) - 1))
            for train, test in folds(codes, by):
                coef, intercept = self._linear(X[train], codes[train], scale, weights[train])
                margins[test] = X[test] @ coef + intercept
            return margins

        target = every_row(plan, codes)

        def right(margins: Floats) -> Floats:
            return np.asarray((margins > 0).sum(axis=1) == codes)[target].astype(float)

        scale, self.vector_weight_, strange = best_scale(
            X.shape[1], groups, plan, SIGNAL_WEIGHT, held_out, right
        )
        margins = held_out(scale, groups) if plan and plan.domains is not None else strange
        lines = [_platt(margins[target, k], codes[target] > k) for k in range(len(self.steps) - 1)]
        self.slope_, self.offset_ = np.array(lines).T
        self._hold_out(self._distribution(margins), codes, target)
        self.coef_, self.intercept_ = self._linear(X, codes, scale, weights)
        return self

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
        scaled = X @ sp.diags(scale)
        for k in range(len(self.steps) - 1):
            graver = codes > k
            if graver.any() and not graver.all():
                machine = LinearSVC(C=self.C, class_weight="balanced", random_state=SEED)
                machine.fit(scaled, graver, sample_weight=weights)
                coef[:, k], intercept[k] = machine.coef_[0] * scale, machine.intercept_[0]
        return coef, intercept

    def _distribution(self, margins: Floats) -> Floats:
        graver = np.minimum.accumulate(expit(margins * self.slope_ + self.offset_), axis=1)
        edges = np.pad(graver, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0)))
        return np.maximum(-np.diff(edges, axis=1), 0.0)

    def decision_function(self, X: sp.csr_matrix) -> Floats:  # noqa: N803
        """Return margins of shape (n_rows, n_steps - 1), one a question."""
        margins: Floats = X @ self.coef_ + self.intercept_
        return margins

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


class PolarityHead(BaseEstimator):  # type: ignore[misc]
    """Logistic regression from features to sentiment, fitted on labelled reviews.

    On features of length 1 its score does not saturate as texts grow longer.

    Parameters
    ----------
    C : float
        Inverse strength of regularisation.
    """

    def __init__(self, C: float = 3.0) -> None:  # noqa: N803
        self.C = C

    def fit(
        self,
        X: sp.csr_matrix,  # noqa: N803
        positive: NDArray[Any],
        plan: Plan | None = None,
    ) -> Self:
        """Fit on reviews.

        Parameters
        ----------
        X : csr_matrix of shape (n_reviews, n_features)
        positive : ndarray of shape (n_reviews,)
            1 positive, 0 negative.
        plan : Plan, optional
            Where the meaning vector and the signals stand.
        """
        scale = np.ones(X.shape[1])
        if plan:
            scale[plan.signals], scale[plan.encoder], scale[plan.facts] = 0.0, 0.0, 0.0
        machine = LogisticRegression(C=self.C, max_iter=500).fit(X @ sp.diags(scale), positive)
        self.coef_, self.intercept_ = machine.coef_[0] * scale, float(machine.intercept_[0])
        return self

    def score_texts(self, X: sp.csr_matrix) -> Floats:  # noqa: N803
        """Return sentiment of shape (n_rows,): 0 most negative … 1 most positive."""
        scores: Floats = expit(X @ self.coef_ + self.intercept_)
        return scores


Head = NatureHead | OrderedHead | PolarityHead


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


def _platt(margins: Floats, graver: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset from margin to log-odds; a constant where all answer alike."""
    if graver.all() or not graver.any():
        share = (graver.sum() + 0.5) / (len(graver) + 1)
        return 0.0, float(np.log(share / (1 - share)))
    line = LogisticRegression(C=100.0).fit(margins[:, None], graver)
    return max(float(line.coef_[0, 0]), 0.0), float(line.intercept_[0])
