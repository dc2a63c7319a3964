"""`triage models …`: list, show, verify, promote and roll back."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from triage import engine
from triage.cli.show import figure, show_comparison, show_evaluation
from triage.cli.terminal import ERR, OUT, PolicyOption
from triage.engine import open_registry
from triage.policy import load_policy
from triage.schema import ArtifactError
from triage.settings import load_settings

models = typer.Typer(help="管理已训练的模型。", no_args_is_help=True)


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
            figure(summary.get("nature", {}).get("macro_f1")),
            figure(summary.get("severity", {}).get("kappa")),
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


@models.command(help="比较两个模型：新模型是否真的更好。")
def compare(
    version: Annotated[str, typer.Argument(help="新模型的版本。")],
    champion: Annotated[str | None, typer.Argument(help="与之比较的版本；默认已启用的。")] = None,
    policy: PolicyOption = None,
) -> None:
    """Compare a model with the promoted one."""
    chosen = load_policy(policy or load_settings().policy)
    with ERR.status("两个模型正在判同一批留出的工单……"):
        found = engine.compare_versions(open_registry(), version, champion, chosen)
    show_comparison(found, chosen)


@models.command(help="启用一个模型；受保护的类别变差时拒绝。")
def promote(
    version: Annotated[str, typer.Argument(help="要启用的版本。")],
    force: Annotated[bool, typer.Option(help="比较不通过也启用，须写明原因。")] = False,
    reason: Annotated[str, typer.Option(help="强行启用的原因，会记录下来。")] = "",
    policy: PolicyOption = None,
) -> None:
    """Promote a model, unless it loses a protected class."""
    chosen = load_policy(policy or load_settings().policy)
    with ERR.status("与现用模型比较……"):
        found, comparison = engine.promote(
            open_registry(), version, chosen, force=reason if force else None
        )
    if comparison:
        show_comparison(comparison, chosen)
    OUT.print(f"已启用 {found.version}，正在运行的服务一两秒内换上")


@models.command(help="退回上一个启用的模型。")
def rollback() -> None:
    """Promote the model that was promoted before."""
    found = open_registry().rollback()
    OUT.print(f"已退回 {found.version}，正在运行的服务一两秒内换上")
