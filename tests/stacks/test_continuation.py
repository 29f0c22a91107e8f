"""The hand-over from a run to the next, as it is deployed: who sends what where, and what comes of it."""

import json
from typing import Any

import pytest
from aws_cdk.assertions import Template

from settings.environment import EnvironmentSettings
from settings.project import ROOT
from stacks.environment import Environment
from tests.fixture import ENVIRONMENTS, PROJECT, a_job, load
from tests.quick_app import quick_app
from tests.stacks.templates import Resources, of_type, the

CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"] | {"aws:cdk:bundling-stacks": []}

ARN = "arn:aws:lambda:eu-central-1:111111111111:function:basic-pulse"
NEXT = {"job": "pulse", "scheduled_time": "2026-11-27T08:00:00+00:00", "continued": {"since": "…", "number": 1}}


@pytest.fixture
def settings(environment: str) -> EnvironmentSettings:
    return ENVIRONMENTS[environment]


def test_the_jobs_of_a_stack_share_a_bus_and_only_their_functions_may_send_to_it(
    settings: EnvironmentSettings, jobs: Resources
) -> None:
    [(bus, properties)] = of_type(jobs, "AWS::Events::EventBus").items()
    assert properties["Properties"]["Name"] == f"{settings.name}-continuations"
    assert of_type(jobs, "AWS::Events::EventBusPolicy") == {}
    senders = {
        name
        for name, policy in of_type(jobs, "AWS::IAM::Policy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Action"] == "events:PutEvents"
        and statement["Resource"] == {"Fn::GetAtt": [bus, "Arn"]}
        and statement["Effect"] == "Allow"
    }
    assert len(senders) == len(settings.jobs)
    assert all(name.startswith("Job") for name in senders)
    sent_to = [config["Properties"] for config in of_type(jobs, "AWS::Lambda::EventInvokeConfig").values()]
    destinations = [
        each["DestinationConfig"]["OnSuccess"]["Destination"] for each in sent_to if "DestinationConfig" in each
    ]
    assert destinations == [{"Fn::GetAtt": [bus, "Arn"]}] * len(settings.jobs)


def test_what_a_run_returns_as_next_starts_its_own_function_and_nothing_else_does(
    settings: EnvironmentSettings, jobs: Resources
) -> None:
    rules = _rules(jobs)
    assert rules.keys() == {f"{settings.name}-{job.name}" for job in settings.jobs}
    for job in settings.jobs:
        rule = rules[f"{settings.name}-{job.name}"]
        pattern, [target] = rule["EventPattern"], rule["Targets"]
        function = jobs[target["Arn"]["Fn::GetAtt"][0]]["Properties"]["FunctionName"]
        assert function == f"{settings.name}-{job.name}"
        assert target["InputPath"] == "$.detail.responsePayload.next"
        assert pattern["detail"]["requestContext"]["functionArn"] == [
            {"Fn::Join": ["", [target["Arn"], ":$LATEST"]]},
        ]
        assert pattern["detail"]["responsePayload"] == {"next": {"job": [job.name]}}


@pytest.mark.parametrize(
    ("event", "starts"),
    [
        ({}, True),
        ({"responsePayload": {"outcome": "done"}}, False),
        ({"responsePayload": {"next": None}}, False),
        ({"responsePayload": {"next": {"job": "tally"}}}, False),
        ({"responsePayload": "a text"}, False),
        ({"requestContext": {"functionArn": f"{ARN[:-5]}tally:$LATEST"}}, False),
        ({"requestContext": {"functionArn": ARN}}, False),
    ],
)
def test_a_record_of_lambdas_is_told_from_any_other(
    event: dict[str, Any], starts: bool, templates: dict[str, Any]
) -> None:
    record = {
        "version": "1.0",
        "requestContext": {"requestId": "1", "functionArn": f"{ARN}:$LATEST", "condition": "Success"},
        "requestPayload": {"job": "pulse"},
        "responsePayload": {"outcome": "partial", "next": NEXT},
        **event,
    }
    sent = {"source": "lambda", "detail-type": "Lambda Function Invocation Result - Success", "detail": record}
    pattern = _rules(templates["basic"]["Jobs"]["Resources"])["basic-pulse"]["EventPattern"]
    assert (
        _matches(json.loads(json.dumps(pattern).replace(json.dumps(_function_of(pattern)), f'"{ARN}:$LATEST"')), sent)
        is starts
    )
    assert not _matches(pattern, {**sent, "source": "somebody"})


def test_the_rule_and_nobody_else_at_eventbridge_may_start_the_function_and_leave_dead_letters(jobs: Resources) -> None:
    for name, rule in of_type(jobs, "AWS::Events::Rule").items():
        [target] = rule["Properties"]["Targets"]
        [permission] = [
            each["Properties"]
            for each in of_type(jobs, "AWS::Lambda::Permission").values()
            if each["Properties"]["FunctionName"] == target["Arn"]
        ]
        assert permission["Principal"] == "events.amazonaws.com"
        assert permission["SourceArn"] == {"Fn::GetAtt": [name, "Arn"]}
        [allowed] = [
            statement
            for policy in of_type(jobs, "AWS::SQS::QueuePolicy").values()
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Allow" and statement["Resource"] == target["DeadLetterConfig"]["Arn"]
        ]
        assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
        assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [name, "Arn"]}}}


