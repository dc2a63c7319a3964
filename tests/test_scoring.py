"""Plain arrays score as the fitted model does, and weigh words exactly by what taking them out
changes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import check_present
from tests.small_encoder import SmallEncoder
from triage.features import TextFeatures, prepare, with_facts
from triage.features.packed import space_of
from triage.model import FeatureSpace, TriageModel, fit_space, pack, scorer_of
from triage.registry import Registry
from triage.schema import HEADS, ArtifactError
from triage.scoring import (
    ARRAYS_FILE,
    FACTS,
    Asked,
    Scorer,
    build_table,
    ngram_key,
    pair_key,
    read_arrays,
    write_arrays,
)

EXACT = 1e-6
ROWS = 3_000

PIECES = [
    *"快递丢了客服不理退款慢，！ a1\n",
    "退款",
    "打12315",
    "受伤",
    "没有人受伤",
    "三百块",
    "ξψ",
]
NATURES = ["logistics", "service", "price"]
TEXTS = [f"{what}第{i}次{how}" for i in range(12) for what, how in
         (("快递", "丢了"), ("客服", "不理人"), ("扣费", "太多"))]  # fmt: skip


def furthest(scorer, prepared):
    """The largest difference between the arrays and the fitted model, whatever the head."""
    ours, fitted = scorer.predict(prepared), scorer.fitted.predict(prepared)
    assert (ours.off_topic == fitted.off_topic).all()
    np.testing.assert_allclose(ours.known_share, fitted.known_share, atol=EXACT)
    pairs = [(ours.probabilities[head], fitted.probabilities[head]) for head in fitted.labels]
    pairs += [(ours.sentiment, fitted.sentiment)]
    return max(float(np.abs(one - other).max()) for one, other in pairs)


def test_the_corpus_scores_as_the_fitted_model_does(desk, corpus):
    rows = corpus.sample(ROWS, random_state=0)
    kinds = [*FACTS, None] * ROWS
    prepared = [
        with_facts(prepare(text).text, kind)
        for text, kind in zip(rows["text"], kinds, strict=False)
    ]
    assert furthest(desk.model, prepared) <= EXACT


@pytest.mark.parametrize("name", ["real_dev.csv", "gov_messages.csv.gz"])
def test_public_texts_score_as_the_fitted_model_does(desk, name):
    """DEV names the folder that holds them."""
    file = Path(os.environ.get("DEV", "nowhere")) / name
    check_present("dev", file.is_file())
    texts = pd.read_csv(file)["text"].astype(str)
    prepared = [text for text in (prepare(text).text for text in texts) if text]
    found = max(
        furthest(desk.model, prepared[at : at + 1_000]) for at in range(0, len(prepared), 1_000)
    )
    assert found <= EXACT


@settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=60).map("".join),
       st.text(alphabet=st.characters(codec="utf-8"), max_size=30))  # fmt: skip
def test_any_text_scores_as_the_fitted_model_does(desk, usual, odd):
    prepared = [text for text in (prepare(usual + odd).text, prepare(odd).text) if text]
    if prepared:
        assert furthest(desk.model, prepared) <= EXACT


def test_a_text_scores_alike_whatever_stands_beside_it(desk, corpus):
    prepared = [prepare(text).text for text in corpus["text"].head(150)]
    many = desk.model.predict(prepared)
    for at in (0, 63, 64, 149):
        alone = desk.model.predict([prepared[at]])
        for head in HEADS:
            np.testing.assert_allclose(
                alone.probabilities[head][0], many.probabilities[head][at], atol=1e-12
            )


@pytest.fixture(scope="module")
def space():
    features = TextFeatures(min_df=1).fit([*TEXTS, "退款 退款慢，快递丢了没人理", "客 服 不 理 a1"])
    outputs = np.random.default_rng(0).normal(size=(features.n_features_, 3))
    return space_of(features, outputs)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from([*"快递丢了，a", "客服", "快递", "不理人", "退款", "ξψ"]),
                min_size=1, max_size=12))  # fmt: skip
def test_a_word_weighs_what_the_output_loses_without_it(space, words):
    def outputs(*cut):
        asked = [Asked("".join(some)) for some in cut]
        return space.count(asked, cut, [()] * len(cut))

    whole = outputs(words)
    weights = space.weigh(whole, np.arange(3)[None, :], np.ones((1, 3)), whole.outputs)[1:-1]
    without = outputs(*(words[:at] + words[at + 1 :] for at in range(len(words)))).outputs
    losses = whole.outputs - without
    rest = (whole.outputs[0] - losses.sum(axis=0)) / len(words)
    np.testing.assert_allclose(weights, losses + rest, atol=5e-4)


def test_heads_of_two_spaces_score_as_fitted(desk, corpus):
    rows = corpus.sample(300, random_state=0)
    texts = [prepare(text).text for text in rows["text"]]
    own = fit_space(texts, {"nature": rows["nature"].to_numpy(dtype=object)}, np.arange(300))
    base = desk.model.spaces[0]
    rest = {name: head for name, head in base.heads.items() if name != "nature"}
    spaces = [own, FeatureSpace(base.features, rest, "base")]
    scorer = scorer_of(TriageModel(spaces, desk.model.thresholds))
    assert set(scorer.labels) == set(HEADS)
    assert furthest(scorer, texts) <= EXACT


def test_an_encoder_is_asked_and_its_part_shared_by_all_words(corpus):
    rows = corpus.sample(200, random_state=0)
    texts = [prepare(text).text for text in rows["text"]]
    labels = {head: rows[head].to_numpy(dtype=object) for head in HEADS}
    features = TextFeatures(encoder=SmallEncoder())
    model = TriageModel([fit_space(texts, labels, np.arange(200), features=features)], {})
    scorer = scorer_of(model)
    assert furthest(scorer, texts) <= EXACT
    scored = scorer.score([Asked(text) for text in texts[:20]])
    told = scorer.weigh(scored, {"nature": ["service"] * 20})["nature"]
    coefficients, _ = model.head("nature").direction("service")
    margins = model.spaces[0].features.transform(texts[:20]) @ coefficients
    np.testing.assert_allclose([sum(weights) for _, weights in told], margins, atol=1e-5)


def test_the_signals_are_those_of_training_time(desk, monkeypatch):
    packed = pack(desk.model.fitted)
    before = packed.facts["spaces"][0]["signals"]
    fewer = {name: one for name, one in before["definitions"]["signals"].items()
             if name != "injury"}  # fmt: skip
    monkeypatch.setitem(before, "definitions", {**before["definitions"], "signals": fewer})
    monkeypatch.setitem(before, "digest", "another")
    scorer = Scorer(packed, lambda: desk.model.fitted)
    assert not scorer.reads_with(desk.signals)
    text = ["货架倒了，我被砸到受伤，缝了五针"]
    ours, theirs = (one.predict(text).probabilities["severity"] for one in (scorer, desk.model))
    assert abs(ours - theirs).max() > 0.001


def test_answering_loads_no_library_of_training(home):
    heavy = "{'sklearn', 'scipy', 'joblib', 'jieba', 'pandas', 'snownlp'}"
    code = (
        "import sys; from triage import Triage; Triage.load().assess('快递丢了，损失三万二'); "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@settings(deadline=None)
@given(st.sets(st.text(min_size=1, max_size=3), max_size=300), st.data())
def test_a_table_finds_its_keys_and_no_others(runs, data):
    pairs = data.draw(st.sets(st.tuples(*[st.integers(0, 2**31 - 1)] * 2), max_size=50))
    keys = np.array([*map(ngram_key, runs), *(pair_key(*pair) for pair in pairs)], dtype=np.int64)
    assert len(set(keys.tolist())) == len(runs) + len(pairs)
    table = build_table(keys, np.arange(len(keys), dtype=np.int32))
    assert table.find(keys).tolist() == list(range(len(keys)))
    strange = np.array(data.draw(st.lists(st.integers(-(2**62), 2**62))), dtype=np.int64)
    strange = strange[~np.isin(strange, keys)]
    assert (table.find(strange) == -1).all()


def test_arrays_are_read_as_they_were_written_and_can_not_be_changed(desk, tmp_path):
    packed = pack(desk.model.fitted)
    write_arrays(tmp_path, packed)
    again = read_arrays(tmp_path)
    assert again.arrays.keys() == packed.arrays.keys()
    for name, array in packed.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    with pytest.raises(ValueError, match="read-only"):
        again.arrays["vectors"][0] = 1


def test_arrays_that_were_changed_are_not_read(registry, tmp_path):
    found = registry.folder()
    folder = tmp_path / found.version
    folder.mkdir()
    for file in found.path.iterdir():
        (folder / file.name).symlink_to(file)
    content = bytearray((folder / ARRAYS_FILE).read_bytes())
    content[1_000] ^= 1
    (folder / ARRAYS_FILE).unlink()
    (folder / ARRAYS_FILE).write_bytes(content)
    with pytest.raises(ArtifactError, match=r"scoring\.bin was changed after training"):
        Registry(tmp_path).open(folder)


def test_a_folder_without_arrays_says_to_train_again(tmp_path):
    saved = Registry(tmp_path).save({}, facts={}, metrics={})
    with pytest.raises(ArtifactError, match=r"no readable scoring\.bin.*train again"):
        Registry(tmp_path).open(saved.version)
