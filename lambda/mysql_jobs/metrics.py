"""Metrics in a log line: CloudWatch makes them of any line in its embedded metric format, so no service is called.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Measures(NamedTuple):
    """Fields of a line that are metrics, and the fields that they are counted by."""

    units: Mapping[str, str]
    """CloudWatch's name of each field's unit, by the field."""
    by: tuple[str, ...]


def embedded(line: Mapping[str, Any], measures: Sequence[Measures], namespace: str) -> dict[str, Any]:
    """Return `line` with what tells CloudWatch which of its fields are metrics in `namespace`.

    A field that the line lacks makes no metric: a run that never connected has no connect_ms.
    """
    directives = [
        {
            "Namespace": namespace,
            "Dimensions": [list(each.by)],
            "Metrics": [{"Name": name, "Unit": unit} for name, unit in each.units.items() if name in line],
        }
        for each in measures
    ]
    return {**line, "_aws": {"Timestamp": round(time.time() * 1000), "CloudWatchMetrics": directives}}
