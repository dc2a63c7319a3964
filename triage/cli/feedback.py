"""`triage feedback …`: take people's corrections in, list them, write them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.table import Table

from triage.cli.terminal import OUT, SheetOption
from triage.data import (
    BY_HEADING,
    CORRECTION_COLUMNS,
    SOURCE_HEADING,
    Corrections,
    read_corrections,
    read_mapping,
)
from triage.data.columns import LABEL_ALIASES
from triage.data.labels import IGNORED
from triage.engine import open_registry
from triage.policy import Policy, load_policy
from triage.privacy import mask
from triage.schema import HEAD_NAMES, HEADS, ArtifactError, UsageError
from triage.settings import load_settings

feedback = typer.Typer(help="人工更正：导入、查看、导出。", no_args_is_help=True)

SHOWN = 20
"""Rows that the tables on the terminal show at most."""

_TEXT_WIDTH = 24


@feedback.command("import", help="导入填好的更正表；重复导入同一张表不会重复计数。")
def import_file(
    file: Annotated[Path, typer.Argument(help="填好「正确…」列的更正表：Excel 或 CSV。")],
    by: Annotated[str | None, typer.Option(help="更正人；默认取表里的「更正人」列。")] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(help="对照表文件，认得公司自己的叫法；默认用当前文件夹里的 *.mapping.yaml。"),
    ] = None,
    sheet: SheetOption = None,
) -> None:
    """Take a corrections table into the store."""
    from triage.store import Feedback, open_store

    policy = load_policy(load_settings().policy)
    words = [mapping] if mapping else sorted(Path().glob("*.mapping.yaml"))
    read = read_corrections(file, sheet, names=known_labels(policy, words))
    items = [
        Feedback(
            key=row["key"], head=row["head"], label=row["label"], text=row["text"], was=row["was"],
            by=by or row["by"], why=row["why"], source=row["source"] or file.name,
        )
        for row in read.frame.to_dict("records")
    ]  # fmt: skip
    with open_store() as store:
        new = store.add_feedback(items)
        latest = store.corrections()
    OUT.print(
        f"{file}：读到 {len(items)} 处更正，涉及 {read.frame['key'].nunique()} 张工单；"
        f"新增 {new} 处，重复 {len(items) - new} 处，拒收 {len(read.quarantine)} 处"
    )
    _show_changes(read.frame, policy)
    for note in read.notes:
        OUT.print(f"  {note}", soft_wrap=True)
    _show_conflicts(latest[latest["key"].isin(read.frame["key"])], policy)
    if len(read.quarantine):
        _show_quarantine(read, file)
    if items:
        OUT.print(
            "下一步：python train.py --data 过往工单文件，更正会并入训练，报告会列出改对了多少"
        )


@feedback.command("list", help="列出已导入的更正，最新的在前。")
def list_feedback(
    last: Annotated[int, typer.Option(help="最多列出多少条。", min=1)] = SHOWN,
) -> None:
    """Show what the store holds."""
    from triage.store import open_store

    with open_store() as store:
        log = store.feedback()
        latest = store.corrections()
    policy = load_policy(load_settings().policy)
    table = Table(title=f"更正 {len(log)} 处，现行 {len(latest)} 处，意见不一 "
                        f"{int(latest['conflict'].sum())} 处")  # fmt: skip
    for heading in ("时间", "更正人", "来源", "项目", "原为", "更正为", "内容"):
        table.add_column(heading, overflow="fold")
    for row in log.tail(last).iloc[::-1].to_dict("records"):
        table.add_row(
            f"{row['at']:%y-%m-%d}", row["by"] or "—", row["source"] or "—",
            HEAD_NAMES[row["head"]], _named(policy, row["head"], row["was"]),
            _named(policy, row["head"], row["label"]), _short(row),
        )  # fmt: skip
    OUT.print(table)


@feedback.command(help="把全部更正写成一张更正表，可以再导入。")
def export(
    out: Annotated[Path, typer.Option("-o", "--out", help="写到哪里：.xlsx、.csv 或 .parquet。")],
) -> None:
    """Write everything that the store holds to a corrections table."""
    from triage.batch import write_table
    from triage.store import open_store

    with open_store() as store:
        log = store.feedback()
    if log.empty:
        raise UsageError("The store holds no feedback yet: import some with `triage feedback "
                         "import FILE`.", code="no_feedback")  # fmt: skip
    policy = load_policy(load_settings().policy)
    rows = [
        {
            CORRECTION_COLUMNS["key"]: row["key"],
            CORRECTION_COLUMNS["text"]: row["text"],
            CORRECTION_COLUMNS[row["head"]]: policy.name_of(row["head"], row["was"]),
            CORRECTION_COLUMNS[f"right_{row['head']}"]: policy.name_of(row["head"], row["label"]),
            CORRECTION_COLUMNS["why"]: row["why"],
            BY_HEADING: row["by"],
            "更正时间": f"{row['at']:%Y-%m-%d %H:%M:%S}",
            SOURCE_HEADING: row["source"],
        }
        for row in log.to_dict("records")
    ]
    headings = [*CORRECTION_COLUMNS.values(), BY_HEADING, "更正时间", SOURCE_HEADING]
    write_table(pd.DataFrame(rows, columns=headings, dtype=object), out)
    OUT.print(f"{len(rows)} 处更正 → {out}")


def known_labels(policy: Policy, mappings: Sequence[Path] = ()) -> dict[str, dict[str, str]]:
    """Return what a label may be called.

    The promoted model's labels go before the policy's names, these before the company's own words
    in mapping files. Without a promoted model the other two are asked.
    """
    try:
        learned: Mapping[str, list[str]] = open_registry().folder().manifest.get("labels", {})
    except ArtifactError:
        learned = {}
    own = [read_mapping(path).labels for path in mappings]
    names: dict[str, dict[str, str]] = {}
    for head in HEADS:
        aliases = LABEL_ALIASES.get(head, {})
        said = {value: label for labels in own for value, label in labels.get(head, {}).items()}
        words = {value: aliases.get(label, label) for value, label in said.items()
                 if label and label != IGNORED}  # fmt: skip
        shown: Mapping[str, str] = getattr(policy.file.labels, head)
        names[head] = words | {name: label for label, name in shown.items()}
        names[head] |= {label: label for label in (*shown, *learned.get(head, ()))}
    return names


def _show_changes(frame: pd.DataFrame, policy: Policy) -> None:
    """Print how many labels were changed from what to what."""
    table = Table(title="收到的更正")
    for heading in ("项目", "原为", "更正为"):
        table.add_column(heading, overflow="fold")
    table.add_column("处数", justify="right")
    counts = frame.fillna({"was": ""}).groupby(["head", "was", "label"]).size()
    ranked = counts.sort_values(ascending=False, kind="stable")
    for head, was, label, count in ranked.head(SHOWN).reset_index().itertuples(index=False):
        right = _named(policy, head, label) + ("（确认）" if was == label else "")
        table.add_row(HEAD_NAMES[head], _named(policy, head, was), right, str(count))
    OUT.print(table)
    if len(ranked) > SHOWN:
        OUT.print(f"  另有 {len(ranked) - SHOWN} 种，共 {ranked.iloc[SHOWN:].sum()} 处")


def _show_conflicts(latest: pd.DataFrame, policy: Policy) -> None:
    """Print where people disagree: the newest word, which wins, and the others'."""
    disputed = latest[latest["conflict"]]
    if disputed.empty:
        return
    table = Table(title=f"意见不一 {len(disputed)} 处，取最新的")
    for heading in ("内容", "项目", "采用", "更正人", "另有"):
        table.add_column(heading, overflow="fold")
    for row in disputed.head(SHOWN).to_dict("records"):
        who = f"{row['by'] or row['source']} {row['at']:%Y-%m-%d}"
        against = "；".join(
            f"{other}：{_named(policy, row['head'], label)}" for other, label in row["others"]
        )
        table.add_row(_short(row), HEAD_NAMES[row["head"]],
                      _named(policy, row["head"], row["label"]), who, against)  # fmt: skip
    OUT.print(table)


def _show_quarantine(read: Corrections, file: Path) -> None:
    """Write the cells that were refused beside the working directory's files, and print some."""
    from triage.batch import write_table

    target = Path(f"{file.name.split('.')[0]}.corrections.quarantine.csv")
    titles = {"row": "行号", "column": "列", "value": "填写", "reason": "原因"}
    write_table(read.quarantine.rename(columns=titles), target)
    OUT.print(f"拒收 {len(read.quarantine)} 处，逐处原因见 {target.resolve()}：")
    for row in read.quarantine.head(5).to_dict("records"):
        OUT.print(
            f"  第 {row['row']} 行 {row['column']}「{row['value']}」：{row['reason']}",
            soft_wrap=True,
        )


def _named(policy: Policy, head: str, label: str | None) -> str:
    return mask(policy.name_of(head, label)) if label else "（未标）"


def _short(row: Mapping[Any, Any]) -> str:
    """Return the beginning of a text, the key where there is none."""
    text = str(row["text"]).replace("\n", " ")
    return (text[:_TEXT_WIDTH] + "…" if len(text) > _TEXT_WIDTH else text) or str(row["key"])
