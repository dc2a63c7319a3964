"""The FastAPI application: assess one or many, say which model serves, show the console."""

from collections.abc import Awaitable, Callable
from importlib import metadata, resources
from pathlib import Path
from typing import Annotated, Any

import fastapi_offline
from fastapi import Body, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field, ValidationError, WithJsonSchema
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triage.engine import Triage
from triage.policy import load_policy
from triage.schema import Assessment, Complaint, TextError, TriageError
from triage.service.problems import (
    MEDIA_TYPE,
    Problem,
    config_faults,
    field_faults,
    problem,
    problem_of,
    problem_response,
)
from triage.settings import load_settings

CONSOLE = Path(str(resources.files("triage.service"))) / "console"
DOCS_ASSETS = Path(fastapi_offline.__file__).parent / "static"

EXAMPLE_TEXT = "快递把冰箱摔坏了，客服一直不理，再不处理我就打12315"

_ComplaintItem = Annotated[Any, WithJsonSchema({"$ref": "#/components/schemas/Complaint"})]


class Batch(BaseModel):
    """Complaints that are assessed together, each succeeding or failing alone."""

    items: list[_ComplaintItem] = Field(description="Complaints; the answer keeps their order.")


class BatchItem(BaseModel):
    """The answer to one complaint of a batch: an assessment or a problem."""

    assessment: Assessment | None = None
    problem: Problem | None = None


class BatchAnswer(BaseModel):
    """The answers in the order of the request."""

    items: list[BatchItem]


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


class Health(BaseModel):
    """The process answers."""

    status: str = "ok"


class Ready(BaseModel):
    """The model is loaded; `reload_problem` says why the last reload changed nothing."""

    status: str = "ready"
    model_version: str
    policy_version: str
    reload_problem: Problem | None = None


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problem responses of a route."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    names = {400: "Invalid JSON", 409: "Broken policy", 413: "Body too large",
             422: "Invalid request"}  # fmt: skip
    return {status: {"description": names[status], "content": content} for status in statuses}


class Serving:
    """The desk that answers now, and how the last reload went.

    Parameters
    ----------
    desk : Triage
        What assesses until a reload succeeds.
    policy : str, optional
        Name or file that a reload reads again; that of the settings if absent.
    """

    def __init__(self, desk: Triage, policy: str | None = None) -> None:
        self.desk = desk
        self.policy = policy
        self.reload_problem: Problem | None = None

    def reload(self) -> None:
        """Read the policy again; what is refused changes nothing and is remembered."""
        try:
            policy = load_policy(self.policy or load_settings().policy)
        except TriageError as error:
            self.reload_problem = problem("policy_invalid", config_faults(error))
        else:
            self.desk = self.desk.under(policy)
            self.reload_problem = None


