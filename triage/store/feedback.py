"""The store: keep corrections, and give back all of them or the latest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

import pandas as pd
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from triage.data import latest_corrections
from triage.privacy import mask
from triage.schema import HEADS, ORDERED_HEADS, SHANGHAI, DataError
from triage.settings import Settings, home_folder, load_settings
from triage.store.connection import connect, reading, writing
from triage.store.tables import FeedbackRow

_COLUMNS = ["id", "at", "key", "text", "head", "label", "was", "by", "why", "source"]
_MASKED = ("text", "label", "was", "by", "why", "source")
_KEYS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person says of one head of one ticket.

    Attributes
    ----------
    key : str
        What the ticket is known by (see `data.ticket_key`).
    head : {"nature", "severity", "emotion"}
    label : str
        What is right: a step, or any nature.
    text : str
        The ticket's text; it is kept masked.
    was : str or None
        What stood there before: a label of the file, or a model's answer.
    by : str or None
        Who says so.
    why : str or None
        In the person's own words.
    source : str
        The file, or the service, that it came by.
    at : datetime or None
        When; the time of adding if absent.
    """

    key: str
    head: str
    label: str
    text: str = ""
    was: str | None = None
    by: str | None = None
    why: str | None = None
    source: str = ""
    at: datetime | None = None


class Store:
    """An open store; close it, or use it in a `with` statement.

    Parameters
    ----------
    engine : Engine
        See `connection.connect`.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def add_feedback(self, items: Sequence[Feedback]) -> int:
        """Keep corrections, all of them or none, in the order given.

        One that says what the same person last said of that ticket and head by the same source adds
        nothing, so that a file can be imported again; nor does one that the same person takes back
        further on. A later one wins over an earlier one.

        Parameters
        ----------
        items : sequence of Feedback

        Returns
        -------
        int
            How many were new.

        Raises
        ------
        DataError
            If a head or a step is unknown, or the database fails; nothing is kept then.
        """
        now = datetime.now(SHANGHAI)
        rows = [_row(item, now) for item in items]
        last = {_who(row): at for at, row in enumerate(rows)}
        rows = [row for at, row in enumerate(rows) if last[_who(row)] == at]
        with writing(self.engine) as session:
            said = _last_words(session, {row.key for row in rows})
            new = [row for row in rows if said.get(_who(row)) != row.label]
            session.add_all(new)
            return len(new)

    def feedback(self) -> pd.DataFrame:
        """Return all corrections, the newest last.

        Returns
        -------
        DataFrame
            `id, at, key, text, head, label, was, by, why, source`; `at` in Asia/Shanghai.
        """
        with reading(self.engine) as session:
            rows = session.scalars(select(FeedbackRow).order_by(FeedbackRow.at, FeedbackRow.id))
            found = [{name: getattr(row, name) for name in _COLUMNS} for row in rows]
        return pd.DataFrame(found, columns=_COLUMNS, dtype=object)

    def corrections(self) -> pd.DataFrame:
        """Return the latest correction of each ticket and head.

        Returns
        -------
        DataFrame
            Columns of `feedback`, with `conflict` and `others` (see `data.latest_corrections`).
        """
        return latest_corrections(self.feedback())


def open_store(settings: Settings | None = None) -> Store:
    """Open the store that the settings name; the file and its tables are made on first use.

    Raises
    ------
    ConfigError
        If `TRIAGE_STORE` is no URL of a database.
    DataError
        If it can't be opened, or was made by a later triage.
    """
    settings = settings or load_settings()
    if settings.store is None:
        home_folder(settings.home).mkdir(parents=True, exist_ok=True)
    return Store(connect(settings.store_url))


def _row(item: Feedback, now: datetime) -> FeedbackRow:
    """Check a correction and mask it."""
    steps = ORDERED_HEADS.get(item.head)
    if item.head not in HEADS or not item.key or not item.label:
        raise DataError(
            f"Feedback on {item.key!r} has head {item.head!r} and label {item.label!r}: it needs a "
            f"key, a label and one of {', '.join(HEADS)}.",
            code="feedback_invalid",
        )
    if steps and item.label not in steps:
        raise DataError(
            f"Feedback on {item.key} says {item.head} is {item.label!r}: it must be one of "
            f"{', '.join(steps)}.",
            code="feedback_invalid",
        )
    masked = {name: mask(value) if isinstance(value, str) and name in _MASKED else value
              for name, value in asdict(item).items()}  # fmt: skip
    return FeedbackRow(**masked | {"at": item.at or now})


_Who = tuple[str, str, str | None, str]


def _who(row: FeedbackRow) -> _Who:
    """Return of which ticket and head who says something, and by which source."""
    return row.key, row.head, row.by, row.source


def _last_words(session: Session, keys: Iterable[str]) -> dict[_Who, str]:
    """Return what each person last said of each of these tickets' heads by each source."""
    said: dict[_Who, str] = {}
    wanted = sorted(keys)
    for begin in range(0, len(wanted), _KEYS_AT_ONCE):
        part = FeedbackRow.key.in_(wanted[begin : begin + _KEYS_AT_ONCE])
        for row in session.scalars(select(FeedbackRow).where(part).order_by(FeedbackRow.id)):
            said[_who(row)] = row.label
    return said


def stored_corrections(settings: Settings | None = None) -> pd.DataFrame:
    """Return the latest corrections of the store; none, and nothing is made, where it has no file.

    Raises
    ------
    ConfigError, DataError
        See `open_store`.
    """
    settings = settings or load_settings()
    file = home_folder(settings.home) / "triage.db"
    if settings.store is None and not file.is_file():
        return latest_corrections(pd.DataFrame(columns=_COLUMNS, dtype=object))
    with open_store(settings) as store:
        return store.corrections()
