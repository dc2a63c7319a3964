"""Which labels a model takes for which, as a chart and its table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from triage.analysis.charts import readable, styled
from triage.analysis.opened import Opened, Wanted, open_version

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LABELS = 20
"""Labels that a chart can show; of more, those with the most mistakes."""


class Confusion(NamedTuple):
    """A confusion chart and what it is drawn from.

    Attributes
    ----------
    figure : Figure
        A notebook shows it by itself.
    table : DataFrame of shape (n_labels, n_labels)
        Tickets: true labels down, answers across, by label id.
    """

    figure: Figure
    table: pd.DataFrame


def confusion(version: str | None = None, head: str = "nature", **facts: Wanted) -> Confusion:
    """Draw which labels a model takes for which, on held-out tickets.

    Parameters
    ----------
    version : str, optional
        The promoted model if absent.
    head : {"nature", "severity", "emotion"}
    **facts : str or sequence of str
        Only tickets with these values: see `errors`.

    Returns
    -------
    Confusion
        Numbers in the chart are tickets, colours the share of the true label's tickets. Of more
        than 20 labels it shows those with the most mistakes; the table holds all. Names are drawn
        in Chinese where a font can, else ids, else numbers from 1 in the table's order.

    Raises
    ------
    UsageError
        If there is no such version, head or fact.
    ArtifactError
        If no model is promoted, or it can't be loaded.
    """
    opened = open_version(version)
    rows = opened.held_out(head, **facts)
    found = {*rows["truth"], *rows["answer"]}
    labels = [*opened.labels(head)]
    labels += sorted(found.difference(labels))
    table = pd.crosstab(rows["truth"], rows["answer"]).reindex(
        index=labels, columns=labels, fill_value=0
    )
    return Confusion(_drawn(opened, head, table), table)


def _drawn(opened: Opened, head: str, table: pd.DataFrame) -> Figure:
    from matplotlib import pyplot

    shown = _most_confused(table)
    labels = [str(label) for label in shown.index]
    counts = shown.to_numpy()
    totals = table.loc[labels].to_numpy().sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    names = readable([opened.name(head, label) for label in labels], labels)
    size = 2.2 + 0.62 * len(labels)
    with styled():
        figure, axes = pyplot.subplots(figsize=(size + 0.6, size), layout="constrained")
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(labels)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(labels)), names)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.6 else "black"
            axes.text(column, row, str(count or ""), ha="center", va="center", color=colour)
        axes.set(title=f"{head}: {table.to_numpy().sum()} tickets", xlabel="answer", ylabel="truth")
    return figure


def _most_confused(table: pd.DataFrame) -> pd.DataFrame:
    """Return the part of a table that has the most mistakes, labels in their order."""
    counts = table.to_numpy()
    mistakes = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    kept = np.sort(np.argsort(-mistakes, kind="stable")[:MOST_LABELS])
    return table.iloc[kept, kept]
