import copy
import json
import stat

import pytest
from fastapi.testclient import TestClient

from triage.schema import ConfigError, UsageError
from triage.service.app import contract, create_app
from triage.service.keys import add_key, live_keys, read_keys, revoke_key
from triage.settings import load_settings


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys.json"


@pytest.fixture
def client(desk, path, monkeypatch):
    monkeypatch.setenv("TRIAGE_KEYS", str(path))
    monkeypatch.setenv("TRIAGE_WATCH_SECONDS", "0.000001")
    mine = copy.copy(desk)
    mine.settings = load_settings()
    with TestClient(create_app(mine), base_url="http://127.0.0.1") as client:
        yield client


def asked(client, key=None, path="/v1/model", method="GET", scheme="Bearer"):
    headers = {"authorization": f"{scheme} {key}".encode()} if key else {}
    return client.request(method, path, headers=headers)


def test_a_key_is_kept_as_a_digest_for_its_owner_only(path):
    shown, key = add_key(path, "呼叫中心", ["assess"])
    content = path.read_text("utf-8")
    assert shown not in content and shown.split("_", 2)[2] not in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one["id"] for one in json.loads(content)] == [key.id]
    assert shown.startswith(f"tk_{key.id}_") and len(shown) == 3 + 8 + 1 + 43


def test_a_name_has_two_live_keys_at_most_so_that_they_can_be_rotated(path):
    _, first = add_key(path, "crm", ["assess"])
    add_key(path, "crm", ["assess"])
    with pytest.raises(UsageError, match="2 live keys already"):
        add_key(path, "crm", ["assess"])
    revoke_key(path, first.id)
    add_key(path, "crm", ["assess"])
    assert (len(live_keys(path)), len(read_keys(path))) == (2, 3)
    with pytest.raises(UsageError, match=f"No live key has the id {first.id}"):
        revoke_key(path, first.id)


def test_a_file_that_holds_no_keys_is_refused(path, desk, monkeypatch):
    path.write_text("{}", "utf-8")
    with pytest.raises(ConfigError, match="holds no keys that can be read"):
        read_keys(path)
    monkeypatch.setenv("TRIAGE_KEYS", str(path))
    mine = copy.copy(desk)
    mine.settings = load_settings()
    with pytest.raises(ConfigError, match="holds no keys"):
        create_app(mine)


def test_once_there_is_a_key_it_is_asked_for(client, path):
    assert asked(client).status_code == 200
    shown, _ = add_key(path, "crm", ["assess"])
    for key in (None, "", "x", "tk_", shown[:-1], shown + "x", "密钥", shown.upper()):
        answer = asked(client, key)
        assert (answer.status_code, answer.json()["code"]) == (401, "key_needed")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert asked(client, shown, scheme="Basic").status_code == 401
    assert asked(client, shown, scheme="bearer").status_code == 200


def test_a_revoked_key_is_refused_while_the_other_goes_on(client, path):
    old, key = add_key(path, "crm", ["assess"])
    new, _ = add_key(path, "crm", ["assess"])
    assert [asked(client, one).status_code for one in (old, new)] == [200, 200]
    revoke_key(path, key.id)
    assert [asked(client, one).status_code for one in (old, new)] == [401, 200]


@pytest.mark.parametrize("change", ["revoke", "delete", "spoil"])
def test_losing_the_last_key_opens_nothing(client, path, change):
    shown, key = add_key(path, "crm", ["admin"])
    assert asked(client, shown).status_code == 200
    if change == "revoke":
        revoke_key(path, key.id)
    elif change == "delete":
        path.unlink()
    else:
        path.write_text("[", "utf-8")
    assert asked(client).status_code == 401


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        ("assess", {"/v1/assess", "/v1/assess/batch", "/v1/assessments/x", "/v1/model"}),
        ("review", {"/v1/assessments/x", "/v1/review", "/v1/feedback", "/v1/model"}),
        ("admin", {"/v1/assess", "/v1/assess/batch", "/v1/assessments/x", "/v1/review",
                   "/v1/feedback", "/v1/model", "/v1/reload", "/v1/customers/x"}),
    ],
)  # fmt: skip
def test_a_key_may_do_what_its_scopes_say(client, path, scope, allowed):
    shown, _ = add_key(path, scope, [scope])
    routes = [("POST", "/v1/assess"), ("POST", "/v1/assess/batch"), ("GET", "/v1/assessments/x"),
              ("GET", "/v1/review"), ("POST", "/v1/feedback"), ("GET", "/v1/model"),
              ("POST", "/v1/reload"), ("DELETE", "/v1/customers/x")]  # fmt: skip
    codes = {where: asked(client, shown, where, how) for how, where in routes}
    assert {where for where, answer in codes.items() if answer.status_code != 403} == allowed
    refused = [answer.json()["code"] for answer in codes.values() if answer.status_code == 403]
    assert set(refused) <= {"scope_missing"}


def test_health_is_open_and_metrics_are_not(client, path):
    add_key(path, "crm", ["assess"])
    assert asked(client, path="/healthz").status_code == 200
    assert asked(client, path="/readyz").status_code == 200
    assert asked(client, path="/metrics").status_code == 401


@pytest.mark.parametrize(
    ("address", "host", "status"),
    [
        ("127.0.0.1", "localhost:8000", 200),
        ("127.0.0.1", "127.0.0.1", 200),
        ("127.0.0.1", "rebound.example", 403),
        ("192.0.2.7", "192.0.2.7", 403),
    ],
)
def test_without_keys_only_this_machine_is_served_under_its_own_names(
    desk, path, monkeypatch, address, host, status
):
    monkeypatch.setenv("TRIAGE_KEYS", str(path))
    mine = copy.copy(desk)
    mine.settings = load_settings()
    client = TestClient(create_app(mine), base_url=f"http://{address}")
    answer = client.get("/v1/model", headers={"host": host})
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "host_refused"


def test_the_contract_is_the_same_with_and_without_keys(client, path):
    before = client.get("/openapi.json").json()
    add_key(path, "crm", ["assess"])
    assert client.get("/openapi.json").json() == before == contract()


def test_no_key_is_written_to_the_log(client, path, caplog):
    shown, key = add_key(path, "crm", ["assess"])
    with caplog.at_level("INFO", "triage.service"):
        asked(client, shown)
        asked(client, shown + "x")
    facts = [record.facts for record in caplog.records]
    assert [one["key"] for one in facts] == [key.id, None]
    assert shown.split("_", 2)[2] not in str(facts) + caplog.text
