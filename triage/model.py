"""The heads: nature, severity, emotion and sentiment, linear on one feature matrix, calibrated.

A `FeatureSpace` holds features and the heads that read them. A model has one space, or two where a
company's file lacks a label column: then the missing heads come from the base model with its own
features. Margins of held-out folds calibrate each head and set the decision thresholds.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_selection import chi2
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.svm import LinearSVC

from triage.features import TextFeatures
from triage.schema import ORDERED_HEADS, DataError

Floats = NDArray[np.float64]
Progress = Callable[[str], None]

SEED = 20261122
FOLDS = 5
KNOWN_SHARE_FLOOR = 0.35
"""A text of which the vocabulary knows less goes to a person.

Of 3,000 reviews of shops, hotels and meals, none of them trained on, the least known scored 0.41
and one in 200 under 0.60; German, English, Japanese and typed-at-random text 0.00 to 0.15.
"""

VECTOR_WEIGHTS = (0.0, 0.45, 0.9, 1.4)
"""Weights of the meaning vector that are tried beside n-grams of length 1."""

PRIOR_ROWS = 8
"""How many right answers the belief in meaning is worth when its weight is chosen."""

SELECT_FROM = 1_000
"""Rows from which n-grams are selected: with 150 citizen messages selection costs 0.03 macro-F1."""

SIGNAL_WEIGHT = 0.6
"""Weight of each signal in the ordered heads; 0.3 to 1.0 differ by less than 0.01 kappa."""

NEVER = 1.01
"""A threshold that no probability reaches."""

_LEAST_AUTO_ROWS = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What a head is told beside its matrix.

    Attributes
    ----------
    vectors, signals : slice
        Columns of the meaning vector and of the signals.
    domains : ndarray of shape (n_rows,) or None
        Held out whole, one set after the other, to choose weights and decision thresholds, so that
        they suit texts of kinds that were never seen; the near-duplicate groups if None.
    target : ndarray of shape (n_rows,) or None
        True for rows of the kind that the model is for: they alone calibrate it. All if None.
    """

    vectors: slice
    signals: slice
    domains: NDArray[Any] | None = None
    target: NDArray[np.bool_] | None = None

    def only(self, rows: NDArray[np.bool_]) -> Plan:
        """Return the plan for some of the rows."""
        return replace(
            self,
            domains=None if self.domains is None else self.domains[rows],
            target=None if self.target is None else self.target[rows],
        )


class _HeldOut:
    """Keeps held-out answers while training, out of the saved model."""

    held_out_: Floats

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())  # type: ignore[call-overload]
        state.pop("held_out_", None)
        state.pop("held_out_right_", None)
        return state


