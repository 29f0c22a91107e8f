"""What the states of a stack mean, and what has to be done before CloudFormation takes a change of it.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-console-view-stack-data-resources-status-codes
"""

from __future__ import annotations

from dataclasses import dataclass

from delivery.aws import DeployedStack


@dataclass(frozen=True, kw_only=True)
class State:
    """Of a stack."""

    means: str
    first: str | None = None
    """What to do first; None: a change can be deployed. {stack} stands for the AWS CLI's options that name it."""


DELETE = "look in its events for what failed; nothing of it is in use: `aws cloudformation delete-stack {stack}`"
GO_BACK = "look in its events for what failed, and mend that: then `aws cloudformation {verb} {stack}`"
WAIT = State(means="CloudFormation is at work on it", first="wait until it has ended")

NEVER_MADE = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE")
"""There is a name, and nothing else. Of the second, the CDK CLI deletes the stack by itself, and makes it anew (that
is in `deployStack` of the CLI 2.1148.1)."""

STATES = {
    "CREATE_COMPLETE": State(means="is deployed"),
    "UPDATE_COMPLETE": State(means="is deployed"),
    "IMPORT_COMPLETE": State(means="is deployed"),
    "UPDATE_ROLLBACK_COMPLETE": State(means="is as it was: CloudFormation took the last change of it back"),
    "IMPORT_ROLLBACK_COMPLETE": State(means="is as it was: CloudFormation took the last change of it back"),
    "REVIEW_IN_PROGRESS": State(means="was never made"),
    "ROLLBACK_COMPLETE": State(means="could not be made, and is empty: the next deploy deletes it and makes it anew"),
    "CREATE_FAILED": State(means="could not be made", first=DELETE),
    "ROLLBACK_FAILED": State(means="could not be made, and what was made of it could not be deleted", first=DELETE),
    "DELETE_COMPLETE": State(means="is gone"),
    "DELETE_FAILED": State(
        means="could not be deleted whole", first="look in its events for what failed, mend that, and delete it again"
    ),
    "UPDATE_FAILED": State(means="stands between two versions", first=GO_BACK.replace("{verb}", "rollback-stack")),
    "UPDATE_ROLLBACK_FAILED": State(
        means="stands between two versions", first=GO_BACK.replace("{verb}", "continue-update-rollback")
    ),
    "IMPORT_ROLLBACK_FAILED": State(
        means="stands between two versions", first=GO_BACK.replace("{verb}", "continue-update-rollback")
    ),
}


def state(status: str) -> State:
    """What `status` says of a stack.

    Raises:
        KeyError: CloudFormation has a new state.
    """
    return WAIT if status.endswith("_IN_PROGRESS") and status not in STATES else STATES[status]


def sentence(stack: DeployedStack, region: str) -> str:
    """How `stack` is, and what to do first."""
    found = state(stack.status)
    first = f": {found.first}".replace("{stack}", f"--stack-name {stack.name} --region {region}") if found.first else ""
    return f"{stack.name} ({stack.status}) {found.means}{first}"
