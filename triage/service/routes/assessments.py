"""What was kept of a complaint, what happened to it since, and erasing a customer."""

from typing import Annotated, Any

from fastapi import FastAPI, Path, Request
from pydantic import BeforeValidator
from starlette.convertors import Convertor, register_url_convertor

from triage.schema import replace_surrogates
from triage.service.contract import Erased, Event, Record, as_json, read_body, refusals, sends
from triage.service.parts import Parts
from triage.service.problems import Refusal
from triage.store import Event as Happened
from triage.store import Store

_SENT = ("json_invalid", "media_type", "body_too_large", "request_invalid")
_STORED = ("busy", "time_budget", "store_down", "store_off")


class _Id(Convertor[str]):
    """An id of the caller, which may hold slashes, up to the end or to `/events`."""

    regex = r"(?s:(?!/events$).)+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _Customer(_Id):
    """A customer's id, which may hold anything, line breaks too."""

    regex = r"(?s:.)+"


register_url_convertor("caller_id", _Id())
register_url_convertor("customer_id", _Customer())

_Kept = Annotated[str, BeforeValidator(replace_surrogates)]
AssessmentId = Annotated[
    _Kept, Path(max_length=200, description="The id of the assessment.", examples=["T1"])
]


def add_assessments(app: FastAPI, parts: Parts) -> None:
    """Add `/v1/assessments/{id}`, its events, and `/v1/customers/{id}`."""

    @app.get(
        "/v1/assessments/{id:caller_id}",
        response_model=Record,
        responses=refusals("assessment_unknown", "request_invalid", *_STORED),
        dependencies=parts.allow("assess", "review"),
        summary="An assessment as it is kept",
    )
    async def assessment(id: AssessmentId) -> Any:
        """Return the latest revision, with the times of all, events and feedback."""
        return as_json(await _record(parts, id))

    @app.post(
        "/v1/assessments/{id:caller_id}/events",
        response_model=Record,
        responses=refusals("assessment_unknown", *_SENT, *_STORED),
        dependencies=parts.allow("assess", "review"),
        openapi_extra=sends(Event),
        summary="Report what happened to a complaint",
    )
    async def event(id: AssessmentId, request: Request) -> Any:
        """Keep an event, so that clocks stop; the same event again adds nothing."""
        sent = (await read_body(request, Event)).root
        happened = Happened(
            kind=sent.kind, at=sent.at, value=getattr(sent, "value", None), by=request.state.key
        )
        await parts.intake.ask(Store.add_event, id, happened)
        return as_json(await _record(parts, id))

    @app.delete(
        "/v1/customers/{id:customer_id}",
        response_model=Erased,
        responses=refusals("request_invalid", *_STORED),
        dependencies=parts.allow("admin"),
        summary="Erase everything of a customer",
    )
    async def erase(
        id: Annotated[_Kept, Path(max_length=200, description="The customer's id.")],
        request: Request,
    ) -> Any:
        """Delete all that is kept of a customer, by PIPL; the audit log says how much and when."""
        erased = await parts.intake.ask(Store.erase_customer, id, request.state.key)
        return as_json({"erased": erased})


async def _record(parts: Parts, id: str) -> dict[str, Any]:
    found: dict[str, Any] | None = await parts.intake.ask(Store.assessment, id)
    if found is None:
        raise Refusal("assessment_unknown")
    return found
