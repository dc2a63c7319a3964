"""A connection to PostgreSQL that does not wait for ever."""

from __future__ import annotations

from collections.abc import Generator
from time import monotonic
from typing import Any

import psycopg


class HurriedConnection(psycopg.Connection[Any]):
    """Gives up when the server says nothing for `seconds`, as a machine that is frozen does.

    The server's own limits can't end a wait then, nor can the network's: it still acknowledges.
    """

    seconds = 2.5

    def wait(self, gen: Generator[Any, Any, Any], *more: Any, **named: Any) -> Any:
        """Wait for a step of the protocol.

        Raises
        ------
        psycopg.OperationalError
            If it takes too long; the connection is closed then.
        """
        return super().wait(self._bounded(gen), *more, **named)

    def _bounded(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Go through the steps of a generator until the time is over."""
        until = monotonic() + self.seconds
        try:
            state = next(gen)
            while True:
                ready = yield state
                if not ready and monotonic() > until:
                    self.close()
                    raise psycopg.OperationalError("the server said nothing for too long")
                state = gen.send(ready)
        except StopIteration as end:
            return end.value
