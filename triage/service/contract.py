"""The contract: what comes in, what goes out, and the OpenAPI document that says so."""

import json
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    RootModel,
    ValidationError,
    WithJsonSchema,
)
from pydantic.json_schema import models_json_schema
from pydantic_core import to_json

from triage.schema import (
    Assessment,
    Complaint,
    Grade,
    Name,
    ShanghaiTime,
    Text,
    need_number,
)
from triage.service.problems import CODES, MEDIA_TYPE, Problem, Refusal, field_faults, problem
from triage.service.watch import EXAMPLE_TEXT

REFERENCE = "#/components/schemas/{model}"

_Model = TypeVar("_Model", bound=BaseModel)
_ComplaintItem = Annotated[Any, WithJsonSchema({"$ref": "#/components/schemas/Complaint"})]


class _Sent(BaseModel):
    """What callers send: unknown fields are refused, so that no misspelt one is lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Batch(_Sent):
    """Complaints that are assessed together, each succeeding or failing alone."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"items": [{"text": EXAMPLE_TEXT}, {"text": "发票抬头开错了，麻烦重开"}]}]
        }
    )

    items: list[_ComplaintItem] = Field(description="Complaints; the answer keeps their order.")


class BatchItem(BaseModel):
    """The answer to one complaint of a batch: an assessment or a problem."""

    assessment: Assessment | None = None
    problem: Problem | None = None


class BatchAnswer(BaseModel):
    """The answers in the order of the request."""

    items: list[BatchItem]


class Step(_Sent):
    """A step that a complaint has reached."""

    kind: Literal["registered", "responded", "planned", "resolved", "reopened"]
    at: ShanghaiTime | None = Field(None, description="When; now if absent.")


class Satisfaction(_Sent):
    """How content the customer was in the end."""

    kind: Literal["satisfaction"]
    value: Annotated[int, BeforeValidator(need_number)] = Field(
        ge=1, le=5, description="1 worst to 5 best."
    )
    at: ShanghaiTime | None = Field(None, description="When; now if absent.")


class Event(RootModel[Annotated[Step | Satisfaction, Field(discriminator="kind")]]):
    """Something that happened to a complaint, as the caller's own system reports it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"kind": "responded", "at": "2026-11-22T10:05:00+08:00"},
                         {"kind": "satisfaction", "value": 4}]
        }
    )  # fmt: skip


class Correction(_Sent):
    """What a person says is right about an assessment; the answer's own label confirms it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": "T1", "nature": "logistics", "grade": "major", "by": "王组长",
                          "why": "破损发生在运输途中"}]
        }
    )  # fmt: skip

    id: Annotated[Name, Field(min_length=1)] = Field(description="The id of the assessment.")
    nature: Annotated[Name, Field(min_length=1)] | None = Field(None, description="Right nature.")
    severity: Grade | None = Field(None, description="Right severity.")
    emotion: Literal["calm", "annoyed", "angry", "furious"] | None = Field(
        None, description="Right emotion."
    )
    grade: Grade | None = Field(None, description="Right grade.")
    route: Annotated[Name, Field(min_length=1)] | None = Field(
        None, description="Right team, by its id."
    )
    by: Name | None = Field(None, description="Who says so.")
    why: Annotated[Text, Field(max_length=2_000)] | None = Field(None, description="Why.")


class Corrected(BaseModel):
    """How many corrections were new; the same one again adds nothing."""

    id: str
    added: int


class RevisionInfo(BaseModel):
    """One revision of an assessment."""

    revision: int
    at: datetime
    model_version: str
    policy_version: str


class EventInfo(BaseModel):
    """One event as it is kept."""

    kind: str
    at: datetime
    value: int | None = None
    by: str | None = Field(None, description="The id of the key that reported it.")


class FeedbackInfo(BaseModel):
    """One correction as it is kept."""

    head: str
    label: str
    was: str | None = None
    by: str | None = None
    why: str | None = None
    source: str
    at: datetime


class Record(BaseModel):
    """The latest revision of an assessment with all that is known of it; the newest last."""

    assessment: Assessment
    created_at: datetime
    state: Literal["open", "corrected", "resolved"]
    revisions: list[RevisionInfo]
    events: list[EventInfo]
    feedback: list[FeedbackInfo]


