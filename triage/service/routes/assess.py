"""Assess one or many."""

from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import ValidationError
from pydantic_core import to_json

from triage.schema import Assessment, Complaint
from triage.service.contract import Batch, BatchAnswer, read_body, refusals, sends
from triage.service.direct import Direct
from triage.service.intake import Answer
from triage.service.parts import Parts
from triage.service.problems import Problem, Refusal, problem_of

JSON = "application/json"
_SENT = ("json_invalid", "media_type", "body_too_large", "request_invalid", "busy", "time_budget")


def add_assess(app: FastAPI, parts: Parts) -> None:
    """Add `/v1/assess` and `/v1/assess/batch`."""
    router = APIRouter(route_class=Direct)

    @router.post(
        "/v1/assess",
        response_model=Assessment,
        responses=refusals("text_empty", "text_too_long", "id_conflict", *_SENT),
        dependencies=parts.allow("assess"),
        openapi_extra=sends(Complaint),
        summary="Assess one complaint",
    )
    async def assess(request: Request) -> Response:
        """Return grade, route, deadlines and reasons for one complaint.

        The caller's `id` makes it idempotent: the same text again gives the latest revision, a
        new one if the answer has changed; another text is refused. `stored` is true only once the
        answer is on disk.
        """
        answer = await parts.intake.assess(await read_body(request, Complaint))
        if isinstance(answer, Problem):
            raise Refusal(answer)
        return Response(answer, media_type=JSON)

    @router.post(
        "/v1/assess/batch",
        response_model=BatchAnswer,
        responses=refusals("batch_too_large", *_SENT),
        dependencies=parts.allow("assess"),
        openapi_extra=sends(Batch),
        summary="Assess many complaints",
    )
    async def assess_batch(request: Request) -> Response:
        """Return an assessment or a problem for each complaint, in their order."""
        batch = await read_body(request, Batch)
        if len(batch.items) > parts.settings.max_batch:
            raise Refusal("batch_too_large")
        checked = [_checked(item) for item in batch.items]
        sound = [one for one in checked if isinstance(one, Complaint)]
        answers = iter(await parts.intake.assess_batch(sound) if sound else ())
        items = [_item(next(answers) if isinstance(one, Complaint) else one) for one in checked]
        return Response(b'{"items":[%b]}' % b",".join(items), media_type=JSON)

    app.router.routes += router.routes


def _item(answer: Answer) -> bytes:
    if isinstance(answer, Problem):
        return b'{"problem":%b}' % to_json(answer)
    return b'{"assessment":%b}' % answer


def _checked(item: Any) -> Complaint | Problem:
    try:
        return Complaint.model_validate(item)
    except ValidationError as error:
        return problem_of(error)
