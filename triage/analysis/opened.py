"""A registered model opened for analysis, and what its tickets may be filtered by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pandas as pd

from triage.data.columns import LABEL_ALIASES
from triage.engine import Triage, open_registry, read_tickets
from triage.evaluate import length_slice
from triage.registry import ModelFolder
from triage.schema import HEADS, UsageError

SET_FACTS = ("channel", "kind", "industry", "product", "region", "source", "length")
"""Facts with few values, by which tickets are filtered and broken down; `length` is a class."""

Wanted = str | Sequence[str] | None
"""One value, several, or all."""


@dataclass(frozen=True, eq=False)
class Opened:
    """A model with its policy, its folder and its tickets.

    Attributes
    ----------
    desk : Triage
    folder : ModelFolder
    tickets : DataFrame
        See `evaluate.tickets_table`, with `length`, the class of the text's length.
    """

    desk: Triage
    folder: ModelFolder
    tickets: pd.DataFrame

    @property
    def facts(self) -> list[str]:
        """The facts that the tickets have."""
        return [fact for fact in SET_FACTS if fact in self.tickets]

    def name(self, head: str, label: str) -> str:
        """Return the Chinese name of a label, the label itself where it has none."""
        return self.desk.policy.name_of(head, label)

    def labels(self, head: str) -> list[str]:
        """Return the labels of a head, ordered ones in their order."""
        return [str(label) for label in self.desk.model.head(known_head(head)).classes_]

    def held_out(self, head: str, **facts: Wanted) -> pd.DataFrame:
        """Return the held-out tickets that have a label of a head, filtered by facts.

        Returns
        -------
        DataFrame
            All columns of `tickets`, with the head's label as `truth`, the model's as `answer` and
            the answer's `probability`.

        Raises
        ------
        UsageError
            If there is no such head or fact, or no ticket has a label of the head.
        """
        rows = self.tickets[self.tickets["side"] == "test"]
        rows = rows[rows[known_head(head)].notna()]
        if rows.empty:
            raise UsageError(
                f"No held-out ticket of model {self.folder.version} has a label of {head}, so "
                "there is nothing to judge its answers by: train on tickets with that column.",
                code="no_labels",
            )
        rows = self.filtered(rows, facts)
        return rows.assign(
            truth=rows[head], answer=rows[f"{head}_answer"], probability=rows[f"{head}_probability"]
        )

    def filtered(self, rows: pd.DataFrame, facts: Mapping[str, Wanted]) -> pd.DataFrame:
        """Keep the rows that have the wanted values of facts."""
        for fact, wanted in facts.items():
            if wanted is None:
                continue
            if fact not in self.facts:
                raise UsageError(
                    f"The tickets of model {self.folder.version} have no fact {fact!r} to filter "
                    f"by; they have {', '.join(self.facts)}.",
                    code="fact_unknown",
                )
            rows = rows[rows[fact].isin(several(wanted))]
        return rows

    def wanted_labels(self, head: str, wanted: Wanted) -> list[str] | None:
        """Return the ids of labels given by id, by alias, or by their name or a part of it.

        Raises
        ------
        UsageError
            If a label is none of the head's, or a part of several names; the message lists them.
        """
        return None if wanted is None else [self._label(head, given) for given in several(wanted)]

    def _label(self, head: str, given: str) -> str:
        names = {label: self.name(head, label) for label in self.labels(head)}
        if given in names:
            return given
        alias = LABEL_ALIASES.get(head, {}).get(given)
        found = [label for label, name in names.items() if given == name or label == alias]
        found = found or [label for label, name in names.items() if given and given in name]
        if len(found) != 1:
            listed = ", ".join(
                label if label == name else f"{label} ({name})" for label, name in names.items()
            )
            what = "several labels that could be" if found else "no label"
            raise UsageError(
                f"The head {head} has {what} {given!r}: name one of {listed}.", code="label_unknown"
            )
        return found[0]


def several(wanted: str | Sequence[str]) -> list[str]:
    """Return one value or several as a list."""
    return [wanted] if isinstance(wanted, str) else list(wanted)


def known_head(head: str) -> str:
    """Return the head's name if there is such a head.

    Raises
    ------
    UsageError
        If there is none.
    """
    if head not in HEADS:
        raise UsageError(
            f"There is no head {head!r}: it must be one of {', '.join(HEADS)}.", code="head_unknown"
        )
    return head


def open_version(version: str | None = None) -> Opened:
    """Open a registered model, the promoted one if none is named; it is kept for the next call.

    Raises
    ------
    ArtifactError
        If no model is promoted, or the folder fails its checks or holds no tickets.
    UsageError
        If there is no such version.
    """
    folder = open_registry().folder(version)
    return _opened(str(folder.path.resolve()), str(folder.manifest.get("files")))


@lru_cache(maxsize=2)
def _opened(path: str, digests: str) -> Opened:
    """Load a model folder; a folder whose manifest has changed is loaded again."""
    desk = Triage.load(path)
    folder = open_registry().folder(path)
    tickets = read_tickets(folder)
    texts: list[Any] = tickets["text"].tolist()
    return Opened(desk, folder, tickets.assign(length=length_slice(texts)))
