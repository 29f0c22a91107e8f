"""EventBridge Scheduler expressions: their times and the intervals between them, or what is wrong with them.

The rules are those of https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html. This file is also in
the functions' zip: it needs the standard library alone.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import islice, pairwise, product
from typing import NamedTuple
from zoneinfo import ZoneInfo

MINUTES_PER_DAY = 24 * 60
SUNDAY, SATURDAY = 1, 7
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_YEAR = 2026
"""When this project began: a schedule has no runs before. Not today's year, as synth reads no clock."""


@dataclass(frozen=True)
class Schedule:
    """A schedule, and the intervals between the starts of its runs, in wall-clock time.

    In a time zone with daylight saving, an interval of a cron expression may be an hour longer or shorter twice a year.
    Scheduler also skips a run at a time that the change to daylight saving leaves out, such as 02:30. What it does with
    at(…) of such a time is not documented: here, it has no time then, and settings/checks.py refuses it.
    """

    expression: str
    """As Scheduler gets it: the fields of a cron expression in capitals, one space between two."""
    shortest_interval: timedelta | None
    """The shortest time between two runs that follow each other; None if it runs once."""
    longest_interval: timedelta | None
    """The longest time between two runs that follow each other; None if it runs once."""
    once: datetime | None = None
    """When at(…) runs, on the clocks of its time zone; None if it repeats."""


@dataclass(frozen=True)
class _Field:
    """A field of a cron expression; its methods raise a ValueError that names it."""

    name: str
    lowest: int
    highest: int
    hint: str
    names: tuple[str, ...] = ()
    has_steps: bool = True

    def values(self, text: str) -> list[int]:
        """Return the values that a list like 0,10-20,30/5 means, in order."""
        return sorted({value for item in text.split(",") for value in self._item(item)})

    def value(self, text: str) -> int:
        if text in self.names:
            return self.lowest + self.names.index(text)
        if not (re.fullmatch("[0-9]{1,4}", text) and self.lowest <= int(text) <= self.highest):
            raise ValueError(f"{self.name} is {text!r}: write {self.hint}")
        return int(text)

    def _item(self, text: str) -> range:
        ends, slash, step = text.partition("/")
        first, dash, last = ends.partition("-")
        start = self.lowest if ends == "*" else self.value(first)
        # 5/10 goes on to the end of the field, and 5 is 5 alone.
        stop = self.value(last) if dash else self.highest if ends == "*" or slash else start
        if start > stop:
            raise ValueError(f"{self.name} is {text!r}: write ranges that go up, like 22-23,0-2 for the hours 22 to 2")
        return range(start, stop + 1, self._step(step, text) if slash else 1)

    def _step(self, step: str, text: str) -> int:
        if not self.has_steps:
            raise ValueError(f"{self.name} is {text!r}, and has no steps: write {self.hint}")
        longest = self.highest - self.lowest
        if not (re.fullmatch("[0-9]{1,3}", step) and 1 <= int(step) <= longest):
            raise ValueError(f"{self.name} is {text!r}: write a step from 1 to {longest}")
        return int(step)


MINUTE = _Field("minute", 0, 59, "*, 0 to 59, or like 0,30 or 10-20 or */15")
HOUR = _Field("hour", 0, 23, "*, 0 to 23, or like 8,20 or 9-17 or */6")
DAY_OF_MONTH = _Field("day-of-month", 1, 31, "*, 1 to 31, or like 1,15 or 1-7 or */10; or L, LW or 15W alone")
MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
MONTH = _Field("month", 1, 12, "*, 1 to 12, JAN to DEC, or like JAN,JUL or 4-9 or */3", MONTH_NAMES)
WEEKDAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
WEEKDAY_HINT = "*, 1 (SUN) to 7 (SAT), or like MON,THU or MON-FRI; or L, 6L or 6#3 alone"
DAY_OF_WEEK = _Field("day-of-week", SUNDAY, SATURDAY, WEEKDAY_HINT, WEEKDAY_NAMES, has_steps=False)
YEAR = _Field("year", 1970, 2199, f"*, {FIRST_YEAR} to 2199, or like 2030,2032 or 2030-2035 or */2")


class _Month(NamedTuple):
    """A month as a schedule sees it; there are only 28 different ones."""

    first_weekday: int
    """As `calendar` counts: 0 is Monday."""
    length: int

    def weekday(self, day: int) -> int:
        """As cron counts: 1 is Sunday."""
        return (self.first_weekday + day) % 7 + 1

    def days_on(self, weekday: int) -> list[int]:
        return [day for day in range(1, self.length + 1) if self.weekday(day) == weekday]

    def nearest_working_day(self, day: int) -> int:
        """Return the day itself, or the nearest of Monday to Friday in the same month."""
        if self.weekday(day) == SATURDAY:
            return day - 1 if day > 1 else day + 2
        if self.weekday(day) == SUNDAY:
            return day + 1 if day < self.length else day - 2
        return day


