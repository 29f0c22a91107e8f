"""An alarm that notifies the people on call when it begins and when it ends."""

from __future__ import annotations

from typing import Any, Literal

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from stacks.jobs.metric import Metric

Missing = Literal["breaching", "ignore", "notBreaching"]
"""What missing data mean: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html"""


def add_alarm(
    scope: Construct,
    construct_id: str,
    *,
    name: str,
    meaning: str,
    topic: str,
    metric: Metric,
    expression: str | None = None,
    comparison: str = "GreaterThanOrEqualToThreshold",
    threshold: float,
    periods: int = 1,
    breaching_periods: int | None = None,
    missing: Missing = "notBreaching",
) -> str:
    """Add an alarm on `breaching_periods` of `periods` of `metric` (all of them by default), and return its name.

    `meaning` is the text of the notification: what it means, and where to look first. `topic` is the ARN of the topic
    that gets it. `expression` is computed from the metric by its name, and watched instead.
    """
    # The CDK's own Alarm is six calls to it, and an environment has hundreds.
    cloudwatch.CfnAlarm(
        Construct(scope, construct_id),  # whose path is that of the CDK's own: it decides the logical id
        "Resource",
        alarm_name=name,
        alarm_description=meaning,
        alarm_actions=[topic],
        ok_actions=[topic],
        comparison_operator=comparison,
        threshold=threshold,
        evaluation_periods=periods,
        datapoints_to_alarm=breaching_periods,
        treat_missing_data=missing,
        **_watched(metric, expression),
    )
    return name


def _watched(metric: Metric, expression: str | None) -> dict[str, Any]:
    dimensions = [
        cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in metric.dimensions.items()
    ]
    if metric.label is None:
        return {
            "namespace": metric.namespace,
            "metric_name": metric.name,
            "dimensions": dimensions,
            "statistic": metric.statistic,
            "period": metric.period_seconds,
        }
    data = cloudwatch.CfnAlarm.MetricDataQueryProperty(
        id="m1" if expression is None else metric.name,
        label=metric.label,
        metric_stat=cloudwatch.CfnAlarm.MetricStatProperty(
            metric=cloudwatch.CfnAlarm.MetricProperty(
                namespace=metric.namespace, metric_name=metric.name, dimensions=dimensions
            ),
            period=metric.period_seconds,
            stat=metric.statistic,
            unit=metric.unit,
        ),
        return_data=expression is None,
    )
    if expression is None:
        return {"metrics": [data]}
    computed = cloudwatch.CfnAlarm.MetricDataQueryProperty(
        id="expr_1", expression=expression, label=metric.label, return_data=True
    )
    return {"metrics": [computed, data]}
