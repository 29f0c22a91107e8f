"""A schedule's intervals are those of its runs, counted one by one; a wrong expression says what to write."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settings.project import ROOT
from settings.schedule import FIRST_YEAR, read_schedule, times_of_day

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("expression", "shortest", "longest"),
    [
        ("rate(1 minute)", MINUTE, MINUTE),
        ("rate(1 minutes)", MINUTE, MINUTE),
        ("rate(90 minutes)", 90 * MINUTE, 90 * MINUTE),
        ("rate(1 hour)", HOUR, HOUR),
        ("rate(36 hours)", 36 * HOUR, 36 * HOUR),
        ("rate(7 days)", 7 * DAY, 7 * DAY),
        ("cron(* * * * ? *)", MINUTE, MINUTE),
        ("cron(0 * ? * * *)", HOUR, HOUR),
        ("cron(*/15 * * * ? *)", 15 * MINUTE, 15 * MINUTE),
        ("cron(*/25 * * * ? *)", 10 * MINUTE, 25 * MINUTE),
        ("cron(5/20 * * * ? *)", 20 * MINUTE, 20 * MINUTE),
        ("cron(50/20 * * * ? *)", HOUR, HOUR),
        ("cron(0-10/5 9 * * ? *)", 5 * MINUTE, DAY - 10 * MINUTE),
        ("cron(0,1,30 * * * ? *)", MINUTE, 30 * MINUTE),
        ("cron(59,0 0,23 * * ? *)", MINUTE, 22 * HOUR + MINUTE),
        ("cron(0,30 9-17 ? * MON-FRI *)", HOUR / 2, 3 * DAY - 8 * HOUR - HOUR / 2),
        ("cron(15 10 * * ? *)", DAY, DAY),
        ("cron(0 3 ? * MON *)", 7 * DAY, 7 * DAY),
        ("cron(0 3 ? * 2 *)", 7 * DAY, 7 * DAY),
        ("cron(0 3 ? * sun,wed *)", 3 * DAY, 4 * DAY),
        # In 2026 January ends, and April's first weekend begins, with a Saturday.
        ("cron(0 3 ? JAN,APR L 2026)", 7 * DAY, 63 * DAY),
        ("cron(0 3 ? JAN,APR 7 2026)", 7 * DAY, 63 * DAY),
        ("cron(0 3 ? JAN,APR 1 2026)", 7 * DAY, 70 * DAY),
        ("cron(0 3 ? * 6,SAT *)", DAY, 6 * DAY),
        ("cron(0 3 1 * ? *)", 28 * DAY, 31 * DAY),
        ("cron(0 3 L * ? *)", 28 * DAY, 31 * DAY),
        ("cron(0 3 31 * ? *)", 31 * DAY, 61 * DAY),
        ("cron(0 3 1,15 * ? *)", 14 * DAY, 17 * DAY),
        ("cron(0 3 1/10 * ? *)", DAY, 10 * DAY),
        ("cron(0 3 1-7/3 * ? *)", 3 * DAY, 25 * DAY),
        ("cron(0 3 1 JAN,Jul ? *)", 181 * DAY, 184 * DAY),
        ("cron(0 3 1 1/3 ? *)", 90 * DAY, 92 * DAY),
        ("cron(0 3 1 OCT-DEC ? *)", 30 * DAY, 305 * DAY),
        ("cron(0 3 1 1 ? *)", 365 * DAY, 366 * DAY),
        # 2100 is no leap year.
        ("cron(0 3 29 2 ? *)", 4 * 365 * DAY + DAY, 8 * 365 * DAY + DAY),
        ("cron(0 3 29 2 ? 2024-2036)", 4 * 365 * DAY + DAY, 4 * 365 * DAY + DAY),
        ("cron(0 3 LW * ? 2026)", 28 * DAY, 32 * DAY),
        ("cron(0 3 1W AUG,SEP ? 2026)", 29 * DAY, 29 * DAY),  # Monday the 3rd, Tuesday the 1st
        ("cron(0 3 15W AUG,NOV ? 2026)", 94 * DAY, 94 * DAY),  # Friday the 14th, Monday the 16th
        ("cron(0 3 31W JAN-MAR ? 2026)", 60 * DAY, 60 * DAY),  # Friday the 30th, Tuesday the 31st, none in February
        ("cron(0 3 31W MAY,AUG ? 2026)", 94 * DAY, 94 * DAY),  # Friday the 29th, never in June; Monday the 31st
        ("cron(0 3 ? * 6#3 *)", 28 * DAY, 35 * DAY),
        ("cron(0 3 ? * FRI#5 2026)", 63 * DAY, 119 * DAY),
        ("cron(0 3 ? * 6L *)", 28 * DAY, 35 * DAY),
        ("cron(0 3 ? * fril *)", 28 * DAY, 35 * DAY),
        ("cron(0 3 * * ? 2026,2028)", DAY, 366 * DAY),
        ("cron(0 3 1 1 ? 2026/50)", 50 * 365 * DAY + 12 * DAY, 50 * 365 * DAY + 12 * DAY),
        ("cron(0 3 1 1 ? 2030-2031)", 365 * DAY, 365 * DAY),
        ("cron(0,5 3 1 1 ? 2030)", 5 * MINUTE, 5 * MINUTE),
        ("cron(00  03 01 * ? *)", 28 * DAY, 31 * DAY),
    ],
)
def test_an_expression_has_the_intervals_of_its_runs(expression: str, shortest: timedelta, longest: timedelta) -> None:
    found = read_schedule(expression)
    assert (found.shortest_interval, found.longest_interval) == (shortest, longest)
    assert read_schedule(found.expression) == found


@pytest.mark.parametrize(
    ("written", "given"),
    [
        ("rate(1 days)", "rate(1 days)"),
        ("cron(15 3 ? * MON-FRI *)", "cron(15 3 ? * MON-FRI *)"),
        ("cron( 15  3\t? * mon-Fri * )", "cron(15 3 ? * MON-FRI *)"),
    ],
)
def test_scheduler_gets_the_fields_in_capitals_with_one_space_between(written: str, given: str) -> None:
    assert read_schedule(written).expression == given


def test_what_runs_once_has_a_time_on_the_clock_and_no_intervals() -> None:
    found = read_schedule("at(2026-12-24T18:00:30)")
    assert found.once == datetime(2026, 12, 24, 18, 0, 30)  # noqa: DTZ001 - on the clocks of whatever zone it has
    assert found.shortest_interval is found.longest_interval is None
    assert times_of_day(found.expression) == {18 * 60}
    assert read_schedule("rate(1 hour)").once is read_schedule("cron(0 3 * * ? *)").once is None


def test_it_needs_the_standard_library_alone_as_it_is_in_the_functions_zip(tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    for name in ("__init__.py", "schedule.py"):
        shutil.copy(ROOT / "settings" / name, tmp_path / "settings" / name)
    asks = (
        "from settings.schedule import previous_time, read_schedule; print(read_schedule('rate(5 minutes)').expression)"
    )
    # -S: without what is installed beside it.
    said = subprocess.run([sys.executable, "-S", "-c", asks], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert said.stdout == "rate(5 minutes)\n"


def test_years_that_are_over_have_no_intervals() -> None:
    assert read_schedule("cron(0 3 1 1 ? 2000-2027)").longest_interval == 365 * DAY
    with pytest.raises(ValueError, match="runs only once"):
        read_schedule("cron(0 3 1 1 ? 2000-2026)")


MINUTE_HINT = "write *, 0 to 59, or like 0,30 or 10-20 or */15"
DAY_HINT = "write *, 1 to 31, or like 1,15 or 1-7 or */10; or L, LW or 15W alone"
WEEKDAY_HINT = "write *, 1 (SUN) to 7 (SAT), or like MON,THU or MON-FRI; or L, 6L or 6#3 alone"
MONTH_HINT = "write *, 1 to 12, JAN to DEC, or like JAN,JUL or 4-9 or */3"
YEAR_HINT = "write *, 2026 to 2199, or like 2030,2032 or 2030-2035 or */2"
RATE_HINT = "write a number from 1 to 999999 and minutes, hours or days, like rate(5 minutes)"
AT_HINT = "write a date and a time, like at(2026-12-24T18:00:00)"
NO_TIME = "there is no such time: write one like at(2026-12-24T18:00:00)"
FORM_HINT = (
    "write rate(5 minutes), cron(minute hour day-of-month month day-of-week year), or, once, at(2026-12-24T18:00:00)"
)
UP_HINT = "write ranges that go up, like 22-23,0-2 for the hours 22 to 2"


@pytest.mark.parametrize(
    ("expression", "mistake"),
    [
        ("", FORM_HINT),
        ("every 5 minutes", FORM_HINT),
        ("0 3 * * ? *", FORM_HINT),
        ("cron(0 3 * * ? *", FORM_HINT),
        ("CRON(0 3 * * ? *)", FORM_HINT),
        ("cron(0 3 * * ? *)\n", FORM_HINT),
        ("rate(0 minutes)", RATE_HINT),
        ("rate(-5 minutes)", RATE_HINT),
        ("rate(1.5 hours)", RATE_HINT),
        ("rate(5 seconds)", RATE_HINT),
        ("rate(5 weeks)", RATE_HINT),
        ("rate(5)", RATE_HINT),
        ("rate(9999999 days)", RATE_HINT),
        ("at(2030-01-01)", AT_HINT),
        ("at(2030-01-01 00:00:00)", AT_HINT),
        ("at(2030-01-01T00:00:00Z)", AT_HINT),
        ("at(2030-1-1T00:00:00)", AT_HINT),
        ("at(2030-01-01T00:00:00)\n", AT_HINT),
        ("at(tomorrow)", AT_HINT),
        ("at(2030-13-01T00:00:00)", NO_TIME),
        ("at(2027-02-29T00:00:00)", NO_TIME),
        ("at(2030-01-01T24:00:00)", NO_TIME),
        ("at(2030-01-01T00:00:60)", NO_TIME),
        ("at(2025-12-31T23:59:59)", "the year is 2025: write 2026 to 2199"),
        ("at(2200-01-01T00:00:00)", "the year is 2200: write 2026 to 2199"),
        *(
            (
                f"cron({text})",
                f"cron has {count} fields: write six, minute hour day-of-month month day-of-week year, "
                "like cron(0 3 * * ? *)",
            )
            for text, count in [("", 0), ("0 3 * * *", 5), ("0 0 3 * * ? *", 7)]
        ),
        ("cron(0 3 * * * *)", "day-of-month is '*' and day-of-week is '*': write ? in one of the two"),
        ("cron(0 3 1 * MON *)", "day-of-month is '1' and day-of-week is 'MON': write ? in one of the two"),
        ("cron(0 3 ? * ? *)", "day-of-month is '?' and day-of-week is '?': write ? in one of the two"),
        ("cron(75 3 * * ? *)", f"minute is '75': {MINUTE_HINT}"),
        ("cron(0,60 3 * * ? *)", f"minute is '60': {MINUTE_HINT}"),
        ("cron(-1 3 * * ? *)", f"minute is '': {MINUTE_HINT}"),
        ("cron(0, 3 * * ? *)", f"minute is '': {MINUTE_HINT}"),
        ("cron(? 3 * * ? *)", f"minute is '?': {MINUTE_HINT}"),
        *(
            (f"cron({text})", f"cron has characters that Scheduler does not read, {shown}: write others")
            for text, shown in [
                ("٣ 3 * * ? *", r"'\u0663'"),
                ("0\u00a03\u2003* * ? *", r"'\xa0', '\u2003'"),
                ("0 3 ? * \u017fUN *", r"'\u017f'"),  # a capital of S
            ]
        ),
        ("cron(*-5 3 * * ? *)", f"minute is '*': {MINUTE_HINT}"),
        ("cron(1-2-3 3 * * ? *)", f"minute is '2-3': {MINUTE_HINT}"),
        ("cron(*/0 3 * * ? *)", "minute is '*/0': write a step from 1 to 59"),
        ("cron(*/60 3 * * ? *)", "minute is '*/60': write a step from 1 to 59"),
        ("cron(5/ 3 * * ? *)", "minute is '5/': write a step from 1 to 59"),
        ("cron(1/2/3 3 * * ? *)", "minute is '1/2/3': write a step from 1 to 59"),
        ("cron(0 24 * * ? *)", "hour is '24': write *, 0 to 23, or like 8,20 or 9-17 or */6"),
        ("cron(0 22-2 * * ? *)", f"hour is '22-2': {UP_HINT}"),
        ("cron(0 3 0 * ? *)", f"day-of-month is '0': {DAY_HINT}"),
        ("cron(0 3 32 * ? *)", f"day-of-month is '32': {DAY_HINT}"),
        ("cron(0 3 32W * ? *)", f"day-of-month is '32': {DAY_HINT}"),
        ("cron(0 3 15,L * ? *)", f"day-of-month is 'L': {DAY_HINT}"),
        ("cron(0 3 1W,15 * ? *)", f"day-of-month is '1W': {DAY_HINT}"),
        ("cron(0 3 L-3 * ? *)", f"day-of-month is 'L': {DAY_HINT}"),
        ("cron(0 3 MON * ? *)", f"day-of-month is 'MON': {DAY_HINT}"),
        ("cron(0 3 1 13 ? *)", f"month is '13': {MONTH_HINT}"),
        ("cron(0 3 1 january ? *)", f"month is 'JANUARY': {MONTH_HINT}"),
        ("cron(0 3 1 NOV-FEB ? *)", f"month is 'NOV-FEB': {UP_HINT}"),
        ("cron(0 3 1 L ? *)", f"month is 'L': {MONTH_HINT}"),
        ("cron(0 3 ? * 0 *)", f"day-of-week is '0': {WEEKDAY_HINT}"),
        ("cron(0 3 ? * 8 *)", f"day-of-week is '8': {WEEKDAY_HINT}"),
        ("cron(0 3 ? * MO *)", f"day-of-week is 'MO': {WEEKDAY_HINT}"),
        ("cron(0 3 ? * FRI-MON *)", f"day-of-week is 'FRI-MON': {UP_HINT}"),
        ("cron(0 3 ? * 2-6/2 *)", f"day-of-week is '2-6/2', and has no steps: {WEEKDAY_HINT}"),
        ("cron(0 3 ? * 6#6 *)", f"day-of-week is '6#6': {WEEKDAY_HINT}"),
        ("cron(0 3 ? * 3#1,6#3 *)", f"day-of-week is '3#1': {WEEKDAY_HINT}"),
        ("cron(0 3 ? * 8L *)", f"day-of-week is '8': {WEEKDAY_HINT}"),
        ("cron(0 3 ? * 15W *)", f"day-of-week is '15W': {WEEKDAY_HINT}"),
        ("cron(0 3 1 * ? 1969)", f"year is '1969': {YEAR_HINT}"),
        ("cron(0 3 1 * ? 2026-2200)", f"year is '2200': {YEAR_HINT}"),
        ("cron(0 3 1 * ? 1970-2025)", f"year is '1970-2025', which is over: {YEAR_HINT}"),
        ("cron(0 3 1 * ? 2025)", f"year is '2025', which is over: {YEAR_HINT}"),
        ("cron(0 3 1 * ? 26)", f"year is '26': {YEAR_HINT}"),
    ],
)
def test_a_mistake_says_what_to_write(expression: str, mistake: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole message is compared
        read_schedule(expression)
    assert str(caught.value) == mistake


@pytest.mark.parametrize(
    "expression",
    [
        "cron(0 0 31 2 ? *)",
        "cron(0 0 31 FEB,APR,JUN,SEP,NOV ? *)",
        "cron(* * 29 2 ? 2027)",
        "cron(0 0 30W 2 ? *)",
        "cron(0 0 ? 2 2#5 2026)",
    ],
)
def test_an_expression_that_never_fires_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="never runs: write a day that its months and years have"):
        read_schedule(expression)


@pytest.mark.parametrize(
    "expression", ["cron(0 0 1 1 ? 2030)", "cron(0 0 29 2 ? 2027-2030)", "cron(59 23 ? 2 1#5 2032)"]
)
def test_an_expression_that_fires_only_once_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="runs only once: write like at\\(2026-12-24T18:00:00\\), or a"):
        read_schedule(expression)


WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
DATES = [date(FIRST_YEAR, 1, 1) + days * DAY for days in range((date(2200, 1, 1) - date(FIRST_YEAR, 1, 1)).days)]
MONTHS = [list(dates) for _, dates in groupby(DATES, key=lambda day: (day.year, day.month))]
MINUTES = [datetime(2028, 2, 1) + minutes * MINUTE for minutes in range((29 + 31) * 24 * 60)]  # noqa: DTZ001 - no zone

Rule = Callable[[list[date]], list[date]]
"""Picks the dates with runs from those of a month."""


@st.composite
def lists(draw: st.DrawFn, lowest: int, highest: int) -> tuple[str, set[int]]:
    """A field, and the numbers it stands for."""
    texts, numbers = [], set[int]()
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(lowest, highest))
        last = draw(st.integers(first, highest))
        step = draw(st.integers(1, highest - lowest))
        text, stands_for = draw(
            st.sampled_from(
                [
                    (f"{first}", {first}),
                    (f"{first}-{last}", set(range(first, last + 1))),
                    (f"{first}-{last}/{step}", set(range(first, last + 1, step))),
                    (f"{first}/{step}", set(range(first, highest + 1, step))),
                    (f"*/{step}", set(range(lowest, highest + 1, step))),
                    ("*", set(range(lowest, highest + 1))),
                ]
            )
        )
        texts.append(text)
        numbers |= stands_for
    return ",".join(texts), numbers


@st.composite
def days(draw: st.DrawFn) -> tuple[str, str, Rule]:
    """The fields day-of-month and day-of-week, and what they mean."""
    text, numbers = draw(lists(1, 31))
    number, nth = draw(st.integers(1, 31)), draw(st.integers(1, 5))
    name, names = draw(st.sampled_from(WEEKDAYS)), draw(st.sets(st.sampled_from(WEEKDAYS), min_size=1))
    meanings: list[tuple[str, str, Rule]] = [
        (text, "?", lambda month: [day for day in month if day.day in numbers]),
        ("L", "?", lambda month: month[-1:]),
        ("LW", "?", lambda month: working(month)[-1:]),
        (f"{number}W", "?", lambda month: [nearest(working(month), number)] if number <= len(month) else []),
        ("?", ",".join(sorted(names)), lambda month: on(names, month)),
        ("?", "L", lambda month: on({"SAT"}, month)),
        ("?", f"{name}L", lambda month: on({name}, month)[-1:]),
        ("?", f"{name}#{nth}", lambda month: on({name}, month)[nth - 1 : nth]),
    ]
    return draw(st.sampled_from(meanings))


def on(weekdays: set[str], month: list[date]) -> list[date]:
    return [day for day in month if WEEKDAYS[day.isoweekday() % 7] in weekdays]


def working(month: list[date]) -> list[date]:
    return [day for day in month if day.isoweekday() <= 5]


def nearest(month: list[date], number: int) -> date:
    return min(month, key=lambda day: abs(day.day - number))


def intervals_or_mistake(expression: str) -> tuple[timedelta | None, timedelta | None] | str:
    try:
        schedule = read_schedule(expression)
    except ValueError as error:
        return str(error).partition(":")[0]
    return schedule.shortest_interval, schedule.longest_interval


def counted(runs: Sequence[date]) -> tuple[timedelta, timedelta] | str:
    intervals = [later - earlier for earlier, later in pairwise(runs)]
    if not intervals:
        return "runs only once" if runs else "never runs"
    return min(intervals), max(intervals)


@settings(deadline=None)
@given(lists(0, 59), lists(0, 23), days())
def test_the_intervals_are_those_of_the_runs_counted_minute_by_minute(
    minutes: tuple[str, set[int]], hours: tuple[str, set[int]], days: tuple[str, str, Rule]
) -> None:
    day_of_month, day_of_week, rule = days
    dates = {day for month in MONTHS if month[0] in {date(2028, 2, 1), date(2028, 3, 1)} for day in rule(month)}
    runs = [time for time in MINUTES if time.minute in minutes[1] and time.hour in hours[1] and time.date() in dates]
    expression = f"cron({minutes[0]} {hours[0]} {day_of_month} 2,3 {day_of_week} 2028)"
    assert intervals_or_mistake(expression) == counted(runs)


@settings(deadline=None)
@given(lists(1, 12), days())
def test_the_intervals_are_those_of_the_runs_counted_day_by_day_over_all_years(
    months: tuple[str, set[int]], days: tuple[str, str, Rule]
) -> None:
    day_of_month, day_of_week, rule = days
    runs = [day for month in MONTHS if month[0].month in months[1] for day in rule(month)]
    assert intervals_or_mistake(f"cron(0 0 {day_of_month} {months[0]} {day_of_week} *)") == counted(runs)
