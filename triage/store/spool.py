"""Answers that wait, in files, for a store that is down."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from triage.schema import DataError
from triage.store.nouns import Entry
from triage.store.sealing import Seal, Sealed

if TYPE_CHECKING:
    from triage.store.store import Store

LOG = logging.getLogger("triage.store")

AT_ONCE = 64
"""Lines that are written to the store in one transaction."""

_SEAL = "seal.json"
_WAIT_SECONDS = 2.0
_LINES = TypeAdapter(Sealed)
_SEALS = TypeAdapter(Seal)


class Spool:
    """A folder of answers that wait, one JSON line each, a file a minute.

    Lines are masked and hashed like the store's rows. Several processes may add and drain: locks
    are SQLite's, which the system releases however a process ends. A drain that is killed is done
    again by the next one; what the store has already adds nothing to it.

    Parameters
    ----------
    folder : Path
        Made on first use, for this user only.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._counted: dict[Path, tuple[int, int]] = {}

    def prepare(self, seal: Seal) -> None:
        """Leave what `add` needs to mask and to hash; done where a service opens its store."""
        content = _SEALS.dump_json(seal)
        file = self.folder / _SEAL
        if not file.is_file() or file.read_bytes() != content:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(file, content)

    def add(self, entries: Sequence[Entry]) -> None:
        """Add answers; they outlive the process once this returns.

        Raises
        ------
        DataError
            `spool_unsealed` if this machine never reached its store, so that nothing can be hashed;
            `spool_failed` if nothing could be written.
        """
        with self._in_words():
            lines = [_LINES.dump_json(row) for row in self._seal().rows(entries)]
            with self._locked("add"):
                _append(self.folder / f"{datetime.now(UTC):%Y%m%dT%H%M}.jsonl", lines)

    def drain(self, store: Store) -> int:
        """Write what waits to the store, unless another process is doing so.

        A line that can't be read, or whose id stands in the store with another text, goes to a
        `.bad` file beside.

        Returns
        -------
        int
            How many lines the store has now.

        Raises
        ------
        DataError
            If the store fails or the folder can't be written; what is not written goes on waiting.
        """
        if not any(self._waiting()):
            return 0
        with self._in_words():
            try:
                with self._locked("drain", seconds=0):
                    claimed = sorted(self.folder.glob("*.claimed"))
                    waiting = map(self._claim, sorted(self.folder.glob("*.jsonl")))
                    return sum(_drain(file, store) for file in (*claimed, *waiting))
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise
                return 0

    def pending(self) -> int:
        """Return how many answers wait."""
        return sum(self._count(file) for file in self._waiting())

    def forget(self, customer: str) -> int:
        """Delete the lines of a customer, known by a keyed hash; return how many there were."""
        found, needle = 0, customer.encode()
        if not self.folder.is_dir():
            return 0
        with self._in_words(), self._locked("add"):
            for file in (*self._waiting(), *self.folder.glob("*.bad")):
                lines = file.read_bytes().split(b"\n")
                others = [line for line in lines if needle not in line]
                found += len(lines) - len(others)
                if len(others) < len(lines):
                    _replace(file, b"\n".join(others))
        return found

    def purge(self, older_than: datetime) -> None:
        """Delete the `.bad` files that were last changed before a moment."""
        for file in self.folder.glob("*.bad"):
            if file.stat().st_mtime < older_than.timestamp():
                file.unlink(missing_ok=True)

    def _seal(self) -> Seal:
        """Return what masks and hashes.

        Raises
        ------
        DataError
            If there is none yet.
        """
        try:
            return _SEALS.validate_json((self.folder / _SEAL).read_bytes())
        except (FileNotFoundError, ValidationError) as error:
            raise DataError(
                f"{self.folder} can't keep answers: the store has not been reached from here yet, "
                "and its salt is needed to hash. Start the service once with its store up.",
                code="spool_unsealed",
            ) from error

    def _waiting(self) -> list[Path]:
        return [*self.folder.glob("*.claimed"), *self.folder.glob("*.jsonl")]

    def _claim(self, file: Path) -> Path:
        """Take a file away from those who add."""
        with self._locked("add"):
            return file.rename(file.with_name(f"{file.stem}-{time.time_ns()}.claimed"))

    def _count(self, file: Path) -> int:
        """Count the lines of a file, reading only what was added since the last time."""
        begin, lines = self._counted.get(file, (0, 0))
        try:
            size = file.stat().st_size
            if size < begin:
                begin = lines = 0
            if size > begin:
                with file.open("rb") as stream:
                    stream.seek(begin)
                    lines += stream.read(size - begin).count(b"\n{")
        except FileNotFoundError:
            return 0
        self._counted[file] = size, lines
        return lines

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Say what a fault of the folder means.

        Raises
        ------
        DataError
            In place of the system's errors.
        """
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise DataError(
                f"{self.folder} can't be written ({error}): make room there, and allow this user "
                "to write; answers that were to be added are not kept.",
                code="spool_failed",
            ) from error

    @contextmanager
    def _locked(self, name: str, seconds: float = _WAIT_SECONDS) -> Iterator[None]:
        """Hold one of the folder's locks; `sqlite3.OperationalError` if another holds it on."""
        lock = sqlite3.connect(self.folder / f"{name}.lock", timeout=seconds, isolation_level=None)
        try:
            lock.execute("BEGIN EXCLUSIVE").close()
            yield
        finally:
            lock.close()


def _append(file: Path, lines: Sequence[bytes]) -> None:
    """Add lines to a file, all or none; each begins one, whatever stands before it.

    Raises
    ------
    OSError
        If they can't all be written.
    """
    content = b"".join(b"\n" + line for line in lines) + b"\n"
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(handle).st_size
        if os.write(handle, content) < len(content):
            os.ftruncate(handle, size)
            raise OSError("no space left")
    finally:
        os.close(handle)


def _drain(file: Path, store: Store) -> int:
    """Write a claimed file to the store, then delete it."""
    kept, bad = 0, list[bytes]()
    with file.open("rb") as stream:
        while part := list(islice(stream, AT_ONCE)):
            rows = []
            for line in filter(bytes.strip, part):
                try:
                    rows.append(_LINES.validate_json(line))
                except ValidationError:
                    bad.append(line)
            refused = store.keep_sealed(rows)
            bad += [_LINES.dump_json(row) + b"\n" for row in refused]
            kept += len(rows) - len(refused)
    if bad:
        beside = file.with_suffix(".bad")
        _replace(beside, b"".join(bad))
        LOG.error("%d spooled answers can't be kept: see %s", len(bad), beside)
    file.unlink()
    return kept


def _replace(file: Path, content: bytes) -> None:
    """Write a file that is there whole or not at all, for this user only."""
    draft = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(file)
