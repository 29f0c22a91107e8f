"""Watcher construct: the function that says what the jobs' ledger is behind, as a job that doesn't run can't say so."""

from __future__ import annotations

import json
from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from settings import names
from settings.environment import JobSettings
from settings.job_users import fits_variable
from settings.watched_jobs import WATCHED_FILE, watched_text
from stacks.database.database import Database
from stacks.database.proxy import DatabaseProxy
from stacks.jobs.function import DatabaseFunction
from stacks.jobs.schedule_role import schedule_role
from stacks.network.network import Network

EVERY = "rate(5 minutes)"
TIMEOUT_SECONDS = 60
OLDEST_EVENT_SECONDS = 60
"""The least that Scheduler and Lambda take: the next look is as good as a late one."""


class Watcher(Construct):
    """Looks at the ledger every five minutes, in the jobs' own network and with a login of its own.

    A look that fails is not repeated and leaves nothing behind: the next one sees the same, and an alarm tells if there
    is none (stacks/watching/watcher_alarm.py).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        jobs: Sequence[JobSettings],
        code: lambda_.Code,
        database: Database | DatabaseProxy,
        network: Network,
        security_group: ec2.ISecurityGroup,
        encryption_key: kms.IKey | None,
    ) -> None:
        """Build what watches `jobs`. Where their schedules don't fit a variable, they are in `code`."""
        super().__init__(scope, construct_id)
        name, watched = names.function(environment, names.WATCH), watched_text(jobs)
        watch = DatabaseFunction(
            self,
            "Watch",
            name=name,
            code=code,
            description="Says how far behind the jobs are, by their ledger",
            handler="mysql_jobs.watch.lambda_handler",
            timeout_seconds=TIMEOUT_SECONDS,
            memory_mb=256,
            reserved_concurrency=1,
            variables={
                "WATCHED": watched if fits_variable(watched) else WATCHED_FILE,
                "METRICS": names.metrics(environment),
                **database.job_variables(names.WATCH),
            },
            vpc=network.vpc,
            subnets=network.subnets,
            security_groups=[security_group],
            encryption_key=encryption_key,
        )
        if not fits_variable(watched):
            # For the reader, and for review/watched.py: what is in the zip, no template shows.
            resource = watch.function.node.default_child
            assert isinstance(resource, cdk.CfnResource)  # noqa: S101 - for mypy
            resource.add_metadata(WATCHED_FILE, json.loads(watched))
        database.grant_job_login(watch.role, names.WATCH)
        lambda_.CfnEventInvokeConfig(
            self,
            "Once",
            function_name=watch.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=0,
            maximum_event_age_in_seconds=OLDEST_EVENT_SECONDS,
        )
        self._schedule(name, watch.function)

    def _schedule(self, name: str, function: lambda_.Function) -> None:
        role = schedule_role(self, "StartRole")
        role.add_to_policy(iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[function.function_arn]))
        schedule = scheduler.CfnSchedule(
            self,
            "Schedule",
            name=name,
            description=f"Starts {name}",
            schedule_expression=EVERY,
            state="ENABLED",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=function.function_arn,
                role_arn=role.role_arn,
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=OLDEST_EVENT_SECONDS, maximum_retry_attempts=0
                ),
            ),
        )
        schedule.node.add_dependency(role)
