"""The training pipeline: load → check → split → fit → calibrate → evaluate → compare → register.

python train.py                                        on data/
python train.py --data past.xlsx --map 投诉内容=text    on a company's own tickets
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from triage import audit, data, engine, evaluate, features, model, polarity, report
from triage.cli import Progress, TrainingOptions, run_training
from triage.engine import Triage, open_registry
from triage.policy import Policy, load_policy
from triage.registry import (
    COMPARISON_FILE,
    ERRORS_FILE,
    REPORT_FILE,
    TICKETS_FILE,
    ModelFolder,
    Registry,
)
from triage.schema import HEADS, ArtifactError, UsageError
from triage.settings import Settings, load_settings
from triage.store import stored_corrections
from triage.text import Segmenter, read_user_words

TEST_SHARE, BASE_TEST_SHARE = 0.2, 0.12
"""What is held out of a company's tickets, and of the larger base corpus."""

SNOWNLP_ROWS = 600
"""Held-out reviews that SnowNLP scores as baseline, at some 10 ms each."""

Base = tuple[model.TriageModel, ModelFolder]


@dataclass
class Trained:
    """What a training run has in hand before it is registered."""

    tickets: data.Tickets
    corrections: pd.DataFrame
    model: model.TriageModel
    metrics: dict[str, Any]
    table: pd.DataFrame
    errors: pd.DataFrame
    audit: audit.Audit | None
    rows: dict[str, int]
    base: Base | None


def train(options: TrainingOptions, progress: Progress) -> ModelFolder:
    """Fit, measure, compare and register a model; promote it if none is promoted yet."""
    settings = load_settings()
    registry, policy = open_registry(settings), load_policy(options.policy or settings.policy)
    tickets, corrections = load(options, settings, progress)
    if not tickets.heads:
        raise UsageError(
            f"{shown_source(options) or 'The query'} has no label to learn: name the columns that "
            f"hold {', '.join(HEADS)} with --map 列名=字段.",
            code="no_labels",
        )
    is_base = options.data is None
    share = options.test_share or (BASE_TEST_SHARE if is_base else TEST_SHARE)
    test = data.split(tickets, by=options.split, test_share=share)
    own = tickets.frame[~test].reset_index(drop=True)

    reading = f"（编码器 {options.encoder} 逐条阅读）" if options.encoder else ""
    progress.stage(f"分词、提取特征，训练各项{reading}", total=len(own) if reading else None)
    reviews = data.sentiment_reviews() if is_base else None
    space = fit(own, tickets.heads, reviews, options, settings, progress)
    encoder = options.encoder if set(HEADS) - set(tickets.heads) else None
    base = None if is_base else base_model(registry, encoder, progress)
    fitted = assemble(space, base, policy)
    found = None if is_base else audit_training(own, space, policy, progress)

    progress.stage("在留出的工单上评估")
    metrics, table, errors = measure(fitted, tickets.frame, test, reviews)
    if base is not None:
        complete(metrics, base[1], tickets.heads)
    rows = {"train": len(own), "test": int((table["side"] == "test").sum()),
            "quarantined": len(tickets.quarantine)}  # fmt: skip
    trained = Trained(tickets, corrections, fitted, metrics, table, errors, found, rows, base)
    saved = register(registry, trained, policy, options, progress)
    promote(registry, saved, policy, options)
    return saved


def load(
    options: TrainingOptions, settings: Settings, progress: Progress
) -> tuple[data.Tickets, pd.DataFrame]:
    """Read, check, correct and group the tickets; write what was set aside to a quarantine file."""
    path = options.data or settings.data / "complaints.csv"
    if options.encoder:
        features.load_encoder(options.encoder)
    if options.words and not options.words.is_file():
        raise UsageError(f"{options.words} does not exist: check --words.", code="file_missing")
    progress.stage("读取并检查工单")
    tickets = data.load_tickets(
        path,
        mapping=options.mapping,
        labels=data.read_label_mapping(options.labels) if options.labels else None,
        sheet=options.sheet,
        query=options.query,
        plan=options.plan,
        max_chars=settings.max_text_chars,
        on_start=progress.expect,
        on_step=progress.advance,
    )
    corrections = stored_corrections(settings) if options.feedback else pd.DataFrame()
    if len(corrections):
        tickets = data.join_corrections(tickets, corrections)
    if options.data is None:
        tickets = data.add_labelled_reviews(tickets, settings.data)
    tickets = data.set_aside_small_classes(tickets)
    progress.loaded(tickets, path, options.query)
    progress.stage("归并近似重复", total=len(tickets.frame))
    texts = tickets.frame["text"].tolist()
    tickets.frame["group"] = data.near_duplicate_groups(texts, progress.advance)
    return tickets, corrections


