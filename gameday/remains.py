"""What a game day's environment leaves in the account: found by asking AWS, removed, and asked for again.

By CloudFormation's API, not by the CDK CLI: a second Ctrl-C would end that, and nothing has to be synthesized.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from delivery.aws import Aws, DeployedStack
from delivery.checks import never_made
from gameday.project import MARK, notifications
from gameday.waiting import NotSeen, until
from settings import names

REST_SECONDS = 5400
"""How long CloudFormation may go on with what it has begun: to make a Multi-AZ instance, or to go back to one."""
DELETE_SECONDS = 4500
"""Lambda gives its network interfaces back late: 20 to 40 minutes."""
SWEEP_SECONDS = 600
"""A snapshot that is deleted is there for a while, and a log group comes again if something still writes."""
ATTEMPTS = 3
"""To delete a stack: what something else still used the first time may be free the next time."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Remnant:
    """Something that is there and should not be."""

    text: str
    remove: Callable[[], object] = field(compare=False)


def stacks(environment: str) -> list[str]:
    """Return the names of the environment's stacks, each before those that it needs: its few jobs fit the first one."""
    return [f"{environment}-{each}" for each in ("Jobs", "Database", "Network")]


def is_a_game_days(aws: Aws, stack: DeployedStack) -> bool:
    """Return whether a game day made `stack`; one that was never made has nothing in it, so it may be anybody's."""
    return never_made(stack) or bool(aws.template(stack.name).get("Metadata", {}).get(MARK))


def remove(aws: Aws, environment: str, *, progress: Progress, kinds: Iterable[Kind] = ()) -> None:
    """Delete the environment, whatever state it is in, and all that it left outside of its stacks.

    Raises:
        NotSeen: a stack did not go in time.
    """
    for name in stacks(environment):
        _delete_stack(aws, name, progress)
    going: set[str] = set()

    def clean() -> bool:
        there = list(_remnants(aws, environment, kinds))
        for remnant in there:
            if remnant.text not in going:
                progress(f"Deleting {remnant.text} …")
                remnant.remove()
                going.add(remnant.text)
        return not there

    with suppress(NotSeen):  # `left` tells what
        until("end of what was left", clean, seconds=SWEEP_SECONDS, every=2)


def left(aws: Aws, environment: str, *, kinds: Iterable[Kind] = ()) -> list[str]:
    """Return what there still is of the environment."""
    there = aws.stacks(stacks(environment)).values()
    return [
        *(f"the stack {each.name} ({each.status})" for each in there),
        *(each.text for each in _remnants(aws, environment, kinds)),
    ]


def _remnants(aws: Aws, environment: str, kinds: Iterable[Kind]) -> Iterator[Remnant]:
    for kind in kinds or KINDS:
        yield from kind(aws, environment)


def _delete_stack(aws: Aws, name: str, progress: Progress) -> None:
    for _ in range(ATTEMPTS):
        stack = _at_rest(aws, name, progress)
        if stack is None:
            return
        progress(f"Deleting the stack {name} …")
        aws.client("cloudformation").delete_stack(StackName=name)
        if _gone(aws, name):
            return
    raise NotSeen(f"{name} could not be deleted: its events in the CloudFormation console say why")


def _at_rest(aws: Aws, name: str, progress: Progress) -> DeployedStack | None:
    """Return the stack once CloudFormation accepts to delete it; None if there is none."""

    def busy() -> bool:
        stack = aws.stacks([name]).get(name)
        # What is being created can be deleted at once.
        waits = stack is not None and stack.status.endswith("_IN_PROGRESS") and stack.status != "CREATE_IN_PROGRESS"
        return bool(waits and stack is not None and not never_made(stack))

    if busy():
        progress(f"CloudFormation is at work on {name}: waiting until it has finished …")
        until(f"end of CloudFormation's work on {name}", lambda: not busy(), seconds=REST_SECONDS, every=15)
    return aws.stacks([name]).get(name)


def _gone(aws: Aws, name: str) -> bool:
    """Wait for the end of a deletion; return whether it deleted the stack."""

    def ended() -> str | None:
        stack = aws.stacks([name]).get(name)
        if stack is None:
            return "gone"
        return stack.status if stack.status == "DELETE_FAILED" else None

    return until(f"end of the deletion of {name}", ended, seconds=DELETE_SECONDS, every=2) == "gone"


def instances(aws: Aws, environment: str) -> Iterator[Remnant]:
    """The database, if CloudFormation left it."""
    name = names.database(environment)
    found = aws.instance(name)
    if found is not None and found["DBInstanceStatus"] != "deleting":
        yield Remnant(
            f"the instance {name}",
            lambda: aws.client("rds").delete_db_instance(
                DBInstanceIdentifier=name, SkipFinalSnapshot=True, DeleteAutomatedBackups=True
            ),
        )


def snapshots(aws: Aws, environment: str) -> Iterator[Remnant]:
    """Those that were taken by hand; automated ones go with the instance."""
    client = aws.client("rds")
    pages = client.get_paginator("describe_db_snapshots")
    for page in pages.paginate(DBInstanceIdentifier=names.database(environment), SnapshotType="manual"):
        for each in page["DBSnapshots"]:
            name = each["DBSnapshotIdentifier"]
            yield Remnant(f"the snapshot {name}", _call(client.delete_db_snapshot, DBSnapshotIdentifier=name))


def backups(aws: Aws, environment: str) -> Iterator[Remnant]:
    """Automated backups that outlive their instance: those of a living one are no remnant."""
    client = aws.client("rds")
    pages = client.get_paginator("describe_db_instance_automated_backups")
    for page in pages.paginate(DBInstanceIdentifier=names.database(environment)):
        for each in page["DBInstanceAutomatedBackups"]:
            if each.get("Status") == "retained":
                resource = each["DbiResourceId"]
                yield Remnant(
                    f"the automated backups of {resource}",
                    _call(client.delete_db_instance_automated_backup, DbiResourceId=resource),
                )


def queues(aws: Aws, environment: str) -> Iterator[Remnant]:
    """What heard the notifications."""
    client = aws.client("sqs")
    try:
        url = client.get_queue_url(QueueName=notifications(environment))["QueueUrl"]
    except ClientError as error:
        if not error.response["Error"]["Code"].endswith(("NonExistentQueue", "QueueDoesNotExist")):
            raise
        return
    yield Remnant(f"the queue {notifications(environment)}", _call(client.delete_queue, QueueUrl=url))


def log_groups(aws: Aws, environment: str) -> Iterator[Remnant]:
    """Those of the CDK's own functions, and those that something wrote into once more after they were deleted."""
    client = aws.client("logs")
    prefixes = (
        names.function_log(f"{environment}-"),
        names.database_log(environment, ""),
        names.proxy_log(environment),
    )
    for prefix in prefixes:
        for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
            for each in page["logGroups"]:
                name = each["logGroupName"]
                yield Remnant(f"the log group {name}", _call(client.delete_log_group, logGroupName=name))


def _call(operation: Callable[..., Any], **arguments: str) -> Callable[[], object]:
    return lambda: operation(**arguments)


Kind = Callable[[Aws, str], Iterator[Remnant]]
KINDS: tuple[Kind, ...] = (instances, snapshots, backups, queues, log_groups)
"""Where something may be left."""
