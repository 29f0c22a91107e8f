"""The page that a person on call opens: it is whole, names every job, and no metric on it or in an alarm is made up."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk.assertions import Template

from settings.environment import EnvironmentSettings, ProxySettings
from settings.names import WATCH
from settings.project import ROOT
from stacks.environment import Environment
from stacks.jobs.run_metrics import MEASURES, OUTCOMES, WATCHED
from stacks.watching import dashboard
from tests.conftest import read_templates
from tests.fixture import ENVIRONMENTS, PROJECT, a_job, load
from tests.quick_app import quick_app
from tests.stacks.templates import Resources

CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"] | {"aws:cdk:bundling-stacks": []}
Body = dict[str, Any]

WIDGETS, METRICS, METRICS_PER_GRAPH, ALARMS_PER_WIDGET = 500, 2500, 500, 100
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html"""

PUBLISHED = {
    # Name and dimensions, as AWS documents them.
    "AWS/Lambda": {name: {"FunctionName"} for name in ("Duration", "Errors", "Invocations", "Throttles")},
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible": {"QueueName"}},
    "AWS/RDS": {
        "CPUCreditBalance": {"DBInstanceIdentifier"},
        "CPUUtilization": {"DBInstanceIdentifier"},
        "DatabaseConnections": {"DBInstanceIdentifier"},
        "FreeStorageSpace": {"DBInstanceIdentifier"},
        "FreeableMemory": {"DBInstanceIdentifier"},
    },
}
LOGGED = {
    # The dimensions of what log lines carry: lambda/mysql_jobs/report.py and watch.py.
    "runs": {"job", "outcome"},
    **{name: {"job"} for name in (*MEASURES, *WATCHED, "watched")},
}
PUBLISHED_BY_A_PROXY = {
    "ClientConnections",
    "ClientConnectionsSetupFailedAuth",
    "DatabaseConnections",
    "DatabaseConnectionsBorrowLatency",
    "DatabaseConnectionsCurrentlySessionPinned",
    "DatabaseConnectionsSetupFailed",
    "MaxDatabaseConnectionsAllowed",
}


@pytest.fixture
def settings(environment: str) -> EnvironmentSettings:
    return ENVIRONMENTS[environment]


@pytest.fixture(scope="module")
def with_proxy() -> Resources:
    """The environment large with a proxy and one job, which runs too rarely for an alarm of its absence."""
    job = a_job(name="pulse", schedule="rate(7 days)")
    settings = load("large").model_copy(update={"proxy": ProxySettings(enabled=True), "jobs": (job,)})
    resources: Resources = Template.from_stack(
        Environment(quick_app(context=CONTEXT), project=PROJECT, settings=settings).jobs
    ).to_json()["Resources"]
    return resources


def test_there_is_one_page_per_environment_and_it_is_json(settings: EnvironmentSettings, jobs: Resources) -> None:
    [page] = _of_type(jobs, "AWS::CloudWatch::Dashboard")
    assert page["DashboardName"] == f"{settings.name}-mysql-jobs"
    assert _body(jobs)["widgets"]


def test_the_page_asks_the_questions_of_a_person_on_call_in_their_order(jobs: Resources) -> None:
    widgets = _body(jobs)["widgets"]
    assert widgets[0]["type"] == "alarm"
    asked = [text for text in _texts(jobs) if text.startswith("## ")]
    assert asked == [
        "## Are the jobs running?",
        "## How long do they take?",
        "## How far behind are they?",
        "## What fails?",
        "## How is the database?",
    ]


def test_every_alarm_is_on_top(settings: EnvironmentSettings, jobs: Resources) -> None:
    shown = {
        alarm
        for widget in _body(jobs)["widgets"]
        if widget["type"] == "alarm"
        for alarm in widget["properties"]["alarms"]
    }
    prefix = f"arn:aws:cloudwatch:{settings.region}:{settings.account}:alarm:"
    assert shown == {f"{prefix}{each['AlarmName']}" for each in _of_type(jobs, "AWS::CloudWatch::Alarm")}


