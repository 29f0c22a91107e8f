"""Exercises on alarms: they ring, they reach the people on call, and they end."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from gameday.exercise import Exercise
from gameday.ground import BACK_SECONDS, Ground
from gameday.waiting import NotSeen, now, require, until

FAILED_RUNS = 3
"""As many as the alarm on errors counts: FAILED_ATTEMPTS in stacks/watching/job_alarms.py."""
ERRORS, MISSED = "fail-errors", "beat-missed"
"""The alarms that ring by what is done here; all others are set."""
MISSED_SECONDS = 1800
"""A few minutes without a run (settings/missed_runs.py), five until the watcher sees it, a few more until it rings."""
HOUR_SECONDS = 5400
"""The alarm on errors sums up an hour."""


def errors_ring(ground: Ground) -> str:
    """Failing runs make their job's alarm ring, and leave no trace."""
    for _ in range(FAILED_RUNS):
        failure = ground.fails("fail", {"job": "fail", "scheduled_time": now().isoformat()})
        require(failure.kind == "OnPurposeError", f"the run failed with {failure.kind}: {failure}")
    seen = ground.next_run()["result"]["traces"]
    require("fail" not in seen, f"{seen.get('fail')} traces of runs that failed were not rolled back")
    ground.await_alarm(ERRORS, "ALARM")
    ground.await_notification(f"{ground.name}-{ERRORS}", "ALARM")
    return f"{FAILED_RUNS} runs failed, nothing of them is in the table; the alarm rang, and was heard"


def errors_end(ground: Ground) -> str:
    """The alarm ends by itself, an hour after the last failure."""
    ground.await_alarm(ERRORS, "OK", seconds=HOUR_SECONDS)
    ground.await_notification(f"{ground.name}-{ERRORS}", "OK")
    return "the alarm ended by itself, and that was heard"


def missed(ground: Ground) -> str:
    """Without runs, the alarm on missed runs rings; it ends with the next run."""
    alarm = f"{ground.name}-{MISSED}"
    before = ground.next_run()
    ground.await_alarm(MISSED, "OK", seconds=MISSED_SECONDS)  # a new job has none yet, and rings
    ground.forget_notifications()
    with ground.stopped("beat"):
        ground.await_alarm(MISSED, "ALARM", seconds=MISSED_SECONDS)
        ground.await_notification(alarm, "ALARM")
    ground.next_run(seconds=BACK_SECONDS)
    ground.await_alarm(MISSED, "OK", seconds=MISSED_SECONDS)
    ground.await_notification(alarm, "OK")
    ground.unbroken("beat", before)
    ground.purge("beat")  # what could not be started meanwhile
    return "rang without runs, ended with the next one, both were heard; that run covered the gap"


def notified(ground: Ground) -> str:
    """Every other alarm, set by hand, reaches the people on call, and what is set does not stay."""
    client = ground.client("cloudwatch")
    alarms = [name for name in ground.alarms() if name not in (f"{ground.name}-{ERRORS}", f"{ground.name}-{MISSED}")]
    require(alarms, "there is no alarm")
    reason = "Game day: set by hand"
    try:
        for name in alarms:
            client.set_alarm_state(AlarmName=name, StateValue="OK", StateReason=reason)
            client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason=reason)
        for name in alarms:
            ground.await_notification(name, "ALARM")
        kept = _kept(ground, alarms)
        ground.forget_notifications()
    finally:
        for name in alarms:
            client.set_alarm_state(AlarmName=name, StateValue="OK", StateReason=reason)
    for name in kept:
        ground.await_notification(name, "OK")
    ended = len(alarms) - len(kept)
    return f"{len(alarms)} alarms were heard; {ended} ended by CloudWatch's own evaluation, {len(kept)} when set back"


def _kept(ground: Ground, alarms: Collection[str]) -> list[str]:
    """Those that CloudWatch leaves as they were set: without data, some keep their state."""

    def kept() -> list[str]:
        states = ground.alarms()
        return [name for name in alarms if states[name]["StateValue"] == "ALARM"]

    with suppress(NotSeen):
        until("end of all alarms", lambda: not kept(), seconds=ground.settle_seconds, every=1)
    return kept()


EXERCISES = (
    Exercise(
        title="Alarm on errors",
        done=f"{FAILED_RUNS} runs that fail",
        minutes=8,
        carry_out=errors_ring,
    ),
    Exercise(
        title="Alarm on missed runs",
        done="reserved concurrency 0 until the alarm rings, and back",
        minutes=35,
        carry_out=missed,
        only_on_aws="the emulator has no alarms on an expression",
    ),
    Exercise(
        title="All other alarms",
        done="set by hand (SetAlarmState): shows that each is there, is heard, and does not stay; "
        "not that its own metric would ever make it ring",
        minutes=15,
        carry_out=notified,
    ),
)
LATE = (
    Exercise(
        title="Alarm on errors ends",
        done="waited, an hour after the failed runs",
        minutes=30,
        carry_out=errors_end,
        only_on_aws="it sums up an hour, and here nobody waits for one",
    ),
)
"""Those that wait for what began long before: at the end, when most of the time has passed anyway."""
