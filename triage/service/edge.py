"""The outermost layer: request ids, headers, one log line and one count for each request.

Plain ASGI: Starlette's own middleware class would run each request in a task of its own.
"""

import logging
import re
import secrets
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triage.service import metrics
from triage.service.problems import ProblemResponse, problem

LOG = logging.getLogger("triage.service")

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")

_ALL = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_ANSWER = [
    *_ALL,
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]
_POLICY = (
    b"default-src 'self'; script-src 'self'; style-src 'self'%s; img-src 'self' data:; "
    b"object-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_PAGE = [*_ALL, (b"cache-control", b"no-cache"), (b"content-security-policy", _POLICY % b"")]
_DOCS = [
    *_ALL,
    (b"cache-control", b"no-cache"),
    (b"content-security-policy", _POLICY % b" 'unsafe-inline'"),
]


class Edge:
    """Gives each answer its headers, and each request a line in the log.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; an error that nobody caught becomes a problem."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        request_id = _request_id(scope)
        headers = [*_headers(scope["path"]), (b"x-request-id", request_id)]
        answered: list[Message] = []

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered.append(message)
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            LOG.exception("unexpected", exc_info=error)
            if not answered:
                await ProblemResponse(problem("internal"))(scope, receive, answer)
        finally:
            if answered:
                _record(scope, answered[0], request_id.decode(), perf_counter() - started)


def _request_id(scope: Scope) -> bytes:
    """Return the caller's request id if it is harmless, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value) and not value.isdigit():
            return bytes(value)
    return secrets.token_hex(8).encode()


def _headers(path: str) -> list[tuple[bytes, bytes]]:
    if path.startswith("/docs"):
        return _DOCS
    return _PAGE if path == "/" or path.startswith("/console/") else _ANSWER


def _record(scope: Scope, start: Message, request_id: str, seconds: float) -> None:
    """Log and count an answer: its route, never its path."""
    state = scope.get("state", {})
    route, status = getattr(scope.get("route"), "path_format", "-"), start["status"]
    code = state.get("code", "") if status >= 400 else ""
    metrics.observe(route, status, code, seconds)
    LOG.info("", extra={"facts": {
        "request": request_id, "method": scope["method"], "route": route, "status": status,
        "ms": round(seconds * 1000, 2), "key": state.get("key"), **({"code": code} if code else {}),
    }})  # fmt: skip
