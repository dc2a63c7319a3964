import copy
import logging
import time
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from triage.schema import DataError, TextError
from triage.service.app import create_app
from triage.settings import load_settings
from triage.store import Store, open_store

LOST = {"text": "快递丢了，一直没人管", "customer_id": "c1"}
PATH = "/v1/assessments/{}"


@pytest.fixture
def kept(desk, tmp_path, monkeypatch):
    """Start services that keep their answers in a home of their own."""
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path))
    clients = []

    def assess_each(complaints):
        start.repeats += [one.repeat_count for one in complaints]
        answers = desk.assess_each(complaints)
        decision = {"decision": start.decision} if start.decision else {}
        return [one if isinstance(one, TextError) else replace(one, **decision) for one in answers]

    def start(**settings):
        for name, value in settings.items():
            monkeypatch.setenv(f"TRIAGE_{name.upper()}", str(value))
        mine = copy.copy(desk)
        mine.settings = load_settings()
        mine.assess_each = assess_each
        client = TestClient(create_app(mine, keep=True), raise_server_exceptions=False)
        clients.append(client)
        return client.__enter__()

    start.repeats, start.decision = [], None
    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(kept):
    return kept()


def assess(client, **complaint):
    answer = client.post("/v1/assess", json=complaint)
    assert answer.status_code == 200, answer.text
    return answer.json()


def until(holds, seconds=8):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)


def test_an_answer_that_says_stored_stands_in_the_store(client):
    one = assess(client, **LOST, id="T1")
    assert (one["stored"], one["revision"], one["degraded"]) == (True, 1, [])
    assert client.get(PATH.format("T1")).json()["assessment"] == one
    new = assess(client, **LOST)
    assert client.get(PATH.format(new["id"])).json()["assessment"] == new


def test_the_same_complaint_again_is_the_same_assessment(client):
    first = assess(client, **LOST, id="T1")
    time.sleep(1.1)
    assert assess(client, **LOST, id="T1") == first


def test_an_empty_id_is_none(client):
    items = [{"text": "快递丢了", "id": ""}, {"text": "冰箱坏了", "id": ""}]
    answers = client.post("/v1/assess/batch", json={"items": items}).json()["items"]
    assert len({one["assessment"]["id"] for one in answers} - {""}) == 2


def test_a_different_answer_makes_a_new_revision(client):
    assess(client, **LOST, id="T1")
    second = assess(client, **LOST, id="T1", amount=9_000_000)
    assert second["revision"] == 2
    found = client.get(PATH.format("T1")).json()
    assert [one["revision"] for one in found["revisions"]] == [1, 2]
    assert found["assessment"] == second


def test_another_text_under_the_same_id_is_refused(client):
    assess(client, text="快递丢了", id="T1")
    answer = client.post("/v1/assess", json={"text": "冰箱坏了", "id": "T1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "id_conflict")
    items = [{"text": "太贵", "id": "B"}, {"text": "太慢", "id": "B"}, {"text": "太远", "id": "C"}]
    answers = client.post("/v1/assess/batch", json={"items": items}).json()["items"]
    assert [next(iter(one)) for one in answers] == ["assessment", "problem", "assessment"]
    assert answers[1]["problem"]["code"] == "id_conflict"


@pytest.mark.parametrize("id", ["工单/2026/1", "a b?#%", "x" * 200, "a/events/b", "a\x00b"])
def test_any_id_can_be_fetched(client, id):
    from urllib.parse import quote

    assess(client, text="快递丢了", id=id)
    path = PATH.format(quote(id, safe=""))
    assert client.get(path).json()["assessment"]["id"] == id.replace("\x00", "\ufffd")
    assert client.post(f"{path}/events", json={"kind": "responded"}).status_code == 200


def test_earlier_contacts_of_the_customer_count_as_repeats(client, kept):
    for id, given in (("T0", None), ("T1", None), ("T2", None), ("T2", None), ("T3", 7), ("T4", 0)):
        assess(client, **LOST, id=id, repeat_count=given)
    assert kept.repeats == [None, 1, 2, 2, 7, 4]
    assert client.get(PATH.format("T2")).json()["assessment"]["revision"] == 1


def test_rows_of_one_batch_do_not_see_each_other(client, kept):
    items = [{**LOST, "text": f"快递丢了，第{n}件"} for n in range(70)]
    client.post("/v1/assess/batch", json={"items": items})
    assess(client, **LOST)
    assert kept.repeats == [None] * 70 + [70]


def test_events_are_kept_once_and_named_by_their_key(client):
    assess(client, **LOST, id="T1")
    event = {"kind": "satisfaction", "value": 4, "at": "2026-11-22T10:00:00+08:00"}
    for _ in range(2):
        answer = client.post(PATH.format("T1") + "/events", json=event)
    assert answer.json()["events"] == [{**event, "by": "-"}]
    unknown = client.post(PATH.format("T9") + "/events", json={"kind": "resolved"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "assessment_unknown")


@pytest.mark.parametrize(
    "event",
    [{"kind": "satisfaction"}, {"kind": "satisfaction", "value": 6},
     {"kind": "resolved", "value": 1},
     {"kind": "closed"}, {}],
    ids=str,
)  # fmt: skip
def test_an_event_that_breaks_the_contract_is_refused(client, event):
    assess(client, **LOST, id="T1")
    answer = client.post(PATH.format("T1") + "/events", json=event)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


def test_the_review_queue_is_paged_and_a_word_of_a_person_empties_it(client, kept):
    kept.decision = "review"
    for number in range(5):
        assess(client, text=f"今天天气真好，第{number}天", id=f"Q{number}")
    seen, cursor = [], None
    while True:
        page = client.get(
            "/v1/review", params={"limit": 2, **({"after": cursor} if cursor else {})}
        )
        seen += [one["id"] for one in page.json()["items"]]
        cursor = page.json()["next"]
        if cursor is None:
            break
    assert sorted(seen) == [f"Q{number}" for number in range(5)]
    said = {"id": "Q0", "nature": "other", "grade": "minor", "by": "组长", "why": "电话13800001234"}
    assert client.post("/v1/feedback", json=said).json() == {"id": "Q0", "added": 2}
    assert client.post("/v1/feedback", json=said).json() == {"id": "Q0", "added": 0}
    left = [one["id"] for one in client.get("/v1/review").json()["items"]]
    assert sorted(left) == [f"Q{number}" for number in range(1, 5)]
    feedback = client.get(PATH.format("Q0")).json()["feedback"]
    assert [one["head"] for one in feedback] == ["nature", "grade"]
    assert feedback[0]["why"] == "电话***********"


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"id": "nobody", "grade": "minor"}, 404, "assessment_unknown"),
        ({"id": "nobody"}, 404, "assessment_unknown"),
        ({"id": "T1", "route": "nowhere"}, 422, "request_invalid"),
        ({"id": "T1", "grade": "huge"}, 422, "request_invalid"),
        ({"id": "T1", "garde": "minor"}, 422, "request_invalid"),
    ],
    ids=str,
)
def test_feedback_that_can_not_be_kept_is_refused(client, said, status, code):
    assess(client, **LOST, id="T1")
    answer = client.post("/v1/feedback", json=said)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_cursor_of_nobody_is_refused(client):
    answer = client.get("/v1/review", params={"after": "abc"})
    assert (answer.status_code, answer.json()["code"]) == (422, "cursor_invalid")


