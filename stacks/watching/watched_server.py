"""What alarms and the dashboard know of the server: less of an existing one, whose class and storage are others'."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from settings.environment import DatabaseSettings, EnvironmentSettings
from settings.instance_class import InstanceClass, read_instance_class


@dataclass(frozen=True, kw_only=True)
class WatchedServer:
    """A server, by its metrics and its sizes."""

    dimensions: Mapping[str, str]
    """Which metrics of AWS/RDS are its own."""
    max_connections: int
    instance_class: InstanceClass | None
    """None of an existing one: its owner may change it at any time."""
    storage_gb: int | None
    """None of an existing one."""
    has_storage: bool
    """Whether it has storage of its own that can be full: an Aurora cluster has not."""


def watched(settings: EnvironmentSettings, dimensions: Mapping[str, str]) -> WatchedServer:
    """Return the server of the environment with these `settings`, whose metrics have these `dimensions`."""
    database = settings.database
    made = database if isinstance(database, DatabaseSettings) else None
    return WatchedServer(
        dimensions=dimensions,
        max_connections=database.max_connections,
        instance_class=read_instance_class(made.instance_class) if made else None,
        storage_gb=made.storage_gb if made else None,
        has_storage="DBInstanceIdentifier" in dimensions,
    )
