"""What the states of a stack mean, and what to do first where CloudFormation would refuse a change.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-console-view-stack-data-resources-status-codes
"""

from __future__ import annotations

from dataclasses import dataclass

from delivery.aws import DeployedStack


@dataclass(frozen=True, kw_only=True)
class State:
    """The state of a stack."""

    means: str
    first: str | None = None
    """What to do first; None: a change can be deployed. {stack} stands for the AWS CLI's options that name it."""


DELETE = "look in its events for what failed; none of it is in use: `aws cloudformation delete-stack {stack}`"
ROLL_BACK = "look in its events for what failed, and correct that: then `aws cloudformation {verb} {stack}`"
WAIT = State(means="is being changed by CloudFormation", first="wait until it has finished")

NEVER_MADE = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")
"""There is a name, and nothing else. In the second state, the CDK CLI deletes the stack and creates it again (see
`deployStack` of the CLI 2.1148.1)."""

STATES = {
    "CREATE_COMPLETE": State(means="is deployed"),
    "UPDATE_COMPLETE": State(means="is deployed"),
    "IMPORT_COMPLETE": State(means="is deployed"),
    "UPDATE_ROLLBACK_COMPLETE": State(means="is as it was before: CloudFormation rolled the last change back"),
    "IMPORT_ROLLBACK_COMPLETE": State(means="is as it was before: CloudFormation rolled the last change back"),
    "REVIEW_IN_PROGRESS": State(means="was never created"),
    "ROLLBACK_COMPLETE": State(means="could not be created, and is empty: the next deploy replaces it"),
    "CREATE_FAILED": State(means="could not be created", first=DELETE),
    "ROLLBACK_FAILED": State(means="could not be created, and its resources could not be deleted", first=DELETE),
    "DELETE_COMPLETE": State(means="is deleted"),
    "DELETE_FAILED": State(
        means="could not be deleted completely",
        first="look in its events for what failed, correct that, and delete it again",
    ),
    "UPDATE_FAILED": State(means="is between two versions", first=ROLL_BACK.replace("{verb}", "rollback-stack")),
    "UPDATE_ROLLBACK_FAILED": State(
        means="is between two versions", first=ROLL_BACK.replace("{verb}", "continue-update-rollback")
    ),
    "IMPORT_ROLLBACK_FAILED": State(
        means="is between two versions", first=ROLL_BACK.replace("{verb}", "continue-update-rollback")
    ),
}


def state(status: str) -> State:
    """Return what `status` means.

    Raises:
        KeyError: the state is unknown, as CloudFormation has a new one.
    """
    return WAIT if status.endswith("_IN_PROGRESS") and status not in STATES else STATES[status]


def sentence(stack: DeployedStack, region: str) -> str:
    """Return what the state of `stack` means, and what to do first."""
    found = state(stack.status)
    first = f": {found.first}".replace("{stack}", f"--stack-name {stack.name} --region {region}") if found.first else ""
    return f"{stack.name} ({stack.status}) {found.means}{first}"
