"""The connection budget: how many an environment may open at once, and how many its database accepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from settings.environment import AdoptedDatabaseSettings, DatabaseSettings, JobSettings, ProxySettings

SMALLEST_RESERVE = 10


@dataclass(frozen=True, kw_only=True)
class ConnectionBudget:
    """The most connections that there may be at once, and how many the server accepts."""

    runs: int
    """One of each run: Lambda starts no more than the functions' reserved concurrency."""
    kills: int
    """The short second connection of each run, which ends its statement at the deadline; not through a proxy."""
    watcher: int
    """That of what watches the jobs, if there are any."""
    clients: int
    """What [[database.clients]] say that they open; never through the proxy."""
    migrations: int
    """Their own and the one that ends its statement; never through a proxy."""
    reserve: int
    """For people, RDS's own sessions, and the share that a proxy leaves free: a tenth of all, at least 10."""
    available: int
    """The lowest max_connections that the instance class may have, or what an existing server has."""

    @property
    def opened(self) -> int:
        """The sum of what the environment and its clients may have open at once."""
        return self.runs + self.kills + self.watcher + self.clients + self.migrations

    @property
    def used(self) -> int:
        """The sum of all that may be open at once."""
        return self.opened + self.reserve


def connection_budget(
    *, database: DatabaseSettings | AdoptedDatabaseSettings, proxy: ProxySettings, jobs: Sequence[JobSettings]
) -> ConnectionBudget:
    """Return the budget of an environment with these settings."""
    runs = sum(job.concurrency for job in jobs)
    available = database.max_connections
    return ConnectionBudget(
        runs=runs,
        kills=0 if proxy.enabled else runs,
        watcher=1 if jobs else 0,
        clients=sum(client.connections for client in database.clients) if isinstance(database, DatabaseSettings) else 0,
        migrations=2,
        reserve=max(SMALLEST_RESERVE, available // 10),
        available=available,
    )