class Queue(BaseModel):
    """A page of what waits for a person, most urgent first."""

    items: list[Assessment]
    next: str | None = Field(description="Cursor of the next page, none on the last one.")


class Erased(BaseModel):
    """How much was deleted, by table."""

    erased: dict[str, int]


class ModelInfo(BaseModel):
    """Which model and policy answer."""

    model_version: str
    policy_version: str
    created_at: str | None = Field(description="When the model was trained.")
    labels: dict[str, list[str]] = Field(description="Labels of each head.")
    thresholds: dict[str, float] = Field(
        description="Least probability of the nature for `suggest`, and for `auto` of the nature "
        "times that of a severity no graver than the grade; above 1 is never."
    )
    rows: dict[str, int] = Field(description="Training, test and base rows.")
    summary: dict[str, Any] = Field(description="The main figures of its evaluation.")


class PolicyTeam(BaseModel):
    """A team by its id and name."""

    team: str
    name: str


class PolicyInfo(BaseModel):
    """The policy in force."""

    policy_version: str
    grades: dict[str, str] = Field(description="Display names of the grades.")
    natures: dict[str, str] = Field(description="Display names of the natures.")
    emotions: dict[str, str] = Field(description="Display names of the emotions.")
    routes: dict[str, PolicyTeam] = Field(description="The team of each nature.")
    default_route: PolicyTeam
    target_precision: dict[str, float] = Field(
        description="How often the nature must be right for `auto` and `suggest`."
    )
    thresholds: dict[str, float] = Field(description="What the model needs to reach it.")
    human_from: Grade = Field(description="From this grade on nothing is automatic.")
    regimes: list[str] = Field(description="Legal clocks that are switched on.")


class Health(BaseModel):
    """The process answers."""

    status: str = "ok"


class Ready(BaseModel):
    """The model is loaded; `reload_problem` says why the last reload changed nothing."""

    status: str = "ready"
    model_version: str
    policy_version: str
    store: Literal["up", "down", "off"] = "off"
    spooled: int = Field(0, description="Answers that wait for the store.")
    reload_problem: Problem | None = None


def as_json(content: Any) -> Response:
    """Return a JSON answer, written in one pass."""
    return Response(to_json(content), media_type="application/json")


def refusals(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Describe the problem responses of a route, by their codes."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in ("key_needed", "scope_missing", "host_refused", "rate_limited", "internal", *codes):
        status, title, _ = CODES[code]
        known = found.setdefault(status, {"content": {
            MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="Problem")}}
        }})  # fmt: skip
        known["description"] = "; ".join(
            filter(None, (known.get("description"), f"{code} {title}"))
        )
    return found


def sends(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a JSON body that the route itself reads, which costs less than FastAPI's way."""
    schema = {"$ref": REFERENCE.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {
        "schema": schema}}}}  # fmt: skip


async def read_body(request: Request, model: type[_Model]) -> _Model:
    """Read and check the JSON body of a request.

    Raises
    ------
    Refusal
        415 for another media type, 400 if it is no JSON, 422 if it breaks the contract.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (
        kind.startswith("application/") and kind.endswith("+json")
    ):
        raise Refusal("media_type")
    body = await request.body()
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        if faults[0]["type"] != "json_invalid":
            raise Refusal(problem("request_invalid", field_faults(faults, ("body",)))) from error
    return _read_oddly(body, model)


def _read_oddly(body: bytes, model: type[_Model]) -> _Model:
    """Read JSON that holds half a character of UTF-16, as callers that cut texts do send."""
    try:
        return model.model_validate(json.loads(body))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise Refusal(problem("request_invalid", field_faults(faults, ("body",)))) from error
    except (ValueError, RecursionError) as error:
        raise Refusal("json_invalid") from error


def add_contract(app: FastAPI) -> None:
    """Make the OpenAPI document name the bodies that the routes read themselves."""

    def contract() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(
                title=app.title, version=app.version, description=app.description,
                routes=app.routes, separate_input_output_schemas=False,
            )  # fmt: skip
            _, schemas = models_json_schema(
                [(Complaint, "validation"), (Batch, "validation"), (Event, "validation"),
                 (Correction, "validation"), (Problem, "validation")],
                ref_template=REFERENCE,
            )  # fmt: skip
            found["components"]["schemas"] |= schemas["$defs"]
            app.openapi_schema = found
        return app.openapi_schema

    app.openapi = contract  # type: ignore[method-assign]
