"""`triage store …`: what is kept, bring the tables up to date, delete, write what waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from triage.cli.terminal import OUT
from triage.schema import SHANGHAI
from triage.settings import load_settings

store = typer.Typer(help="存储：状态、升级、清理、删除客户数据。", no_args_is_help=True)

YesOption = Annotated[bool, typer.Option("--yes", "-y", help="不再询问，直接执行。")]
ByOption = Annotated[str, typer.Option(help="操作人，记入审计日志。")]

_TABLES = {
    "assessments": "研判", "revisions": "修订", "events": "事件", "feedback": "更正",
    "audit_log": "审计日志", "spooled": "暂存",
}  # fmt: skip
_ACTIONS = {"erase": "删除客户数据", "purge": "清理过期数据"}
_LINES = 10


@store.command(help="显示存储里有多少、还有多少暂存在本机没有写入。")
def status() -> None:
    """Show what the store holds, what waits, and the last lines of the audit log."""
    from triage.store import SCHEMA_VERSION, open_store

    settings = load_settings()
    with open_store(settings) as found:
        OUT.print(f"存储 {found.engine.url.render_as_string()}，表结构版本 {SCHEMA_VERSION}",
                  soft_wrap=True)  # fmt: skip
        OUT.print(f"{_told(found.counts())}；暂存待写入 {found.spool.pending()} 条")
        lines = found.audit(_LINES)
    OUT.print(f"保留 {settings.retention_days} 天；"
              f"文本{'已脱敏' if settings.store_texts == 'masked' else '保留原文'}")  # fmt: skip
    if lines:
        table = Table(title="最近的审计日志")
        for heading in ("时间", "操作", "操作人", "对象", "详情"):
            table.add_column(heading, overflow="fold")
        for line in lines:
            table.add_row(f"{line['at']:%Y-%m-%d %H:%M}",
                          _ACTIONS.get(line["action"], line["action"]), line["actor"],
                          line["subject"], line["detail"])  # fmt: skip
        OUT.print(table)


@store.command(help="把表结构升级到本版本；服务启动时也会自动升级。")
def migrate() -> None:
    """Bring the tables up to date."""
    from triage.store import SCHEMA_VERSION, open_store

    with open_store() as found:
        before = found.found_version
    if before == SCHEMA_VERSION:
        OUT.print(f"表结构已是版本 {SCHEMA_VERSION}，无须升级")
    else:
        OUT.print(f"表结构：{'新建' if before is None else f'版本 {before}'} → {SCHEMA_VERSION}")


@store.command(help="删除超过保留期的研判、事件和更正；审计日志不删。")
def purge(
    days: Annotated[
        int | None, typer.Option(help="保留多少天；默认取 TRIAGE_RETENTION_DAYS。", min=1)
    ] = None,
    by: ByOption = "命令行",
    yes: YesOption = False,
) -> None:
    """Delete what is older than the retention."""
    from triage.store import open_store

    settings = load_settings()
    older_than = datetime.now(SHANGHAI) - timedelta(days=days or settings.retention_days)
    if not yes:
        typer.confirm(
            f"将删除 {older_than:%Y-%m-%d} 以前的全部数据，无法恢复。继续吗？", abort=True
        )
    with open_store(settings) as found:
        OUT.print(f"已删除 {older_than:%Y-%m-%d} 以前的{_told(found.purge(older_than, by))}")


@store.command(help="删除一位客户的全部数据（个人信息保护法第四十七条）。")
def erase(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="客户编号，与送评时一致。")],
    by: ByOption = "命令行",
    yes: YesOption = False,
) -> None:
    """Delete everything of one customer."""
    from triage.store import open_store

    if not yes:
        typer.confirm("将删除这位客户的全部研判、事件和更正，无法恢复。继续吗？", abort=True)
    with open_store() as found:
        counts = found.erase_customer(customer, by)
    OUT.print(f"已删除{_told(counts)}；审计日志只记条数和时间。备份里的副本请另行删除")


@store.command(help="把存储停机期间暂存在本机的研判写入存储。")
def drain() -> None:
    """Write what waits in the spool."""
    from triage.store import open_store

    with open_store() as found:
        written = found.spool.drain(found)
        OUT.print(f"已写入 {written} 条，还有 {found.spool.pending()} 条暂存")


def _told(counts: Mapping[str, int]) -> str:
    return "，".join(f"{_TABLES[name]} {count} 条" for name, count in counts.items())
