"""The head that tells what is no matter for the desk: a wrong window, a pasted text, a bot."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from triage.model.plan import FOLDS, SEED, Floats, Plan, fold_rows

FALSE_ALARMS = 0.03
"""Share of held-out tickets of kinds never seen that may pass for off topic. Of 120 unseen texts
about anything but complaints 69 % go to a person by it, of 120 deliberately unusual contacts 3 %,
of 303 public complaints about 1 %. (Distance from the training tickets' meanings told 9 and 12 %.)
"""


class TopicHead(BaseEstimator):  # type: ignore[misc]
    """Logistic regression between a desk's own tickets and texts about anything else.

    Parameters
    ----------
    C : float
        Inverse strength of regularisation.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Only n-grams weigh; meaning vectors beside them lose (AUC 0.91 for 0.92).
    intercept_ : float
    threshold_ : float
        Least margin of what is off topic: above it lie `FALSE_ALARMS` of held-out tickets.
    """

    def __init__(self, C: float = 10.0) -> None:  # noqa: N803
        self.C = C

    def fit(
        self,
        X: sp.csr_matrix,  # noqa: N803
        off_topic: sp.csr_matrix,
        groups: NDArray[Any],
        plan: Plan,
    ) -> Self:
        """Fit on tickets and off-topic texts, the threshold on held-out folds.

        Parameters
        ----------
        X : csr_matrix of shape (n_tickets, n_features)
        off_topic : csr_matrix of shape (n_texts, n_features)
        groups : ndarray of shape (n_tickets,)
            Near-duplicate groups; the plan's domains go before them.
        plan : Plan
        """
        by = groups if plan.domains is None else plan.domains
        rows = fold_rows(groups)
        target = rows if plan.target is None else rows[plan.target[rows]]
        margins = self._held_out(X[rows], off_topic, by[rows], plan)
        places = np.searchsorted(rows, target)
        self.threshold_ = float(np.quantile(margins[places], 1 - FALSE_ALARMS))
        self.coef_, self.intercept_ = self._linear(X[rows], off_topic, plan)
        return self

    def _held_out(
        self,
        X: sp.csr_matrix,  # noqa: N803
        off_topic: sp.csr_matrix,
        by: NDArray[Any],
        plan: Plan,
    ) -> Floats:
        """Return margins of tickets by models that did not see their domain or group."""
        margins = np.zeros(X.shape[0])
        n_folds = min(FOLDS, len(np.unique(by)))
        for train, test in GroupKFold(n_folds, shuffle=True, random_state=SEED).split(X, groups=by):
            coef, intercept = self._linear(X[train], off_topic, plan)
            margins[test] = X[test] @ coef + intercept
        return margins

    def _linear(
        self,
        X: sp.csr_matrix,  # noqa: N803
        off_topic: sp.csr_matrix,
        plan: Plan,
    ) -> tuple[Floats, float]:
        ngrams = slice(0, plan.vectors.start)
        both = sp.vstack([X[:, ngrams], off_topic[:, ngrams]]).tocsr()
        is_off = np.r_[np.zeros(X.shape[0]), np.ones(off_topic.shape[0])]
        machine = LogisticRegression(C=self.C, class_weight="balanced", max_iter=300)
        machine.fit(both, is_off)
        coef = np.zeros(X.shape[1], dtype=np.float32)
        coef[ngrams] = machine.coef_[0]
        return coef, float(machine.intercept_[0])

    def decision_function(self, X: sp.csr_matrix) -> Floats:  # noqa: N803
        """Return margins of shape (n_rows,), higher for what is off topic."""
        margins: Floats = X @ self.coef_ + self.intercept_
        return margins

    def is_off_topic(self, X: sp.csr_matrix) -> NDArray[np.bool_]:  # noqa: N803
        """Tell which texts are no matter for the desk, shape (n_rows,)."""
        told: NDArray[np.bool_] = self.decision_function(X) > self.threshold_
        return told
