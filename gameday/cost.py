"""What a game day costs, by the prices in docs/cost.md, which say their date."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from settings.environment import EnvironmentSettings
from settings.instance_class import read_instance_class
from settings.project import ROOT

PRICES = ROOT / "docs" / "cost.md"
MONTH_HOURS = 730
ALARMS, METRICS = 20, 21
"""As in the table of that page; the game day has as many jobs as its examples."""
SECOND_HOURS = 1.5
"""How long the restored environment is there."""
PROXY_HOURS = 1.0
"""How long there is a proxy that the environment's file does not ask for."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of a game day.

    Attributes:
        usd: the sum of what has a price there.
        unknown: what has none.
        date: when the prices were looked up.
    """

    usd: float
    unknown: tuple[str, ...]
    date: str

    def __str__(self) -> str:
        """In a sentence or two."""
        more = f" Not in it, as that page has no price: {', '.join(self.unknown)}." if self.unknown else ""
        return (
            f"About {self.usd:.2f} USD, at the prices for us-east-1 in docs/cost.md, looked up on {self.date}; "
            f"elsewhere 15 to 20 % more.{more}"
        )


def cost(settings: EnvironmentSettings, *, hours: float) -> Cost:
    """Return what the environment that `settings` describe costs in so many hours, with the one that is restored."""
    text = PRICES.read_text()
    rows = _prices(text)
    known, unknown = 0.0, []
    for name, row, amount in _amounts(settings, hours):
        if row in rows:
            known += rows[row] * amount
        else:
            unknown.append(name)
    [date] = re.findall(r"^Looked up on (\d+ \w+ \d{4})", text, re.MULTILINE)
    return Cost(usd=known, unknown=tuple(unknown), date=date)


def _amounts(settings: EnvironmentSettings, hours: float) -> Iterator[tuple[str, str, float]]:
    """What is billed: in words, the row of its price, and how many of the row's units."""
    database, both = settings.database, hours + SECOND_HOURS
    copies = 2 if database.multi_az else 1
    proxies = both if settings.proxy.enabled else PROXY_HOURS
    vcpus = read_instance_class(database.instance_class).vcpus
    yield f"the instance, {database.instance_class}", database.instance_class, copies * both
    yield "storage", "database.storage_gb", copies * database.storage_gb * both / MONTH_HOURS
    yield "the proxy", "proxy.enabled = true", max(2, vcpus) * proxies
    if settings.network.secrets_endpoint:
        zones = len(settings.network.zones) or 3  # of a VPC that is there, three at most
        yield "the endpoint", "network.secrets_endpoint = true", zones * both
    yield "alarms", "alarms", ALARMS * both / MONTH_HOURS
    yield "metrics", "metrics of the runs", METRICS * both / MONTH_HOURS
    yield "dashboards", "the dashboard", both / MONTH_HOURS
    if database.insights == "advanced":
        yield "advanced insights", '"advanced"', vcpus * both


def _prices(text: str) -> dict[str, float]:
    """The column of prices, by what a row begins with; without those that were not verified."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip().replace("`", "").removeprefix("… ") for cell in line.split("|")[1:-1]]
        if len(cells) == 5 and re.fullmatch(r"[\d.]+", cells[2]):
            found[re.sub(r'^(database\.instance_class = )?"(.*)"$', r"\2", cells[0])] = float(cells[2])
    return found
