"""The words that decide an answer, as a table and shown in the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from triage.analysis.opened import Opened, known_head, open_version
from triage.model import Predictions
from triage.schema import HEADS, Complaint, Contribution

FOR, AGAINST = "217, 119, 6", "37, 99, 235"
"""Colours behind words that speak for the answer and against it."""


def explain(
    text: str | Complaint,
    version: str | None = None,
    *,
    heads: Sequence[str] = HEADS,
    n: int | None = 8,
) -> pd.DataFrame:
    """List the phrases that decide each head's answer to one text.

    Parameters
    ----------
    text : str or Complaint
        A complaint in the customer's words, with its facts or without.
    version : str, optional
        The promoted model if absent.
    heads : sequence of str
        Any of `nature`, `severity`, `emotion`.
    n : int, optional
        Phrases of each head, the strongest first, whether for or against the answer; marks are
        passed over. None gives all in their order: their weights add up to the head's margin less
        its intercept.

    Returns
    -------
    DataFrame
        `head, span` (start and end in the text as sent), `phrase` (masked), `weight` (what the
        margin loses without it; below 0 it speaks against), `toward` (the answer).

    Raises
    ------
    UsageError
        If there is no such version or head.
    ArtifactError
        If no model is promoted, or it can't be loaded.
    TextError
        If there is nothing to read.
    """
    opened = open_version(version)
    rows = []
    for head in heads:
        _, words, _ = _explained(opened, text, known_head(head))
        if n is not None:
            words = sorted(worded(words), key=lambda word: -abs(word.weight))[:n]
        rows += [
            {"head": head, "span": tuple(word.span), "phrase": word.text,
             "weight": round(word.weight, 4), "toward": word.toward}
            for word in words
        ]  # fmt: skip
    return pd.DataFrame(rows, columns=["head", "span", "phrase", "weight", "toward"])


def worded(words: Sequence[Contribution]) -> list[Contribution]:
    """Return the words that have a letter or a digit."""
    return [word for word in words if any(map(str.isalnum, word.text))]


@dataclass(frozen=True, slots=True)
class Highlight:
    """A text with its deciding words coloured; a notebook shows it by itself.

    Attributes
    ----------
    html : str
        One block, masked, with its own styles and a line that says how to read it.
    """

    html: str

    def _repr_html_(self) -> str:
        return self.html


def highlight(
    text: str | Complaint,
    head: str = "nature",
    toward: str | None = None,
    version: str | None = None,
) -> Highlight:
    """Colour the words of a text by how they weigh for or against a label.

    Parameters
    ----------
    text : str or Complaint
    head : {"nature", "severity", "emotion"}
    toward : str, optional
        The label that the words speak for or against, by id or Chinese name; the model's answer if
        absent.
    version : str, optional
        The promoted model if absent.

    Raises
    ------
    UsageError
        If there is no such version, head or label.
    """
    opened = open_version(version)
    labels = opened.wanted_labels(head, toward)
    label, words, predictions = _explained(opened, text, head, labels[0] if labels else None)
    masked_text = opened.desk.read(text).masked_text
    top = max((abs(word.weight) for word in words), default=0.0) or 1.0
    parts, end = [], 0
    for word in words:
        parts.append(escape(masked_text[end : word.span.start]))
        colour = FOR if word.weight > 0 else AGAINST
        parts.append(
            f'<span style="background:rgba({colour},{0.75 * abs(word.weight) / top:.2f})" '
            f'title="{word.weight:+.3f}">{escape(word.text)}</span>'
        )
        end = word.span.end
    parts.append(escape(masked_text[end:]))
    sure = predictions.probabilities[head][0][predictions.labels[head].index(label)]
    legend = (
        f"「{escape(opened.name(head, label))}」的可能 {sure:.0%}；"
        f'<span style="background:rgba({FOR},.5)">橙色</span>的词支持它，'
        f'<span style="background:rgba({AGAINST},.5)">蓝色</span>的词反对它，越深越要紧'
    )
    return Highlight(
        '<div style="max-width:46em;line-height:1.8;white-space:pre-wrap">'
        f'{"".join(parts)}<div style="font-size:.85em;opacity:.75">{legend}</div></div>'
    )


def _explained(
    opened: Opened, text: str | Complaint, head: str, label: str | None = None
) -> tuple[str, list[Contribution], Predictions]:
    """Return label, words and predictions; the severity passes over what is only denied."""
    reading = opened.desk.read(text)
    if head == "severity":
        reading = reading._replace(prepared=reading.counted)
    predictions = opened.desk.model.predict([reading.asked(reading.prepared)])
    label = label or predictions.likeliest(head)[0]
    return label, opened.desk.contributions(reading, label, head, predictions, 0), predictions
