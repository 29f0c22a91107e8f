"""The connections that an environment may open at once, and those that its database accepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stacks.instance_class import read_instance_class
from stacks.settings import DatabaseSettings, JobSettings, ProxySettings

SMALLEST_RESERVE = 10


@dataclass(frozen=True, kw_only=True)
class ConnectionBudget:
    """How many connections there may be at once, at worst, and how many the server accepts."""

    runs: int
    """One of each run: Lambda starts no more than the functions' reserved concurrency."""
    kills: int
    """The short second connection of each run, which ends its statement at the deadline; not through a proxy."""
    migrations: int
    """Their own and its kill: they don't go through a proxy."""
    reserve: int
    """For people, for RDS's own sessions, and what a proxy leaves alone: a tenth of all, and 10 at least."""
    available: int
    """max_connections of the instance class, at least."""

    @property
    def used(self) -> int:
        """How many there may be at once."""
        return self.runs + self.kills + self.migrations + self.reserve


def connection_budget(
    *, database: DatabaseSettings, proxy: ProxySettings, jobs: Sequence[JobSettings]
) -> ConnectionBudget:
    """The budget of an environment with these settings."""
    runs = sum(job.concurrency for job in jobs)
    available = read_instance_class(database.instance_class).max_connections
    return ConnectionBudget(
        runs=runs,
        kills=0 if proxy.enabled else runs,
        migrations=2,
        reserve=max(SMALLEST_RESERVE, available // 10),
        available=available,
    )
