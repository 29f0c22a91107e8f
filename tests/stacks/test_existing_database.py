"""An existing database is referred to by what [database.existing] says, and nothing of ours could change it.

That holds for every operation on a stack: CloudFormation changes and deletes nothing but the resources of a template.
None here is the database's, and no role of ours may do more than log in.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from review.judgement import dangers
from review.templates import SynthesizedEnvironment, read_templates
from settings.environment import AdoptedDatabaseSettings, AlarmSettings, EnvironmentSettings, ProxySettings
from tests.fixture import ENVIRONMENTS, VARIANTS, load_file
from tests.stacks.templates import Stacks, Synthesize, of_type

CONTEXT = json.loads((VARIANTS / "cdk.context.json").read_text())
TYPES = {
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::VPCEndpoint",
    "AWS::Events::EventBus",
    "AWS::Events::Rule",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::Logs::LogGroup",
    "AWS::RDS::DBProxy",
    "AWS::RDS::DBProxyTargetGroup",
    "AWS::RDS::EventSubscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::Schedule",
    "AWS::SecretsManager::Secret",
    "Custom::Trigger",
}
"""All that is made beside an existing database: none of it is the database, or can change it."""
ACTIONS = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
    "events:PutEvents",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "lambda:InvokeFunction",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "rds-db:connect",
    "secretsmanager:GetSecretValue",
    "sqs:SendMessage",
    "sts:AssumeRole",
}
"""All that our roles may do."""
PLACES = {
    "identifier": {
        ("AWS::CloudWatch::Alarm", "Dimensions.Value"),
        ("AWS::CloudWatch::Dashboard", "DashboardBody"),
        ("AWS::RDS::DBProxyTargetGroup", "DBClusterIdentifiers"),
        ("AWS::RDS::DBProxyTargetGroup", "DBInstanceIdentifiers"),
        ("AWS::RDS::EventSubscription", "SourceIds"),
    },
    "endpoint": {("AWS::Lambda::Function", "Environment.Variables.DATABASE_HOST")},
    "resource_id": {("AWS::IAM::Policy", "PolicyDocument.Statement.Resource")},
    "security_group": {
        ("AWS::EC2::SecurityGroupEgress", "DestinationSecurityGroupId"),
        ("AWS::EC2::SecurityGroupIngress", "GroupId"),
    },
    "login": {
        ("AWS::EC2::VPCEndpoint", "PolicyDocument.Statement.Resource"),
        ("AWS::IAM::Policy", "PolicyDocument.Statement.Resource"),
        ("AWS::Lambda::Function", "Environment.Variables.DATABASE_SECRET"),
    },
    "login_key": {("AWS::IAM::Policy", "PolicyDocument.Statement.Resource")},
}
"""Where each value of [database.existing] may stand, and nowhere else."""
MARKS = {
    "identifier": "its-very-name",
    "endpoint": "its-very-host",
    "resource_id": "ITSVERYID",
    "security_group": "sg-0123456789abcdea5",
    "login": "its-very-login",
    "login_key": "99999999-1234",
}
"""What the values of the test's own database contain, and nothing else does."""


def _settings(*, aurora: bool, proxy: bool, secret: bool, alarms: bool, endpoint: bool) -> EnvironmentSettings:
    settings = load_file(VARIANTS / "adopted.toml")
    host = "its-very-host.cluster-abc" if aurora else "its-very-host.abc"
    existing = {
        "identifier": "its-very-name",
        "engine": "aurora-mysql" if aurora else "mysql",
        "endpoint": f"{host}.ap-southeast-2.rds.amazonaws.com",
        "port": 3399,
        "resource_id": "cluster-ITSVERYID" if aurora else "db-ITSVERYID",
        "security_group": "sg-0123456789abcdea5",
        "login": "arn:aws:secretsmanager:ap-southeast-2:222222222222:secret:its-very-login-abcdef",
        "login_key": "arn:aws:kms:ap-southeast-2:222222222222:key/99999999-1234-1234-1234-123456789012",
        "max_connections": 300,
    }
    database = {"name": "shop", "auth": "secret" if secret else "iam", "existing": existing}
    return settings.model_copy(
        update={
            "database": AdoptedDatabaseSettings.model_validate(database),
            "proxy": ProxySettings(enabled=proxy),
            "alarms": AlarmSettings(database=alarms),
            "network": settings.network.model_copy(update={"secrets_endpoint": endpoint}),
        }
    )


