from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.deadlines import binding_clock
from triage.policy import SHIPPED, load_policy
from triage.schema import EMOTIONS, SEVERITIES, SHANGHAI, Complaint, Signal, TriageError, UsageError
from triage.signals import NAMES

POLICY = load_policy()
POLICIES = {path.stem: load_policy(path) for path in SHIPPED.glob("*.yaml")}
shipped = st.sampled_from(sorted(POLICIES)).map(POLICIES.get)
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=SHANGHAI)

signals = st.lists(
    st.builds(
        Signal, st.sampled_from(NAMES), st.sampled_from(["happened", "hazard", "threatened"]),
        st.none(), st.none(),
    ),
    max_size=4,
)  # fmt: skip
distributions = st.lists(st.floats(0.001, 1), min_size=4, max_size=4).map(
    lambda weights: dict(zip(SEVERITIES, (w / sum(weights) for w in weights), strict=True))
)


def sure_of(step):
    return {other: 0.97 if other == step else 0.01 for other in SEVERITIES}


@given(shipped, distributions, signals, signals)
def test_adding_a_signal_never_lowers_the_grade(policy, distribution, some, more):
    before, _ = policy.grade(distribution, some)
    after, _ = policy.grade(distribution, some + more)
    assert SEVERITIES.index(after) >= SEVERITIES.index(before)


@given(shipped, distributions, signals, st.floats(0, 1e7), st.integers(0, 50))
def test_amount_and_repeats_never_lower_the_grade(policy, distribution, some, amount, repeats):
    before, _ = policy.grade(distribution, some)
    after, _ = policy.grade(distribution, some, amount, repeats)
    assert SEVERITIES.index(after) >= SEVERITIES.index(before)


@given(distributions)
def test_the_grade_starts_at_the_label_or_above(distribution):
    label = max(SEVERITIES, key=lambda step: distribution[step])
    assert SEVERITIES.index(POLICY.starting_step(distribution)) >= SEVERITIES.index(label)


def test_a_likely_grave_matter_starts_above_its_label():
    distribution = {"minor": 0.45, "major": 0.2, "critical": 0.2, "severe": 0.15}
    assert SEVERITIES.index(POLICY.starting_step(distribution)) >= 2


@pytest.mark.parametrize(
    ("name", "certainty", "grade"),
    [
        ("injury", "happened", "severe"),
        ("injury", "hazard", "critical"),
        ("legal", "threatened", "critical"),
        ("regulator", "threatened", "critical"),
        ("repeat", "happened", "major"),
        ("malicious", "happened", "minor"),
        ("abuse", "happened", "minor"),
    ],
)
def test_a_signal_raises_to_its_floor(name, certainty, grade):
    signal = Signal(name, certainty, None, "原文")
    found, rules = POLICY.grade(sure_of("minor"), [signal])
    assert found == grade
    assert any("上调" in rule.reason for rule in rules) is (grade != "minor")
    if grade != "minor":
        assert rules[-1].path == f"signal_floors.{name}.{certainty}"


def test_a_person_who_needs_care_raises_a_hazard_one_step():
    hazard = Signal("fire_safety", "hazard", None, "冒烟")
    person = Signal("vulnerable", "happened", None, "老人")
    assert POLICY.grade(sure_of("major"), [hazard, person])[0] == "critical"
    assert POLICY.grade(sure_of("critical"), [hazard, person])[0] == "severe"
    assert POLICY.grade(sure_of("critical"), [person])[0] == "critical"


@pytest.mark.parametrize(
    ("amount", "grade"), [(199, "minor"), (200, "major"), (5000, "major"), (5001, "critical")]
)
def test_an_amount_raises_to_its_floor(amount, grade):
    assert POLICY.grade(sure_of("minor"), [], amount)[0] == grade


@pytest.mark.parametrize(
    ("sureness", "grade", "decision"),
    [
        (0.95, "minor", "auto"),
        (0.95, "critical", "suggest"),
        (0.6, "minor", "suggest"),
        (0.2, "minor", "review"),
        (0.2, "severe", "review"),
    ],
)
def test_the_decision_has_three_ways(sureness, grade, decision):
    thresholds = {"auto": 0.9, "suggest": 0.4}
    assert POLICY.decide(sureness, thresholds, grade) == decision
    assert POLICY.decision_reason(decision, sureness, grade)


def test_every_nature_of_every_shipped_policy_has_a_route():
    for path in SHIPPED.glob("*.yaml"):
        policy = load_policy(path)
        assert set(policy.file.labels.nature) <= set(policy.file.routes)


def test_an_unknown_nature_goes_to_the_default_route():
    route, known = POLICY.route("环境保护", "minor", "calm", None, [])
    assert route.team == "general"
    assert not known


@given(
    shipped, signals, st.sampled_from(SEVERITIES), st.sampled_from(EMOTIONS),
    st.sampled_from(["vip", "VIP", "贵宾", "私人银行", "普通", ""]),
)  # fmt: skip
def test_a_customers_tier_changes_neither_clock_nor_team(policy, some, grade, emotion, tier):
    plain, known = (
        policy.deadlines(complaint(**facts), grade, "product", emotion, some)
        for facts in ({}, {"customer_tier": tier})
    )
    assert plain == known
    one, other = (policy.route("product", grade, emotion, t, some)[0] for t in (None, tier))
    assert (one.team, one.copies) == (other.team, other.copies)
    assert grade == "minor" or one.desk == other.desk


