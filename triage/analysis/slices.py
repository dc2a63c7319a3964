"""How well a model does on each channel, industry, length and other fact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from triage.analysis.opened import open_version
from triage.evaluate import quadratic_kappa
from triage.schema import ORDERED_HEADS

LEAST_ROWS = 20
"""Slices with fewer tickets say nothing."""


def slices(
    version: str | None = None, head: str = "nature", *, least: int = LEAST_ROWS
) -> pd.DataFrame:
    """Break a head's held-out answers down by facts, the weakest slice first.

    Parameters
    ----------
    version : str, optional
        The promoted model if absent.
    head : {"nature", "severity", "emotion"}
    least : int
        Tickets that a slice must have.

    Returns
    -------
    DataFrame
        `fact, value, rows, right` (share of right answers), `low, high` (its 95 % interval); for
        ordered heads `too_low` and `too_high` (shares answered below and above the truth) and
        `kappa` (quadratic weighted).

    Raises
    ------
    UsageError
        If there is no such version or head.
    ArtifactError
        If no model is promoted, or it can't be loaded.

    References
    ----------
    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    opened = open_version(version)
    rows = opened.held_out(head)
    found = [
        {"fact": fact, "value": value, **_measured(head, part)}
        for fact in opened.facts
        for value, part in rows.groupby(rows[fact].astype(object).fillna("（无）"), sort=False)
        if len(part) >= least and len(part) < len(rows)
    ]
    columns = ["fact", "value", "rows", "right", "low", "high"]
    columns += ["too_low", "too_high", "kappa"] if head in ORDERED_HEADS else []
    table = pd.DataFrame(found, columns=columns).sort_values("right", ignore_index=True)
    return table.round(3)


def _measured(head: str, rows: pd.DataFrame) -> dict[str, Any]:
    right = float((rows["truth"] == rows["answer"]).mean())
    low, high = _interval(right, len(rows))
    figures: dict[str, Any] = {"rows": len(rows), "right": right, "low": low, "high": high}
    if steps := ORDERED_HEADS.get(head):
        off = rows["answer"].map(steps.index) - rows["truth"].map(steps.index)
        figures |= {
            "too_low": float((off < 0).mean()),
            "too_high": float((off > 0).mean()),
            "kappa": quadratic_kappa(rows["truth"].tolist(), rows["answer"].tolist(), steps),
        }
    return figures


def _interval(share: float, rows: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share."""
    z = 1.96
    middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2)) / (1 + z**2 / rows)
    return float(middle - half), float(middle + half)
