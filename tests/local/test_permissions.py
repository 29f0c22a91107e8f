"""Every grant of a role is needed, and none is missing.

The emulator enforces IAM on requests that a function sends. Of all that is granted here, a function itself only reads
secrets; the rest is what Lambda and Scheduler do in a role's name, which the emulator does without asking IAM. For
that, its policy simulator is asked, and the templates' statements are listed below, one by one. Nothing here has an IAM
login (rds-db:connect): MySQL outside RDS knows none.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from local.environment import JobFailed, LocalEnvironment, deployed
from settings.names import WATCH
from tests.fixture import PROJECT

pytestmark = pytest.mark.deployment

ACCOUNT = "arn:aws:{service}:eu-central-1:000000000000:"

LOG = {"logs:CreateLogStream", "logs:PutLogEvents"}
NETWORK = {
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
}
ALL_SECRETS = f"{ACCOUNT.format(service='secretsmanager')}secret:local-mysql-jobs/*"
READ = "secretsmanager:GetSecretValue"
"""Part of what the CDK calls reading a secret; nothing here does it."""

Grants = set[tuple[str, str]]
"""Action and resource."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """A deployed role and its one policy."""

    iam: Any
    arn: str

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]

    def grants(self) -> Grants:
        return {
            (action, resource)
            for statement in self._document()["Statement"]
            if statement["Effect"] == "Allow"
            for action in _several(statement["Action"])
            for resource in _several(statement["Resource"])
        }

    @contextmanager
    def without(self, grant: tuple[str, str]) -> Iterator[None]:
        """The role with all grants but one, for a while."""
        [policy] = self.iam.list_role_policies(RoleName=self.name)["PolicyNames"]
        before = self._document()
        self._put(policy, _document(self.grants() - {grant}))
        try:
            yield
        finally:
            self._put(policy, before)

    def may(self, action: str, resource: str) -> bool:
        """What the emulator's IAM says."""
        [answer] = self.iam.simulate_principal_policy(
            PolicySourceArn=self.arn, ActionNames=[action], ResourceArns=[resource]
        )["EvaluationResults"]
        return bool(answer["EvalDecision"] == "allowed")

    def _document(self) -> dict[str, Any]:
        [policy] = self.iam.list_role_policies(RoleName=self.name)["PolicyNames"]
        document: dict[str, Any] = self.iam.get_role_policy(RoleName=self.name, PolicyName=policy)["PolicyDocument"]
        return document

    def _put(self, policy: str, document: Mapping[str, Any]) -> None:
        self.iam.put_role_policy(RoleName=self.name, PolicyName=policy, PolicyDocument=json.dumps(document))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEnvironment]:
    """The environment `local`, where a function may do what its role's policies allow and nothing else."""
    folder = tmp_path_factory.mktemp("local")
    with deployed(folder, project=PROJECT, name="local", progress=print, enforce_permissions=True) as environment:
        yield environment


def test_with_their_grants_alone_the_migrations_and_the_jobs_run(environment: LocalEnvironment) -> None:
    assert environment.invoke("local-migrate", {})["applied"] == []  # the deploy did
    for job in environment.settings.jobs:
        assert environment.invoke(f"local-{job.name}", {"dry_run": True})["outcome"] == "dry_run"
    assert environment.invoke("local-watch", {}).keys() == {"missed", "catching_up"}


@pytest.mark.parametrize("job", ["pulse", "tally", "sweep"])
def test_a_job_that_may_not_read_its_secret_is_refused(environment: LocalEnvironment, job: str) -> None:
    function = f"local-{job}"
    secret = _variables(environment, function)["DATABASE_SECRET"]
    role = _role_of_function(environment, function)
    with role.without((READ, f"{ACCOUNT.format(service='secretsmanager')}secret:{secret}-??????")):
        with pytest.raises(JobFailed, match=f"Secrets Manager refused {secret}: AccessDenied"):
            environment.invoke(function, {"dry_run": True})
    assert environment.invoke(function, {"dry_run": True})["outcome"] == "dry_run"


@pytest.mark.parametrize("job", ["pulse", "tally", "sweep"])
def test_a_job_may_read_no_other_jobs_secret(environment: LocalEnvironment, job: str) -> None:
    role = _role_of_function(environment, f"local-{job}")
    users = [WATCH, *(each.name for each in environment.settings.jobs)]
    assert [user for user in users if role.may(READ, _secret(environment, user))] == [job]


