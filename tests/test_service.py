import copy
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from triage.schema import SEVERITIES
from triage.service.app import contract, create_app
from triage.service.problems import CODES, MEDIA_TYPE

FRIDGE = "快递把冰箱摔坏了，客服一直不理，再不处理我就打12315"


@pytest.fixture(scope="module")
def client(desk):
    with TestClient(create_app(desk), raise_server_exceptions=False) as client:
        yield client


def test_one_complaint_is_assessed(client):
    answer = client.post("/v1/assess", json={"text": FRIDGE, "id": "T1", "amount": 300})
    assert answer.status_code == 200
    one = answer.json()
    assert one["id"] == "T1"
    assert one["grade"] == "critical"
    assert one["signals"][0]["span"] == [16, 28]
    assert one["deadlines"][0]["due_at"].endswith("+08:00")


def test_the_answer_of_the_service_is_that_of_the_library(client, desk):
    from pydantic import TypeAdapter

    from triage import Complaint
    from triage.schema import Assessment

    facts = {"text": FRIDGE, "received_at": "2026-11-22T12:00:00"}
    answer = client.post("/v1/assess", json=facts)
    parsed = TypeAdapter(Assessment).validate_json(answer.content)
    assert parsed == desk.assess(Complaint(**facts))


def test_each_item_of_a_batch_succeeds_or_fails_alone(client):
    items = [{"text": "坏了"}, {"text": ""}, {"texts": "x"}, 3, {"text": "太贵", "id": "last"}]
    answers = client.post("/v1/assess/batch", json={"items": items}).json()["items"]
    kinds = [next(iter(answer)) for answer in answers]
    assert kinds == ["assessment", "problem", "problem", "problem", "assessment"]
    assert answers[1]["problem"]["code"] == "text_empty"
    assert answers[2]["problem"]["errors"][0]["field"] == "text"
    assert answers[4]["assessment"]["id"] == "last"
    assert client.post("/v1/assess/batch", json={"items": []}).json() == {"items": []}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"json": {"text": ""}}, "text_empty"),
        ({"json": {"text": "x" * 100_001}}, "text_too_long"),
        ({"json": {"text": "坏了", "chanel": "app"}}, "request_invalid"),
        ({"json": {"text": "坏了", "amount": -5}}, "request_invalid"),
        ({"json": {"text": 5}}, "request_invalid"),
        ({"json": []}, "request_invalid"),
        ({"content": b"{bad"}, "json_invalid"),
        ({"content": b"\xff\xfe"}, "json_invalid"),
        ({"content": b""}, "json_invalid"),
        ({"content": b"[" * 100_000}, "json_invalid"),
        ({"content": b"1" * 10_000}, "json_invalid"),
        ({"json": {"text": "坏了"}, "headers": {"content-type": "text/plain"}}, "media_type"),
        ({"json": {"text": "坏了"}, "headers": {"content-type": ""}}, "media_type"),
        ({"content": b"x" * 8_000_001}, "body_too_large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_request_gets_problem_details_with_a_stable_code(client, request_, code):
    answer = client.post(
        "/v1/assess", **{"headers": {"content-type": "application/json"}, **request_}
    )  # fmt: skip
    assert answer.headers["content-type"] == MEDIA_TYPE
    found = answer.json()
    assert (found["code"], found["status"]) == (code, answer.status_code)
    assert answer.status_code == CODES[code][0]
    assert re.search("[\u4e00-\u9fff]", found["detail"])


def test_a_problem_does_not_repeat_what_was_sent(client):
    answer = client.post("/v1/assess", json={"text": "坏了", "amount": "13800001234号"})
    assert answer.status_code == 422
    assert "13800001234" not in answer.text
    answer = client.post("/v1/assess", json={"text": "坏了", "我叫张伟，电话13800001234": 1})
    assert answer.status_code == 422
    assert "13800001234" not in answer.text and "张伟" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("GET", "/v1/nothing", "not_found"), ("GET", "/v1/assess", "method_not_allowed")],
)
def test_an_unknown_address_or_method_is_a_problem(client, method, path, code):
    assert client.request(method, path).json()["code"] == code


def test_too_large_a_batch_is_refused(client):
    answer = client.post("/v1/assess/batch", json={"items": [{"text": "坏"}] * 1001})
    assert answer.json()["code"] == "batch_too_large"


def test_a_body_without_declared_length_is_counted(client):
    def stream():
        for _ in range(10):
            yield b"x" * 1_000_000

    answer = client.post(
        "/v1/assess", content=stream(), headers={"content-type": "application/json"}
    )
    assert answer.json()["code"] == "body_too_large"


def test_an_unexpected_error_is_a_problem_without_its_text_and_alone(desk):
    broken = copy.copy(desk)
    real = desk.assess_each
    broken.assess_each = lambda sent: 1 / 0 if any(c.text == "坏了" for c in sent) else real(sent)
    with TestClient(create_app(broken), raise_server_exceptions=False) as client:
        answer = client.post("/v1/assess", json={"text": "坏了"})
        items = [{"text": "快递丢了"}, {"text": "坏了"}]
        answers = client.post("/v1/assess/batch", json={"items": items}).json()["items"]
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "division" not in answer.text
    assert answers[0]["assessment"]["nature"]["label"] == "logistics"
    assert answers[1]["problem"]["code"] == "internal"


