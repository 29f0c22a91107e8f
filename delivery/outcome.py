"""The result of a deploy: where to look, or the states of the stacks and what to do."""

from __future__ import annotations

from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from delivery.assembly import Assembly
from delivery.aws import Aws
from delivery.command import say
from delivery.states import sentence
from settings import names
from settings.environment import EnvironmentSettings, JobSettings

MIGRATION = "Custom::Trigger"
"""The resource that runs the migrations."""


def deployed(settings: EnvironmentSettings, assembly: Assembly, aws: Aws) -> None:
    """Print the stacks, the jobs, and where to look next."""
    console = Console()
    console.print(_stacks(assembly, aws), *([_jobs(settings)] if settings.jobs else []), sep="\n")
    for what, where in (
        ("Dashboard", dashboard(settings)),
        ("Changed since?", f"make diff ENV={settings.name}"),
        ("An alarm?", "docs/operations.md"),
    ):
        say(f"{what:<16}{where}")


def dashboard(settings: EnvironmentSettings) -> str:
    """The URL of the environment's dashboard."""
    region = settings.region
    console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
    return f"{console}#dashboards/dashboard/{names.database(settings.name)}"


def log_group(settings: EnvironmentSettings, job: JobSettings) -> str:
    """The name of a job's log group."""
    return names.function_log(names.function(settings.name, job.name))


def failed(settings: EnvironmentSettings, assembly: Assembly, aws: Aws, *, since: datetime) -> None:
    """Print the states of the stacks after a deploy that began at `since` and failed, and what to do."""
    found = aws.stacks(assembly.names)
    say("\nThe stacks now:")
    for name in assembly.names:
        say(f"- {sentence(found[name], settings.region)}" if name in found else f"- {name} does not exist")
    if any(MIGRATION in aws.failures(name, since) for name in found):
        say("Next: a migration failed: docs/operations.md, “When a migration fails at deploy”")
    else:
        say(f"Next: correct what failed, in the events above, then `make deploy ENV={settings.name}` again")


def _stacks(assembly: Assembly, aws: Aws) -> Table:
    table = _table(f"{assembly.environment}, deployed", "Stack", "State", "Changed (UTC)")
    found = aws.stacks(assembly.names)
    for stack in found.values():
        table.add_row(stack.name, stack.status, f"{stack.changed:%Y-%m-%d %H:%M}")
    return table


def _jobs(settings: EnvironmentSettings) -> Table:
    table = _table("Its jobs", "Job", "Schedule", "Log group")
    for job in settings.jobs:
        table.add_row(job.name, job.times, log_group(settings, job))
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
