"""The role in which EventBridge Scheduler starts the jobs of a stack.

One for all of them: which function a schedule starts is the schedule's, and only Scheduler can take the role. With one
for each job, an account's quota of IAM roles, 1,000, would be gone with 490 jobs.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.jobs.scheduled_job import ScheduledJob, send_dead_letters


def schedule_role(scope: Construct, construct_id: str) -> iam.Role:
    """Add a role that this account's schedules may take; it may do nothing yet."""
    stack = cdk.Stack.of(scope)
    # Only for this account's schedules: https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    group = stack.format_arn(service="scheduler", resource="schedule-group", resource_name="default")
    conditions: Mapping[str, object] = {"aws:SourceAccount": stack.account, "aws:SourceArn": group}
    return iam.Role(
        scope,
        construct_id,
        assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com", conditions={"StringEquals": conditions}),
    )


def let_start(role: iam.Role, jobs: Sequence[ScheduledJob], *, encryption_key: kms.IKey | None) -> None:
    """Let `role` start `jobs`, and leave what it can't deliver in their queues, encrypted with `encryption_key`."""
    role.add_to_policy(
        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[job.function_arn for job in jobs])
    )
    send_dead_letters(role, [job.dead_letters_arn for job in jobs], encryption_key=encryption_key)
