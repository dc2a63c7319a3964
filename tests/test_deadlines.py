from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.deadlines import (
    ServiceLevel,
    WorkCalendar,
    WorkingHours,
    binding_clock,
    internal_deadlines,
    load_regimes,
    mark_binding,
    shipped_regimes,
)
from triage.deadlines.regimes import SHIPPED_REGIMES
from triage.policy import SHIPPED, load_policy
from triage.schema import SEVERITIES, SHANGHAI, Complaint, ConfigError, Signal

POLICY = load_policy()
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=SHANGHAI)
LEVEL = ServiceLevel(register_minutes=15, response_hours=1, plan_hours=24)


def clocks(policy=POLICY, grade="major", nature="product", signals=(), **facts):
    facts = {"text": "坏了", "received_at": NOON} | facts
    found = [Signal(name, "happened", None, None) for name in signals]
    return policy.deadlines(Complaint(**facts), grade, nature, "calm", found)


def legal(*args, **facts):
    return {c.regime: c for c in clocks(*args, **facts) if c.regime != "internal"}


def test_seven_working_days_pass_over_the_national_day_and_count_make_up_days():
    due = WorkCalendar().after_working_days(datetime(2026, 9, 30, 16, 0), 7)
    assert due.at.date() == date(2026, 10, 15)
    assert not due.provisional


def test_a_year_that_is_not_published_is_counted_by_weekdays_and_provisional():
    calendar = WorkCalendar(last_year=2026)
    due = calendar.after_working_days(datetime(2026, 12, 23, 9, 0), 7)
    assert (due.at.date(), due.provisional) == (date(2027, 1, 1), True)
    assert calendar.after_working_days(datetime(2026, 12, 1), 3).provisional is False
    policy = load_policy(calendar=calendar)
    found = legal(policy, channel="12315", received_at=datetime(2026, 12, 23, 9, 0))
    assert found["consumer_law_46"].provisional
    assert "2027年放假安排未公布，暂按周一至周五计" in found["consumer_law_46"].basis


def test_a_last_day_on_a_public_holiday_moves_to_the_day_after_it():
    due = WorkCalendar().after_days(datetime(2026, 9, 18, 9, 0), 15)
    assert due.at == datetime(2026, 10, 8, 23, 59, 59, tzinfo=SHANGHAI)
    plain = WorkCalendar().after_days(datetime(2026, 11, 6, 9, 0), 15)
    assert plain.at.date() == date(2026, 11, 21)


@pytest.mark.parametrize(
    ("day", "regimes"),
    [
        (datetime(2026, 4, 14, 23, 59), {"consumer_law_46", "samr_20"}),
        (datetime(2026, 4, 15, 0, 0), {"consumer_law_46", "samr_121"}),
    ],
    ids=str,
)
def test_a_regime_holds_between_its_dates(day, regimes):
    assert set(legal(channel="12315", received_at=day)) == regimes


