"""The State Council's calendar: working days with make-up days, and the close of a period.

`chinese_calendar` holds the published years. For a year that is not published yet Monday to Friday
stand for working days, and what was counted so is provisional.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

import chinese_calendar

from triage.schema import SHANGHAI, in_shanghai

CLOSE_OF_DAY = time(23, 59, 59)
"""A period of days ends with its last day (Civil Code Art. 203)."""

_DAY = timedelta(days=1)


class Due(NamedTuple):
    """The moment at which a period ends.

    `provisional` says that it was counted over a year whose holidays are not published.
    """

    at: datetime
    provisional: bool


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Working days and public holidays.

    Parameters
    ----------
    last_year : int, optional
        The last year whose holidays are known; the library's if absent.
    """

    last_year: int = max(day.year for day in chinese_calendar.holidays)

    def is_working_day(self, day: date) -> bool:
        """Tell whether people work on a day; Monday to Friday where its year is not published."""
        if not self.published(day):
            return day.weekday() < 5
        return bool(chinese_calendar.is_workday(day))

    def is_public_holiday(self, day: date) -> bool:
        """Tell whether a day is part of a named holiday; an ordinary weekend is not."""
        if not self.published(day):
            return False
        free, name = chinese_calendar.get_holiday_detail(day)
        return bool(free) and name is not None

    def published(self, day: date) -> bool:
        """Tell whether the holidays of a day's year are known."""
        return _FIRST_YEAR <= day.year <= self.last_year

    def after_days(self, start: datetime, days: int) -> Due:
        """Return the close of the last of so many days; the first is the day after `start`.

        A last day on a public holiday moves to the day after the holiday.

        References
        ----------
        Civil Code of the PRC, Arts. 201–203.
        """
        last = in_shanghai(start).date() + days * _DAY
        while self.is_public_holiday(last):
            last += _DAY
        return Due(datetime.combine(last, CLOSE_OF_DAY, SHANGHAI), not self.published(last))

    def after_working_days(self, start: datetime, days: int) -> Due:
        """Return the close of the last of so many working days, counted from the day after `start`.

        Examples
        --------
        >>> WorkCalendar().after_working_days(datetime(2026, 9, 30, 16), 7).at.date()
        datetime.date(2026, 10, 15)
        """
        last, known = _count_working_days(self, in_shanghai(start).date(), days)
        return Due(datetime.combine(last, CLOSE_OF_DAY, SHANGHAI), not known)


_FIRST_YEAR: int = min(day.year for day in chinese_calendar.holidays)


@lru_cache(maxsize=4_096)
def _count_working_days(calendar: WorkCalendar, start: date, days: int) -> tuple[date, bool]:
    """Return the last of so many working days, and whether all years on the way are published."""
    last, known = start, True
    while days > 0:
        last += _DAY
        known = known and calendar.published(last)
        days -= calendar.is_working_day(last)
    return last, known