def test_every_job_has_its_description_its_schedule_and_its_outcomes(
    settings: EnvironmentSettings, jobs: Resources
) -> None:
    for job in settings.jobs:
        [text] = [text for text in _texts(jobs) if text.startswith(f"**{job.name}**")]
        assert job.job_module.description in text
        assert f"`{job.schedule}` {job.time_zone}" in text
        assert f"#/functions/{settings.name}-{job.name}" in text
        [graph] = [each for each in _graphs(jobs) if each["title"] == f"{job.name}: what runs came to"]
        assert graph["stacked"] is True
        assert [metric["outcome"] for _, metric in _metrics_of(graph)] == list(OUTCOMES)


def test_a_job_says_when_it_is_missed_and_whether_it_is_switched_off(
    settings: EnvironmentSettings, jobs: Resources
) -> None:
    for job in settings.jobs:
        [text] = [text for text in _texts(jobs) if text.startswith(f"**{job.name}**")]
        assert "missed after " in text
    off = a_job(name="pulse", schedule="rate(7 days)", enabled=False)
    large = load("large").model_copy(update={"jobs": (off,)})
    resources: Resources = Template.from_stack(
        Environment(quick_app(context=CONTEXT), project=PROJECT, settings=large).jobs
    ).to_json()["Resources"]
    [text] = [text for text in _texts(resources) if text.startswith("**pulse**")]
    assert "**switched off**" in text
    assert "missed" not in text


def test_the_log_lines_of_all_jobs_failures_are_there(settings: EnvironmentSettings, jobs: Resources) -> None:
    [query] = [each["properties"]["query"] for each in _body(jobs)["widgets"] if each["type"] == "log"]
    groups = [
        each["Properties"]["LogGroupName"]
        for name, each in jobs.items()
        if each["Type"] == "AWS::Logs::LogGroup" and name.startswith("Job")
    ]
    assert len(groups) == len(settings.jobs)
    assert all(f"SOURCE '{group}'" in query for group in groups)
    assert 'level = "ERROR"' in query


def test_every_metric_on_the_page_and_in_an_alarm_exists(
    settings: EnvironmentSettings, jobs: Resources, with_proxy: Resources
) -> None:
    for environment, names, resources in (
        (settings.name, {job.name for job in settings.jobs}, jobs),
        ("large", {"pulse"}, with_proxy),
    ):
        used = [*_used_by_alarms(resources), *(each for graph in _graphs(resources) for each in _metrics_of(graph))]
        assert used
        for (namespace, name), dimensions in used:
            if namespace == f"mysql-jobs/{environment}":
                assert LOGGED[name] == set(dimensions)
                assert dimensions["job"] in (names if name != "watched" else {WATCH})
                assert dimensions.get("outcome", "done") in OUTCOMES
            elif set(dimensions) == {"ProxyName"}:
                assert name in PUBLISHED_BY_A_PROXY
            else:
                assert PUBLISHED[namespace][name] == set(dimensions)


def test_an_alarm_asks_for_the_unit_that_the_log_line_has(jobs: Resources) -> None:
    units = {**MEASURES, **WATCHED, "watched": "Count"}
    asked = [
        each["MetricStat"]
        for alarm in _of_type(jobs, "AWS::CloudWatch::Alarm")
        for each in alarm.get("Metrics", ())
        if "MetricStat" in each and each["MetricStat"]["Metric"]["Namespace"].startswith("mysql-jobs/")
    ]
    assert asked
    for stat in asked:
        assert stat["Unit"] == units[stat["Metric"]["MetricName"]]


def test_the_page_holds_a_hundred_jobs(settings: EnvironmentSettings, jobs: Resources, with_proxy: Resources) -> None:
    per_job = 2  # the widgets of its row; all others are there once
    once = len(_body(with_proxy)["widgets"]) - per_job
    assert len(_body(jobs)["widgets"]) <= once + per_job * len(settings.jobs)
    assert once + per_job * 100 + 100 // 20 < WIDGETS
    biggest = max(len(graph["metrics"]) for graph in _graphs(jobs))
    assert biggest / len(settings.jobs) * 100 <= METRICS_PER_GRAPH
    metrics = sum(len(_metrics_of(graph)) for graph in _graphs(jobs))
    assert metrics / len(settings.jobs) * 100 < METRICS
    assert all(len(each["properties"]["alarms"]) <= ALARMS_PER_WIDGET for each in _body(jobs)["widgets"][:1])


