"""Metrics at three zooms, overall, per class and per slice, beside baselines.

Everything here works on truths and answers that are passed in; nothing is fitted but the baselines.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import (
    brier_score_loss,
    cohen_kappa_score,
    f1_score,
    precision_recall_fscore_support,
)

from triage.evaluate.baselines import Baselines
from triage.polarity import area_under_curve
from triage.privacy import mask
from triage.schema import ORDERED_HEADS

Floats = NDArray[np.float64]

LENGTH_EDGES = (0, 25, 110, math.inf)
LENGTH_NAMES = ("≤25", "26–110", ">110")
SLICES = ("channel", "industry", "region", "kind")
"""Facts by which every figure is broken down, beside the length of the text."""

LEAST_SLICE_ROWS = 20
"""Slices with fewer rows say nothing and are left out."""

_BINS = 10


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """How one label fares: precision, recall and F1 from 0 to 1, and its number of true rows."""

    label: str
    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True, slots=True)
class HeadMetrics:
    """How one head fares on held-out rows.

    Attributes
    ----------
    rows : int
        Number of rows with a truth.
    accuracy, macro_f1 : float
        0 … 1.
    kappa : float or None
        Quadratic weighted kappa of ordered heads, −1 … 1.
    under_grading : float or None
        Share of rows of ordered heads that were put on a lower step than the truth.
    calibration_error : float
        Expected calibration error of the likeliest label, 0 … 1.
    baselines : dict
        Macro-F1, and kappa for ordered heads, of each baseline.
    classes : list of ClassMetrics
    slices : dict
        Slice → value → rows, macro-F1 and kappa.
    """

    rows: int
    accuracy: float
    macro_f1: float
    kappa: float | None
    under_grading: float | None
    calibration_error: float
    baselines: dict[str, dict[str, float]]
    classes: list[ClassMetrics]
    slices: dict[str, dict[str, dict[str, float]]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for `metrics.json`."""
        return asdict(self)


def calibration_error(sureness: Floats, right: NDArray[np.bool_], bins: int = _BINS) -> float:
    """Return the expected calibration error over bins of equal width.

    Parameters
    ----------
    sureness : ndarray of shape (n_rows,)
        Probability of the likeliest label.
    right : ndarray of shape (n_rows,)
        Whether it was the true one.
    bins : int
        Number of bins between 0 and 1.

    References
    ----------
    Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", 2015.

    Examples
    --------
    >>> calibration_error(np.array([0.9, 0.9]), np.array([True, False]))
    0.4
    """
    place = np.minimum((sureness * bins).astype(int), bins - 1)
    gaps = [
        abs(sureness[place == b].mean() - right[place == b].mean()) * (place == b).mean()
        for b in np.unique(place)
    ]
    return round(float(sum(gaps)), 12)


def quadratic_kappa(
    truth: Sequence[str], answer: Sequence[str], steps: Sequence[str]
) -> float | None:
    """Return the quadratic weighted kappa of two rows of steps; None where all truths are one."""
    place = {step: at for at, step in enumerate(steps)}
    a, b = [place[step] for step in truth], [place[step] for step in answer]
    if len(set(a)) < 2:
        return None
    kappa = cohen_kappa_score(a, b, weights="quadratic", labels=range(len(steps)))
    return float(np.nan_to_num(kappa))


def head_metrics(
    name: str,
    truth: Sequence[str],
    probabilities: Floats,
    labels: Sequence[str],
    *,
    baselines: Mapping[str, Sequence[str]],
    slices: Mapping[str, Sequence[Any]],
) -> HeadMetrics:
    """Measure one head.

    Parameters
    ----------
    name : str
        `nature`, `severity` or `emotion`.
    truth : sequence of str of length n_rows
        True labels.
    probabilities : ndarray of shape (n_rows, n_labels)
        Columns in `labels` order.
    labels : sequence of str
        The head's labels.
    baselines : mapping of name to sequence of str
        What each baseline answers for the rows.
    slices : mapping of name to sequence
        The value of each slice for the rows.
    """
    answer = np.asarray(labels)[probabilities.argmax(axis=1)]
    true = np.asarray(truth).astype(str)
    steps = ORDERED_HEADS.get(name)
    names = sorted(set(true) | set(answer)) if steps is None else list(steps)
    parts = precision_recall_fscore_support(true, answer, labels=names, zero_division=0)
    return HeadMetrics(
        rows=len(true),
        accuracy=float((true == answer).mean()),
        **_scores(name, true, answer),
        under_grading=_under_grading(true, answer, steps) if steps else None,
        calibration_error=calibration_error(probabilities.max(axis=1), true == answer),
        baselines={
            baseline: {key: value for key, value in _scores(name, true, given).items()
                       if value is not None}
            for baseline, given in baselines.items()
        },
        classes=[ClassMetrics(mask(label), float(p), float(r), float(f), int(n))
                 for label, p, r, f, n in zip(names, *parts, strict=True)],
        slices={slice_: _sliced(name, true, answer, values) for slice_, values in slices.items()},
    )  # fmt: skip


