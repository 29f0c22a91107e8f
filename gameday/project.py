"""The game day's own project: an environment made from the settings of another, with jobs and a migration of its own.

In a folder of its own, so that no data, no job and no file of a team is touched. It is like the environment that it is
named for in everything that a deploy or an outage could show (region, network, instance class, zones, proxy, login,
keys, boundary), and unlike it in what would outlive the day or has no use in it: whatever protects data is off, storage
is the least there is, and nobody is told.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from settings.environment import EnvironmentSettings
from settings.files import load_environment
from settings.project import ROOT, Project
from settings.spelling import as_key, as_written

TEMPLATE = ROOT / "gameday" / "template"
MARK = "GameDay"
"""In the metadata of each stack: a later game day may remove what an earlier one left."""
LONGEST_NAME = 16
"""Of an environment: settings/environment.py."""
RESTORED = "r"
"""Ends the name of the environment that is made from a snapshot."""
BORROW_SECONDS = 5
"""Below the time that the game day's shortest job has."""

DROPPED = ("accept_change", "alarms", "delivery", "jobs", "name")
"""What is the team's: whom to tell, who deploys, what runs."""

DATABASE_DROPPED = (
    "backup_copy_key",  # the copies would be in another region, and outlive the day
    "backup_window",  # one of the two might begin during the day
    "maintenance_window",
    "clients",  # nobody else has a use for it
    "max_storage_gb",  # an empty database needs the least there is, and that leaves room to grow
    "monitoring_seconds",  # it writes into a log group of the whole account
    "snapshot",  # no data of anybody's
    "storage_gb",
    "storage_iops",
    "storage_mbps",
)

NEVER = "cron(0 0 1 1 ? *)"
"""Of the jobs that are started by hand: once a year, as a job has to have a schedule."""
JOBS = (
    {"name": "beat", "schedule": "rate(1 minute)", "timeout_seconds": 30},
    {"name": "nap", "schedule": NEVER, "timeout_seconds": 10},
    {"name": "fail", "schedule": NEVER, "timeout_seconds": 10},
)


def environment_name(name: str) -> str:
    """Return the name of the game day's environment that is like the environment `name`."""
    return f"gameday{name}"[: LONGEST_NAME - len(RESTORED)]


def notifications(environment: str) -> str:
    """Return the name of the queue that hears what the people on call would."""
    return f"{environment}-notifications"


class GameProject:
    """The project, in a folder.

    Attributes:
        project: where the jobs, the migration and the environment's file are.
        name: the environment's.
        source: the settings that it is like.
    """

    def __init__(self, folder: Path, source: EnvironmentSettings, *, name: str, **database: Any) -> None:
        """Write jobs, migration and environment `name`, which is like `source`, into `folder`, which is made.

        `database` are settings of its database that are another's.
        """
        self.project = Project(folder)
        self.name = name
        self.source = source
        self._values = _like(source)
        shutil.copytree(TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__"))
        self.project.environments.mkdir()
        self.change("database", **database)

    @property
    def settings(self) -> EnvironmentSettings:
        """The environment as its file says it now."""
        return load_environment(self.project, self.name)

    def change(self, section: str, **values: Any) -> None:
        """Give settings of a section other values, and write the environment's file anew."""
        self._values[section] = {**self._values.get(section, {}), **values}
        (self.project.environments / f"{self.name}.toml").write_text("\n".join(_lines(self._values)) + "\n")


def _like(source: EnvironmentSettings) -> dict[str, Any]:
    """What the game day's environment says: what `source` says, without what protects or tells."""
    values = source.model_dump(mode="json", exclude_unset=True, exclude=set(DROPPED))
    database = {key: value for key, value in values["database"].items() if key not in DATABASE_DROPPED}
    # One day: with none there would be no automated snapshot, and from seven on, the backups outlive the instance.
    values["database"] = database | {"deletion_protection": False, "backup_days": 1}
    values["proxy"] = {
        "enabled": source.proxy.enabled,
        "borrow_timeout_seconds": min(source.proxy.borrow_timeout_seconds, BORROW_SECONDS),
    }
    values["accept_risk"] = [
        "no_deletion_protection",
        "no_backups",
        *([] if source.made_database.multi_az else ["single_zone"]),
    ]
    values["jobs"] = JOBS
    return values


def _lines(values: Mapping[str, Any]) -> Iterable[str]:
    """The values as TOML: first those without a table, then each table, then each entry of the arrays of tables."""
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping)}
    entries = {key: value for key, value in values.items() if key == "jobs"}
    for key, value in values.items():
        if key not in tables | entries:
            yield f"{as_key(key)} = {as_written(value)}"
    for key, table in tables.items():
        yield f"\n[{key}]"
        yield from _pairs(table)
    for key, listed in entries.items():
        for entry in listed:
            yield f"\n[[{key}]]"
            yield from _pairs(entry)


def _pairs(table: Mapping[str, Any]) -> Iterable[str]:
    return [f"{as_key(key)} = {as_written(value)}" for key, value in table.items() if value is not None]
