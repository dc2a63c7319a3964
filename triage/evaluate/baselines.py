"""Answers that do not read the text: what every figure stands beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import pandas as pd

from triage.schema import HEADS


@dataclass(frozen=True, slots=True)
class Baselines:
    """What an answer without reading the text would be, learned from training labels.

    Attributes
    ----------
    majority : dict of head to str
        The most frequent training label.
    severity_by_nature : dict of nature to str
        The severity that is most frequent with each nature; empty where one of them is missing.
    """

    majority: dict[str, str]
    severity_by_nature: dict[str, str]

    @classmethod
    def fit(cls, train: pd.DataFrame) -> Self:
        """Learn from the label columns of the training rows."""
        heads = [head for head in HEADS if head in train and train[head].notna().any()]
        by_nature = {}
        if {"nature", "severity"} <= set(heads):
            both = train.dropna(subset=["nature", "severity"])
            usual = both.groupby("nature")["severity"].agg(lambda column: column.mode()[0])
            by_nature = {str(nature): str(step) for nature, step in usual.items()}
        return cls({head: str(train[head].mode()[0]) for head in heads}, by_nature)

    def answers(self, head: str, rows: pd.DataFrame) -> dict[str, list[str]]:
        """Return what each baseline answers for a head; `nature_only` reads the true nature."""
        if head not in self.majority:
            return {}
        usual = self.majority[head]
        found = {"majority": [usual] * len(rows)}
        if head == "severity" and self.severity_by_nature and "nature" in rows:
            found["nature_only"] = [self.severity_by_nature.get(n, usual) for n in rows["nature"]]
        return found
