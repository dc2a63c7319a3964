"""Which model and policy answer, reload them, and whether the service is well."""

import asyncio

from fastapi import FastAPI, Request, Response

from triage.service import metrics
from triage.service.contract import Health, ModelInfo, PolicyInfo, PolicyTeam, Ready, refusals
from triage.service.parts import Parts
from triage.service.problems import Refusal


def add_operation(app: FastAPI, parts: Parts) -> None:
    """Add `/v1/model`, `/v1/policy`, `/v1/reload`, `/healthz`, `/readyz` and `/metrics`."""
    serving = parts.serving

    @app.get(
        "/v1/model",
        responses=refusals(),
        dependencies=parts.allow(),
        summary="The model and policy in force",
    )
    async def model() -> ModelInfo:
        """Return versions, labels, thresholds and main figures."""
        desk = serving.desk
        manifest = desk.manifest
        return ModelInfo(
            model_version=desk.model_version,
            policy_version=desk.policy.version,
            created_at=manifest.get("created_at"),
            labels=manifest.get("labels", {}),
            thresholds=dict(desk.model.thresholds),
            rows=manifest.get("rows", {}),
            summary=manifest.get("summary", {}),
        )

    @app.get(
        "/v1/policy",
        responses=refusals(),
        dependencies=parts.allow(),
        summary="The policy in force",
    )
    async def policy() -> PolicyInfo:
        """Return display names, routes, target precisions, thresholds and legal clocks."""
        return _policy_info(parts)

    @app.post(
        "/v1/reload",
        responses=refusals("policy_invalid", "model_invalid"),
        dependencies=parts.allow("admin"),
        summary="Read policy and model again",
    )
    async def reload(request: Request) -> Ready:
        """Put a changed policy or a promoted model in force, in all workers.

        What is broken is refused, and the last good one goes on.
        """
        await asyncio.to_thread(serving.reload)
        if serving.reload_problem is not None:
            raise Refusal(serving.reload_problem)
        serving.announce()
        if parts.keeping is not None:
            version = serving.desk.model_version
            await asyncio.to_thread(parts.keeping.note, "reload", request.state.key, version)
        return _ready(parts)

    @app.get("/healthz", summary="Is the process alive?")
    async def healthz() -> Health:
        """Answer as long as the process can."""
        return Health()

    @app.get("/readyz", summary="Can it assess?")
    async def readyz() -> Ready:
        """Say which model and policy are loaded, and whether the store answers."""
        return _ready(parts)

    @app.get(
        "/metrics",
        responses=refusals(),
        response_class=Response,
        dependencies=parts.allow(),
        summary="Numbers for Prometheus",
    )
    def exposition() -> Response:
        """Return the numbers of all workers; no id and no text is among them."""
        content, media_type = metrics.exposition()
        return Response(content, headers={"content-type": media_type})


def _ready(parts: Parts) -> Ready:
    desk, keeping = parts.serving.desk, parts.keeping
    return Ready(
        model_version=desk.model_version,
        policy_version=desk.policy.version,
        store="off" if keeping is None else "up" if keeping.up else "down",
        spooled=keeping.spool.pending() if keeping else 0,
        reload_problem=parts.serving.reload_problem,
    )


def _policy_info(parts: Parts) -> PolicyInfo:
    desk = parts.serving.desk
    file = desk.policy.file
    return PolicyInfo(
        policy_version=desk.policy.version,
        grades=dict(file.labels.severity),
        natures=file.labels.nature,
        emotions=file.labels.emotion,
        routes={
            nature: PolicyTeam(team=one.team, name=one.name) for nature, one in file.routes.items()
        },
        default_route=PolicyTeam(team=file.default_route.team, name=file.default_route.name),
        target_precision=file.target_precision.model_dump(),
        thresholds=dict(desk.model.thresholds),
        human_from=file.human_from,
        regimes=file.regimes,
    )