@pytest.fixture(
    scope="module",
    params=[
        # Each value of each beside each value of each other.
        (False, False, False, False, True),
        (False, True, True, True, False),
        (True, False, True, True, True),
        (True, True, False, False, False),
        (True, True, True, False, True),
        (False, False, False, True, False),
    ],
    ids=lambda each: "-".join(
        word for word, on in zip(("aurora", "proxy", "secret", "alarms", "endpoint"), each, strict=True) if on
    ),
)
def stacks(request: pytest.FixtureRequest, synthesize: Synthesize) -> Stacks:
    aurora, proxy, secret, alarms, endpoint = request.param
    settings = _settings(aurora=aurora, proxy=proxy, secret=secret, alarms=alarms, endpoint=endpoint)
    return synthesize(settings, CONTEXT)


def _all(stacks: Stacks) -> Iterator[dict[str, Any]]:
    for resources in stacks.values():
        yield from resources.values()


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for key, each in value.items():
                if key == "Fn::Join":
                    yield from _leaves(each, place)
                    continue
                yield key, f"{place}.{key}".lstrip(".")
                yield from _leaves(each, f"{place}.{key}".lstrip("."))
        case list():
            for each in value:
                yield from _leaves(each, place)
        case str():
            yield value, place


def test_no_resource_is_the_database_or_can_change_it(stacks: Stacks) -> None:
    assert {resource["Type"] for resource in _all(stacks)} <= TYPES
    assert "Network" in stacks
    assert not stacks["Network"]


def test_it_is_named_by_the_given_keys_where_they_belong_and_nowhere_else(stacks: Stacks) -> None:
    for resource in _all(stacks):
        for text, place in _leaves(resource.get("Properties", {})):
            for key, mark in MARKS.items():
                if mark in text:
                    assert (resource["Type"], place) in PLACES[key], (key, resource["Type"], place)


def test_no_role_may_do_more_than_log_in(stacks: Stacks) -> None:
    actions: set[str] = set()
    for resource in _all(stacks):
        properties = resource.get("Properties", {})
        documents = [properties.get("PolicyDocument"), properties.get("AssumeRolePolicyDocument")]
        documents += [each["PolicyDocument"] for each in properties.get("Policies", [])]
        if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::Role"):
            for document in filter(None, documents):
                for statement in document["Statement"]:
                    action = statement["Action"]
                    actions |= {action} if isinstance(action, str) else set(action)
    assert actions <= ACTIONS


def test_the_login_as_a_user_is_for_that_database_alone(stacks: Stacks) -> None:
    arns = {
        text
        for resource in _all(stacks)
        for text, _place in _leaves(resource.get("Properties", {}))
        if text.startswith("arn:aws:rds-db:") and "ITSVERYID" in text
    }
    direct = any(variables.get("DATABASE_AUTH") == "iam" for variables in _variables(stacks))
    assert bool(arns) == direct  # a proxy, too, logs in with a token of its role
    for arn in arns:
        assert arn.startswith("arn:aws:rds-db:ap-southeast-2:222222222222:dbuser:")
        assert "ITSVERYID/" in arn
        assert not arn.endswith("/*")


def _variables(stacks: Stacks) -> list[dict[str, Any]]:
    functions = of_type(stacks["Jobs"], "AWS::Lambda::Function").values()
    found = [each["Properties"].get("Environment", {}).get("Variables", {}) for each in functions]
    return [each for each in found if "JOB" in each]


def test_the_rules_in_its_security_group_let_our_groups_in_on_its_port_and_say_whose_they_are(stacks: Stacks) -> None:
    rules = [
        resource["Properties"]
        for resource in _all(stacks)
        if resource["Type"] == "AWS::EC2::SecurityGroupIngress"
        and resource["Properties"]["GroupId"] == "sg-0123456789abcdea5"
    ]
    assert len(rules) == 2  # the migrations, and the jobs or the proxy
    for rule in rules:
        assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 3399, 3399)
        assert rule["Description"] == "mysql-jobs, environment adopted"
        assert "Fn::GetAtt" in rule["SourceSecurityGroupId"]
        assert not {"CidrIp", "CidrIpv6", "SourcePrefixListId"} & rule.keys()


