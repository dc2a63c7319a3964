"""Answers that are kept: revisions, history, review, events, corrections of assessments."""

import base64
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_jsonable_python
from sqlalchemy import text
from stored import ANSWER, AT, entry, graded

from triage.schema import SHANGHAI, DataError
from triage.store import EVENTS, Conflict, Event, Feedback, Kept, new_id, open_store


@pytest.fixture(autouse=True)
def home_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path))


@pytest.fixture
def store(store_url, monkeypatch):
    monkeypatch.setenv("TRIAGE_STORE", store_url)
    with open_store(serving=True) as found:
        yield found


def revisions(store, *entries):
    return [kept.revision if isinstance(kept, Kept) else kept for kept in store.keep(entries)]


def test_the_same_again_adds_nothing_and_another_answer_makes_a_revision(store):
    assert revisions(store, entry("a")) == [1]
    assert revisions(store, entry("a")) == [1]
    assert revisions(store, entry("a", sentiment=0.2)) == [2]
    assert revisions(store, entry("a", sentiment=0.2)) == [2]
    assert revisions(store, entry("a", sentiment=0.1)) == [3]
    assert [one["revision"] for one in store.assessment("a")["revisions"]] == [1, 2, 3]
    assert store.counts()["revisions"] == 3


def test_another_text_is_a_conflict_and_does_not_disturb_its_batch(store):
    store.keep([entry("a")])
    assert revisions(store, entry("b"), entry("a", "别的话"), entry("c")) == [1, Conflict("a"), 1]
    assert set(store.latest(["a", "b", "c", "d"])) == {"a", "b", "c"}
    assert store.latest(["a"])["a"].answer["masked_text"] == "快递丢了"


def test_rows_of_one_batch_are_kept_in_their_order(store):
    found = revisions(store, entry("a"), entry("a", sentiment=0.2), entry("a", sentiment=0.2),
                      entry("a", "别的话"))  # fmt: skip
    assert found == [1, 2, 2, Conflict("a")]
    assert store.latest(["a"])["a"].answer["sentiment"] == 0.2


def test_what_is_kept_comes_back_as_it_was_answered(store):
    kept = store.keep([entry("编号 '\"1", degraded=["store", "calendar"])])[0]
    expected = asdict(replace(ANSWER, id="编号 '\"1", stored=True, degraded=["calendar"]))
    assert kept.answer == to_jsonable_python(expected)
    assert list(kept.answer) == list(expected)
    assert store.latest([kept.id]) == {kept.id: kept}
    assert (kept.received_at, kept.digest) == (AT, store.digest("快递丢了"))


def test_a_new_revision_brings_the_facts_up_to_date(store):
    store.keep([entry("a", customer="c1"), entry("b")])
    store.keep([entry("a", customer=None, sentiment=0.2, received_at=AT + timedelta(days=1))])
    store.keep([entry("b", customer="c1")])
    assert store.latest(["a"])["a"].received_at == AT + timedelta(days=1)
    assert set(store.history(["c1"], days=36_500)["c1"]) == {"a", "b"}


def test_a_thousand_at_once_are_kept(store):
    many = [entry(f"{n}", f"第{n}件", customer=f"c{n}") for n in range(1_000)]
    assert revisions(store, *many) == [1] * 1_000
    assert len(store.latest([one.id for one in many])) == 1_000


@pytest.mark.parametrize("nothing", [{}, {"text": "\0 快递\0"}, {"text": "𠮷😀"}])
def test_odd_texts_are_kept(store, nothing):
    assert revisions(store, entry("a", **nothing), entry("a", **nothing)) == [1, 1]


