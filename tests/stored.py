"""Answers by hand, for tests of what is kept."""

from dataclasses import replace
from datetime import datetime, timedelta

from triage.data import ticket_key
from triage.schema import (
    SEVERITIES,
    SHANGHAI,
    Alternative,
    Assessment,
    Complaint,
    Contribution,
    Deadline,
    Handling,
    NaturePrediction,
    Route,
    Signal,
    Span,
    StepPrediction,
)
from triage.store import Entry, new_id

AT = datetime(2026, 11, 22, 9, 30, tzinfo=SHANGHAI)

ANSWER = Assessment(
    id=None, revision=1, model_version="m1", policy_version="p1", stored=False, received_at=AT,
    masked_text="快递丢了", nature=NaturePrediction("logistics", "物流", 0.9,
                                                [Alternative("service", 0.1)]),
    severity=StepPrediction("major", "较重", 0.8, {"minor": 0.2, "major": 0.8}),
    emotion=StepPrediction("angry", "愤怒", 0.7, {"angry": 0.7}), sentiment=0.1,
    signals=[Signal("regulator", "threatened", Span(0, 2), "快递")], grade="major",
    grade_name="较重", decision="review", route=Route("delivery", "物流组", "专席", []),
    deadlines=[Deadline("internal", "first_response", "company", AT + timedelta(hours=4), AT, True,
                        False, "内部时限")],
    reasons=["模型判断"], handling=Handling("您好", [], []),
    explanation=[Contribution(Span(0, 2), "快递", 0.5, "logistics")], degraded=[],
)  # fmt: skip


def entry(name=None, text="快递丢了", customer=None, received_at=AT, facts=None, **changes):
    """An entry; `changes` are those of the answer."""
    answer = replace(ANSWER, received_at=received_at, masked_text=text, **changes)
    complaint = Complaint(text=text, customer_id=customer, **facts or {})
    return Entry(name or new_id(), text, answer, complaint, ticket_key(text))


def graded(name, grade, hours, **more):
    """An entry of a grade whose first response is due in so many hours."""
    clock = replace(ANSWER.deadlines[0], due_at=AT + timedelta(hours=hours))
    assert grade in SEVERITIES
    return entry(name, grade=grade, deadlines=[clock], **more)
