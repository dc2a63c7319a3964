"""Group near duplicates and choose which tickets are held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triage.data.tickets import Tickets
from triage.schema import DataError
from triage.text import normalise

SHINGLE = 5
NEAR_DUPLICATE = 0.5
"""Jaccard similarity of 5-character shingles from which two tickets count as near duplicates."""

_MINHASHES, _BANDS = 64, 16


def near_duplicate_groups(
    texts: Sequence[str], on_step: Callable[[int], None] | None = None
) -> NDArray[np.int64]:
    """Group near duplicates: MinHash over 5-character shingles, 16 bands of 4, checked pairs.

    Parameters
    ----------
    texts : sequence of str of length n_texts
        Texts as sent.
    on_step : callable, optional
        Told of each text done.

    Returns
    -------
    ndarray of shape (n_texts,)
        A stable number per group: equal groups of texts get it in any order and any file.

    References
    ----------
    Broder, "On the resemblance and containment of documents", 1997.
    """
    import rensa
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    signatures = np.empty((len(texts), _MINHASHES), dtype=np.uint32)
    keys = np.empty(len(texts), dtype=np.int64)
    for at, text in enumerate(texts):
        plain = _letters(text)
        minhash = rensa.RMinHash(num_perm=_MINHASHES, seed=7)
        minhash.update([plain[i : i + SHINGLE] for i in range(max(1, len(plain) - SHINGLE + 1))])
        signatures[at] = minhash.digest()
        keys[at] = int.from_bytes(_digest(plain))
        if on_step:
            on_step(1)
    left, right = _candidate_pairs(signatures)
    alike = (signatures[left] == signatures[right]).mean(axis=1) >= NEAR_DUPLICATE
    links = coo_array((np.ones(alike.sum()), (left[alike], right[alike])), shape=(len(texts),) * 2)
    _, component = connected_components(links, directed=False)
    return pd.Series(keys).groupby(component).transform("min").to_numpy()


def ticket_key(text: str) -> str:
    """Return what a ticket is known by from file to file: a hash of its letters and digits.

    Examples
    --------
    >>> ticket_key("太贵了！") == ticket_key(" 太贵了。")
    True
    >>> len(ticket_key("太贵了"))
    14
    """
    return _digest(_letters(text)).hex()


def _digest(letters: str) -> bytes:
    return blake2b(letters.encode(), digest_size=7).digest()


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, normalise(text).text)) or text


def _candidate_pairs(
    signatures: NDArray[np.uint32],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pair each text with the first that shares a band of its signature."""
    width = signatures.shape[1] // _BANDS
    left, right = [], []
    for band in range(_BANDS):
        part = np.ascontiguousarray(signatures[:, band * width : (band + 1) * width])
        codes = part.view([("", part.dtype)] * width).ravel()
        _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
        other = first[inverse.ravel()]
        own = np.arange(len(codes))
        left.append(own[other != own])
        right.append(other[other != own])
    return np.concatenate(left), np.concatenate(right)


def split(
    tickets: Tickets,
    *,
    by: Literal["group", "time"] = "group",
    test_share: float = 0.2,
) -> NDArray[np.bool_]:
    """Choose the held-out test rows; near duplicates stay on one side.

    Parameters
    ----------
    tickets : Tickets
        Their frame has `group`; for `time` also `received_at`.
    by : {"group", "time"}
        By a stable hash of the near-duplicate group, so that a ticket keeps its side from run to
        run, or the latest groups by time of receipt.
    test_share : float
        Share of the rows to hold out, between 0 and 1.

    Returns
    -------
    ndarray of shape (n_tickets,)
        True for test rows. A label of which all rows would be held out stays in training.

    Raises
    ------
    DataError
        If `time` is asked for and no row has a time, or one side would be empty.
    """
    frame = tickets.frame
    if by == "time":
        if "received_at" not in frame or frame["received_at"].isna().all():
            raise DataError(
                "No row has a time of receipt, so the tickets can't be split by time: map it with "
                "--map 列名=received_at, or split by group.",
                code="no_times",
            )
        times = pd.to_datetime(frame["received_at"], utc=True).groupby(frame["group"])
        first = times.transform("min").fillna(pd.Timestamp(0, tz="UTC"))
        test = (first > first.quantile(1 - test_share, interpolation="lower")).to_numpy(
            dtype=bool, copy=True
        )
    else:
        test = np.array([stable_share(group) < test_share for group in frame["group"]])
    for head in tickets.heads:
        test &= ~_only_held_out(frame[head], frame["group"], test)
    if not test.any() or test.all():
        raise DataError(
            f"{len(frame)} distinct tickets are too few to hold some out: add tickets.",
            code="too_few_rows",
        )
    return test


def _only_held_out(
    labels: pd.Series, groups: pd.Series, test: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Find groups with a label of which every row is held out: it must be learned first."""
    learned = set(labels[~test].dropna())
    lost = labels.notna() & ~labels.isin(learned)
    return groups.isin(groups[lost]).to_numpy()


def stable_share(group: int) -> float:
    """Return a number in [0, 1) that depends on the group alone."""
    digest = blake2b(int(group).to_bytes(8, signed=True), digest_size=7, person=b"triage")
    return int.from_bytes(digest.digest()) / 2**56
