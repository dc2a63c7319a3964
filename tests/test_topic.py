"""What is no matter for the desk goes to a person; unusual contacts do not."""

import pandas as pd
import pytest

from tests.conftest import ROOT
from triage.data import OFF_TOPIC_FILE, load_off_topic
from triage.features import TextFeatures
from triage.model import TopicHead, usual_plan


@pytest.fixture(scope="module")
def decided(desk):
    """Texts by another hand than those that were learned from, with what was decided."""
    unseen = pd.read_csv(ROOT / "tests" / "off_topic_unseen.csv")
    answers = desk.assess_many(unseen["text"].tolist())
    return unseen.assign(decision=[one.decision for one in answers], answer=answers)


def test_most_texts_about_anything_else_go_to_a_person(decided):
    off = decided[decided["off_topic"] == 1]
    assert (off["decision"] == "review").mean() >= 0.65
    assert (off["decision"] == "auto").mean() <= 0.05


def test_unusual_contacts_do_not_pass_for_anything_else(decided):
    own = decided[decided["off_topic"] == 0]
    assert (own["decision"] == "review").mean() <= 0.10


def test_the_reason_says_so(decided):
    sent = next(one for one in decided["answer"] if one.decision == "review")
    assert "内容不像是向本部门反映的事，请人工判断" in sent.reasons


def test_the_unseen_texts_are_none_that_were_learned_from(decided):
    assert not set(decided["text"]) & set(load_off_topic(ROOT / "data"))


def test_off_topic_texts_are_many_and_of_many_kinds():
    known = pd.read_csv(ROOT / "data" / OFF_TOPIC_FILE)
    assert len(known) >= 1_000 and known["kind"].nunique() >= 100
    assert (
        known["text"].is_unique
        and not known["text"].isin(pd.read_csv(ROOT / "data" / "complaints.csv")["text"]).any()
    )


def test_a_desk_without_off_topic_texts_holds_everything_its_own(desk):
    space = desk.model.spaces[0]
    bare = type(space)(space.features, space.heads)
    assert not bare.is_off_topic(space.features.transform(["今晚的月亮真圆"])).any()


def test_a_small_desk_does_not_take_its_own_tickets_for_anything_else(corpus):
    texts = corpus["text"].sample(120, random_state=0).tolist()
    others = load_off_topic(ROOT / "data")[::5]
    features = TextFeatures().fit(texts)
    matrix, off = features.transform(texts), features.transform(others)
    head = TopicHead().fit(matrix, off, corpus.index[:120].to_numpy(), usual_plan(features))
    fresh = corpus["text"].sample(200, random_state=1).tolist()
    assert head.is_off_topic(features.transform(fresh)).mean() <= 0.12
    assert head.is_off_topic(features.transform(load_off_topic(ROOT / "data")[2::5])).mean() >= 0.3


def test_a_folder_without_the_file_has_no_off_topic_texts(tmp_path):
    assert load_off_topic(tmp_path) == []
