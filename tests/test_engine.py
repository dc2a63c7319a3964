import dataclasses
import time
from datetime import datetime

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from triage import Complaint, Triage
from triage.deadlines import WorkCalendar
from triage.policy import load_policy
from triage.privacy import mask
from triage.schema import EMOTIONS, SEVERITIES, SHANGHAI, Assessment, TextError
from triage.signals import NAMES

FRIDGE = "快递把冰箱摔坏了，客服一直不理，再不处理我就打12315"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=SHANGHAI)


def test_an_answer_holds_everything_the_contract_names(desk):
    one = desk.assess(FRIDGE)
    assert one.nature.label in {"product", "service", "price", "logistics", "other"}
    assert 0 < one.nature.probability <= 1
    assert [a.probability for a in one.nature.alternatives] == sorted(
        (a.probability for a in one.nature.alternatives), reverse=True
    )
    assert tuple(one.severity.distribution) == SEVERITIES
    assert sum(one.severity.distribution.values()) == pytest.approx(1, abs=0.001)
    assert one.emotion.label in EMOTIONS
    assert 0 <= one.sentiment <= 1
    assert one.grade == "critical" and one.decision in {"suggest", "review"}
    assert one.route.team and one.route.desk
    assert {clock.milestone for clock in one.deadlines} == {"register", "first_response", "plan"}
    assert one.reasons and one.handling.opening and one.handling.do and one.handling.dont
    assert one.explanation and one.degraded == []
    assert (one.id, one.revision, one.stored) == (None, 1, False)
    assert one.model_version == desk.model_version
    assert one.policy_version.startswith("default@")


def test_the_signal_of_the_contracts_example(desk):
    (signal,) = desk.assess(FRIDGE).signals
    assert dataclasses.astuple(signal) == (
        "regulator", "threatened", (16, 28), "再不处理我就打12315"
    )  # fmt: skip


def test_spans_point_into_the_text_as_sent_and_hold_when_masked(desk):
    text = "電 話13800001234，快遞 把冰箱摔坏了！！！！再不處理我就打１２３１５"
    one = desk.assess(text)
    assert len(one.masked_text) == len(text)
    assert "13800001234" not in str(one)
    (signal,) = one.signals
    assert text[signal.span.start : signal.span.end] == "再不處理我就打１２３１５"
    for part in one.explanation:
        assert one.masked_text[part.span.start : part.span.end] == part.text


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "text_empty"), ("  \n\t ", "text_empty"), ("\u200b\x00\x07", "text_empty"),
     ("太" * 100_001, "text_too_long")],
    ids=["empty", "blank", "control", "long"],
)  # fmt: skip
def test_a_text_that_cannot_be_read_is_a_typed_error(desk, text, code):
    with pytest.raises(TextError, match="Send|send") as caught:
        desk.assess(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text",
    ["😡😡😡", "This is the worst service ever", "坏了\x00\x1b[31m了", "!!!", "a", "\ud83d坏了",
     "退款" * 50_000, "ｱｲｳ ﷽ 🏳️‍🌈"],
    ids=["emoji", "english", "control", "marks", "letter", "surrogate", "long", "scripts"],
)  # fmt: skip
def test_any_readable_text_gets_a_whole_answer(desk, text):
    one = desk.assess(text)
    assert one.grade in SEVERITIES
    one.masked_text.encode("utf-8")


@pytest.mark.parametrize("text", ["Ich möchte mein Geld zurück bitte", "asdkjhqwe zxmcn qpwoeiru"])
def test_what_the_model_cannot_read_goes_to_a_person(desk, text):
    assert desk.assess(text).decision == "review"


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_any_text_gets_an_answer_or_a_typed_error(desk, text):
    try:
        one = desk.assess(text)
    except TextError as error:
        assert error.code == "text_empty"
    else:
        assert len(one.masked_text) == len(text)
        assert {signal.name for signal in one.signals} <= set(NAMES)


def test_something_that_is_no_text_is_a_typed_error(desk):
    with pytest.raises(TextError, match="A complaint is a text, not int"):
        desk.assess(3)


def test_many_equal_one_by_one(desk, corpus):
    complaints = [Complaint(text=text, received_at=NOON) for text in corpus["text"].head(300)]
    assert desk.assess_many(complaints) == [desk.assess(one) for one in complaints]


