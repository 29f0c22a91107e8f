"""RDS Proxy: off unless asked for, and then nothing changes for a job but where it connects."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from settings.environment import EnvironmentSettings
from settings.names import WATCH
from settings.project import ENGINE
from tests.conftest import read_templates
from tests.fixture import ENVIRONMENTS
from tests.stacks.templates import Resources, Stacks, Synthesize, of_type, the, ways

KEY = "arn:aws:kms:eu-central-1:333333333333:key/12345678-1234-1234-1234-123456789012"


@pytest.fixture(scope="module", params=["iam", "secret"])
def auth(request: pytest.FixtureRequest) -> str:
    how: str = request.param
    return how


@pytest.fixture(scope="module")
def large() -> EnvironmentSettings:
    return ENVIRONMENTS["large"]


@pytest.fixture(scope="module")
def without(auth: str, large: EnvironmentSettings, synthesize: Synthesize) -> Stacks:
    return synthesize(large, proxy={"enabled": False}, database={"auth": auth})


@pytest.fixture(scope="module")
def stacks(auth: str, large: EnvironmentSettings, synthesize: Synthesize) -> Stacks:
    return synthesize(large, proxy={"enabled": True, "borrow_timeout_seconds": 7}, database={"auth": auth})


@pytest.fixture
def jobs(stacks: Stacks) -> Resources:
    return stacks["Jobs"]


def test_no_environment_pays_for_a_proxy_that_its_file_does_not_ask_for(templates: dict[str, Any]) -> None:
    for name, stated in ENVIRONMENTS.items():
        proxies = of_type(templates[name]["Jobs"]["Resources"], "AWS::RDS::DBProxy")
        assert len(proxies) == stated.proxy.enabled


def test_the_proxy_speaks_tls_only_and_writes_down_no_statements(jobs: Resources) -> None:
    proxy = the(jobs, "AWS::RDS::DBProxy")
    assert (proxy["EngineFamily"], proxy["RequireTLS"]) == ("MYSQL", True)
    assert not proxy.get("DebugLogging", False)


def test_the_proxy_waits_shorter_for_a_connection_than_any_function_for_the_proxy(
    jobs: Resources, large: EnvironmentSettings
) -> None:
    borrow = pool(jobs)["ConnectionBorrowTimeout"]
    functions = [each["Properties"] for each in of_type(jobs, "AWS::Lambda::Function").values()]
    timeouts = [each["Timeout"] for each in functions if each.get("FunctionName", "").startswith("large-")]
    assert len(timeouts) == len(large.jobs) + 2  # the migrations and the watcher
    assert borrow == 7
    assert borrow < min(timeouts)


def test_the_proxy_leaves_connections_for_the_migrations_and_for_people(jobs: Resources) -> None:
    assert pool(jobs)["MaxConnectionsPercent"] == 90


def test_a_session_of_the_proxy_ends_what_outlives_the_longest_run(jobs: Resources, large: EnvironmentSettings) -> None:
    longest = max(job.timeout_seconds for job in large.jobs)
    query = pool(jobs)["InitQuery"]
    assert dict(re.findall(r"(\w+) = (\d+)", query)) == {
        "max_execution_time": str(longest * 1000),
        "innodb_lock_wait_timeout": str(longest),
        "lock_wait_timeout": str(longest),
        "net_write_timeout": str(longest),
        "net_read_timeout": str(longest),
    }
    assert the(jobs, "AWS::RDS::DBProxy")["IdleClientTimeout"] == longest


def test_the_limits_of_a_proxy_without_jobs_are_limits(without_jobs: Path) -> None:
    # To MySQL, 0 is no limit, or an error.
    large = read_templates(without_jobs)["large"]["Jobs"]["Resources"]
    limits = re.findall(r"= (\d+)", pool(large)["InitQuery"])
    assert limits
    assert "0" not in limits


def test_the_proxy_sets_what_a_run_sets_by_itself_without_one(jobs: Resources) -> None:
    # lambda/mysql_jobs/opening.py leaves these to the proxy: if it learns another, so must the init query.
    source = (ENGINE / "opening.py").read_text()
    [instance_only] = re.findall(r"settings \+= \[(.*?)\n        \]", source, re.DOTALL)
    assert set(re.findall(r"SESSION (\w+) =", instance_only)) == set(re.findall(r"(\w+) =", pool(jobs)["InitQuery"]))


def test_the_proxy_logs_in_as_the_jobs_and_their_watcher_do(
    auth: str, jobs: Resources, large: EnvironmentSettings
) -> None:
    proxy = the(jobs, "AWS::RDS::DBProxy")
    if auth == "iam":
        assert proxy["DefaultAuthScheme"] == "IAM_AUTH"
        assert "Auth" not in proxy
    else:
        users = [*(job.name for job in large.jobs), WATCH]
        for user, login in zip(users, proxy["Auth"], strict=True):
            assert f"LoginSecret{user}" in json.dumps(login.pop("SecretArn"))
            assert login == {
                "AuthScheme": "SECRETS",
                "ClientPasswordAuthType": "MYSQL_CACHING_SHA2_PASSWORD",
                "IAMAuth": "DISABLED",
            }
        assert proxy.get("DefaultAuthScheme", "NONE") == "NONE"


def test_the_proxy_may_log_in_as_the_jobs_users_and_do_nothing_else(
    auth: str, jobs: Resources, large: EnvironmentSettings
) -> None:
    role = the(jobs, "AWS::RDS::DBProxy")["RoleArn"]["Fn::GetAtt"][0]
    [trust] = jobs[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "rds.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": large.account}}
    assert "ManagedPolicyArns" not in jobs[role]["Properties"]
    [(name, policy)] = [
        (name, each)
        for name, each in of_type(jobs, "AWS::IAM::Policy").items()
        if {"Ref": role} in each["Properties"]["Roles"]
    ]
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
    if auth == "iam":
        assert statement["Action"] == "rds-db:connect"
        assert all("DbiResourceId" in json.dumps(each) for each in statement["Resource"])
        # "jobs" for functions of version 0.1, which are updated after it.
        assert [each["Fn::Join"][1][-1] for each in statement["Resource"]] == ["/job_large_*", "/jobs"]
    else:
        assert statement["Action"] == "secretsmanager:GetSecretValue"
        assert statement["Resource"].endswith(":333333333333:secret:large-mysql-jobs/*")
    [proxy] = of_type(jobs, "AWS::RDS::DBProxy").values()
    assert name in proxy["DependsOn"]


def test_the_proxy_may_use_the_key_of_the_secret(large: EnvironmentSettings, synthesize: Synthesize) -> None:
    own = large.model_copy(update={"encryption_key": KEY})
    jobs = synthesize(own, proxy={"enabled": True}, database={"auth": "secret"})["Jobs"]
    role = the(jobs, "AWS::RDS::DBProxy")["RoleArn"]["Fn::GetAtt"][0]
    policies = [each["Properties"] for each in of_type(jobs, "AWS::IAM::Policy").values()]
    [policy] = [each for each in policies if {"Ref": role} in each["Roles"]]
    assert ("kms:Decrypt", KEY) in [
        (statement["Action"], statement["Resource"]) for statement in policy["PolicyDocument"]["Statement"]
    ]


def test_only_the_jobs_reach_the_proxy_and_only_it_and_the_migrations_the_database(stacks: Stacks) -> None:
    found = ways(stacks)
    assert {(source, target) for source, target in found if target in {"The proxy", "The database"}} == {
        ("The jobs", "The proxy"),
        ("The proxy", "The database"),
        ("The migrations", "The database"),
    }
    to = {target for _source, target in found}
    assert to <= {"The proxy", "The database", "Interface endpoint of Secrets Manager"}


def test_the_proxys_log_is_kept_three_months(jobs: Resources) -> None:
    [(_name, proxy)] = of_type(jobs, "AWS::RDS::DBProxy").items()
    [(name, group)] = [
        (name, each["Properties"])
        for name, each in of_type(jobs, "AWS::Logs::LogGroup").items()
        if each["Properties"]["LogGroupName"] == f"/aws/rds/proxy/{proxy['Properties']['DBProxyName']}"
    ]
    assert group["RetentionInDays"] == 90
    assert name in proxy["DependsOn"]


def test_turning_the_proxy_on_changes_no_job(without: Stacks, stacks: Stacks) -> None:
    before, after = (of_type(each["Jobs"], "AWS::Lambda::Function") for each in (without, stacks))
    for name, function in before.items():
        changed = differing(function["Properties"], after[name]["Properties"])
        is_job = name.startswith(("Job", "WatcherWatch"))
        migrates = function["Properties"].get("FunctionName") == "large-migrate"
        assert changed == ({"Environment"} if is_job or migrates else set())
        if migrates:  # how many connections the jobs' users may have
            variables = [each[name]["Properties"]["Environment"]["Variables"] for each in (before, after)]
            assert differing(*variables) == {"RIGHTS"}
        if is_job:
            variables = [each[name]["Properties"]["Environment"]["Variables"] for each in (before, after)]
            assert differing(*variables) == {"DATABASE_HOST", "DATABASE_PORT", "DATABASE_ENDPOINT"}
            [proxy] = of_type(stacks["Jobs"], "AWS::RDS::DBProxy")
            assert proxy in json.dumps(variables[1]["DATABASE_HOST"])
            assert (variables[1]["DATABASE_PORT"], variables[1]["DATABASE_ENDPOINT"]) == ("3306", "proxy")


def test_turning_the_proxy_on_changes_nothing_else_but_the_ways_and_the_grants(without: Stacks, stacks: Stacks) -> None:
    assert {name: stacks[name] for name in ("Network", "Database")} == {
        name: without[name] for name in ("Network", "Database")
    }
    before, after = without["Jobs"], stacks["Jobs"]
    changed = {each["Type"] for name, each in before.items() if differing(each, after.get(name, {})) - {"DependsOn"}}
    assert changed <= {
        "AWS::CloudWatch::Dashboard",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::IAM::Policy",
        "AWS::Lambda::Function",
        "AWS::Lambda::Version",
        "Custom::Trigger",
    }
    assert {after[name]["Type"] for name in after.keys() - before.keys()} - {"AWS::Lambda::Version"} == {
        "AWS::CloudWatch::Alarm",
        "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::EC2::SecurityGroupIngress",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::Logs::LogGroup",
        "AWS::RDS::DBProxy",
        "AWS::RDS::DBProxyTargetGroup",
    }


def test_the_proxy_connects_when_the_migrations_have_made_its_user_and_before_any_job(jobs: Resources) -> None:
    [(target, resource)] = of_type(jobs, "AWS::RDS::DBProxyTargetGroup").items()
    [trigger] = of_type(jobs, "Custom::Trigger")
    assert trigger in resource["DependsOn"]
    for kind in ("AWS::Lambda::Function", "AWS::Scheduler::Schedule"):
        of_jobs = [each for name, each in of_type(jobs, kind).items() if name.startswith("Job")]
        assert of_jobs
        assert all(target in each["DependsOn"] for each in of_jobs)


def test_the_proxy_connects_when_it_may_reach_the_instance(jobs: Resources) -> None:
    [resource] = of_type(jobs, "AWS::RDS::DBProxyTargetGroup").values()
    let_in = [
        name
        for kind in ("AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress")
        for name in of_type(jobs, kind)
        if "Proxy" in name and "13306" in name
    ]
    assert len(let_in) == 2
    assert set(let_in) <= set(resource["DependsOn"])


def test_a_job_may_connect_to_the_proxy_as_its_own_user_only(
    auth: str, jobs: Resources, large: EnvironmentSettings
) -> None:
    connects = {
        name.removeprefix("Job").partition("Job")[0]: each["Resource"]
        for name, policy in of_type(jobs, "AWS::IAM::Policy").items()
        for each in policy["Properties"]["PolicyDocument"]["Statement"]
        if name.startswith("Job") and each["Action"] == "rds-db:connect"
    }
    [proxy] = of_type(jobs, "AWS::RDS::DBProxy")
    proxy_id = {"Fn::Select": [6, {"Fn::Split": [":", {"Fn::GetAtt": [proxy, "DBProxyArn"]}]}]}
    assert len(connects) == (len(large.jobs) if auth == "iam" else 0)
    for job, connect in connects.items():
        service, found, user = connect["Fn::Join"][1]
        assert service.endswith(":rds-db:eu-central-1:333333333333:dbuser:")
        assert (found, user) == (proxy_id, f"/job_large_{job}")


def test_no_output_of_another_stack_is_taken_apart(stacks: Stacks) -> None:
    # cfn-lint, E1022: Fn::Split takes no output of another stack.
    split = re.findall(r'"Fn::Split": (\[[^]]*\])', json.dumps(stacks["Jobs"]))
    assert not [each for each in split if "Fn::GetStackOutput" in each]


def differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    """The keys whose values differ."""
    return {key for key in {*one, *other} if one.get(key) != other.get(key)}


def pool(jobs: Resources) -> dict[str, Any]:
    configuration: dict[str, Any] = the(jobs, "AWS::RDS::DBProxyTargetGroup")["ConnectionPoolConfigurationInfo"]
    return configuration
