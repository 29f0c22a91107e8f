"""What the watcher is told of the jobs: WATCHED, an environment variable, or a file where it fits none.

What fits is what fits of RIGHTS: fits_variable in settings/job_users.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta

from settings.environment import JobSettings
from settings.missed_runs import allowance, silence

WATCHED_FILE = "watched.json"
"""Takes it in the zip of the watcher, and is named in WATCHED, where it doesn't fit that."""


def watched_text(jobs: Iterable[JobSettings]) -> str:
    """Return what the watcher reads, by job: when it runs, and how late that may be seen; of those switched on only."""
    return json.dumps({job.name: _told(job) for job in jobs if job.enabled}, sort_keys=True, separators=(",", ":"))


def _told(job: JobSettings) -> dict[str, str | int]:
    told: dict[str, str | int] = {
        "schedule": job.schedule,
        "time_zone": job.time_zone,
        "allowance_seconds": _seconds(allowance(job)),
        "silence_seconds": _seconds(silence(job)),
    }
    # Else the next run covers all that was missed, or skips it: there is nothing to catch up on.
    return told | {"max_window_seconds": _seconds(job.max_window)} if job.catch_up == "all" else told


def _seconds(length: timedelta) -> int:
    return length // timedelta(seconds=1)