@cache
def read_schedule(expression: str) -> Schedule:
    """Return the schedule that a rate(…), cron(…) or at(…) expression describes.

    The intervals of a cron expression are exact over the years that it names, up to 2199 for *, whatever today is.

    Raises:
        ValueError: Scheduler would refuse the expression, or it is a cron(…) that doesn't repeat; says what to write.
    """
    if expression.startswith("at("):
        return Schedule(expression, None, None, once=_once(expression))
    if expression.startswith("rate("):
        interval = rate_interval(expression)
        return Schedule(expression, interval, interval)
    if cron := re.fullmatch(r"cron\((.*)\)", expression):
        intervals = _cron_intervals(cron[1])
        expression = f"cron({' '.join(_cron_fields(cron[1]))})"
        return Schedule(expression, timedelta(minutes=min(intervals)), timedelta(minutes=max(intervals)))
    raise ValueError(
        "write rate(5 minutes), cron(minute hour day-of-month month day-of-week year), "
        "or, once, at(2026-12-24T18:00:00)"
    )


def rate_interval(expression: str) -> timedelta:
    """Return the interval of a rate(…) expression.

    Raises:
        ValueError: Scheduler would refuse the expression; says what to write instead.
    """
    # Scheduler, unlike EventBridge's older rules, doesn't tie the unit to the number: its documentation itself writes
    # rate(1 days).
    rate = re.fullmatch(r"rate\(([1-9][0-9]{0,5}) (minute|hour|day)s?\)", expression)
    if not rate:
        raise ValueError("write a number from 1 to 999999 and minutes, hours or days, like rate(5 minutes)")
    return timedelta(**{f"{rate[2]}s": int(rate[1])})


@cache
def times_of_day(expression: str) -> frozenset[int]:
    """Return the minutes after midnight at which a cron(…) or at(…) expression starts runs; none for a rate(…).

    Raises:
        ValueError: Scheduler would refuse the expression.
    """
    if expression.startswith("at("):
        once = _once(expression)
        return frozenset({60 * once.hour + once.minute})
    cron = re.fullmatch(r"cron\((.*)\)", expression)
    return frozenset(_times(*_cron_fields(cron[1])[:2])) if cron else frozenset()


def latest_times(expression: str, time_zone: str, *, now: datetime, count: int) -> list[datetime]:
    """Return the last `count` times until `now` at which `expression` starts runs, in UTC and in order.

    They are fewer where a cron(…) expression has fewer, and at(…) has one at most. A rate(…) counts from when its
    schedule was made, which nobody knows here: from the beginning of 1970.

    Raises:
        ValueError: Scheduler would refuse the expression.
    """
    if expression.startswith("at("):
        return [time for time in _time_once(expression, time_zone) if time <= now][:count]
    if not (cron := re.fullmatch(r"cron\((.*)\)", expression)):
        return sorted(islice(_rate_times(rate_interval(expression), now), count))
    zone = ZoneInfo(time_zone)
    days = range(now.astimezone(zone).toordinal(), EPOCH.toordinal(), -1)
    times = (time for day in days for time in reversed(_times_on(day, cron[1], zone)) if time <= now)
    return sorted(islice(times, count))


def next_times(expression: str, time_zone: str, *, now: datetime, count: int) -> list[datetime]:
    """Return the first `count` times after `now` at which `expression` starts runs, in UTC and in order.

    They are fewer where a cron(…) expression has fewer, and at(…) has one at most. A rate(…) counts from `now`.

    Raises:
        ValueError: Scheduler would refuse the expression.
    """
    if expression.startswith("at("):
        return [time for time in _time_once(expression, time_zone) if time > now][:count]
    if not (cron := re.fullmatch(r"cron\((.*)\)", expression)):
        return [now + each * rate_interval(expression) for each in range(1, count + 1)]
    zone = ZoneInfo(time_zone)
    days = range(now.astimezone(zone).toordinal(), date(YEAR.highest + 1, 1, 1).toordinal())
    return list(islice((time for day in days for time in _times_on(day, cron[1], zone) if time > now), count))


def previous_time(expression: str, time_zone: str, *, before: datetime) -> datetime | None:
    """Return the last time before `before` at which `expression` starts runs, in UTC; None if there is none.

    Of a rate(…), `before` has to be one of its times itself: it counts from when its schedule was made.

    Raises:
        ValueError: Scheduler would refuse the expression.
    """
    if expression.startswith("rate("):
        return before.astimezone(UTC) - rate_interval(expression)
    times = latest_times(expression, time_zone, now=before - timedelta.resolution, count=1)
    return times[0] if times else None


def _time_once(expression: str, time_zone: str) -> list[datetime]:
    """The time of at(…), in UTC; none if the change to daylight saving leaves it out. Of two, it is the first."""
    return _in_utc([_once(expression).replace(tzinfo=ZoneInfo(time_zone))])


def _rate_times(interval: timedelta, now: datetime) -> Iterator[datetime]:
    time = now - (now - EPOCH) % interval
    while time >= EPOCH:
        yield time
        time -= interval


def _times_on(ordinal: int, text: str, zone: ZoneInfo) -> list[datetime]:
    """The times of a day, in UTC and in order, without those that the change to daylight saving leaves out."""
    day, cron = date.fromordinal(ordinal), _cron(text)
    month = _Month(*calendar.monthrange(day.year, day.month))
    if day.year not in cron.years or day.month not in cron.months or day.day not in _days(*cron.days, month):
        return []
    return _in_utc([datetime(day.year, day.month, day.day, *divmod(each, 60), tzinfo=zone) for each in cron.times])


