"""The database users of the jobs and of what watches them, as the migrate function is told them: RIGHTS, or a file.

Lambda allows a function 4 KB of variables: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from settings import names
from settings.environment import JobSettings
from settings.job_module import Rights
from settings.job_variables import tables_note

RIGHTS_FILE = "rights.json"
"""Takes them in the zip of the migrate function, and is named in RIGHTS, where they don't fit that."""


class JobUser(NamedTuple):
    """The database user of one job, or of the watcher."""

    job: str
    user: str
    connections: int
    """How many it may have at once; 0 for no limit."""
    rights: Rights
    own: Rights | None = None
    """On the engine's own tables; None for what each run needs there."""


def job_user(job: JobSettings, *, environment: str, proxy: bool) -> JobUser:
    """Return the user of a job, which connects through a `proxy` or not."""
    return JobUser(
        job=job.name,
        user=names.database_user(environment, job.name),
        # How many sessions of a user a proxy opens is its affair, and it has a limit of its own.
        connections=0 if proxy else most_connections(job.concurrency),
        rights=job.rights,
    )


def watcher_user(*, environment: str, proxy: bool) -> JobUser:
    """Return the user of the watcher, which connects through a `proxy` or not: it touches no table of a job."""
    return JobUser(
        job=names.WATCH,
        user=names.database_user(environment, names.WATCH),
        connections=0 if proxy else most_connections(1),
        rights={},
        own={"ledger": frozenset({"SELECT"}), "watched": frozenset({"DELETE", "INSERT", "SELECT", "UPDATE"})},
    )


def logins(jobs: Sequence[JobSettings]) -> list[str]:
    """Return who has a database user, by the names in the names of their resources: the jobs, and what watches them."""
    return [*(job.name for job in jobs), names.WATCH] if jobs else []


def most_connections(concurrency: int) -> int:
    """Return how many connections a job's user may have at once, which no run needs more than.

    Each run has one, and a short one that kills its session at the deadline. One more session may be that of a killed
    run which the server still rolls back: as long as that takes, it holds the job's lock, so there is no second one.
    """
    return 2 * concurrency + 1


def rights_text(users: Iterable[JobUser]) -> str:
    """Return what the migrate function reads, by job: {"user": …, "connections": …, "tables": {"event": "SELECT"}}."""
    return json.dumps({each.job: _told(each) for each in users}, sort_keys=True, separators=(",", ":"))


def _told(user: JobUser) -> dict[str, Any]:
    told: dict[str, Any] = {
        "user": user.user,
        "connections": user.connections,
        "tables": tables_note(user.rights),
    }
    return told if user.own is None else {**told, "own": tables_note(user.own)}


def fits_variable(text: str) -> bool:
    """Return whether `text` fits an environment variable, beside what else the function is told."""
    return len(text) <= 3000