def test_the_migrations_are_told_what_the_server_must_have_and_each_function_which_schema_is_ours(
    synthesize: Synthesize,
) -> None:
    settings = _settings(aurora=False, proxy=False, secret=True, alarms=False, endpoint=False)
    stacks = synthesize(settings, CONTEXT)
    functions = of_type(stacks["Jobs"], "AWS::Lambda::Function").values()
    variables = [each["Properties"].get("Environment", {}).get("Variables", {}) for each in functions]
    [migrate] = [each for each in variables if "JOBS_AUTH" in each]
    assert migrate["OWN_SCHEMA"] == "mysql_jobs_adopted"
    assert migrate["DATABASE_ORIGIN"] == "existing"
    # Two jobs, each with one run and one connection that ends it, the watcher's, and the migrations' two.
    assert migrate["CONNECTIONS_NEEDED"] == "7"
    for job in _variables(stacks):
        assert job["OWN_SCHEMA"] == "mysql_jobs_adopted"
        assert not {"DATABASE_ORIGIN", "CONNECTIONS_NEEDED"} & job.keys()


def test_nothing_of_it_is_for_functions_of_version_0_1_which_it_never_had(stacks: Stacks) -> None:
    assert not any(name.startswith("JobsSecret") for name in stacks["Database"])
    assert not [text for each in _all(stacks) for text, _place in _leaves(each) if text.endswith("ITSVERYID/jobs")]


def test_alarms_and_events_are_its_owners_unless_they_are_asked_for(synthesize: Synthesize) -> None:
    for wanted in (False, True):
        stacks = synthesize(_settings(aurora=True, proxy=False, secret=False, alarms=wanted, endpoint=False), CONTEXT)
        alarms = {
            each["Properties"]["AlarmName"].partition("-")[2]
            for each in of_type(stacks["Jobs"], "AWS::CloudWatch::Alarm").values()
        }
        ours = {name for name in alarms if name.startswith("database-")}
        assert ours == ({"database-cpu", "database-connections"} if wanted else set())
        assert len(of_type(stacks["Database"], "AWS::RDS::EventSubscription")) == wanted


def test_the_dashboard_shows_it_all_the_same(stacks: Stacks) -> None:
    [dashboard] = of_type(stacks["Jobs"], "AWS::CloudWatch::Dashboard").values()
    body = json.dumps(dashboard["Properties"]["DashboardBody"])
    assert "its-very-name" in body
    assert "DatabaseConnections" in body


def test_a_proxy_waits_for_the_rule_that_lets_it_in(synthesize: Synthesize) -> None:
    for aurora in (False, True):
        jobs = synthesize(_settings(aurora=aurora, proxy=True, secret=False, alarms=False, endpoint=False), CONTEXT)[
            "Jobs"
        ]
        [target] = of_type(jobs, "AWS::RDS::DBProxyTargetGroup").values()
        key = "DBClusterIdentifiers" if aurora else "DBInstanceIdentifiers"
        assert target["Properties"][key] == ["its-very-name"]
        waited = {jobs[name]["Type"] for name in target["DependsOn"]}
        assert "AWS::EC2::SecurityGroupIngress" in waited


def _read(templates: Mapping[str, Any], settings: EnvironmentSettings) -> SynthesizedEnvironment:
    return read_templates(settings.name, settings.account, settings.region, templates, {})


@pytest.fixture(scope="module")
def switched(synthesize_whole: Synthesize) -> set[tuple[str, str]]:
    """What is asked about when an environment that made its database is told of one that is there."""
    made = load_file(VARIANTS / "adopted.toml").model_copy(update={"database": ENVIRONMENTS["basic"].database})
    adopted = _settings(aurora=False, proxy=False, secret=False, alarms=False, endpoint=True)
    before, after = (_read(synthesize_whole(each, CONTEXT), each) for each in (made, adopted))
    return {(each.kind, f"{each.resource}: {each.text}. {each.then}") for each in dangers(before, after)}


def test_a_switch_to_an_existing_database_is_asked_about_as_the_end_of_the_made_one(
    switched: set[tuple[str, str]],
) -> None:
    name = "Database/InstanceC1063A87"
    lost = {text.removeprefix(f"{name}: ") for kind, text in switched if kind == "data" and text.startswith(name)}
    assert "would be deleted. Only a final snapshot of its data is kept" in lost
    assert [text for text in lost if "`Environment.Variables.DATABASE_HOST` changes" in text]


def test_a_switch_shows_each_rule_in_the_others_group_as_widened_access(switched: set[tuple[str, str]]) -> None:
    widened = {text.partition(". ")[0] for kind, text in switched if kind == "access"}
    for group in ("Jobs/MigrationsSecurityGroupFFB12746", "Jobs/SecurityGroupDD263621"):
        assert f"sg-0123456789abcdea5: lets `{group}` in, on tcp `3399`" in widened
