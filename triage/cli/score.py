"""`triage score`: a whole file, on all cores, gone on with after a stop."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from joblib import cpu_count
from rich.progress import ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from triage.cli.terminal import (
    ERR,
    OUT,
    MapOption,
    ModelOption,
    PolicyOption,
    SheetOption,
    parse_mapping,
    progress_bar,
)
from triage.engine import Triage

INTERRUPTED = 130
"""Exit code after Ctrl+C, as shells have it."""


class _Speed(ProgressColumn):
    """Rows a second, of late."""

    def render(self, task: Task) -> Text:
        """Return the speed, blank until it is known."""
        return Text(f"{task.speed:,.0f} 行/秒" if task.speed else "")


def score(
    file: Annotated[Path, typer.Argument(help="待评文件：CSV、Excel 或 Parquet。")],
    out: Annotated[Path, typer.Option("-o", "--out", help="结果文件：.csv、.xlsx 或 .parquet。")],
    mapping: MapOption = None,
    sheet: SheetOption = None,
    model: ModelOption = None,
    policy: PolicyOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="同时评级的进程数；默认用上所有处理器核。")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="不接着上次没做完的，从头评起。")
    ] = False,
) -> None:
    """Score every row of a file."""
    from triage.batch import parts_folder, score_file

    desk = Triage.load(model, policy=policy)
    try:
        with progress_bar() as bar:
            bar.columns = (*bar.columns, _Speed(), TimeRemainingColumn())
            task = bar.add_task("评级分派")
            done = score_file(
                desk, file, out, mapping=parse_mapping(mapping), sheet=sheet, restart=restart,
                workers=workers or cpu_count(),
                load=partial(Triage.load, model or desk.model_version, policy=policy),
                on_start=lambda total: bar.update(task, total=total),
                on_step=lambda steps: bar.advance(task, steps),
            )  # fmt: skip
    except KeyboardInterrupt:
        kept = parts_folder(out)
        ERR.print(
            f"已停下，做完的部分存在 {kept}；再次运行同一条命令会接着做，从头做请加 --restart"
            if kept.exists()
            else "已停下，还没有开始评级",
            soft_wrap=True,
        )
        raise typer.Exit(INTERRUPTED) from None
    if done.resumed:
        OUT.print(f"接着上次没做完的：其中 {done.resumed} 行上次已评")
    OUT.print(f"{done.rows} 行，其中 {done.errors} 行有误（原因在 triage_error 列）→ {out}")
    if done.default_routed:
        OUT.print(
            f"{done.default_routed} 行的性质在策略里没有去向，已转默认团队"
            "（triage_degraded 列为 route.default）"
        )
