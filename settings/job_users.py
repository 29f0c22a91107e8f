"""The jobs' database users, as the migrate function is told them: RIGHTS, an environment variable or a file.

Lambda allows a function 4 KB of variables: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NamedTuple

from settings import names
from settings.environment import JobSettings
from settings.job_module import Rights
from settings.job_variables import tables_note

RIGHTS_FILE = "rights.json"
"""Takes them in the zip of the migrate function, and is named in RIGHTS, where they don't fit that."""


class JobUser(NamedTuple):
    """The database user of one job."""

    job: str
    user: str
    connections: int
    """How many it may have at once; 0 for no limit."""
    rights: Rights


def job_user(job: JobSettings, *, environment: str, proxy: bool) -> JobUser:
    """Return the user of a job, which connects through a `proxy` or not."""
    return JobUser(
        job=job.name,
        user=names.database_user(environment, job.name),
        # How many sessions of a user a proxy opens is its affair, and it has a limit of its own.
        connections=0 if proxy else most_connections(job.concurrency),
        rights=job.rights,
    )


def most_connections(concurrency: int) -> int:
    """Return how many connections a job's user may have at once, which no run needs more than.

    Each run has one, and a short one that kills its session at the deadline. One more session may be that of a killed
    run which the server still rolls back: as long as that takes, it holds the job's lock, so there is no second one.
    """
    return 2 * concurrency + 1


def rights_text(users: Iterable[JobUser]) -> str:
    """Return what the migrate function reads, by job: {"user": …, "connections": …, "tables": {"event": "SELECT"}}."""
    told = {
        each.job: {"user": each.user, "connections": each.connections, "tables": tables_note(each.rights)}
        for each in users
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def fits_variable(rights: str) -> bool:
    """Return whether the text of the rights fits an environment variable, beside what else the function is told."""
    return len(rights) <= 3000
