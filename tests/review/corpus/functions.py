"""Functions, schedules and the trigger of the migrations."""

import json
from collections.abc import Callable
from typing import Any

from tests.review.corpus.case import (
    ACCESS,
    ANY,
    DATA,
    PROTECTION,
    UNCLASSIFIED,
    Case,
    add,
    asked,
    attribute,
    change,
    drop,
    put,
    without,
)

FUNCTION, SCHEDULE, RETRY, TRIGGER = (
    "Lambda::Function",
    "Scheduler::Schedule",
    "Lambda::EventInvokeConfig",
    "Custom::Trigger",
)
PULSE, SWEEP, MIGRATE = "Job-pulse/Job/Function", "Job-sweep/Job/Function", "Migrate/Function"
GUARD = PROTECTION | UNCLASSIFIED
ENVIRONMENT = "Environment.Variables"


def _parameters(name: str, edit: Callable[[list[Any]], list[Any]], kinds: frozenset[str]) -> Case:
    """Other tables of the job sweep, which deletes old rows."""

    def new(text: str) -> str:
        parameters = json.loads(text)
        return json.dumps({**parameters, "tables": edit(parameters["tables"])})

    return asked("large", name, change(FUNCTION, SWEEP, f"{ENVIRONMENT}.PARAMETERS", new), kinds, "Job-sweep", "event")


def _rights(name: str, **rights: str) -> Case:
    """Other rights of the database user of the job pulse, which the migrations grant."""

    def new(text: str) -> str:
        told = json.loads(text)
        told["pulse"]["tables"].update(rights)
        return json.dumps(told)

    edit = change(FUNCTION, MIGRATE, f"{ENVIRONMENT}.RIGHTS", new)
    return asked("large", name, edit, ACCESS | DATA | UNCLASSIFIED, "Migrat", "user of the job pulse")


def _schedule(name: str, place: str, value: Any) -> Case:
    return asked("large", name, put(SCHEDULE, "Job-pulse/Schedule", place, value), ANY, "Job-pulse/Schedule")


def _function(name: str, place: str, value: Any, *, path: str = PULSE) -> Case:
    return asked("large", name, put(FUNCTION, path, place, value), ANY, path)