@pytest.mark.parametrize("texts", ["masked", "original"])
def test_texts_are_kept_masked_unless_the_setting_says_otherwise(store_url, monkeypatch, texts):
    monkeypatch.setenv("TRIAGE_STORE", store_url)
    monkeypatch.setenv("TRIAGE_STORE_TEXTS", texts)
    said = "我的电话13800001234"
    facts = {"product": "机主13700001234", "resolution": "已回电13600001234"}
    one = entry("a", said, customer="客户13900001234", facts=facts)
    one = replace(one, answer=replace(one.answer, masked_text="我的电话***********"))
    with open_store() as store:
        store.keep([one])
        with store.engine.connect() as connection:
            rows = [repr(row) for table in ("assessments", "revisions")
                    for row in connection.execute(text(f"SELECT * FROM {table}"))]  # fmt: skip
    assert ("13800001234" in "".join(rows)) == (texts == "original")
    for personal in ("13900001234", "13700001234", "13600001234"):
        assert personal not in "".join(rows)
    assert "机主***********" in rows[0]


def test_customers_and_texts_are_known_by_hashes_that_differ_from_store_to_store(tmp_path):
    digests = set()
    for name in ("a", "b"):
        found = load(f"sqlite:///{tmp_path / name}.db")
        digests |= {found.digest("快递丢了"), found.seal.digest("customer", "快递丢了")}
        found.close()
    assert len(digests) == 4


def load(url):
    os.environ["TRIAGE_STORE"] = url
    try:
        return open_store()
    finally:
        del os.environ["TRIAGE_STORE"]


def test_history_is_of_the_customer_and_of_the_days_asked_for(store):
    now = datetime.now(SHANGHAI)
    for name, customer, days in (("a", "c1", 1), ("b", "c1", 89), ("c", "c1", 91), ("d", "c2", 1),
                                 ("e", None, 1)):  # fmt: skip
        store.keep([entry(name, customer=customer, received_at=now - timedelta(days=days))])
    assert store.history(["c1", "c2", "c3"], days=90) == {"c1": ["a", "b"], "c2": ["d"], "c3": []}
    assert store.history([], days=90) == {}


def test_history_of_an_id_that_all_share_is_cut(store):
    now = datetime.now(SHANGHAI)
    store.keep([entry(f"{n}", customer="0", received_at=now - timedelta(minutes=n))
                for n in range(150)])  # fmt: skip
    assert store.history(["0"], days=90)["0"] == [f"{n}" for n in range(100)]


def pages(store, limit):
    """The ids that wait for review, page by page."""
    found, after = [], None
    while True:
        page, after = store.review(after=after, limit=limit)
        found.append([kept.id for kept in page])
        if after is None:
            return found


def test_review_begins_with_the_most_urgent_and_is_paged(store):
    store.keep([
        graded("late", "major", 9), graded("soon", "major", 1), graded("grave", "severe", 24),
        graded("same", "major", 1), graded("sure", "severe", 1, decision="auto"),
        graded("likely", "major", 5, decision="suggest"), entry("clockless", deadlines=[]),
    ])  # fmt: skip
    assert pages(store, 2) == [["grave", "same"], ["soon", "likely"], ["late", "clockless"]]
    assert [kept.id for kept in store.review(decision="suggest")[0]] == ["likely"]
    assert pages(store, 4) == [["grave", "same", "soon", "likely"], ["late", "clockless"]]


def test_review_leaves_out_what_is_corrected_or_resolved_until_it_is_reopened(store):
    store.keep([entry("a"), entry("b"), entry("c"), entry("d")])
    store.add_event("a", Event("resolved", AT))
    store.add_feedback([Feedback("", "nature", "service", assessment="b")])
    store.keep([entry("c", decision="auto")])
    store.add_event("d", Event("responded", AT))
    assert pages(store, 9) == [["d"]]
    store.add_event("a", Event("reopened", AT + timedelta(hours=1)))
    assert pages(store, 9) == [["a", "d"]]


def far_cursor(*place):
    return base64.urlsafe_b64encode(json.dumps([*place, "a"]).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "W10=",
        "WzEsMl0=",
        "WyJhIiwgImIiLCAiYyJd",
        "é",
        far_cursor(10**30, "2026-01-01T00:00:00+08:00"),
        far_cursor(1, "0001-01-01T00:00:00+08:00"),
        far_cursor(1, "9999-12-31T23:00:00-08:00"),
        far_cursor(1, "2026-01-01T00:00:00"),
    ],
)
def test_a_cursor_that_is_none_is_refused(store, cursor):
    with pytest.raises(DataError, match="begin without one") as caught:
        store.review(after=cursor)
    assert caught.value.code == "cursor_invalid"