def test_of_more_jobs_than_the_page_holds_it_shows_the_worst_and_leads_to_every_alarm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load("large")
    monkeypatch.setattr(dashboard, "JOBS_WITH_ROWS", len(settings.jobs) - 1)
    resources: Resources = Template.from_stack(
        Environment(quick_app(context=CONTEXT), project=PROJECT, settings=settings).jobs
    ).to_json()["Resources"]
    assert [text for text in _texts(resources) if text.startswith("## ")] == [
        "## Are the jobs running?",
        "## How long do they take?",
        "## How far behind are they?",
        "## What fails?",
        "## How is the database?",
    ]
    [text] = [each for each in _texts(resources) if each.startswith("**")]
    assert "#alarmsV2:?~(alarmStateFilter~'ALARM~search~'large-)" in text
    queries = [
        part["expression"]
        for graph in _graphs(resources)
        for metric in graph["metrics"]
        for part in metric
        if isinstance(part, dict) and "expression" in part
    ]
    assert len(queries) == 9
    for query in queries:
        [(what, dimensions)] = re.findall(
            r'SELECT (?:SUM|MAX)\((\w+)\) FROM SCHEMA\("mysql-jobs/large", ([\w, ]+)\)', query
        )
        assert set(dimensions.split(", ")) == LOGGED[what]
    # What does not grow with the jobs has no limit to meet; what does is 50 log groups in a query.
    per_job = json.dumps([each for each in _body(resources)["widgets"] if each["type"] != "log"])
    assert not any(f"large-{job.name}" in per_job for job in settings.jobs)


def test_the_database_is_seen_against_what_it_can_hold(jobs: Resources) -> None:
    [connections] = [graph for graph in _graphs(jobs) if graph["title"] == "Connections"]
    assert connections["annotations"]["horizontal"][0]["value"] > 0


def test_a_proxy_is_on_the_page_if_there_is_one(jobs: Resources, with_proxy: Resources) -> None:
    assert not [graph for graph in _graphs(jobs) if graph["title"].startswith("Proxy")]
    assert len([graph for graph in _graphs(with_proxy) if graph["title"].startswith("Proxy")]) == 4


def _body(resources: Resources) -> Body:
    [page] = _of_type(resources, "AWS::CloudWatch::Dashboard")
    body: Body = json.loads(_resolved(page["DashboardBody"]))
    return body


def _resolved(value: Any) -> str:
    """A text of the template, with <name> for what only CloudFormation knows."""
    match value:
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(_resolved, parts))
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, _attribute]}:
            return f"<{name}>"
        case {"Fn::GetStackOutput": {"OutputName": name}}:
            return f"<{name}>"
    assert isinstance(value, str)
    return value


def _texts(resources: Resources) -> list[str]:
    return [each["properties"]["markdown"] for each in _body(resources)["widgets"] if each["type"] == "text"]


def _graphs(resources: Resources) -> list[Body]:
    return [each["properties"] for each in _body(resources)["widgets"] if each["type"] == "metric"]


def _metrics_of(graph: Body) -> list[tuple[tuple[str, str], dict[str, str]]]:
    """Namespace and name, and dimensions, of the metrics of a graph; its expressions are made of them."""
    found = []
    for metric in graph["metrics"]:
        texts = [part for part in metric if isinstance(part, str)]
        if texts:
            namespace, name, *pairs = texts
            found.append(((namespace, name), dict(zip(pairs[::2], pairs[1::2], strict=True))))
    return found


def _used_by_alarms(resources: Resources) -> list[tuple[tuple[str, str], dict[str, str]]]:
    found = []
    for alarm in _of_type(resources, "AWS::CloudWatch::Alarm"):
        stats = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", ()) if "MetricStat" in each] or [alarm]
        for stat in stats:
            dimensions = {each["Name"]: each["Value"] for each in stat["Dimensions"]}
            found.append(((stat["Namespace"], stat["MetricName"]), dimensions))
    return found


def _of_type(resources: Resources, kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in resources.values() if each["Type"] == kind]


def test_without_jobs_the_page_is_about_the_database_only(without_jobs: Path) -> None:
    for stacks in read_templates(without_jobs).values():
        if "Jobs" in stacks:  # else it is the stage that delivers
            resources = stacks["Jobs"]["Resources"]
            assert [text for text in _texts(resources) if text.startswith("## ")] == ["## How is the database?"]
            graphs = [each["properties"] for each in _body(resources)["widgets"] if each["type"] == "metric"]
            assert all(graph["metrics"] for graph in graphs)  # CloudWatch refuses a graph of nothing
