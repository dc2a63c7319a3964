"""What each word of a text weighs for any linear output of fitted features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from triage.features.ngrams import TextFeatures
from triage.features.packed import space_of
from triage.scoring import Asked, flagged
from triage.signals import disputed_amount


def word_weights(
    features: TextFeatures,
    words: Sequence[str],
    row: sp.csr_matrix,
    directions: Sequence[NDArray[Any]],
) -> NDArray[np.float64]:
    """Share out linear outputs over the words of one prepared text; see `scoring.Space.weigh`.

    Parameters
    ----------
    features : TextFeatures
        Fitted.
    words : sequence of str of length n_words
        A prepared text, cut by the features' segmenter.
    row : csr_matrix of shape (1, n_features)
        Its features.
    directions : sequence of ndarray of shape (n_features,), of length n_outputs
        Coefficients of each output.

    Returns
    -------
    ndarray of shape (n_words, n_outputs)
        Each column adds up to `row @ direction`.
    """
    coefficients, text = np.column_stack(directions), "".join(words)
    space = space_of(features, coefficients)
    flags = flagged(features.matcher.find(text), disputed_amount(text))
    counted = space.count([Asked(text)], [words], [flags])
    columns = np.arange(len(directions))[None, :]
    return space.weigh(counted, columns, np.ones(columns.shape), row @ coefficients)[1:-1]
