"""Write the first mapping file of an export, for a person to correct."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from triage.data.columns import COLUMNS
from triage.data.labels import IGNORED, LabelValue, likely_label
from triage.data.source import Source
from triage.privacy import mask
from triage.schema import HEAD_NAMES, HEADS, ORDERED_HEADS, UsageError

_BARE = re.compile(r"[\w/.-]+")

MOST_VALUES = 200
"""Label values that are listed for each head; an ordered head with more is no head at all."""

STEP_NAMES = {
    "minor": "一般", "major": "较大", "critical": "重大", "severe": "特大",
    "calm": "平静", "annoyed": "不满", "angry": "愤怒", "furious": "激烈",
}  # fmt: skip
NATURE_NAMES = {"product": "产品质量", "service": "服务质量", "price": "价格",
                "logistics": "物流", "other": "其他"}  # fmt: skip


def draft_mapping(source: Source, values: Mapping[str, Sequence[LabelValue]]) -> str:
    """Write what was understood of an export as a mapping file with remarks in Chinese.

    Parameters
    ----------
    source : Source
        See `open_source`.
    values : mapping of head to sequence of LabelValue
        See `count_labels`.

    Returns
    -------
    str
        YAML that `read_mapping` reads. Values that were not understood are null; values with
        personal data in them are left out.
    """
    lines = [
        f"# 「{_flat(source.name)}」的对照表：列名、工作表、标签各是什么意思。",
        "# 用记事本改好、保存，再运行同一条命令即可；以后导入同名文件时自动沿用。",
        "# 冒号要用英文的 : ，后面空一格；行首有 # 的是说明，不起作用。",
        "",
        *_columns(source),
        *_sheets(source),
        *_taxonomy(source),
        *_labels(values, bool(source.levels)),
    ]
    return "\n".join(lines) + "\n"


def write_mapping(source: Source, values: Mapping[str, Sequence[LabelValue]], path: Path) -> None:
    """Write the first mapping file of an export; one that stands there already is kept.

    Raises
    ------
    UsageError
        If the folder can't be written to.
    """
    if path.exists():
        return
    try:
        path.write_text(draft_mapping(source, values), "utf-8")
    except OSError as error:
        raise UsageError(
            f"{path.resolve()} can't be written ({error.strerror}): go to a folder of yours first."
        ) from error


def _columns(source: Source) -> list[str]:
    """List field by field the heading that holds it."""
    lines = [
        "# 字段: 文件里的列名。认错了就改列名；不想用某一项，把列名换成 null。",
        "columns:",
    ]
    lines += [f"  {column}: {_word(heading)}" for column, heading in source.columns.items()
              if not (column == "nature" and source.levels)]  # fmt: skip
    if source.unread:
        free = [column for column in COLUMNS if column not in source.columns]
        lines.append(f"  # 没有用到的列：{'、'.join(map(_flat, source.unread))}")
        lines.append(f"  # 需要时照样添一行，还可以用的字段：{' '.join(free)}")
    return [*lines, ""]


def _sheets(source: Source) -> list[str]:
    if len(source.sheets) < 2:
        return []
    read = [_word(sheet.name) for sheet in source.sheets if sheet.read]
    left = [f"# 没有读的：{_flat(sheet.name)}（{sheet.reason}）" for sheet in source.sheets
            if not sheet.read]  # fmt: skip
    return ["# 要读的工作表。", *left, f"sheets: [{', '.join(read)}]", ""]


def _taxonomy(source: Source) -> list[str]:
    if not source.levels:
        return []
    listed = ", ".join(map(_word, source.levels))
    return [
        "# 性质的各级分类，从上级到下级，合成「上级/下级」。不想合并：写 taxonomy: []，",
        "# 并在 columns 里添一行 nature: 列名。",
        f"taxonomy: [{listed}]",
        "",
    ]


def _labels(values: Mapping[str, Sequence[LabelValue]], joined: bool) -> list[str]:
    """List the values of ordered heads, and what natures of one level might be called."""
    lines = [
        "# 文件里的标签: 我们的标签。null 是没看懂的，用到它的行暂时不能学，请填好；",
        f"# 不算标签的（如「待定」）写 {IGNORED}：工单留下，只是不学这一项。",
        "labels:",
    ]
    heads = [head for head in HEADS if values.get(head)]
    for head in heads:
        lines += (
            _steps(head, values[head])
            if head in ORDERED_HEADS
            else _natures(values[head], suggest=not joined)
        )
    if not heads:
        lines[-1] = "labels: {}"
    return lines


def _steps(head: str, values: Sequence[LabelValue]) -> list[str]:
    steps = "、".join(f"{step}（{STEP_NAMES[step]}）" for step in ORDERED_HEADS[head])
    lines = [f"  # {HEAD_NAMES[head]}，从轻到重：{steps}", f"  {head}:"]
    shown = [value for value in values[:MOST_VALUES] if mask(value.value) == value.value]
    lines += [f"    {label_line(head, one)}" for one in shown]
    if len(shown) < len(values):
        lines.append(f"    # 另有 {len(values) - len(shown)} 种值没有列出：可能认错了列")
    return lines if shown else [lines[0], f"  {head}: {{}}", *lines[2:]]


def label_line(head: str, one: LabelValue) -> str:
    """Return the line of a mapping file about a value of an ordered head."""
    if one.known:
        return f"{_word(one.value)}: {one.label or IGNORED}  # {one.rows} 行"
    guess = likely_label(head, one.value)
    hint = f"，可能是 {guess}" if guess else ""
    return f"{_word(one.value)}: null  # 没看懂，{one.rows} 行用到{hint}"


def _natures(values: Sequence[LabelValue], suggest: bool) -> list[str]:
    """Suggest, as remarks only, which natures might be those of the base model."""
    lines = ["  # 性质可以是贵公司自己的任何分类，原样学习。想合并几类，就让它们写成同一个标签。"]
    kept = [one for one in values if one.label != one.value]
    likely = [(one, guess) for one in values[:MOST_VALUES]
              if suggest and one not in kept and (guess := likely_label("nature", one.value))
              and one.value != guess]  # fmt: skip
    if likely:
        names = "、".join(f"{label}（{name}）" for label, name in NATURE_NAMES.items())
        lines.append(f"  # 自带的五类是 {names}；")
        lines.append("  # 下面像是其中一类的，想改用自带的名称就去掉行首的 #。")
    lines.append("  nature:" if kept or likely else "  nature: {}")
    lines += [f"    {_word(one.value)}: {_word(one.label or IGNORED)}" for one in kept]
    lines += [f"    # {_word(one.value)}: {guess}  # {one.rows} 行" for one, guess in likely]
    return lines


def _word(word: str) -> str:
    """Write a word as YAML reads it back: in quotes unless it surely needs none."""
    if _BARE.fullmatch(word) and yaml.safe_load(word) == word:
        return word
    return '"' + "".join(map(_character, word)) + '"'


def _character(char: str) -> str:
    return char if char.isprintable() and char not in '"\\' else f"\\U{ord(char):08X}"


def _flat(words: str) -> str:
    """Write words of a remark on one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())
