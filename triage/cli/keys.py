"""`triage keys …`: make, list and revoke the keys of the service."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from triage.cli.terminal import OUT
from triage.schema import UsageError
from triage.settings import load_settings

keys = typer.Typer(help="管理服务的密钥。", no_args_is_help=True)


@keys.command(help="建一个密钥；密钥只显示这一次。同名可有两个，用来轮换。")
def add(
    name: Annotated[str, typer.Argument(help="给谁用，如 呼叫中心。")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="权限，可重复：assess 研判，review 复核，admin 管理。默认 assess。"),
    ] = None,
) -> None:
    """Make a key and show it once."""
    from triage.service.keys import SCOPES, add_key

    chosen = [one for one in SCOPES if one in (scope or ["assess"])]
    if unknown := set(scope or ()) - set(SCOPES):
        raise UsageError(
            f"--scope {sorted(unknown)[0]}: it must be one of {', '.join(SCOPES)}.",
            code="scope_unknown",
        )
    path = load_settings().keys_file
    shown, key = add_key(path, name, chosen)
    OUT.print(f"{name} 的密钥（编号 {key.id}，权限 {'、'.join(chosen)}），只显示这一次：")
    OUT.print(shown, soft_wrap=True)
    OUT.print(f"用法：请求头 Authorization: Bearer <密钥>。只有摘要写进了 {path}", soft_wrap=True)


@keys.command("list", help="列出密钥，看不到密钥本身。")
def list_keys() -> None:
    """List the keys."""
    from triage.service.keys import read_keys

    table = Table(title=str(load_settings().keys_file))
    for heading in ("编号", "名称", "权限", "建立", "吊销"):
        table.add_column(heading, overflow="fold")
    for key in read_keys(load_settings().keys_file):
        revoked = f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "—"
        table.add_row(
            key.id, key.name, "、".join(key.scopes), f"{key.created_at:%Y-%m-%d %H:%M}", revoked
        )
    OUT.print(table)


@keys.command(help="吊销一个密钥；正在运行的服务几秒内生效。")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="编号", help="见 triage keys list。")],
) -> None:
    """Revoke a key."""
    from triage.service.keys import revoke_key

    key = revoke_key(load_settings().keys_file, key_id)
    OUT.print(f"已吊销 {key.name} 的密钥 {key.id}")