def test_a_hand_over_is_tried_as_long_as_any_other_start_of_the_job(
    settings: EnvironmentSettings, jobs: Resources
) -> None:
    for job in settings.jobs:
        [target] = _rules(jobs)[f"{settings.name}-{job.name}"]["Targets"]
        assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == job.retry_window.total_seconds()


def test_lambda_does_not_stop_runs_that_follow_each_other_and_stops_all_other_loops(
    settings: EnvironmentSettings, jobs: Resources
) -> None:
    looping = {
        each["Properties"].get("FunctionName")
        for each in of_type(jobs, "AWS::Lambda::Function").values()
        if each["Properties"].get("RecursiveLoop") == "Allow"
    }
    assert looping == {f"{settings.name}-{job.name}" for job in settings.jobs}


def test_a_job_that_is_switched_off_is_deployed_with_all_that_it_needs_when_it_is_switched_on() -> None:
    job = a_job(name="pulse", schedule="rate(1 day)", enabled=False)
    settings = load("large").model_copy(update={"jobs": (job,)})
    app = quick_app(context=CONTEXT)
    resources = Template.from_stack(Environment(app, project=PROJECT, settings=settings).jobs).to_json()["Resources"]
    schedules = [each["Properties"] for each in of_type(resources, "AWS::Scheduler::Schedule").values()]
    assert {each["Name"]: each["State"] for each in schedules} == {"large-pulse": "DISABLED", "large-watch": "ENABLED"}
    assert len(of_type(resources, "AWS::Events::Rule")) == 1
    alarms = [each["Properties"]["AlarmName"] for each in of_type(resources, "AWS::CloudWatch::Alarm").values()]
    whats = {name.removeprefix("large-pulse-") for name in alarms if name.startswith("large-pulse-")}
    assert whats == {"errors", "dead-letters", "throttles", "near-timeout", "stuck"}
    watch = next(
        each["Properties"]["Environment"]["Variables"]
        for each in of_type(resources, "AWS::Lambda::Function").values()
        if each["Properties"].get("FunctionName") == "large-watch"
    )
    assert json.loads(watch["WATCHED"]) == {}


def test_a_job_that_runs_once_is_a_schedule_like_any_other() -> None:
    job = a_job(name="pulse", schedule="at(2030-12-24T18:00:00)", time_zone="Europe/Berlin")
    settings = load("large").model_copy(update={"jobs": (job,)})
    app = quick_app(context=CONTEXT)
    resources = Template.from_stack(Environment(app, project=PROJECT, settings=settings).jobs).to_json()["Resources"]
    [schedule] = [
        each["Properties"]
        for each in of_type(resources, "AWS::Scheduler::Schedule").values()
        if each["Properties"]["Name"] == "large-pulse"
    ]
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == (job.schedule, "Europe/Berlin")
    alarms = [each["Properties"]["AlarmName"] for each in of_type(resources, "AWS::CloudWatch::Alarm").values()]
    assert "large-pulse-missed" in alarms
    assert "large-pulse-lag" not in alarms  # it has no interval


def test_nothing_is_sent_to_the_bus_before_it_can_arrive(jobs: Resources) -> None:
    for each in of_type(jobs, "AWS::Lambda::EventInvokeConfig").values():
        if "DestinationConfig" in each["Properties"]:
            waits = {jobs[name]["Type"] for name in each["DependsOn"]}
            assert waits >= {"AWS::Lambda::Permission", "AWS::IAM::Policy", "AWS::SQS::QueuePolicy"}


def test_the_bus_has_no_key_of_the_customers() -> None:
    """What AWS would refuse, or lose, if the key's policy did not name EventBridge: docs/security.md."""
    settings = load("large").model_copy(
        update={"encryption_key": f"arn:aws:kms:eu-central-1:333333333333:key/{'0' * 8}-0000-0000-0000-{'0' * 12}"}
    )
    app = quick_app(context=CONTEXT)
    resources = Template.from_stack(Environment(app, project=PROJECT, settings=settings).jobs).to_json()["Resources"]
    assert "KmsKeyIdentifier" not in the(resources, "AWS::Events::EventBus")


def _rules(resources: Resources) -> dict[str, dict[str, Any]]:
    return {each["Properties"]["Name"]: each["Properties"] for each in of_type(resources, "AWS::Events::Rule").values()}


def _function_of(pattern: dict[str, Any]) -> Any:
    [function] = pattern["detail"]["requestContext"]["functionArn"]
    return function


def _matches(pattern: dict[str, Any], event: Any) -> bool:
    """By EventBridge's rule for patterns of plain values.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
    """
    return isinstance(event, dict) and all(
        _matches(wanted, event.get(key)) if isinstance(wanted, dict) else event.get(key) in wanted
        for key, wanted in pattern.items()
    )
