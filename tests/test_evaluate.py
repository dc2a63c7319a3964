import numpy as np
import pandas as pd
import pytest

from triage.evaluate import (
    Baselines,
    calibration_error,
    coverage_precision,
    errors_table,
    evaluate_heads,
    length_slice,
    quadratic_kappa,
    sentiment_metrics,
)
from triage.schema import SEVERITIES

FRAME = pd.DataFrame(
    {
        "text": ["短", "长" * 50, "更长" * 80, "短"] * 10,
        "nature": ["a", "b", "a", "b"] * 10,
        "severity": ["minor", "major", "critical", "severe"] * 10,
        "channel": ["app", "app", "web", None] * 10,
    }
)
PERFECT = np.tile(np.eye(4) * 0.94 + 0.015, (10, 1))


def measure(table=PERFECT, frame=FRAME):
    baselines = Baselines.fit(frame)
    return evaluate_heads(frame, {"severity": table}, {"severity": SEVERITIES}, baselines)[
        "severity"
    ]


def test_a_perfect_head_is_measured_as_one():
    found = measure()
    assert (found.accuracy, found.macro_f1, found.kappa, found.under_grading) == (1, 1, 1, 0)
    assert found.calibration_error == pytest.approx(1 - PERFECT.max())
    assert [row.recall for row in found.classes] == [1, 1, 1, 1]


def test_under_grading_counts_rows_put_too_low():
    low = np.roll(PERFECT, -1, axis=1)
    assert measure(low).under_grading == 0.75


def test_baselines_do_not_read_the_text():
    found = measure()
    assert found.baselines["majority"]["kappa"] == 0
    assert 0 < found.baselines["nature_only"]["macro_f1"] < 0.6


def test_nature_only_answers_the_usual_severity_of_each_nature():
    train = pd.DataFrame({"nature": ["a", "a", "b"], "severity": ["minor", "minor", "severe"]})
    answers = Baselines.fit(train).answers("severity", pd.DataFrame({"nature": ["b", "a", "c"]}))
    assert answers["nature_only"] == ["severe", "minor", "minor"]


def test_slices_with_few_rows_are_left_out():
    slices = measure().slices
    assert set(slices["channel"]) == {"app"}
    assert set(slices["length"]) == {"≤25"}


def test_length_classes():
    assert length_slice(["短", "x" * 26, "x" * 111]) == ["≤25", "26–110", ">110"]


def test_a_missing_truth_is_left_out():
    frame = FRAME.assign(severity=["minor", None, None, "severe"] * 10)
    assert measure(frame=frame).rows == 20


@pytest.mark.parametrize(
    ("truth", "answer", "kappa"),
    [("minor major", "minor major", 1.0), ("minor minor", "major minor", None),
     ("minor severe", "severe minor", -1.0)],
)  # fmt: skip
def test_quadratic_kappa(truth, answer, kappa):
    found = quadratic_kappa(truth.split(), answer.split(), SEVERITIES)
    assert found == (None if kappa is None else pytest.approx(kappa))


def test_calibration_error_is_the_gap_of_sureness_and_truth():
    assert calibration_error(np.full(10, 0.8), np.arange(10) < 8) == pytest.approx(0, abs=1e-9)
    assert calibration_error(np.full(10, 1.0), np.arange(10) < 5) == pytest.approx(0.5)


def test_precision_over_coverage_ends_at_all_rows():
    curve = coverage_precision(np.linspace(0, 1, 100), np.linspace(0, 1, 100) > 0.5)
    assert curve[0]["precision"] == 1
    assert curve[-1]["coverage"] == 1
    assert curve[-1]["precision"] == pytest.approx(0.5)


def test_sentiment_is_measured_beside_its_baseline():
    texts = ["差", "一般般吧", "好", "好" * 200]
    truth, scores = np.array([0, 0, 1, 1]), np.array([0, 0.2, 0.8, 1])
    found = sentiment_metrics(texts, truth, scores, np.full(4, 0.5))
    assert (found["auc"], found["auc_snownlp"]) == (1.0, 0.5)
    assert found["brier"] < found["brier_snownlp"]
    longest = found["by_length"][">110"]
    assert longest["rows"] == 1
    assert longest["histogram"] == [0] * 9 + [1]
    assert longest["histogram_snownlp"] == [0] * 5 + [1] + [0] * 4


def test_errors_list_the_surest_mistakes_first():
    table = PERFECT.copy()
    table[0] = [0.2, 0.7, 0.05, 0.05]
    table[1] = [0.9, 0.1, 0, 0]
    found = errors_table(FRAME, {"severity": table}, {"severity": SEVERITIES})
    assert found[["truth", "answer", "steps_off"]].values.tolist() == [
        ["major", "minor", -1], ["minor", "major", 1]
    ]  # fmt: skip
    assert found["probability_of_truth"].tolist() == [0.1, 0.2]
    assert errors_table(FRAME, {"severity": PERFECT}, {"severity": SEVERITIES}).empty
