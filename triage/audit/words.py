"""Words of texts: how many texts hold each, and which tell two sets of texts apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from triage.privacy import MASK, mask
from triage.text import Segmenter, normalise

PRIOR = 3.0
"""Texts that a word is taken to stand in on both sides before any is read."""


def words_of(text: str, segmenter: Segmenter) -> set[str]:
    """Return the words of two characters and more of a text, personal data left out.

    Examples
    --------
    >>> sorted(words_of("快递丢了，电话13800001234", Segmenter()))
    ['快递', '电话']
    """
    cut = segmenter.cut(normalise(mask(text)).text)
    return {word for word in cut if len(word) > 1 and word.isalpha() and MASK not in word}


def word_rows(texts: Iterable[str], segmenter: Segmenter) -> Counter[str]:
    """Count how many of the texts hold each word."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(words_of(text, segmenter))
    return counts


def telling_words(
    one: Counter[str], other: Counter[str], sizes: tuple[int, int], most: int
) -> tuple[list[str], list[str], list[str]]:
    """Return the words that speak for one of two classes, for the other, and for neither.

    Parameters
    ----------
    one, other : Counter
        Texts of each class that hold a word.
    sizes : (int, int)
        Texts of each class.
    most : int
        Words at most in each list.

    Returns
    -------
    one, other, shared : list of str
        By smoothed log-odds over its standard error; shared words by how many texts hold them.
    """
    known = [word for word in (one | other) if one[word] + other[word] >= 5]
    if not known:
        return [], [], []
    a = np.array([one[word] for word in known]) + PRIOR
    b = np.array([other[word] for word in known]) + PRIOR
    odds = np.log(a / (sizes[0] + PRIOR)) - np.log(b / (sizes[1] + PRIOR))
    sure = odds / np.sqrt(1 / a + 1 / b)
    order = np.argsort(-sure, kind="stable")
    firsts = [known[at] for at in order if sure[at] > 2][:most]
    lasts = [known[at] for at in order[::-1] if sure[at] < -2][:most]
    even = np.flatnonzero(np.abs(odds) < np.log(1.5))
    shared = [known[at] for at in even[np.argsort(-(a + b)[even], kind="stable")]][:most]
    return firsts, lasts, shared


def joined(words: Sequence[str]) -> str:
    """Return words as Chinese lists them."""
    return "、".join(words)
