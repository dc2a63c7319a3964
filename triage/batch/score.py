"""Score a table of complaints of any size and write the answers beside its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import file_digest
from importlib import metadata
from pathlib import Path
from typing import Any

from triage.batch.run import Run, open_run
from triage.batch.workers import score_beside, score_part
from triage.batch.write import check_target, join_parts
from triage.data import Stream, open_stream, recognise_text
from triage.engine import Triage
from triage.schema import DataError, UsageError

PART_ROWS = 2_000
"""Rows of a part: what a kill costs each process at most."""

FEWEST_PARTS = 2
"""Parts a further process is worth: below that it takes longer to start than it saves."""


@dataclass(frozen=True, slots=True)
class Scored:
    """How a run over a file went.

    Attributes
    ----------
    rows, errors : int
        Rows, and those with an error beside them.
    default_routed : int
        Rows that the default route took.
    resumed : int
        Rows of these that an earlier run had scored before it was stopped.
    """

    rows: int
    errors: int
    default_routed: int
    resumed: int = 0


def score_file(
    desk: Triage,
    source: Path,
    target: Path,
    *,
    mapping: Mapping[str, str] | None = None,
    sheet: str | None = None,
    workers: int = 1,
    load: Callable[[], Triage] | None = None,
    restart: bool = False,
    part_rows: int = PART_ROWS,
    on_start: Callable[[int], None] | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Scored:
    """Score every row of a file; a bad row keeps its error beside it.

    CSV and Parquet files need not fit into memory. What is done is kept in `<target>.parts` until
    all is; a run that was stopped or killed is gone on with when the same is asked for again. A
    finished target is written anew.

    Parameters
    ----------
    desk : Triage
        Assesses the rows.
    source, target : Path
        CSV, Excel or Parquet, by their endings. The target's cells are masked.
    mapping : mapping of heading to column, optional
        For headings that are not recognised.
    sheet : str, optional
        Name of the Excel sheet.
    workers : int
        Processes, as far as the file is long enough for them.
    load : callable, optional
        Gives a further process the same desk; can be pickled. All is scored here if absent.
    restart : bool
        Whether to throw away what an unfinished run has done.
    part_rows : int
        Rows that are read, scored and kept at a time.
    on_start, on_step : callable, optional
        Told the number of rows, then how many more are done; first those of an earlier run.

    Raises
    ------
    UsageError
        If the target's ending is unknown, it is the source itself, it can't hold so many rows, no
        column holds the text, or an unfinished run was told otherwise.
    DataError
        If the source can't be read, is changed meanwhile, or a process is lost.
    """
    check_target(target)
    if target.resolve() == source.resolve():
        raise UsageError(f"-o {target} is the file to be scored: name another.")
    stream = open_stream(source, sheet)
    columns = recognise_text(source, stream.headings, mapping or {})
    check_target(target, stream.rows)
    told = _told(desk, source, columns) | {"sheet": sheet, "part_rows": part_rows}
    run = open_run(target, told, restart=restart)
    done = run.parts()
    resumed = sum(counts.rows for _, counts in done.values())
    if on_start:
        on_start(stream.rows)
    step = on_step or _nothing
    step(resumed)
    _score_parts(desk, run, columns, stream, part_rows, workers, load, step)
    if told != told | _told(desk, source, columns):
        raise DataError(f"{source} was changed while it was scored: run it again with --restart.")
    done = run.parts()
    join_parts([path for path, _ in done.values()], target, run.draft())
    run.close()
    rows, errors, default_routed = map(sum, zip(*(each for _, each in done.values()), strict=True))
    return Scored(rows, errors, default_routed, resumed)


def _told(desk: Triage, source: Path, columns: Mapping[str, str]) -> dict[str, Any]:
    """Return all that the answers depend on."""
    with source.open("rb") as content:
        digest = file_digest(content, "sha256").hexdigest()
    return {
        "input": digest, "columns": dict(columns), "model": desk.model_version,
        "policy": desk.policy.version, "text limit": desk.settings.max_text_chars,
        "version of triage": metadata.version("complaint-triage"),
    }  # fmt: skip


def _score_parts(
    desk: Triage,
    run: Run,
    columns: Mapping[str, str],
    stream: Stream,
    part_rows: int,
    workers: int,
    load: Callable[[], Triage] | None,
    on_step: Callable[[int], None],
) -> None:
    """Score the parts that are not done yet, here or in processes beside each other."""
    done = run.parts()
    missing = -(-stream.rows // part_rows) - len(done)
    parts = stream.tables(part_rows, done)
    workers = min(workers, missing // FEWEST_PARTS)
    if load and workers > 1:
        versions = (desk.model_version, desk.policy.version)
        score_beside(load, workers, versions, run, columns, parts, on_step)
        return
    for number, table in parts:
        score_part(desk, run, columns, number, table, on_step)


def _nothing(_: int) -> None:
    """Tell nobody."""
