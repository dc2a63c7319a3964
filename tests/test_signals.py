import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.schema import ConfigError
from triage.signals import NAMES, anchors, load_signals, phrase_to_regex, shipped_signals
from triage.signals.matcher import SHIPPED_SIGNALS
from triage.text import normalise


def found(text, channel=None):
    mentions = shipped_signals().find(normalise(text).text, channel)
    return {mention.name: mention.certainty for mention in mentions if mention.guard is None}


def guards(text, channel=None):
    mentions = shipped_signals().find(normalise(text).text, channel)
    return {mention.name: mention.guard for mention in mentions if mention.guard}


@pytest.mark.parametrize(
    ("text", "name", "certainty"),
    [
        ("我不想活了，你们逼死人", "self_harm", "threatened"),
        ("孩子被开水烫伤，现在还在住院", "injury", "happened"),
        ("電梯急停，我老婆摔傷了", "injury", "happened"),
        ("吃了你们的外卖全家拉肚子", "food_safety", "happened"),
        ("汤里喝出一只蟑螂", "food_safety", "hazard"),
        ("充电宝半夜起火了", "fire_safety", "happened"),
        ("插座一直冒烟，没人来看", "fire_safety", "hazard"),
        ("银行卡被盗刷两万块", "fraud", "happened"),
        ("骚扰电话能报出我的订单", "privacy", "happened"),
        ("我已经向法院起诉了", "legal", "happened"),
        ("再不退款我就起诉你们", "legal", "threatened"),
        ("昨天报警了，警察也来了", "legal", "happened"),
        ("再不处理我就打12315", "regulator", "threatened"),
        ("我已经投诉到银保监会", "regulator", "happened"),
        ("要找记者曝光你们", "media", "threatened"),
        ("三十多个业主准备拉横幅", "group", "threatened"),
        ("这是第三次投诉了", "repeat", "happened"),
        ("打了十几个电话没人接", "repeat", "happened"),
        ("家里有八十岁的老人", "vulnerable", "happened"),
        ("再也不来了", "churn", "happened"),
        ("催收威胁要带人上门", "violence", "threatened"),
        ("小区停水三天了", "outage", "happened"),
        ("什么垃圾公司", "abuse", "happened"),
    ],
)
def test_a_risk_is_a_signal(text, name, certainty):
    assert found(text).get(name) == certainty


@pytest.mark.parametrize(
    ("text", "name", "guard"),
    [
        ("还好没烫伤", "injury", "negation"),
        ("没有造成任何人员受伤", "injury", "negation"),
        ("并未住院", "injury", "negation"),
        ("我不打算起诉", "legal", "negation"),
        ("起诉就不必了", "legal", "negation"),
        ("万一着火怎么办", "fire_safety", "hypothesis"),
        ("如果爆炸了谁负责", "fire_safety", "hypothesis"),
        ("客服说你去12315告吧", "regulator", "quotation"),
        ("不知道是不是假货", "fraud", "doubt"),
        ("上次烫伤已经赔了", "injury", "settled"),
        ("市民通过12345反映路灯不亮", "regulator", "own_channel"),
    ],
)
def test_a_guarded_mention_is_no_signal_but_can_be_seen(text, name, guard):
    assert name not in found(text)
    assert guards(text)[name] == guard


@pytest.mark.parametrize(
    "text",
    [
        "煤气费多收了十块钱",
        "急救包里少了一包棉签",
        "起诉书打印两块",
        "快气死我了",
        "抖音上买的裙子",
    ],
)
def test_price_and_product_words_are_no_signal(text):
    assert not set(found(text)) - {"abuse"}


@pytest.mark.parametrize(
    ("text", "name"),
    [("我们不得不报警", "legal"), ("不是没有受伤，是伤得很重", "injury"),
     ("没人管，孩子都烫伤了", "injury")],
)  # fmt: skip
def test_a_negator_reaches_no_further_than_its_scope(text, name):
    assert name in found(text)


def test_the_span_of_a_threat_begins_with_its_condition():
    text = "快递把冰箱摔坏了，客服一直不理，再不处理我就打12315"
    (mention,) = shipped_signals().find(normalise(text).text)
    assert (mention.start, mention.end) == (16, 28)


def test_the_channel_of_intake_is_no_signal():
    assert "regulator" in found("打了12345")
    assert "regulator" not in found("12345工单：路灯不亮", channel="12345")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_matched_within_its_bounds(text):
    read = normalise(text).text
    for mention in shipped_signals().find(read):
        assert 0 <= mention.start < mention.end <= len(read)
        assert mention.name in NAMES


def test_every_signal_of_the_contract_is_defined():
    assert set(shipped_signals().definitions.signals) == set(NAMES)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("打了M(个|次)电话", "打了三十多个电话"),
        ("缝了N针", "缝了5针"),
        ("吃出…玻璃", "吃出一块玻璃"),
        ("投诉(了)?M次", "投诉了好几次"),
    ],
)
def test_a_phrase_with_conveniences_matches(phrase, text):
    import re

    assert re.search(phrase_to_regex(phrase), text)
    assert any(anchor in text for anchor in anchors(phrase))


def test_a_broken_signals_file_is_refused_with_field_and_value(tmp_path):
    path = tmp_path / "signals.yaml"
    path.write_text(
        SHIPPED_SIGNALS.read_text("utf-8").replace("  self_harm:", "  sadness:"), "utf-8"
    )
    with pytest.raises(ConfigError, match=r"signals\.yaml: signals: unknown signals \['sadness'\]"):
        load_signals(path)
    with pytest.raises(ConfigError, match="Name a file that exists"):
        load_signals(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "name", "certainty"),
    [
        ("快递再不到我就打12315", "regulator", "threatened"),
        ("押金不给我们报警", "legal", "threatened"),
        ("没想到着火了", "fire_safety", "happened"),
        ("还没用就爆炸了", "fire_safety", "happened"),
        ("坏了我起诉你们", "legal", "threatened"),
        ("我真的想一了百了", "self_harm", "threatened"),
    ],
)
def test_what_sounds_like_a_negation_or_a_deed_is_told_apart(text, name, certainty):
    assert found(text).get(name) == certainty


@pytest.mark.parametrize(
    "text",
    ["瓶子全部被打开，液体外漏", "一早就被打扫卫生的阿姨吵醒", "搬家把我的钢琴摔坏了，维修要九千八",
     "快递把我的冰箱摔坏了，找客服没人理", "订了一家度假酒店，早餐很差", "换了间能带电脑的商务房",
     "苹果有几个碰伤，味道还行", "一流产品，一流服务", "说明火龙果本身就不新鲜", "差到爆炸的物流",
     "老是无故挂断电话", "音视频播放效果一般", "上午网上下单，晚上送到", "打电话给我妈问收货地址",
     "风扇我退了，噪音太大", "穿一天黑毛衣就变白毛衣"],
)  # fmt: skip
def test_a_phrase_across_two_words_is_no_signal(text):
    grave = {"injury", "violence", "fraud", "fire_safety", "food_safety", "media", "outage"}
    found = shipped_signals().find(normalise(text).text)
    assert [m for m in found if m.guard is None and m.name in grave] == []
