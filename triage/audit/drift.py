"""Change over time: shares of labels, classes that come and go, labelling, new words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2_contingency

from triage.audit.result import DRIFT_COLUMNS, MONTH_COLUMNS, display, empty
from triage.audit.suspects import Judged
from triage.audit.words import joined, words_of
from triage.schema import SHANGHAI
from triage.text import Segmenter

MONTH_ROWS = 30
"""Tickets of a month at least; a thinner one is joined to the next."""

P_VALUE = 0.001
"""Chance, divided by the number of comparisons of a head, below which a change is believed."""

LEAST_CHANGE, LEAST_RATIO = 0.04, 1.4
"""A share must move by so many points and by this factor to be worth a sentence."""

ABSENT_ROWS = 8
"""Tickets of a class that would be expected in the months in which there are none."""

LABELLING_CHANGE = 0.08
"""Points by which the share of labels that the held-out answers contradict must move."""

MOST_READ = 20_000
"""Tickets whose words are counted."""

NEW_WORD_ROWS = 10
"""Tickets that a new word must stand in."""

LATE_START = 0.05
"""Share of the tickets with new words that may lie before the month from which they are told."""

MOST_NEW_WORDS = 8

Names = Mapping[str, Mapping[str, str]]


class _Change(NamedTuple):
    """A share in some months and in the others, and the chance of such a difference."""

    months: NDArray[np.bool_]
    before: float
    after: float
    p_value: float


def months_of(frame: pd.DataFrame) -> pd.Series | None:
    """Return each ticket's month in Shanghai, such as `2026-03`; thin months join the next.

    Parameters
    ----------
    frame : DataFrame
        With `received_at` where times are known.

    Returns
    -------
    Series or None
        Missing where a ticket has no time; None where there are fewer than two months.
    """
    if "received_at" not in frame or frame["received_at"].isna().all():
        return None
    times = pd.to_datetime(frame["received_at"], utc=True, errors="coerce")
    months = times.dt.tz_convert(SHANGHAI).dt.strftime("%Y-%m")
    counts = months.value_counts().sort_index()
    names: dict[str, str] = {}
    waiting: list[str] = []
    for month in counts.index:
        waiting.append(str(month))
        if counts[waiting].sum() >= MONTH_ROWS:
            names |= dict.fromkeys(waiting, str(month))
            waiting = []
    last = next(reversed(names.values()), None)
    names |= dict.fromkeys(waiting, last) if last else {}
    found = months.map(names)
    return found if found.nunique() > 1 else None


def month_shares(frame: pd.DataFrame, months: pd.Series, head: str) -> pd.DataFrame:
    """Return how many tickets of each month have each label: see `Audit.months`."""
    table = pd.crosstab(months, frame[head])
    counts, totals = table.to_numpy(), table.to_numpy().sum(axis=1)
    records = [
        (str(month), head, str(label), int(counts[i, j]), round(float(counts[i, j] / totals[i]), 4))
        for i, month in enumerate(table.index) for j, label in enumerate(table.columns)
    ]  # fmt: skip
    return pd.DataFrame(records, columns=list(MONTH_COLUMNS))


def find_label_drift(
    frame: pd.DataFrame, months: pd.Series, head: str, names: Names
) -> pd.DataFrame:
    """List labels whose share changes, that appear or that vanish.

    A change from a month on, and one of a single month, are tried for each label; the surer of the
    two stays. It must be beyond chance (chi-squared) and large enough to matter. A label that only
    makes room for another one's change is not named.

    Parameters
    ----------
    frame : DataFrame
        The head's column.
    months : Series
        See `months_of`.
    head : str
    names : mapping of head to mapping of label to str

    Returns
    -------
    DataFrame
        See `Audit.drift`, the surest first.
    """
    table = pd.crosstab(months, frame[head])
    counts, totals = table.to_numpy(), table.to_numpy().sum(axis=1)
    found: list[tuple[int, _Change]] = []
    for at in range(counts.shape[1]):
        if change := _found(counts[:, at], totals, counts.size):
            found.append((at, change))
    found.sort(key=lambda one: one[1].p_value)
    kept: list[tuple[int, _Change]] = []
    for at, change in found:
        others = [other for other, own in kept if (own.months == change.months).all()]
        rest = totals - counts[:, others].sum(axis=1)
        if not others or _found(counts[:, at], rest, counts.size):
            kept.append((at, change))
    times = [str(month) for month in table.index]
    records = [
        _record(head, str(table.columns[at]), names, times, counts[:, at], change)
        for at, change in kept
    ]
    return pd.DataFrame(records, columns=list(DRIFT_COLUMNS)) if records else empty(DRIFT_COLUMNS)


def _record(
    head: str, label: str, names: Names, times: list[str], rows: NDArray[np.int64], change: _Change
) -> tuple[Any, ...]:
    kind, since = _kind(change), times[int(np.flatnonzero(change.months)[0])]
    sentence = _sentence(kind, display(names, head, label), since, change)
    return (kind, head, label, since, round(change.before, 4), round(change.after, 4),
            int(rows[change.months].sum()), change.p_value, sentence)  # fmt: skip


def _found(rows: NDArray[np.int64], totals: NDArray[np.int64], comparisons: int) -> _Change | None:
    return _absence(rows, totals, comparisons) or _change(rows, totals, comparisons)


def _absence(
    rows: NDArray[np.int64], totals: NDArray[np.int64], comparisons: int
) -> _Change | None:
    """Find the months before a class's first ticket, or behind its last, if some ought to be there.

    The chance is that of all its tickets falling into the other months.
    """
    here, present = np.arange(len(rows)), np.flatnonzero(rows)
    first, last = present[0], present[-1]
    share = float(rows.sum() / totals[first : last + 1].sum())
    for months, absent, after in (
        (here > last, here > last, 0.0),
        (here >= first, here < first, share),
    ):
        chance = float((1 - totals[absent].sum() / totals.sum()) ** rows.sum())
        expected = share * totals[absent].sum()
        if expected >= ABSENT_ROWS and chance * comparisons <= P_VALUE:
            return _Change(months, share - after, after, chance)
    return None


def _change(rows: NDArray[np.int64], totals: NDArray[np.int64], comparisons: int) -> _Change | None:
    """Find the surest change of a share: from a month on, or of one month."""
    here = np.arange(len(rows))
    tried = [here >= at for at in range(1, len(rows))]
    if len(rows) > 3:
        tried += [here == at for at in range(1, len(rows) - 1)]
    changes = [_compared(months, rows, totals) for months in tried]
    surest = min(changes, key=lambda change: change.p_value)
    low, high = sorted((surest.before, surest.after))
    if surest.p_value * comparisons > P_VALUE or high - low < LEAST_CHANGE:
        return None
    return surest if high >= LEAST_RATIO * low else None


def _compared(
    months: NDArray[np.bool_], rows: NDArray[np.int64], totals: NDArray[np.int64]
) -> _Change:
    sums = [rows[~months].sum(), rows[months].sum()]
    sizes = [totals[~months].sum(), totals[months].sum()]
    square = np.array([sums, np.subtract(sizes, sums)])
    if (square.sum(axis=1) == 0).any():
        return _Change(months, 0.0, 0.0, 1.0)
    p_value = float(chi2_contingency(square).pvalue)
    return _Change(months, sums[0] / sizes[0], sums[1] / sizes[1], p_value)


def _kind(change: _Change) -> str:
    if change.before == 0:
        return "new"
    if change.after == 0:
        return "gone"
    return "month" if change.months.sum() == 1 and not change.months[-1] else "share"


def _sentence(kind: str, name: str, since: str, change: _Change) -> str:
    before, after = f"{change.before:.1%}", f"{change.after:.1%}"
    moved = "升到" if change.after > change.before else "降到"
    return {
        "new": f"「{name}」从 {since} 起才出现，此后占 {after}：可能是新增的类，或改过分类办法",
        "gone": f"「{name}」从 {since} 起不再出现，此前占 {before}：可能已停用或并入别的类",
        "month": f"{since} 一个月里「{name}」占 {after}，其余月份占 {before}：看看那个月发生了什么",
        "share": f"从 {since} 起「{name}」的占比从 {before} {moved} {after}",
    }[kind]


def find_labelling_drift(months: pd.Series, judged: Judged, name: str) -> pd.DataFrame:
    """Tell whether the labels contradict the held-out answers more, or less, from a month on.

    Parameters
    ----------
    months : Series
        See `months_of`.
    judged : Judged
    name : str
        What people call the head.
    """
    some = months.iloc[judged.at]
    wrong = pd.Series(judged.answers != judged.codes, index=some.index)
    table = pd.crosstab(some, wrong)
    if table.shape[1] < 2 or len(table) < 2:
        return empty(DRIFT_COLUMNS)
    rows, totals = table[True].to_numpy(), table.to_numpy().sum(axis=1)
    change = _change(rows, totals, comparisons=len(table) * 2)
    if change is None or abs(change.after - change.before) < LABELLING_CHANGE:
        return empty(DRIFT_COLUMNS)
    since = str(table.index[np.flatnonzero(change.months)[0]])
    moved = "升到" if change.after > change.before else "降到"
    span = "" if change.months[-1] else "（只这一个月）"
    sentence = (
        f"从 {since} 起{span}，{name}标签与模型判断不符的比例从 {change.before:.0%} {moved} "
        f"{change.after:.0%}：标注口径可能变过，请抽查这前后的工单"
    )
    record = ("labelling", judged.head, None, since, round(change.before, 4),
              round(change.after, 4), int(rows[change.months].sum()), change.p_value,
              sentence)  # fmt: skip
    return pd.DataFrame([record], columns=list(DRIFT_COLUMNS))


def find_word_drift(frame: pd.DataFrame, months: pd.Series, segmenter: Segmenter) -> pd.DataFrame:
    """Name words that the later half of the tickets has and the earlier half has not.

    A word is new if chance would hardly put all of its tickets into the later half. What share of
    the words is unknown is told beside it: of the later half, and of a fifth of the earlier half
    that is held out, both against the other four fifths.

    Parameters
    ----------
    frame : DataFrame
        `text`.
    months : Series
        See `months_of`.
    segmenter : Segmenter
    """
    at = np.flatnonzero(months.notna().to_numpy())
    at = at[:: max(1, len(at) // MOST_READ)]
    month = months.iloc[at].to_numpy()
    later = month >= np.sort(month)[len(month) // 2]
    if not 2 * MONTH_ROWS <= (~later).sum():
        return empty(DRIFT_COLUMNS)
    words = [words_of(text, segmenter) for text in frame["text"].iloc[at]]
    early = [row for row, is_later in zip(words, later, strict=True) if not is_later]
    new = _new_words(words, later, set().union(*early))
    if not new:
        return empty(DRIFT_COLUMNS)
    rows = np.array([not new.keys().isdisjoint(row) for row in words])
    since = str(np.sort(month[rows])[int(LATE_START * rows.sum())])
    known = set().union(*(row for place, row in enumerate(early) if place % 5))
    before = _unknown_share(early[::5], known)
    after = _unknown_share([row for row, here in zip(words, month >= since, strict=True) if here],
                           known)  # fmt: skip
    sentence = (
        f"从 {since} 起出现以前没有的词：{joined(list(new)[:MOST_NEW_WORDS])}"
        + (f"等 {len(new)} 个" if len(new) > MOST_NEW_WORDS else "")
        + f"，见于 {rows.sum()} 条工单；没见过的词从 {before:.1%} 变为 {after:.1%}。"
        "请用近期工单重新训练"
    )
    record = ("words", None, None, since, round(before, 4), round(after, 4), int(rows.sum()),
              None, sentence)  # fmt: skip
    return pd.DataFrame([record], columns=list(DRIFT_COLUMNS))


def _new_words(
    words: Sequence[set[str]], later: NDArray[np.bool_], seen: set[str]
) -> dict[str, int]:
    """Return new words and how many tickets hold each, the most frequent first."""
    counts: Counter[str] = Counter()
    for row, is_later in zip(words, later, strict=True):
        if is_later:
            counts.update(row - seen)
    often = {word: rows for word, rows in counts.most_common() if rows >= NEW_WORD_ROWS}
    chance = float(later.mean())
    return {w: rows for w, rows in often.items() if chance**rows * len(counts) <= P_VALUE}


def _unknown_share(words: Sequence[set[str]], known: set[str]) -> float:
    total = sum(len(row) for row in words)
    return sum(len(row - known) for row in words) / max(total, 1)
