"""What the policy sent to people, and what people say of it."""

from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from pydantic_core import to_json

from triage.service.contract import (
    Corrected,
    Correction,
    Queue,
    as_json,
    read_body,
    refusals,
    sends,
)
from triage.service.parts import Parts
from triage.service.problems import FieldFault, Refusal, problem
from triage.store import FEEDBACK_HEADS, Feedback, Kept, Store

_STORED = ("busy", "time_budget", "store_down", "store_off")


def add_review(app: FastAPI, parts: Parts) -> None:
    """Add `/v1/review` and `/v1/feedback`."""

    @app.get(
        "/v1/review",
        response_model=Queue,
        responses=refusals("request_invalid", "cursor_invalid", *_STORED),
        dependencies=parts.allow("review"),
        summary="What waits for a person",
    )
    async def review(
        after: Annotated[
            str | None, Query(max_length=500, description="`next` of the page before.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=200, description="Most items of a page.")] = 50,
        decision: Annotated[
            Literal["review", "suggest"] | None,
            Query(description="Only what a person has to judge, or only what a person confirms."),
        ] = None,
    ) -> Any:
        """Return assessments that need a person: the gravest first, then the soonest due."""
        items, following = await parts.intake.ask(_page, after, limit, decision)
        content = b'{"items":[%b],"next":%b}' % (
            b",".join(one.json for one in items),
            to_json(following),
        )
        return Response(content, media_type="application/json")

    @app.post(
        "/v1/feedback",
        response_model=Corrected,
        responses=refusals(
            "assessment_unknown", "json_invalid", "media_type", "body_too_large",
            "request_invalid", *_STORED,
        ),
        dependencies=parts.allow("review"),
        openapi_extra=sends(Correction),
        summary="Correct or confirm an assessment",
    )  # fmt: skip
    async def feedback(request: Request) -> Any:
        """Keep what a person says is right; it takes the assessment off the review queue."""
        sent = await read_body(request, Correction)
        if sent.route is not None and sent.route not in _teams(parts):
            fault = FieldFault(field="body.route", message="no team of the policy in force")
            raise Refusal(problem("request_invalid", [fault]))
        said = [
            Feedback(
                key="", head=head, label=label, by=sent.by, why=sent.why, source="service",
                assessment=sent.id,
            )
            for head in FEEDBACK_HEADS
            if (label := getattr(sent, head)) is not None
        ]  # fmt: skip
        added = await parts.intake.ask(_say, sent.id, said)
        return as_json({"id": sent.id, "added": added})


def _page(
    store: Store, after: str | None, limit: int, decision: str | None
) -> tuple[list[Kept], str | None]:
    return store.review(after=after, limit=limit, decision=decision)


def _say(store: Store, id: str, said: list[Feedback]) -> int:
    if not said and store.assessment(id) is None:
        raise Refusal("assessment_unknown")
    return store.add_feedback(said)


def _teams(parts: Parts) -> set[str]:
    file = parts.serving.desk.policy.file
    return {file.default_route.team, *(one.team for one in file.routes.values())}
