"""JobAlarms construct: the alarms of one job."""

from datetime import timedelta

from constructs import Construct

from settings import names
from settings.missed_runs import Silence, missed_after
from stacks.jobs.scheduled_job import ScheduledJob
from stacks.watching.alarm import add_alarm

FAILED_ATTEMPTS = 3
"""An error that a retry, or the next run, cures makes no alarm."""
PERIOD = timedelta(hours=1)
NEAR_TIMEOUT = 0.8
"""The share of the timeout; a run is ended, and fails, 2 s before it (lambda/mysql_jobs/deadline.py)."""


class JobAlarms(Construct):
    """The alarms of one job, named <environment>-<job>-<what>.

    Attributes:
        job: the job.
        alarms: the names of all of them.
        silence: how long without a successful run makes an alarm; None if the job runs too rarely for one.
    """

    def __init__(self, scope: Construct, construct_id: str, *, job: ScheduledJob, topic: str) -> None:
        """Add the alarms of `job`, which notify the topic with the ARN `topic`."""
        super().__init__(scope, construct_id)
        self.job = job
        self._topic = topic
        self.silence = missed_after(job.settings)
        self.alarms = [self._errors(), self._dead_letters(), self._throttles(), self._near_timeout()]
        if self.silence is not None:
            self.alarms.append(self._missed(self.silence))

    def _errors(self) -> str:
        settings = self.job.settings
        # A rare job whose retry window has no room for so many fails for good with fewer.
        failed = min(FAILED_ATTEMPTS, settings.attempts * max(1, PERIOD // settings.when.shortest_interval))
        times = "once" if failed == 1 else f"{failed} times within an hour, retries included"
        return add_alarm(
            self,
            "Errors",
            name=names.alarm(self.job.name, "errors"),
            meaning=f"{self.job.name} failed {times}. "
            "Look first at its last failed runs on the dashboard: their log lines have the error.",
            topic=self._topic,
            # Lambda's own count: a run that was killed, or never began, has no log line.
            metric=self.job.errors(period_seconds=PERIOD // timedelta(seconds=1)),
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
        return add_alarm(
            self,
            "Throttles",
            name=names.alarm(self.job.name, "throttles"),
            meaning=f"Lambda keeps refusing to start {self.job.name}. Look first whether a run of it still runs "
            "(its concurrency is reserved, so there is room for no other), then at the account's concurrency.",
            topic=self._topic,
            # Lambda retries what it refused: a single refusal, of a second delivery for instance, is harmless.
            # https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
            metric=self.job.throttles(),
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
            metric=self.job.metrics.duration(),
            threshold=NEAR_TIMEOUT * timeout * 1000,
            # It lasts until a faster run: between two runs there is no data.
            missing="ignore",
        )

    def _missed(self, silence: Silence) -> str:
        return add_alarm(
            self,
            "Missed",
            name=names.alarm(self.job.name, "missed"),
            meaning=f"No run of {self.job.name} did its work for {spoken(silence.length)}; of a new job, none yet. "
            "Look first whether its schedule is enabled, then at its runs and its dead letters on the dashboard.",
            topic=self._topic,
            # Without FILL, older data would be evaluated instead of missing data, and the alarm would be late.
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
            expression="FILL(worked, 0)",
            metric=self.job.metrics.worked(period_seconds=silence.period // timedelta(seconds=1)),
            comparison="LessThanThreshold",
            threshold=1,
            periods=silence.periods,
            missing="breaching",
        )


def spoken(length: timedelta) -> str:
    """Return a length in words, like "27 hours"; in minutes below three hours."""
    minutes = length // timedelta(minutes=1)
    return f"{minutes} minutes" if minutes < 180 else f"{round(minutes / 60, 1):g} hours"