def test_events_are_kept_once_and_the_last_by_its_time_decides(store):
    store.keep([entry("a")])
    resolved = Event("resolved", AT + timedelta(hours=2), by="王女士")
    store.add_event("a", resolved)
    assert store.add_event("a", replace(resolved, at=resolved.at.astimezone())).by == "*女士"
    store.add_event("a", Event("reopened", AT + timedelta(hours=1)))
    store.add_event("a", Event("satisfaction", AT.replace(tzinfo=None), value=5))
    found = store.assessment("a")
    assert found["state"] == "resolved"
    assert [(one["kind"], one["at"], one["value"]) for one in found["events"]] == [
        ("satisfaction", AT, 5), ("reopened", AT + timedelta(hours=1), None),
        ("resolved", AT + timedelta(hours=2), None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "code", "message"),
    [
        (Event("closed"), "event_invalid", "'closed': it must be one of registered"),
        (Event("satisfaction"), "event_invalid", "value None: satisfaction needs 1 to 5"),
        (Event("satisfaction", value=6), "event_invalid", "value 6: satisfaction needs 1 to 5"),
        (Event("resolved", value=1), "event_invalid", "value 1: satisfaction needs 1 to 5"),
        (Event("resolved"), "assessment_unknown", "There is no assessment a"),
    ],
)  # fmt: skip
def test_an_event_that_is_none_is_refused(store, event, code, message):
    with pytest.raises(DataError, match=message) as caught:
        store.add_event("a", event)
    assert caught.value.code == code


def test_corrections_of_an_assessment_are_shown_and_teach_only_the_models_heads(store):
    one = entry("a", "电话13800001234")
    store.keep([replace(one, answer=replace(one.answer, masked_text="电话***********"))])
    told = [Feedback("", head, label, by="甲", why="看过", source="service", assessment="a")
            for head, label in (("nature", "service"), ("severity", "severe"), ("emotion", "calm"),
                                ("grade", "critical"), ("route", "退款组"))]  # fmt: skip
    assert (store.add_feedback(told), store.add_feedback(told)) == (5, 0)
    shown = [
        (said["head"], said["label"], said["was"]) for said in store.assessment("a")["feedback"]
    ]
    assert shown == [
        ("nature", "service", "logistics"), ("severity", "severe", "major"),
        ("emotion", "calm", "angry"), ("grade", "critical", "major"),
        ("route", "退款组", "delivery"),
    ]  # fmt: skip
    learnt = store.corrections()
    assert learnt["head"].tolist() == ["nature", "severity", "emotion"]
    assert set(learnt["key"]) == {one.key}
    assert set(learnt["text"]) == {"电话***********"}


@pytest.mark.parametrize(
    ("feedback", "code"),
    [
        (Feedback("", "grade", "severe", assessment="x"), "assessment_unknown"),
        (Feedback("", "grade", "huge", assessment="a"), "feedback_invalid"),
        (Feedback("", "sentiment", "bad", assessment="a"), "feedback_invalid"),
        (Feedback("0" * 14, "grade", "severe"), "feedback_invalid"),
    ],
)
def test_a_correction_of_no_assessment_or_no_head_is_refused(store, feedback, code):
    store.keep([entry("a")])
    with pytest.raises(DataError, match="no assessment x|must be one of|needs a key") as caught:
        store.add_feedback([Feedback("", "nature", "service", assessment="a"), feedback])
    assert caught.value.code == code
    assert store.counts()["feedback"] == 0
    assert store.assessment("a")["state"] == "open"


def test_nothing_is_known_of_an_id_that_was_never_kept(store):
    assert store.assessment("a") is None
    assert store.latest([]) == store.latest(["a"]) == {}
    assert store.keep([]) == []


def test_new_ids_sort_by_time_and_are_uuids_of_version_7():
    first = new_id()
    later = [new_id() for _ in range(1_000)]
    assert len({first, *later}) == 1_001
    assert all(name[14] == "7" and name[19] in "89ab" for name in later)
    assert first[:13] <= later[-1][:13]


