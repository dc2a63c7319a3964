"""Faults against a real service under load: nothing acknowledged is lost, nothing stands twice."""

import json
import shutil
from dataclasses import asdict
from itertools import groupby

import pytest
from server import loaded, serve, until
from sqlalchemy import create_engine, text

from triage import Triage
from triage.registry import CURRENT_FILE, MANIFEST_FILE, Registry, file_digest

FIRST, SECOND = "20260101-0000", "20260102-0000"
SCORING = "scoring.json"


@pytest.fixture
def models(home, tmp_path, monkeypatch):
    """A home of its own with the trained model, promoted, and one that is surer of its natures."""
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path))
    monkeypatch.setenv("TRIAGE_WATCH_SECONDS", "0.05")
    registry = Registry(tmp_path / "models")
    for name in (FIRST, SECOND):
        shutil.copytree(Registry(home / "models").folder().path, registry.root / name)
    scoring = json.loads((registry.root / SECOND / SCORING).read_text("utf-8"))
    scoring["spaces"][0]["heads"]["nature"]["temperature"] /= 2
    (registry.root / SECOND / SCORING).write_text(json.dumps(scoring), "utf-8")
    reseal(registry.root / SECOND)
    registry.promote(FIRST)
    return registry


def reseal(folder):
    """Put the digest of a changed file into the manifest."""
    manifest = json.loads((folder / MANIFEST_FILE).read_text("utf-8"))
    manifest["files"][SCORING] = file_digest(folder / SCORING)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest), "utf-8")


@pytest.fixture(scope="module")
def texts(corpus):
    return corpus["text"][corpus["text"].str.len().between(60, 80)].head(200).tolist()


@pytest.fixture
def service(models, tmp_path):
    """Start a service in the home of `models`, with two workers."""
    return lambda **env: serve(tmp_path, "--workers", "2", **env)


def revisions(url):
    """How many revisions are kept of each id."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT a.id, count(r.revision) FROM assessments a LEFT JOIN revisions r "
                "ON r.assessment = a.id GROUP BY a.id"
            )
        ).all()
    engine.dispose()
    return dict(map(tuple, rows))


def is_stored(one):
    return one.answer.get("stored") is True


def is_spooled(one):
    return one.answer.get("stored") is False and "store" in one.answer["degraded"]


def test_kill_9_under_load_loses_nothing_acknowledged(service, store_url, texts):
    running = service(TRIAGE_STORE=store_url)
    with running, loaded(running.port, texts) as load:
        until(lambda: load.answered(is_stored) >= 200, what="200 stored answers")
        running.kill()
    stored = [one for one in load.sent if is_stored(one)]
    lost = [one for one in load.sent if not one.status]
    assert lost and len(stored) + len(lost) == len(load.sent)
    kept = revisions(store_url)
    assert {one.id for one in stored} <= set(kept) <= {one.id for one in load.sent}
    with running:
        for one in stored[::20]:
            assert running.ask(f"/v1/assessments/{one.id}")["assessment"] == one.answer
        assert all(running.ask("/v1/assess", one.complaint)["stored"] for one in lost)
    assert revisions(store_url) == {one.id: 1 for one in load.sent}


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_no_request_is_lost_while_postgres_stops_and_starts(
    service, tmp_path, store_url, postgres_url, texts
):
    running = service(TRIAGE_STORE=store_url)
    with running, loaded(running.port, texts) as load:
        until(lambda: load.answered(is_stored) >= 100, what="100 stored answers")
        postgres_url.stop()
        try:
            until(lambda: load.answered(is_spooled) >= 100, what="100 spooled answers")
        finally:
            postgres_url.start()
        wanted = load.answered(is_stored) + 100
        until(lambda: load.answered(is_stored) >= wanted, what="stored answers again")
        load.stop()
        until(lambda: not running.ask("/readyz")["spooled"], what="an empty spool")
        until(lambda: running.ask("/readyz")["store"] == "up", what="the store")
    assert {one.status for one in load.sent} == {200}
    assert all(is_stored(one) or is_spooled(one) for one in load.sent)
    assert revisions(store_url) == {one.id: 1 for one in load.sent}
    assert not list((tmp_path / "spool").glob("*.bad"))


def test_promotions_and_rollbacks_under_load_fail_no_request(service, models, texts):
    expected = {name: answers(Triage.load(name), texts) for name in (FIRST, SECOND)}
    assert expected[FIRST] != expected[SECOND]
    running = service()
    with running, loaded(running.port, texts) as load:
        until(lambda: load.answered() >= 100, what="100 answers")
        for turn in range(10):
            models.rollback() if turn % 2 else models.promote(SECOND)
            until(
                lambda: set(load.latest.values()) == {models.current()}, what="the promoted model"
            )
    assert {one.status for one in load.sent} == {200}
    for one in load.sent:
        version = one.answer["model_version"]
        assert shown(one.answer) == expected[version][one.complaint["text"]]
    for connection in load.connections:
        versions = [one.answer["model_version"] for one in load.of(connection)]
        assert [name for name, _ in groupby(versions)] == [FIRST, SECOND] * 5 + [FIRST]


def answers(desk, texts):
    return {text: shown(asdict(desk.assess(text))) for text in texts}


def shown(answer):
    """What the two models answer differently."""
    return answer["nature"]["label"], answer["nature"]["probability"], answer["decision"]


def test_an_artifact_that_was_tampered_with_is_refused_while_the_old_one_serves(
    service, models, texts
):
    (models.root / SECOND / SCORING).write_text("{}", "utf-8")
    running = service()
    with running, loaded(running.port, texts) as load:
        (models.root / CURRENT_FILE).write_text(f"{SECOND}\n", "utf-8")
        problem = until(lambda: running.ask("/readyz")["reload_problem"], what="the refusal")
        wanted = load.answered() + 100
        until(lambda: load.answered() >= wanted, what="100 more answers")
    assert problem["code"] == "model_invalid"
    assert {(one.status, one.answer["model_version"]) for one in load.sent} == {(200, FIRST)}
