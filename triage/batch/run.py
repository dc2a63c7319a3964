"""An unfinished run over a file: a folder beside the output with the parts that are done."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from triage.batch.answers import Counts
from triage.batch.write import write_part, written_whole
from triage.schema import SHANGHAI, UsageError

_TOLD = "run.json"
_PART = re.compile(r"(\d{6})-(\d+)-(\d+)-(\d+)\.\w+")


@dataclass(frozen=True, slots=True)
class Run:
    """A run over a file, which can be gone on with after it was stopped or killed.

    A part stands under its name only once it is whole and on the disk; its name tells its number
    and its counts. So what stands there is done, and the rest is not.

    Attributes
    ----------
    folder : Path
        Where the parts stand.
    kind : str
        Ending of the output.
    started : datetime
        When the run began: complaints without a time are taken as received then.
    """

    folder: Path
    kind: str
    started: datetime

    def parts(self) -> dict[int, tuple[Path, Counts]]:
        """Return the parts that are done, by number in order."""
        found = {}
        for path in sorted(self.folder.iterdir()):
            if match := _PART.fullmatch(path.name):
                number, *counts = map(int, match.groups())
                found[number] = (path, Counts(*counts))
        return found

    def add(self, number: int, table: pd.DataFrame, counts: Counts) -> None:
        """Keep a part."""
        name = "-".join((f"{number:06}", *map(str, counts))) + self.kind
        write_part(table, self.folder / name, self.draft(), first=number == 0)

    def draft(self) -> Path:
        """Return where this process writes what is not whole yet."""
        return self.folder / f".{os.getpid()}{self.kind}"

    def close(self) -> None:
        """Remove the parts."""
        shutil.rmtree(self.folder)


def parts_folder(target: Path) -> Path:
    """Return where the parts of an output stand until it is whole."""
    return target.with_name(f"{target.name}.parts")


def open_run(target: Path, told: Mapping[str, Any], *, restart: bool = False) -> Run:
    """Begin a run, or go on with one that was not finished.

    Parameters
    ----------
    target : Path
        The output.
    told : mapping
        All that the answers depend on; values that JSON keeps.
    restart : bool
        Whether to throw away what an unfinished run has done.

    Raises
    ------
    UsageError
        With code `run_differs` if an unfinished run had another input, model, policy or options;
        if the folder is none of ours.
    """
    folder, kind = parts_folder(target), target.suffix.lower()
    before = _read(folder)
    if before is not None and restart:
        shutil.rmtree(folder)
        before = None
    if before is None:
        before = {**told, "started": datetime.now(SHANGHAI).isoformat(timespec="seconds")}
        folder.mkdir()
        with written_whole(folder / _TOLD, folder / f".{_TOLD}") as draft:
            draft.write_text(json.dumps(before, ensure_ascii=False, indent=1), "utf-8")
    if other := [name for name, value in told.items() if before.get(name) != value]:
        raise UsageError(
            f"{folder} keeps an unfinished run with another {', '.join(other)}: ask for the same "
            "again to go on with it, or throw it away with --restart.",
            code="run_differs",
        )
    return Run(folder, kind, datetime.fromisoformat(before["started"]))


def _read(folder: Path) -> dict[str, Any] | None:
    """Return what an unfinished run was told, None if there is none; one killed at birth goes."""
    told = folder / _TOLD
    if told.is_file():
        return dict(json.loads(told.read_text("utf-8")))
    if folder.exists():
        (folder / f".{_TOLD}").unlink(missing_ok=True)
        try:
            folder.rmdir()
        except OSError as error:
            raise UsageError(
                f"{folder} is where an unfinished run would be kept, but holds other things: move "
                "it away, or name another output."
            ) from error
    return None
