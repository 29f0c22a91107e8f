"""What a change adds to the bill of a month: what is billed by the hour or the month, counted in the templates.

By the dated prices of prices.toml. What has no price there is named, and so is what has one of another region only.
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from review.markdown import prose
from review.templates import KEPT, Resource, SynthesizedEnvironment, at, listed
from review.watched import told
from settings.instance_class import read_instance_class

FILE = Path(__file__).with_name("prices.toml")
FALLBACK = "us-east-1"
"""Whose price is taken, and named, where a region has none in the file."""
MONTH_HOURS = 730
BASELINE_IOPS, BASELINE_MBPS = 12_000, 500
"""Of gp3 with 400 GB or more: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html."""
METRICS_OF_RUNS = 7
"""Of a job: the five that its runs measure, and one for each outcome that they had: two, say."""

Bill = dict[str, float]
"""How much of what is billed, by the names in prices.toml; what has no price there has a name of its own."""


@dataclass(frozen=True, kw_only=True)
class CostChange:
    """What changes in the bill of a month."""

    items: tuple[tuple[str, float], ...]
    """In words, and in USD: more is positive."""
    elsewhere: tuple[str, ...]
    """Those of the items whose price is that of another region."""
    not_priced: tuple[str, ...]
    region: str

    def markdown(self) -> Iterator[str]:
        """The total, or why there is none; then the items."""
        total = f"{sum(usd for _, usd in self.items):+.2f} USD a month"
        if self.not_priced:
            rest = f"; the rest is {total}" if self.items else ""
            yield f"**not known**, as here is no price of {_all(self.not_priced)}{rest}"
        else:
            yield f"**{total}**"
        yield from (f"{usd:+.2f}: {prose(words)}" for words, usd in self.items)
        if self.elsewhere:
            yield f"The price is that of {FALLBACK}, as here is none of {prose(self.region)}: {_all(self.elsewhere)}"


@cache
def prices() -> Mapping[str, Any]:
    """The prices by what they are for: `per` hour or month, the `unit`, and by region `usd` and `source`."""
    return {name: price for name, price in _file().items() if isinstance(price, dict) and name != "free"}


def prices_date() -> date:
    """When the prices were looked up."""
    found: date = _file()["date"]
    return found


def changed_cost(before: SynthesizedEnvironment | None, after: SynthesizedEnvironment) -> CostChange | None:
    """What changes in the bill from `before`, or from nothing, to `after`; None if nothing does."""
    if before and (before.account, before.region) != (after.account, after.region):
        before = None  # what is there stays there, and goes on costing
    old, new = billed(_still_billed(before, after)) if before else {}, billed(after)
    items, elsewhere, not_priced = [], [], []
    for name in sorted(old.keys() | new.keys()):
        less, more = old.get(name, 0), new.get(name, 0)
        if less == more:
            continue
        price = prices().get(name)
        words = f"{name}{_amount(less, more, (price or {}).get('unit', ''))}"
        if price is None:
            not_priced.append(words)
            continue
        usd = price.get(after.region, price[FALLBACK])["usd"] * (MONTH_HOURS if price["per"] == "hour" else 1)
        items.append((words, (more - less) * usd))
        if after.region not in price:
            elsewhere.append(name)
    if not items and not not_priced:
        return None
    return CostChange(items=tuple(items), elsewhere=tuple(elsewhere), not_priced=tuple(not_priced), region=after.region)


def billed(environment: SynthesizedEnvironment) -> Bill:
    """What is billed of the environment whether its jobs run or not."""
    bill: Bill = defaultdict(float)
    for resource in environment.resources.values():
        for name, amount in _of(resource, environment):
            bill[name] += amount
    return dict(bill)


def _still_billed(before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> SynthesizedEnvironment:
    """Return `before` without what stays, and goes on costing, although it is in no template any more."""
    stacks = after.stacks
    resources = {
        key: each
        for key, each in before.resources.items()
        if each.stack in stacks and (key in after.resources or each.on_deletion not in KEPT)
    }
    return replace(before, resources=resources)


def _of(resource: Resource, environment: SynthesizedEnvironment) -> Iterator[tuple[str, float]]:  # noqa: PLR0912 - one for each type
    """What is billed of one resource, and how much of it."""
    match resource.kind:
        case "AWS::RDS::DBInstance":
            yield from _of_instance(resource)
        case "AWS::RDS::DBProxy":
            vcpus = sum(map(_vcpus, _behind(resource, environment)))
            yield ("proxy", max(2, vcpus)) if vcpus else ("proxy of an unknown instance", 1)
        case "AWS::EC2::VPCEndpoint":
            if at(resource, "VpcEndpointType") == "Interface":
                yield "interface endpoint", len(listed(at(resource, "SubnetIds") or ["one"]))
            elif at(resource, "VpcEndpointType") not in (None, "Gateway"):
                yield f"endpoint of type {at(resource, 'VpcEndpointType')}", 1
        case "AWS::EC2::NatGateway":
            yield "NAT gateway", 1
        case "AWS::EC2::EIP":
            yield "public IPv4 address", 1
        case "AWS::KMS::Key" | "AWS::KMS::ReplicaKey":
            yield "KMS key", 1
        case "AWS::SecretsManager::Secret":
            yield "secret", 1
        case "AWS::CloudWatch::Dashboard":
            yield "dashboard", 1
        case "AWS::CloudWatch::Alarm":
            metrics = [each for each in listed(at(resource, "Metrics") or []) if _key(each, "MetricStat") is not None]
            yield "alarm metrics", max(1, len(metrics))
        case "AWS::Lambda::Function" if (watched := told(resource)) is not None:
            yield "metrics", 1 + len(watched)  # the lag of each job; what else it measures is there only if it is bad
        case "AWS::Lambda::Function" if at(resource, "Environment", "Variables", "METRICS") is not None:
            yield "metrics", METRICS_OF_RUNS
        case "AWS::Logs::MetricFilter":
            for each in listed(at(resource, "MetricTransformations") or []):
                dimensions = listed(_key(each, "Dimensions") or [])
                # One for each outcome that the runs of a job had: two, say.
                yield "metrics", 2 if any(_key(one, "Key") == "outcome" for one in dimensions) else 1
        case kind if not _is_free(kind):
            yield kind, 1


def _of_instance(instance: Resource) -> Iterator[tuple[str, float]]:
    copies = 2 if str(at(instance, "MultiAZ")).lower() == "true" else 1
    engine = "" if at(instance, "Engine") in (None, "mysql") else f" of {at(instance, 'Engine')}"
    name = str(at(instance, "DBInstanceClass")).removeprefix("db.")
    yield f"instance {name}{engine}", copies
    kind = f"storage {at(instance, 'StorageType') or 'gp2'}"
    for property_, what, free in (
        ("AllocatedStorage", kind, 0),
        ("Iops", "IOPS beyond 12,000" if kind == "storage gp3" else f"IOPS of {kind}", BASELINE_IOPS),
        ("StorageThroughput", "MB/s of storage beyond 500", BASELINE_MBPS),
    ):
        amount = _number(at(instance, property_))
        if amount is None:
            yield f"{what}, of an unknown size", copies
        elif amount > free or not free:
            yield what, copies * (amount - (free if kind == "storage gp3" else 0))
    if at(instance, "DatabaseInsightsMode") == "advanced":
        yield "vCPUs with advanced insights", copies * _vcpus(instance)
    if str(at(instance, "ManageMasterUserPassword")).lower() == "true":
        yield "secret", 1
    if str(at(instance, "PubliclyAccessible")).lower() == "true":
        yield "public IPv4 address", 1


def _behind(proxy: Resource, environment: SynthesizedEnvironment) -> list[Resource]:
    """The instances that the proxy leads to."""
    groups = environment.of("AWS::RDS::DBProxyTargetGroup")
    own = [each for each in groups if proxy in environment.meant(at(each, "DBProxyName"))]
    return [one for each in own for one in environment.meant(at(each, "DBInstanceIdentifiers"))]


def _vcpus(instance: Resource) -> int:
    """The instance's vCPUs; 0 if its class is not known."""
    try:
        return read_instance_class(str(at(instance, "DBInstanceClass")).removeprefix("db.")).vcpus
    except ValueError:
        return 0


def _number(value: Any) -> float | None:
    """A property as a number, 0 where there is none; None if only the deploy knows it."""
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return None


def _key(value: Any, key: str) -> Any:
    """The value's own, if it is a mapping that has it."""
    return value.get(key) if isinstance(value, Mapping) else None


def _amount(less: float, more: float, unit: str) -> str:
    """How much more or less it is, the same for all environments with the same change."""
    if (less, more, unit) == (0, 1, ""):
        return ""
    than = " more" if 0 < less < more else " fewer" if more < less else ""
    return f" ({abs(more - less):,g}{unit and f' {unit}'}{than})"


def _all(names: tuple[str, ...]) -> str:
    return ", ".join(map(prose, names))


@cache
def _is_free(kind: str) -> bool:
    return "::" not in kind or any(fnmatchcase(kind, free) for free in _file()["free"]["types"])


@cache
def _file() -> Mapping[str, Any]:
    return tomllib.loads(FILE.read_text())
