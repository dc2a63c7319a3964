"""`triage audit`: find labels of past tickets that are probably wrong, before they are learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from triage.batch import write_table
from triage.cli.terminal import (
    OUT,
    MapOption,
    PolicyOption,
    SheetOption,
    parse_mapping,
    progress_bar,
)
from triage.cli.training import Progress, TrainingOptions, plan_of, source_of
from triage.data import (
    Tickets,
    load_tickets,
    near_duplicate_groups,
    read_label_mapping,
    set_aside_small_classes,
    source_stem,
)
from triage.policy import load_policy
from triage.privacy import mask
from triage.schema import UsageError
from triage.settings import load_settings

if TYPE_CHECKING:
    from triage.audit import Audit


def audit_file(
    source: Annotated[
        str,
        typer.Argument(metavar="文件|网址", help="过往工单：Excel、CSV、Parquet，或数据库网址。"),
    ],
    query: Annotated[str | None, typer.Option(help="数据库的表名，或一条 SELECT 查询。")] = None,
    mapping: MapOption = None,
    labels: Annotated[Path | None, typer.Option(help="标签对照 YAML 文件。")] = None,
    sheet: SheetOption = None,
    plan: Annotated[
        Path | None, typer.Option("--mapping", help="对照表文件；默认用 <文件名>.mapping.yaml。")
    ] = None,
    policy: PolicyOption = None,
) -> None:
    """Rank suspect labels; write a page, and a table to correct and hand back."""
    from triage import audit, report

    options = TrainingOptions(
        data=source_of(source), query=query, plan=plan_of(source, query, plan),
        mapping=parse_mapping(mapping), labels=labels, sheet=sheet, policy=policy,
    )  # fmt: skip
    names = load_policy(policy or load_settings().policy).file.labels.model_dump()
    with progress_bar() as bar:
        progress = Progress(bar)
        tickets = _load(options, progress)
        found = _audit(tickets, names, progress)
        progress.finish()
    stem = source_stem(source, query)
    table, page = Path(f"{stem}.audit.xlsx"), Path(f"{stem}.audit.html")
    sentences = audit.summary_sentences(found)
    write_table(audit.corrections_table(found), table)
    report.write_page(page, report.audit_page(
        found.to_dict(), names, sentences=sentences, source=mask(source_stem(source, query)),
        table=str(table),
    ))  # fmt: skip
    for sentence in sentences:
        OUT.print(mask(sentence), soft_wrap=True)
    OUT.print(f"详细情况：{page.resolve()}", soft_wrap=True)
    OUT.print(
        f"请在 {table.resolve()} 的「正确…」几列里填上改正，再交回来："
        f"triage feedback import {table}",
        soft_wrap=True,
    )


def _load(options: TrainingOptions, progress: Progress) -> Tickets:
    """Read and group the tickets, copies included."""
    assert options.data is not None
    progress.stage("读取并检查工单")
    tickets = load_tickets(
        options.data,
        mapping=options.mapping,
        labels=read_label_mapping(options.labels) if options.labels else None,
        sheet=options.sheet,
        query=options.query,
        plan=options.plan,
        max_chars=load_settings().max_text_chars,
        copies=True,
        on_start=progress.expect,
        on_step=progress.advance,
    )
    if not tickets.heads:
        raise UsageError(
            f"{source_stem(str(options.data), options.query)} has no labels to audit: name their "
            "columns with --map 列名=nature.",
            code="no_labels",
        )
    tickets = set_aside_small_classes(tickets)
    progress.loaded(tickets, options.data, options.query)
    progress.stage("归并近似重复", total=len(tickets.frame))
    texts = tickets.frame["text"].tolist()
    tickets.frame["group"] = near_duplicate_groups(texts, progress.advance)
    return tickets


def _audit(tickets: Tickets, names: dict[str, dict[str, str]], progress: Progress) -> Audit:
    """Let folds that did not see a ticket judge its labels."""
    from triage import audit
    from triage.features import prepare_tickets
    from triage.model import fit_space

    frame = tickets.frame
    progress.stage("分词、提取特征，逐折训练")
    space = fit_space(
        prepare_tickets(frame, forgetful=True),
        {head: frame[head].to_numpy(dtype=object) for head in tickets.heads},
        frame["group"].to_numpy(),
        progress=progress.head,
    )
    return audit.audit_tickets(
        frame,
        *audit.held_out_answers(space.heads, len(frame)),
        names=names,
        segmenter=space.features.segmenter_,
        on_stage=progress.stage,
    )
