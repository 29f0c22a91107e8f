"""What a job is deployed with, in every environment: how it is started, tried again, and what it may do."""

import json
import re
from datetime import timedelta
from typing import Any, get_args, get_type_hints

import pytest
from aws_cdk.assertions import Template

from mysql_jobs import report, watch
from mysql_jobs.claim import Refusal
from mysql_jobs.report import Report
from mysql_jobs.run import Outcome
from review.templates import listed
from settings.environment import EnvironmentSettings
from settings.names import WATCH
from settings.project import ROOT
from stacks.environment import Environment
from stacks.jobs.run_metrics import MEASURES, OUTCOMES, WATCHED, watches
from tests.fixture import ENVIRONMENTS, PROJECT, a_job, load
from tests.quick_app import quick_app
from tests.stacks.templates import Resources

CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"] | {"aws:cdk:bundling-stacks": []}
KEY = "arn:aws:kms:eu-central-1:333333333333:key/01234567-89ab-cdef-0123-456789abcdef"


@pytest.fixture
def settings(environment: str) -> EnvironmentSettings:
    return ENVIRONMENTS[environment]


@pytest.fixture(scope="module")
def with_key() -> Resources:
    """The environment large with a key of its own, and a job that says otherwise than the defaults."""
    job = a_job(name="pulse", schedule="rate(1 day)", concurrency=3, retry_minutes=45, flexible_minutes=15, retries=1)
    settings = load("large").model_copy(update={"encryption_key": KEY, "jobs": (job,)})
    resources: Resources = Template.from_stack(
        Environment(quick_app(context=CONTEXT), project=PROJECT, settings=settings).jobs
    ).to_json()["Resources"]
    return resources


def test_a_job_never_runs_more_often_at_once_than_its_file_says(
    settings: EnvironmentSettings, jobs: Resources, with_key: Resources
) -> None:
    for job in settings.jobs:
        assert _function(jobs, f"{settings.name}-{job.name}")["ReservedConcurrentExecutions"] == job.concurrency
    assert _function(with_key, "large-pulse")["ReservedConcurrentExecutions"] == 3


def test_a_run_is_delivered_and_tried_again_until_the_next_one_is_near(
    settings: EnvironmentSettings, jobs: Resources
) -> None:
    for job in settings.jobs:
        window = job.retry_window / timedelta(seconds=1)
        name = f"{settings.name}-{job.name}"
        assert _schedule(jobs, name)["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"] == window
        assert _retry(jobs, name)["MaximumRetryAttempts"] == job.attempts - 1


def test_a_run_waits_for_its_turn_while_a_chain_of_others_is_at_work(
    settings: EnvironmentSettings, jobs: Resources
) -> None:
    """Where one runs at a time: given up after the retry window, each that comes meanwhile would be a dead letter."""
    for job in settings.jobs:
        assert _retry(jobs, f"{settings.name}-{job.name}")["MaximumEventAgeInSeconds"] == 6 * 3600


def test_a_run_that_fails_is_tried_again_as_often_as_its_file_says(with_key: Resources) -> None:
    assert _retry(with_key, "large-pulse")["MaximumRetryAttempts"] == 1


def test_what_fails_for_good_is_in_one_place(settings: EnvironmentSettings, jobs: Resources) -> None:
    for job in settings.jobs:
        name = f"{settings.name}-{job.name}"
        undelivered = _schedule(jobs, name)["Target"]["DeadLetterConfig"]["Arn"]
        failed = _retry(jobs, name)["DestinationConfig"]["OnFailure"]["Destination"]
        assert undelivered == failed == _target(jobs, name)["DeadLetterConfig"]["Arn"]
        queue = jobs[failed["Fn::GetAtt"][0]]["Properties"]
        assert (queue["QueueName"], queue["SqsManagedSseEnabled"]) == (f"{name}-dead-letters", True)


