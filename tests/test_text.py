import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.schema import ArtifactError, DataError, Span
from triage.text import Segmenter, normalise, read_user_words

anything = st.text(alphabet=st.characters(codec="utf-8"), max_size=80)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("ＡＢ１２３，。！", "ab123,。!"),
        ("電視壞了", "电视坏了"),
        ("乾隆年間的乾貨", "乾隆年间的干货"),
        ("太差了！！！！！", "太差了!!"),
        ("哈哈哈哈哈哈", "哈哈哈"),
        ("退10000000元", "退10000000元"),
        ("你\u200b好\u0000", "你好"),
        ("质 量　很 差", "质量很差"),
        ("Wi Fi 连不上", "wi fi 连不上"),
        ("第一行\r\n第二行", "第一行\n\n第二行"),
        ("  前后空格  ", "前后空格"),
        ("cafe\u0301", "café"),
        ("😡😡😡😡", "😡😡"),
    ],
)
def test_a_text_is_read_as(sent, read):
    assert normalise(sent).text == read


@pytest.mark.parametrize("blank", ["", " ", "\n\t", "\u200b\u200d", "\x00\x01"])
def test_nothing_visible_is_read_as_nothing(blank):
    assert normalise(blank).text == ""


@given(anything)
def test_every_position_maps_back_into_the_text(text):
    found = normalise(text)
    assert len(found.text) == len(found.starts) == len(found.ends)
    spans = list(zip(found.starts, found.ends, strict=True))
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert spans == sorted(spans)


@given(anything)
def test_normalising_twice_changes_nothing(text):
    once = normalise(text).text
    assert normalise(once).text == once


def test_a_span_covers_what_was_sent():
    found = normalise("電 視　壞了！！！！")
    at = found.text.index("壞了" if "壞了" in found.text else "坏了")
    assert found.original(at, at + 2) == Span(4, 6)
    assert found.original(0, 0) == Span(0, 0)


@pytest.mark.parametrize("name", ["rjieba", "jieba"])
def test_words_joined_give_the_text(name):
    text = normalise("快递把冰箱摔坏了，客服一直不理，还说 not my problem").text
    words = Segmenter(name).cut(text)
    assert "".join(words) == text
    assert "冰箱" in words


@pytest.mark.parametrize("name", ["rjieba", "jieba"])
def test_a_company_word_stays_whole(name):
    plain = Segmenter(name).cut("云尚柔风被很薄")
    own = Segmenter(name, read_user_words("云尚柔风被 100 n\n")).cut("云尚柔风被很薄")
    assert "云尚柔风被" in own
    assert "云尚柔风被" not in plain


def test_a_user_dictionary_is_read_like_jiebas():
    words = read_user_words("\ufeff# 注释\n電視盒 5 n\n路由器\n小顺丰 nz\n\n")
    assert words == [("电视盒", 5, "n"), ("路由器", None, None), ("小顺丰", None, "nz")]


def test_a_broken_dictionary_line_is_named():
    with pytest.raises(DataError, match="line 2: 'abc' is no frequency"):
        read_user_words("好词 3 n\n坏词 abc n\n")


def test_a_segmenter_survives_pickling_with_its_words():
    own = pickle.loads(pickle.dumps(Segmenter(user_words=[("云尚柔风被", 100, "n")])))
    assert "云尚柔风被" in own.cut("云尚柔风被很薄")


def test_another_segmenter_version_is_refused_with_what_to_do():
    pinned = Segmenter()
    state = pinned.__getstate__() | {"version": "0.0.1"}
    with pytest.raises(ArtifactError, match=r"trained with \w+ 0\.0\.1.*pip install"):
        Segmenter.__new__(Segmenter).__setstate__(state)


def test_an_unknown_segmenter_is_refused():
    with pytest.raises(ArtifactError, match="'fast' is unknown"):
        Segmenter("fast")
