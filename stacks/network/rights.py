"""What jobs state in USES as statements: for the role of one job, and together for the policy of an endpoint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from settings.services import SECRETS, SERVICES
from settings.uses import Uses


@dataclass(frozen=True, order=True)
class Right:
    """Actions on resources."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    own: bool = False
    """Whether the resources have to be this account's, where their ARNs don't say it."""


def rights(uses: Uses, stack: cdk.Stack) -> dict[str, list[Right]]:
    """Return what `uses` comes to in the account and region of `stack`, by the endpoint; "" for what has none."""
    found: dict[str, list[Right]] = defaultdict(list)
    for service, resources in sorted(uses.services.items()):
        known = SERVICES[service]
        for resource, actions in sorted(resources.items()):
            named = tuple(f"{known.prefix}:{action}" for action in sorted(actions))
            # A bucket's name is one in the world: without this, one that somebody else took would do.
            # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
            own = service == "s3" and not resource.startswith("arn:")
            found[known.endpoint or ""].append(Right(named, (_arn(known.prefix, resource, stack),), own))
    if uses.secrets:
        # Six characters that Secrets Manager makes up end the ARN of each.
        arns = (f"{_arn(SECRETS, f'secret:{name}', stack)}-??????" for name in sorted(uses.secrets))
        found[SECRETS].append(to_read(arns))
    return dict(found)


def to_read(secrets: Iterable[str]) -> Right:
    """Return the right to read the secrets with these ARNs."""
    return Right((f"{SECRETS}:GetSecretValue",), tuple(secrets))


def together(all_uses: Iterable[Uses], stack: cdk.Stack) -> dict[str, list[Right]]:
    """Return what all of them come to, each right once."""
    found: dict[str, set[Right]] = defaultdict(set)
    for uses in all_uses:
        for endpoint, some in rights(uses, stack).items():
            found[endpoint] |= set(some)
    return {endpoint: sorted(some) for endpoint, some in sorted(found.items())}


def of_a_role(uses: Uses, stack: cdk.Stack) -> Iterator[iam.PolicyStatement]:
    """The statements that let a role do what `uses` says."""
    for some in rights(uses, stack).values():
        for each in some:
            yield iam.PolicyStatement(
                actions=list(each.actions),
                resources=list(each.resources),
                conditions={"StringEquals": {"aws:ResourceAccount": stack.account}} if each.own else None,
            )


def of_an_endpoint(some: Iterable[Right], stack: cdk.Stack) -> Iterator[iam.PolicyStatement]:
    """The statements that let this account's roles through an endpoint, to do this and nothing else."""
    # The default lets everything through: a compromised function could send data to somebody else's account.
    # https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
    for each in some:
        account = {"aws:PrincipalAccount": stack.account}
        yield iam.PolicyStatement(
            principals=[iam.AnyPrincipal()],
            actions=list(each.actions),
            resources=list(each.resources),
            conditions={"StringEquals": {**account, **({"aws:ResourceAccount": stack.account} if each.own else {})}},
        )


def arn_of(prefix: str, resource: str, *, partition: str, region: str, account: str) -> str:
    """Return the ARN of a `resource` as USES names it, of the service whose actions have this `prefix`."""
    if resource.startswith("arn:"):
        return resource
    # A bucket's has neither: https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-arn-format.html
    place = ":" if prefix == "s3" else f"{region}:{account}"
    return f"arn:{partition}:{prefix}:{place}:{resource}"


def _arn(prefix: str, resource: str, stack: cdk.Stack) -> str:
    return arn_of(prefix, resource, partition=stack.partition, region=stack.region, account=stack.account)
