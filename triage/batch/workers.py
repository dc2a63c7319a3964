"""Processes that score parts of a file beside each other."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from threading import Thread

import pandas as pd

from triage.batch.answers import Counts, answer_rows
from triage.batch.run import Run
from triage.engine import Triage
from triage.schema import DataError

_AHEAD = 2
"""Parts a process that are read ahead of it."""

_desks: list[Triage] = []


def score_part(
    desk: Triage,
    run: Run,
    columns: Mapping[str, str],
    number: int,
    table: pd.DataFrame,
    on_step: Callable[[int], None] | None = None,
) -> Counts:
    """Score one part of a file and keep it; see `answer_rows`."""
    answered, counts = answer_rows(desk, table, columns, run.started, on_step)
    run.add(number, answered, counts)
    return counts


def score_beside(
    load: Callable[[], Triage],
    workers: int,
    versions: tuple[str, str],
    run: Run,
    columns: Mapping[str, str],
    parts: Iterable[tuple[int, pd.DataFrame]],
    on_step: Callable[[int], None],
) -> None:
    """Score parts in several processes.

    Parameters
    ----------
    load : callable
        Gives each process its desk; can be pickled.
    workers : int
        Processes.
    versions : tuple of str
        Of the model and the policy that the answers must come from.
    run, columns
        See `score_part`.
    parts : iterable of (int, DataFrame)
        Read as far as the processes need.
    on_step : callable
        Told how many more rows are done.

    Raises
    ------
    DataError
        If model or policy were changed since the run began; with code `worker_lost` if a process
        ends, as where the memory is used up.
    """
    context = get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(load,))
    waiting: set[Future[Counts]] = set()

    def settle(most: int) -> None:
        nonlocal waiting
        while len(waiting) > most:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                on_step(future.result().rows)

    try:
        for number, table in parts:
            waiting.add(pool.submit(_score, versions, run, columns, number, table))
            settle(workers * _AHEAD)
        settle(0)
    except BrokenProcessPool as error:
        raise DataError(
            "A process that scored ended unexpectedly; the memory may be used up. What is done is "
            "kept: run the same command again, with fewer --workers.",
            code="worker_lost",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(load: Callable[[], Triage]) -> None:
    """Prepare a process: it leaves Ctrl+C to its parent, and does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    _desks.append(load())


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _score(
    versions: tuple[str, str],
    run: Run,
    columns: Mapping[str, str],
    number: int,
    table: pd.DataFrame,
) -> Counts:
    desk = _desks[0]
    if (desk.model_version, desk.policy.version) != versions:
        raise DataError(
            f"The run began with {' and '.join(versions)}, but now {desk.model_version} and "
            f"{desk.policy.version} are there: run it again with --restart."
        )
    return score_part(desk, run, columns, number, table)
