"""What a game day costs, by the prices in review/prices.toml, which say their date; docs/cost.md has them, too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from review.cost import FALLBACK, MONTH_HOURS, prices, prices_date
from settings.environment import EnvironmentSettings
from settings.instance_class import read_instance_class

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
            f"About {self.usd:.2f} USD, at the prices for {FALLBACK} in docs/cost.md, looked up on {self.date}; "
            f"elsewhere 15 to 20 % more.{more}"
        )


def cost(settings: EnvironmentSettings, *, hours: float) -> Cost:
    """Return what the environment that `settings` describe costs in so many hours, with the one that is restored."""
    known, unknown = 0.0, []
    for words, name, amount in _amounts(settings, hours):
        if price := prices().get(name):
            known += price[FALLBACK]["usd"] * amount
        else:
            unknown.append(words)
    return Cost(usd=known, unknown=tuple(unknown), date=f"{prices_date():%-d %B %Y}")


def _amounts(settings: EnvironmentSettings, hours: float) -> Iterator[tuple[str, str, float]]:
    """What is billed: in words, the name of its price, and how many of the price's units."""
    database, both = settings.made_database, hours + SECOND_HOURS
    copies = 2 if database.multi_az else 1
    proxies = both if settings.proxy.enabled else PROXY_HOURS
    vcpus = read_instance_class(database.instance_class).vcpus
    yield f"the instance, {database.instance_class}", f"instance {database.instance_class}", copies * both
    yield "storage", "storage gp3", copies * database.storage_gb * both / MONTH_HOURS
    yield "the proxy", "proxy", max(2, vcpus) * proxies
    if settings.network.secrets_endpoint:
        zones = len(settings.network.zones) or 3  # of a VPC that is there, three at most
        yield "the endpoint", "interface endpoint", zones * both
    yield "alarms", "alarm metrics", ALARMS * both / MONTH_HOURS
    yield "metrics", "metrics", METRICS * both / MONTH_HOURS
    yield "dashboards", "dashboard", both / MONTH_HOURS
    if database.insights == "advanced":
        yield "advanced insights", "advanced insights", vcpus * both
