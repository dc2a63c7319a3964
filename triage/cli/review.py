"""`triage review …`: choose the tickets that a person should label next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from triage.cli.terminal import (
    OUT,
    MapOption,
    ModelOption,
    PolicyOption,
    SheetOption,
    parse_mapping,
    progress_bar,
)
from triage.engine import Triage, open_registry
from triage.registry import TICKETS_FILE
from triage.schema import UsageError

review = typer.Typer(help="人工复核：挑出最值得标注的工单。", no_args_is_help=True)


@review.callback()
def _group() -> None:
    """Keep `pick` a command of its own."""


@review.command(help="从一个文件里挑出标了最能教会模型的 N 条工单，写成待填的更正表。")
def pick(
    number: Annotated[int, typer.Argument(metavar="N", help="挑多少条。", min=1)],
    source: Annotated[Path, typer.Option("--from", help="工单文件，有没有标签都可以。")],
    out: Annotated[Path, typer.Option("-o", "--out", help="更正表：.xlsx、.csv 或 .parquet。")],
    mapping: MapOption = None,
    sheet: SheetOption = None,
    model: ModelOption = None,
    policy: PolicyOption = None,
) -> None:
    """Write a corrections table of the tickets whose labels would teach most."""
    from triage.batch import pick_tickets, read_complaints, write_table
    from triage.store import stored_corrections

    _check_target(out, source)
    desk = Triage.load(model, policy=policy)
    raw, _, items = read_complaints(source, parse_mapping(mapping), sheet)
    usable = [(row, item.complaint) for row, item in zip(raw.index, items, strict=True)
              if item.complaint]  # fmt: skip
    corrected = set(stored_corrections()["key"])
    with progress_bar() as bar:
        task = bar.add_task("阅读工单，找出拿不准的", total=len(usable))
        table = pick_tickets(
            desk, [complaint for _, complaint in usable], number,
            rows=[int(row) for row, _ in usable], learned=corrected | learned_keys(model),
            on_step=lambda steps: bar.advance(task, steps),
        )  # fmt: skip
    write_table(table, out)
    OUT.print(f"从 {source} 的 {len(raw)} 行里挑出 {len(table)} 条 → {out}")
    if len(usable) < len(raw):
        OUT.print(f"  {len(raw) - len(usable)} 行有误，没有参加挑选")
    if len(table) < number:
        OUT.print(f"  可挑的只有 {len(table)} 条：其余是学过的、重复的或读不出内容的")
    OUT.print(
        "在「正确…」列填上正确的标签；左边的判断没错就填 √，拿不准就空着。"
        f"填好后：triage feedback import {out}",
        soft_wrap=True,
    )


def learned_keys(model: str | None) -> set[str]:
    """Return the keys of the tickets that a model was trained or measured on."""
    file = open_registry().folder(model).path / TICKETS_FILE
    return set(pd.read_parquet(file, columns=["key"])["key"]) if file.is_file() else set()


def _check_target(out: Path, source: Path) -> None:
    """Refuse, before minutes are spent on reading, a file that can't be written."""
    if out.suffix.lower() not in (".xlsx", ".csv", ".parquet"):
        raise UsageError(f"-o {out}: write to one of .xlsx, .csv, .parquet.")
    if not out.parent.is_dir():
        raise UsageError(f"-o {out}: the folder {out.parent} does not exist: create it.")
    if out.resolve() == source.resolve():
        raise UsageError(f"-o {out} is the file to choose from: name another.")
