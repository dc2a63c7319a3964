"""What the commands share: both streams, the options' parts, progress, errors to exit codes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from triage.cli.faults import told
from triage.privacy import mask
from triage.schema import TriageError, UsageError

OUT = Console(markup=False, highlight=False)
ERR = Console(stderr=True, markup=False, highlight=False)

MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="列名=字段", help="指明列名对应的字段，可重复，如 投诉内容=text。"
    ),
]
SheetOption = Annotated[str | None, typer.Option(help="Excel 工作表名。")]
ModelOption = Annotated[str | None, typer.Option(help="模型版本或文件夹；默认用已启用的版本。")]
PolicyOption = Annotated[str | None, typer.Option(help="处置策略名或文件。")]


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """Show a progress bar on the error stream."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    with Bar(*columns, console=ERR) as bar:
        yield bar


def parse_mapping(pairs: list[str] | None) -> dict[str, str]:
    """Read `heading=column` pairs.

    Raises
    ------
    UsageError
        If a pair has no `=`.
    """
    found = {}
    for pair in pairs or ():
        heading, sign, column = pair.rpartition("=")
        if not sign or not heading or not column:
            raise UsageError(f"--map {pair}: write 列名=字段, such as 投诉内容=text.")
        found[heading.strip()] = column.strip()
    return found


def run_command(command: typer.Typer) -> None:
    """Run a command; an error of ours becomes one message and its exit code."""
    try:
        command()
    except TriageError as error:
        ERR.print(f"错误（{error.code}）：{told(error)}", soft_wrap=True)
        ERR.print(mask(str(error)), soft_wrap=True)
        sys.exit(error.exit_code)
