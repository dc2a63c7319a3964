"""The `triage` command: its parts, `explain`, `evaluate` and `version`."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from triage.cli.audits import audit_file
from triage.cli.feedback import feedback
from triage.cli.imports import import_file
from triage.cli.keys import keys
from triage.cli.models import models
from triage.cli.policies import policies
from triage.cli.review import review
from triage.cli.score import score
from triage.cli.serve import serve, write_contract
from triage.cli.show import GUARD_NAMES, show_answer, show_evaluation, show_metrics
from triage.cli.store import store
from triage.cli.terminal import (
    OUT,
    MapOption,
    ModelOption,
    PolicyOption,
    SheetOption,
    parse_mapping,
    run_command,
)
from triage.cli.vectors import vectors
from triage.data import load_tickets, read_label_mapping
from triage.engine import Triage, open_registry
from triage.schema import HEADS, UsageError

app = typer.Typer(
    help="中文客户投诉分级分派。", no_args_is_help=True, pretty_exceptions_enable=False,
    add_completion=False,
)  # fmt: skip
app.add_typer(models, name="models")
app.add_typer(policies, name="policy")
app.add_typer(vectors, name="vectors")
app.add_typer(feedback, name="feedback")
app.add_typer(review, name="review")
app.add_typer(keys, name="keys")
app.add_typer(store, name="store")
app.command(help="启动服务和控制台。")(serve)
app.command("openapi", help="把接口文档写成文件。")(write_contract)
app.command(help="给一个文件里的每条投诉评级分派，结果写在每行旁边；中断后可接着做。")(score)
app.command("import", help="看懂一份工单表：认出了什么、没认出什么；不训练。")(import_file)
app.command("audit", help="检查过往工单的标签：可疑的、矛盾的、泄露答案的。")(audit_file)


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
    show_answer(answer)
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
    from triage.features import prepare_tickets

    fitted, found = registry.load(model)
    tickets = load_tickets(
        file, mapping=parse_mapping(mapping), sheet=sheet,
        labels=read_label_mapping(labels) if labels else None,
    )  # fmt: skip
    if not tickets.heads:
        raise UsageError(
            f"{file} has none of the label columns {', '.join(HEADS)}: name one with --map."
        )
    answers = fitted.predict(prepare_tickets(tickets.frame))
    baselines = Baselines(**found.metrics["baselines"])
    heads = evaluate_heads(tickets.frame, answers.probabilities, answers.labels, baselines)
    title = f"模型 {found.version} 在 {file} 上的表现"
    show_metrics(title, {"heads": {name: measured.to_dict() for name, measured in heads.items()}})


@app.command(help="显示版本。")
def version() -> None:
    """Print the version."""
    OUT.print(metadata.version("complaint-triage"))


def main() -> None:
    """Run the `triage` command."""
    run_command(app)