def fit(
    own: pd.DataFrame,
    heads: list[str],
    reviews: pd.DataFrame | None,
    options: TrainingOptions,
    settings: Settings,
    progress: Progress,
) -> model.FeatureSpace:
    """Fit features and heads on the training rows, and the polarity head on reviews."""
    words = read_user_words(data.decode(options.words.read_bytes())[0]) if options.words else ()
    extra = None
    if reviews is not None:
        learned = reviews[~reviews["held_out"]]
        texts = [features.prepare(text).text for text in learned["text"]]
        extra = (texts, learned["positive"].to_numpy())
    return model.fit_space(
        features.prepare_tickets(own, forgetful=True),
        {head: own[head].to_numpy(dtype=object) for head in heads},
        own["group"].to_numpy(),
        domains=own["industry"].fillna("").to_numpy() if reviews is not None else None,
        target=(own["industry"] != data.REVIEWS).to_numpy() if reviews is not None else None,
        reviews=extra,
        off_topic=[features.prepare(text).text for text in data.load_off_topic(settings.data)],
        features=features.TextFeatures(Segmenter(user_words=words), encoder=options.encoder),
        progress=progress.head,
        on_step=progress.advance if options.encoder else None,
    )


def assemble(space: model.FeatureSpace, base: Base | None, policy: Policy) -> model.TriageModel:
    """Join a company's own heads with those of the base model that its file has no labels for."""
    spaces = [space]
    if base is not None:
        for other in base[0].spaces:
            missing = {n: head for n, head in other.heads.items() if n not in space.heads}
            spaces.append(model.FeatureSpace(other.features, missing, "base"))
    if "nature" not in space.heads and base is not None:
        return model.TriageModel(spaces, base[0].thresholds)
    thresholds = model.decision_thresholds(
        space.heads,
        policy.file.target_precision.model_dump(),
        policy.starting_step,
        policy.file.human_from,
    )
    return model.TriageModel(spaces, thresholds)


def base_model(registry: Registry, encoder: str | None, progress: Progress) -> Base:
    """Load the newest model of data/ with that encoder, training it first if there is none."""
    digest = data.base_digest(load_settings().data)
    for version in reversed(registry.versions()):
        try:
            manifest = registry.folder(version).manifest
            same = (manifest.get("encoder") or {}).get("name") == encoder
            if same and manifest.get("base_data") == digest:
                return registry.load(version)
        except ArtifactError:
            continue  # unsigned, spoilt or of another library version: the next one, or a new one
    progress.stage("先用自带语料训练基础模型（只需一次）")
    options = TrainingOptions(encoder=encoder, feedback=False)
    return registry.load(train(options, progress).version)


def audit_training(
    own: pd.DataFrame, space: model.FeatureSpace, policy: Policy, progress: Progress
) -> audit.Audit:
    """Audit the labels that were learned from, by the answers of folds that did not see them."""
    return audit.audit_tickets(
        own,
        *audit.held_out_answers(space.heads, len(own)),
        names=policy.file.labels.model_dump(),
        segmenter=space.features.segmenter_,
        on_stage=progress.stage,
    )