def test_dead_letters_travel_over_tls_only(settings: EnvironmentSettings, jobs: Resources) -> None:
    policies = [each["PolicyDocument"]["Statement"] for each in _of_type(jobs, "AWS::SQS::QueuePolicy").values()]
    assert len(policies) == len(settings.jobs)
    for [statement, _] in policies:
        assert (statement["Effect"], statement["Action"]) == ("Deny", "sqs:*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_customers_key_encrypts_the_dead_letters_and_both_senders_may_use_it(with_key: Resources) -> None:
    [queue] = _of_type(with_key, "AWS::SQS::Queue").values()
    assert queue["KmsMasterKeyId"] == KEY
    for role in ("JobpulseJobRole", "ScheduleRole"):
        assert (KEY, {"kms:Decrypt", "kms:GenerateDataKey"}) in _rights(with_key, role)
        # Nothing else that the key protects, the database's own storage for one.
        assert '"kms:ViaService": "sqs.eu-central-1.amazonaws.com"' in json.dumps(with_key)


def test_a_flexible_job_starts_within_its_window_and_others_on_time(jobs: Resources, with_key: Resources) -> None:
    windows = [each["FlexibleTimeWindow"] for each in _of_type(jobs, "AWS::Scheduler::Schedule").values()]
    assert windows
    assert all(window == {"Mode": "OFF"} for window in windows)
    flexible = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    assert _schedule(with_key, "large-pulse")["FlexibleTimeWindow"] == flexible


def test_the_schedules_of_a_stack_may_start_its_jobs_leave_dead_letters_and_nothing_else(jobs: Resources) -> None:
    functions = [name for name in _of_type(jobs, "AWS::Lambda::Function") if name.startswith("Job")]
    assert _rights(jobs, "WatcherStartRole") == [(f"{_id(jobs, '-watch')}.Arn", {"lambda:InvokeFunction"})]
    queues = list(_of_type(jobs, "AWS::SQS::Queue"))
    assert _rights(jobs, "ScheduleRole") == [
        *((f"{function}.Arn", {"lambda:InvokeFunction"}) for function in sorted(functions)),
        *((f"{queue}.Arn", {"sqs:SendMessage"}) for queue in sorted(queues)),
    ]
    schedules = [each for name, each in _of_type(jobs, "AWS::Scheduler::Schedule").items() if name.startswith("Job")]
    started = {schedule["Target"]["Arn"]["Fn::GetAtt"][0] for schedule in schedules}
    assert len(started) == len(schedules) == len(functions)  # each its own


def test_only_schedules_of_this_account_may_take_the_schedules_role(
    settings: EnvironmentSettings, jobs: Resources
) -> None:
    every = _of_type(jobs, "AWS::IAM::Role").items()
    roles = [each for name, each in every if re.match("ScheduleRole|WatcherStart", name)]
    assert len(roles) == 2  # of the jobs, and of the watcher
    for role in roles:
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
        assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == settings.account


def test_a_job_may_log_log_in_leave_dead_letters_hand_over_to_its_next_run_and_nothing_else(
    settings: EnvironmentSettings, jobs: Resources
) -> None:
    login = {"rds-db:connect"}
    if settings.database.auth == "secret":
        login = {"secretsmanager:GetSecretValue"}
    for job in settings.jobs:
        rights = _rights(jobs, "Job" + job.name.replace("_", "") + "JobRole")
        wide = set().union(*(actions for resource, actions in rights if resource == "*"))
        narrow = set().union(*(actions for resource, actions in rights if resource != "*"))
        assert narrow == {"logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage", "events:PutEvents"} | login
        assert {action.partition(":")[0] for action in wide} == {"ec2"}  # the function's network interface


def test_no_schedule_and_no_function_of_a_job_is_there_before_the_migrations_ran(jobs: Resources) -> None:
    [trigger] = [name for name, each in jobs.items() if each["Type"] == "Custom::Trigger"]
    for name, each in jobs.items():
        if each["Type"] in ("AWS::Scheduler::Schedule", "AWS::Lambda::EventInvokeConfig", "AWS::Events::Rule"):
            assert trigger in each["DependsOn"], name


def test_logs_are_json_and_each_function_knows_where_its_metrics_belong(
    settings: EnvironmentSettings, jobs: Resources
) -> None:
    for name in (*(job.name for job in settings.jobs), WATCH):
        function = _function(jobs, f"{settings.name}-{name}")
        assert function["LoggingConfig"]["LogFormat"] == "JSON"
        assert function["Environment"]["Variables"]["METRICS"] == f"mysql-jobs/{settings.name}"
    assert (
        _of_type(jobs, "AWS::Logs::MetricFilter") == {}
    )  # CloudWatch makes them of the lines, which say so themselves


def test_what_alarms_and_graphs_know_of_a_run_and_of_the_watcher_is_what_their_log_lines_say() -> None:
    assert report.MEASURES == MEASURES
    [of_a_job] = watch.MEASURES
    assert (of_a_job.units, of_a_job.by) == (WATCHED, ("job",))
    [of_itself] = watch.WATCHED
    metric = watches("basic")
    assert of_itself.units == {metric.name: metric.unit}
    assert set(of_itself.by) == set(metric.dimensions)


def test_the_outcomes_are_those_that_runs_have() -> None:
    ended = get_args(get_type_hints(Outcome)["word"])
    assert set(OUTCOMES) == {*get_args(Refusal), *ended, _failed()["outcome"]}


def _failed() -> dict[str, Any]:
    """What the function itself writes about a run that failed."""
    report = Report(job="pulse", request_id="1")
    report.failed(ValueError("no"))
    report.write()
    return report.entries


def _function(resources: Resources, name: str) -> dict[str, Any]:
    [function] = [
        each for each in _of_type(resources, "AWS::Lambda::Function").values() if each.get("FunctionName") == name
    ]
    return function


def _schedule(resources: Resources, name: str) -> dict[str, Any]:
    [schedule] = [each for each in _of_type(resources, "AWS::Scheduler::Schedule").values() if each["Name"] == name]
    return schedule


def _retry(resources: Resources, name: str) -> dict[str, Any]:
    function = _schedule(resources, name)["Target"]["Arn"]["Fn::GetAtt"][0]
    configs = _of_type(resources, "AWS::Lambda::EventInvokeConfig").values()
    [config] = [each for each in configs if each["FunctionName"] == {"Ref": function}]
    return config


def _target(resources: Resources, name: str) -> dict[str, Any]:
    """What the rule of this name starts."""
    [rule] = [each for each in _of_type(resources, "AWS::Events::Rule").values() if each["Name"] == name]
    [target] = rule["Targets"]
    found: dict[str, Any] = target
    return found


def _id(resources: Resources, ending: str) -> str:
    """Of the function whose name ends so."""
    functions = _of_type(resources, "AWS::Lambda::Function").items()
    [found] = [name for name, each in functions if str(each.get("FunctionName")).endswith(ending)]
    return found


def _rights(resources: Resources, role: str) -> list[tuple[str, set[str]]]:
    """What the policy of the role whose id begins with `role` allows: actions by resource."""
    [policy] = [each for name, each in _of_type(resources, "AWS::IAM::Policy").items() if name.startswith(role)]
    rights = []
    for statement in policy["PolicyDocument"]["Statement"]:
        if statement["Effect"] == "Deny":  # a function itself may not do what Lambda does in its name
            assert statement["Condition"].keys() == {"ArnEquals"}
            continue
        actions = statement["Action"]
        for resource in listed(statement["Resource"]):
            rights.append(
                (
                    ".".join(resource["Fn::GetAtt"]) if "Fn::GetAtt" in resource else _text(resource),
                    {actions} if isinstance(actions, str) else set(actions),
                )
            )
    return rights


def _text(resource: Any) -> str:
    return resource if isinstance(resource, str) else json.dumps(resource)


def _of_type(resources: Resources, kind: str) -> Resources:
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}


def test_a_jobs_policy_is_made_beside_that_of_the_version_before(jobs: Resources) -> None:
    """Changed in place, it would lock out the code of before until the function is updated."""
    policies = [name for name in _of_type(jobs, "AWS::IAM::Policy") if re.match("Job[a-z]", name)]
    assert policies
    assert not [name for name in policies if "DefaultPolicy" in name]
    after = {name for each in jobs.values() if each["Type"] == "AWS::Lambda::Function" for name in each["DependsOn"]}
    assert after >= set(policies)
