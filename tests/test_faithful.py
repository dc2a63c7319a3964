"""Explanations say what the model does: they add up to its margin, and what they name matters.

For 500 held-out tickets every word is taken out of the text in turn, and what is left is
normalised, turned into features and scored anew. The loss of the margin is what the word was
really worth; its weight must rank with it.
"""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from triage import Complaint
from triage.engine import read_tickets
from triage.features import prepare, with_facts, word_weights
from triage.schema import HEADS, TextError

TEXTS, LEAST_WORDS = 500, 3
RESAMPLES = 2_000


class Trial(NamedTuple):
    """The words of a ticket: their weights, and what the margin loses without each.

    `elsewhere` is the loss without a random span as long as the top word, NaN where there is none.
    """

    text: str
    margin: float
    intercept: float
    weights: np.ndarray
    losses: np.ndarray
    elsewhere: float


def cut_out(text, start, end):
    return text[:start] + text[end:]


def another_span(text, span, rng):
    """A stretch of the same length that does not touch the span, None where there is no room."""
    length = span.end - span.start
    free = [*range(span.start - length + 1), *range(span.end, len(text) - length + 1)]
    start = int(rng.choice(free)) if free else None
    return None if start is None else (start, start + length)


@pytest.fixture(scope="module")
def trials(desk, registry):
    """For each head the trials of the 500 held-out tickets with the lowest keys."""
    tickets = read_tickets(registry.folder())
    held_out = tickets[tickets["side"] == "test"].sort_values("key").head(TEXTS)
    assert len(held_out) == TEXTS
    rng = np.random.default_rng(0)
    read = [desk.read(text) for text in held_out["text"]]
    predictions = desk.model.predict([reading.prepared.text for reading in read])
    asked, plans = [], []
    for at, reading in enumerate(read):
        text = reading.complaint.text
        told = {
            head: desk.contributions(
                reading, predictions.likeliest(head)[at], head, predictions, at
            )
            for head in HEADS
        }
        tops = [max(words, key=lambda word: word.weight).span for words in told.values()]
        others = [another_span(text, top, rng) for top in tops]
        spans = [word.span for word in told["nature"]]
        cut = [cut_out(text, *span) if span else text for span in [*spans, *others]]
        plans.append((text, told, others, slice(len(asked), len(asked) + 1 + len(cut))))
        asked += [text, *cut]
    matrix = desk.model.spaces[0].features.transform([prepare(text).text for text in asked])
    return {head: [trial(desk, head, plan, matrix[plan[-1]]) for plan in plans] for head in HEADS}


def trial(desk, head, plan, matrix):
    """Score a text, the text without each word, and without a random span for each head."""
    text, told, others, _ = plan
    words, nth = told[head], HEADS.index(head)
    coefficients, intercept = desk.model.head(head).direction(words[0].toward)
    scores = matrix @ coefficients + intercept
    losses = scores[0] - scores[1:]
    elsewhere = losses[len(words) + nth] if others[nth] else np.nan
    weights = np.array([word.weight for word in words])
    return Trial(text, float(scores[0]), intercept, weights, losses[: len(words)], elsewhere)


def rank_correlations(trials):
    """Spearman over the words of each text, averaged, and over all words of all texts."""
    several = [trial for trial in trials if len(trial.weights) >= LEAST_WORDS]
    each = [spearmanr(trial.weights, trial.losses).statistic for trial in several]
    pooled = spearmanr(
        np.concatenate([trial.weights for trial in trials]),
        np.concatenate([trial.losses for trial in trials]),
    ).statistic
    return float(np.mean(each)), float(pooled)


@pytest.mark.parametrize("head", HEADS)
def test_what_a_word_weighs_ranks_with_the_loss_on_taking_it_out(trials, head):
    of_each_text, pooled = rank_correlations(trials[head])
    assert of_each_text >= 0.9
    assert pooled >= 0.85


