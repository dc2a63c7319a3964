"""What an audit found, and what it starts from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triage.data import ticket_key
from triage.privacy import mask
from triage.schema import HEADS

Floats = NDArray[np.float64]

SUSPECT_COLUMNS = ("key", "row", "text", "head", "label", "suggested", "score", "probability",
                   "own_probability", "rank", "issue", "reason")  # fmt: skip
CONFLICT_COLUMNS = ("head", "group", "identical", "similarity", "rows", "label", "label_rows",
                    "other", "other_rows", "labels", "suggested", "text", "members")  # fmt: skip
SMALL_COLUMNS = ("head", "label", "rows", "distinct", "level", "recall", "taken_for", "reason",
                 "advice")  # fmt: skip
ALIKE_COLUMNS = ("head", "label", "other", "rows", "other_rows", "taken", "other_taken", "share",
                 "worrying", "words", "other_words", "shared_words", "sentence")  # fmt: skip
LEAK_COLUMNS = ("phrase", "head", "label", "rows", "class_share", "precision", "position",
                "position_share", "kind", "accuracy", "accuracy_without", "drop", "example",
                "advice")  # fmt: skip
DRIFT_COLUMNS = ("kind", "head", "label", "since", "before", "after", "rows", "p_value",
                 "sentence")  # fmt: skip
MONTH_COLUMNS = ("month", "head", "label", "rows", "share")


@dataclass
class Audit:
    """What an audit found; every text in it is masked.

    Attributes
    ----------
    suspects : DataFrame
        Labels that the held-out answers speak against, most suspect first over all heads: `key,
        row, text, head, label, suggested, score` (0 bad … 1 good), `probability` of what is
        suggested, `own_probability` of the label, `rank` among the head's judged tickets (1 the
        most suspect; the top tenth is `rank <= 0.1 * judged[head]`), `issue` (very low, and
        confident learning says so too), `reason`. A ticket stands once a head; the most suspect
        tenth of each head and all issues are kept.
    conflicts : DataFrame
        Groups of identical or near-identical texts with unlike labels, one row a group and head:
        `head, group, identical, similarity` (0 … 1 of the most alike pair), `rows, label,
        label_rows, other, other_rows, labels` (rows of each label), `suggested` (None where no
        label leads), `text, members` (a list of `key, row, text, label`).
    small : DataFrame
        Classes too small: `head, label, rows, distinct` (near-duplicate groups), `level`
        (`unlearned`, `weak`, `unmeasured`), `recall` held out, `taken_for, reason, advice`.
    alike : DataFrame
        Pairs of classes that are taken for each other both ways: `head, label, other, rows,
        other_rows, taken` (rows of `label` answered as `other`), `other_taken, share` of both
        classes' rows, `worrying` (a tenth of each or more), `words, other_words` that tell them
        apart best, `shared_words, sentence`.
    leaks : DataFrame
        Phrases that give a label away: `phrase, head, label, rows, class_share` (of the label's
        rows), `precision, position` (`start`, `end`, `anywhere`), `position_share, kind` (`tag`,
        `note`, `tone`, `fixed`), `accuracy, accuracy_without` (of a small model on these rows with
        and without the phrase), `drop` in points, `example, advice`.
    drift : DataFrame
        Changes over time: `kind` (`share`, `month`, `new`, `gone`, `labelling`, `words`), `head,
        label, since` (a month), `before, after` (shares), `rows, p_value, sentence`.
    months : DataFrame
        `month, head, label, rows, share` of the month's labelled tickets.
    tickets : DataFrame
        `key, row, text` and the labels of each ticket that is suspect or in a conflict.
    judged : dict of head to int
        Tickets that have a label and a held-out answer.
    labelled : dict of head to int
        Tickets that have a label.
    names : mapping of head to mapping of label to str
        Display names in Chinese.
    """

    suspects: pd.DataFrame
    conflicts: pd.DataFrame
    small: pd.DataFrame
    alike: pd.DataFrame
    leaks: pd.DataFrame
    drift: pd.DataFrame
    months: pd.DataFrame
    tickets: pd.DataFrame
    judged: dict[str, int] = field(default_factory=dict)
    labelled: dict[str, int] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def name(self, head: str, label: str) -> str:
        """Return the display name of a label, the label itself where it has none."""
        return display(self.names, head, label)

    def to_dict(self, most: int = 200, members: int = 10) -> dict[str, Any]:
        """Return all of it as JSON knows it, masked and capped.

        Parameters
        ----------
        most : int
            Suspects and conflicts at most; `totals` tells how many there are.
        members : int
            Members of a conflict at most.
        """
        tables = {name: getattr(self, name) for name in _TABLES}
        found: dict[str, Any] = {
            name: [_jsonable(record) for record in _records(table.head(most))]
            for name, table in tables.items()
        }
        for conflict in found["conflicts"]:
            conflict["members"] = conflict["members"][:members]
        issues = self.suspects[self.suspects["issue"].astype(bool)]
        found |= {
            "judged": dict(self.judged),
            "labelled": dict(self.labelled),
            "issues": {head: int((issues["head"] == head).sum()) for head in self.judged},
            "totals": {name: len(table) for name, table in tables.items()},
            "months": [_jsonable(record) for record in _records(self.months)],
            "names": {head: dict(names) for head, names in self.names.items()},
        }
        return found


_TABLES = ("suspects", "conflicts", "small", "alike", "leaks", "drift")


def _records(table: pd.DataFrame) -> list[dict[Hashable, Any]]:
    return table.to_dict("records")


def _jsonable(value: Any) -> Any:
    """Turn a value into what JSON knows: masked text, plain numbers, None for what is missing."""
    if isinstance(value, Mapping):
        return {masked(str(key)): _jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(inner) for inner in value]
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NaT or value != value:
        return None
    return round(value, 4) if isinstance(value, float) else value


@cache
def _masked_label(label: str) -> str:
    return mask(label)


def masked(text: str) -> str:
    """Mask a text; what short texts become is remembered, since labels come again and again."""
    return _masked_label(text) if len(text) <= 20 else mask(text)


def display(names: Mapping[str, Mapping[str, str]], head: str, label: str) -> str:
    """Return the display name of a label, the label itself where it has none."""
    return names.get(head, {}).get(label, label)


def identify(frame: pd.DataFrame, at: NDArray[np.int64]) -> pd.DataFrame:
    """Return `key, row, text` (masked) and labels of some tickets.

    Parameters
    ----------
    frame : DataFrame
        `text`, heads, and where they are known `key` and `row`.
    at : ndarray of shape (n_rows,)
        Places of the tickets in the frame.
    """
    some = frame.iloc[at]
    keys = some["key"] if "key" in some else [ticket_key(text) for text in some["text"]]
    rows = some["row"] if "row" in some else at + 2
    found = pd.DataFrame({"key": list(keys), "row": list(rows)}, index=at)
    found["text"] = [mask(text) for text in some["text"]]
    for head in HEADS:
        labels = some[head] if head in some else [None] * len(some)
        found[head] = [label if isinstance(label, str) else None for label in labels]
    return found


def empty(columns: Sequence[str]) -> pd.DataFrame:
    """Return a table without rows."""
    return pd.DataFrame({column: pd.Series(dtype=object) for column in columns})
