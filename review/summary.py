"""The summary of an environment that `make synth` prints: its jobs, its connections, AWS's limits, its standing costs.

Quantities, not prices: docs/cost.md has those, with their date.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from review.package_summary import package_table
from review.uses_summary import uses_table
from settings.connection_budget import connection_budget
from settings.environment import AdoptedDatabaseSettings, DatabaseSettings, EnvironmentSettings, JobSettings
from settings.files import load_environments
from settings.instance_class import read_instance_class
from settings.placement import RESOURCES_PER_STACK
from settings.project import ROOT, Project
from settings.uses import interfaces

ASSEMBLY = ROOT / "cdk.out"

COUNTED = {
    "AWS::CloudWatch::Alarm": "alarms",
    "AWS::Logs::MetricFilter": "metric filters",
    "AWS::CloudWatch::Dashboard": "dashboards",
    "AWS::EC2::NatGateway": "NAT gateways",
    "AWS::SecretsManager::Secret": "secrets",
}
"""What is billed by the number of resources, by their type."""


def main() -> None:
    """Print the summary of every environment in cdk.out/, of what their jobs use, and of the jobs' packages."""
    console = Console()
    project = Project(ROOT)
    environments = load_environments(project)
    for settings in environments:
        console.print()
        console.print(summary(settings, resources(ASSEMBLY / f"assembly-{settings.name}")))
    for table in (uses_table(environments), package_table(project, environments)):
        if table is not None:
            console.print()
            console.print(table)


def summary(settings: EnvironmentSettings, stacks: Sequence[Mapping[str, int]]) -> Table:
    """Return one environment as a table of its jobs, above its connections and the quantities that it is billed by.

    `stacks` has, for each of its templates, how many resources of each type it has.
    """
    resources: Counter[str] = Counter()
    for each in stacks:
        resources.update(each)
    table = Table(
        title=f"{settings.name}, account {settings.account}, {settings.region}",
        caption="\n".join(
            (
                f"Connections: {connections(settings)}",
                f"Limits: {'; '.join(limits(settings, stacks))}",
                f"Standing cost: {'; '.join(costs(settings, resources))}",
            )
        ),
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("Job", "Schedule", "Timeout", "Memory", "Concurrency"):
        table.add_column(heading, justify="left" if heading in ("Job", "Schedule") else "right")
    for job in settings.jobs:
        table.add_row(_job(job), job.times, f"{job.timeout_seconds} s", f"{job.memory_mb} MB", str(job.concurrency))
    return table


def _job(job: JobSettings) -> str:
    return job.name if job.module_name == job.name else f"{job.name} ({job.module_name})"


def connections(settings: EnvironmentSettings) -> str:
    """Return the connection budget as a sum."""
    budget = connection_budget(database=settings.database, proxy=settings.proxy, jobs=settings.jobs)
    return (
        f"{budget.used} of {budget.available} at worst: runs {budget.runs}, kills {budget.kills}, "
        f"watcher {budget.watcher}, clients {budget.clients}, migrations {budget.migrations}, reserve {budget.reserve}"
    )


def limits(settings: EnvironmentSettings, stacks: Sequence[Mapping[str, int]]) -> Iterator[str]:
    """What grows with the jobs and AWS limits, item by item: of the account's quotas, what a new one has."""
    largest = max((sum(each.values()) for each in stacks), default=0)
    yield f"largest of {len(stacks)} stacks {largest} of {RESOURCES_PER_STACK} resources"
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    yield f"IAM roles {sum(each.get('AWS::IAM::Role', 0) for each in stacks)} of the account's 1000"
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html: 1000, of which 100 can't be reserved
    of_the_engine = 2 if settings.jobs else 1  # the migrations, and what watches the jobs
    yield f"concurrency {sum(job.concurrency for job in settings.jobs) + of_the_engine} of the account's 900"


def costs(settings: EnvironmentSettings, resources: Mapping[str, int]) -> Iterator[str]:
    """What is billed by the hour or the month, whether jobs run or not, item by item."""
    database = settings.database
    if isinstance(database, DatabaseSettings):
        copies = "2 x " if database.multi_az else ""
        yield f"{copies}{database.instance_class}"
        yield f"{copies}{database.storage_gb} GB gp3 (up to {database.max_storage_gb} GB)"
    if settings.proxy.enabled:
        yield f"proxy of {_vcpus(database)} vCPUs"
    if settings.network.secrets_endpoint:
        yield f"endpoint in {len(settings.network.zones) or 'all'} zones"
    if settings.network.vpc_id is None and (endpoints := interfaces(job.uses for job in settings.jobs)):
        yield f"{len(endpoints)} more in {len(settings.network.zones)} zones for {', '.join(sorted(endpoints))}"
    if isinstance(database, DatabaseSettings) and database.insights == "advanced":
        yield f"advanced insights of {_vcpus(database)} vCPUs"
    for kind, name in COUNTED.items():
        # RDS makes the master's secret, so it's in no template.
        masters = kind == "AWS::SecretsManager::Secret" and isinstance(database, DatabaseSettings)
        if count := resources.get(kind, 0) + masters:
            yield f"{name} {count}"


def _vcpus(database: DatabaseSettings | AdoptedDatabaseSettings) -> int | str:
    if isinstance(database, DatabaseSettings):
        return read_instance_class(database.instance_class).vcpus
    return "the existing database's"


def resources(assembly: Path) -> list[Counter[str]]:
    """Return how many resources of each type each template in `assembly`, one environment's folder, contains.

    Raises:
        FileNotFoundError: the environment has not been synthesized.
    """
    templates = sorted(file for file in assembly.iterdir() if file.name.endswith(".template.json"))
    return [Counter(resource["Type"] for resource in _resources(template).values()) for template in templates]


def _resources(template: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(template.read_text()).get("Resources", {})
    return found


if __name__ == "__main__":
    main()
