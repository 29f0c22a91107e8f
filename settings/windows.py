"""The windows in which RDS makes backups and does maintenance, in UTC: when they are, and whether they meet.

The rules: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_PER_DAY = 24 * 60
MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY
SHORTEST_MINUTES = 30

_TIME = "([01][0-9]|2[0-3]):([0-5][0-9])"
_DAY = f"({'|'.join(DAYS)})"
DAILY = f"{_TIME}-{_TIME}"
"""The form of a window that comes every day, as a regular expression."""
WEEKLY = f"{_DAY}:{_TIME}-{_DAY}:{_TIME}"
"""The form of one that comes every week."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A time of the week that comes every `period`; all in minutes."""

    start: int
    """From the beginning of Monday."""
    length: int
    period: int

    def meets(self, other: Window) -> bool:
        """Whether there is a minute in both; one may begin when the other ends."""
        return bool(self._minutes & other._minutes)

    @property
    def _minutes(self) -> set[int]:
        starts = range(self.start, self.start + MINUTES_PER_WEEK, self.period)
        return {(start + minute) % MINUTES_PER_WEEK for start in starts for minute in range(self.length)}


def daily_window(text: str) -> Window:
    """Return the window that a text of the form DAILY means; it may go on past midnight.

    Raises:
        ValueError: it is too short.
    """
    [(first_hour, first_minute), (last_hour, last_minute)] = re.findall(_TIME, text)
    start, end = _minute(first_hour, first_minute), _minute(last_hour, last_minute)
    return _window(start, end, MINUTES_PER_DAY)


def weekly_window(text: str) -> Window:
    """Return the window that a text of the form WEEKLY means; it may go on past Sunday.

    Raises:
        ValueError: it is too short.
    """
    [start, end] = [
        MINUTES_PER_DAY * DAYS.index(day) + _minute(hour, minute)
        for day, hour, minute in re.findall(f"{_DAY}:{_TIME}", text)
    ]
    return _window(start, end, MINUTES_PER_WEEK)


def _minute(hour: str, minute: str) -> int:
    return 60 * int(hour) + int(minute)


def _window(start: int, end: int, period: int) -> Window:
    length = (end - start) % period
    if length < SHORTEST_MINUTES:
        raise ValueError(f"it takes {length} minutes: write {SHORTEST_MINUTES} or more")
    return Window(start=start, length=length, period=period)