def _in_utc(times: list[datetime]) -> list[datetime]:
    """The times in UTC, without those that are on no clock in their time zone."""
    found = [(time, time.astimezone(UTC)) for time in times]
    return [utc for time, utc in found if utc.astimezone(time.tzinfo).replace(tzinfo=None) == time.replace(tzinfo=None)]


class _Cron(NamedTuple):
    """A cron expression, read."""

    times: list[int]
    """Minutes after midnight, in order."""
    days: tuple[str, str]
    """Day of month and day of week, which depend on the month."""
    months: list[int]
    years: list[int]


@cache
def _cron(text: str) -> _Cron:
    minute, hour, day_of_month, month, day_of_week, year = _cron_fields(text)
    return _Cron(_times(minute, hour), (day_of_month, day_of_week), MONTH.values(month), YEAR.values(year))


def _once(expression: str) -> datetime:
    found = re.fullmatch(r"at\((\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})\)", expression, re.ASCII)
    if not found:
        raise ValueError("write a date and a time, like at(2026-12-24T18:00:00)")
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        # Not by fromisoformat, to which 24:00:00 is midnight from Python 3.14 on.
        time = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (of the schedule's time zone)
    except ValueError:
        raise ValueError("there is no such time: write one like at(2026-12-24T18:00:00)") from None
    if not FIRST_YEAR <= time.year <= YEAR.highest:
        raise ValueError(f"the year is {time.year}: write {FIRST_YEAR} to {YEAR.highest}")
    return time


def _cron_intervals(text: str) -> set[int]:
    """Return every interval between two runs that follow each other, in minutes."""
    minute, hour, day_of_month, month, day_of_week, year = _cron_fields(text)
    times = _times(minute, hour)
    years = [each for each in YEAR.values(year) if each >= FIRST_YEAR]
    if not years:
        raise ValueError(f"year is {year!r}, which is over: write {YEAR.hint}")
    dates: list[int] = []
    for y, m in product(years, MONTH.values(month)):
        before = date(y, m, 1).toordinal() - 1
        dates += [before + day for day in _days(day_of_month, day_of_week, _Month(*calendar.monthrange(y, m)))]
    if not dates:
        raise ValueError("never runs: write a day that its months and years have")
    overnight = MINUTES_PER_DAY + times[0] - times[-1]
    within_days = {later - earlier for earlier, later in pairwise(times)}
    between_days = {(later - earlier - 1) * MINUTES_PER_DAY + overnight for earlier, later in pairwise(dates)}
    if not (within_days or between_days):
        raise ValueError(
            "runs only once: write like at(2026-12-24T18:00:00), or a schedule that repeats, with * for the year for "
            "instance"
        )
    return within_days | between_days


def _times(minute: str, hour: str) -> list[int]:
    """Minutes after midnight, in order."""
    return [60 * hours + minutes for hours, minutes in product(HOUR.values(hour), MINUTE.values(minute))]


def _cron_fields(text: str) -> list[str]:
    if not text.isascii():
        strange = sorted({each for each in text if not each.isascii()})
        raise ValueError(f"cron has characters that Scheduler does not read, {ascii(strange)[1:-1]}: write others")
    fields = text.upper().split()
    if len(fields) != 6:
        six = "minute hour day-of-month month day-of-week year"
        raise ValueError(f"cron has {len(fields)} fields: write six, {six}, like cron(0 3 * * ? *)")
    if (fields[2] == "?") == (fields[4] == "?"):
        raise ValueError(f"day-of-month is {fields[2]!r} and day-of-week is {fields[4]!r}: write ? in one of the two")
    return fields


@cache
def _days(day_of_month: str, day_of_week: str, month: _Month) -> list[int]:
    """The days of the month with runs, in order."""
    return _days_of_month(day_of_month, month) if day_of_week == "?" else _days_of_week(day_of_week, month)


def _days_of_month(text: str, month: _Month) -> list[int]:
    if text == "L":
        return [month.length]
    if text == "LW":
        return [month.nearest_working_day(month.length)]
    if near := re.fullmatch("([0-9]+)W", text):
        day = DAY_OF_MONTH.value(near[1])
        return [month.nearest_working_day(day)] if day <= month.length else []
    return [day for day in DAY_OF_MONTH.values(text) if day <= month.length]


def _days_of_week(text: str, month: _Month) -> list[int]:
    if text == "L":
        return month.days_on(SATURDAY)
    if last := re.fullmatch("([A-Z0-9]+)L", text):
        return month.days_on(DAY_OF_WEEK.value(last[1]))[-1:]
    if nth := re.fullmatch("([A-Z0-9]+)#([1-5])", text):
        return month.days_on(DAY_OF_WEEK.value(nth[1]))[int(nth[2]) - 1 :][:1]
    return sorted(day for weekday in DAY_OF_WEEK.values(text) for day in month.days_on(weekday))
