"""What counts as a good run, and what is said of one that failed."""

import pytest

from local import run_report
from local.execution_environment import Invocation

EVENT = {"job": "pulse", "scheduled_time": "2026-11-23T08:00:00Z"}


@pytest.mark.parametrize(
    ("report", "left_open", "good"),
    [
        ({"outcome": "done", "leaked": []}, 0, True),
        ({"outcome": "partial", "leaked": []}, 0, True),
        ({"outcome": "duplicate", "leaked": []}, 0, True),
        ({"outcome": "dry_run", "leaked": []}, 0, True),
        ({"outcome": "overlapping", "leaked": []}, 0, False),
        ({"outcome": "failed"}, 0, False),
        ({"outcome": "done", "leaked": ["thread x"]}, 0, False),
        ({"outcome": "done", "leaked": []}, 1, False),
    ],
)
def test_a_good_run_did_its_work_and_left_nothing(report: dict[str, object], left_open: int, good: bool) -> None:
    assert run_report.is_good(report, left_open) is good


def test_a_failed_run_reports_its_line_and_its_error() -> None:
    lines = ("printed", '{"message": "other"}', '{"message": "run", "outcome": "failed", "connect_ms": 5.1}')
    report = run_report.report(EVENT, _failed(*lines))
    assert report.items() >= {**EVENT, "outcome": "failed", "connect_ms": 5.1, "error": "ValueError: no"}.items()


def test_a_killed_run_reports_its_event_and_its_error() -> None:
    assert run_report.report(EVENT, _failed("printed")) == {**EVENT, "outcome": "failed", "error": "ValueError: no"}


def _failed(*lines: str) -> Invocation:
    return Invocation(
        request_id="1",
        cold=True,
        result=None,
        error={"errorType": "ValueError", "errorMessage": "no"},
        log_lines=lines,
        duration_seconds=0,
    )