def test_many_take_plain_strings_and_keep_their_order(desk):
    many = desk.assess_many(["坏了", Complaint(text="太贵", id="x")])
    assert [one.masked_text for one in many] == ["坏了", "太贵"]
    assert many[1].id == "x"
    assert desk.assess_many([]) == []


def test_a_bad_one_among_many_is_named_or_stands_alone(desk):
    with pytest.raises(TextError, match="Complaint 1: The text is empty"):
        desk.assess_many(["坏了", ""])
    answers = desk.assess_each(["坏了", "", "太贵"])
    assert [type(answer) for answer in answers] == [Assessment, TextError, Assessment]


def test_masked_and_unmasked_text_score_alike(desk):
    text = "我叫李小明，手机13800001234，买的电饭锅用两天就坏了，退款没人理"
    plain, masked = desk.assess(text), desk.assess(mask(text))
    assert plain.nature == masked.nature
    assert plain.severity == masked.severity
    assert plain.masked_text == masked.masked_text


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("快递把冰箱摔坏了，客服一直不理", "快遞把冰箱摔壞了，客服一直不理"),
        ("快递把冰箱摔坏了，客服一直不理！！", "快递把冰箱摔坏了，客服一直不理！！！！！！"),
        ("快递把冰箱摔坏了", "快 递 把 冰 箱 摔 坏 了"),
        ("Wifi连不上，退款１００元", "WIFI连不上，退款100元"),
    ],
    ids=["traditional", "marks", "spaces", "width"],
)
def test_the_same_words_written_otherwise_score_alike(desk, a, b):
    one, other = desk.assess(a), desk.assess(b)
    assert one.nature == other.nature
    assert one.severity == other.severity


@pytest.mark.parametrize(
    ("mild", "grave"),
    [
        ("汤有点咸", "汤里有玻璃，孩子嘴里划破流血送医院了"),
        ("退款慢了一天", "退款拖了两个月，打了十几个电话没人管"),
        ("快递晚到半天", "快递员把我打伤了，我已经报警"),
    ],
)
def test_a_graver_matter_gets_a_graver_grade(desk, mild, grave):
    order = SEVERITIES.index
    assert order(desk.assess(mild).grade) < order(desk.assess(grave).grade)


@pytest.mark.parametrize(
    ("text", "nature"),
    [("快递三天了还没送到，物流不更新", "logistics"), ("多扣了我两个月的会员费", "price"),
     ("客服态度很差，说话阴阳怪气", "service"), ("手机用了一周就黑屏开不了机", "product")],
)  # fmt: skip
def test_plain_cases_get_their_nature(desk, text, nature):
    assert desk.assess(text).nature.label == nature


def test_an_amount_raises_a_grade_and_leaves_the_severity_of_the_text(desk):
    plain = desk.assess(Complaint(text="收费和说好的不一样"))
    dear = desk.assess(Complaint(text="收费和说好的不一样", amount=60_000))
    assert SEVERITIES.index(dear.grade) >= 2 > SEVERITIES.index(plain.grade)
    assert dear.severity == plain.severity
    assert any("60,000" in reason for reason in dear.reasons)


def test_the_kind_joins_the_text_and_earlier_contacts_only_raise(desk):
    def severity(**facts):
        return desk.assess(Complaint(text="账单里多了一项费用", **facts)).severity

    assert severity(kind="question").distribution["minor"] > severity().distribution["minor"]
    assert severity(repeat_count=4) == severity()


def test_a_tier_changes_neither_grade_nor_clock(desk):
    facts = {"text": "面条有点咸", "received_at": NOON}
    plain, vip = (
        desk.assess(Complaint(**facts)),
        desk.assess(Complaint(**facts, customer_tier="vip")),
    )
    assert (plain.grade, plain.deadlines) == (vip.grade, vip.deadlines)


def test_naive_times_are_taken_as_shanghai(desk):
    one = desk.assess(Complaint(text="坏了", received_at=datetime(2026, 11, 22, 12, 0)))
    assert one.received_at == NOON
    assert all(clock.due_at > NOON for clock in one.deadlines)


