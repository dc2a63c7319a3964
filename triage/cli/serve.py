"""`triage serve`: the service with its console; `triage openapi`: its contract as a file."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

import triage
from triage.cli.terminal import OUT, ModelOption, PolicyOption
from triage.engine import open_registry
from triage.policy import load_policy
from triage.schema import ArtifactError, UsageError
from triage.settings import Settings, load_settings

GRACE_SECONDS = 30
"""How long requests at hand may take once the service is told to stop."""


def serve(
    host: Annotated[str, typer.Option(help="监听地址；不是本机就须先建密钥。")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="监听端口。", min=1, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(help="工作进程数。", min=1, max=64)] = 1,
    model: ModelOption = None,
    policy: PolicyOption = None,
    store: Annotated[bool, typer.Option(help="是否保存研判结果。")] = True,
    train_if_missing: Annotated[
        bool, typer.Option("--train-if-missing", help="没有模型时先用自带语料训练一个。")
    ] = False,
    log_format: Annotated[
        str | None, typer.Option(help="日志格式：json 或 plain；默认取 TRIAGE_LOG_FORMAT。")
    ] = None,
    proxy_headers: Annotated[bool, typer.Option(help="是否采用反向代理的 X-Forwarded-*。")] = True,
    forwarded_allow_ips: Annotated[
        str, typer.Option(help="信任哪些反向代理的地址，逗号分隔。")
    ] = "127.0.0.1",
    ssl_certfile: Annotated[Path | None, typer.Option(help="TLS 证书文件。")] = None,
    ssl_keyfile: Annotated[Path | None, typer.Option(help="TLS 私钥文件。")] = None,
) -> None:
    """Run the service with its console."""
    if log_format not in (None, "json", "plain"):
        raise UsageError(f"--log-format {log_format}: it must be json or plain.")
    settings = load_settings()
    _check_free(host, port)
    _check_keys(host, settings)
    if train_if_missing and open_registry(settings).current() is None:
        _train()
    versions = _versions(model, policy)
    options = {"policy": policy, "serve_model": model, "log_format": log_format,
               "serve_keep": str(store)}  # fmt: skip
    os.environ |= {f"TRIAGE_{name.upper()}": value for name, value in options.items() if value}
    _announce(host, port, "https" if ssl_certfile else "http", versions, store, workers)
    with tempfile.TemporaryDirectory(prefix="triage-metrics-") as folder:
        if workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        _run(
            host=host, port=port, workers=workers, proxy_headers=proxy_headers,
            forwarded_allow_ips=forwarded_allow_ips, ssl_certfile=ssl_certfile,
            ssl_keyfile=ssl_keyfile,
        )  # fmt: skip


def _run(**options: object) -> None:
    """Serve until told to stop; requests at hand are finished."""
    import uvicorn

    from triage.service.logs import log_config

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again at the end
    uvicorn.run(
        "triage.service.app:serve_app", factory=True, access_log=False, server_header=False,
        log_config=log_config(load_settings().log_format), timeout_graceful_shutdown=GRACE_SECONDS,
        **options,  # type: ignore[arg-type]
    )  # fmt: skip


def write_contract(
    out: Annotated[Path, typer.Option("-o", "--out", help="写到哪里。")] = Path("openapi.json"),
) -> None:
    """Write the OpenAPI document of the service."""
    from triage.service.app import contract

    out.write_text(json.dumps(contract(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    OUT.print(f"接口文档 → {out}")


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


def _check_keys(host: str, settings: Settings) -> None:
    """Refuse to listen beyond this machine while nobody needs a key."""
    from triage.service.keys import live_keys

    if not is_loopback(host) and not live_keys(settings.keys_file):
        raise UsageError(
            f"监听 {host} 会让别的机器访问，但 {settings.keys_file} 里没有可用的密钥："
            "先运行 triage keys add 名称 --scope assess 建一个，或改用 --host 127.0.0.1。",
            code="keys_needed",
        )


def is_loopback(host: str) -> bool:
    """Tell whether an address to listen on is this machine's own.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "")]
    [True, True, True, False, False]
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _versions(model: str | None, policy: str | None) -> tuple[str, str]:
    """Check model and policy before a process loads them, and return their versions."""
    try:
        found = open_registry().verify(model)
        return found.version, load_policy(policy or load_settings().policy).version
    except ArtifactError as error:
        if error.code != "no_model":
            raise
        raise ArtifactError(
            "还没有启用的模型：先运行 python train.py 训练一个，或用 triage models promote 启用一个"
            "已有的，或加上 --train-if-missing。",
            code="no_model",
        ) from error


def _train() -> None:
    """Train the base model with the script that stands beside the package."""
    script = Path(triage.__file__).parents[1] / "train.py"
    if not script.is_file():
        raise UsageError(
            "--train-if-missing 需要随源码提供的 train.py，这里没有：请在源码目录运行，"
            "或把训练好的 models/ 复制过来。",
            code="trainer_missing",
        )
    OUT.print("还没有模型，先用自带语料训练（约几分钟）……")
    subprocess.run([sys.executable, str(script)], check=True)


def _announce(
    host: str, port: int, scheme: str, versions: tuple[str, str], store: bool, workers: int
) -> None:
    from triage.service.keys import live_keys

    settings, shown = load_settings(), f"[{host}]" if ":" in host else host
    live = len(live_keys(settings.keys_file))
    OUT.print(f"模型 {versions[0]}，策略 {versions[1]}，工作进程 {workers} 个")
    OUT.print("研判结果" + ("保存" if store else "不保存") + f"；密钥 {live} 个"
              + ("" if live else "，只接受本机访问"))  # fmt: skip
    base = f"{scheme}://{shown}:{port}"
    OUT.print(f"控制台 {base}/ ，接口文档 {base}/docs ，Ctrl+C 停止", soft_wrap=True)