CASES: list[Case] = [
    # Retained data is data, too
    _parameters("rows kept for 4 days", lambda old: [old[0], {**old[1], "retention_days": 4}], DATA | UNCLASSIFIED),
    _parameters("rows kept for a day less", lambda old: [old[0], {**old[1], "retention_days": 399}], ANY),
    _parameters("rows deleted by another column", lambda old: [old[0], {**old[1], "column": "created_at"}], ANY),
    _parameters(
        "rows of a table that no job had",
        lambda old: [*old, {"table": "customer", "column": "created_at", "retention_days": 30}],
        DATA | UNCLASSIFIED,
    ),
    _parameters("rows of another table", lambda old: [old[0], {**old[1], "table": "customer"}], ANY),
    _rights("jobs may change a table that they read", event="DELETE, SELECT, UPDATE"),
    _rights("jobs may drop a table", event="DELETE, DROP, SELECT"),
    _rights("jobs may do all with a table", pulse="ALL PRIVILEGES"),
    _rights("jobs may hand rights on", pulse="DELETE, INSERT, SELECT, GRANT OPTION"),
    _rights("jobs may use a table that none had", customer="SELECT"),
    _rights("jobs may use every table", **{"*": "SELECT"}),
    asked(
        "large",
        "migrations make another user",
        change(FUNCTION, MIGRATE, f"{ENVIRONMENT}.RIGHTS", lambda old: old.replace("job_large_pulse", "admin")),
        ANY,
        "Migrat",
        "user",
    ),
    # Functions
    asked("large", "job's function removed", drop(FUNCTION, PULSE), ANY, PULSE, "Job-pulse"),
    asked(
        "large", "as many at once as there are", without(FUNCTION, PULSE, "ReservedConcurrentExecutions"), ANY, PULSE
    ),
    _function("a hundred at once", "ReservedConcurrentExecutions", 100),
    _function("none at once: it never runs", "ReservedConcurrentExecutions", 0),
    _function("two migrations at once", "ReservedConcurrentExecutions", 2, path=MIGRATE),
    _function("code in the template", "Code", {"ZipFile": "def handler(*_): pass"}),
    _function("code of somebody's bucket", "Code.S3Bucket", "somebodys-bucket"),
    _function(
        "code as an image of somebody", "Code", {"ImageUri": "999999999999.dkr.ecr.eu-central-1.amazonaws.com/a"}
    ),
    _function("another handler", "Handler", "jobs.pulse.other"),
    _function("an older runtime", "Runtime", "python3.9"),
    _function("another language", "Runtime", "nodejs24.x"),
    # Doubtful, and asked: packages with parts in C no longer load.
    _function("another architecture", "Architectures", ["x86_64"]),
    asked("large", "function outside of the network", without(FUNCTION, PULSE, "VpcConfig"), ANY, PULSE),
    _function("function in other subnets", "VpcConfig.SubnetIds", ["subnet-0a", "subnet-0b"]),
    _function("function in another security group", "VpcConfig.SecurityGroupIds", ["sg-0123456789abcdef0"]),
    _function("function reaches out by IPv6", "VpcConfig.Ipv6AllowedForDualStack", True),
    _function("function with another role", "Role", "arn:aws:iam::333333333333:role/admin"),
    _function("layer of another account", "Layers", ["arn:aws:lambda:eu-central-1:999999999999:layer:spy:1"]),
    _function("a wrapper around the handler", f"{ENVIRONMENT}.AWS_LAMBDA_EXEC_WRAPPER", "/opt/wrapper"),
    _function("a path that packages come from", f"{ENVIRONMENT}.PYTHONPATH", "/mnt/somewhere"),
    _function("libraries from elsewhere", f"{ENVIRONMENT}.LD_PRELOAD", "/mnt/somewhere.so"),
    _function("certificates from elsewhere", f"{ENVIRONMENT}.SSL_CERT_FILE", "/mnt/all.pem"),
    _function("a secret among the variables", f"{ENVIRONMENT}.API_TOKEN", "4711"),
    _function("how long a job that deletes keeps rows", f"{ENVIRONMENT}.KEEP_DAYS", "7", path=SWEEP),
    _function("a variable for the migrations", f"{ENVIRONMENT}.LOG_LEVEL", "DEBUG", path=MIGRATE),
    _function("another host", f"{ENVIRONMENT}.DATABASE_HOST", "elsewhere.example.com"),
    _function("another schema for the job", f"{ENVIRONMENT}.DATABASE_NAME", "other"),
    _function("job logs in as admin", f"{ENVIRONMENT}.DATABASE_USER", "admin"),
    _function("job logs in with a secret", f"{ENVIRONMENT}.DATABASE_AUTH", "secret"),
    _function("function is another job", f"{ENVIRONMENT}.JOB", "sweep"),
    asked("large", "no limit on resolving names", without(FUNCTION, PULSE, f"{ENVIRONMENT}.RES_OPTIONS"), ANY, PULSE),
    _function(
        "files of a file system",
        "FileSystemConfigs",
        [{"Arn": "arn:aws:elasticfilesystem:eu", "LocalMountPath": "/mnt/a"}],
    ),
    _function("no time to run", "Timeout", 1),
    _function("no time to migrate", "Timeout", 3, path=MIGRATE),
    # Doubtful, and asked: less memory is less CPU, too, and a run may end at its deadline.
    _function("less memory", "MemorySize", 128),
    _function("function has another name", "FunctionName", "large-other"),
    _function(
        "updates of the runtime by hand",
        "RuntimeManagementConfig",
        {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": "arn:aws:lambda:eu-central-1::runtime:a"},
    ),
    _function(
        "code that others sign",
        "CodeSigningConfigArn",
        "arn:aws:lambda:eu-central-1:999999999999:code-signing-config:csc-0",
    ),
    # Retries
    asked("large", "no retries", put(RETRY, "Job-pulse/Retry", "MaximumRetryAttempts", 0), GUARD, "Job-pulse/Retry"),
    asked(
        "large",
        "events are too old at once",
        put(RETRY, "Job-pulse/Retry", "MaximumEventAgeInSeconds", 60),
        GUARD,
        "Job-pulse/Retry",
    ),
    asked(
        "large",
        "given up while others are at work for an hour",
        put(RETRY, "Job-pulse/Retry", "MaximumEventAgeInSeconds", 3600),
        GUARD,
        "Job-pulse/Retry",
    ),
    asked(
        "large",
        "successes told to a queue elsewhere",
        put(
            RETRY,
            "Job-pulse/Retry",
            "DestinationConfig.OnSuccess",
            {"Destination": "arn:aws:sqs:eu-central-1:999999999999:elsewhere"},
        ),
        ANY,
        "Job-pulse/Retry",
    ),
    # Schedules
    asked("large", "schedule removed", drop(SCHEDULE, "Job-pulse/Schedule"), ANY, "Job-pulse/Schedule"),
    _schedule("schedule disabled", "State", "DISABLED"),
    _schedule("schedule ends", "EndDate", "2026-12-31T00:00:00Z"),
    _schedule("schedule begins later", "StartDate", "2030-01-01T00:00:00Z"),
    _schedule("another target", "Target.Arn", "arn:aws:lambda:eu-central-1:333333333333:function:other"),
    _schedule("target in another account", "Target.Arn", "arn:aws:lambda:eu-central-1:999999999999:function:other"),
    _schedule("another input", "Target.Input", "{}"),
    _schedule("schedule never tries again", "Target.RetryPolicy.MaximumRetryAttempts", 0),
    _schedule("schedule tries for a minute", "Target.RetryPolicy.MaximumEventAgeInSeconds", 60),
    _schedule("schedule with another role", "Target.RoleArn", "arn:aws:iam::333333333333:role/admin"),
    _schedule(
        "schedule is imprecise by hours", "FlexibleTimeWindow", {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 240}
    ),
    _schedule(
        "schedule's dead letters elsewhere", "Target.DeadLetterConfig.Arn", "arn:aws:sqs:eu-central-1:999999999999:q"
    ),
    _schedule("schedule of another name", "Name", "large-other"),
    asked(
        "large",
        "schedule before the migrations",
        attribute(SCHEDULE, "Job-pulse/Schedule", "DependsOn", None),
        ANY,
        "Job-pulse/Schedule",
    ),
    asked("large", "function before the migrations", attribute(FUNCTION, PULSE, "DependsOn", None), ANY, PULSE),
    # Migrations
    asked("large", "migrations are not run", drop(TRIGGER, "Migrations/Trigger"), ANY, "Migrations/Trigger"),
    asked(
        "large",
        "migrations run once, for good",
        put(TRIGGER, "Migrations/Trigger", "ExecuteOnHandlerChange", False),
        ANY,
        "Migrations/Trigger",
    ),
    asked(
        "large",
        "nobody waits for the migrations",
        put(TRIGGER, "Migrations/Trigger", "InvocationType", "Event"),
        ANY,
        "Migrations/Trigger",
    ),
    asked(
        "large",
        "another function instead of the migrations",
        put(TRIGGER, "Migrations/Trigger", "HandlerArn", "arn:aws:lambda:eu-central-1:333333333333:function:other:1"),
        ANY,
        "Migrations/Trigger",
    ),
    asked(
        "large",
        "migrations by somebody else's provider",
        put(TRIGGER, "Migrations/Trigger", "ServiceToken", "arn:aws:lambda:eu-central-1:999999999999:function:other"),
        ANY,
        "Migrations/Trigger",
    ),
    asked(
        "large",
        "migrations before their network is there",
        attribute(TRIGGER, "Migrations/Trigger", "DependsOn", None),
        ANY,
        "Migrations/Trigger",
    ),
    # What else calls a function, or is one
    asked(
        "large",
        "event source",
        add(
            "Jobs",
            "Source",
            "Lambda::EventSourceMapping",
            {"FunctionName": "large-pulse", "EventSourceArn": "arn:aws:sqs:eu-central-1:333333333333:other"},
        ),
        ANY,
        "Jobs/Source",
    ),
    asked(
        "large",
        "alias",
        add(
            "Jobs",
            "Alias",
            "Lambda::Alias",
            {"FunctionName": "large-pulse", "FunctionVersion": "$LATEST", "Name": "live"},
        ),
        ANY,
        "Jobs/Alias",
    ),
    asked(
        "large",
        "settings of a version's events",
        add(
            "Jobs",
            "Async",
            "Lambda::EventInvokeConfig",
            {
                "FunctionName": "large-pulse",
                "Qualifier": "1",
                "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:eu-central-1:999999999999:q"}},
            },
        ),
        ANY,
        "Jobs/Async",
    ),
    asked(
        "large",
        "second schedule of a job",
        add(
            "Jobs",
            "Twice",
            "Scheduler::Schedule",
            {
                "ScheduleExpression": "rate(1 minute)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {
                    "Arn": "arn:aws:lambda:eu-central-1:333333333333:function:large-sweep",
                    "RoleArn": "arn:aws:iam::333333333333:role/a",
                },
            },
        ),
        ANY,
        "Jobs/Twice",
    ),
    asked(
        "large",
        "rule of events that starts a job",
        add(
            "Jobs",
            "Rule",
            "Events::Rule",
            {
                "EventPattern": {"source": ["aws.s3"]},
                "Targets": [{"Id": "1", "Arn": "arn:aws:lambda:eu-central-1:333333333333:function:large-sweep"}],
            },
        ),
        ANY,
        "Jobs/Rule",
    ),
    asked(
        "large",
        "function that nobody knows",
        add(
            "Jobs",
            "Stranger",
            "Lambda::Function",
            {
                "Code": {"ZipFile": "pass"},
                "Runtime": "python3.14",
                "Handler": "index.handler",
                "Role": "arn:aws:iam::333333333333:role/a",
            },
        ),
        ANY,
        "Jobs/Stranger",
    ),
    asked(
        "large",
        "second trigger",
        add(
            "Jobs",
            "Run",
            "Custom::Trigger",
            {
                "ServiceToken": "arn:aws:lambda:eu-central-1:333333333333:function:a",
                "HandlerArn": "arn:aws:lambda:eu-central-1:333333333333:function:large-sweep:1",
            },
        ),
        ANY,
        "Jobs/Run",
    ),
    asked(
        "large",
        "provider of the migrations' trigger replaced",
        put(
            FUNCTION,
            "AWSCDK.TriggerCustomResourceProviderCustomResourceProvider/Handler",
            "Code",
            {"ZipFile": "exports.handler = 0"},
        ),
        ANY,
        "TriggerCustomResource",
    ),
]
