"""DatabaseAlarms construct: the alarms of the database and its proxy."""

from typing import Any

from constructs import Construct

from settings import names
from settings.instance_class import InstanceClass
from stacks.jobs.metric import PERIOD_SECONDS, Metric
from stacks.watching.alarm import add_alarm
from stacks.watching.watched_server import WatchedServer

GIB = 2**30
HIGH_CPU_PERCENT = 90
LOW_CREDITS = 5
"""A new instance has no credits, and earns more than this in half an hour."""
LOW_STORAGE = 0.05
"""The share of storage_gb: below 10 % of the present storage, RDS adds some.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html"""
LOW_MEMORY = 0.05
"""The share of the memory; the buffer pool takes three quarters from the start."""
HIGH_CONNECTIONS = 0.8
SLOW_BORROW = 0.5
"""The share of the borrow timeout."""

AT_MOST = "LessThanOrEqualToThreshold"


class DatabaseAlarms(Construct):
    """The alarms of the database, named <environment>-database-<what>, and of its proxy, <environment>-proxy-<what>.

    Attributes:
        alarms: the names of all of them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        server: WatchedServer | None,
        proxy: str | None,
        topic: str,
        runs: int,
        borrow_timeout_seconds: int,
    ) -> None:
        """Add the alarms of `server` and of the proxy of that name, used by at most `runs` runs at once.

        They notify the topic with the ARN `topic`.
        """
        super().__init__(scope, construct_id)
        self._environment = environment
        self._topic = topic
        self.alarms: list[str] = []
        if server is not None:
            self._watch_server(server)
        if proxy is not None:
            self._watch_proxy(proxy, runs, borrow_timeout_seconds)

    # Three periods of five minutes: a deploy or a nightly job is no reason for an alarm, and RDS itself reports a
    # failover as an event.

    def _watch_server(self, server: WatchedServer) -> None:
        self._watch_cpu(server)
        if server.storage_gb is not None:
            self._watch_storage(server, server.storage_gb)
        if server.instance_class is not None:
            self._watch_memory(server, server.instance_class)
        self._watch_connections(server)
        if server.instance_class is not None and server.instance_class.burstable:
            self._watch_credits(server)

    def _watch_cpu(self, server: WatchedServer) -> None:
        self._add(
            "database-cpu",
            "The database's CPU is busy for 15 minutes. Look first which statements run: Database Insights, or SHOW "
            "FULL PROCESSLIST.",
            metric=server_metric(server, "CPUUtilization"),
            threshold=HIGH_CPU_PERCENT,
            periods=3,
        )

    def _watch_storage(self, server: WatchedServer, storage_gb: int) -> None:
        self._add(
            "database-storage",
            f"The database has less than {LOW_STORAGE:.0%} of its {storage_gb} GB of storage left and did not grow in "
            "time. Look first at max_storage_gb, and what grew: without room it stops.",
            metric=server_metric(server, "FreeStorageSpace", "Minimum"),
            threshold=LOW_STORAGE * storage_gb * GIB,
            comparison=AT_MOST,
            periods=3,
        )

    def _watch_memory(self, server: WatchedServer, instance_class: InstanceClass) -> None:
        self._add(
            "database-memory",
            f"The database has less than {LOW_MEMORY:.0%} of its {instance_class.memory_gb:g} GB of memory left and "
            "may be restarted. Look first at its connections, then at a larger instance_class.",
            metric=server_metric(server, "FreeableMemory"),
            threshold=LOW_MEMORY * instance_class.memory_gb * GIB,
            comparison=AT_MOST,
            periods=3,
        )

    def _watch_connections(self, server: WatchedServer) -> None:
        connections = int(HIGH_CONNECTIONS * server.max_connections)
        self._add(
            "database-connections",
            f"The database has {connections} connections or more; at about {server.max_connections} it refuses "
            "new ones. Look first who has them: SHOW FULL PROCESSLIST.",
            metric=server_metric(server, "DatabaseConnections", "Maximum"),
            threshold=connections,
            periods=2,
        )

    def _watch_credits(self, server: WatchedServer) -> None:
        self._add(
            "database-cpu-credits",
            "The database has been without CPU credits for an hour: it costs more, or is slow. Look first at its CPU; "
            "if that is its usual work, take a class that isn't burstable.",
            metric=server_metric(server, "CPUCreditBalance", "Maximum"),
            threshold=LOW_CREDITS,
            comparison=AT_MOST,
            periods=12,
        )

    def _watch_proxy(self, proxy: str, runs: int, borrow_timeout_seconds: int) -> None:
        self._add(
            "proxy-pinned",
            f"More sessions are pinned to a connection of the proxy than the {runs} that the jobs' runs explain. Look "
            "first in the proxy's log for who pins, and why.",
            metric=proxy_metric(proxy, "DatabaseConnectionsCurrentlySessionPinned", "Sum"),
            threshold=runs + 1,
            periods=5,
        )
        self._add(
            "proxy-borrow-latency",
            f"The proxy takes {SLOW_BORROW * borrow_timeout_seconds:g} s or more to find a connection; runs fail after "
            f"{borrow_timeout_seconds} s. Look first at the database's connections, then at its CPU.",
            metric=proxy_metric(proxy, "DatabaseConnectionsBorrowLatency", "Average"),
            threshold=SLOW_BORROW * borrow_timeout_seconds * 1_000_000,  # microseconds
            periods=5,
            breaching_periods=3,
        )
        self._add(
            "proxy-refused",
            "The proxy keeps refusing clients for their login or their TLS. Look first in the proxy's log, then at the "
            "jobs' role or secret.",
            metric=proxy_metric(proxy, "ClientConnectionsSetupFailedAuth", "Sum", period_seconds=PERIOD_SECONDS),
            threshold=1,
            periods=3,
            breaching_periods=2,
        )
        self._add(
            "proxy-database-refused",
            "The proxy keeps failing to connect to the database. Look first whether the database is available, then in "
            "the proxy's log.",
            metric=proxy_metric(proxy, "DatabaseConnectionsSetupFailed", "Sum", period_seconds=PERIOD_SECONDS),
            threshold=1,
            periods=3,
            breaching_periods=2,
        )

    def _add(self, what: str, meaning: str, **rule: Any) -> None:
        words = what.title().replace("-", "")
        name = names.alarm(self._environment, what)
        self.alarms.append(add_alarm(self, words, name=name, meaning=meaning, topic=self._topic, **rule))


def server_metric(server: WatchedServer, name: str, statistic: str = "Average") -> Metric:
    """Return a metric of `server`."""
    return Metric(namespace="AWS/RDS", name=name, dimensions=server.dimensions, statistic=statistic)


def proxy_metric(proxy: str, name: str, statistic: str, *, period_seconds: int = 60) -> Metric:
    """Return a metric of the proxy of that name, summed up over its hosts.

    The Sum of a present number is right per minute only.
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.monitoring.html
    """
    return Metric(
        namespace="AWS/RDS",
        name=name,
        dimensions={"ProxyName": proxy},
        statistic=statistic,
        period_seconds=period_seconds,
        label=name,
    )
