"""The FastAPI application: its parts, its life, and every error as problem details."""

import asyncio
import contextlib
import gc
import logging
import sys
from collections.abc import AsyncIterator, Callable
from importlib import metadata
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from starlette.exceptions import HTTPException

from triage.engine import Triage
from triage.schema import DataError
from triage.service import metrics, routes
from triage.service.contract import add_contract
from triage.service.direct import Shortcut
from triage.service.edge import Edge
from triage.service.intake import Intake
from triage.service.keeping import LOOK_SECONDS, PURGE_SECONDS, Keeping
from triage.service.keys import Keyring
from triage.service.limits import BodyLimit, Rate
from triage.service.parts import Parts
from triage.service.problems import ProblemResponse, Refusal, field_faults, problem, problem_of
from triage.service.watch import Serving
from triage.settings import load_settings

LOG = logging.getLogger("triage.service")

SWITCH_SECONDS = 0.0005
"""How long a thread that computes keeps the others waiting: the default, 5 ms, is a tenth of what
a caller is ready to wait for."""

GARBAGE = 10_000
"""New objects from which the youngest are looked through, in place of 700."""

HTTP_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


class ServeOptions(BaseSettings):
    """What `triage serve` tells its worker processes, by the environment."""

    model_config = SettingsConfigDict(env_prefix="TRIAGE_SERVE_", frozen=True, extra="ignore")

    model: str | None = None
    keep: bool = True


def serve_app() -> FastAPI:
    """Build the application of one worker process, as the environment says."""
    options = ServeOptions()
    sys.setswitchinterval(SWITCH_SECONDS)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    app = create_app(model=options.model, keep=options.keep)
    gc.collect()
    gc.freeze()  # model and code need no looking through: a full collection stops every caller
    gc.set_threshold(GARBAGE)
    return app


def create_app(
    desk: Triage | None = None,
    policy: str | None = None,
    *,
    model: str | None = None,
    keep: bool = False,
) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    desk : Triage, optional
        What assesses, as long as the process lives; the promoted model, followed from promotion to
        promotion, if absent.
    policy : str, optional
        Name or file of the policy that `/v1/reload` reads again; that of the settings if absent.
    model : str, optional
        Version to load in place of the promoted one, and to stay with.
    keep : bool
        Whether answers are kept in the store that the settings name.

    Raises
    ------
    ArtifactError
        If no desk is given and no model can be loaded.
    ConfigError
        If the policy, the store's URL or the file of keys can't be used.
    """
    given = desk is not None
    desk = desk or Triage.load(model, policy=policy)
    settings = desk.settings
    serving = Serving(desk, policy, model, follow=not given)
    keeping = Keeping(settings) if keep else None
    parts = Parts(
        settings, serving, keeping, Intake(serving, keeping, settings),
        Keyring(settings.keys_file, settings.watch_seconds), Rate(settings.rate_per_minute),
    )  # fmt: skip
    return _application(parts)


def contract() -> dict[str, Any]:
    """Return the OpenAPI document, which depends on no model, key or store."""
    nothing: Any = None
    parts = Parts(load_settings(), nothing, None, nothing, nothing, Rate(0))
    return _application(parts).openapi()


def _application(parts: Parts) -> FastAPI:
    """Put routes, layers and handlers together."""
    app = FastAPI(
        title="complaint-triage",
        version=metadata.version("complaint-triage"),
        description="Triage of Chinese customer complaints. Errors are problem details "
        "(RFC 9457) with a stable `code`.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lambda _: _living(parts),
    )
    app.add_middleware(Shortcut, routes=app.routes)
    app.add_middleware(BodyLimit, most_bytes=parts.settings.max_body_bytes)
    app.add_middleware(Edge)
    _add_handlers(app)
    routes.add_assess(app, parts)
    routes.add_assessments(app, parts)
    routes.add_review(app, parts)
    routes.add_operation(app, parts)
    routes.add_pages(app)
    add_contract(app)
    return app


@contextlib.asynccontextmanager
async def _living(parts: Parts) -> AsyncIterator[None]:
    """Warm up, watch while serving, and finish what is at hand."""
    await asyncio.to_thread(parts.serving.warm_up)
    jobs = [_every(parts.settings.watch_seconds, parts.serving.look)]
    if keeping := parts.keeping:
        jobs += [_every(LOOK_SECONDS, keeping.look), _every(PURGE_SECONDS, keeping.purge)]
    tasks = [asyncio.create_task(job) for job in jobs]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.to_thread(parts.intake.close)
    if keeping:
        await asyncio.to_thread(keeping.close)
    metrics.leave()


async def _every(seconds: float, job: Callable[[], None]) -> None:
    """Do a job again and again, until cancelled; one failure is no end."""
    while True:
        try:
            await asyncio.to_thread(job)
        except Exception as error:
            LOG.exception("background job failed", exc_info=error)
        await asyncio.sleep(seconds)


def _add_handlers(app: FastAPI) -> None:
    """Turn every error into problem details."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Response:
        return ProblemResponse(error.problem, error.headers)

    @app.exception_handler(DataError)
    async def wrong(request: Request, error: DataError) -> Response:
        return ProblemResponse(problem_of(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return ProblemResponse(problem("request_invalid", field_faults(error.errors(), ())))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        return ProblemResponse(
            problem(HTTP_CODES.get(error.status_code, "internal")), error.headers
        )