def measure(
    fitted: model.TriageModel,
    frame: pd.DataFrame,
    test: np.ndarray[Any, Any],
    reviews: pd.DataFrame | None,
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """Measure the model on held-out complaints; return figures, all tickets and the mistakes."""
    if reviews is not None:
        kept = ~test | (frame["industry"] != data.REVIEWS).to_numpy()
        frame, test = frame[kept].reset_index(drop=True), test[kept]
    held_out = frame[test].reset_index(drop=True)
    answers = fitted.predict(features.prepare_tickets(held_out))
    baselines = evaluate.Baselines.fit(frame[~test])
    found = evaluate.evaluate_heads(held_out, answers.probabilities, answers.labels, baselines)
    metrics = {
        "heads": {head: figures.to_dict() for head, figures in found.items()},
        "sentiment": measure_sentiment(fitted, reviews) if reviews is not None else None,
        "coverage": coverage(held_out, answers),
        "baselines": {
            "majority": baselines.majority,
            "severity_by_nature": baselines.severity_by_nature,
        },
    }
    keys = [data.ticket_key(text) for text in frame["text"]]
    if "key" in frame:  # of a ticket that a correction added, which its masked text does not yield
        keys = list(frame["key"].where(frame["key"].notna(), keys))
    table = evaluate.tickets_table(frame, test, keys, answers.probabilities, answers.labels)
    errors = evaluate.errors_table(held_out, answers.probabilities, answers.labels)
    return metrics, table, errors


def measure_sentiment(fitted: model.TriageModel, reviews: pd.DataFrame) -> dict[str, Any]:
    """Measure sentiment on held-out reviews beside SnowNLP, which has seen them all."""
    rows = reviews[reviews["held_out"]]
    rows = rows.iloc[:: max(1, len(rows) // SNOWNLP_ROWS)]
    answers = fitted.predict([features.prepare(text).text for text in rows["text"]])
    return evaluate.sentiment_metrics(
        rows["text"].tolist(),
        rows["positive"].to_numpy(),
        answers.sentiment,
        polarity.snownlp_sentiment(rows["text"]),
    )


def coverage(held_out: pd.DataFrame, answers: model.Predictions) -> list[dict[str, float]]:
    """Return the curve of precision over coverage of the nature."""
    if "nature" not in held_out:
        return []
    right = np.array(answers.likeliest("nature")) == held_out["nature"].astype(str).to_numpy()
    return evaluate.coverage_precision(answers.probabilities["nature"].max(axis=1), right)


def complete(metrics: dict[str, Any], base: ModelFolder, own_heads: list[str]) -> None:
    """Add the base model's figures for the heads that come from it."""
    for head, figures in base.metrics.get("heads", {}).items():
        if head not in own_heads:
            metrics["heads"][head] = {**figures, "origin": base.version}
    metrics["sentiment"] = base.metrics.get("sentiment")


def register(
    registry: Registry,
    trained: Trained,
    policy: Policy,
    options: TrainingOptions,
    progress: Progress,
) -> ModelFolder:
    """Compare with the promoted model, write the report and keep the version."""
    manifest = facts(trained)

    def write_files(folder: Path, version: str) -> None:
        trained.errors.to_csv(folder / ERRORS_FILE, index=False, encoding="utf-8-sig")
        trained.table.to_parquet(folder / TICKETS_FILE, index=False, compression="zstd")
        progress.stage("与现用的模型比较")
        comparison = engine.challenge(registry, (version, trained.model, trained.table), policy)
        if comparison:
            text = json.dumps(comparison.to_dict(), ensure_ascii=False, indent=1)
            (folder / COMPARISON_FILE).write_text(text, encoding="utf-8")
        progress.stage("写报告")
        page = report.training_page(
            Triage(model.scorer_of(trained.model), policy, version),
            manifest,
            trained.metrics,
            trained.table,
            comparison=comparison.to_dict() if comparison else None,
            audit=trained.audit.to_dict() if trained.audit else None,
            corrections=trained.corrections,
            promoted=registry.current() is None,
            source=shown_source(options),
            notes=trained.tickets.notes,
        )
        report.write_page(folder / REPORT_FILE, page)
        progress.stage("登记模型")

    return registry.save(
        trained.model, facts=manifest, metrics=trained.metrics, write_files=write_files
    )


def shown_source(options: TrainingOptions) -> str | None:
    """Return what the report's commands call the tickets; a URL would show its password."""
    return str(options.data) if isinstance(options.data, Path) else None


def promote(
    registry: Registry, saved: ModelFolder, policy: Policy, options: TrainingOptions
) -> None:
    """Promote the first model; a later one only if it was asked for and loses nothing."""
    if registry.current() is None:
        registry.promote(saved.version, reason="first model")
    elif options.promote:
        engine.promote(registry, saved.version, policy)


def facts(trained: Trained) -> dict[str, Any]:
    """Gather what the manifest says."""
    fitted, base = trained.model, trained.base
    own = fitted.spaces[0].features
    encoder = own.encoder_.name if own.encoder_ else None
    is_base = base is None and trained.corrections.empty
    return {
        "base_data": data.base_digest(load_settings().data) if is_base else None,
        "base_version": base[1].version if base else None,
        "data_sha256": data.frame_digest(trained.tickets.frame),
        "rows": trained.rows,
        "labels": {head: [str(c) for c in fitted.head(head).classes_] for head in HEADS},
        "own_heads": trained.tickets.heads,
        "thresholds": fitted.thresholds,
        "encoder": encoder and {"name": encoder, "version": features.encoder_version(encoder)},
        "vectors": own.vectors_digest_,
        "segmenter": {"name": own.segmenter_.name, "version": own.segmenter_.version,
                      "user_words": len(own.segmenter_.user_words)},
        "snownlp": polarity.snownlp_version(),
        "seed": model.SEED,
        "summary": {
            head: {key: round(figures[key], 4) for key in ("macro_f1", "kappa", "calibration_error")
                   if figures.get(key) is not None}
            for head, figures in trained.metrics["heads"].items()
        },
    }  # fmt: skip


if __name__ == "__main__":
    run_training(train)
