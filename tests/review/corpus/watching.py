"""Less is noticed: alarms, events, metrics, logs and dead letters."""

import json
from collections.abc import Callable
from typing import Any

from tests.review.corpus.case import (
    ANY,
    DATA,
    PROTECTION,
    Case,
    Edit,
    Reference,
    add,
    asked,
    change,
    drop,
    given,
    put,
    under_condition,
    without,
)

ALARM, FILTER, GROUP, EVENTS = "CloudWatch::Alarm", "Logs::MetricFilter", "Logs::LogGroup", "RDS::EventSubscription"
GUARD = PROTECTION | {"unclassified"}
NEVER = {"Fn::Equals": ["a", "b"]}

ALARMS = [
    *(
        f"Alarms-pulse/{name}"
        for name in ("Errors", "DeadLetters", "Throttles", "NearTimeout", "Stuck", "Missed", "CatchingUp", "Lag")
    ),
    *(f"DatabaseAlarms/Database{name}" for name in ("Cpu", "Storage", "Memory", "Connections")),
]
PROXY_ALARMS = [f"DatabaseAlarms/Proxy{name}" for name in ("Pinned", "BorrowLatency", "Refused", "DatabaseRefused")]

RULE, BUS, HAND_OVER = "Events::Rule", "Events::EventBus", "Job-pulse/Continuation/Rule"
OPEN = {"Statement": {"Effect": "Allow", "Action": "events:PutEvents", "Principal": "*", "Resource": "*"}}
WATCHER, WATCHED = "Lambda::Function", "Environment.Variables.WATCHED"

FILTERED = add(
    "Jobs",
    "Worked",
    FILTER,
    {
        "LogGroupName": Reference("Logs::LogGroup", "Job-pulse/Job/LogGroup"),
        "FilterPattern": '{ ($.message = "run") && ($.outcome = "done") }',
        "MetricTransformations": [
            {
                "Dimensions": [{"Key": "job", "Value": "$.job"}],
                "MetricName": "worked",
                "MetricNamespace": "mysql-jobs/large",
                "MetricValue": "1",
                "Unit": "Count",
            }
        ],
    },
)
"""As each job had some up to version 0.1, and as a team may have."""


def _told_of(edit: Callable[[dict[str, Any]], object]) -> Edit:
    """What the watcher is told of the jobs, edited."""

    def edited(text: str) -> str:
        told = json.loads(text)
        edit(told)
        return json.dumps(told)

    return change(WATCHER, "Watcher/Watch/Function", WATCHED, edited)


