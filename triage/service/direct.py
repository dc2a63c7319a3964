"""The short way to routes that read their requests themselves, past FastAPI's layers."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from triage.service.problems import ProblemResponse, Refusal


class Direct(APIRoute):
    """A route whose endpoint reads the request itself: only its guards come before."""

    async def answer(self, request: Request) -> Response:
        """Answer a request, or say why it is refused."""
        try:
            for guard in self.dependencies:
                if guard.dependency:
                    await guard.dependency(request)
            found: Response = await self.endpoint(request)
        except Refusal as error:
            return ProblemResponse(error.problem, error.headers)
        return found

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request that came the long way."""
        return self.answer


class Shortcut:
    """Takes a request to its direct route; all others go the long way, by FastAPI's layers.

    Those layers, which match routes and solve parameters that there are none of, cost half of what
    the service adds to an assessment.

    Parameters
    ----------
    app : ASGI application
    routes : sequence of route
        All of the application's.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self.direct = {
            (method, route.path): route
            for route in routes
            if isinstance(route, Direct)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        route = self.direct.get((scope.get("method", ""), scope.get("path", "")))
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = route
        answer = await route.answer(Request(scope, receive))
        await answer(scope, receive, send)
