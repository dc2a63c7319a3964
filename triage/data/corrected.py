"""Join people's corrections to tickets: whose word is the latest, and what it changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from triage.data.corrections import CORRECTION_COLUMNS
from triage.data.split import ticket_key
from triage.data.tickets import Tickets
from triage.privacy import mask
from triage.schema import HEADS
from triage.text import normalise

FEEDBACK, FILE = "feedback", "file"
"""Where a ticket's labels come from: the values of the column `source`."""

UNNAMED = "未具名"
"""Who gave neither name nor file."""

_SHOWN = 5
"""Conflicts that the notes spell out."""


def latest_corrections(log: pd.DataFrame) -> pd.DataFrame:
    """Keep the newest correction of each ticket and head, and tell whether people disagree.

    Parameters
    ----------
    log : DataFrame
        `key, head, label` and, where known, `at, by, source, text, was, why`; the newest last where
        there is no `at`.

    Returns
    -------
    DataFrame
        One row for each `key` and `head`, the newest last, with two more columns: `conflict`, True
        where another person (or, without names, another file) last said something else, and
        `others`, a list of what they said: `(who, label)`, with the day where it is known.
    """
    table = log.reset_index(drop=True)
    if "at" in table:
        table = table.sort_values("at", kind="stable", ignore_index=True)
    by, source = (table[name].fillna("") if name in table else "" for name in ("by", "source"))
    table["author"] = np.where(by != "", by, source)
    if "text" in table:
        told = table["text"].where(table["text"].fillna("") != "")
        table["text"] = told.groupby(table["key"]).transform("last").fillna("")
    last_words = table.drop_duplicates(["key", "head", "author"], keep="last")
    newest = last_words.drop_duplicates(["key", "head"], keep="last").reset_index(drop=True)
    ruling = dict(
        zip(zip(newest["key"], newest["head"], strict=True), newest["label"], strict=True)
    )
    others: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for said in last_words.to_dict("records"):
        pair = said["key"], said["head"]
        if ruling[pair] != said["label"]:
            day = f" {said['at']:%Y-%m-%d}" if "at" in said else ""
            who = f"{said['author'] or UNNAMED}{day}"
            others.setdefault(pair, []).append((who, said["label"]))
    newest["others"] = pd.Series([others.get(pair, []) for pair in ruling], dtype=object)
    newest["conflict"] = newest["others"].map(bool).astype(bool)
    return newest.drop(columns="author")


def join_corrections(
    tickets: Tickets,
    corrections: pd.DataFrame,
    on_step: Callable[[int], None] | None = None,
) -> Tickets:
    """Put people's corrections into the labels of tickets; the newest wins.

    Parameters
    ----------
    tickets : Tickets
        As loaded, before small classes are set aside and groups are found.
    corrections : DataFrame
        `key, head, label` and, where known, `text` (masked), `at, by, why, source`: what a store
        holds, all of it or the latest only.
    on_step : callable, optional
        Told of each ticket whose key is made; none where there are no corrections.

    Returns
    -------
    Tickets
        A copy. Its frame has two more columns: `source`, `feedback` for tickets that a correction
        changed, confirmed or added, else `file`, and `key` of each ticket (see `ticket_key`; that
        of an added ticket is of its original text, which the masked one does not yield). A ticket
        that the file lacks is added with its masked text, `row` 0 and only the labels that were
        corrected, unless its nature is none of the file's. A head that the file has no label for
        takes no corrections: a few of them can't train it. `notes` say what was done, and what
        people disagree about.
    """
    frame = tickets.frame.assign(source=FILE)
    if corrections.empty:
        return replace(tickets, frame=frame)
    frame["key"] = _keys(frame["text"], on_step)
    latest = corrections if "others" in corrections else latest_corrections(corrections)
    taught = latest[latest["head"].isin(tickets.heads)]
    places = _places(frame, taught)
    here = taught["key"].isin(list(places))
    counts = _apply(frame, taught[here], places)
    added = _added(taught[~here & _of_taxonomy(taught, frame)])
    if len(added):
        added = added.reindex(columns=frame.columns).astype(object)
        frame = pd.concat([frame, added.where(added.notna(), None)], ignore_index=True)
        frame["row"] = frame["row"].astype(int)
    counts["added"] = len(added)
    counts["lost"] = int((~taught["key"].isin([*places, *added.get("key", ())])).sum())
    notes = [*tickets.notes, *_notes(counts, latest, tickets.heads)]
    return replace(tickets, frame=frame, notes=notes)