step = st.tuples(
    st.sampled_from("ab"), st.sampled_from(["甲事", "乙事"]), st.sampled_from([0.1, 0.2])
)


@settings(max_examples=25, deadline=None)
@given(st.lists(step, max_size=8))
def test_one_batch_ends_as_one_by_one(tmp_path_factory, steps):
    rows = [entry(name, words, sentiment=sentiment) for name, words, sentiment in steps]
    ends = []
    for batches in ([rows], [[row] for row in rows]):
        store = load(f"sqlite:///{tmp_path_factory.mktemp('law') / 'a.db'}")
        told = [kept for batch in batches for kept in store.keep(batch)]
        ends.append([(one.id, getattr(one, "revision", 0)) for one in told])
        store.close()
    assert ends[0] == ends[1]


RACER = """
import sys
sys.path.insert(0, sys.argv[1])
from stored import entry
from triage.store import open_store
with open_store() as store:
    sys.stdin.readline()
    for n in range(60):
        for kept in store.keep([entry(f"{n}-{k}", sentiment=0.1) for k in range(5)]):
            print(kept.id, kept.revision, flush=True)
"""


def start(code):
    return subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parent)], text=True,
                            stdout=subprocess.PIPE, stdin=subprocess.PIPE)  # fmt: skip


def test_processes_that_keep_the_same_new_id_at_once_end_with_one_assessment(store):
    running = [start(RACER) for _ in range(3)]
    for process in running:
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate(timeout=120)[0].splitlines() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert told[0] == told[1] == told[2]
    assert {line.split()[1] for line in told[0]} == {"1"}
    assert store.counts()["assessments"] == store.counts()["revisions"] == 300


KEEPER = """
import sys
sys.path.insert(0, sys.argv[1])
from stored import entry
from triage.store import open_store
with open_store() as store:
    for n in range(10_000):
        store.keep([entry(f"{n}-{k}") for k in range(64)])
        print(n, flush=True)
"""


def test_a_kill_in_the_middle_loses_nothing_told_and_leaves_nothing_half(store):
    with start(KEEPER) as process:
        told = [process.stdout.readline() for _ in range(20)]
        process.kill()
        told += process.stdout.readlines()
    counts = store.counts()
    assert counts["assessments"] == counts["revisions"] >= 64 * len(told)
    assert counts["assessments"] % 64 == 0
    last = int(told[-1])
    assert len(store.latest([f"{last}-{k}" for k in range(64)])) == 64


def test_a_server_that_is_down_is_told_at_once_and_found_again(postgres_url, monkeypatch):
    monkeypatch.setenv("TRIAGE_STORE", postgres_url.url)
    with open_store(serving=True) as store:
        name = new_id()
        store.keep([entry(name)])
        postgres_url.stop()
        try:
            begun = monotonic()
            for call in (store.ping, lambda: store.latest([name]), lambda: store.keep([entry()])):
                with pytest.raises(DataError, match="the server does not answer") as caught:
                    call()
                assert caught.value.code == "store_down"
            with pytest.raises(DataError, match="the server does not answer"):
                open_store(serving=True)
            assert monotonic() - begun < 3
        finally:
            postgres_url.start()
        assert set(store.latest([name])) == {name}
        assert revisions(store, entry(name), entry()) == [1, 1]


def test_a_server_that_is_frozen_is_waited_for_no_longer_than_seconds(postgres_url, monkeypatch):
    monkeypatch.setenv("TRIAGE_STORE", postgres_url.url)
    with open_store(serving=True) as store:
        name = new_id()
        store.keep([entry(name)])
        postgres_url.freeze()
        try:
            begun = monotonic()
            with pytest.raises(DataError, match="the server does not answer") as caught:
                store.keep([entry()])
            assert caught.value.code == "store_down"
            assert monotonic() - begun < 8
        finally:
            postgres_url.thaw()
        assert set(store.latest([name])) == {name}


def test_every_kind_of_event_is_taken(store):
    store.keep([entry("a")])
    for kind in EVENTS:
        store.add_event("a", Event(kind, value=3 if kind == "satisfaction" else None))
    assert len(store.assessment("a")["events"]) == len(EVENTS)