def create_app(desk: Triage | None = None, policy: str | None = None) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    desk : Triage, optional
        What assesses; the promoted model and the policy of the settings if absent.
    policy : str, optional
        Name or file of the policy that `/v1/reload` reads again; that of the settings if absent.

    Raises
    ------
    ArtifactError
        If no desk is given and no model can be loaded.
    """
    desk = desk or Triage.load()
    app = FastAPI(
        title="complaint-triage",
        version=metadata.version("complaint-triage"),
        description="Triage of Chinese customer complaints. Errors are problem details "
        "(RFC 9457) with a stable `code`.",
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.add_middleware(BodyLimit, most_bytes=desk.settings.max_body_bytes)
    _add_handlers(app)
    _add_routes(app, Serving(desk, policy))
    _add_pages(app)
    return app


def _add_routes(app: FastAPI, serving: Serving) -> None:
    @app.post(
        "/v1/assess",
        response_model=Assessment,
        responses=_problems(400, 413, 422),
        summary="Assess one complaint",
    )
    def assess(complaint: Annotated[Complaint, Body()]) -> Any:
        """Return grade, route, deadlines and reasons for one complaint."""
        return _json(serving.desk.assess(complaint))

    @app.post(
        "/v1/assess/batch",
        response_model=BatchAnswer,
        responses=_problems(400, 413, 422),
        summary="Assess many complaints",
        openapi_extra=_batch_example(),
    )
    def assess_batch(batch: Batch) -> Any:
        """Return an assessment or a problem for each complaint, in their order."""
        desk = serving.desk
        if len(batch.items) > desk.settings.max_batch:
            return problem_response(problem("batch_too_large"))
        return _json({"items": _assess_items(desk, batch.items)})

    @app.get("/v1/model", response_model=ModelInfo, summary="The model and policy in force")
    def model_info() -> ModelInfo:
        """Return versions, labels, thresholds and main figures."""
        desk = serving.desk
        manifest = desk.manifest
        return ModelInfo(
            model_version=desk.model_version,
            policy_version=desk.policy.version,
            created_at=manifest.get("created_at"),
            labels=manifest.get("labels", {}),
            thresholds=desk.model.thresholds,
            rows=manifest.get("rows", {}),
            summary=manifest.get("summary", {}),
        )

    @app.get("/healthz", response_model=Health, summary="Is the process alive?")
    def healthz() -> Health:
        """Answer as long as the process can."""
        return Health()

    @app.get("/readyz", response_model=Ready, summary="Can it assess?")
    def readyz() -> Ready:
        """Say which model and policy are loaded."""
        return _ready(serving)

    @app.post(
        "/v1/reload",
        response_model=Ready,
        responses=_problems(409),
        summary="Read the policy again",
    )
    def reload() -> Any:
        """Put a changed policy in force; a broken one is refused and the last good one stays."""
        serving.reload()
        if serving.reload_problem is not None:
            return problem_response(serving.reload_problem)
        return _ready(serving)


def _ready(serving: Serving) -> Ready:
    desk = serving.desk
    return Ready(
        model_version=desk.model_version,
        policy_version=desk.policy.version,
        reload_problem=serving.reload_problem,
    )


def _batch_example() -> dict[str, Any]:
    example = {"items": [{"text": EXAMPLE_TEXT}, {"text": "发票抬头开错了，麻烦重开一张"}]}
    return {"requestBody": {"content": {"application/json": {"example": example}}}}


def _assess_items(desk: Triage, items: list[Any]) -> list[dict[str, Any]]:
    """Check and assess the items of a batch, each alone."""
    parsed: list[Complaint | Problem] = []
    for item in items:
        try:
            parsed.append(Complaint.model_validate(item))
        except ValidationError as error:
            parsed.append(problem_of(error))
    answers = iter(desk.assess_each([item for item in parsed if isinstance(item, Complaint)]))
    found: list[dict[str, Any]] = []
    for item in parsed:
        answer = next(answers) if isinstance(item, Complaint) else item
        if isinstance(answer, TextError):
            answer = problem_of(answer)
        found.append({"problem" if isinstance(answer, Problem) else "assessment": answer})
    return found


def _json(content: Any) -> Response:
    return Response(to_json(content), media_type="application/json")


def _add_handlers(app: FastAPI) -> None:
    """Turn every error into problem details."""

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        faults = error.errors()
        if any(fault["type"] == "json_invalid" for fault in faults):
            return problem_response(problem("json_invalid"))
        return problem_response(problem("request_invalid", field_faults(faults, ())))

    @app.exception_handler(TextError)
    def text_error(request: Request, error: TextError) -> Response:
        return problem_response(problem_of(error))

    @app.exception_handler(HTTPException)
    def http_error(request: Request, error: HTTPException) -> Response:
        codes = {400: "json_invalid", 404: "not_found", 405: "method_not_allowed"}
        response = problem_response(problem(codes.get(error.status_code, "internal")))
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> Response:
        return problem_response(problem("internal"))


def _add_pages(app: FastAPI) -> None:
    """Serve the console and the docs, none of which loads anything from another host."""

    @app.get("/", include_in_schema=False)
    def console() -> FileResponse:
        return FileResponse(CONSOLE / "index.html")

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="complaint-triage · 接口文档",
            swagger_js_url="/docs-assets/swagger-ui-bundle.js",
            swagger_css_url="/docs-assets/swagger-ui.css",
            swagger_favicon_url="/docs-assets/favicon.png",
        )

    app.mount("/console", StaticFiles(directory=CONSOLE), name="console")
    app.mount("/docs-assets", StaticFiles(directory=DOCS_ASSETS), name="docs-assets")

    @app.middleware("http")
    async def headers(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        response = await call_next(request)
        response.headers["X-Content-Type-Options"] = "nosniff"
        if request.url.path == "/" or request.url.path.startswith("/console/"):
            response.headers["Content-Security-Policy"] = (
                "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
            )
        return response


class BodyLimit:
    """Answers 413 to a request body over the limit, read no further than that.

    Parameters
    ----------
    app : ASGI application
    most_bytes : int
        Largest body.
    """

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self.app = app
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its body counted."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.most_bytes:
            await problem_response(problem("body_too_large"))(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if len(body) > self.most_bytes:
                await problem_response(problem("body_too_large"))(scope, receive, send)
                return
            if not message.get("more_body"):
                break
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self.app(scope, replay, send)