def _of_taxonomy(taught: pd.DataFrame, frame: pd.DataFrame) -> pd.Series:
    """Tell which corrections are of the file's own natures: others come from another taxonomy."""
    known = set(frame["nature"].dropna()) if "nature" in frame else set()
    return (taught["head"] != "nature") | taught["label"].isin(known)


def _keys(texts: Iterable[str], on_step: Callable[[int], None] | None) -> list[str]:
    keys = []
    for text in texts:
        keys.append(ticket_key(text))
        if on_step:
            on_step(1)
    return keys


def _places(frame: pd.DataFrame, taught: pd.DataFrame) -> dict[str, list[int]]:
    """Find the rows of each corrected ticket: by its key, else by its masked text."""
    places: dict[str, list[int]] = {}
    wanted = set(taught["key"])
    for at, key in zip(frame.index, frame["key"], strict=True):
        if key in wanted:
            places.setdefault(key, []).append(at)
    texts = taught.get("text", pd.Series("", index=taught.index, dtype=object))
    lost = {text: key for text, key in zip(texts, taught["key"], strict=True)
            if text and key not in places}  # fmt: skip
    lengths = {len(text) for text in lost}
    for at, key, text in zip(frame.index, frame["key"], frame["text"], strict=True):
        if len(text) in lengths and key not in wanted and (known := lost.get(mask(text))):
            places.setdefault(known, []).append(at)
    return places


def _apply(frame: pd.DataFrame, taught: pd.DataFrame, places: dict[str, list[int]]) -> Counter[str]:
    """Write the labels into the frame; count what they changed, filled in and confirmed."""
    counts: Counter[str] = Counter()
    for key, head, label in zip(taught["key"], taught["head"], taught["label"], strict=True):
        for at in places[key]:
            before: Any = frame.at[at, head]
            kind = "filled" if pd.isna(before) else "same" if before == label else "changed"
            counts[kind] += 1
            frame.at[at, head], frame.at[at, "source"] = label, FEEDBACK
    return counts


def _added(taught: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each ticket of which there is a readable text, labels under their heads."""
    if "text" not in taught:
        return pd.DataFrame()
    rows: dict[str, dict[str, Any]] = {}
    for said in taught.to_dict("records"):
        if normalise(said["text"] or "").text:
            row = {"key": said["key"], "row": 0, "text": said["text"], "source": FEEDBACK}
            rows.setdefault(said["key"], row)[said["head"]] = said["label"]
    return pd.DataFrame(list(rows.values()))


def _notes(counts: Counter[str], latest: pd.DataFrame, heads: Sequence[str]) -> list[str]:
    """Say in Chinese what the corrections did."""
    notes = [
        f"人工更正：改标签 {counts['changed']} 处，补标签 {counts['filled']} 处，"
        f"确认 {counts['same']} 处，补入文件里没有的工单 {counts['added']} 张"
    ]
    if counts["lost"]:
        notes.append(
            f"{counts['lost']} 处更正没有用上：文件里没有这些工单，也没有存下原文，"
            "或其性质不在这份文件的分类里"
        )
    for head in (head for head in HEADS if head not in heads):
        if unused := int((latest["head"] == head).sum()):
            notes.append(
                f"{CORRECTION_COLUMNS[head]}的 {unused} 处更正没有用上：文件里没有这一项的标签，"
                "由基础模型判断"
            )
    disputed = latest[latest["conflict"]]
    if len(disputed):
        notes.append(f"{len(disputed)} 处更正的意见不一，取最新的：")
    for said in disputed.tail(_SHOWN).to_dict("records"):
        who = said.get("by") or said.get("source") or UNNAMED
        against = "，".join(f"{other} 说 {label}" for other, label in said["others"])
        notes.append(
            f"  {CORRECTION_COLUMNS[said['head']]}「{str(said.get('text') or said['key'])[:20]}」"
            f"取 {who} 的 {said['label']}；{against}"
        )
    return notes
