"""A metric of CloudWatch, as alarms and graphs refer to it. Plain values: no object of the CDK is made for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PERIOD_SECONDS = 300
"""CloudWatch's own default, on a dashboard."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One time series of CloudWatch."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str = "Average"
    unit: str | None = None
    """Only data of this unit, in an alarm."""
    label: str | None = None
    period_seconds: int = PERIOD_SECONDS

    def on_graph(self, **options: Any) -> list[Any]:
        """Return it as a graph's source has it; `options` are the graph's own, like its colour.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
        """
        pairs = (part for pair in self.dimensions.items() for part in pair)
        chosen = {
            "label": self.label,
            "period": self.period_seconds if self.period_seconds != PERIOD_SECONDS else None,
            "stat": self.statistic if self.statistic != "Average" else None,  # which is CloudWatch's default
            **options,
        }
        chosen = {key: value for key, value in chosen.items() if value is not None}
        return [self.namespace, self.name, *pairs, *([chosen] if chosen else [])]
