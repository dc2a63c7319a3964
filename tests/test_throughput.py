import pytest
from bench_service import measure


@pytest.mark.long
def test_a_worker_keeps_to_its_share_of_an_empty_route_and_answers_soon(home):
    found = measure(workers=1, rounds=5, seconds=3)
    assert found["ratio"] >= 0.15
    assert found["p99_ms"] < 20
