"""Classes too small to learn or to measure, and classes that are taken for each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from triage.audit.result import ALIKE_COLUMNS, SMALL_COLUMNS, display, empty
from triage.audit.suspects import Judged
from triage.audit.words import joined, telling_words, word_rows
from triage.data.tickets import MIN_CLASS_ROWS
from triage.schema import ORDERED_HEADS
from triage.text import Segmenter

WEAK, MEASURABLE = 10, 50
"""Distinct tickets below which a class is hardly learned, and below which its recall can't be
measured: a fifth of 50 held out are 10, on which a recall of 0.8 is known to within ±25 points."""

ALIKE_SHARE, WORRYING_SHARE = 0.05, 0.1
"""Share of each class's tickets that are answered as the other, from which two are alike, and from
which it is worth a sentence on top."""

ALIKE_ROWS = 3
"""Tickets in each direction at least."""

MOST_PAIRS = 12
"""Pairs of one head that are listed."""

MOST_READ = 1_500
"""Tickets of a class whose words are counted."""

MOST_WORDS = 6

Names = Mapping[str, Mapping[str, str]]


def find_small(frame: pd.DataFrame, head: str, judged: Judged | None, names: Names) -> pd.DataFrame:
    """List the classes of a head that are too small, the smallest first.

    Parameters
    ----------
    frame : DataFrame
        The head's column and `group`.
    head : str
    judged : Judged or None
        Its tickets with held-out answers.
    names : mapping of head to mapping of label to str

    Returns
    -------
    DataFrame
        See `Audit.small`; a step of an ordered head that no ticket has is listed too.
    """
    labelled = frame[frame[head].notna()]
    rows = labelled[head].value_counts()
    distinct = labelled.groupby(head)["group"].nunique()
    every = list(dict.fromkeys([*ORDERED_HEADS.get(head, ()), *rows.index]))
    found = [
        _small(
            head, str(label), int(rows.get(label, 0)), int(distinct.get(label, 0)), judged, names
        )
        for label in every
        if distinct.get(label, 0) < MEASURABLE
    ]
    if not found:
        return empty(SMALL_COLUMNS)
    table = pd.DataFrame(found, columns=list(SMALL_COLUMNS))
    return table.sort_values(["distinct", "label"], ignore_index=True)


def _small(
    head: str, label: str, rows: int, distinct: int, judged: Judged | None, names: Names
) -> dict[str, Any]:
    recall, taken_for = _held_out(label, judged)
    name = display(names, head, label)
    other = f"「{display(names, head, taken_for)}」" if taken_for else "相近的类"
    merge = "" if head in ORDERED_HEADS else f"，或并入{other}"
    if distinct < MIN_CLASS_ROWS:
        level, reason = "unlearned", f"「{name}」只有 {distinct} 条不同的工单，学不会"
        advice = f"补充到 {WEAK} 条以上{merge}"
    elif distinct < WEAK:
        level, reason = "weak", f"「{name}」只有 {distinct} 条不同的工单，学不牢，也量不准"
        advice = f"补充到 {MEASURABLE} 条以上{merge}"
    else:
        level = "unmeasured"
        reason = (
            f"「{name}」只有 {distinct} 条不同的工单：留出五分之一约 {round(distinct / 5)} 条，"
            f"召回率的误差在 ±{_margin(distinct / 5):.0%} 左右"
        )
        advice = f"可以训练，但先别凭它的指标下结论；补充到 {MEASURABLE} 条以上再比较"
    return {
        "head": head, "label": label, "rows": rows, "distinct": distinct, "level": level,
        "recall": recall, "taken_for": taken_for, "reason": reason, "advice": advice,
    }  # fmt: skip


def _margin(held_out: float) -> float:
    """Return half the 95 % interval of a recall of 0.8 on so many tickets."""
    return float(1.96 * np.sqrt(0.8 * 0.2 / max(held_out, 1)))


def _held_out(label: str, judged: Judged | None) -> tuple[float | None, str | None]:
    """Return a class's held-out recall and what it is most often taken for."""
    if judged is None or label not in judged.labels:
        return None, None
    answers = judged.answers[judged.codes == judged.labels.index(label)]
    counts = Counter(judged.labels[answer] for answer in answers)
    recall = counts.pop(label, 0) / max(len(answers), 1)
    return round(recall, 4), counts.most_common(1)[0][0] if counts else None


def find_alike(
    frame: pd.DataFrame, judged: Judged, names: Names, segmenter: Segmenter
) -> pd.DataFrame:
    """List pairs of classes that are taken for each other in both directions.

    Parameters
    ----------
    frame : DataFrame
        `text` of all tickets.
    judged : Judged
        Those with held-out answers.
    names : mapping of head to mapping of label to str
    segmenter : Segmenter

    Returns
    -------
    DataFrame
        See `Audit.alike`, the most confused first.
    """
    size = len(judged.labels)
    counts = np.bincount(judged.codes * size + judged.answers, minlength=size * size)
    taken = counts.reshape(size, size)
    totals = taken.sum(axis=1)
    pairs = [
        (a, b)
        for a, b in combinations(range(size), 2)
        if min(taken[a, b], taken[b, a]) >= ALIKE_ROWS
        and min(taken[a, b] / totals[a], taken[b, a] / totals[b]) >= ALIKE_SHARE
    ]
    shares = {(a, b): (taken[a, b] + taken[b, a]) / (totals[a] + totals[b]) for a, b in pairs}
    pairs = sorted(pairs, key=lambda pair: -shares[pair])[:MOST_PAIRS]
    words = {c: _words(frame, judged, c, segmenter) for c in {c for pair in pairs for c in pair}}
    found = []
    for a, b in pairs:
        (one, n_one), (other, n_other) = words[a], words[b]
        record = {
            "head": judged.head, "label": judged.labels[a], "other": judged.labels[b],
            "rows": int(totals[a]), "other_rows": int(totals[b]), "taken": int(taken[a, b]),
            "other_taken": int(taken[b, a]), "share": round(float(shares[a, b]), 4),
            "worrying": bool(min(taken[a, b] / totals[a], taken[b, a] / totals[b])
                             >= WORRYING_SHARE),
        }  # fmt: skip
        lists = telling_words(one, other, (n_one, n_other), MOST_WORDS)
        record |= dict(zip(("words", "other_words", "shared_words"), lists, strict=True))
        record["sentence"] = _sentence(record, names)
        found.append(record)
    return pd.DataFrame(found, columns=list(ALIKE_COLUMNS)) if found else empty(ALIKE_COLUMNS)


def _words(
    frame: pd.DataFrame, judged: Judged, code: int, segmenter: Segmenter
) -> tuple[Counter[str], int]:
    """Count the words of a class's tickets, of a sample where there are many."""
    at = judged.at[judged.codes == code]
    at = at[:: max(1, len(at) // MOST_READ)]
    return word_rows(frame["text"].iloc[at], segmenter), len(at)


def _sentence(pair: Mapping[str, Any], names: Names) -> str:
    one = display(names, pair["head"], pair["label"])
    other = display(names, pair["head"], pair["other"])
    sentence = (
        f"「{one}」{pair['rows']} 条里有 {pair['taken']} 条被判为「{other}」，"
        f"「{other}」{pair['other_rows']} 条里有 {pair['other_taken']} 条被判为「{one}」"
    )
    if pair["words"] and pair["other_words"]:
        sentence += (
            f"；最能分开两者的词：「{one}」{joined(pair['words'])}，"
            f"「{other}」{joined(pair['other_words'])}"
        )
    return sentence