class NatureHead(_HeldOut, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """One-against-rest linear SVM, its margins turned to probabilities by a temperature.

    Parameters
    ----------
    C : float
        Inverse strength of regularisation.
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
        What the meaning vector is multiplied by (see `best_scale`); the coefficients hold it.
    held_out_ : ndarray of shape (n_target_rows, n_classes)
        Probabilities of the plan's target rows, each by a model that did not see its domain; not
        saved.
    held_out_right_ : ndarray of shape (n_target_rows,)
        Whether the likeliest label of `held_out_` is the true one; not saved.

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

        def held_out(scale: Floats, by: NDArray[Any]) -> Floats:
            margins = np.full((len(codes), len(self.classes_)), -1.0)
            for train, test in folds(codes, by):
                coef, intercept = self._linear(X[train], codes[train], scale)
                margins[test] = X[test] @ coef + intercept
            return margins

        def right(margins: Floats) -> NDArray[np.bool_]:
            return np.asarray(margins.argmax(axis=1) == codes)

        scale, self.vector_weight_, strange = best_scale(
            X.shape[1], groups, plan, 0.0, held_out, right
        )
        target = every_row(plan, codes)
        margins = held_out(scale, groups) if plan and plan.domains is not None else strange
        self.temperature_ = fit_temperature(margins[target], codes[target])
        self.held_out_ = softmax(strange / self.temperature_, axis=1)[target]
        self.held_out_right_ = right(strange)[target]
        self.coef_, self.intercept_ = self._linear(X, codes, scale)
        return self

    def _linear(
        self,
        X: sp.csr_matrix,  # noqa: N803
        codes: NDArray[Any],
        scale: Floats,
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
        machine.fit(X[:, best] @ sp.diags(scale[best]), codes)
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
        Distributions of the plan's target rows, each by a model that did not see its fold.

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

        def held_out(scale: Floats, by: NDArray[Any]) -> Floats:
            margins = np.zeros((len(codes), len(self.steps) - 1))
            for train, test in folds(codes, by):
                coef, intercept = self._linear(X[train], codes[train], scale)
                margins[test] = X[test] @ coef + intercept
            return margins

        def right(margins: Floats) -> NDArray[np.bool_]:
            return np.asarray((margins > 0).sum(axis=1) == codes)

        scale, self.vector_weight_, strange = best_scale(
            X.shape[1], groups, plan, SIGNAL_WEIGHT, held_out, right
        )
        target = every_row(plan, codes)
        margins = held_out(scale, groups) if plan and plan.domains is not None else strange
        lines = [_platt(margins[target, k], codes[target] > k) for k in range(len(self.steps) - 1)]
        self.slope_, self.offset_ = np.array(lines).T
        self.held_out_ = self._distribution(margins[target])
        self.coef_, self.intercept_ = self._linear(X, codes, scale)
        return self

    def _linear(
        self,
        X: sp.csr_matrix,  # noqa: N803
        codes: NDArray[Any],
        scale: Floats,
    ) -> tuple[Floats, Floats]:
        """Fit one SVM a question; one that all rows answer alike has a margin of 0."""
        coef = np.zeros((X.shape[1], len(self.steps) - 1), dtype=np.float32)
        intercept = np.zeros(len(self.steps) - 1)
        scaled = X @ sp.diags(scale)
        for k in range(len(self.steps) - 1):
            graver = codes > k
            if graver.any() and not graver.all():
                machine = LinearSVC(C=self.C, class_weight="balanced", random_state=SEED)
                machine.fit(scaled, graver)
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
            scale[plan.vectors], scale[plan.signals] = 1.0, 0.0
        machine = LogisticRegression(C=self.C, max_iter=500).fit(X @ sp.diags(scale), positive)
        self.coef_, self.intercept_ = machine.coef_[0] * scale, float(machine.intercept_[0])
        return self

    def score_texts(self, X: sp.csr_matrix) -> Floats:  # noqa: N803
        """Return sentiment of shape (n_rows,): 0 most negative … 1 most positive."""
        scores: Floats = expit(X @ self.coef_ + self.intercept_)
        return scores


Head = NatureHead | OrderedHead | PolarityHead


def folds(codes: NDArray[Any], groups: NDArray[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield train and held-out indices, stratified by label, groups kept together."""
    _, rows = np.unique(codes, return_counts=True)
    n_folds = max(2, min(FOLDS, len(np.unique(groups)), int(rows.max())))
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=SEED)
    with warnings.catch_warnings():  # a class with fewer rows than folds is no fault
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        yield from splitter.split(np.zeros(len(codes)), codes, groups)


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
    right: Callable[[Floats], NDArray[np.bool_]],
) -> tuple[Floats, float, Floats]:
    """Choose the weight of the meaning vector on held-out folds.

    Of `VECTOR_WEIGHTS` the largest is taken that costs no more than `PRIOR_ROWS` right answers:
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
        From margins to whether each row's answer is the true one.

    Returns
    -------
    scale : ndarray of shape (n_features,)
    weight : float
    margins : ndarray
        The held-out margins under it.
    """
    by = groups if plan is None or plan.domains is None else plan.domains
    tried = []
    for weight in VECTOR_WEIGHTS if plan else (0.0,):
        scale = np.ones(n_features)
        if plan:
            scale[plan.vectors], scale[plan.signals] = weight, signal_weight
        margins = held_out(scale, by)
        tried.append((float(right(margins).mean()), scale, weight, margins))
    best = max(accuracy for accuracy, *_ in tried)
    least = best - PRIOR_ROWS / len(groups)
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


@dataclass
class FeatureSpace:
    """Features with the heads that read them."""

    features: TextFeatures
    heads: dict[str, Head] = field(default_factory=dict)
    origin: str = "own"


@dataclass(frozen=True, slots=True)
class Predictions:
    """What the heads say of many texts.

    Attributes
    ----------
    probabilities : dict of str to ndarray of shape (n_texts, n_labels)
        For nature, severity and emotion, columns in `labels` order.
    labels : dict of str to list of str
    sentiment : ndarray of shape (n_texts,)
        0 most negative … 1 most positive.
    known_share : ndarray of shape (n_texts,)
        Share of the text that the vocabulary knows, 0 … 1.
    matrices : list of csr_matrix
        The features in each space, for explanations.
    """

    probabilities: dict[str, Floats]
    labels: dict[str, list[str]]
    sentiment: Floats
    known_share: Floats
    matrices: list[sp.csr_matrix]

    def likeliest(self, head: str) -> list[str]:
        """Return the likeliest label of each text."""
        return [self.labels[head][at] for at in self.probabilities[head].argmax(axis=1)]