def test_a_tier_changes_the_desk_and_nothing_else():
    plain, _ = POLICY.route("product", "minor", "calm", None, [])
    vip, _ = POLICY.route("product", "minor", "calm", "vip", [])
    assert plain.desk != vip.desk
    assert plain.team == vip.team


def test_heated_customers_get_an_experienced_agent():
    route, _ = POLICY.route("product", "minor", "furious", None, [])
    assert route.desk == "资深坐席"


def complaint(**facts):
    return Complaint(text="坏了", received_at=NOON, **facts)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_graver_grade_never_waits_longer(emotion):
    due = [
        {
            c.milestone: c.due_at
            for c in POLICY.deadlines(complaint(), grade, "product", emotion, [])
        }
        for grade in SEVERITIES
    ]
    for milder, graver in zip(due, due[1:], strict=False):
        assert all(graver[milestone] <= milder[milestone] for milestone in milder)


def test_clocks_run_from_receipt_and_escalate_before_they_end():
    for clock in POLICY.deadlines(complaint(), "major", "product", "calm", []):
        assert NOON < clock.escalate_at < clock.due_at
        assert clock.binding
        assert not clock.provisional
        assert clock.due_at.tzinfo is SHANGHAI


@pytest.mark.parametrize(
    ("emotion", "signal_names"), [("furious", []), ("calm", ["self_harm"])], ids=str
)
def test_the_furious_and_those_at_risk_hear_from_a_person_within_15_minutes(emotion, signal_names):
    found = [Signal(name, "threatened", None, None) for name in signal_names]
    clocks = POLICY.deadlines(complaint(), "severe", "product", emotion, found)
    assert binding_clock(clocks, "first_response").due_at == NOON + timedelta(minutes=15)


@pytest.mark.parametrize("nature", ["product", "service", "price", "logistics", "other", "自定义"])
@pytest.mark.parametrize("emotion", EMOTIONS)
def test_an_opening_names_the_binding_clock_and_promises_no_money(nature, emotion):
    clocks = POLICY.deadlines(complaint(), "minor", nature, emotion, [])
    opening = POLICY.handling(complaint(), "minor", nature, emotion, [], clocks).opening
    due = binding_clock(clocks, "first_response").due_at
    assert f"{due:%H:%M}" in opening
    assert not set("赔退偿") & set(opening)
    assert "我们的错" not in opening and "{" not in opening


def broken(tmp_path, old, new):
    path = tmp_path / "mine.yaml"
    text = (SHIPPED / "default.yaml").read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("severe:   {register_minutes: 15, response_hours: 1,",
         "severe:   {register_minutes: 15, response_hours: 3,",
         r"mine\.yaml: service_levels\.severe\.response_hours is 3 but critical's is 1: a graver"),
        ("  injury:      {", "  injuries:    {", "unknown signal 'injuries': known are self_harm"),
        ("human_from: critical", "human_from: huge", "human_from is 'huge'"),
        ("human_from: critical", "human_from: critical\nhuman_from: severe",
         "the key 'human_from' stands here a second time"),
        ("  product:   {team: quality, name: 产品质量组}\n", "", "routes lacks 'product'"),
        ("escalate_after: 0.75", "escalate_after: '0.75'", "escalate_after is '0.75'"),
        ("name: default", "name: default\nowner: me", "owner is 'me': Extra inputs"),
        ("heated_from: angry", "heated_from: cross", "heated_from is 'cross': it must be one of"),
        ("    calm: 您好，您反映的{what}", "    cool: 您好，您反映的{what}",
         r"openings\.product lacks \['calm'\]"),
        ("name: default", "name: [", "not readable as YAML"),
        ("会在{time}前与您联系，核实", "会在{时间}前与您联系",
         r"the placeholders are \{again\}, \{time\}"),
        ("    calm: 您好，您反映的{what}", "    calm: 您好，我们会退款，您反映的{what}",
         "promises no money"),
        ("regimes: [consumer_law_46,", "regimes: [consumer_law_64,", "which regimes.yaml has not"),
        ("protected_classes: [critical,", "protected_classes: [critcal,", "'critcal': it must be"),
        ("working_hours: null", "working_hours: {opens: '18:00', closes: '09:00'}",
         "must be after opens"),
        ("working_hours: null",
         "working_hours: {opens: '09:00', closes: '18:00', grades: [critical]}",
         "must be the mildest ones"),
        ("name: default", "name: default\nextends: nope", "No policy named nope"),
        ("name: default", "? [1]\n: 2\nname: default", "can't be a key"),
    ],
    ids=["impatient", "signal", "grade", "duplicate", "route", "type", "field", "emotion",
         "opening", "yaml", "placeholder", "promise",
         "regime", "protected", "hours", "hours-grades", "extends", "key"],
)  # fmt: skip
def test_a_broken_policy_is_refused_with_field_value_and_remedy(tmp_path, old, new, message):
    with pytest.raises(TriageError, match=message):
        load_policy(broken(tmp_path, old, new))


def test_an_unknown_policy_is_a_usage_error():
    with pytest.raises(UsageError, match=r"No policy named bankk: give a path .* default"):
        load_policy("bankk")