def test_a_customer_is_erased_and_the_audit_log_does_not_name_them(client):
    assess(client, text="快递丢了", customer_id="客户甲", id="T1")
    assess(client, text="冰箱坏了", customer_id="c2", id="T2")
    erased = client.delete("/v1/customers/客户甲").json()["erased"]
    assert (erased["assessments"], erased["revisions"]) == (1, 1)
    assert client.get(PATH.format("T1")).json()["code"] == "assessment_unknown"
    assert client.get(PATH.format("T2")).status_code == 200
    with open_store() as store:
        log = store.audit()
    assert log[0]["action"] == "erase" and log[0]["actor"] == "-"
    assert "客户甲" not in str(log[0])


def broken(*args, **kwargs):
    raise DataError("The store failed.", code="store_failed")


def test_while_the_store_is_down_answers_are_spooled_and_written_later_once(client, monkeypatch):
    with monkeypatch.context() as down:
        for name in ("latest", "history", "keep", "keep_sealed", "ping", "assessment"):
            down.setattr(Store, name, broken)
        one = assess(client, **LOST, id="T1")
        assert (one["stored"], one["degraded"]) == (False, ["store"])
        ready = client.get("/readyz").json()
        assert (ready["store"], ready["spooled"]) == ("down", 1)
        answer = client.get(PATH.format("T1"))
        assert (answer.status_code, answer.json()["code"]) == (503, "store_down")
        assert int(answer.headers["retry-after"]) >= 1
    until(lambda: client.get("/readyz").json()["spooled"] == 0)
    assert client.get("/readyz").json()["store"] == "up"
    found = client.get(PATH.format("T1")).json()["assessment"]
    assert found == {**one, "stored": True, "degraded": []}
    assert assess(client, **LOST, id="T1") == found


def test_a_store_that_can_not_be_opened_stops_no_answer(kept, tmp_path, caplog):
    with caplog.at_level(logging.ERROR, "triage.service"):
        client = kept(store=f"sqlite:///{tmp_path}/nowhere/triage.db")
        one = assess(client, **LOST)
    assert (one["stored"], one["degraded"]) == (False, ["store"])
    assert "store down" in caplog.text and "answers are lost" in caplog.text
    assert LOST["text"] not in caplog.text


def test_what_waits_is_written_at_the_end(kept, monkeypatch):
    client = kept()
    with monkeypatch.context() as down:
        down.setattr(Store, "keep", broken)
        down.setattr(Store, "ping", broken)
        assess(client, **LOST, id="T1")
    client.__exit__(None, None, None)
    with open_store() as store:
        assert store.assessment("T1") is not None
    client.__enter__()


def test_what_is_too_old_is_deleted(kept):
    client = kept(retention_days=30)
    assess(client, **LOST, id="old", received_at="2020-01-01T00:00:00+08:00")
    client.__exit__(None, None, None)
    client = kept()
    until(lambda: client.get(PATH.format("old")).status_code == 404)


def test_without_a_store_nothing_is_kept_and_questions_are_refused(desk):
    with TestClient(create_app(desk)) as client:
        one = assess(client, **LOST)
        assert (one["id"], one["stored"], one["degraded"]) == (None, False, [])
        answer = client.get("/v1/review")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_off")
