"""Natures on two or three levels: find their columns, join them, roll small classes up."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from triage.data.columns import as_text, plain_heading

SEPARATOR = "/"
"""What stands between the levels of a nature: 物流/破损."""

REST = "其他"
"""The class that gathers the small ones of a level beside its larger ones."""

MAX_LEVELS = 3

Levels = tuple[str, ...]
"""A nature from its upper level to its lowest."""

_TOPIC = "投诉|问题|业务|诉求|工单|原因|内容|事项|反映|客诉|标签|分类|类别|类型|性质|类目|category"
_NUMBERED = re.compile(
    rf"(?P<before>(?:{_TOPIC})*)(?:第?(?P<rank>[一二三四1-4])级|(?:level|l)(?P<level>[1-4]))"
    rf"(?P<after>(?:{_TOPIC})*)"
)
_SIZED = re.compile(rf"(?P<before>(?:{_TOPIC})*)(?P<size>[大主中子小细])类[别型目]?")
_RANKS = {**dict(zip("一二三四", "1234", strict=True)), **dict(zip("大主中子小细", "112234",
                                                              strict=True))}  # fmt: skip
_BLANKS = frozenset({"-", "--", "—", "/", "\\", "无", "空", "n/a", "na", "null", "none", "(空)"})


class RolledUp(NamedTuple):
    """A small class, where its rows went, and how many they are."""

    was: str
    now: str
    rows: int


def find_levels(headings: Sequence[str]) -> tuple[str, ...]:
    """Find the columns of a taxonomy on several levels.

    Parameters
    ----------
    headings : sequence of str
        The file's headings.

    Returns
    -------
    tuple of str
        Two or three headings from the upper level down; empty where there is no such taxonomy.

    Examples
    --------
    >>> find_levels(["编号", "投诉一级分类", "投诉二级分类", "一级部门", "二级部门"])
    ('投诉一级分类', '投诉二级分类')
    >>> find_levels(["问题大类", "问题小类", "产品大类"])
    ('问题大类', '问题小类')
    """
    families: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for heading in headings:
        if found := _level(plain_heading(heading)):
            family, rank = found
            families[family].setdefault(rank, heading)
    ranked = max(families.values(), key=len, default={})
    levels = tuple(ranked[rank] for rank in sorted(ranked))[:MAX_LEVELS]
    return levels if len(levels) > 1 else ()


def is_level(heading: str) -> bool:
    """Tell whether a cell reads like the heading of a level of a taxonomy."""
    return _level(plain_heading(heading)) is not None


def _level(plain: str) -> tuple[tuple[str, str], str] | None:
    """Return the family of a folded heading and its rank in it, `1` being the upper one."""
    if found := _NUMBERED.fullmatch(plain):
        rank = found["rank"] or found["level"]
        return (found["before"], found["after"]), _RANKS.get(rank, rank)
    if found := _SIZED.fullmatch(plain):
        return (found["before"], "类"), _RANKS[found["size"]]
    return None


def join_levels(table: pd.DataFrame) -> list[Levels]:
    """Join the levels of each row.

    A blank lower level is left out, and so is one that only repeats the level above. A blank upper
    level is filled where its lower level stands under one upper level only.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_levels)
        Cells as read, the upper level first.

    Returns
    -------
    list of tuple of str, length n_rows
        Empty for a row without any level.
    """
    read = {value: _cell(value) for column in table for value in table[column].dropna().unique()}
    rows = [
        [read.get(cell) for cell in row]
        for row in table.astype(object).where(table.notna(), None).itertuples(index=False)
    ]
    parents: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row[0] and row[1]:
            parents[row[1]].add(row[0])
    return [_path(row, parents) for row in rows]


def _cell(value: Any) -> str | None:
    text = as_text(value)
    return None if text is None or text.lower() in _BLANKS else text


def _path(row: Sequence[str | None], parents: Mapping[str, set[str]]) -> Levels:
    upper = row[0]
    if upper is None and row[1] and len(known := parents.get(row[1], set())) == 1:
        upper = next(iter(known))
    found: list[str] = []
    for cell in (upper, *row[1:]):
        if cell and cell not in found[-1:]:
            found.append(cell)
    return tuple(found)


def roll_up(
    labels: pd.Series, paths: Mapping[str, Levels], min_rows: int
) -> tuple[pd.Series, list[RolledUp]]:
    """Roll small classes of a taxonomy up, from the lowest level to the upper one.

    A class with fewer than `min_rows` rows goes to `其他` under its upper level, or to the upper
    level itself where no class of it is large enough to stand alone. The upper level never changes.

    Parameters
    ----------
    labels : Series of str
        The nature of each row.
    paths : mapping of label to tuple of str
        The levels of each label; a label that is absent has one level.
    min_rows : int
        How many rows a class needs.

    Returns
    -------
    labels : Series of str
        Of the same rows.
    rolled : list of RolledUp
        The largest first.
    """
    counts = labels.value_counts()
    first: dict[str, Levels] = {label: paths.get(label, (label,)) for label in counts.index}
    now = dict(first)
    for level in range(max(map(len, first.values()), default=0), 1, -1):
        rows: Counter[Levels] = Counter()
        for label, path in now.items():
            rows[path] += int(counts[label])
        moves = _moves(rows, level, min_rows)
        now = {label: moves.get(path, path) for label, path in now.items()}
    names = {label: SEPARATOR.join(path) if path != first[label] else label
             for label, path in now.items()}  # fmt: skip
    rolled = [RolledUp(label, name, int(counts[label]))
              for label, name in names.items() if name != label]  # fmt: skip
    return labels.map(names).astype(object).where(labels.notna(), None), rolled


def _moves(rows: Mapping[Levels, int], level: int, min_rows: int) -> dict[Levels, Levels]:
    """Say where the small classes of one level go."""
    kids: dict[Levels, list[Levels]] = defaultdict(list)
    for path in rows:
        if len(path) == level:
            kids[path[:-1]].append(path)
    moves: dict[Levels, Levels] = {}
    for parent, paths in kids.items():
        small = [path for path in paths if rows[path] < min_rows]
        stands = len(small) < len(paths)
        if stands and 0 < rows.get(parent, 0) < min_rows:
            small.append(parent)
        moves.update(dict.fromkeys(small, (*parent, REST) if stands else parent))
    return moves