@pytest.mark.parametrize("secret", ["master", "jobs"])
def test_migrations_that_may_not_read_one_of_their_secrets_are_refused(
    environment: LocalEnvironment, secret: str
) -> None:
    master = _variables(environment, "local-migrate")["DATABASE_SECRET"]
    role = _role_of_function(environment, "local-migrate")
    with role.without((READ, master if secret == "master" else ALL_SECRETS)):
        refused = master if secret == "master" else "local-mysql-jobs/"
        with pytest.raises(JobFailed, match=f"Secrets Manager refused {refused}[a-z]*: AccessDenied"):
            environment.invoke("local-migrate", {})
    assert environment.invoke("local-migrate", {})["applied"] == []


@pytest.mark.parametrize("job", ["pulse", "tally", "sweep"])
def test_every_grant_of_a_job_is_needed_and_none_is_missing(environment: LocalEnvironment, job: str) -> None:
    needed = _needed_by_function(f"local-{job}", secrets=[_secret(environment, job)])
    needed.add(("sqs:SendMessage", ACCOUNT.format(service="sqs") + f"local-{job}-dead-letters"))
    needed.add(("events:PutEvents", ACCOUNT.format(service="events") + "event-bus/local-continuations"))
    _check(_role_of_function(environment, f"local-{job}"), needed)


def test_every_grant_of_the_watcher_is_needed_and_none_is_missing(environment: LocalEnvironment) -> None:
    needed = _needed_by_function("local-watch", secrets=[_secret(environment, WATCH)])
    _check(_role_of_function(environment, "local-watch"), needed)


def test_every_grant_of_the_migrations_is_needed_and_none_is_missing(environment: LocalEnvironment) -> None:
    master = _variables(environment, "local-migrate")["DATABASE_SECRET"]
    users = [WATCH, *(job.name for job in environment.settings.jobs)]
    secrets = [master, *(_secret(environment, user) for user in users)]
    needed = _needed_by_function("local-migrate", secrets=secrets)
    _check(_role_of_function(environment, "local-migrate"), needed)


def test_every_grant_of_the_schedules_is_needed_and_none_is_missing(environment: LocalEnvironment) -> None:
    """One role starts all jobs of a stack, and no other."""
    jobs = [job.name for job in environment.settings.jobs]
    scheduler = environment.emulator.client("scheduler")
    [arn] = {scheduler.get_schedule(Name=f"local-{job}")["Target"]["RoleArn"] for job in jobs}
    needed = {
        each
        for job in jobs
        for each in (
            ("lambda:InvokeFunction", ACCOUNT.format(service="lambda") + f"function:local-{job}"),
            ("sqs:SendMessage", ACCOUNT.format(service="sqs") + f"local-{job}-dead-letters"),
        )
    }
    _check(Role(iam=environment.emulator.client("iam"), arn=arn), needed)


def test_the_watchers_schedule_may_start_it_and_nothing_else(environment: LocalEnvironment) -> None:
    arn = environment.emulator.client("scheduler").get_schedule(Name="local-watch")["Target"]["RoleArn"]
    watcher = ACCOUNT.format(service="lambda") + "function:local-watch"
    assert Role(iam=environment.emulator.client("iam"), arn=arn).grants() == {("lambda:InvokeFunction", watcher)}


@pytest.mark.parametrize("name", ["local", "basic"])  # auth = "secret", and the default, "iam"
@pytest.mark.parametrize("job", ["pulse", "tally", "sweep"])
def test_a_jobs_role_has_these_statements_and_no_others(templates: Any, name: str, job: str) -> None:
    login: dict[str, Grants] = {
        "local": {(READ, f"arn:aws:secretsmanager:eu-central-1:000000000000:secret:local-mysql-jobs/{job}-??????")},
        "basic": {
            (
                "rds-db:connect",
                "arn:aws:rds-db:eu-central-1:111111111111:dbuser:Database.Instance.DbiResourceId/job_basic_" + job,
            )
        },
    }
    prefix = f"Jobs.Job{job.replace('_', '')}"
    assert _stated(templates[name], f"{name}-{job}") == {
        *((action, f"{prefix}JobLogGroup") for action in LOG),
        *((action, "*") for action in NETWORK),
        *login[name],
        ("sqs:SendMessage", f"{prefix}DeadLetters"),
        ("events:PutEvents", "Jobs.Continuations"),
    }