@dataclass
class TriageModel:
    """All heads, calibrated, with the thresholds that reach the policy's target precisions.

    Attributes
    ----------
    spaces : list of FeatureSpace
        One, or a company's own and the base model's.
    thresholds : dict
        `auto` and `suggest`: least probability of the nature for each decision.
    """

    spaces: list[FeatureSpace]
    thresholds: dict[str, float]

    def head(self, name: str) -> Any:
        """Return a head by name."""
        return next(space.heads[name] for space in self.spaces if name in space.heads)

    def predict(self, prepared: Sequence[str]) -> Predictions:
        """Score prepared texts with every head.

        Parameters
        ----------
        prepared : sequence of str of length n_texts
            See `features.prepare`.
        """
        probabilities: dict[str, Floats] = {}
        labels: dict[str, list[str]] = {}
        sentiment = np.zeros(len(prepared))
        matrices = [space.features.transform(prepared) for space in self.spaces]
        for space, matrix in zip(self.spaces, matrices, strict=True):
            for name, head in space.heads.items():
                if isinstance(head, PolarityHead):
                    sentiment = head.score_texts(matrix)
                else:
                    probabilities[name] = head.predict_proba(matrix)
                    labels[name] = [str(label) for label in head.classes_]
        known = np.max([space.features.known_share(prepared) for space in self.spaces], axis=0)
        return Predictions(probabilities, labels, sentiment, known, matrices)


def fit_space(
    texts: Sequence[str],
    labels: Mapping[str, NDArray[Any]],
    groups: NDArray[Any],
    *,
    domains: NDArray[Any] | None = None,
    target: NDArray[np.bool_] | None = None,
    reviews: tuple[Sequence[str], NDArray[Any]] | None = None,
    features: TextFeatures | None = None,
    progress: Progress | None = None,
) -> FeatureSpace:
    """Fit features and heads.

    Parameters
    ----------
    texts : sequence of str of length n_tickets
        Prepared texts of the training tickets.
    labels : mapping of head to ndarray of shape (n_tickets,)
        Labels, None where a ticket has none for that head.
    groups : ndarray of shape (n_tickets,)
        Near-duplicate groups.
    domains, target : ndarray of shape (n_tickets,), optional
        See `Plan`.
    reviews : (sequence of str, ndarray), optional
        Prepared reviews and 1 for positive, 0 for negative: gives the polarity head.
    features : TextFeatures, optional
        Unfitted features, for a user dictionary.
    progress : callable, optional
        Told in words what comes next.

    Returns
    -------
    FeatureSpace
        With one head for each entry of `labels`, and `sentiment` if there are reviews.

    Raises
    ------
    DataError
        If a head has fewer than two labels; the message names it.
    """
    say = progress or (lambda _: None)
    say("features")
    fitted = (features or TextFeatures()).fit([*texts, *(reviews[0] if reviews else ())])
    matrix = fitted.transform(texts)
    plan = replace(usual_plan(fitted), domains=domains, target=target)
    space = FeatureSpace(fitted)
    for name, column in labels.items():
        say(name)
        rows = np.array([label is not None and label == label for label in column])
        known = np.unique(column[rows].astype(str))
        if len(known) < 2:
            raise DataError(
                f"The column {name} has only the label {', '.join(known) or '(none)'}: a head "
                "needs two. Add tickets with other labels, or leave the column out.",
                code="too_few_classes",
            )
        head = OrderedHead(ORDERED_HEADS[name]) if name in ORDERED_HEADS else NatureHead()
        space.heads[name] = head.fit(
            matrix[rows], column[rows].astype(str), groups[rows], plan.only(rows)
        )
    if reviews:
        say("sentiment")
        space.heads["sentiment"] = PolarityHead().fit(
            fitted.transform(reviews[0]), reviews[1], plan
        )
    return space


def usual_plan(features: TextFeatures) -> Plan:
    """Return the plan of fitted features without domains."""
    return Plan(features.vector_columns, features.flag_columns)


def decision_thresholds(head: NatureHead, precision: Mapping[str, float]) -> dict[str, float]:
    """Set the thresholds of the three-way decision on a fresh head's held-out rows.

    Parameters
    ----------
    head : NatureHead
        Just fitted.
    precision : mapping
        Target precision of `auto` and `suggest`.

    Returns
    -------
    dict
        Least probability for `auto` and `suggest`.
    """
    sureness = head.held_out_.max(axis=1)
    found = {name: precision_threshold(sureness, head.held_out_right_, target)
             for name, target in precision.items()}  # fmt: skip
    return {**found, "suggest": min(found["suggest"], found["auto"])}


def precision_threshold(sureness: Floats, right: NDArray[np.bool_], target: float) -> float:
    """Return the least threshold above which the answers are right often enough.

    Parameters
    ----------
    sureness : ndarray of shape (n_rows,)
        Probability of the answer on held-out rows.
    right : ndarray of shape (n_rows,)
        Whether it was right.
    target : float
        Precision asked for, 0 to 1.

    Returns
    -------
    float
        `NEVER` where no threshold with at least 20 rows above it reaches the target.
    """
    order = np.argsort(-sureness)
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precision[_LEAST_AUTO_ROWS - 1 :] >= target)
    if not len(enough):
        return NEVER
    return float(sureness[order][enough[-1] + _LEAST_AUTO_ROWS - 1])
