"""Faults against a real service under load: nothing acknowledged is lost, nothing stands twice."""

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import asdict
from itertools import groupby
from urllib.parse import quote

import pytest
from server import loaded, serve, until
from sqlalchemy import MetaData, create_engine, make_url, text

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


def test_a_worker_that_is_killed_is_replaced_and_leaves_no_trace(service, tmp_path, texts):
    running = service()
    with running, loaded(running.port, texts, 16) as load:
        until(lambda: load.answered(is_stored) >= 200, what="200 stored answers")
        before = running.workers()
        os.kill(min(before), signal.SIGKILL)
        until(lambda: len(running.workers() - before) == 1, what="another worker")
        wanted = load.answered() + 100
        until(lambda: load.answered() >= wanted, what="100 more answers")
        load.stop()
        until(lambda: number(running, "triage_pending") == 0, what="nothing pending")
    assert {one.status for one in load.sent} == {0, 200}
    stored = {one.id for one in load.sent if is_stored(one)}
    kept = revisions(f"sqlite:///{tmp_path / 'triage.db'}")
    assert stored <= set(kept)
    assert set(kept.values()) == {1}


def number(running, name):
    """A number of the service's metrics."""
    return float(re.search(rf"^{name} (\S+)", running.ask("/metrics"), re.M)[1])


def test_a_service_that_is_told_to_stop_answers_all_that_it_took(service, tmp_path, texts):
    running = service()
    with running, loaded(running.port, texts, 16) as load:
        until(lambda: load.answered(is_stored) >= 200, what="200 stored answers")
        assert running.stop() == 0
    answered = [one for one in load.sent if one.status]
    assert all(map(is_stored, answered))
    assert revisions(f"sqlite:///{tmp_path / 'triage.db'}") == {one.id: 1 for one in answered}
    assert "Traceback" not in running.output()


SAID = {
    "name": "欧阳明远", "mobile": "13987654321", "identity": "330106199003071236",
    "card": "6222021205006543213", "house": "477号12幢3单元502室",
}  # fmt: skip
TOLD = (
    "我叫{name}，电话{mobile}，身份证{identity}，银行卡{card}，住在杭州市西湖区文三路{house}，"
    "快递丢了"
)
CUSTOMER, NAME = "客户7788甲", "工单5577乙"
COMPLAINT = {"id": NAME, "customer_id": CUSTOMER, "text": TOLD.format(**SAID)}
OTHER = {**COMPLAINT, "text": COMPLAINT["text"] + "，没人管"}
SPOILT = [
    ("/v1/assess", [COMPLAINT]),
    ("/v1/assess", {"content": COMPLAINT["text"], "customer": CUSTOMER, SAID["mobile"]: 1}),
    ("/v1/assess", COMPLAINT | {"kind": SAID["name"], "amount": SAID["mobile"]}),
    ("/v1/assess", COMPLAINT | {"received_at": SAID["identity"], "customer_id": [CUSTOMER]}),
    ("/v1/assess", OTHER),
    ("/v1/assess/batch", {"items": COMPLAINT}),
    ("/v1/assess/batch", {"items": [COMPLAINT | {"kind": SAID["name"]}, COMPLAINT["text"], OTHER]}),
    ("/v1/feedback", {"id": f"{NAME}?", "grade": "minor", "by": SAID["name"]}),
    ("/v1/feedback", {"id": NAME, "grade": COMPLAINT["text"]}),
    (f"/v1/assessments/{quote(NAME)}/events", {"kind": COMPLAINT["text"], "at": CUSTOMER}),
    (f"/v1/customers/{quote(CUSTOMER)}?{SAID['mobile']}", COMPLAINT),
]


def test_personal_data_gets_nowhere(models, tmp_path, store_url, request):
    running = serve(tmp_path, TRIAGE_STORE=store_url)
    sound = json.dumps(COMPLAINT).encode()
    with running:
        assert running.ask("/v1/assess", COMPLAINT)["stored"]
        shown = [running.send(path, json.dumps(body).encode()) for path, body in SPOILT]
        shown += [
            running.send("/v1/assess", sound[:-1]),
            running.send("/v1/assess", COMPLAINT["text"].encode("gb18030")),
            running.send("/v1/assess", sound, kind=quote(CUSTOMER)),
            running.send(f"/v1/assessments/{quote(NAME)}/{SAID['mobile']}", None, "GET"),
            running.send(f"/v1/review?after={quote(COMPLAINT['text'])}", None, "GET"),
        ]
        with socket.create_connection(("127.0.0.1", running.port)) as raw:
            raw.sendall(f"{SAID['mobile']} {CUSTOMER}\r\n\r\n".encode())
            shown.append(raw.makefile().read())
        with down(store_url, request):
            late = [one | {"id": f"{NAME}2"} for one in (COMPLAINT, OTHER)]
            assert not any(running.ask("/v1/assess", one)["stored"] for one in late)
            waiting = list((tmp_path / "spool").glob("*"))
            waiting = b"".join(file.read_bytes() for file in waiting)
        until(lambda: not running.ask("/readyz")["spooled"], what="an empty spool")
        metrics = running.ask("/metrics")
        assert running.stop() == 0
    assert all('"code":' in one or "Invalid HTTP request" in one for one in shown)
    for said in (*shown, metrics, running.output()):
        assert not found(said.encode(), NAME, CUSTOMER, *SAID.values())
    tables = dump(store_url)
    assert "文三路" in waiting.decode() and "文三路" in tables
    assert len(list((tmp_path / "spool").glob("*.bad"))) == 1
    for content in (waiting, tables.encode(), *files(tmp_path, store_url, request)):
        assert not found(content, CUSTOMER, *SAID.values())


@contextmanager
def down(url, request):
    """No store for as long as the block lasts: stopped, or held by another writer."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(make_url(url).database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE").close()
            yield
        return
    server = request.getfixturevalue("postgres_url")
    server.stop()
    try:
        yield
    finally:
        server.start()


def dump(url):
    """All rows of all tables."""
    engine, tables = create_engine(url, pool_pre_ping=True), MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        rows = [connection.execute(table.select()).all() for table in tables.sorted_tables]
    engine.dispose()
    return str(rows)


def files(home, url, request):
    """The bytes of all files that the service and its database wrote."""
    folders = [home]
    if not url.startswith("sqlite"):
        folders.append(request.getfixturevalue("postgres_url").folder)
    for folder in folders:
        for file in folder.rglob("*"):
            if file.is_file() and home / "models" not in file.parents:
                yield file.read_bytes()


def found(content, *words):
    """Which of these words stand in the bytes, in one spelling or another."""
    return [
        word
        for word in words
        if any(one.encode() in content for one in (word, json.dumps(word)[1:-1], quote(word)))
    ]
