"""Limits with clear answers: how large a body may be, and how often a key may ask."""

import math
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triage.service.problems import ProblemResponse, Refusal, problem


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
        """Pass a request on; one that does not declare its length is counted while it is read."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = next((v for name, v in scope["headers"] if name == b"content-length"), b"")
        if not declared.isdigit():
            await self.app(scope, self._counted(receive), send)
        elif int(declared) > self.most_bytes:
            await ProblemResponse(problem("body_too_large"))(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _counted(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self.most_bytes:
                raise Refusal("body_too_large")
            return message

        return counted


class Rate:
    """How often each key may ask: a bucket that fills evenly, in this process.

    Parameters
    ----------
    per_minute : int
        Requests a minute, which may also come all at once; 0 is no limit.
    """

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> None:
        """Count one request.

        Raises
        ------
        Refusal
            429 with the limit and the seconds to wait in its headers.
        """
        if not self.per_minute:
            return
        now = time.monotonic()
        left, at = self._buckets.get(key, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - at) * self.per_minute / 60)
        if left < 1:
            wait = math.ceil((1 - left) * 60 / self.per_minute)
            raise Refusal("rate_limited", {
                "Retry-After": str(wait), "X-RateLimit-Limit": str(self.per_minute),
                "X-RateLimit-Remaining": "0",
            })  # fmt: skip
        self._buckets[key] = (left - 1, now)
