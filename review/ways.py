"""What of a change is one decision for each way that jobs begin to use: to an AWS service, to secrets, to the internet.

One line in USES becomes a right of the job's role and a security group that the job wears, and on the other side an
endpoint with a policy and a group of its own; the first job that uses the internet brings a NAT gateway, with routes
and an address. Who says yes says it to all of that, or to none.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from review.danger import Danger, exact
from review.grants import CALL
from review.jobs_stacks import FIRST, job_of
from review.parts import all_of, as_one
from review.templates import ENVIRONMENT, SynthesizedEnvironment, file_name
from settings.job_variables import USES_NOTE, noted_uses
from settings.rights import Right, together
from settings.uses import Uses

WAY = re.compile(rf"\b(?:{FIRST}(?:-\d+)?/(?:Ways/|Endpoint-)|Network/Gateway-)([\w-]+)")
"""Where the parts of a way are: see stacks/jobs/ways.py and stacks/network/gateways.py."""
GROUP = re.compile(rf"{FIRST}(?:-\d+)?/Ways/([\w-]+)")
"""The one of them that jobs wear."""
OF_SECRETS = "Database/SecretsEndpoint/"
"""The way to secrets, which the migrations use, too: see stacks/database/database.py."""
VPC = "Network/Vpc"
OUT = re.compile(rf"{VPC}/(?:IGW|VPCGW|(?:Egress|Public)Subnet\d+)\b")
"""What egress = "nat" makes: see stacks/network/network.py."""
GRANT = re.compile(r"may now `(.+)` on `([^`]+)`")
"""As review/access.py says it."""


def by_way(found: Iterable[Danger], before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> list[Danger]:
    """Return `found`, with all that opens one way as one decision about the way's group, or about the VPC.

    Both environments have their jobs in one stack.
    """
    rest = list(found)
    ways, groups = _Ways(before, after), _groups(after)
    of_ways: dict[str, list[Danger]] = defaultdict(list)
    for each in rest:
        if group := groups.get(ways.of(each) or ""):
            of_ways[group].append(each)
    for group, some in of_ways.items():
        rest = _together(rest, some, group, "way", "The jobs in this group can do that, and send there what they read")
    out = [each for each in rest if each.kind == "access" and OUT.match(each.resource)]
    return _together(rest, out, VPC, "way-out", "What is routed there reaches the internet")


def _together(found: list[Danger], belongs: list[Danger], resource: str, word: str, then: str) -> list[Danger]:
    if len(belongs) < 2:
        return found
    code = exact(word, all_of(belongs))
    return as_one(found, belongs, Danger(kind="access", resource=resource, code=code, text="", then=then))


def _groups(environment: SynthesizedEnvironment) -> Mapping[str, str]:
    """The path of each way's group: in the first of the stacks that have one."""
    paths = (each.path for each in environment.of("AWS::EC2::SecurityGroup"))
    found = [(match[1], path) for path in paths if (match := GROUP.fullmatch(path))]
    return dict(sorted(found, key=lambda each: len(each[1]), reverse=True))


class _Ways:
    """Which way a danger is a part of."""

    def __init__(self, before: SynthesizedEnvironment, after: SynthesizedEnvironment) -> None:
        self._after = after
        self._uses = _uses(after)
        self._of_all = self._stated(self._uses.values())
        had = {job for job, uses in _uses(before).items() if uses.internet}
        self._moved = {job: min(uses.ports) for job, uses in self._uses.items() if uses.internet and job not in had}
        """A port of each job that begins to use the internet: it runs in other subnets from now on."""

    def of(self, danger: Danger) -> str | None:
        """The way; None if the danger is of none, or gives a job more than it states."""
        if danger.code == "subnets":
            return self._moved.get(job_of(danger.resource))
        if danger.kind != "access":
            return None
        if grant := GRANT.search(danger.text):
            return self._granted(danger.resource, grant[1].split("`, `"), grant[2])
        if GROUP.fullmatch(danger.resource):
            return _named(danger.resource)
        return _named(danger.text) if _of_endpoint(danger.resource) else None

    def _granted(self, holder: str, actions: list[str], on: str) -> str | None:
        """The way of a right or of a group, if a job states it: its own job, or any, where it is an endpoint's."""
        if actions == [CALL]:
            return on.rpartition(":")[2]
        own = self._uses.get(job_of(holder), Uses())
        if ":" not in actions[0]:
            some = self._uses.values() if _of_endpoint(holder) else [own]
            way = _named(on)
            return way if any(way in uses.ways for uses in some) else None
        on = on.replace(ENVIRONMENT, file_name(self._after.name)).replace("<account>", self._after.account)
        stated = self._of_all if _of_endpoint(holder) else self._stated([own])
        return next((way for way, each in stated.items() if _all_in(actions, on, each)), None)

    def _stated(self, some: Iterable[Uses]) -> Mapping[str, Sequence[Right]]:
        return together(some, account=self._after.account, region=self._after.region)


def _all_in(actions: Collection[str], on: str, some: Iterable[Right]) -> bool:
    return set(actions) <= {action for right in some if on in right.resources for action in right.actions}


def _of_endpoint(path: str) -> bool:
    return WAY.match(path) is not None or path.startswith(OF_SECRETS)


def _named(text: str) -> str | None:
    found = WAY.search(text)
    return found[1] if found else None


def _uses(environment: SynthesizedEnvironment) -> Mapping[str, Uses]:
    """What each job states."""
    functions = environment.of("AWS::Lambda::Function")
    return {job_of(each.path): noted_uses(each.notes[USES_NOTE]) for each in functions if USES_NOTE in each.notes}
