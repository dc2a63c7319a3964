import json
import logging
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from server import serve, until

from triage.cli.serve import _check_keys, _train, _versions
from triage.registry import Registry
from triage.schema import ArtifactError, UsageError
from triage.service.app import create_app
from triage.service.keys import add_key
from triage.service.logs import JsonLines, PlainLines
from triage.settings import load_settings


@pytest.fixture
def models(home, tmp_path, monkeypatch):
    """A home of its own with two copies of the trained model, the first one promoted."""
    trained = Registry(home / "models").folder()
    for name in ("20260101-0000", "20260102-0000"):
        shutil.copytree(trained.path, tmp_path / "models" / name)
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path))
    monkeypatch.setenv("TRIAGE_WATCH_SECONDS", "0.05")
    registry = Registry(tmp_path / "models")
    registry.promote("20260101-0000")
    return registry


def version(client):
    return client.get("/readyz").json()["model_version"]


def test_a_promoted_model_is_noticed_and_a_rollback_too(models):
    with TestClient(create_app()) as client:
        assert version(client) == "20260101-0000"
        models.promote("20260102-0000")
        until(lambda: version(client) == "20260102-0000")
        answer = client.post("/v1/assess", json={"text": "快递丢了"}).json()
        assert answer["model_version"] == "20260102-0000"
        models.rollback()
        until(lambda: version(client) == "20260101-0000")


def test_a_spoilt_model_is_refused_and_the_old_one_goes_on(models):
    with TestClient(create_app()) as client:
        spoilt = models.root / "20260102-0000" / "metrics.json"
        spoilt.write_text("{}", "utf-8")
        (models.root / "current").write_text("20260102-0000\n", "utf-8")
        until(lambda: client.get("/readyz").json()["reload_problem"])
        found = client.get("/readyz").json()
        assert found["model_version"] == "20260101-0000"
        assert found["reload_problem"]["code"] == "model_invalid"
        refused = client.post("/v1/reload")
        assert (refused.status_code, refused.json()["code"]) == (409, "model_invalid")
        assert 'triage_reloads_total{outcome="refused"}' in client.get("/metrics").text
        answer = client.post("/v1/assess", json={"text": "快递丢了"}).json()
        assert answer["model_version"] == "20260101-0000"
        models.promote("20260101-0000")
        until(lambda: not client.get("/readyz").json()["reload_problem"])


def test_a_named_model_stays(models):
    with TestClient(create_app(model="20260101-0000")) as client:
        models.promote("20260102-0000")
        time.sleep(0.3)
        assert client.post("/v1/reload").json()["model_version"] == "20260101-0000"


def test_a_reload_reaches_the_other_workers(models, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: default\nname: mine\n", "utf-8")
    with TestClient(create_app(policy=str(mine))) as one, TestClient(
        create_app(policy=str(mine))
    ) as other:  # fmt: skip
        before = other.get("/readyz").json()["policy_version"]
        mine.write_text("extends: default\nname: mine\nhuman_from: severe\n", "utf-8")
        after = one.post("/v1/reload").json()["policy_version"]
        assert after != before
        until(lambda: other.get("/readyz").json()["policy_version"] == after)


def test_metrics_count_without_naming_anybody(desk):
    with TestClient(create_app(desk)) as client:
        client.post("/v1/assess", json={"text": "我叫张伟，电话13800001234，快递丢了", "id": "T77"})
        client.get("/v1/assessments/T77")
        page = client.get("/metrics").text
    assert re.search(
        r'triage_requests_total\{code="",route="/v1/assess",status="200"\} [1-9]', page
    )
    assert 'code="store_off",route="/v1/assessments/{id}",status="503"' in page
    assert re.search(r'triage_assessments_total\{decision="\w+",grade="\w+"\} [1-9]', page)
    assert f'triage_model_info{{model="{desk.model_version}"' in page
    assert not re.search("T77|张伟|13800001234", page)


def test_the_log_names_the_route_and_nothing_that_was_sent(desk, caplog):
    with TestClient(create_app(desk)) as client, caplog.at_level(logging.INFO, "triage.service"):
        client.get("/v1/assessments/T77?q=13800001234", headers={"x-request-id": "call-0001"})
        client.post("/v1/assess", json={"text": "我叫张伟，快递丢了", "13800001234": 1})
    lines = [JsonLines().format(record) for record in caplog.records]
    first = json.loads(lines[0])
    assert first["request"] == "call-0001"
    assert (first["route"], first["status"]) == ("/v1/assessments/{id}", 503)
    assert (first["code"], first["key"]) == ("store_off", "-")
    assert first["ms"] > 0
    assert not re.search("T77|张伟|13800001234", "".join(lines))
    assert re.search(r"INFO request=call-0001 method=GET", PlainLines().format(caplog.records[0]))


def test_an_error_is_logged_with_its_place_and_without_its_words():
    try:
        int("13800001234号")
    except ValueError as error:
        record = logging.LogRecord("x", 40, "", 1, "it failed", (), (type(error), error, None))
    line = json.loads(JsonLines().format(record))
    assert line["message"] == "it failed"
    assert re.fullmatch(
        r"test_an_error_\w+\(test_service_life\.py:\d+\) > ValueError", line["error"]
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_another_address_than_loopback_needs_a_key_first(models, tmp_path, host):
    settings = load_settings()
    with pytest.raises(UsageError, match="triage keys add"):
        _check_keys(host, settings)
    _check_keys("127.0.0.1", settings)
    add_key(settings.keys_file, "crm", ["assess"])
    _check_keys(host, settings)


def test_without_a_model_one_is_trained_if_asked_for(empty_home, monkeypatch):
    with pytest.raises(ArtifactError, match="--train-if-missing"):
        _versions(None, None)
    commands = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    _train()
    assert commands == [[sys.executable, str(Path(__file__).parents[1] / "train.py")]]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_real_service_starts_answers_counts_and_stops(models, tmp_path, workers):
    with serve(tmp_path, "--workers", workers) as server:
        for number in range(10):
            one = server.ask("/v1/assess", {"text": "快递丢了", "id": f"T{number}"})
            assert one["stored"]
        page = server.ask("/metrics")
        code = server.stop()
    counted = re.findall(r'requests_total\{code="",route="/v1/assess",status="200"\} (\S+)', page)
    assert sum(map(float, counted)) == 10
    output = server.output()
    assert (code, "控制台 http://127.0.0.1" in output) == (0, True)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert sum(line.get("route") == "/v1/assess" for line in lines) == 10
    assert "Traceback" not in output
