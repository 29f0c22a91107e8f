"""Exercises on runs: they come, once each, end at their deadline, and leave nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from gameday.exercise import Exercise
from gameday.ground import BACK_SECONDS, Ground, event, traces
from gameday.waiting import now, require, until

OVERRUN = timedelta(minutes=5)
"""Longer than any time that the job nap has."""
SHORT_NAP = timedelta(seconds=1)
ON_PURPOSE = "as every run of this job"
"""The error of the job fail."""
REFUSAL_SECONDS = 60
"""Until all of Lambda knows the concurrency: at once, mostly."""
DEAD_LETTER_SECONDS = 900
"""Lambda's two retries come within minutes."""


def first_runs(ground: Ground) -> str:
    """The schedule starts runs, and each does its work."""
    first = ground.next_run(seconds=BACK_SECONDS)
    second = ground.next_run()
    done = ground.unbroken("beat", first)
    seen = [each["beat"] for each in traces(done)]
    require(seen == list(range(seen[0], seen[0] + len(seen))), f"the runs saw {seen} traces: one more each was due")
    return f"runs of {_time(first)} and {_time(second)} are done; one trace each, and no gap between their windows"


def duplicate(ground: Ground) -> str:
    """A second delivery of a scheduled time does nothing."""
    first = ground.next_run()
    again = ground.start("beat", event(first))
    require(again["outcome"] == "duplicate", f"the second delivery ended as {again['outcome']}")
    return f"{_time(first)} was delivered again: outcome duplicate"


def overrun(ground: Ground) -> str:
    """A statement that is still at work at the deadline is killed, with its session."""
    before = ground.next_run()
    failure = ground.fails("nap", window(OVERRUN))
    require(failure.kind == "DeadlineExceeded", f"the run failed with {failure.kind}: {failure}")
    after = ground.next_run()
    naps = [each.get("nap", 0) for each in traces((before, after))]
    require(naps[0] == naps[1], "the trace of the run that failed was not rolled back")
    if ground.settings.proxy.enabled:
        return "DeadlineExceeded; rolled back. The sessions of a proxy can't be told apart: not counted"
    sessions = ground.start("nap", window(SHORT_NAP))["result"]["sessions"]
    require(sessions == 1, f"its next run saw {sessions} sessions of its user, its own included")
    return "DeadlineExceeded; rolled back; its next run saw no session but its own"


def stopped(ground: Ground) -> str:
    """With a concurrency of 0 nothing starts; afterwards the next run covers the time without runs."""
    before = ground.next_run()
    with ground.stopped("beat"):
        refused = until("refusal to start a run", lambda: _refusal(ground), seconds=REFUSAL_SECONDS, every=5)
    after = ground.next_run(seconds=BACK_SECONDS)
    done = ground.unbroken("beat", before)
    require(after in done, "the run after it is in no row with the one before it")
    return f"refused with {refused}; the window of {_time(after)} begins where the last one ended"


def dead_letters(ground: Ground) -> str:
    """A run that fails with all its retries is in the dead-letter queue, with its error."""
    known = ground.dead_letters("fail").keys()
    ground.start_async("fail", {"job": "fail", "scheduled_time": now().isoformat()})

    def look() -> set[str]:
        letters = ground.dead_letters("fail")
        return {letters[new].get("responsePayload", {}).get("errorMessage", "") for new in letters.keys() - known}

    [error] = until("dead letter", look, seconds=DEAD_LETTER_SECONDS, every=2)
    require(error == ON_PURPOSE, f"the letter has the error {error}")
    ground.purge("fail")
    return f"its letter has the error “{error}”; the queue was emptied"


def window(length: timedelta) -> dict[str, Any]:
    """Return an event that runs a job for a window of that length, which ends now."""
    end = now()
    return {"window": {"start": (end - length).isoformat(), "end": end.isoformat()}}


def _refusal(ground: Ground) -> str | None:
    """Why Lambda starts no run; None if it started one."""
    try:
        ground.invoke("beat", {"dry_run": True})
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return None


def _time(run: Any) -> str:
    return f"{datetime.fromisoformat(run['scheduled_time']):%H:%M:%S}"


EXERCISES = (
    Exercise(
        title="First runs",
        done="waited for two runs that the schedule starts",
        minutes=5,
        carry_out=first_runs,
    ),
    Exercise(
        title="Duplicate delivery",
        done="the event of a run that is done, delivered again",
        minutes=3,
        carry_out=duplicate,
    ),
    Exercise(
        title="Past the deadline",
        done="a run whose statement sleeps on the server for longer than the run has",
        minutes=5,
        carry_out=overrun,
    ),
    Exercise(
        title="Stopped by hand",
        done="reserved concurrency 0, and back",
        minutes=5,
        carry_out=stopped,
    ),
    Exercise(
        title="Dead letters",
        done="a run that fails, with all of Lambda's retries",
        minutes=8,
        carry_out=dead_letters,
    ),
)
