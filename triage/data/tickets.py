"""Past tickets as a table: without duplicates, without classes too small to learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import pandas as pd

from triage.schema import HEADS, DataError
from triage.text import normalise

MIN_CLASS_ROWS = 3
"""A nature with fewer distinct tickets than this can be neither learned nor measured."""

CONFLICT = "与另一行内容相同而标签不同"
"""Why a row with the text of another but other labels is set aside."""


@dataclass
class Tickets:
    """Checked tickets and what was set aside.

    Attributes
    ----------
    frame : DataFrame
        One row a ticket, with `row` (its number in the file or its sheet), `sheet` where several
        Excel sheets were read, the columns of `COLUMNS` that the file has, and once grouped
        `group`.
    quarantine : DataFrame
        `row`, `column`, `reason`, `kept` (whether the ticket stays without that fact), `text`; as
        first column `sheet` where several were read.
    notes : list of str
        What was understood and what was left out, in plain Chinese.
    columns : dict
        The file's heading of each recognised column.
    """

    frame: pd.DataFrame
    quarantine: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    columns: dict[str, str] = field(default_factory=dict)

    @property
    def heads(self) -> list[str]:
        """The heads that the tickets hold labels for."""
        return [head for head in HEADS if head in self.frame and self.frame[head].notna().any()]


def remove_duplicates(tickets: Tickets, plain: Sequence[str] | None = None) -> Tickets:
    """Keep one row of each normalised text; rows with other labels go to the quarantine.

    Of equal texts with unlike labels the most complete, then the most frequent labels stay, the
    latest row on a tie; a copy without any label is merged into them.

    Parameters
    ----------
    tickets : Tickets
    plain : sequence of str, optional
        The normalised texts, where they are known already.
    """
    frame = tickets.frame
    labels = [head for head in HEADS if head in frame]
    key = pd.Series(plain or [normalise(text).text for text in frame["text"]],
                    index=frame.index, dtype=object)  # fmt: skip
    verdict = _joined(frame[labels]) if labels else key
    votes = verdict.groupby([key, verdict]).transform("size")
    labelled = frame[labels].notna().sum(axis=1) if labels else votes
    latest = range(len(frame)) if "sheet" in frame else frame["row"]
    order = pd.DataFrame({"key": key, "verdict": verdict, "labelled": labelled, "votes": votes,
                          "row": latest})  # fmt: skip
    ranked = order.sort_values(["labelled", "votes", "row"])
    winner = key.map(ranked.groupby("key")["verdict"].last())
    agrees = (verdict == winner) | (labelled == 0)
    conflicts = frame[~agrees]
    kept = frame[(verdict == winner) & ~key.where(verdict == winner).duplicated()]
    copies = int(agrees.sum()) - len(kept)
    notes = list(tickets.notes)
    if copies:
        notes.append(f"完全重复的 {copies} 行已合并")
    quarantine = tickets.quarantine
    if len(conflicts):
        notes.append(f"同一内容标签不一致的 {len(conflicts)} 行移入隔离文件")
        fault = conflicts[_placed(frame)].assign(
            column="|".join(labels), reason=CONFLICT, kept=False
        )
        quarantine = pd.concat([quarantine, fault], ignore_index=True)
    return Tickets(kept.reset_index(drop=True), quarantine, notes, tickets.columns)


def _placed(frame: pd.DataFrame) -> list[str]:
    """Return the columns of a ticket that its line in the quarantine keeps."""
    return [column for column in ("sheet", "row", "text") if column in frame]


def _joined(labels: pd.DataFrame) -> pd.Series:
    """Return one string for each row of labels, blanks for those that are missing."""
    filled = labels.astype(object).where(labels.notna(), "").astype(str)
    columns = [filled[column].tolist() for column in filled]
    return pd.Series(list(map("|".join, zip(*columns, strict=True))), index=labels.index,
                     dtype=object)  # fmt: skip


def set_aside_small_classes(tickets: Tickets, min_rows: int = MIN_CLASS_ROWS) -> Tickets:
    """Move natures with too few tickets to the quarantine; other labels of the row go with it.

    Raises
    ------
    DataError
        If fewer than two natures are left; the message says what to do.
    """
    frame = tickets.frame
    if "nature" not in tickets.heads:
        return tickets
    counts = frame["nature"].value_counts()
    small = counts[counts < min_rows]
    if len(counts) - len(small) < 2:
        raise DataError(
            f"The column nature has {len(counts)} class(es) "
            f"({', '.join(map(str, counts.index[:5]))}), of which "
            f"{len(counts) - len(small)} with {min_rows} rows or more: two are needed. Check that "
            "--map names the right column, add tickets, or merge classes with --labels.",
            code="too_few_classes",
        )
    if small.empty:
        return tickets
    rows = frame["nature"].isin(small.index)
    listed = "、".join(f"{name}（{count} 行）" for name, count in small.items())
    notes = [
        *tickets.notes,
        f"性质 {listed} 不足 {min_rows} 行，学不会也量不准，已移入隔离文件；"
        "请补充工单，或用 --labels 合并类别",
    ]
    fault = frame.loc[rows, _placed(frame)].assign(
        column="nature", reason=f"该性质不足 {min_rows} 行", kept=False
    )
    quarantine = pd.concat([tickets.quarantine, fault], ignore_index=True)
    return Tickets(frame[~rows].reset_index(drop=True), quarantine, notes, tickets.columns)


def frame_digest(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of the texts and labels of a table, in their order."""
    columns = [column for column in ("text", *HEADS) if column in frame]
    hashed = sha256()
    for line in _joined(frame[columns]):
        hashed.update(line.encode("utf-8", "replace") + b"\x1e")
    return hashed.hexdigest()
