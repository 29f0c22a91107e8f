"""What the states of a stack mean, and what to do first where CloudFormation would refuse a change.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-console-view-stack-data-resources-status-codes
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from delivery.aws import DeployedStack
from settings import names


@dataclass(frozen=True, kw_only=True)
class State:
    """The state of a stack. In what is written, {stack} stands for the AWS CLI's options that name it."""

    means: str
    first: str | None = None
    """What to do before a change can be deployed; None: nothing."""
    deleted_by: Literal["the deploy", "a person"] | None = None
    """Who has to delete the stack before a change can be deployed; None: nobody."""


ROLL_BACK = "look in its events for what failed, and correct that: then `aws cloudformation {verb} {stack}`"
WAIT = State(means="is being changed by CloudFormation", first="wait until it has finished")
UNKNOWN = State(
    means="is in a state that these commands do not know",
    first="look in the CloudFormation console for what it means, and see whether a later version knows it",
)

NEVER_MADE = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")
"""There is a name, and nothing else. In the second state, the CDK CLI deletes the stack and creates it again (see
`deployStack` of the CLI 2.1148.1)."""

STATES = {
    "CREATE_COMPLETE": State(means="is deployed"),
    "UPDATE_COMPLETE": State(means="is deployed"),
    "IMPORT_COMPLETE": State(means="is deployed"),
    "UPDATE_ROLLBACK_COMPLETE": State(means="is as it was before: CloudFormation rolled the last change back"),
    "IMPORT_ROLLBACK_COMPLETE": State(means="is as it was before: CloudFormation rolled the last change back"),
    "REVIEW_IN_PROGRESS": State(means="was never created", deleted_by="the deploy"),
    "ROLLBACK_COMPLETE": State(
        means="could not be created, and is empty: the next deploy replaces it", deleted_by="the deploy"
    ),
    "CREATE_FAILED": State(means="could not be created", deleted_by="a person"),
    "ROLLBACK_FAILED": State(
        means="could not be created, and its resources could not be deleted", deleted_by="a person"
    ),
    "DELETE_COMPLETE": State(means="is deleted"),
    "DELETE_FAILED": State(means="could not be deleted completely", deleted_by="a person"),
    "UPDATE_FAILED": State(means="is between two versions", first=ROLL_BACK.replace("{verb}", "rollback-stack")),
    "UPDATE_ROLLBACK_FAILED": State(
        means="is between two versions", first=ROLL_BACK.replace("{verb}", "continue-update-rollback")
    ),
    "IMPORT_ROLLBACK_FAILED": State(
        means="is between two versions", first=ROLL_BACK.replace("{verb}", "continue-update-rollback")
    ),
}


def state(status: str) -> State:
    """Return what `status` means; CloudFormation may have one that is not known here."""
    return STATES.get(status, WAIT if status.endswith("_IN_PROGRESS") else UNKNOWN)


def sentence(stack: DeployedStack, region: str) -> str:
    """Return what the state of `stack` means, and what to do first, in this order."""
    first = "; then ".join(steps(stack, region))
    return f"{stack.name} ({stack.status}) {state(stack.status).means}{f': {first}' if first else ''}"


def steps(stack: DeployedStack, region: str) -> Iterator[str]:
    """What to do before a change of `stack` can be deployed, one after the other; nothing if it can."""
    found = state(stack.status)
    where = f"--stack-name {stack.name} --region {region}"
    if found.first is not None:
        yield found.first.replace("{stack}", where)
    if found.deleted_by == "a person":
        yield "look in its events for what failed, and correct that"
        environment, _, which = stack.name.rpartition("-")
        if which == "Database":
            # CloudFormation's delete does not lift the instance's own protection (DeleteHandler in
            # https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-rds, aws-rds-dbinstance).
            yield (
                "if the instance exists: `aws rds modify-db-instance --no-deletion-protection --apply-immediately "
                f"--db-instance-identifier {names.database(environment)} --region {region}`"
            )
    if found.deleted_by is not None and stack.protected:
        yield f"`aws cloudformation update-termination-protection --no-enable-termination-protection {where}`"
    if found.deleted_by == "a person":
        yield f"`aws cloudformation delete-stack {where}`"
        yield "wait until it is gone: the deploy creates it again, and protects it again"