def test_the_model_and_policy_in_force_are_named(client, desk):
    found = client.get("/v1/model").json()
    assert found["model_version"] == desk.model_version
    assert found["labels"]["severity"] == list(SEVERITIES)
    assert found["thresholds"] == desk.model.thresholds
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz").json()
    assert ready["model_version"] == found["model_version"]
    assert ready["policy_version"] == found["policy_version"]
    policy = client.get("/v1/policy").json()
    assert policy["policy_version"] == desk.policy.version
    assert policy["grades"]["severe"] == "特大"
    assert policy["routes"]["logistics"] == desk.policy.file.routes["logistics"].model_dump()
    assert policy["thresholds"] == found["thresholds"]


def test_half_a_character_is_replaced_and_does_not_stop_an_answer(client):
    body = b'{"text": "\\ud83d\xe5\x9d\x8f\xe4\xba\x86"}'
    answer = client.post("/v1/assess", content=body, headers={"content-type": "application/json"})
    assert answer.json()["masked_text"] == "\ufffd坏了"


PAGES = ("/", "/docs", "/console/console.js", "/console/review.js", "/console/console.css",
         "/console/docs.js", "/openapi.json")  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_no_page_loads_anything_from_another_host(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    loads = re.findall(r"""(?:src|href|url)\s*[=(:]\s*["']?(https?:)?//""", answer.text)
    assert loads == []
    assert "cdn" not in answer.text


def test_everything_the_pages_name_is_there(client):
    for page in ("/", "/docs"):
        for path in re.findall(r"""(?:src|href)=["'](/[^"']*)["']""", client.get(page).text):
            assert client.get(path).status_code == 200, path


def test_the_console_runs_under_a_strict_policy(client):
    for path in ("/", "/docs"):
        page = client.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "script-src 'self';" in policy
        assert not re.search(r"<script(?![^>]*src=)|style=|onclick=", page.text)


@pytest.mark.parametrize("path", ["/v1/model", "/v1/nothing", "/healthz", "/"])
def test_every_answer_carries_the_security_headers(client, path):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == ("no-cache" if path == "/" else "no-store")


def test_a_sane_request_id_is_returned_and_another_is_replaced(client):
    def returned(sent):
        return client.get("/healthz", headers={"x-request-id": sent}).headers["x-request-id"]

    assert returned("call-2026.11_22") == "call-2026.11_22"
    for sent in ("13800001234", "a b c d e f", "x" * 65, ""):
        assert returned(sent) not in (sent, "")


def test_the_contract_carries_examples_and_problems(client):
    found = client.get("/openapi.json").json()
    schemas = found["components"]["schemas"]
    assert all(schemas[name]["examples"] for name in ("Complaint", "Batch", "Event", "Correction"))
    for path, methods in found["paths"].items():
        for operation in methods.values():
            answers = operation["responses"]
            if path.startswith("/v1") or path == "/metrics":
                assert {"401", "403", "429", "500"} <= set(answers), path
                assert operation["security"] == [{"key": []}], path
            problems = [answer for status, answer in answers.items() if int(status) >= 400]
            assert all(MEDIA_TYPE in answer["content"] for answer in problems)
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(found)))
    assert references <= set(schemas)


def test_the_contract_is_the_committed_one(client):
    committed = Path(__file__).parents[1] / "docs" / "openapi.json"
    found = client.get("/openapi.json").json()
    assert found == contract()
    assert found == json.loads(committed.read_text("utf-8")), (
        "the contract has changed: if that is meant, run `triage openapi -o docs/openapi.json`"
    )


def test_every_code_is_in_the_docs_with_cause_and_cure():
    page = (Path(__file__).parents[1] / "docs" / "problems.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| ([^|]+) \| ([^|]+) \|$", page, re.MULTILINE)
    assert {code: int(status) for code, status, *_ in rows} == {
        code: status for code, (status, *_) in CODES.items()
    }
    assert all(cause.strip() and cure.strip() for *_, cause, cure in rows)


def test_concurrent_callers_get_their_own_answers(client):
    barrier = threading.Barrier(8)

    def ask(number):
        barrier.wait()
        return client.post("/v1/assess", json={"text": FRIDGE, "id": str(number)}).json()["id"]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [str(number) for number in range(8)]


def test_a_reload_puts_a_changed_policy_in_force_and_keeps_the_last_good_one(desk, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: default\nname: mine\nhuman_from: severe\n", "utf-8")
    with TestClient(create_app(desk, str(mine))) as client:
        good = client.post("/v1/reload").json()
        assert good["policy_version"].startswith("mine@")
        mine.write_text("extends: default\nname: mine\nhuman_from: huge\n", "utf-8")
        refused = client.post("/v1/reload")
        assert (refused.status_code, refused.json()["code"]) == (409, "policy_invalid")
        assert "human_from is 'huge'" in refused.json()["errors"][0]["message"]
        ready = client.get("/readyz").json()
        assert ready["policy_version"] == good["policy_version"]
        assert ready["reload_problem"]["code"] == "policy_invalid"
        answer = client.post("/v1/assess", json={"text": "快递丢了"}).json()
        assert answer["policy_version"] == good["policy_version"]
        mine.write_text("extends: default\nname: mine\n", "utf-8")
        assert client.post("/v1/reload").json()["reload_problem"] is None
