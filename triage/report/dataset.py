"""What a page says of the tickets that a model was made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from triage.report import plots
from triage.report.naming import Naming
from triage.schema import HEADS, ORDERED_HEADS, SHANGHAI


def data_summary(
    manifest: Mapping[str, Any], tickets: pd.DataFrame, naming: Naming
) -> dict[str, Any]:
    """Summarise the tickets.

    Parameters
    ----------
    manifest : mapping
        `rows`: `train, test, quarantined`.
    tickets : DataFrame
        See `evaluate.tickets_table`.
    naming : Naming

    Returns
    -------
    dict
        `rows`; `corrected` rows; `labels`: head → list of `label, train, test, share` (of the most
        frequent); `span`: first and last day; `months`, `lengths`: plots; `length_words`.
    """
    sizes = tickets["text"].str.len().to_numpy()
    times = received(tickets)
    corrected = int((tickets["source"] == "feedback").sum()) if "source" in tickets else 0
    return {
        "rows": dict(manifest.get("rows", {})),
        "corrected": corrected,
        "labels": {head: found for head in HEADS if (found := _labels(tickets, head))},
        "span": _span(times),
        "months": _months(tickets, times, naming),
        **_lengths(sizes),
    }


def received(tickets: pd.DataFrame) -> pd.Series | None:
    """Return when each ticket came in, in Shanghai; None where no ticket tells."""
    if "received_at" not in tickets or tickets["received_at"].isna().all():
        return None
    times = pd.to_datetime(tickets["received_at"], utc=True, errors="coerce")
    return times.dt.tz_convert(SHANGHAI)


def _span(times: pd.Series | None) -> tuple[str, str] | None:
    if times is None or times.notna().sum() == 0:
        return None
    return f"{times.min():%Y-%m-%d}", f"{times.max():%Y-%m-%d}"


def _labels(tickets: pd.DataFrame, head: str) -> list[dict[str, Any]]:
    """Count the labels of a head on both sides, steps in their order."""
    if head not in tickets or tickets[head].isna().all():
        return []
    sides = {side: tickets.loc[tickets["side"] == side, head].value_counts().to_dict()
             for side in ("train", "test")}  # fmt: skip
    totals = tickets[head].value_counts().to_dict()
    order = [step for step in ORDERED_HEADS.get(head, totals) if step in totals]
    most, every = max(totals.values()), sum(totals.values())
    return [
        {"label": str(label), "train": sides["train"].get(label, 0),
         "test": sides["test"].get(label, 0), "share": totals[label] / every,
         "bar": totals[label] / most}
        for label in order
    ]  # fmt: skip


def _months(
    tickets: pd.DataFrame, times: pd.Series | None, naming: Naming
) -> dict[str, Any] | None:
    """Draw the tickets of each month by nature, or by severity where there is no nature."""
    head = next((head for head in HEADS if head in tickets and tickets[head].notna().any()), None)
    if times is None or head is None:
        return None
    table = pd.crosstab(times.dt.strftime("%Y-%m"), tickets[head])
    counts = {str(label): [int(rows) for rows in table[label]] for label in table}
    return stacked_months("months", head, [str(month) for month in table.index], counts, naming)


def stacked_months(
    name: str, head: str, months: list[str], counts: Mapping[str, list[int]], naming: Naming
) -> dict[str, Any] | None:
    """Draw the tickets of each month, stacked by class.

    Parameters
    ----------
    name : str
        See `plots.draw`.
    head : str
    months : list of str
    counts : mapping of label to list of int
        Tickets of each month.
    naming : Naming

    Returns
    -------
    dict or None
        `plot, words`, and `legend`: CSS variable and name of each class. None for a single month.
    """
    if len(months) < 2:
        return None
    order = sorted(counts, key=lambda label: -sum(counts[label]))
    palette: Sequence[str] = plots.SERIES
    if head in ORDERED_HEADS:
        order, palette = [step for step in ORDERED_HEADS[head] if step in counts], plots.STEPS
    kept, rest = order[: len(palette)], order[len(palette) :]
    layers, names = [counts[label] for label in kept], [naming.label(head, label) for label in kept]
    colours = list(palette[: len(kept)])
    if rest:
        layers.append(
            [sum(column) for column in zip(*(counts[label] for label in rest), strict=True)]
        )
        names, colours = [*names, f"另外 {len(rest)} 类"], [*colours, plots.REST]
    totals = np.sum(layers, axis=0)
    words = (
        f"{months[0]} 到 {months[-1]}，每月 {int(totals.min()):,} 到 {int(totals.max()):,} 条，"
        f"最多的是 {months[int(totals.argmax())]}"
    )
    plot = plots.months(name, f"每月工单按{naming.head(head)}：{words}", months, layers, colours)
    variables = [plots.COLOURS[colour] for colour in colours]
    return {"plot": plot, "legend": list(zip(variables, names, strict=True)), "words": words}


def _lengths(sizes: np.ndarray) -> dict[str, Markup | str | None]:
    if not len(sizes):
        return {"lengths": None, "length_words": ""}
    words = (
        f"一半的工单不到 {int(np.median(sizes)) + 1} 字，"
        f"九成不到 {int(np.quantile(sizes, 0.9)) + 1} 字，最长 {int(sizes.max()):,} 字。"
    )
    return {"lengths": plots.lengths("lengths", words, sizes.tolist()), "length_words": words}
