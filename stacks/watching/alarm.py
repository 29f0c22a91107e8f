"""An alarm that notifies the people on call when it begins and when it ends."""

from __future__ import annotations

from collections.abc import Sequence
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
    beside: Metric | None = None,
    expression: str | None = None,
    comparison: str = "GreaterThanOrEqualToThreshold",
    threshold: float,
    periods: int = 1,
    breaching_periods: int | None = None,
    missing: Missing = "notBreaching",
) -> str:
    """Add an alarm on `breaching_periods` of `periods` of `metric` (all of them by default), and return its name.

    `meaning` is the text of the notification: what it means, and where to look first. `topic` is the ARN of the topic
    that gets it. `expression` is computed from the metric, and one `beside` it, by their names with a small letter in
    front, and watched instead.
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
        **(_measured(metric) if expression is None else _computed(expression, [metric, *([beside] if beside else [])])),
    )
    return name


def _measured(metric: Metric) -> dict[str, Any]:
    if metric.label is not None:
        return {"metrics": [_data(metric, "m1", returned=True)]}
    return {
        "namespace": metric.namespace,
        "metric_name": metric.name,
        "dimensions": _dimensions(metric),
        "statistic": metric.statistic,
        "period": metric.period_seconds,
    }


def _computed(expression: str, metrics: Sequence[Metric]) -> dict[str, Any]:
    computed = cloudwatch.CfnAlarm.MetricDataQueryProperty(
        id="expr_1", expression=expression, label=metrics[0].label, return_data=True
    )
    # An id begins with a small letter.
    data = [_data(metric, f"{metric.name[0].lower()}{metric.name[1:]}", returned=False) for metric in metrics]
    return {"metrics": [computed, *data]}


def _data(metric: Metric, query: str, *, returned: bool) -> cloudwatch.CfnAlarm.MetricDataQueryProperty:
    return cloudwatch.CfnAlarm.MetricDataQueryProperty(
        id=query,
        label=metric.label,
        metric_stat=cloudwatch.CfnAlarm.MetricStatProperty(
            metric=cloudwatch.CfnAlarm.MetricProperty(
                namespace=metric.namespace, metric_name=metric.name, dimensions=_dimensions(metric)
            ),
            period=metric.period_seconds,
            stat=metric.statistic,
            unit=metric.unit,
        ),
        return_data=returned,
    )


def _dimensions(metric: Metric) -> list[cloudwatch.CfnAlarm.DimensionProperty]:
    return [cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in metric.dimensions.items()]
