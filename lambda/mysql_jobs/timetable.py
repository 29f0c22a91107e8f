"""The times of a job's schedule, as its function knows them.

The rules of schedules are those that synth reads them with: settings/schedule.py, which is in the zip as it is. It is
imported where a question comes up: most runs have none, and need not wait for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

SHORTEST_INTERVAL = timedelta(minutes=1)
"""Of any schedule: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html"""


class Timetable(NamedTuple):
    """When a job is due: a schedule's expression and its time zone."""

    expression: str
    """rate(…), cron(…) or at(…); empty if nobody has said it."""
    time_zone: str

    def before(self, time: datetime) -> datetime | None:
        """Return the last scheduled time before `time`, itself a scheduled time; None if there is none.

        Raises:
            ValueError, ZoneInfoNotFoundError: there is no such schedule, or no such time zone here.
        """
        if not self.expression:
            return None
        from settings.schedule import previous_time  # noqa: PLC0415 (see the head)

        return previous_time(self.expression, self.time_zone, before=time)

    def latest(self, now: datetime, *, since: datetime) -> datetime:
        """Return the last scheduled time until `now`; `since`, itself one, if none has come after it.

        Raises:
            ValueError, ZoneInfoNotFoundError: there is no such schedule, or no such time zone here.
        """
        if not self.expression or now < since + SHORTEST_INTERVAL:
            return since
        from settings.schedule import latest_times, rate_interval  # noqa: PLC0415 (see the head)

        if self.expression.startswith("rate("):
            # It counts from when the schedule was made, which only its own times tell.
            return now - (now - since) % rate_interval(self.expression)
        return max([since, *latest_times(self.expression, self.time_zone, now=now, count=1)])