@pytest.mark.parametrize("head", HEADS)
def test_hardly_a_text_is_explained_badly(trials, head):
    each = [
        spearmanr(trial.weights, trial.losses).statistic
        for trial in trials[head]
        if len(trial.weights) >= LEAST_WORDS
    ]
    assert np.mean(np.array(each) >= 0.8) >= 0.9


@pytest.mark.parametrize("head", HEADS)
def test_the_top_span_matters_more_than_a_random_one_of_its_length(trials, head):
    pairs = np.array([
        (trial.losses[trial.weights.argmax()], trial.elsewhere)
        for trial in trials[head] if not np.isnan(trial.elsewhere)
    ])  # fmt: skip
    assert len(pairs) > 0.9 * TEXTS
    gains = pairs[:, 0] - pairs[:, 1]
    rng = np.random.default_rng(0)
    drawn = gains[rng.integers(len(gains), size=(RESAMPLES, len(gains)))].mean(axis=1)
    assert np.quantile(drawn, 0.001) > 0
    assert pairs[:, 0].mean() > 5 * abs(pairs[:, 1].mean())
    assert (gains > 0).mean() > 0.85


@pytest.mark.parametrize("head", HEADS)
def test_the_weights_of_500_tickets_add_up_to_their_margins(trials, head):
    told = [trial.weights.sum() + trial.intercept for trial in trials[head]]
    np.testing.assert_allclose(told, [trial.margin for trial in trials[head]], atol=1e-4)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    text=st.one_of(
        st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=60),
        st.lists(
            st.sampled_from([*"快递丢了客服不理退款慢，！ a1", "打12315", "受伤", "没有", "\n"]),
            min_size=1, max_size=40,
        ).map("".join),
    ),
    kind=st.sampled_from([None, "question", "praise"]),
    head=st.sampled_from(HEADS),
)  # fmt: skip
def test_the_weights_of_any_text_add_up_to_the_margin_of_any_label(desk, text, kind, head):
    try:
        reading = desk.read(Complaint(text=text, kind=kind))
    except TextError:
        return
    predictions = desk.model.predict([reading.asked(reading.prepared)])
    for label in predictions.labels[head]:
        coefficients, intercept = desk.model.head(head).direction(label)
        whole = float((predictions.matrices[0] @ coefficients)[0]) + intercept
        words = desk.contributions(reading, label, head, predictions, 0)
        assert sum(word.weight for word in words) + intercept == pytest.approx(whole, abs=1e-4)


def test_words_cover_the_text_without_gap_or_overlap(desk):
    reading = desk.read("電話13800001234打了 3次,Wifi还是連不上!!!!")
    predictions = desk.model.predict([reading.prepared.text])
    words = desk.contributions(reading, "service", "nature", predictions, 0)
    assert [words[0].span.start, words[-1].span.end] == [0, len(reading.masked_text) - 2]
    assert all(a.span.end <= b.span.start for a, b in zip(words, words[1:], strict=False))


def test_a_word_said_twice_weighs_less_than_one_said_once(desk):
    features = desk.model.spaces[0].features
    coefficients, _ = desk.model.head("nature").direction("logistics")

    def weight_of(word, text):
        words = features.segmenter_.cut(text)
        weights = word_weights(features, words, features.transform([text]), [coefficients])
        return weights[words.index(word), 0]

    once, twice = "快递坏了", "快递,快递,坏了"
    assert weight_of("快递", once) > 1.5 * weight_of("快递", twice) > 0


def test_a_fact_is_shared_by_all_words_alike(desk):
    features = desk.model.spaces[0].features
    text = "什么时候发货"
    words = features.segmenter_.cut(text)
    coefficients, _ = desk.model.head("severity").direction("minor")
    plain, told = (
        word_weights(features, words, features.transform([asked]), [coefficients])[:, 0]
        for asked in (text, with_facts(text, "question"))
    )
    assert told.sum() > plain.sum()
    assert np.ptp(told - plain) < 1e-6