def _scores(name: str, true: NDArray[Any], answer: Any) -> dict[str, Any]:
    """Return macro-F1 over the true classes, and kappa for ordered heads."""
    steps = ORDERED_HEADS.get(name)
    present = sorted(set(true))
    return {
        "macro_f1": float(
            f1_score(true, np.asarray(answer).astype(str), labels=present, average="macro",
                     zero_division=0)
        ),
        "kappa": quadratic_kappa(list(true), list(answer), steps) if steps else None,
    }  # fmt: skip


def _under_grading(true: NDArray[Any], answer: NDArray[Any], steps: Sequence[str]) -> float:
    place = {step: at for at, step in enumerate(steps)}
    return float(np.mean([place[a] < place[t] for t, a in zip(true, answer, strict=True)]))


def _sliced(
    name: str, true: NDArray[Any], answer: NDArray[Any], values: Sequence[Any]
) -> dict[str, dict[str, float]]:
    """Measure each value of a slice that has rows enough."""
    column = pd.Series(list(values), dtype=object).fillna("（无）").astype(str).to_numpy()
    found: dict[str, dict[str, float]] = {}
    for value, count in pd.Series(column).value_counts().items():
        if count >= LEAST_SLICE_ROWS:
            rows = column == value
            scores = _scores(name, true[rows], answer[rows])
            found[mask(str(value))] = {"rows": int(count), **{
                key: score for key, score in scores.items() if score is not None}}  # fmt: skip
    return found


def length_slice(texts: Sequence[str]) -> list[str]:
    """Return the length class of each text."""
    lengths = [len(text) for text in texts]
    return [str(name) for name in pd.cut(lengths, LENGTH_EDGES, labels=LENGTH_NAMES)]


def evaluate_heads(
    frame: pd.DataFrame,
    probabilities: Mapping[str, Floats],
    labels: Mapping[str, Sequence[str]],
    baselines: Baselines,
) -> dict[str, HeadMetrics]:
    """Measure every head for which the rows hold a truth.

    Parameters
    ----------
    frame : DataFrame of n_rows
        Held-out tickets with their labels and facts.
    probabilities : mapping of head to ndarray of shape (n_rows, n_labels)
    labels : mapping of head to sequence of str
        Columns of `probabilities`.
    baselines : Baselines
        Learned on the training rows.
    """
    found = {}
    for head, table in probabilities.items():
        if head not in frame or not frame[head].notna().any():
            continue
        known = frame[head].notna().to_numpy()
        rows = frame[known]
        slices = {name: list(rows[name]) for name in SLICES if name in rows}
        found[head] = head_metrics(
            head,
            list(rows[head]),
            table[known],
            labels[head],
            baselines=baselines.answers(head, rows),
            slices={**slices, "length": length_slice(list(rows["text"]))},
        )
    return found


def coverage_precision(sureness: Floats, right: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Return the curve of precision over coverage, from the surest rows down.

    Returns
    -------
    list of dict
        `coverage` (share answered), `precision` and `threshold` at twenty points.
    """
    order = np.argsort(-sureness)
    precision = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    points = np.unique(np.ceil(np.linspace(0.05, 1, 20) * len(order)).astype(int)) - 1
    return [
        {
            "coverage": float((at + 1) / len(order)),
            "precision": float(precision[at]),
            "threshold": float(sureness[order][at]),
        }
        for at in points
    ]


def sentiment_metrics(
    texts: Sequence[str], positive: NDArray[np.int64], scores: Floats, baseline: Floats
) -> dict[str, Any]:
    """Measure sentiment on labelled reviews.

    Parameters
    ----------
    texts : sequence of str of length n_rows
    positive : ndarray of shape (n_rows,)
        1 positive, 0 negative.
    scores, baseline : ndarray of shape (n_rows,)
        Ours and SnowNLP's, 0 … 1.

    Returns
    -------
    dict
        Area under the ROC curve and Brier score of both, and for each length class the number of
        rows with the histogram of both scores in ten bins: a scale that saturates with length has
        its rows in the outermost ones.
    """
    lengths = np.array(length_slice(texts))
    return {
        "rows": len(positive),
        "auc": area_under_curve(list(positive), scores),
        "auc_snownlp": area_under_curve(list(positive), baseline),
        "brier": float(brier_score_loss(positive, scores)),
        "brier_snownlp": float(brier_score_loss(positive, baseline)),
        "by_length": {
            name: {
                "rows": int((lengths == name).sum()),
                "histogram": _histogram(scores[lengths == name]),
                "histogram_snownlp": _histogram(baseline[lengths == name]),
            }
            for name in LENGTH_NAMES
        },
    }


def _histogram(scores: Floats) -> list[int]:
    return [int(n) for n in np.histogram(scores, bins=_BINS, range=(0.0, 1.0))[0]]
