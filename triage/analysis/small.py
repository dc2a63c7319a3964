"""Small models from a sample of the tickets: quick to train, to audit labels and to compare."""

from __future__ import annotations

import numpy as np
import pandas as pd

from triage.analysis.opened import Opened, open_version
from triage.data import stable_share
from triage.engine.promotion import Candidate
from triage.features import TextFeatures, prepare_tickets
from triage.model import FeatureSpace, TriageModel, fit_space
from triage.schema import HEADS, UsageError

LEAST_ROWS = 100
"""Fewer tickets train no model."""


def sample_of(tickets: pd.DataFrame, n: int) -> pd.DataFrame:
    """Draw tickets by whole near-duplicate groups, the same ones each time.

    Parameters
    ----------
    tickets : DataFrame
        With `group`.
    n : int
        Rows, a few more or less.

    Raises
    ------
    UsageError
        If a sample of so many is too small to train on.
    """
    if min(n, len(tickets)) < LEAST_ROWS:
        raise UsageError(
            f"A sample of {n} of {len(tickets)} tickets is too small to train a model on: it "
            f"needs {LEAST_ROWS}.",
            code="too_few_rows",
        )
    groups = tickets["group"].drop_duplicates()
    shares = pd.Series([stable_share(group) for group in groups], index=groups)
    place = tickets["group"].map(shares.rank(method="first"))
    return tickets.iloc[np.argsort(place, kind="stable")[:n]].sort_index()


def fitted_on(opened: Opened, rows: pd.DataFrame) -> FeatureSpace:
    """Fit features and heads on some tickets, for the heads that have two labels there.

    Returns
    -------
    FeatureSpace
        Its heads hold their held-out answers.
    """
    heads = [head for head in HEADS if rows[head].dropna().nunique() > 1]
    segmenter = opened.desk.model.spaces[0].features.segmenter_
    return fit_space(
        prepare_tickets(rows, forgetful=True),
        {head: rows[head].to_numpy(dtype=object) for head in heads},
        rows["group"].to_numpy(),
        features=TextFeatures(segmenter),
    )


def small_model(n: int = 1_000, version: str | None = None) -> Candidate:
    """Train a small model on a sample of a model's training tickets, held in memory.

    Parameters
    ----------
    n : int
        Training tickets; 1,000 take some 10 s.
    version : str, optional
        Whose tickets; the promoted model's if absent.

    Returns
    -------
    (str, TriageModel, DataFrame)
        Name, model, and tickets: the sample, and the same held-out tickets as the version's.
        `compare` takes it as champion or challenger.

    Raises
    ------
    UsageError
        If there is no such version, or too few tickets.
    """
    opened = open_version(version)
    tickets = opened.tickets
    sample = sample_of(tickets[tickets["side"] == "train"], n).reset_index(drop=True)
    space = fitted_on(opened, sample)
    spaces = [space]
    for other in opened.desk.model.spaces:
        missing = {name: head for name, head in other.heads.items() if name not in space.heads}
        spaces += [FeatureSpace(other.features, missing, "base")] if missing else []
    known = pd.concat([sample, tickets[tickets["side"] == "test"]], ignore_index=True)
    name = f"small-{len(sample)}"
    return name, TriageModel(spaces, opened.desk.model.thresholds), known
