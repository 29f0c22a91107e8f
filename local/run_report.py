"""What is to be said of a run: its log line, also if the function ended with an error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from local.execution_environment import Invocation

NOT_GOOD = ("failed", "overlapping")
"""The outcomes of a run whose work is not done. Else it is, by this run or before, or goes on in the next one."""


def report(event: Mapping[str, Any], invocation: Invocation) -> dict[str, Any]:
    """Return what the run that `event` started reports; of one that failed, with `error`."""
    if invocation.error is None:
        return returned(invocation)
    return failed(event, error_text(invocation.error)) | log_line(invocation.log_lines)


def returned(invocation: Invocation) -> dict[str, Any]:
    """Return what the function returned: each of ours, an object."""
    result: Any = invocation.result
    return dict(result)


def failed(event: Mapping[str, Any], error: str) -> dict[str, Any]:
    """Return what is known of a run without a log line: the function was killed, or could not start."""
    return {"outcome": "failed", "error": error, **event}


def log_line(lines: Iterable[str]) -> dict[str, Any]:
    """Return the run's line among those that the function wrote; empty if there is none."""
    for line in lines:
        with suppress(ValueError):  # what a job prints is in no form
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("message") == "run":
                return entry
    return {}


def error_text(document: Mapping[str, Any]) -> str:
    """Return type and message of Lambda's error `document`."""
    return f"{document['errorType']}: {document['errorMessage']}"


def is_good(report: Mapping[str, Any], left_open: int) -> bool:
    """Whether the run did what it should, and left nothing: neither in its process nor on the server."""
    return report["outcome"] not in NOT_GOOD and not report.get("leaked") and left_open == 0
