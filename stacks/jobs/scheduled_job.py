"""ScheduledJob construct: one job's function, what starts it, its dead-letter queue and its metrics."""

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from settings import names
from settings.environment import JobSettings
from settings.job_variables import TABLES_NOTE, USES_NOTE, tables_note, uses_note
from stacks.database.database import Database
from stacks.database.proxy import DatabaseProxy
from stacks.jobs.continuation import Bus, Continuation
from stacks.jobs.function import DatabaseFunction
from stacks.jobs.metric import PERIOD_SECONDS, Metric
from stacks.jobs.run_metrics import RunMetrics
from stacks.jobs.ways import Ways
from stacks.network.network import Network
from stacks.network.rights import of_a_role

CONTEXT = {"scheduled_time": "<aws.scheduler.scheduled-time>", "execution_id": "<aws.scheduler.execution-id>"}
"""What Scheduler writes into an event, by its key there.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html"""
MOST_DELIVERIES = 185
"""The most, and the default, of Scheduler and of a rule: it is the event's age that limits them.
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html"""
LONGEST_WAIT_SECONDS = 6 * 3600
"""How long an event waits at Lambda for its turn while other runs of the job take the places that there are: the most,
and Lambda's default. A late one harms nothing; one that is given up rings an alarm.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""
DESCRIPTION_LENGTH = 256
"""https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"""


class ScheduledJob(Construct):
    """The resources of one [[jobs]] entry.

    Attributes:
        settings: the entry.
        name: <environment>-<job>, the name of the function and of the schedule.
        function: runs the job.
        function_arn: the function's.
        log_group: where it logs.
        dead_letters: events that could not be delivered, and those of runs that failed with all retries.
        dead_letters_arn: the queue's.
        schedule: starts the runs.
        metrics: of its runs.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        settings: JobSettings,
        code: lambda_.Code,
        database: Database | DatabaseProxy,
        network: Network,
        security_group: ec2.ISecurityGroup,
        ways: Ways | None,
        schedule_role: iam.Role,
        bus: Bus,
        encryption_key: kms.IKey | None,
    ) -> None:
        """Build the job that `settings` describe, which Scheduler starts as `schedule_role`, and a run by `bus`.

        `ways` lead out of the network; None if no job of the stack uses more than the database. `encryption_key`
        encrypts its queue and log, else AWS's keys do.
        """
        super().__init__(scope, construct_id)
        self.settings = settings
        self.name = names.function(environment, settings.name)
        self._encryption_key = encryption_key
        self._retry_seconds = settings.retry_window // timedelta(seconds=1)
        module = settings.job_module
        job = DatabaseFunction(
            self,
            "Job",
            name=self.name,
            code=code,
            description=f"Job {settings.name}, {settings.schedule}. {module.description}"[:DESCRIPTION_LENGTH],
            handler="mysql_jobs.handler.lambda_handler",
            timeout_seconds=settings.timeout_seconds,
            memory_mb=settings.memory_mb,
            reserved_concurrency=settings.concurrency,
            variables={
                **settings.function_variables,
                "METRICS": names.metrics(environment),
                **database.job_variables(settings.name),
            },
            vpc=network.vpc,
            subnets=network.subnets_of(settings.uses),
            security_groups=[security_group, *([] if ways is None else ways.groups(settings.uses))],
            encryption_key=encryption_key,
        )
        self._complete(job.function)
        database.grant_job_login(job.role, settings.name)
        if settings.uses:
            for statement in of_a_role(settings.uses, cdk.Stack.of(self)):
                job.role.add_to_policy(statement)
        self._policy_beside_that_of_before(job.role)
        self.function = job.function
        self.function_arn = job.function.function_arn
        self.log_group = job.log_group
        self.metrics = RunMetrics(environment=environment, job=settings.name)
        self.dead_letters = self._dead_letters()
        self.dead_letters_arn = self.dead_letters.queue_arn
        send_dead_letters(job.role, [self.dead_letters_arn], encryption_key=encryption_key)
        continuation = self._continuation(job.role, bus)
        self._invoke_config(job, continuation, bus)
        self.schedule = self._schedule(schedule_role)

    def _complete(self, function: lambda_.Function) -> None:
        resource = function.node.default_child
        assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101 - for mypy
        # For review/: what the migrations are told may be in the zip, and a job is reviewed where it is.
        resource.add_metadata(TABLES_NOTE, tables_note(self.settings.rights))
        if self.settings.uses:
            resource.add_metadata(USES_NOTE, uses_note(self.settings.uses))
        # Runs that follow each other are meant, and end by themselves (lambda/mysql_jobs/continuation.py): Lambda shall
        # not stop them after 16. https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
        resource.recursive_loop = "Allow"

    def _policy_beside_that_of_before(self, role: iam.Role) -> None:
        # Up to version 0.1 this policy let the job log in as the user of all jobs. Changed in place, before the
        # function is, it would lock out the code of before. With another id, CloudFormation makes it beside the old
        # one, which it deletes last; or keeps, where it rolls back.
        policy = role.node.find_child("DefaultPolicy").node.default_child
        assert isinstance(policy, cdk.CfnResource)  # noqa: S101 - for mypy
        name = self.settings.name
        unique = hashlib.sha256(name.encode()).hexdigest()[:8].upper()
        policy.override_logical_id(f"Job{name.replace('_', '')}JobRolePolicy{unique}")

    def errors(self, *, period_seconds: int = PERIOD_SECONDS) -> Metric:
        """Return the number of runs that failed, as Lambda counts them: also those that were killed, or never began."""
        return self._of_function("Errors", "Sum", period_seconds)

    def throttles(self, *, period_seconds: int = PERIOD_SECONDS) -> Metric:
        """Return how often Lambda refused to start a run."""
        return self._of_function("Throttles", "Sum", period_seconds)

    def invocations(self, *, period_seconds: int) -> Metric:
        """Return the number of runs that began."""
        return self._of_function("Invocations", "Sum", period_seconds)

    def duration(self) -> Metric:
        """Return the longest run, in milliseconds, as Lambda measures it: also those that were killed."""
        return self._of_function("Duration", "Maximum")

    def dead_letters_waiting(self, *, period_seconds: int = PERIOD_SECONDS) -> Metric:
        """Return how many dead letters there are."""
        return Metric(
            namespace="AWS/SQS",
            name="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": names.dead_letters(self.name)},
            statistic="Maximum",
            period_seconds=period_seconds,
        )

    def _of_function(self, name: str, statistic: str, period_seconds: int = PERIOD_SECONDS) -> Metric:
        return Metric(
            namespace="AWS/Lambda",
            name=name,
            dimensions={"FunctionName": self.name},
            statistic=statistic,
            period_seconds=period_seconds,
        )

    def _dead_letters(self) -> sqs.Queue:
        key = self._encryption_key
        return sqs.Queue(
            self,
            "DeadLetters",
            queue_name=names.dead_letters(self.name),
            encryption=sqs.QueueEncryption.SQS_MANAGED if key is None else sqs.QueueEncryption.KMS,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )

    def _continuation(self, role: iam.Role, bus: Bus) -> Continuation:
        return Continuation(
            self,
            "Continuation",
            job=self.settings.name,
            name=self.name,
            function_arn=self.function_arn,
            role=role,
            bus=bus,
            dead_letters=self.dead_letters,
            dead_letters_arn=self.dead_letters_arn,
            retry_policy=events.CfnRule.RetryPolicyProperty(
                maximum_event_age_in_seconds=self._retry_seconds, maximum_retry_attempts=MOST_DELIVERIES
            ),
        )

    def _invoke_config(self, job: DatabaseFunction, continuation: Continuation, bus: Bus) -> None:
        # Scheduler invokes asynchronously: it retries the delivery only; Lambda retries a run that fails.
        # https://docs.aws.amazon.com/lambda/latest/dg/with-eventbridge-scheduler.html
        destination = lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
            on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=self.dead_letters_arn),
            on_success=lambda_.CfnEventInvokeConfig.OnSuccessProperty(destination=bus.arn),
        )
        config = lambda_.CfnEventInvokeConfig(
            self,
            "Retry",
            function_name=job.function.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=self.settings.attempts - 1,  # those that its retry window has room for
            maximum_event_age_in_seconds=LONGEST_WAIT_SECONDS,
            destination_config=destination,
        )
        # Lambda refuses destinations that the role may not write to. And nothing is sent before it can arrive.
        config.node.add_dependency(job.role, continuation.permission, self.dead_letters)

    def _schedule(self, role: iam.Role) -> scheduler.CfnSchedule:
        settings = self.settings
        flexible = settings.flexible_minutes
        # The CDK's own Schedule is ten calls to it, and would let it invoke every version of the function.
        schedule = scheduler.CfnSchedule(
            Construct(self, "Schedule"),  # as with the CDK's own: its path decides the logical id
            "Resource",
            name=self.name,
            description=f"Starts {self.name}",
            schedule_expression=settings.schedule,
            schedule_expression_timezone=settings.time_zone,
            state="ENABLED" if settings.enabled else "DISABLED",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(
                mode="FLEXIBLE" if flexible else "OFF", maximum_window_in_minutes=flexible or None
            ),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.function_arn,
                role_arn=role.role_arn,
                input=json.dumps({"job": settings.name, **CONTEXT}, separators=(",", ":")),
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=self._retry_seconds, maximum_retry_attempts=MOST_DELIVERIES
                ),
                dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.dead_letters_arn),
            ),
        )
        schedule.node.add_dependency(role)
        return schedule


def send_dead_letters(role: iam.IRole, queues: Sequence[str], *, encryption_key: kms.IKey | None) -> None:
    """Let `role` send to the queues with these ARNs, which `encryption_key` encrypts, else SQS's own."""
    role.add_to_principal_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=list(queues)))
    if encryption_key is not None:
        # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
        region = cdk.Stack.of(role).region
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=[encryption_key.key_arn],
                conditions={"StringEquals": {"kms:ViaService": f"sqs.{region}.amazonaws.com"}},
            )
        )
