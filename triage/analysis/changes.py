"""Two models side by side on tickets that neither was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from triage.analysis.charts import readable, styled
from triage.engine import candidate, compare_models, open_registry
from triage.engine.promotion import Candidate
from triage.evaluate import Comparison
from triage.policy import load_policy
from triage.schema import UsageError
from triage.settings import load_settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = ("head", "metric", "champion", "challenger", "difference", "low", "high", "rows",
           "newly_right", "newly_wrong")  # fmt: skip
PROTECTED = ("head", "label", "champion", "challenger", "difference", "low", "high", "rows",
             "margin", "worse")  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """What separates a challenger from the champion.

    Attributes
    ----------
    champion, challenger : str
        Versions.
    verdict : {"accept", "warn", "refuse"}
    sentences : list of str
        The verdict and its reasons in plain Chinese.
    figures : DataFrame
        One row a head: `metric` (`macro_f1` or quadratic `kappa`), `champion, challenger,
        difference, low, high` (95 % interval of the difference), `rows, newly_right, newly_wrong`.
    protected : DataFrame
        Recall of protected classes: `head, label, champion, challenger, difference, low, high,
        rows, margin, worse`.
    classes : DataFrame
        Recall of every label: `head, label, name, champion, challenger, difference, rows`.
    slices : DataFrame
        Share of right answers: `head, fact, value, champion, challenger, difference, rows`.
    newly_right, newly_wrong : DataFrame
        Tickets that only the challenger, and only the champion, got right: `key, head, truth,
        champion, challenger, text`, masked.
    """

    champion: str
    challenger: str
    verdict: str
    sentences: list[str]
    figures: pd.DataFrame
    protected: pd.DataFrame
    classes: pd.DataFrame
    slices: pd.DataFrame
    newly_right: pd.DataFrame
    newly_wrong: pd.DataFrame

    def chart(self, head: str = "nature") -> Figure:
        """Draw the recall of each label of a head under both models.

        Raises
        ------
        UsageError
            If the head was not compared.
        """
        from matplotlib import pyplot

        part = self.classes[self.classes["head"] == head]
        if part.empty:
            raise UsageError(
                f"The head {head!r} was not compared; compared were "
                f"{', '.join(self.classes['head'].unique()) or 'none'}.",
                code="head_unknown",
            )
        at = np.arange(len(part))
        names = readable(part["name"].tolist(), part["label"].tolist())
        with styled():
            figure, axes = pyplot.subplots(
                figsize=(7, 1.2 + 0.45 * len(part)), layout="constrained"
            )
            axes.hlines(at, part["champion"], part["challenger"], color="0.7", linewidth=3)
            axes.scatter(part["champion"], at, s=70, color="0.45", label="champion", zorder=3)
            axes.scatter(part["challenger"], at, s=70, color="C0", label="challenger", zorder=3)
            axes.set_yticks(at, [f"{n} ({r})" for n, r in zip(names, part["rows"], strict=True)])
            axes.set(xlim=(0, 1.02), xlabel="recall", title=head, ylim=(len(part) - 0.5, -0.5))
            axes.legend(loc="best", frameon=False)
        return figure


def compare(
    champion: str | Candidate | None = None, challenger: str | Candidate | None = None
) -> Compared:
    """Compare two models on held-out tickets that neither was trained on.

    Parameters
    ----------
    champion : str or Candidate, optional
        A version, or a model as `small_model` makes it; the promoted model if absent.
    challenger : str or Candidate, optional
        The newest other model if absent.

    Raises
    ------
    UsageError
        If there is no such version, or no other model to compare with.
    ArtifactError
        If no model is promoted, or one can't be loaded.
    """
    registry, policy = open_registry(), load_policy(load_settings().policy)
    first = champion if isinstance(champion, tuple) else candidate(registry, champion)
    if challenger is None:
        challenger = _newest_beside(first[0], registry.versions())
    second = challenger if isinstance(challenger, tuple) else candidate(registry, challenger)
    return _tables(compare_models(first, second, policy), policy.file.labels.model_dump())


def _newest_beside(champion: str, versions: Sequence[str]) -> str:
    others = [version for version in versions if version != champion]
    if not others:
        raise UsageError(
            f"{champion} is the only registered model, so there is nothing to compare it with: "
            "train another, or pass a small one as challenger=small_model().",
            code="no_challenger",
        )
    return others[-1]


def _tables(found: Comparison, names: Mapping[str, Mapping[str, str]]) -> Compared:
    """Turn a comparison into tables."""
    figures = [
        {"head": head, **asdict(one), **found.counts[head]} for head, one in found.heads.items()
    ]
    classes = [
        {"head": head, "label": one["label"],
         "name": names.get(head, {}).get(one["label"], one["label"]), **one}
        for head, labels in found.classes.items() for one in labels
    ]  # fmt: skip
    slices = [
        {"head": head, "fact": fact, "value": value, **one}
        for head, facts in found.slices.items()
        for fact, values in facts.items() for value, one in values.items()
    ]  # fmt: skip
    ticket = ["key", "head", "truth", "champion", "challenger", "text"]
    return Compared(
        champion=found.champion,
        challenger=found.challenger,
        verdict=found.verdict,
        sentences=found.sentences,
        figures=_frame(figures, FIGURES),
        protected=_frame([asdict(one) for one in found.protected], PROTECTED),
        classes=_with_difference(classes, ["head", "label", "name"]),
        slices=_with_difference(slices, ["head", "fact", "value"]),
        newly_right=_frame(found.newly_right, ticket),
        newly_wrong=_frame(found.newly_wrong, ticket),
    )


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))


def _with_difference(rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> pd.DataFrame:
    """Return a table with what the challenger gains."""
    table = _frame(rows, [*keys, "champion", "challenger", "rows"])
    gain = (table["challenger"] - table["champion"]).astype(float).round(4)
    table.insert(len(keys) + 2, "difference", gain)
    return table
