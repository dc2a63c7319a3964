"""What Prometheus reads; labels are routes, codes and grades, never an id or a text.

Several worker processes share their numbers through the files of `PROMETHEUS_MULTIPROC_DIR`, which
must be set before this module is imported.
"""

import os
from functools import cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

from triage.schema import Assessment

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the page and say when a worker began

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)

REQUESTS = Counter(
    "triage_requests", "Requests by route, status and problem code.", ["route", "status", "code"]
)
LATENCY = Histogram(
    "triage_request_seconds", "Seconds from request to answer.", ["route"], buckets=SECONDS
)
ASSESSMENTS = Counter(
    "triage_assessments", "Assessments by grade and decision.", ["grade", "decision"]
)
DEGRADED = Counter("triage_degraded", "Assessments in which a part fell back.", ["part"])
PENDING = Gauge("triage_pending", "Requests that wait or work.", multiprocess_mode="livesum")
SPOOLED = Gauge("triage_spool_pending", "Answers not yet in the store.", multiprocess_mode="max")
STORE_UP = Gauge("triage_store_up", "1 while the store answers.", multiprocess_mode="livemin")
RELOADS = Counter("triage_reloads", "Model and policy reloads by outcome.", ["outcome"])
MODEL = Gauge(
    "triage_model_info", "1 for the model and policy in force.", ["model", "policy"],
    multiprocess_mode="livemax",
)  # fmt: skip


def observe(route: str, status: int, code: str, seconds: float) -> None:
    """Count one answered request."""
    requests, latency = _observed(route, status, code)
    requests.inc()
    latency.observe(seconds)


@cache
def _observed(route: str, status: int, code: str) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(route, str(status), code), LATENCY.labels(route)


def count(answer: Assessment) -> None:
    """Count one assessment."""
    _assessed(answer.grade, answer.decision).inc()
    for part in answer.degraded:
        DEGRADED.labels(part).inc()


@cache
def _assessed(grade: str, decision: str) -> Counter:
    return ASSESSMENTS.labels(grade, decision)


def in_force(model: str, policy: str) -> None:
    """Name what answers from now on; versions before keep a 0, since files can't forget."""
    for sample in next(iter(MODEL.collect())).samples:
        MODEL.labels(**sample.labels).set(0)
    MODEL.labels(model, policy).set(1)


def exposition() -> tuple[bytes, str]:
    """Return all numbers of all workers, and their media type."""
    registry = REGISTRY
    if MULTIPROCESS in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST


def leave() -> None:
    """Take this process out of the sums over living workers."""
    if MULTIPROCESS in os.environ:
        multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]
