"""Champion and challenger: figures, verdicts, and the promotion that hangs on them."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, f1_score

from tests.conftest import Quiet
from train import train
from triage import engine
from triage.cli import TrainingOptions
from triage.engine import common_rows, open_registry
from triage.evaluate import compare
from triage.evaluate.bootstrap import differences, macro_f1_of, quadratic_kappa_of, recall_of
from triage.policy import load_policy
from triage.schema import SEVERITIES, ArtifactError, UsageError

PROTECTED, MARGIN = ["critical", "severe"], 0.02


def rows_with(severity):
    n = len(severity)
    return pd.DataFrame({
        "key": [f"k{i}" for i in range(n)], "group": range(n), "severity": severity,
        "text": [f"第{i}件事" for i in range(n)], "channel": ["app", "web"] * (n // 2),
    })  # fmt: skip


def spoilt(truth, share, seed, only=None):
    """Answers that are right but for a share of the rows, of one class if it is named."""
    rng, answers = np.random.default_rng(seed), np.array(truth, dtype=object)
    rows = np.arange(len(truth)) if only is None else np.flatnonzero(answers == only)
    for at in rng.choice(rows, round(share * len(rows)), replace=False):
        answers[at] = SEVERITIES[SEVERITIES.index(answers[at]) - 1]
    return list(answers)


TRUTH = [step for step in SEVERITIES for _ in range(100)]


def verdict(champion, challenger, truth=TRUTH):
    return compare(
        rows_with(truth), ("old", {"severity": champion}), ("new", {"severity": challenger}),
        protected=PROTECTED, margin=MARGIN, names={"severity": {"critical": "重大"}},
    )  # fmt: skip


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=60))
def test_the_figures_of_a_table_are_those_of_scikit_learn(pairs):
    truth, answer = np.array(pairs).T
    table = np.zeros((1, 4, 4))
    np.add.at(table[0], (truth, answer), 1)
    present = sorted(set(truth))
    wanted = f1_score(truth, answer, labels=present, average="macro", zero_division=0)
    assert macro_f1_of(table)[0] == pytest.approx(wanted)
    if len(present) > 1:
        kappa = cohen_kappa_score(truth, answer, weights="quadratic", labels=range(4))
        assert quadratic_kappa_of(table)[0] == pytest.approx(kappa)


def test_an_interval_covers_the_difference_and_groups_widen_it():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400)
    one, other = truth ^ (rng.random(400) < 0.3), truth ^ (rng.random(400) < 0.2)
    alone, together = (
        differences(truth, one, other, groups, 2, [recall_of(1)], 300)[0]
        for groups in (np.arange(400), np.arange(400) // 20)
    )
    assert alone.low < alone.gain < alone.high
    assert alone.gain == together.gain


def test_a_challenger_that_loses_five_points_of_a_protected_class_is_refused():
    found = verdict(TRUTH, spoilt(TRUTH, 0.05, 0, only="critical"))
    assert found.verdict == "refuse"
    assert found.sentences[0] == "不能启用：新模型对「重大」类投诉漏得更多"
    assert "共 100 条，现用模型找出 100 条（100%），新模型只找出 95 条" in found.sentences[1]
    assert [p.label for p in found.protected if p.worse] == ["critical"]


def test_one_ticket_of_a_small_class_is_chance():
    truth = ["minor"] * 60 + ["critical"] * 10
    found = verdict(truth, [*truth[:-1], "major"], truth)
    assert found.protected[0].difference == -0.1 and not found.protected[0].worse


def test_a_clear_gain_is_accepted():
    found = verdict(spoilt(TRUTH, 0.3, 1), spoilt(TRUTH, 0.1, 2))
    assert found.verdict == "accept" and found.heads["severity"].low > 0
    assert found.sentences[0].startswith("可以启用")


def test_a_gain_that_may_be_chance_is_warned_about():
    found = verdict(spoilt(TRUTH, 0.10, 1, only="major"), spoilt(TRUTH, 0.09, 1, only="major"))
    assert found.verdict == "warn" and "偶然" in found.sentences[0]


def test_a_loss_outside_the_protected_classes_is_warned_about():
    found = verdict(TRUTH, spoilt(TRUTH, 0.2, 1, only="major"))
    assert found.verdict == "warn" and "不如" in found.sentences[0]


def test_tickets_newly_right_and_newly_wrong_are_counted_and_listed():
    champion, challenger = spoilt(TRUTH, 0.2, 1), spoilt(TRUTH, 0.1, 2)
    found = verdict(champion, challenger)
    right = {f"k{i}" for i, (t, a, b) in enumerate(zip(TRUTH, champion, challenger, strict=True))
             if a != t == b}  # fmt: skip
    assert {ticket["key"] for ticket in found.newly_right} == right
    assert found.counts["severity"]["newly_right"] == len(right)
    assert found.slices["severity"]["channel"]["app"]["rows"] == 200


def test_another_taxonomy_is_not_compared():
    frame = rows_with(TRUTH).rename(columns={"severity": "nature"})
    found = compare(
        frame, ("old", {"nature": ["别的"] * 400}), ("new", {"nature": TRUTH}),
        protected=PROTECTED, margin=MARGIN,
    )  # fmt: skip
    assert found.verdict == "warn" and not found.heads
    assert any("性质无法比较" in sentence for sentence in found.sentences)


def test_rows_that_the_champion_learned_from_are_not_compared_on():
    old = pd.DataFrame({"key": ["a", "b"], "group": [1, 2], "side": ["train", "test"]})
    new = pd.DataFrame({
        "key": ["a", "b", "c", "d", "e"], "group": [1, 2, 1, 4, 5], "side": ["test"] * 4 + ["train"]
    })  # fmt: skip
    assert list(common_rows(new, old)["key"]) == ["b", "d"]


@pytest.fixture
def own_home(home, tmp_path, monkeypatch):
    """A home of its own with the base model, to promote in."""
    shutil.copytree(home / "models", tmp_path / "models")
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tickets(corpus):
    """Complaints of two industries with a label each, enough to hold some out."""
    part = corpus[corpus["industry"].isin(["ecommerce", "food_delivery", "car", "hotel"])]
    return part[["text", "nature", "severity"]].sample(2_000, random_state=0)


def trained(tickets, path):
    tickets.to_csv(path, index=False)
    return train(TrainingOptions(data=path, test_share=0.3), Quiet())


def test_twice_the_data_is_accepted_and_a_loss_is_refused_until_forced(own_home, tickets):
    registry, policy = open_registry(), load_policy("default")
    small = trained(tickets.iloc[:1_000], own_home / "small.csv")
    registry.promote(small.version)
    large = trained(tickets, own_home / "large.csv")
    folder, found = engine.promote(registry, large.version, policy)
    assert found.verdict == "accept", found.sentences
    assert registry.current() == large.version == folder.version

    blind = tickets.assign(severity=tickets["severity"].replace({"critical": "major"}))
    worse = trained(pd.concat([blind, tickets[tickets["severity"] == "critical"].head(40)]),
                    own_home / "worse.csv")  # fmt: skip
    rows = engine.read_tickets(large)
    found = engine.compare_models(
        engine.candidate(registry, large.version), engine.candidate(registry, worse.version),
        policy, rows[rows["side"] == "test"],
    )  # fmt: skip
    assert found.verdict == "refuse"


def test_a_refused_model_is_promoted_only_by_force_with_a_reason(own_home, monkeypatch):
    registry, policy = open_registry(), load_policy("default")
    version = registry.current()
    other = f"{version}-2"
    shutil.copytree(own_home / "models" / version, own_home / "models" / other)
    refused = verdict(TRUTH, spoilt(TRUTH, 0.05, 0, only="critical"))
    monkeypatch.setattr("triage.engine.promotion.compare_models", lambda *_: refused)
    with pytest.raises(ArtifactError, match="没有启用") as caught:
        engine.promote(registry, other, policy)
    assert caught.value.code == "promotion_refused" and registry.current() == version
    with pytest.raises(UsageError, match="needs a reason"):
        engine.promote(registry, other, policy, force=" ")
    engine.promote(registry, other, policy, force="旧模型不懂新业务")
    assert registry.current() == other
    last = (own_home / "models" / "promotions.jsonl").read_text("utf-8").splitlines()[-1]
    assert json.loads(last)["reason"] == "forced: 旧模型不懂新业务"
