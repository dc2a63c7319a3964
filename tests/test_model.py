import numpy as np
import pytest
from sklearn.svm import LinearSVC

from triage.features import TextFeatures, prepare
from triage.model import (
    NEVER,
    NatureHead,
    OrderedHead,
    base,
    best_features,
    fit_space,
    fit_temperature,
    nature,
    precision_threshold,
    usual_plan,
)
from triage.model.plan import folds
from triage.schema import EMOTIONS, SEVERITIES, DataError

TEXTS = [f"{what}第{i}次{how}" for i in range(12) for what, how in
         (("快递", "丢了"), ("客服", "不理人"), ("扣费", "太多"))]  # fmt: skip
NATURES = np.array(["物流", "服务", "费用"] * 12, dtype=object)
GROUPS = np.arange(len(TEXTS))


@pytest.fixture(scope="module")
def features():
    return TextFeatures().fit(TEXTS)


def test_a_nature_head_learns_any_taxonomy(features):
    matrix = features.transform(TEXTS)
    head = NatureHead().fit(matrix, NATURES.astype(str), GROUPS)
    assert head.classes_.tolist() == sorted(set(NATURES))
    assert (head.predict(matrix) == NATURES).all()
    np.testing.assert_allclose(head.predict_proba(matrix).sum(axis=1), 1)
    assert (head.held_out_.argmax(axis=1) == head.held_out_codes_).mean() > 0.9
    coef, intercept = head.direction("物流")
    np.testing.assert_allclose(
        matrix @ coef + intercept, head.decision_function(matrix)[:, 1], rtol=1e-5
    )


def test_the_best_features_alone_still_tell_the_classes_apart(features):
    texts = TEXTS * 30
    plan = usual_plan(features)
    matrix, labels = features.transform(texts), np.tile(NATURES.astype(str), 30)
    head = NatureHead(n_best=12).fit(matrix, labels, np.tile(GROUPS, 30), plan)
    assert (head.coef_[: features.n_ngrams_] != 0).any(axis=1).sum() <= 12
    assert not head.coef_[features.flag_columns].any()
    assert (head.predict(matrix) == labels).all()


def test_with_few_rows_nothing_is_selected(features):
    matrix = features.transform(TEXTS)
    assert len(best_features(matrix, GROUPS % 3, 5)) == matrix.shape[1]


def test_a_fast_fit_gives_the_margins_of_a_slow_one(features, monkeypatch):
    matrix, labels = features.transform(TEXTS), NATURES.astype(str)
    fast = NatureHead().fit(matrix, labels, GROUPS).decision_function(matrix)
    monkeypatch.setattr(
        nature, "linear_svm", lambda C: LinearSVC(C=C, class_weight="balanced", tol=1e-6)
    )
    slow = NatureHead().fit(matrix, labels, GROUPS).decision_function(matrix)
    np.testing.assert_allclose(fast, slow, atol=0.01)
    assert np.ptp(slow) > 1


def test_folds_are_cut_once_for_all_weights(features, monkeypatch):
    cut = []
    monkeypatch.setattr(base, "folds", lambda *args: cut.append(1) or folds(*args))
    plan = usual_plan(features)
    NatureHead().fit(features.transform(TEXTS), NATURES.astype(str), GROUPS, plan)
    assert len(plan.weights) == 3
    assert len(cut) == 1


def test_two_classes_are_enough(features):
    labels = np.where(NATURES == "物流", "物流", "其他")
    matrix = features.transform(TEXTS)
    head = NatureHead().fit(matrix, labels, GROUPS)
    assert (head.predict(matrix) == labels).all()


def test_an_ordered_head_gives_a_distribution_over_all_steps(features):
    steps = np.array([SEVERITIES[i % 3] for i in range(len(TEXTS))])
    matrix = features.transform(TEXTS)
    head = OrderedHead(SEVERITIES).fit(matrix, steps, GROUPS)
    table = head.predict_proba(matrix)
    assert table.shape == (len(TEXTS), 4)
    assert (table >= 0).all()
    np.testing.assert_allclose(table.sum(axis=1), 1)
    assert (head.predict(matrix) == steps).all()
    assert table[:, 3].max() < 0.1


def test_an_ordered_head_leaves_unseen_steps_nearly_impossible(features):
    steps = np.array(["calm"] * 35 + ["annoyed"])
    head = OrderedHead(EMOTIONS).fit(features.transform(TEXTS), steps, GROUPS)
    assert (head.predict_proba(features.transform(TEXTS))[:, 2:] < 0.05).all()


def test_held_out_answers_are_not_saved(features):
    import pickle

    head = NatureHead().fit(features.transform(TEXTS), NATURES.astype(str), GROUPS)
    again = pickle.loads(pickle.dumps(head))
    assert not hasattr(again, "held_out_")
    assert again.get_params() == {"C": 1.0, "n_best": 30_000}


def test_one_label_is_no_head():
    with pytest.raises(DataError, match=r"column severity has only the label minor.*Add tickets"):
        fit_space(TEXTS, {"severity": np.array(["minor"] * len(TEXTS), dtype=object)}, GROUPS)


def test_a_row_without_a_label_is_left_out_of_that_head_only():
    labels = NATURES.copy()
    labels[:3] = None
    space = fit_space(TEXTS, {"nature": labels}, GROUPS)
    assert len(space.heads["nature"].held_out_) == len(TEXTS) - 3


def test_a_temperature_cools_overconfident_margins():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 500)
    margins = np.eye(3)[np.where(rng.random(500) < 0.7, codes, rng.integers(0, 3, 500))] * 20
    assert fit_temperature(margins, codes) > 3


@pytest.mark.parametrize(("target", "threshold"), [(0.5, 0.22), (0.9, 0.56), (1.0, 0.61)], ids=str)
def test_the_threshold_is_the_least_that_reaches_the_precision(target, threshold):
    sureness = np.arange(1, 101) / 100
    right = sureness > 0.60
    right[55] = False
    found = precision_threshold(sureness, right, target)
    above = right[sureness >= found]
    assert above.mean() >= target
    assert found == pytest.approx(threshold, abs=0.06)


def test_a_precision_out_of_reach_is_never():
    assert precision_threshold(np.linspace(0, 1, 50), np.zeros(50, bool), 0.9) == NEVER


def test_a_prepared_text_hides_personal_data():
    assert prepare("电话13800001234！！！！").text == "电话*!!"
