"""Past tickets that are like a text, how they were labelled and how they were resolved."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from triage.analysis.opened import Opened, open_version
from triage.data import ticket_key
from triage.features import TextFeatures, prepare
from triage.schema import HEADS, Complaint

MOST_TICKETS = 50_000
"""Past tickets that are searched, the last of the file: so many take some 25 s the first time, and
200 MB."""


def similar(text: str | Complaint, version: str | None = None, n: int = 10) -> pd.DataFrame:
    """Find the past tickets that are most like a text.

    Parameters
    ----------
    text : str or Complaint
        The same ticket, if it stands among the past ones, is passed over.
    version : str, optional
        The promoted model if absent; its training and held-out tickets are searched, of more than
        50,000 the last ones.
    n : int
        Rows at most.

    Returns
    -------
    DataFrame of at most n rows
        `similarity` (mean of the cosines of words 1–2, of characters 1–3 and of the meaning
        vectors; 1 the same), `side` (`train` or `test`), the labels `nature, severity, emotion`,
        the facts that are known, `resolution` (how it was settled, None where that is not known)
        and `text`, masked. The most similar first.

    Raises
    ------
    UsageError
        If there is no such version.
    ArtifactError
        If no model is promoted, or it can't be loaded.
    TextError
        If there is nothing to read.
    """
    opened = open_version(version)
    reading = opened.desk.read(text)
    past, matrix = _past(opened)
    row = _parts(_features(opened), [reading.prepared.text])
    likeness = (matrix @ row.T).toarray().ravel() / 3
    own = past["key"].to_numpy() == ticket_key(reading.complaint.text)
    order = np.argsort(-np.where(own, -np.inf, likeness), kind="stable")
    order = order[~own[order]][:n]
    found: pd.DataFrame = past.iloc[order].reset_index(drop=True)
    if "resolution" not in found:
        found["resolution"] = None
    found.insert(0, "similarity", likeness[order].round(3))
    facts = [fact for fact in opened.facts if fact != "length"]
    return found[["similarity", "side", *HEADS, *facts, "resolution", "text"]]


def _features(opened: Opened) -> TextFeatures:
    features: TextFeatures = opened.desk.model.spaces[0].features
    return features


@lru_cache(maxsize=1)
def _past(opened: Opened) -> tuple[pd.DataFrame, sp.csr_matrix]:
    """Return the tickets that are searched with their features, made once for a model."""
    past = opened.tickets.tail(MOST_TICKETS)
    texts = [prepare(text).text for text in past["text"]]
    return past, _parts(_features(opened), texts)


def _parts(features: TextFeatures, texts: list[str]) -> sp.csr_matrix:
    """Return words, characters and meaning of texts, each part of length 1."""
    cut = [features.segmenter_.cut(text) for text in texts]
    meaning: NDArray[np.float32] = features.vectors.transform(cut)
    blocks = [features.words_.transform(texts), features.chars_.transform(texts)]
    return sp.hstack([*blocks, sp.csr_matrix(meaning)], dtype=np.float32).tocsr()
