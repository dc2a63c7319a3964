"""Phrases that give a label away: what operators add once they have decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom

from triage.audit.reliance import reliance
from triage.audit.repeats import WIDTH, Phrase, Repeats, fold
from triage.audit.result import LEAK_COLUMNS, empty, masked
from triage.audit.wording import ADVICE, kind_of, letters_of
from triage.data import near_duplicate_groups
from triage.privacy import mask
from triage.text import Segmenter

LEAST_ROWS, LEAST_OF_SMALL = 20, 8
"""Tickets that a phrase must stand in; in a class of fewer than 40 half of them, at least 8."""

PRECISION = 0.9
"""Share of a phrase's tickets with the label: 5 % of wrong labels must not hide a phrase."""

FIXED, PLAIN_FIXED = 0.8, 0.9
"""Share of a phrase's tickets that hold it at one place, for the same two."""

BEYOND_CHANCE = 0.3
"""By how much that share exceeds that of a phrase strewn at random: all places of a short text lie
close together."""

PARTED = 0.8
"""Share of the places of a phrase that stands anywhere with marks on both sides."""

PLAIN_SHARE, PLAIN_CLASS_SHARE = 0.01, 0.05
"""What a phrase that does not read like an operator's must reach, of all tickets or of the class.
Openings such as 衣服收到 and closings such as 期待您的再次光临 in reviews are fixed and telling,
but stand in 0.1 to 0.4 % of their class, and 尊敬的胡厅长 in 3.5 % of the letters there."""

SHORT, PLAIN_SHORT = 3, 4
"""Characters at least, for the same two."""

MOST_CHARACTERS = 8_000_000
"""Texts beyond so many characters are sampled to find phrases; what is found is counted in all."""

UNLIKE = 0.5
"""Near-duplicate groups among the texts without the phrase, to its tickets: below this it belongs
to one text that was sent again and again."""

SURPRISE = 1e-6
"""Chance of so pure a phrase if labels fell at random, below which it is looked at."""

ELSEWHERE, MATTER = 0.2, 0.75
"""A part of a phrase is the matter itself if it stands elsewhere in so many tickets, to the
phrase's, and so many of them have the label."""

USUAL = 3
"""A part that stands elsewhere in so many times the tickets is mere opening or closing; what a
single character adds to it is no phrase."""

MOST_SEARCHED = 20_000
"""Tickets that are searched for the parts of a phrase."""

MOST_COMPARED = 400
"""Tickets of a phrase whose texts are compared."""

MOST_LEAKS = 30

