"""Property-based requests over the whole OpenAPI document, against a real service."""

from collections import Counter
from urllib.parse import quote

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from server import serve

from triage import Complaint
from triage.service.contract import Event
from triage.service.keys import SCOPES, add_key
from triage.settings import load_settings

BATCH = "POST /v1/assess/batch"
ERASE = "DELETE /v1/customers/{id}"
POSITIVE = schemathesis.GenerationMode.POSITIVE
KEPT = [f"工单/{number} a?#%" for number in range(5)]

AT = "the year must lie between 1970 and 2200"
TEAM = "no team of the policy in force"
BEYOND_SCHEMA = {
    "POST /v1/assess": {"text_empty", "id_conflict", AT},
    "GET /v1/assessments/{id}": {"assessment_unknown"},
    "POST /v1/assessments/{id}/events": {"assessment_unknown", AT},
    "GET /v1/review": {"cursor_invalid"},
    "POST /v1/feedback": {"assessment_unknown", TEAM},
}
"""Why a request that is sound by its schema may still be refused: a code or what a field lacks."""


@pytest.fixture(params=["open", "keyed"])
def headers(request, home, tmp_path, monkeypatch):
    """A home of its own, and what a caller sends along: nothing where no key is asked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path))
    (tmp_path / "models").symlink_to(home / "models")
    if request.param == "open":
        return {}
    key, _ = add_key(load_settings().keys_file, "all", SCOPES)
    return {"authorization": f"Bearer {key}"}


@pytest.fixture
def service(tmp_path, headers):
    """A service that keeps its answers, and knows some complaints already."""
    with serve(tmp_path) as running:
        for name in KEPT:
            running.ask("/v1/assess", {"id": name, "text": "快递丢了"}, **headers)
        yield running


def document(service):
    """The contract without its keys, which would be guessed at in place of all else.

    A discriminator that leads several values to one schema is taken to allow only one of them.
    """
    found = service.ask("/openapi.json")
    del found["components"]["schemas"]["Event"]["discriminator"]
    for path in found["paths"].values():
        for operation in path.values():
            operation.pop("security", None)
    return found


def ask_all(service, headers, total):
    """Send so many requests, sound and unsound ones alike; count answers by operation."""
    schema = schemathesis.openapi.from_dict(document(service))
    operations = [found.ok() for found in schema.get_all_operations()]
    asked = [one for one in operations if one.body or any(one.iter_parameters())]
    answered = Counter()
    with requests.Session() as session:
        session.headers.update(headers)
        call = {"base_url": f"http://127.0.0.1:{service.port}", "session": session}
        for operation in operations:
            for mode in schemathesis.GenerationMode if operation in asked else [POSITIVE]:
                answered += ask(operation, mode, -(-total // (2 * len(asked))), call)
    return answered


def ask(operation, mode, examples, call):
    """Send requests to one operation; those that are sound speak of what is known, often."""
    answered = Counter()
    excluded = [positive_data_acceptance, *[negative_data_rejection] * (operation.label == BATCH)]

    @settings(max_examples=examples, deadline=None, database=None, derandomize=True,
              phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(operation.as_strategy(mode), st.sampled_from([None, *KEPT]))
    def run(case, known):
        if mode == POSITIVE and known:
            name_known(case, known)
        answer = case.call_and_validate(excluded_checks=excluded, **call)
        answered[operation.label, answer.status_code] += 1
        if mode == POSITIVE and answer.status_code >= 300:
            assert reasons(answer.json()) <= BEYOND_SCHEMA[operation.label]
        elif mode != POSITIVE and operation.label == BATCH and answer.status_code == 200:
            assert any("problem" in item for item in answer.json()["items"])

    run()
    return answered


def reasons(problem):
    """The code of a problem; where it names fields, what is wrong with each."""
    faults = {fault["message"].removeprefix("Value error, ") for fault in problem["errors"]}
    return faults or {problem["code"]}


def name_known(case, known):
    if case.operation.path.startswith("/v1/assessments/"):
        case.path_parameters["id"] = quote(known, safe="")
    elif case.operation.path == "/v1/feedback":
        case.body["id"] = known


def check(answered, total):
    asked, fine = Counter(), Counter()
    for (operation, status), count in answered.items():
        asked[operation] += count
        fine[operation] += count * (status == 200)
    assert answered.total() >= total
    assert len(asked) == 13 and all(fine[operation] for operation in asked)
    for operation in {*BEYOND_SCHEMA, BATCH, ERASE}:
        assert asked[operation] > total / 10
        assert fine[operation] > total / 50


def test_a_thousand_requests_find_no_server_error_and_no_answer_off_contract(service, headers):
    check(ask_all(service, headers, 1_000), 1_000)


@pytest.mark.long
def test_twenty_thousand_requests_find_none_either(service, headers):
    check(ask_all(service, headers, 20_000), 20_000)


@pytest.mark.parametrize("moment", [20261122, 0, 1.5, True, "20261122", " 1e3 "])
def test_a_number_is_no_time(moment):
    with pytest.raises(ValidationError, match="a number is no time"):
        Complaint(text="快递丢了", received_at=moment)


@pytest.mark.parametrize("fact", ["amount", "repeat_count"])
@pytest.mark.parametrize("value", [True, "3"])
def test_a_truth_value_or_a_text_is_no_number(fact, value):
    with pytest.raises(ValidationError, match="must be a number"):
        Complaint(text="快递丢了", **{fact: value})


def test_a_complaint_goes_from_its_assessment_to_its_erasure(service, headers):
    schema = schemathesis.openapi.from_dict(document(service))
    one, customer = {"id": "工单/1"}, {"id": "客户 1"}
    flow = [
        (
            "POST",
            "/v1/assess",
            {},
            {**one, "text": "空调漏电，孩子被电伤了", "customer_id": "客户 1"},
        ),
        ("GET", "/v1/assessments/{id}", one, None),
        ("GET", "/v1/review", {}, None),
        ("POST", "/v1/assessments/{id}/events", one, {"kind": "responded"}),
        ("POST", "/v1/feedback", {}, {**one, "grade": "critical", "by": "王组长"}),
        ("DELETE", "/v1/customers/{id}", customer, None),
        ("GET", "/v1/assessments/{id}", one, None),
    ]
    answers = []
    for method, path, names, body in flow:
        quoted = {name: quote(value, safe="") for name, value in names.items()}
        sent = {"body": body, "media_type": "application/json"} if body else {}
        case = schema[path][method].Case(path_parameters=quoted, headers=headers, **sent)
        url = f"http://127.0.0.1:{service.port}"
        answers.append(
            case.call_and_validate(base_url=url, excluded_checks=[positive_data_acceptance])
        )
    bodies = [answer.json() for answer in answers]
    assert [answer.status_code for answer in answers] == [200] * 6 + [404]
    assert bodies[1]["assessment"] == bodies[0]
    assert one["id"] in [item["id"] for item in bodies[2]["items"]]
    assert [event["kind"] for event in bodies[3]["events"]] == ["responded"]
    counts = {"assessments": 1, "revisions": 1, "events": 1, "feedback": 1, "spooled": 0}
    assert (bodies[4]["added"], bodies[5]["erased"]) == (1, counts)


@pytest.mark.parametrize("value", ["4", True])
def test_satisfaction_is_a_number(value):
    with pytest.raises(ValidationError, match="must be a number"):
        Event.model_validate({"kind": "satisfaction", "value": value})


def test_every_operation_that_says_so_needs_a_key(service, headers):
    for path, operations in service.ask("/openapi.json")["paths"].items():
        for method, operation in operations.items():
            url = f"http://127.0.0.1:{service.port}{path}"
            found = requests.request(method, url, headers={"authorization": "Bearer tk_1_x"})
            assert (found.status_code == 401) == bool(headers and "security" in operation), url
