"""What jobs use besides their database, as `make synth` shows it: a row for each use, with its way and its cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.table import Table

from review.cost import FALLBACK, MONTH_HOURS, prices, prices_date
from settings.environment import EnvironmentSettings, JobSettings
from settings.services import GATEWAYS, SERVICES

Row = tuple[str, str, str]
"""What is used, the way to it, and what the way costs, however many jobs use it."""


def uses_table(environments: Iterable[EnvironmentSettings]) -> Table | None:
    """Return the table of what the jobs of all `environments` use; None if they use their database only."""
    rows = [
        (f"{settings.name}: {job.name}", *row)
        for settings in environments
        for job in settings.jobs
        for row in _rows(job, settings)
    ]
    if not rows:
        return None
    table = Table(title="What jobs use besides their database", title_justify="left", caption_justify="left")
    table.caption = (
        f"USD a month for the way, whoever else uses it, without what passes through it; prices of {prices_date()}"
    )
    for heading in ("Job", "Uses", "By", "USD a month"):
        table.add_column(heading, overflow="fold", justify="right" if heading.startswith("USD") else "left")
    for row in rows:
        table.add_row(*row)
    return table


def _rows(job: JobSettings, settings: EnvironmentSettings) -> Iterator[Row]:
    uses = job.uses
    for service, resources in sorted(uses.services.items()):
        what = "\n".join(f"{each}: {', '.join(sorted(actions))}" for each, actions in sorted(resources.items()))
        yield (f"{service} {what}", *_way(service, settings))
    for secret in sorted(uses.secrets):
        yield f"secret {secret}", "the endpoint of Secrets Manager", "as before"
    for destination in uses.destinations:
        yield (destination, *_out(settings))


def _way(service: str, settings: EnvironmentSettings) -> tuple[str, str]:
    """The way to an AWS service, and what it costs."""
    endpoint = SERVICES[service].endpoint
    if endpoint is None:
        return "no way: other services use it for the job", ""
    if settings.network.vpc_id is not None:
        return "the VPC's own way", ""
    if endpoint in GATEWAYS:
        return "a gateway endpoint", "free"
    zones = len(settings.network.zones)
    return f"an interface endpoint in {zones} zones", _monthly(settings.region, **{"interface endpoint": zones})


def _out(settings: EnvironmentSettings) -> tuple[str, str]:
    if settings.network.vpc_id is not None:
        return "the VPC's own way out", ""
    return "the NAT gateway", _monthly(settings.region, **{"NAT gateway": 1, "public IPv4 address": 1})


def _monthly(region: str, **amounts: int) -> str:
    usd = sum(
        amount * MONTH_HOURS * prices()[name].get(region, prices()[name][FALLBACK])["usd"]
        for name, amount in amounts.items()
    )
    here = all(region in prices()[name] for name in amounts)
    return f"{usd:.2f}{'' if here else f' (as in {FALLBACK})'}"
