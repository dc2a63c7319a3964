import asyncio
import time

import pytest
from bench_service import measure

from triage import Complaint
from triage.service.intake import Intake
from triage.service.watch import Serving


def group_sizes(desk, monkeypatch, callers):
    """How many complaints are worked on together, when each caller asks five or six times."""
    sizes = []
    intake = Intake(Serving(desk, follow=False), None, desk.settings)

    def work(complaints, desk):
        sizes.append(len(complaints))
        time.sleep(0.005)
        return [b"{}"] * len(complaints)

    async def ask_again(number):
        await asyncio.sleep(number / 1000)
        for _ in range(5 + number % 2):
            await intake.assess(Complaint(text="快递丢了"))
            await asyncio.sleep(0.0005)

    async def ask_all():
        await asyncio.wait_for(asyncio.gather(*map(ask_again, range(callers))), 20)

    monkeypatch.setattr(intake, "_work", work)
    asyncio.run(ask_all())
    intake.close()
    return sizes


def test_many_callers_are_answered_together(desk, monkeypatch):
    monkeypatch.setattr("triage.service.intake.LINGER", 0.5)
    sizes = group_sizes(desk, monkeypatch, callers=16)
    assert sum(sizes) == 8 * 5 + 8 * 6 and max(sizes) == 16 and len(sizes) <= 10


def test_few_callers_wait_for_no_other(desk, monkeypatch):
    monkeypatch.setattr("triage.service.intake.LINGER", 3600)
    assert sum(group_sizes(desk, monkeypatch, callers=3)) == 5 + 6 + 5


@pytest.mark.long
def test_a_worker_keeps_to_its_share_of_an_empty_route_and_answers_soon(home):
    found = measure(workers=1, rounds=5, seconds=3)
    assert found["ratio"] >= 0.15
    assert found["p99_ms"] < 20
