"""JobAlarms construct: the alarms of one job."""

from datetime import timedelta

from constructs import Construct

from settings import names
from settings.missed_runs import allowance, most_lag
from stacks.jobs.scheduled_job import ScheduledJob
from stacks.watching.alarm import add_alarm

FAILED_ATTEMPTS = 3
"""An error that a retry, or the next run, cures makes no alarm."""
AN_HOUR = timedelta(hours=1)
PERIOD = timedelta(minutes=5)
REFUSED = timedelta(minutes=20)
"""Longer than a run can be: Lambda counts a run where it began, but when it has ended, so those that began in the
period before the latest are known."""
CATCHING_UP = 12
"""Periods: an hour. What is done sooner is no trouble."""
UNSEEN = 3
"""Of so many periods, one at least has a line of the watcher, which runs every five minutes: it says what is wrong in
each line, and nothing of what is right."""
NEAR_TIMEOUT = 0.8
"""The share of the timeout; a run is ended, and fails, 2 s before it (lambda/mysql_jobs/deadline.py)."""


class JobAlarms(Construct):
    """The alarms of one job, named <environment>-<job>-<what>.

    Attributes:
        job: the job.
        alarms: the names of all of them.
    """

    def __init__(self, scope: Construct, construct_id: str, *, job: ScheduledJob, topic: str) -> None:
        """Add the alarms of `job`, which notify the topic with the ARN `topic`."""
        super().__init__(scope, construct_id)
        self.job = job
        self._topic = topic
        self.alarms = [self._errors(), self._dead_letters(), self._throttles(), self._near_timeout(), self._stuck()]
        if job.settings.enabled:  # else nothing is late
            self.alarms += [self._missed(), self._catching_up()]
            if most := most_lag(job.settings):
                self.alarms.append(self._lag(most))

    def _errors(self) -> str:
        settings = self.job.settings
        # A rare job whose retry window has no room for so many fails for good with fewer.
        shortest = settings.when.shortest_interval  # None if it runs once
        runs = max(1, AN_HOUR // shortest) if shortest else 1
        failed = min(FAILED_ATTEMPTS, settings.attempts * runs)
        times = "once" if failed == 1 else f"{failed} times within an hour, retries included"
        return add_alarm(
            self,
            "Errors",
            name=names.alarm(self.job.name, "errors"),
            meaning=f"{self.job.name} failed {times}. "
            "Look first at its last failed runs on the dashboard: their log lines have the error.",
            topic=self._topic,
            # Lambda's own count: a run that was killed, or never began, has no log line.
            metric=self.job.errors(period_seconds=AN_HOUR // timedelta(seconds=1)),
            threshold=failed,
        )

    def _dead_letters(self) -> str:
        return add_alarm(
            self,
            "DeadLetters",
            name=names.alarm(self.job.name, "dead-letters"),
            meaning=f"A run of {self.job.name} failed for good or could not be started; the next covers its window. "
            "Look first at the message in its dead-letter queue: it has the error. The alarm ends when it is deleted.",
            topic=self._topic,
            metric=self.job.dead_letters_waiting(period_seconds=60),
            threshold=1,
            # A queue without activity for six hours reports nothing, whatever it contains.
            # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/monitoring-using-cloudwatch.html
            missing="ignore",
        )

    def _throttles(self) -> str:
        # As long as runs begin, there is nothing wrong: where the work of a job goes on at once, its runs take the one
        # place that there is, and Lambda tries again what it refused.
        # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
        seconds = REFUSED // timedelta(seconds=1)
        return add_alarm(
            self,
            "Throttles",
            name=names.alarm(self.job.name, "throttles"),
            meaning=f"Lambda refuses to start {self.job.name}, and no run of it begins. Look first whether its "
            "reserved concurrency is what its file says, then at the account's concurrency.",
            topic=self._topic,
            metric=self.job.throttles(period_seconds=seconds),
            beside=self.job.invocations(period_seconds=seconds),
            expression="IF(FILL(invocations, 0) > 0, 0, throttles)",
            threshold=1,
            periods=3,
            breaching_periods=2,
        )

    def _near_timeout(self) -> str:
        timeout = self.job.settings.timeout_seconds
        return add_alarm(
            self,
            "NearTimeout",
            name=names.alarm(self.job.name, "near-timeout"),
            meaning=f"A run of {self.job.name} took {NEAR_TIMEOUT:.0%} of its {timeout} s or more, and soon one will "
            "fail. Look first at how long its runs took on the dashboard, then at the slow query log.",
            topic=self._topic,
            metric=self.job.metrics.measure("duration_ms"),
            threshold=NEAR_TIMEOUT * timeout * 1000,
            # It lasts until a faster run: between two runs there is no data.
            missing="ignore",
        )

    def _stuck(self) -> str:
        settings = self.job.settings
        return add_alarm(
            self,
            "Stuck",
            name=names.alarm(self.job.name, "stuck"),
            meaning=f"A run of {self.job.name} left work, and none follows at once: it got no further, or this "
            f"has gone on for {settings.max_hours} hours. Look first at its log lines: does its progress move?",
            topic=self._topic,
            metric=self.job.metrics.measure("stuck"),
            threshold=1,
            # It lasts until a run leaves nothing, or is followed.
            missing="ignore",
        )

    def _missed(self) -> str:
        late = allowance(self.job.settings)
        return add_alarm(
            self,
            "Missed",
            name=names.alarm(self.job.name, "missed"),
            meaning=f"A run of {self.job.name} was due, and nothing was recorded within {spoken(late)} of that. Look "
            "first whether its schedule is enabled, then at its runs and its dead letters on the dashboard.",
            topic=self._topic,
            metric=self.job.metrics.watched("missed"),
            threshold=1,
            periods=UNSEEN,
            breaching_periods=1,
        )

    def _lag(self, most: timedelta) -> str:
        return add_alarm(
            self,
            "Lag",
            name=names.alarm(self.job.name, "lag"),
            meaning=f"What {self.job.name} has done ends {spoken(most)} ago or more: its runs are missed, or fail, or "
            "do not get far enough. Look first at its lag on the dashboard, then at what its runs came to.",
            topic=self._topic,
            metric=self.job.metrics.watched("lag_seconds"),
            threshold=most // timedelta(seconds=1),
            # It lasts until the watcher says otherwise; if that doesn't run, there is an alarm about it.
            missing="ignore",
        )

    def _catching_up(self) -> str:
        return add_alarm(
            self,
            "CatchingUp",
            name=names.alarm(self.job.name, "catching-up"),
            meaning=f"{self.job.name} has been further behind than one run can cover for "
            f"{spoken(CATCHING_UP * PERIOD)}. Look first at its lag on the dashboard: does it fall?",
            topic=self._topic,
            metric=self.job.metrics.watched("catching_up"),
            threshold=1,
            periods=CATCHING_UP,
            breaching_periods=CATCHING_UP - UNSEEN + 1,
        )


def spoken(length: timedelta) -> str:
    """Return a length in words, like "27 hours"; in minutes below three hours."""
    minutes = length // timedelta(minutes=1)
    return f"{minutes} minutes" if minutes < 180 else f"{round(minutes / 60, 1):g} hours"