CASES: list[Case] = [
    *(asked("large", f"alarm {path} removed", drop(ALARM, path), PROTECTION, path) for path in ALARMS),
    *(asked("proxied", f"alarm {path} removed", drop(ALARM, path), PROTECTION, path) for path in PROXY_ALARMS),
    asked("large", "alarm without actions", without(ALARM, "pulse/Errors", "AlarmActions"), PROTECTION, "pulse/Errors"),
    asked("large", "alarm with no action", put(ALARM, "pulse/Errors", "AlarmActions", []), PROTECTION, "pulse/Errors"),
    asked(
        "large",
        "alarm tells another topic",
        put(ALARM, "pulse/Errors", "AlarmActions", ["arn:aws:sns:eu-central-1:333333333333:nobody"]),
        GUARD,
        "pulse/Errors",
    ),
    asked(
        "large", "alarm's actions off", put(ALARM, "pulse/Missed", "ActionsEnabled", False), PROTECTION, "pulse/Missed"
    ),
    asked(
        "large",
        "alarm's actions off, as text",
        put(ALARM, "pulse/Missed", "ActionsEnabled", "false"),
        PROTECTION,
        "pulse/Missed",
    ),
    asked("large", "threshold higher", put(ALARM, "pulse/Errors", "Threshold", 300), GUARD, "pulse/Errors"),
    asked("large", "threshold of the CPU 100", put(ALARM, "DatabaseCpu", "Threshold", 100), GUARD, "DatabaseCpu"),
    asked("large", "threshold lower, of what is low", put(ALARM, "DatabaseStorage", "Threshold", 1), GUARD, "Storage"),
    asked("large", "period longer", put(ALARM, "DatabaseCpu", "Period", 86400), GUARD, "DatabaseCpu"),
    asked("large", "more periods", put(ALARM, "DatabaseCpu", "EvaluationPeriods", 200), GUARD, "DatabaseCpu"),
    asked("large", "more datapoints", put(ALARM, "pulse/Throttles", "DatapointsToAlarm", 3), GUARD, "pulse/Throttles"),
    asked(
        "large",
        "the other comparison",
        put(ALARM, "DatabaseCpu", "ComparisonOperator", "LessThanThreshold"),
        GUARD,
        "DatabaseCpu",
    ),
    asked(
        "large",
        "missed runs no longer breach",
        put(ALARM, "WatcherAlarm", "TreatMissingData", "notBreaching"),
        GUARD,
        "WatcherAlarm",
    ),
    asked(
        "large",
        "what to do without data unsaid",
        without(ALARM, "pulse/Missed", "TreatMissingData"),
        GUARD,
        "pulse/Missed",
    ),
    asked("large", "another metric", put(ALARM, "pulse/Errors", "MetricName", "Invocations"), GUARD, "pulse/Errors"),
    asked("large", "another namespace", put(ALARM, "pulse/Errors", "Namespace", "AWS/SQS"), GUARD, "pulse/Errors"),
    asked("large", "another statistic", put(ALARM, "pulse/Errors", "Statistic", "Minimum"), GUARD, "pulse/Errors"),
    asked(
        "large",
        "another function's metric",
        put(ALARM, "pulse/Errors", "Dimensions.0.Value", "large-other"),
        GUARD,
        "pulse/Errors",
    ),
    asked("large", "no dimension", without(ALARM, "pulse/Errors", "Dimensions"), GUARD, "pulse/Errors"),
    asked(
        "large",
        "an expression that never breaches",
        put(ALARM, "WatcherAlarm", "Metrics.0.Expression", "FILL(watched, 1)"),
        GUARD,
        "WatcherAlarm",
    ),
    asked(
        "large",
        "alarm under a condition that is never met",
        under_condition(ALARM, "pulse/Errors", NEVER),
        ANY,
        "pulse/Errors",
        "Jobs",
    ),
    asked("large", "event subscription removed", drop(EVENTS, "Events"), PROTECTION, "Events"),
    asked("large", "event subscription disabled", put(EVENTS, "Events", "Enabled", False), PROTECTION, "Events"),
    asked(
        "large",
        "an event category fewer",
        change(EVENTS, "Events", "EventCategories", lambda old: [each for each in old if each != "failure"]),
        GUARD,
        "Events",
    ),
    asked(
        "large",
        "events of another database",
        put(EVENTS, "Events", "SourceIds", ["another-database"]),
        GUARD,
        "Events",
    ),
    asked("large", "events of something else", put(EVENTS, "Events", "SourceType", "db-snapshot"), ANY, "Events"),
    asked(
        "large",
        "events to another topic",
        put(EVENTS, "Events", "SnsTopicArn", "arn:aws:sns:eu-central-1:333333333333:nobody"),
        ANY,
        "Events",
    ),
    asked("large", "subscriber removed", drop("SNS::Subscription", "on-call@example.com"), PROTECTION, "on-call"),
    asked(
        "large",
        "another subscriber",
        put("SNS::Subscription", "on-call@example.com", "Endpoint", "somebody@elsewhere.example"),
        ANY,
        "on-call",
    ),
    asked(
        "large",
        "subscriber gets a part",
        put("SNS::Subscription", "on-call@example.com", "FilterPolicy", {"severity": ["none"]}),
        GUARD,
        "on-call",
    ),
    *given(
        FILTERED,
        asked("large", "metric filter removed", drop(FILTER, "Jobs/Worked"), GUARD, "Worked"),
        asked(
            "large",
            "metric filter finds nothing",
            put(FILTER, "Jobs/Worked", "FilterPattern", '{ $.message = "nothing" }'),
            GUARD,
            "Jobs/Worked",
        ),
        asked(
            "large",
            "metric filter counts failures as work",
            put(FILTER, "Jobs/Worked", "FilterPattern", '{ $.message = "run" }'),
            GUARD,
            "Jobs/Worked",
        ),
        asked(
            "large",
            "metric has another name",
            put(FILTER, "Jobs/Worked", "MetricTransformations.0.MetricName", "other"),
            GUARD,
            "Jobs/Worked",
        ),
        asked(
            "large",
            "metric's default is that all is well",
            put(FILTER, "Jobs/Worked", "MetricTransformations.0.DefaultValue", 1),
            GUARD,
            "Jobs/Worked",
        ),
        asked(
            "large",
            "metric filter reads another log",
            put(FILTER, "Jobs/Worked", "LogGroupName", "/another"),
            GUARD,
            "Jobs/Worked",
        ),
    ),
    asked(
        "large",
        "metrics in another namespace",
        put("Lambda::Function", "Job-pulse/Job/Function", "Environment.Variables.METRICS", "mysql-jobs/other"),
        GUARD,
        "Job-pulse/Job/Function",
    ),
    asked(
        "large",
        "no metrics any more",
        without("Lambda::Function", "Job-pulse/Job/Function", "Environment.Variables.METRICS"),
        GUARD,
        "Job-pulse/Job/Function",
    ),
    asked("large", "a job is not watched", _told_of(lambda told: told.pop("pulse")), GUARD, "Watcher"),
    asked("large", "nothing is watched", put(WATCHER, "Watcher/Watch/Function", WATCHED, "{}"), GUARD, "Watcher"),
    asked(
        "large",
        "a job is missed after a week",
        _told_of(lambda told: told["pulse"].update(silence_seconds=604800)),
        GUARD,
        "Watcher",
    ),
    asked(
        "large",
        "a run may be late by a week",
        _told_of(lambda told: told["pulse"].update(allowance_seconds=604800)),
        GUARD,
        "Watcher",
    ),
    asked(
        "large",
        "a job is watched as if it ran once a year",
        _told_of(lambda told: told["pulse"].update(schedule="cron(0 0 1 1 ? *)")),
        GUARD,
        "Watcher",
    ),
    asked(
        "large",
        "the watcher is switched off",
        put("Scheduler::Schedule", "Watcher/Schedule", "State", "DISABLED"),
        GUARD,
        "Watcher/Schedule",
    ),
    asked("large", "nobody watches the watcher", drop(ALARM, "WatcherAlarm"), GUARD, "WatcherAlarm"),
    asked(
        "large",
        "the watcher counts elsewhere",
        put(WATCHER, "Watcher/Watch/Function", "Environment.Variables.METRICS", "mysql-jobs/other"),
        GUARD,
        "Watcher",
    ),
    asked("large", "an alarm of a lag of a year", put(ALARM, "pulse/Lag", "Threshold", 31536000), GUARD, "pulse/Lag"),
    asked(
        "large",
        "no hand-over any more",
        without("Lambda::EventInvokeConfig", "Job-pulse/Retry", "DestinationConfig.OnSuccess"),
        GUARD,
        "Job-pulse/Retry",
    ),
    asked(
        "large",
        "results to a queue",
        put(
            "Lambda::EventInvokeConfig",
            "Job-pulse/Retry",
            "DestinationConfig.OnSuccess.Destination",
            "arn:aws:sqs:eu-central-1:333333333333:of-others",
        ),
        ANY,
        "Job-pulse/Retry",
    ),
    asked(
        "large",
        "a watcher's results to a queue",
        put(
            "Lambda::EventInvokeConfig",
            "Watcher/Once",
            "DestinationConfig.OnSuccess.Destination",
            "arn:aws:sqs:eu-central-1:333333333333:of-others",
        ),
        ANY,
        "Watcher/Once",
    ),
    asked(
        "large",
        "a run starts another job",
        put(RULE, HAND_OVER, "Targets.0.Arn", "arn:aws:lambda:eu-central-1:333333333333:function:large-sweep"),
        ANY,
        "Job-pulse",
    ),
    asked(
        "large",
        "every event starts the job",
        put(RULE, HAND_OVER, "EventPattern", {"source": ["lambda"]}),
        ANY,
        "pulse",
    ),
    asked("large", "the job gets another event", put(RULE, HAND_OVER, "Targets.0.InputPath", "$.detail"), ANY, "pulse"),
    asked("large", "hand-over switched off", put(RULE, HAND_OVER, "State", "DISABLED"), GUARD, "Job-pulse"),
    asked("large", "hand-over removed", drop(RULE, HAND_OVER), GUARD, "Job-pulse"),
    asked("large", "bus for everybody", put(BUS, "Continuations", "Policy", OPEN), ANY, "Continuations"),
    asked(
        "large",
        "runs that follow each other are stopped",
        put("Lambda::Function", "Job-pulse/Job/Function", "RecursiveLoop", "Terminate"),
        GUARD,
        "Job-pulse",
    ),
    asked(
        "large",
        "the watcher may call itself",
        put(WATCHER, "Watcher/Watch/Function", "RecursiveLoop", "Allow"),
        GUARD,
        "Watcher",
    ),
    asked("large", "flow log removed", drop("EC2::FlowLog", "FlowLog"), PROTECTION, "FlowLog"),
    asked(
        "large",
        "flow log of what is refused alone",
        put("EC2::FlowLog", "FlowLog", "TrafficType", "REJECT"),
        GUARD,
        "FlowLog",
    ),
    asked(
        "large",
        "flow log of one subnet",
        put("EC2::FlowLog", "FlowLog", "ResourceType", "Subnet"),
        ANY,
        "FlowLog",
    ),
    asked(
        "large",
        "flow log to a bucket elsewhere",
        put("EC2::FlowLog", "FlowLog", "LogDestination", "arn:aws:s3:::elsewhere"),
        ANY,
        "FlowLog",
    ),
    asked(
        "large",
        "schedule's dead letters nowhere",
        without("Scheduler::Schedule", "Job-pulse/Schedule", "Target.DeadLetterConfig"),
        PROTECTION,
        "Job-pulse/Schedule",
    ),
    asked(
        "large",
        "function's failures nowhere",
        without("Lambda::EventInvokeConfig", "Job-pulse/Retry", "DestinationConfig"),
        PROTECTION,
        "Job-pulse/Retry",
    ),
    asked("large", "retry settings removed", drop("Lambda::EventInvokeConfig", "Job-pulse/Retry"), ANY, "pulse/Retry"),
    asked(
        "large",
        "failures to a queue elsewhere",
        put(
            "Lambda::EventInvokeConfig",
            "Job-pulse/Retry",
            "DestinationConfig.OnFailure.Destination",
            "arn:aws:sqs:eu-central-1:999999999999:elsewhere",
        ),
        ANY,
        "Job-pulse/Retry",
    ),
    asked("large", "dead-letter queue removed", drop("SQS::Queue", "Job-pulse/DeadLetters"), DATA, "DeadLetters"),
    asked(
        "large",
        "dead letters kept for an hour",
        put("SQS::Queue", "Job-pulse/DeadLetters", "MessageRetentionPeriod", 3600),
        DATA | PROTECTION,
        "Job-pulse/DeadLetters",
    ),
    asked(
        "large",
        "dead letters kept as long as the default",
        without("SQS::Queue", "Job-pulse/DeadLetters", "MessageRetentionPeriod"),
        DATA | PROTECTION,
        "Job-pulse/DeadLetters",
    ),
    asked("large", "log kept for a day", put(GROUP, "Job-pulse/Job/LogGroup", "RetentionInDays", 1), DATA, "pulse"),
    asked("large", "flow logs kept for a day", put(GROUP, "FlowLogGroup", "RetentionInDays", 1), DATA, "FlowLogGroup"),
    asked("large", "database's log kept for a day", put(GROUP, "ErrorLog", "RetentionInDays", 1), DATA, "ErrorLog"),
    asked("large", "log removed", drop(GROUP, "Database/SlowqueryLog"), DATA, "SlowqueryLog"),
    asked(
        "large",
        "log class that no filter reads",
        put(GROUP, "Job-pulse/Job/LogGroup", "LogGroupClass", "INFREQUENT_ACCESS"),
        ANY,
        "Job-pulse/Job/LogGroup",
    ),
    asked(
        "large",
        "log of another name",
        put(GROUP, "Database/ErrorLog", "LogGroupName", "/another/error"),
        DATA | {"unclassified"},
        "ErrorLog",
    ),
    asked(
        "proxied",
        "log no longer under the customer's key",
        without(GROUP, "Database/ErrorLog", "KmsKeyId"),
        PROTECTION | {"unclassified"},
        "ErrorLog",
    ),
    asked(
        "proxied",
        "log under another key",
        put(GROUP, "Database/ErrorLog", "KmsKeyId", "arn:aws:kms:us-east-1:999999999999:key/of-others"),
        ANY,
        "ErrorLog",
    ),
    asked(
        "proxied",
        "queue no longer under the customer's key",
        without("SQS::Queue", "Job-pulse/DeadLetters", "KmsMasterKeyId"),
        GUARD,
        "Job-pulse/DeadLetters",
    ),
    asked(
        "large",
        "queue not encrypted",
        put("SQS::Queue", "Job-pulse/DeadLetters", "SqsManagedSseEnabled", False),
        PROTECTION,
        "Job-pulse/DeadLetters",
    ),
    asked(
        "large",
        "function logs to another group",
        put("Lambda::Function", "Job-pulse/Job/Function", "LoggingConfig.LogGroup", "/another"),
        ANY,
        "Job-pulse/Job/Function",
    ),
    asked(
        "large",
        "function logs text: no metric is read from it",
        put("Lambda::Function", "Job-pulse/Job/Function", "LoggingConfig.LogFormat", "Text"),
        ANY,
        "Job-pulse/Job/Function",
    ),
    asked(
        "large",
        "function's messages are filtered out",
        put("Lambda::Function", "Job-pulse/Job/Function", "LoggingConfig.ApplicationLogLevel", "FATAL"),
        ANY,
        "Job-pulse/Job/Function",
    ),
    asked(
        "large",
        "a part of the log dropped",
        put(
            GROUP,
            "Job-pulse/Job/LogGroup",
            "DataProtectionPolicy",
            {"Name": "hide", "Version": "2021-06-01", "Statement": []},
        ),
        ANY,
        "Job-pulse/Job/LogGroup",
    ),
]
