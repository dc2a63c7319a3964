"""The road of a request: earlier contacts → assess → keep → answer, in groups and in order."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import monotonic
from typing import TypeVar

from pydantic import TypeAdapter

from triage.data import ticket_key
from triage.engine import Triage
from triage.schema import Assessment, Complaint, TextError
from triage.service import metrics
from triage.service.keeping import Keeping
from triage.service.problems import Problem, Refusal, problem, problem_of
from triage.service.watch import Serving
from triage.settings import Settings
from triage.store import Entry, Kept, new_id

LOG = logging.getLogger("triage.service")

GROUP = 64
"""Most complaints that are worked on together."""

MANY = 8
"""Callers from which a group waits for those who were just answered."""

LINGER = 0.003
"""Most seconds that those who were just answered have to ask again, where many ask, so that the
next group takes all: at 16 connections a fifth more answers a second than by two groups in turns.
"""

SLICE = 32
"""Complaints of a batch that are worked on together."""

LONG = 2_000
"""Characters from which a text takes the slow lane, where it makes no short one wait."""

Answer = bytes | Problem
"""An assessment as JSON, ready to be sent, or what is wrong."""

History = Mapping[str, Collection[str]]
T = TypeVar("T")
_ANSWER = TypeAdapter(Assessment)


@dataclass(slots=True)
class _Waiting:
    """One complaint that waits for the next group."""

    complaint: Complaint
    since: float
    answer: asyncio.Future[Answer]


class Intake:
    """Takes complaints in the order of arrival and answers them in groups.

    Two threads work: one for short complaints, one for batches, very long texts and whatever else
    asks the store.

    Parameters
    ----------
    serving : Serving
        What assesses.
    keeping : Keeping or None
        Where answers are kept; they are not if it is None.
    settings : Settings
        How many may wait, and how long.
    """

    def __init__(self, serving: Serving, keeping: Keeping | None, settings: Settings) -> None:
        self.serving = serving
        self.keeping = keeping
        self.settings = settings
        self._quick = ThreadPoolExecutor(1, "quick")
        self._slow = ThreadPoolExecutor(1, "slow")
        self._waiting: deque[_Waiting] = deque()
        self._working = False
        self._lingering: asyncio.TimerHandle | None = None
        self._expected = 0
        self._inside = 0

    async def assess(self, complaint: Complaint) -> Answer:
        """Assess and keep one complaint.

        Raises
        ------
        Refusal
            503 if too many wait, or this one has waited for too long.
        """
        with self._entered():
            if len(complaint.text) > LONG:
                return (await self._in_slow(self._work, [complaint], self.serving.desk))[0]
            loop = asyncio.get_running_loop()
            waiting = _Waiting(complaint, monotonic(), loop.create_future())
            self._waiting.append(waiting)
            if not self._working:
                self._working = True
                loop.call_soon(self._next)
            elif self._lingering and len(self._waiting) >= self._expected:
                self._next()
            return await waiting.answer

    async def assess_batch(self, complaints: Sequence[Complaint]) -> list[Answer]:
        """Assess and keep many complaints, which do not see each other.

        Raises
        ------
        Refusal
            503 if too many wait, or the work could not begin in time.
        """
        with self._entered():
            desk, answers = self.serving.desk, list[Answer]()
            earlier = await self._in_slow(self._history, complaints)
            for begin in range(0, len(complaints), SLICE):
                part = complaints[begin : begin + SLICE]
                answers += await self._in_slow(self._work, part, desk, earlier, patient=begin > 0)
            return answers

    async def ask(self, call: Callable[..., T], *args: object) -> T:
        """Ask the store something in the slow lane.

        Raises
        ------
        Refusal
            503 if nothing is kept, the store is down, or too many wait.
        """
        if self.keeping is None:
            raise Refusal("store_off")
        with self._entered():
            return await self._in_slow(self.keeping.asked, call, *args)

    def close(self) -> None:
        """Finish what is being worked on."""
        self._quick.shutdown()
        self._slow.shutdown()

    @contextmanager
    def _entered(self) -> Iterator[None]:
        if self._inside >= self.settings.max_pending:
            raise Refusal("busy")
        self._inside += 1
        metrics.PENDING.inc()
        try:
            yield
        finally:
            self._inside -= 1
            metrics.PENDING.dec()

    async def _in_slow(self, call: Callable[..., T], *args: object, patient: bool = False) -> T:
        """Run a call in the slow lane, unless it has waited there for too long."""
        since = monotonic()

        def run() -> T:
            if not patient and self._late(since):
                raise Refusal("time_budget")
            return call(*args)

        return await asyncio.get_running_loop().run_in_executor(self._slow, run)

    def _late(self, since: float) -> bool:
        return (monotonic() - since) * 1000 > self.settings.time_budget_ms

    def _next(self) -> None:
        """Send the next group to its thread."""
        if self._lingering:
            self._lingering.cancel()
            self._lingering = None
        group: list[_Waiting] = []
        while self._waiting and len(group) < GROUP:
            waiting = self._waiting.popleft()
            if self._late(waiting.since):
                waiting.answer.set_exception(Refusal("time_budget"))
            else:
                group.append(waiting)
        self._working = bool(group)
        if group:
            loop = asyncio.get_running_loop()
            done = loop.run_in_executor(
                self._quick, self._work, [one.complaint for one in group], self.serving.desk
            )
            done.add_done_callback(lambda done: self._answer(group, done))

    def _answer(self, group: Sequence[_Waiting], done: asyncio.Future[list[Answer]]) -> None:
        """Hand out the answers of a group and go on with the next."""
        error = done.exception()
        for at, waiting in enumerate(group):
            if waiting.answer.done():
                continue
            if error:
                waiting.answer.set_exception(error)
            else:
                waiting.answer.set_result(done.result()[at])
        self._expected = min(GROUP, len(group) + len(self._waiting))
        if self._expected >= MANY:
            self._lingering = asyncio.get_running_loop().call_later(LINGER, self._next)
        else:
            self._next()

    def _work(
        self, complaints: Sequence[Complaint], desk: Triage, earlier: History | None = None
    ) -> list[Answer]:
        """Answer a group of complaints, each succeeding or failing alone."""
        if self.keeping is not None:
            known = self.keeping.known({one.id for one in complaints if one.id})
            earlier = self._history(complaints) if earlier is None else earlier
            complaints = [_told(one, known, earlier) for one in complaints]
        answers = _assess_each(desk, complaints)
        pairs = zip(answers, complaints, strict=True)
        kept = iter(self._kept([(a, one) for a, one in pairs if isinstance(a, Assessment)]))
        return [next(kept) if isinstance(one, Assessment) else problem_of(one) for one in answers]

    def _history(self, complaints: Sequence[Complaint]) -> History:
        customers = {one.customer_id for one in complaints if one.customer_id}
        return self.keeping.history(customers) if self.keeping else {}

    def _kept(self, pairs: list[tuple[Assessment, Complaint]]) -> list[Answer]:
        """Keep what was assessed; where that is not possible, say so in the answer."""
        kept = self.keeping.keep([_entry(*pair) for pair in pairs]) if self.keeping else None
        answers = [answer for answer, _ in pairs]
        if self.keeping and kept is None:
            answers = [replace(one, degraded=[*one.degraded, "store"]) for one in answers]
        for one in answers:
            metrics.count(one)
        if kept is None:
            return [_ANSWER.dump_json(one) for one in answers]
        return [one.json if isinstance(one, Kept) else problem("id_conflict") for one in kept]


def _entry(answer: Assessment, complaint: Complaint) -> Entry:
    assert answer.id
    key = ticket_key(complaint.text)
    return Entry(id=answer.id, text=complaint.text, answer=answer, complaint=complaint, key=key)


def _told(complaint: Complaint, known: Mapping[str, Kept], earlier: History) -> Complaint:
    """Add what the store knows: the id, when it came first, and how often the customer has come."""
    facts: dict[str, object] = {}
    if not complaint.id:
        facts["id"] = new_id()
    elif complaint.received_at is None and complaint.id in known:
        facts["received_at"] = known[complaint.id].received_at
    if complaint.customer_id:
        others = sum(one != complaint.id for one in earlier.get(complaint.customer_id, ()))
        if others > (complaint.repeat_count or 0):
            facts["repeat_count"] = others
    return complaint.model_copy(update=facts) if facts else complaint


def _assess_each(
    desk: Triage, complaints: Sequence[Complaint]
) -> list[Assessment | TextError | Exception]:
    """Assess a group; if one breaks it, each alone, so that only that one fails."""
    try:
        return list(desk.assess_each(complaints))
    except Exception as error:
        LOG.exception("group of %d failed", len(complaints), exc_info=error)
        if len(complaints) == 1:
            return [error]
        return [one for each in complaints for one in _assess_each(desk, [each])]
