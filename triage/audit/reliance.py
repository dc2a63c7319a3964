"""How much a model leans on a phrase: a small one, with the phrase and without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triage.model.plan import SEED, folds

MOST_ROWS = 6_000
"""Tickets that the throw-away model is fitted on."""

MOST_ASKED = 300
"""Tickets of a phrase that it is asked about."""


def reliance(
    texts: Sequence[str],
    codes: NDArray[np.int64],
    groups: NDArray[Any],
    phrases: Sequence[tuple[str, NDArray[np.int64]]],
) -> list[tuple[float, float]]:
    """Measure a small model on the tickets of each phrase, as they are and with the phrase cut out.

    Parameters
    ----------
    texts : sequence of str of length n_tickets
        Folded: see `repeats.fold`.
    codes : ndarray of shape (n_tickets,)
        Labels, -1 where there is none.
    groups : ndarray of shape (n_tickets,)
        Near-duplicate groups; the model never saw the group that it is asked about.
    phrases : sequence of (str, ndarray)
        Folded phrases and the tickets that hold them.

    Returns
    -------
    list of (float, float)
        Accuracy on a phrase's tickets with it, and without it.
    """
    asked = [_some(rows[codes[rows] >= 0], MOST_ASKED) for _, rows in phrases]
    rest = np.setdiff1d(np.flatnonzero(codes >= 0), np.concatenate(asked))
    space = max(MOST_ROWS - len(np.unique(np.concatenate(asked))), MOST_ROWS // 3)
    at = np.union1d(np.concatenate(asked), _some(rest, space))
    matrix = _features([texts[row] for row in at])
    right = [np.zeros((2, len(rows))) for rows in asked]
    for train, test in folds(codes[at], groups[at]):
        machine = _machine().fit(matrix[train], codes[at[train]])
        held = set(at[test])
        for (phrase, _), rows, marks in zip(phrases, asked, right, strict=True):
            here = [place for place, row in enumerate(rows) if row in held]
            if here:
                with_it = [texts[rows[place]] for place in here]
                without = [text.replace(phrase, "") for text in with_it]
                answers = machine.predict(_features([*with_it, *without])).reshape(2, -1)
                marks[:, here] = answers == codes[rows[here]]
    return [(float(marks[0].mean()), float(marks[1].mean())) for marks in right]


def _some(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return a fixed sample of the rows."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(SEED).choice(rows, most, replace=False))


def _features(texts: Sequence[str]) -> Any:
    """Return characters 1 to 3 of the texts, hashed."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        analyzer="char", ngram_range=(1, 3), n_features=2**18, alternate_sign=False
    ).transform(texts)


def _machine() -> Any:
    from sklearn.svm import LinearSVC

    return LinearSVC(C=0.5, class_weight="balanced", random_state=SEED)
