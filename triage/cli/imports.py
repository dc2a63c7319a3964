"""`triage import`: a first look at an export, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from triage.batch import write_table
from triage.cli.terminal import OUT, MapOption, SheetOption, parse_mapping, progress_bar
from triage.cli.training import Progress
from triage.data import (
    COLUMN_NAMES,
    PERSONAL_NAMES,
    Look,
    find_mapping,
    is_url,
    label_line,
    look_at,
    mapping_path,
    next_command,
    read_label_mapping,
    read_mapping,
    source_stem,
    todo,
    write_mapping,
)
from triage.privacy import mask
from triage.schema import HEAD_NAMES, UsageError
from triage.settings import load_settings

SHOWN_VALUES, SHOWN_FAULTS, SHOWN_EXAMPLES = 15, 12, 3
"""How many label values, faults and examples the terminal lists."""

FORMS = {"utf-8-sig": "UTF-8 文本", "gb18030": "GB18030 文本", "utf-16": "UTF-16 文本",
         "excel": "Excel", "parquet": "Parquet", "sql": "数据库查询"}  # fmt: skip


def import_file(
    source: Annotated[
        str,
        typer.Argument(
            metavar="文件|网址",
            help="过往工单：Excel、CSV、Parquet，或数据库网址，如 postgresql://用户:密码@主机/库。",
        ),
    ],
    query: Annotated[str | None, typer.Option(help="数据库的表名，或一条 SELECT 查询。")] = None,
    mapping: MapOption = None,
    labels: Annotated[Path | None, typer.Option(help="标签对照 YAML 文件。")] = None,
    sheet: SheetOption = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--mapping", help="对照表文件；默认用当前文件夹里的 <文件名>.mapping.yaml，没有就新写。"
        ),
    ] = None,
) -> None:
    """Say what was understood of an export and what was not; nothing is trained."""
    place = plan or mapping_path(source, query)
    if plan and not plan.is_file():
        raise UsageError(f"{plan} does not exist: check --mapping.", code="file_missing")
    known = read_mapping(place) if plan else find_mapping(source, query)
    with progress_bar() as bar:
        progress = Progress(bar)
        look = look_at(
            source if is_url(source) else Path(source),
            mapping=parse_mapping(mapping), sheet=sheet, query=query, plan=known,
            labels=read_label_mapping(labels) if labels else None,
            max_chars=load_settings().max_text_chars,
            on_stage=progress.stage, on_step=progress.advance,
        )  # fmt: skip
        progress.finish()
    show_look(look)
    if known is None:
        write_mapping(look.source, look.values, place)
    options = ["--mapping", str(plan)] if plan else []
    if known is not None:
        options += [word for pair in mapping or () for word in ("--map", pair)]
        options += ["--labels", str(labels)] if labels else []
        options += ["--sheet", sheet] if sheet else []
    command = next_command(look, query, options)
    _show_files(look, place, command, first=known is None, stem=source_stem(source, query))
    _show_next(look, command, known is not None)


def show_look(look: Look) -> None:
    """Print what a first look found."""
    form = FORMS.get(look.source.form, look.source.form)
    usable = len(look.tickets.frame)
    _say(f"{look.source.name}（{form}）：读到 {look.rows} 行，{usable} 条工单可以用来训练")
    _show_sheets(look)
    _show_columns(look)
    for head in look.labels:
        _show_labels(look, head)
    _show_facts(look)
    _show_faults(look)


def _say(line: str) -> None:
    OUT.print(mask(line), soft_wrap=True)


def _table(title: str, headings: Sequence[str], numbers: Sequence[str] = ()) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(
            heading, overflow="fold", justify="right" if heading in numbers else "left"
        )
    return table


def _show_sheets(look: Look) -> None:
    if len(look.source.sheets) < 2:
        return
    table = _table("工作表", ("工作表", "行数", "是否读取"), ("行数",))
    for sheet in look.source.sheets:
        read = "已读取" if sheet.read else f"没有读取：{sheet.reason}"
        table.add_row(mask(sheet.name), str(sheet.rows or ""), mask(read))
    OUT.print(table)


def _show_columns(look: Look) -> None:
    table = _table("认出的列", ("文件里的列名", "当作", "字段"))
    for column, heading in look.source.columns.items():
        table.add_row(mask(heading), COLUMN_NAMES[column], column)
    OUT.print(table)
    if look.source.unread:
        _say(f"没有用到的列：{'、'.join(look.source.unread)}")
    if look.personal_headings:
        _say(f"　其中 {'、'.join(look.personal_headings)} 像是个人信息，不会读取，也建议不要导出")


def _show_labels(look: Look, head: str) -> None:
    labels = look.labels[head]
    known = {value.label for value in labels.values if value.label}
    count = len(labels.classes if head == "nature" else known)
    title = f"{HEAD_NAMES[head]}：{count} 类"
    table = _table(title, ("文件里的标签", "当作", "行数"), ("行数",))
    ranked = sorted(labels.values, key=lambda value: value.known)
    for value in ranked[:SHOWN_VALUES]:
        meaning = (value.label or "不算标签") if value.known else "没看懂"
        table.add_row(mask(value.value), mask(meaning), str(value.rows))
    if len(ranked) > SHOWN_VALUES:
        rest = sum(value.rows for value in ranked[SHOWN_VALUES:])
        table.add_row(f"另有 {len(ranked) - SHOWN_VALUES} 种", "", str(rest))
    OUT.print(table)
    if labels.unlabelled:
        _say(f"　{labels.unlabelled} 条没有{HEAD_NAMES[head]}标签，只用来学别的项目")
    if head == "nature" and look.small:
        listed = "、".join(f"{name}（{rows} 条）" for name, rows in look.small.items())
        _say(f"　太少、学不会的类别，训练时会移到隔离文件：{listed}")


def _show_facts(look: Look) -> None:
    """Print dates, duplicates, conflicts, personal data and lengths."""
    if look.first:
        undated = f"；{look.undated} 行没有可读的时间" if look.undated else ""
        _say(f"时间：{look.first} 至 {look.last}{undated}")
    else:
        _say("时间：没有可用的受理时间，不能按时间比较")
    _say(f"重复：{look.duplicates} 行与别的行内容完全相同；"
         f"{len(look.near)} 组近似重复，共 {look.near_texts} 条")  # fmt: skip
    for one in look.near[:SHOWN_EXAMPLES]:
        _say(f"　{one.texts} 条近似：{one.example}")
    if look.conflict_texts:
        counts = "、".join(f"{HEAD_NAMES[h]} {n} 条" for h, n in look.conflict_texts.items())
        _say(f"同一内容、标签不同：{counts}")
    for clash in look.conflicts[:SHOWN_EXAMPLES]:
        marks = "、".join(f"{label} {rows} 行" for label, rows in clash.labels.items())
        _say(f"　{HEAD_NAMES[clash.head]}（{marks}）：{clash.text}")
    kinds = "、".join(f"{PERSONAL_NAMES.get(k, k)} {n} 行" for k, n in look.personal.items())
    _say(f"个人信息：{kinds or '没有发现'}" + ("（学习和显示前都会遮盖）" if kinds else ""))
    if look.lengths:
        low, middle, high, top = look.lengths.values()
        _say(
            f"内容长度：最短 {low} 字，一半不超过 {middle} 字，95% 不超过 {high} 字，最长 {top} 字"
        )


def _show_faults(look: Look) -> None:
    if not look.faults:
        _say("坏行：没有")
        return
    table = _table("坏行", ("原因", "后果", "行数", "如第几行"), ("行数",))
    for fault in look.faults[:SHOWN_FAULTS]:
        cost = "只忽略这一项" if fault.kept else "整行不能用"
        column = COLUMN_NAMES.get(fault.column, "")
        reason = f"{column}：{fault.reason}" if column else fault.reason
        examples = "、".join(fault.examples[:SHOWN_EXAMPLES])
        table.add_row(mask(reason), cost, str(fault.rows), mask(examples))
    OUT.print(table)


def _show_files(look: Look, place: Path, command: str, *, first: bool, stem: str) -> None:
    """Say where the mapping file is; write the quarantine and the page."""
    from triage.report import import_page  # it loads matplotlib

    _say(f"对照表：{place.resolve()}（{'新写的，可以改' if first else '沿用'}）")
    bad = Path(f"{stem}.quarantine.csv")
    if len(look.tickets.quarantine):
        kept = look.tickets.quarantine
        write_table(kept.assign(text=kept["text"].map(mask), reason=kept["reason"].map(mask)), bad)
        _say(f"坏行逐行的原因：{bad.resolve()}")
    page = Path(f"{stem}.look.html")
    page.write_text(
        import_page(
            look.to_dict(), command=mask(command), mapping=place.name,
            quarantine=bad.name if len(look.tickets.quarantine) else "",
        ),
        "utf-8",
    )  # fmt: skip
    _say(f"同样的内容做成了一页：{page.resolve()}")


def _show_next(look: Look, command: str, standing: bool) -> None:
    """Say what to see to, and the next command."""
    for note in look.tickets.notes:
        if "并入上级" in note or "没有读取工作表" in note:
            _say(note)
    tasks = todo(look)
    for task in tasks:
        _say(f"需要处理：{task}")
    if standing:
        _missing_lines(look)
    again = "处理好以后，再看一遍：" if tasks else "没有要处理的了。下一步："
    _say(f"{again}{command}")


def _missing_lines(look: Look) -> None:
    """Print the lines that a standing mapping file lacks."""
    for head, labels in look.labels.items():
        new = [one for one in labels.unknown
               if one.value not in look.source.labels.get(head, {})]  # fmt: skip
        if new:
            lines = "".join(f"\n    {label_line(head, one)}" for one in new[:SHOWN_VALUES])
            _say(f"对照表里还没有这些标签，请添在 labels 的 {head} 下面：{lines}")
