"""The log line as CloudWatch reads it: which of its fields are metrics."""

import time

from mysql_jobs.metrics import Measures, embedded

LINE = {"message": "run", "job": "pulse", "outcome": "done", "runs": 1, "connect_ms": 5.5}


def test_a_line_says_which_of_its_fields_are_metrics_and_by_what() -> None:
    before = time.time() * 1000
    measures = [
        Measures({"runs": "Count"}, by=("job", "outcome")),
        Measures({"connect_ms": "Milliseconds", "destroy_ms": "Milliseconds"}, by=("job",)),
    ]
    line = embedded(LINE, measures, "mysql-jobs/basic")
    told = line.pop("_aws")
    assert line == LINE
    assert before - 1 <= told["Timestamp"] <= time.time() * 1000 + 1
    assert told["CloudWatchMetrics"] == [
        {
            "Namespace": "mysql-jobs/basic",
            "Dimensions": [["job", "outcome"]],
            "Metrics": [{"Name": "runs", "Unit": "Count"}],
        },
        {
            "Namespace": "mysql-jobs/basic",
            "Dimensions": [["job"]],
            "Metrics": [{"Name": "connect_ms", "Unit": "Milliseconds"}],
        },
    ]
