import asyncio
import copy
import time

import pytest
from fastapi.testclient import TestClient

from triage.schema import Complaint
from triage.service.app import create_app
from triage.service.intake import LONG, Intake
from triage.service.problems import Refusal
from triage.service.watch import Serving
from triage.settings import load_settings


@pytest.fixture
def limited(desk, monkeypatch, tmp_path):
    """Build a desk under other limits, which may be made slow."""
    monkeypatch.setenv("TRIAGE_KEYS", str(tmp_path / "keys.json"))

    def build(seconds=0.0, **settings):
        for name, value in settings.items():
            monkeypatch.setenv(f"TRIAGE_{name.upper()}", str(value))
        mine = copy.copy(desk)
        mine.settings = load_settings()

        def assess_each(complaints):
            groups.append([one.text for one in complaints])
            time.sleep(seconds)
            return desk.assess_each(complaints)

        mine.assess_each = assess_each
        return mine

    groups = build.groups = []
    return build


def test_a_key_over_its_rate_is_told_when_to_come_back(limited):
    with TestClient(create_app(limited(rate_per_minute=3))) as client:
        answers = [client.post("/v1/assess", json={"text": "快递丢了"}) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[3].json()["code"] == "rate_limited"
        assert 1 <= int(answers[3].headers["retry-after"]) <= 20
        assert answers[3].headers["x-ratelimit-limit"] == "3"
        assert client.get("/healthz").status_code == 200


def test_a_limit_of_the_settings_holds_for_bodies_and_batches(limited):
    with TestClient(create_app(limited(max_body_bytes=1_000, max_batch=2))) as client:
        long = client.post("/v1/assess", json={"text": "坏" * 1_000})
        batch = client.post("/v1/assess/batch", json={"items": [{"text": "坏"}] * 3})
    assert (long.status_code, long.json()["code"]) == (413, "body_too_large")
    assert (batch.status_code, batch.json()["code"]) == (422, "batch_too_large")


def together(desk, texts):
    """Send texts to an intake at once; return what came back, refusals as their codes."""

    async def ask():
        intake = Intake(Serving(desk, follow=False), None, desk.settings)
        calls = (intake.assess(Complaint(text=text)) for text in texts)
        found = await asyncio.gather(*calls, return_exceptions=True)
        intake.close()
        return found

    found = asyncio.run(ask())
    return [one.problem.code if isinstance(one, Refusal) else type(one) for one in found]


def test_more_than_may_wait_are_refused_at_once(limited):
    found = together(limited(max_pending=3), [f"快递丢了{n}" for n in range(5)])
    assert found == [bytes, bytes, bytes, "busy", "busy"]


def test_what_waited_too_long_is_refused_before_its_work_begins(limited):
    desk = limited(seconds=0.15, time_budget_ms=50)

    async def ask():
        intake = Intake(Serving(desk, follow=False), None, desk.settings)
        first = asyncio.ensure_future(intake.assess(Complaint(text="快递丢了")))
        await asyncio.sleep(0.03)
        late = await asyncio.gather(intake.assess(Complaint(text="太贵")), return_exceptions=True)
        assert isinstance(await first, bytes)
        intake.close()
        return late[0]

    assert asyncio.run(ask()).problem.code == "time_budget"
    assert limited.groups == [["快递丢了"]]


def test_those_who_wait_are_taken_together_in_their_order(limited):
    texts = [f"快递丢了{n}" for n in range(40)]
    assert together(limited(), texts) == [bytes] * 40
    assert limited.groups == [texts]


def test_a_very_long_text_makes_no_short_one_wait(limited):
    texts = ["快递丢了。" * LONG, "快递丢了"]
    assert together(limited(), texts) == [bytes, bytes]
    assert sorted(map(len, limited.groups)) == [1, 1]


def test_a_batch_is_worked_on_in_slices(limited):
    desk = limited()
    with TestClient(create_app(desk)) as client:
        items = [{"text": f"快递丢了{n}"} for n in range(100)]
        answers = client.post("/v1/assess/batch", json={"items": items}).json()["items"]
    assert [one["assessment"]["masked_text"] for one in answers] == [one["text"] for one in items]
    assert max(map(len, limited.groups)) <= 32