def test_word_weights_and_intercept_add_up_to_the_margin(desk):
    for text in (FRIDGE, "面 条!!有点咸abc", "電話13800001234壞了"):
        reading = desk.read(text)
        predictions = desk.model.predict([reading.prepared.text])
        label = predictions.likeliest("nature")[0]
        words = desk.contributions(reading, label, "nature", predictions, 0)
        head = desk.model.head("nature")
        margin = head.decision_function(predictions.matrices[0])[0]
        expected = margin[list(head.classes_).index(label)] - head.direction(label)[1]
        assert sum(word.weight for word in words) == pytest.approx(expected, abs=0.002)


def test_a_complaint_refuses_unknown_and_impossible_facts():
    with pytest.raises(ValidationError, match="chanel"):
        Complaint(text="坏了", chanel="app")
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        Complaint(text="坏了", amount=-1)


def test_held_out_tickets_are_learned_beyond_the_baselines(registry):
    heads = registry.folder().metrics["heads"]
    assert heads["nature"]["macro_f1"] > 0.6
    assert heads["severity"]["kappa"] > heads["severity"]["baselines"]["nature_only"]["kappa"] + 0.4
    assert heads["emotion"]["kappa"] > 0.6
    assert all(figures["calibration_error"] < 0.08 for figures in heads.values())


def test_sentiment_on_unseen_reviews_comes_close_to_snownlp_which_has_seen_them(registry):
    found = registry.folder().metrics["sentiment"]
    assert found["rows"] >= 250
    assert found["auc"] > 0.9
    assert found["auc"] > found["auc_snownlp"] - 0.02


def test_sentiment_does_not_saturate_with_length(desk, corpus):
    texts = [text for text in corpus["text"] if len(text) > 110][:200]
    scores = np.array([one.sentiment for one in desk.assess_many(texts)])
    assert ((scores < 0.05) | (scores > 0.95)).mean() < 0.5


def test_loading_a_version_by_path(registry):
    desk = Triage.load(registry.folder().path)
    assert desk.model_version == registry.current()


@pytest.mark.parametrize(
    "text", ["受伤" * 50_000, "7" * 100_000, "13812345678" * 9_000, "(" * 90_000]
)
def test_no_text_holds_a_worker_for_long(desk, text):
    start = time.perf_counter()
    desk.assess(text)
    assert time.perf_counter() - start < 15


def test_a_nature_is_routed_by_its_display_name_too(desk):
    route, known = desk.policy.route("物流", "minor", "calm", None, [])
    assert (route.team, known) == ("logistics", True)


def test_without_a_route_nothing_goes_out_alone(desk):
    thresholds = {"auto": 0.5, "suggest": 0.1}
    assert desk.policy.decide(0.99, thresholds, "minor", routed=False) == "suggest"


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59", "0001-01-01T00:00:00+14:00"])
def test_a_time_out_of_this_world_is_refused(moment):
    with pytest.raises(ValidationError, match="year"):
        Complaint(text="坏了", received_at=moment)


@pytest.mark.parametrize(
    "text",
    ["秦始皇统一六国后，推行书同文、车同轨", "qwe zxc rty fgh", "Die Lieferung kam nie an"],
)
def test_far_off_topics_gibberish_and_other_languages_go_to_a_person(desk, text):
    answer = desk.assess(text)
    assert answer.decision == "review"
    assert "内容不像是向本部门反映的事" in "".join(answer.reasons)


def test_a_sum_in_the_text_raises_the_grade_and_the_field_overrides_it(desk):
    text = "美容院预付卡里还有一万二，关门了不退"
    assert any("涉及金额 12,000 元" in reason for reason in desk.assess(text).reasons)
    told = desk.assess(Complaint(text=text, amount=300.0))
    assert not any("12,000" in reason for reason in told.reasons)
    assert any(rule.path == "amount_floors.critical" for rule in desk.rules(text))


def test_a_date_beyond_the_published_calendar_is_named_in_degraded(desk):
    late = desk.under(load_policy(calendar=WorkCalendar(last_year=2025)))
    answer = late.assess(Complaint(text="快递丢了", channel="12315"))
    assert "calendar" in answer.degraded
    assert any(clock.provisional for clock in answer.deadlines)


def test_the_desks_own_number_is_no_signal(desk):
    text = "打了12345三次没人来修路灯"
    assert any(signal.name == "regulator" for signal in desk.assess(text).signals)
    hotline = desk.under(load_policy("hotline"))
    assert not any(signal.name == "regulator" for signal in hotline.assess(text).signals)