Names = Mapping[str, Mapping[str, str]]
_Leak = tuple[Phrase, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Labels:
    """The labels of one head as codes, -1 where a ticket has none, and the tickets of each."""

    head: str
    labels: list[str]
    codes: NDArray[np.int64]
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, frame: pd.DataFrame, head: str) -> _Labels:
        codes, labels = pd.factorize(frame[head], sort=True)
        rows = np.bincount(codes[codes >= 0], minlength=len(labels))
        return cls(head, [str(label) for label in labels], codes.astype(np.int64), rows)

    def counts(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tickets of each label among some."""
        codes = self.codes[at]
        return np.bincount(codes[codes >= 0], minlength=len(self.labels))

    @property
    def least(self) -> NDArray[np.int64]:
        """Tickets of each label that a phrase must stand in."""
        return np.clip(self.rows // 2, LEAST_OF_SMALL, LEAST_ROWS)


def find_leaks(
    frame: pd.DataFrame, texts: Sequence[str], heads: Sequence[str], names: Names
) -> pd.DataFrame:
    """List phrases that almost determine a label and do not come from the customer.

    A phrase is a stretch of text that repeats letter by letter and whose parts hardly stand without
    each other; content words do, since people put them in many ways. It leaks if nearly all of its
    tickets have one label, their texts are otherwise unlike, and it either stands at a fixed place,
    or is a note of its own in an operator's words, or names the label or the mood.

    Parameters
    ----------
    frame : DataFrame
        The heads' columns and `group`.
    texts : sequence of str of length n_tickets
        As sent.
    heads : sequence of str
    names : mapping of head to mapping of label to str
        Display names: a phrase may name the label by them.

    Returns
    -------
    DataFrame
        See `Audit.leaks`; those that the throw-away model leans on most come first.
    """
    plain = [fold(text) for text in texts]
    read = _sample(plain)
    some = [plain[at] for at in read]
    repeats = Repeats(some)
    found = []
    for head in heads:
        labels, every = _Labels.of(frame.iloc[read], head), _Labels.of(frame, head)
        if len(labels.labels) < 2:
            continue
        leaks = [
            (phrase, record)
            for phrase in repeats.phrases(_telling(labels))
            if (record := _judge(phrase, labels, names, some)) is not None
        ]
        found += _measured(_without_parts(leaks), every, plain, texts, frame)
    if not found:
        return empty(LEAK_COLUMNS)
    table = pd.DataFrame(found, columns=list(LEAK_COLUMNS))
    return table.sort_values(["drop", "rows"], ascending=False, ignore_index=True, kind="stable")


def _sample(plain: Sequence[str]) -> NDArray[np.int64]:
    """Return which texts are read: all, or at random as many as `MOST_CHARACTERS` allow."""
    share = MOST_CHARACTERS / max(sum(map(len, plain)), 1)
    return np.flatnonzero(np.random.default_rng(0).random(len(plain)) < share)


@cache
def _segmenter() -> Segmenter:
    return Segmenter()


def _telling(labels: _Labels) -> Any:
    """Return what tells which trigrams are worth growing."""
    size = len(labels.labels)

    def telling(number: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.bool_]:
        codes = labels.codes[row]
        cells = np.bincount(number[codes >= 0] * size + codes[codes >= 0],
                            minlength=(int(number.max(initial=-1)) + 1) * size)  # fmt: skip
        counts = cells.reshape(-1, size)
        best = counts.max(axis=1, initial=0)
        pure = best >= PRECISION * counts.sum(axis=1)
        return np.asarray(pure & (best >= labels.least[counts.argmax(axis=1)]))

    return telling


def _judge(
    phrase: Phrase, labels: _Labels, names: Names, plain: Sequence[str]
) -> dict[str, Any] | None:
    """Return what is to be said of a phrase if it leaks its commonest label."""
    counts = labels.counts(phrase.rows)
    best, rows = int(counts.argmax()), int(counts.sum())
    if rows < labels.least[best] or counts[best] < PRECISION * rows:
        return None
    if not _surprising(counts, labels, best):
        return None
    kind = kind_of(phrase.text, labels.head, labels.labels[best], names)
    position, share = _place(phrase, kind)
    if position is None or (kind == "fixed" and not _weighty(counts, labels, best)):
        return None
    if _unlike(phrase, plain) < max(LEAST_OF_SMALL // 2, UNLIKE * min(rows, MOST_COMPARED)):
        return None
    if kind != "tag" and _inherited(phrase, labels, best, plain):
        return None
    return {
        "phrase": masked(phrase.text), "head": labels.head, "label": labels.labels[best],
        "rows": rows, "position": position, "position_share": round(share, 4), "kind": kind,
    }  # fmt: skip


def _place(phrase: Phrase, kind: str) -> tuple[str | None, float]:
    """Return where a phrase stands and the share of its tickets at that place, None if nowhere."""
    plain_words = kind == "fixed"
    share, chance, edge = phrase.fixed_share()
    if len(phrase.text) < (PLAIN_SHORT if plain_words else SHORT):
        return None, share
    if share >= (PLAIN_FIXED if plain_words else FIXED) and share - chance >= BEYOND_CHANCE:
        return edge, share
    return (None if plain_words or phrase.parted < PARTED else "anywhere"), share


def _weighty(counts: NDArray[np.int64], labels: _Labels, best: int) -> bool:
    """Tell whether a phrase stands in enough tickets to matter."""
    enough_of_class = counts[best] >= PLAIN_CLASS_SHARE * labels.rows[best]
    return bool(enough_of_class or counts.sum() >= PLAIN_SHARE * len(labels.codes))


def _surprising(counts: NDArray[np.int64], labels: _Labels, best: int) -> bool:
    """Tell whether chance would hardly give so many tickets of one label."""
    base = labels.rows[best] / labels.rows.sum()
    return bool(binom.sf(counts[best] - 1, counts.sum(), base) < SURPRISE)


def _unlike(phrase: Phrase, plain: Sequence[str]) -> int:
    """Count near-duplicate groups among a phrase's texts without it."""
    some = phrase.rows[:: max(1, len(phrase.rows) // MOST_COMPARED)][:MOST_COMPARED]
    rests = [plain[row].replace(phrase.text, "") for row in some]
    return len(np.unique(near_duplicate_groups(rests)))


def _inherited(phrase: Phrase, labels: _Labels, best: int, plain: Sequence[str]) -> bool:
    """Tell whether a part of a phrase tells the label elsewhere too, so that it is the matter.

    In 客户来电反映宽带, which many notes begin with, 宽带 does; in 处理:费用核查 neither part does.
    """
    words = _segmenter().cut(phrase.text)
    halves = [("".join(words[:at]), "".join(words[at:])) for at in range(1, len(words))]
    at = np.setdiff1d(np.arange(0, len(plain), max(1, len(plain) // MOST_SEARCHED)), phrase.rows)
    weight = len(plain) / max(len(at), 1)
    for part, rest in [*halves, *((b, a) for a, b in halves)]:
        if not (letters := letters_of(part)):
            continue
        counts = weight * labels.counts(at[[letters in plain[row] for row in at]])
        if counts.sum() >= ELSEWHERE * len(phrase.rows) and counts[best] >= MATTER * counts.sum():
            return True
        if counts.sum() >= USUAL * len(phrase.rows) and len(letters_of(rest)) < 2:
            return True
    return False


def _without_parts(leaks: list[_Leak]) -> list[_Leak]:
    """Keep one of phrases that overlap: the longer where both stand in the same tickets.

    Where the longer one is a variant of the shorter, in some of its tickets only, it goes.
    """
    kept: list[_Leak] = []
    for leak in sorted(leaks, key=lambda leak: -len(leak[0].text)):
        if not any(_overlap(leak[0], longer[0]) for longer in kept):
            kept.append(leak)
    broad: list[_Leak] = []
    for leak in sorted(kept, key=lambda leak: -leak[1]["rows"]):
        if not any(_overlap(leak[0], wider[0]) for wider in broad):
            broad.append(leak)
    return broad[:MOST_LEAKS]


def _overlap(phrase: Phrase, other: Phrase) -> bool:
    """Tell whether a phrase shares three characters and nearly all of its tickets with another."""
    one = {phrase.text[at : at + WIDTH] for at in range(len(phrase.text) - WIDTH + 1)}
    if not any(part in other.text for part in one):
        return False
    return len(np.intersect1d(other.rows, phrase.rows)) >= 0.8 * len(phrase.rows)


def _measured(
    leaks: list[_Leak],
    labels: _Labels,
    plain: Sequence[str],
    texts: Sequence[str],
    frame: pd.DataFrame,
) -> list[dict[str, Any]]:
    """Add to each leak how many tickets hold it, how a model leans on it, an example, advice."""
    if not leaks:
        return []
    places = [_holding(phrase.text, plain) for phrase, _ in leaks]
    asked = [(phrase.text, at) for (phrase, _), at in zip(leaks, places, strict=True)]
    leaned = reliance(plain, labels.codes, frame["group"].to_numpy(), asked)
    for (_, record), at, (accuracy, without) in zip(leaks, places, leaned, strict=True):
        best, counts = labels.labels.index(record["label"]), labels.counts(at)
        record |= {
            "rows": int(counts.sum()),
            "class_share": round(float(counts[best] / labels.rows[best]), 4),
            "precision": round(float(counts[best] / counts.sum()), 4),
            "accuracy": round(accuracy, 4), "accuracy_without": round(without, 4),
            "drop": round(100 * (accuracy - without), 1),
            "example": _example([texts[row] for row in at]), "advice": ADVICE[record["kind"]],
        }  # fmt: skip
    return [record for _, record in leaks]


def _holding(phrase: str, plain: Sequence[str]) -> NDArray[np.int64]:
    return np.array([at for at, text in enumerate(plain) if phrase in text], dtype=np.int64)


def _example(texts: Sequence[str]) -> str:
    """Return a ticket of the usual length, masked."""
    return mask(sorted(texts, key=len)[len(texts) // 2])
