"""`triage policy …`: check, explain, test, diff and init, for the manager who writes policies."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.table import Table

from triage.batch import compare_policies, try_cases, write_table
from triage.cli.show import DECISION_NAMES
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
from triage.policy import load_policy, policy_path
from triage.privacy import mask
from triage.schema import SEVERITIES, Complaint, ConfigError, UsageError

policies = typer.Typer(help="处置策略：检查、解释、测试、比较、生成。", no_args_is_help=True)

SHOWN_CHANGES = 20
"""Tickets that `diff` lists on the terminal; --out writes them all."""


@policies.command(help="检查策略文件，有错逐行指出位置、取值和改法。")
def check(
    file: Annotated[str, typer.Argument(help="策略文件，或自带策略名。")] = "default",
) -> None:
    """Say what is wrong in a policy file, a line a fault."""
    try:
        policy = load_policy(file)
    except ConfigError as error:
        for line in str(error).splitlines():
            OUT.print(line, soft_wrap=True)
        OUT.print(f"{policy_path(file)}：{len(str(error).splitlines())} 处需要修改")
        raise typer.Exit(1) from error
    found = policy.file
    OUT.print(
        f"{policy_path(file)}：通过（{policy.version}；{len(found.routes)} 个性质有去向，"
        f"{len(found.regimes)} 项法定时限，{len(found.signal_floors)} 类信号参与定级）"
    )


@policies.command(help="解释一条投诉用到了策略里的哪些规则。")
def explain(
    text: Annotated[str, typer.Argument(help="投诉原文。")],
    policy: PolicyOption = None,
    model: ModelOption = None,
    channel: Annotated[str | None, typer.Option(help="来件渠道。")] = None,
    amount: Annotated[float | None, typer.Option(help="涉及金额（元）。")] = None,
    repeats: Annotated[int | None, typer.Option(help="此前联系次数。")] = None,
    industry: Annotated[str | None, typer.Option(help="行业。")] = None,
) -> None:
    """Say which rule fired and why."""
    desk = Triage.load(model, policy=policy)
    complaint = Complaint(
        text=text, channel=channel, amount=amount, repeat_count=repeats, industry=industry
    )
    answer, found = desk.assess(complaint), desk.policy.file
    table = Table(title=f"策略 {desk.policy.version}：{answer.grade_name}，{answer.route.name}")
    table.add_column("规则位置", no_wrap=True)
    for heading in ("结果", "说明"):
        table.add_column(heading, overflow="fold")
    for rule in desk.rules(complaint):
        table.add_row(rule.path, found.labels.severity[rule.grade], rule.reason)
    known = desk.policy.known_nature(answer.nature.label)
    routed = f"routes.{known}" if known in found.routes else "default_route"
    table.add_row(routed, answer.route.name, f"性质「{answer.nature.name}」")
    desk_path, _ = desk.policy.desk(answer.grade, answer.emotion.label, complaint.customer_tier)
    table.add_row(desk_path, answer.route.desk, f"情绪「{answer.emotion.name}」")
    for name in dict.fromkeys(signal.name for signal in answer.signals):
        if name in found.copies:
            table.add_row(f"copies.{name}", "、".join(found.copies[name]), "抄送")
    grave = SEVERITIES.index(answer.grade) >= SEVERITIES.index(found.human_from)
    decided_by = "human_from" if grave and answer.decision == "suggest" else "target_precision"
    table.add_row(decided_by, DECISION_NAMES[answer.decision], answer.reasons[-1])
    for clock in answer.deadlines:
        levels = f"service_levels.{answer.grade}"
        path = levels if clock.regime == "internal" else f"regimes.{clock.regime}"
        mark = "最紧，" if clock.binding else ""
        table.add_row(path, f"{clock.due_at:%m月%d日 %H:%M}", f"{mark}{clock.basis}")
    OUT.print(mask(text), table)


@policies.command("test", help="跑一张用例表（投诉原文、期望等级、期望团队），不符的列出来。")
def run_cases(
    cases: Annotated[Path, typer.Argument(help="用例：列 text、grade、team，或中文列名。")],
    policy: PolicyOption = None,
    model: ModelOption = None,
    sheet: SheetOption = None,
) -> None:
    """Run a manager's own cases."""
    results = try_cases(Triage.load(model, policy=policy), cases, sheet)
    failed = [result for result in results if not result.passed]
    if failed:
        table = Table(title="不符的用例")
        for heading in ("投诉", "期望", "实际"):
            table.add_column(heading, overflow="fold")
        for result in failed:
            table.add_row(result.text, mask(result.expected), mask(result.found))
        OUT.print(table)
    OUT.print(f"{len(results)} 个用例，{len(results) - len(failed)} 个相符，{len(failed)} 个不符")
    if failed:
        raise typer.Exit(1)