@pytest.mark.parametrize(
    ("facts", "regime", "due"),
    [
        ({"text": "一直不给退款"}, "samr_refund", date(2026, 12, 5)),
        ({"industry": "bank", "complexity": "simple"}, "bank_insurance", date(2026, 12, 5)),
        ({"industry": "bank", "complexity": "complex"}, "bank_insurance", date(2026, 12, 20)),
        ({"industry": "insurance", "complexity": "special"}, "bank_insurance", date(2027, 1, 19)),
        ({"industry": "telecom"}, "telecom_operator", date(2026, 12, 5)),
        ({"industry": "telecom", "area": "city"}, "telecom_fault", date(2026, 11, 22)),
        ({"industry": "telecom", "area": "countryside"}, "telecom_fault", date(2026, 11, 23)),
        ({"industry": "airline"}, "civil_aviation", date(2026, 12, 4)),
        ({"industry": "airline", "text": "机票不给退款"}, "civil_aviation_refund",
         date(2026, 12, 1)),
        ({"industry": "city_hotline", "channel": "letter"}, "petition", date(2026, 12, 5)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_each_regime_counts_its_clocks(facts, regime, due):
    assert legal(**facts)[regime].due_at.date() == due or any(
        c.due_at.date() == due for c in clocks(**facts) if c.regime == regime
    )


def test_what_a_regime_must_know_and_does_not_is_taken_strictly_and_said():
    unknown = legal(industry="bank")["bank_insurance"]
    assert unknown.due_at.date() == date(2026, 12, 5)
    assert "难易程度未知，按最严的计" in unknown.basis
    told = legal(industry="bank", complexity="simple")["bank_insurance"]
    assert "未知" not in told.basis


def test_a_regime_that_does_not_fit_has_no_clock():
    assert legal() == {}
    assert "telecom_fault" not in legal(industry="telecom", nature="price")
    assert "telecom_fault" in legal(industry="telecom", nature="price", signals=["outage"])


@pytest.mark.parametrize("kind", ["question", "suggestion"])
def test_questions_and_suggestions_of_grade_minor_have_no_legal_clock(kind):
    facts = {"kind": kind, "industry": "bank"}
    assert {c.regime for c in clocks(grade="minor", **facts)} == {"internal"}
    assert legal(grade="critical", **facts)


def test_the_hotline_treats_danger_and_outages_first():
    policy = load_policy("hotline")
    hours = {
        name: (legal(policy, signals=[name])["hotline_12345_beijing"].due_at - NOON)
        for name in ("injury", "outage")
    }
    assert hours == {"injury": timedelta(hours=2), "outage": timedelta(hours=24)}
    assert legal(policy)["hotline_12345_beijing"].due_at.date() == date(2026, 11, 27)
    assert "来源待核实" in legal(policy)["hotline_12345_beijing"].basis


@given(
    st.datetimes(datetime(2021, 1, 1), datetime(2030, 1, 1)),
    st.sampled_from([path.stem for path in SHIPPED.glob("*.yaml")]),
    st.sampled_from(["12315", "12345", "letter", "app", None]),
    st.sampled_from(["bank", "insurance", "telecom", "airline", "city_hotline", None]),
    st.sampled_from(SEVERITIES),
)
def test_every_clock_is_after_receipt_and_escalates_before_it_ends(day, name, channel, industry,
                                                                    grade):  # fmt: skip
    found = clocks(load_policy(name), grade=grade, text="要退款", received_at=day, channel=channel,
                   industry=industry)  # fmt: skip
    start = day.replace(tzinfo=SHANGHAI)
    for clock in found:
        assert start < clock.escalate_at < clock.due_at
        assert clock.due_at.tzinfo is SHANGHAI
        assert clock.due_at.year < 2031
    for milestone, party in {(c.milestone, c.party) for c in found}:
        same = [c for c in found if (c.milestone, c.party) == (milestone, party)]
        assert [c for c in same if c.binding] == [min(same, key=lambda c: c.due_at)]


@given(st.integers(0, 400), st.sampled_from(["bank", "airline", None]), st.booleans())
def test_a_graver_grade_never_waits_longer_even_with_working_hours(hours, industry, desk):
    policy = load_policy()
    if desk:
        opening = WorkingHours.model_validate({"opens": "09:00", "closes": "18:00"})
        policy.file = policy.file.model_copy(update={"working_hours": opening})
    at = NOON + timedelta(hours=hours)
    due = [
        {(c.regime, c.milestone): c.due_at
         for c in clocks(policy, grade=grade, industry=industry, received_at=at)}
        for grade in SEVERITIES
    ]  # fmt: skip
    for milder, graver in zip(due, due[1:], strict=False):
        assert all(graver[key] <= milder[key] for key in milder)


def test_clocks_stand_still_while_the_desk_is_closed():
    hours = WorkingHours.model_validate({"opens": "09:00", "closes": "18:00"})
    friday_evening = datetime(2026, 11, 20, 17, 30, tzinfo=SHANGHAI)
    found = {
        c.milestone: c
        for c in internal_deadlines(LEVEL, "minor", "一般", friday_evening, escalate_after=0.5,
                                    hours=hours)
    }  # fmt: skip
    assert found["register"].due_at == friday_evening + timedelta(minutes=15)
    assert found["first_response"].due_at == datetime(2026, 11, 23, 9, 30, tzinfo=SHANGHAI)
    assert "按工作时间计" in found["first_response"].basis
    grave = internal_deadlines(LEVEL, "severe", "特大", friday_evening, escalate_after=0.5,
                               hours=hours)  # fmt: skip
    assert grave[1].due_at == friday_evening + timedelta(hours=1)


def test_the_earliest_clock_of_a_milestone_binds():
    found = mark_binding(
        internal_deadlines(LEVEL, "minor", "一般", NOON.replace(tzinfo=None), escalate_after=0.5)
    )
    assert binding_clock(found, "first_response").due_at == NOON + timedelta(hours=1)
    assert binding_clock(found, "refund") is None


def test_what_remains_of_a_clock_is_told_at_any_moment():
    clock = clocks()[1]
    assert clock.remaining(NOON + timedelta(hours=1)) == timedelta(hours=1)
    assert not clock.overdue(NOON.replace(tzinfo=None))
    assert clock.overdue(NOON + timedelta(hours=3))
    assert clock.remaining(NOON + timedelta(hours=3)) == -timedelta(hours=1)


def test_every_regime_names_its_source():
    for name, regime in shipped_regimes().items():
        assert len(regime.source) > 10, name


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "working_days: 7, says: 处理",
            "working_days: 7, days: 7, says: 处理",
            "give one of hours",
        ),
        ("milestone: accept", "milestone: except", "milestone is 'except'"),
        ("until: 2026-04-14", "until: 2019-04-14", "is before from 2020-01-01"),
        ("complexity: simple", "complexity: easy", "must be one of simple, complex, special"),
        ("signals: [outage]", "signals: [outages]", r"unknown signals \['outages'\]"),
    ],
)
def test_a_broken_regimes_file_is_refused(tmp_path, old, new, message):
    text = SHIPPED_REGIMES.read_text("utf-8")
    assert old in text
    (tmp_path / "r.yaml").write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(ConfigError, match=message):
        load_regimes(tmp_path / "r.yaml")
