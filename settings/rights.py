"""What jobs state in USES as rights: actions on ARNs, of one job for its role, of all for the policy of an endpoint."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from settings.services import SECRETS, SERVICES
from settings.uses import Uses
from settings.values import partition_of

STATEMENT = 200
"""Characters of a statement, an endpoint's, but for its actions and resources. The CDK makes one of those with the same
actions."""


@dataclass(frozen=True, order=True)
class Right:
    """Actions on resources."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    own: bool = False
    """Whether the resources have to be this account's, where their ARNs don't say it."""


def rights(uses: Uses, *, account: str, region: str) -> dict[str, list[Right]]:
    """Return what `uses` comes to there, by the endpoint; "" for what has none."""
    found: dict[str, list[Right]] = defaultdict(list)
    for service, resources in sorted(uses.services.items()):
        known = SERVICES[service]
        for resource, actions in sorted(resources.items()):
            named = tuple(f"{known.prefix}:{action}" for action in sorted(actions))
            # A bucket's name is one in the world: without this, one that somebody else took would do.
            # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
            own = service == "s3" and not resource.startswith("arn:")
            arn = arn_of(known.prefix, resource, account=account, region=region)
            found[known.endpoint or ""].append(Right(named, (arn,), own))
    if uses.secrets:
        # Six characters that Secrets Manager makes up end the ARN of each.
        names = (f"secret:{name}-??????" for name in sorted(uses.secrets))
        found[SECRETS].append(to_read(arn_of(SECRETS, name, account=account, region=region) for name in names))
    return dict(found)


def to_read(secrets: Iterable[str]) -> Right:
    """Return the right to read the secrets with these ARNs."""
    return Right((f"{SECRETS}:GetSecretValue",), tuple(secrets))


def together(all_uses: Iterable[Uses], *, account: str, region: str) -> dict[str, list[Right]]:
    """Return what all of them come to there, each right once."""
    found: dict[str, set[Right]] = defaultdict(set)
    for uses in all_uses:
        for endpoint, some in rights(uses, account=account, region=region).items():
            found[endpoint] |= set(some)
    return {endpoint: sorted(some) for endpoint, some in sorted(found.items())}


def characters(some: Iterable[Right]) -> int:
    """Return how long a policy is that allows `some`, of an endpoint or a role, at most."""
    statements: dict[tuple[tuple[str, ...], bool], set[str]] = defaultdict(set)
    for each in some:
        statements[each.actions, each.own] |= set(each.resources)
    return sum(
        STATEMENT + len(json.dumps([*actions, *resources], separators=(",", ":")))
        for (actions, _own), resources in statements.items()
    )


def arn_of(prefix: str, resource: str, *, account: str, region: str) -> str:
    """Return the ARN of a `resource` as USES names it, of the service whose actions have this `prefix`."""
    if resource.startswith("arn:"):
        return resource
    # A bucket's has neither: https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-arn-format.html
    place = ":" if prefix == "s3" else f"{region}:{account}"
    return f"arn:{partition_of(region)}:{prefix}:{place}:{resource}"
