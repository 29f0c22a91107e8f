"""ScheduledJob construct: one job's function, its schedule, its dead-letter queue and its metrics."""

from datetime import timedelta

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.database import Database
from stacks.database_function import DatabaseFunction
from stacks.job_variables import parameters_variable
from stacks.run_metrics import RunMetrics
from stacks.settings import JobSettings

DESCRIPTION_LENGTH = 256
"""https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html"""


class ScheduledJob(Construct):
    """One [[jobs]] entry, deployed.

    Attributes:
        function: runs the job.
        dead_letters: what could not be delivered to the function.
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
        database: Database,
        vpc: ec2.IVpc,
        security_group: ec2.ISecurityGroup,
    ) -> None:
        """Build the job that `settings` describe; its function and its schedule are named <environment>-<job>."""
        super().__init__(scope, construct_id)
        name = f"{environment}-{settings.name}"
        job = DatabaseFunction(
            self,
            "Job",
            name=name,
            description=f"Job {settings.name}, {settings.schedule}. {settings.module.description}"[:DESCRIPTION_LENGTH],
            handler="handler.lambda_handler",
            timeout_seconds=settings.timeout_seconds,
            memory_mb=settings.memory_mb,
            variables={**_variables(settings), **database.login_variables("DATABASE")},
            database=database,
            vpc=vpc,
            security_group=security_group,
        )
        database.grant_jobs_login(job.role)
        self.function = job.function
        self.metrics = RunMetrics(self, "Metrics", environment=environment, job=settings.name, log_group=job.log_group)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            queue_name=f"{name}-dead-letters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )
        self.schedule = scheduler.Schedule(
            self,
            "Schedule",
            schedule_name=name,
            description=f"Starts {name}",
            schedule=scheduler.ScheduleExpression.expression(settings.schedule, cdk.TimeZone.of(settings.time_zone)),
            target=targets.LambdaInvoke(
                job.function,
                input=scheduler.ScheduleTargetInput.from_object(
                    {
                        "job": settings.name,
                        "scheduled_time": scheduler.ContextAttribute.scheduled_time,
                        "execution_id": scheduler.ContextAttribute.execution_id,
                    }
                ),
                dead_letter_queue=self.dead_letters,
            ),
        )


def _variables(settings: JobSettings) -> dict[str, str]:
    variables = {"JOB": settings.name, "MAX_WINDOW_MINUTES": str(settings.max_window // timedelta(minutes=1))}
    if settings.parameters:
        variables["PARAMETERS"] = parameters_variable(settings.parameters)
    return variables
