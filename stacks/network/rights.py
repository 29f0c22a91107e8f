"""What jobs state in USES as statements: for the role of one job, and together for the policy of an endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from settings import rights
from settings.rights import Right
from settings.uses import Uses


def together(all_uses: Iterable[Uses], stack: cdk.Stack) -> dict[str, list[Right]]:
    """Return what all of them come to in the account and region of `stack`, by the endpoint."""
    some = [uses for uses in all_uses if uses]
    return rights.together(some, account=stack.account, region=stack.region) if some else {}


def of_a_role(uses: Uses, stack: cdk.Stack) -> Iterator[iam.PolicyStatement]:
    """The statements that let a role do what `uses` says."""
    for some in together([uses], stack).values():
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