@pytest.mark.parametrize("name", ["local", "basic"])
def test_the_migrations_role_has_these_statements_and_no_others(templates: Any, name: str) -> None:
    secrets = {
        "local": {"Database.Instance.MasterUserSecret.SecretArn", ALL_SECRETS},
        "basic": {"Database.Instance.MasterUserSecret.SecretArn"},
    }
    assert _stated(templates[name], f"{name}-migrate") == {
        *((action, "Jobs.MigrationsMigrateLogGroup") for action in LOG),
        *((action, "*") for action in NETWORK),
        *((READ, secret) for secret in secrets[name]),
    }


def _check(role: Role, needed: Grants) -> None:
    assert {grant for grant in needed if not role.may(*grant)} == set()
    unused = set()
    for grant in role.grants():
        with role.without(grant):
            if all(role.may(*each) for each in needed):
                unused.add(grant[0])
    assert not unused


def _secret(environment: LocalEnvironment, job: str) -> str:
    """The ARN of the secret of a job, or of the watcher."""
    manager = environment.emulator.client("secretsmanager")
    arn: str = manager.describe_secret(SecretId=f"local-mysql-jobs/{job}")["ARN"]
    return arn


def _needed_by_function(function: str, *, secrets: Sequence[str]) -> Grants:
    """What Lambda does in the role's name, and what the code does.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html
    """
    stream = ACCOUNT.format(service="logs") + f"log-group:/aws/lambda/{function}:log-stream:2026/11/23/[$LATEST]0123"
    return {
        *((action, stream) for action in LOG),
        *((action, "*") for action in NETWORK),
        *((READ, secret) for secret in secrets),
    }


def _role_of_function(environment: LocalEnvironment, function: str) -> Role:
    configuration = environment.emulator.client("lambda").get_function_configuration(FunctionName=function)
    return Role(iam=environment.emulator.client("iam"), arn=configuration["Role"])


def _variables(environment: LocalEnvironment, function: str) -> dict[str, str]:
    configuration = environment.emulator.client("lambda").get_function_configuration(FunctionName=function)
    variables: dict[str, str] = configuration["Environment"]["Variables"]
    return variables


def _several(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _document(grants: Grants) -> dict[str, Any]:
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in sorted(grants)]
    return {"Version": "2012-10-17", "Statement": statements}


def _stated(stacks: dict[str, dict[str, Any]], function: str) -> Grants:
    """What a function's role is granted in the templates, each resource by its stack and its logical id."""
    resources = stacks["Jobs"]["Resources"]
    [role] = [
        each["Properties"]["Role"]["Fn::GetAtt"][0]
        for each in resources.values()
        if each["Type"] == "AWS::Lambda::Function" and each["Properties"].get("FunctionName") == function
    ]
    assert not {"ManagedPolicyArns", "Policies"} & resources[role]["Properties"].keys()
    statements = [
        statement
        for template in stacks.values()
        for each in template["Resources"].values()
        if each["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")
        and {"Ref": role} in each["Properties"].get("Roles", [])
        for statement in each["Properties"]["PolicyDocument"]["Statement"]
    ]
    granted = [statement for statement in statements if statement["Effect"] == "Allow"]
    assert all(statement.keys() == {"Action", "Effect", "Resource"} for statement in granted)
    # What Lambda does in the role's name, the function itself may not, nor anybody with its credentials.
    [denied] = [statement for statement in statements if statement not in granted]
    assert (denied["Action"], denied["Resource"]) == (sorted(NETWORK), "*")
    [itself] = denied["Condition"]["ArnEquals"].values()
    assert itself.endswith(f":function:{function}")
    return {
        (action, _named(stacks, "Jobs", resource))
        for statement in granted
        for action in _several(statement["Action"])
        for resource in _several(statement["Resource"])
    }


def _named(stacks: dict[str, dict[str, Any]], stack: str, value: Any) -> str:
    match value:
        case {"Ref": name} | {"Fn::GetAtt": [name, "Arn"]}:
            return f"{stack}.{re.sub('[0-9A-F]{8}$', '', name)}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{_named(stacks, stack, {'Ref': name})}.{attribute}"
        case {"Fn::GetStackOutput": {"StackName": other, "OutputName": output}}:
            other = other.partition("-")[2]
            return _named(stacks, other, stacks[other]["Outputs"][output]["Value"])
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(_named(stacks, stack, part) for part in parts)
        case str():
            return value
    raise AssertionError(value)
