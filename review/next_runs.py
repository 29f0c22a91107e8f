"""The next runs of each schedule that changes: before and after, as Scheduler will choose them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from review.jobs_stacks import ANY, FIRST, in_one_stack
from review.markdown import code
from review.templates import Resource, SynthesizedEnvironment, at
from settings.schedule import next_times, rate_interval

SCHEDULE = "AWS::Scheduler::Schedule"
SHOWN = 5
NOTE = "In the time zone of the schedule; a rate counts from its deploy, which here is now."
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class NextRuns:
    """The next runs of one schedule, in Markdown."""

    path: str
    before: str | None
    """None for a new schedule."""
    after: str

    def markdown(self) -> Iterator[str]:
        """What was, and what will be."""
        if self.before is None:
            yield f"new: {self.after}"
        else:
            yield f"before: {self.before}"
            yield f"after: {self.after}"


def changed_runs(
    before: SynthesizedEnvironment | None, after: SynthesizedEnvironment, *, now: datetime
) -> Iterator[NextRuns]:
    """The next runs after `now` of each schedule that is new, goes, or has other times or another state."""
    # A stack that is no longer in the app stays deployed, and its schedules go on.
    stacks = {ANY.sub(FIRST, name) for name in after.stacks}
    deployed = {each.path: each for each in _schedules(before) if each.stack in stacks} if before else {}
    wanted = {each.path: each for each in _schedules(after)}
    for path in sorted(deployed.keys() | wanted.keys()):
        old, new = deployed.get(path), wanted.get(path)
        if _decides(old) != _decides(new):
            yield NextRuns(
                path=path,
                before=_told(old, now) if old else None,
                after=_told(new, now) if new else "none: the schedule is removed",
            )


def _schedules(environment: SynthesizedEnvironment) -> Sequence[Resource]:
    schedules = {key: each for key, each in environment.resources.items() if each.kind == SCHEDULE}
    return list(in_one_stack(replace(environment, resources=schedules)).resources.values())


def _decides(schedule: Resource | None) -> object:
    """What its times follow from."""
    if schedule is None:
        return None
    start, end = at(schedule, "StartDate"), at(schedule, "EndDate")
    return _expression(schedule), _zone(schedule), _disabled(schedule), start, end


def _expression(schedule: Resource) -> str:
    return str(at(schedule, "ScheduleExpression"))


def _zone(schedule: Resource) -> str:
    return str(at(schedule, "ScheduleExpressionTimezone") or "UTC")


def _disabled(schedule: Resource) -> bool:
    return bool(at(schedule, "State") == "DISABLED")


def _told(schedule: Resource, now: datetime) -> str:
    expression, zone = _expression(schedule), _zone(schedule)
    named = code(expression) if zone == "UTC" else f"{code(expression)} in {code(zone)}"
    if _disabled(schedule):
        return f"{named}: none, as it is disabled"
    try:
        times = _times(schedule, now)
        listed = _listed(times, ZoneInfo(zone))
    except (ValueError, OverflowError, ZoneInfoNotFoundError) as error:
        return f"{named}: not known here: {code(error)}"
    if not times:
        return f"{named}: {_none(expression, zone)}"
    return f"{named}: {listed}"


def _none(expression: str, zone: str) -> str:
    if not expression.startswith("at("):
        return "none any more"
    return (
        "none, as it is over" if next_times(expression, zone, now=LONG_AGO, count=1) else "none, as it is on no clock"
    )


def _times(schedule: Resource, now: datetime) -> list[datetime]:
    """The next times, in UTC.

    Raises:
        ValueError: Scheduler would refuse the expression, or this project does not read it.
    """
    expression, zone = _expression(schedule), _zone(schedule)
    start = _date(at(schedule, "StartDate"), LONG_AGO)
    end = _date(at(schedule, "EndDate"), END_OF_TIME)
    if expression.startswith("rate(") and start > LONG_AGO:
        interval = rate_interval(expression)
        first = start + max(0, (now - start) // interval + 1) * interval
        times = [first + number * interval for number in range(SHOWN)]
    else:
        times = next_times(expression, zone, now=max(now, start - timedelta(microseconds=1)), count=SHOWN)
    return [each for each in times if now < each <= end]


def _date(text: object, otherwise: datetime) -> datetime:
    """A date of a template, which without a time zone is in UTC."""
    if text is None:
        return otherwise
    date = datetime.fromisoformat(str(text))
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _listed(times: Sequence[datetime], zone: ZoneInfo) -> str:
    """The times as the schedule's time zone has them, each day once, and in UTC where that is another."""
    written, day = [], None
    for time in times:
        local = time.astimezone(zone)
        utc = "" if zone.key == "UTC" else f" ({time:%H:%M} UTC)"
        written.append(f"{local:%H:%M}{utc}" if local.date() == day else f"{local:%a %Y-%m-%d %H:%M}{utc}")
        day = local.date()
    return ", ".join(written)
