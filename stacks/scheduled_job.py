"""ScheduledJob construct: one job's function, its schedule and its dead-letter queue."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.database import Database
from stacks.database_function import DatabaseFunction
from stacks.settings import JobSettings


class ScheduledJob(Construct):
    """One [[jobs]] entry, deployed.

    Attributes:
        function: runs the job.
        dead_letters: what could not be delivered to the function.
        schedule: starts the runs.
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
            description=f"Job {settings.name}, {settings.schedule}",
            handler="handler.lambda_handler",
            timeout_seconds=settings.timeout_seconds,
            memory_mb=settings.memory_mb,
            variables={"JOB": settings.name, **database.login_variables("DATABASE")},
            database=database,
            vpc=vpc,
            security_group=security_group,
        )
        database.grant_jobs_login(job.role)
        self.function = job.function
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
