"""The alarm about the watcher: without it, nobody is told of a missed run."""

from __future__ import annotations

from constructs import Construct

from settings import names
from stacks.jobs.run_metrics import watches
from stacks.watching.alarm import add_alarm


def add_watcher_alarm(scope: Construct, construct_id: str, *, environment: str, topic: str) -> str:
    """Add the alarm <environment>-watch-missed, which notifies the topic with the ARN `topic`; return its name."""
    watcher = names.function(environment, names.WATCH)
    return add_alarm(
        scope,
        construct_id,
        name=names.alarm(watcher, "missed"),
        meaning=f"Nothing has watched the jobs of {environment} for 15 minutes, so missed runs are not told of; in a "
        f"new environment, nothing has yet. Look first at the last log lines of {watcher}, then whether its schedule "
        "is enabled.",
        topic=topic,
        # Without FILL, older data would be evaluated instead of missing data, and the alarm would be late.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
        metric=watches(environment),
        expression="FILL(watched, 0)",
        comparison="LessThanThreshold",
        threshold=1,
        periods=3,
        missing="breaching",
    )
