"""The head of the sentiment."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from triage.model.plan import Floats, Plan


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