@policies.command(help="比较两个策略：过往工单里哪些会换等级、换去向。")
def diff(
    before: Annotated[str, typer.Argument(help="原策略。")],
    after: Annotated[str, typer.Argument(help="新策略。")],
    on: Annotated[Path, typer.Option("--on", help="过往工单：CSV、Excel 或 Parquet。")],
    mapping: MapOption = None,
    sheet: SheetOption = None,
    model: ModelOption = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="全部变化写到这里。")] = None,
) -> None:
    """Count and list what another policy would decide otherwise."""
    first, second = load_policy(before), load_policy(after)
    desk = Triage.load(model, policy=first)
    with progress_bar() as bar:
        task = bar.add_task("按两个策略评级分派")
        found = compare_policies(
            desk, first, second, on, mapping=parse_mapping(mapping), sheet=sheet,
            on_start=lambda total: bar.update(task, total=total),
            on_step=lambda steps: bar.advance(task, steps),
        )  # fmt: skip
    OUT.print(
        f"{first.version} → {second.version}：{found.rows} 条工单，{len(found.changes)} 条有变化"
        + (f"，另有 {found.errors} 行无法评估" if found.errors else "")
    )
    for name, counts in (("处置等级", found.grades), ("去向", found.teams),
                         ("处理方式", found.decisions)):  # fmt: skip
        if counts:
            OUT.print(_counted(name, counts))
    if len(found.changes):
        table = Table(title=f"有变化的工单（前 {SHOWN_CHANGES} 条）")
        for heading in ("行", "投诉", "等级", "去向"):
            table.add_column(heading, overflow="fold")
        for change in found.changes.head(SHOWN_CHANGES).to_dict("records"):
            table.add_row(
                str(change["row"]), change["text"][:60],
                f"{change['grade_before']} → {change['grade_after']}",
                f"{change['team_before']} → {change['team_after']}",
            )  # fmt: skip
        OUT.print(table)
    if out:
        write_table(found.changes, out)
        OUT.print(f"全部变化 → {out}")


def _counted(name: str, counts: Counter[tuple[str, str]]) -> Table:
    table = Table(title=name)
    for heading in ("原来", "现在", "条数"):
        table.add_column(heading)
    for (old, new), number in counts.most_common():
        table.add_row(DECISION_NAMES.get(old, old), DECISION_NAMES.get(new, new), str(number))
    return table


@policies.command(help="为模型的性质生成一份策略，缺去向的各写一行待填。")
def init(
    out: Annotated[Path, typer.Argument(help="写到哪个文件。")],
    from_model: Annotated[
        bool, typer.Option("--from-model", help="取已启用模型（或 --model）的性质。")
    ] = False,
    extends: Annotated[str, typer.Option(help="以哪个策略为底。")] = "default",
    model: ModelOption = None,
) -> None:
    """Write a policy that extends another, with a route for each nature of a model."""
    if out.exists():
        raise UsageError(f"{out} exists: name another file, so that nothing of yours is lost.")
    base = load_policy(extends)
    content: dict[str, object] = {"extends": extends, "name": out.stem}
    natures = []
    if from_model:
        manifest = open_registry().folder(model).manifest
        natures = [
            nature for nature in manifest.get("labels", {}).get("nature", [])
            if base.known_nature(nature) not in base.file.routes
        ]  # fmt: skip
        if natures:
            content["labels"] = {"nature": {nature: nature for nature in natures}}
            content["routes"] = {
                nature: {"team": f"t{number}", "name": f"{nature}组"}
                for number, nature in enumerate(natures, start=1)
            }
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    out.write_text(
        f"# 未写的内容都沿用策略 {extends}；需要改的抄过来改。\n{text}", encoding="utf-8"
    )
    load_policy(out)
    OUT.print(
        f"已生成 {out}，{len(natures)} 个性质的去向待填；填好后运行 triage policy check {out}"
    )
