"""What docs/security.md is made from misses nothing and invents nothing."""

from typing import Any

import pytest

from tests.snapshots.access import NO_TRAFFIC, WILD, AccessError, Connection, Environment, Grant, Reader, collapsed

ACCOUNT = "111111111111"
FOREIGN = "arn:aws:sqs:eu-central-1:222222222222:q"


def environment(resources: dict[str, Any], **others: dict[str, Any]) -> Environment:
    """An environment dev of a stack Main with `resources`, and of `others`."""
    stacks = {"Main": {"Resources": resources}, **others}
    return Environment(name="dev", account=ACCOUNT, region="eu-central-1", stacks=stacks)


def group(description: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": description, **properties}}


def rule(side: str, group: Any, peer: Any, port: int = 3306) -> dict[str, Any]:
    kind, key = {
        "egress": ("AWS::EC2::SecurityGroupEgress", "DestinationSecurityGroupId"),
        "ingress": ("AWS::EC2::SecurityGroupIngress", "SourceSecurityGroupId"),
    }[side]
    return {
        "Type": kind,
        "Properties": {"GroupId": group, key: peer, "IpProtocol": "tcp", "FromPort": port, "ToPort": port},
    }


def of(logical_id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, "GroupId"]}


def function(job: str, statements: list[dict[str, Any]]) -> dict[str, Any]:
    """A job's function dev-<job>, and its role with `statements`."""
    trust = {"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda"}}}
    policies = [{"PolicyDocument": {"Statement": statements}}]
    return {
        f"{job}Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": f"dev-{job}",
                "Role": {"Fn::GetAtt": [f"{job}Role", "Arn"]},
                "Environment": {"Variables": {"JOB": job}},
            },
        },
        f"{job}Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": trust, "Policies": policies},
        },
    }


def allow(action: str, resource: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


JOBS, DATABASE = (group(name, SecurityGroupEgress=[NO_TRAFFIC]) for name in ("The jobs", "The database"))


def test_a_way_is_open_when_both_sides_say_so() -> None:
    read = environment(
        {
            "Jobs": JOBS,
            "Database": DATABASE,
            "Out": rule("egress", of("Jobs"), of("Database")),
            "In": rule("ingress", of("Database"), of("Jobs")),
        }
    )
    assert read.connections() == [Connection("The jobs", "The database", "3306/tcp")]


@pytest.mark.parametrize("side", ["egress", "ingress"])
def test_a_way_that_is_open_on_one_side_only_is_an_error(side: str) -> None:
    here, there = ("Jobs", "Database") if side == "egress" else ("Database", "Jobs")
    read = environment({"Jobs": JOBS, "Database": DATABASE, "Rule": rule(side, of(here), of(there))})
    with pytest.raises(AccessError, match="The jobs → The database, 3306/tcp: may"):
        read.connections()


def test_a_way_whose_sides_name_different_ports_is_an_error() -> None:
    read = environment(
        {
            "Jobs": JOBS,
            "Database": DATABASE,
            "Out": rule("egress", of("Jobs"), of("Database"), port=3306),
            "In": rule("ingress", of("Database"), of("Jobs"), port=3307),
        }
    )
    with pytest.raises(AccessError, match="3306/tcp: may leave, but may not enter"):
        read.connections()


def test_a_group_without_a_rule_reaches_everything() -> None:
    read = environment({"Jobs": group("The jobs")})
    assert read.connections() == [Connection("The jobs", f"any address {WILD}", f"any {WILD}")]


def test_every_address_is_marked() -> None:
    anyone = {"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    read = environment({"Jobs": group("The jobs", SecurityGroupEgress=[anyone])})
    assert read.connections() == [Connection("The jobs", f"any address {WILD}", "443/tcp")]


def test_what_another_stack_puts_out_is_followed() -> None:
    def output(name: str) -> dict[str, Any]:
        return {"Fn::GetStackOutput": {"StackName": "dev-Database", "OutputName": name}}

    other = {"Resources": {"Database": DATABASE}, "Outputs": {"Group": {"Value": of("Database")}}}
    rules = {
        "Jobs": JOBS,
        "Out": rule("egress", of("Jobs"), output("Group")),
        "In": rule("ingress", output("Group"), of("Jobs")),
    }
    assert environment(rules, Database=other).connections() == [Connection("The jobs", "The database", "3306/tcp")]
    rules["In"] = rule("ingress", output("Gone"), of("Jobs"))
    with pytest.raises(AccessError, match="dev-Database has no output Gone"):
        environment(rules, Database=other).connections()


@pytest.mark.parametrize(
    ("action", "resource", "may", "on"),
    [
        ("sqs:SendMessage", "*", "sqs:SendMessage", f"any resource {WILD}"),
        ("sqs:*", f"arn:aws:sqs:eu-central-1:{ACCOUNT}:q", f"sqs:* {WILD}", "q of this account"),
        (
            "rds-db:connect",
            f"arn:aws:rds-db:eu-central-1:{ACCOUNT}:dbuser:*/jobs",
            "rds-db:connect",
            f"dbuser:*/jobs of this account {WILD}",
        ),
        (
            "sqs:SendMessage",
            FOREIGN,
            "sqs:SendMessage",
            FOREIGN,
        ),
    ],
)
def test_a_wildcard_is_marked_and_a_foreign_account_stays(action: str, resource: str, may: str, on: str) -> None:
    read = environment(function("purge", [allow(action, resource)]))
    assert read.grants() == [Grant("function purge", may, on, "")]


def test_a_policy_that_is_made_elsewhere_is_marked() -> None:
    resources = function("purge", [])
    resources["purgeRole"]["Properties"]["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/AdministratorAccess"]
    assert environment(resources).grants() == [
        Grant("function purge", f"AWS's policy AdministratorAccess {WILD}", "", "")
    ]


@pytest.mark.parametrize("action", ["secretsmanager:GetSecretValue", "secretsmanager:Get*", "*"])
@pytest.mark.parametrize("resource", [{"Ref": "Secret"}, "*"])
def test_whoever_may_read_a_secret_is_found(action: str, resource: Any) -> None:
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Description": "Login"}}
    read = environment({"Secret": secret, **function("purge", [allow(action, resource)])})
    assert read.readers() == [Reader("secret: Login", "function purge", "no")]


def test_the_endpoint_lets_everything_through_unless_it_says_what() -> None:
    secret = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Description": "Login"}}
    endpoint = {"Type": "AWS::EC2::VPCEndpoint", "Properties": {"ServiceName": "s"}}
    grants = function("purge", [allow("secretsmanager:GetSecretValue", {"Ref": "Secret"})])
    [reader] = environment({"Secret": secret, "Endpoint": endpoint, **grants}).readers()
    assert reader.endpoint == "yes"


@pytest.mark.parametrize(
    "resource",
    [
        {"Type": "AWS::RDS::DBInstance", "Properties": {"MasterUserPassword": "hunter2"}},
        {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "hunter2"}},
    ],
)
def test_a_password_in_a_template_is_an_error(resource: dict[str, Any]) -> None:
    with pytest.raises(AccessError, match="is in the template"):
        environment({"It": resource}).origins()


@pytest.mark.parametrize(
    "kind",
    [
        "AWS::EC2::InternetGateway",
        "AWS::EC2::NatGateway",
        "AWS::EC2::Route",
        "AWS::EC2::SecurityGroupVpcAssociation",
        "AWS::EC2::VPCPeeringConnection",
        "AWS::IAM::User",
        "AWS::KMS::Key",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Url",
        "AWS::S3::BucketPolicy",
        "AWS::SecretsManager::ResourcePolicy",
        "AWS::SecretsManager::RotationSchedule",
    ],
)
def test_a_resource_that_bears_on_security_and_is_not_read_is_an_error(kind: str) -> None:
    with pytest.raises(AccessError, match=f"Main/It: .* {kind}"):
        environment({"It": {"Type": kind}})


@pytest.mark.parametrize("key", ["NotAction", "NotResource", "NotPrincipal"])
def test_a_statement_that_says_what_it_does_not_mean_is_an_error(key: str) -> None:
    read = environment(function("purge", [{**allow("sqs:SendMessage", "*"), key: "*"}]))
    with pytest.raises(AccessError, match=key):
        read.grants()


def test_a_value_that_cannot_be_read_is_an_error() -> None:
    read = environment(function("purge", [allow("sqs:SendMessage", {"Fn::ImportValue": "queue"})]))
    with pytest.raises(AccessError, match="can't read"):
        read.grants()


def test_a_role_that_nobody_works_in_is_an_error() -> None:
    resources = function("purge", [])
    del resources["purgeFunction"]
    with pytest.raises(AccessError, match="Main/purgeRole: a role with 0 users"):
        environment(resources).roles()


def test_jobs_that_are_alike_share_their_rows() -> None:
    rows = [("function a", "queue a-dead"), ("function b", "queue b-dead"), ("function migrate", "the database")]
    assert collapsed(rows, ["a", "b"]) == [
        ("function `<job>`", "queue `<job>`-dead"),
        ("function migrate", "the database"),
    ]


@pytest.mark.parametrize(
    "other", [[("function b", "queue a-dead")], [("function b", "queue b-dead"), ("function b", "the secret")], []]
)
def test_jobs_that_differ_keep_rows_of_their_own(other: list[tuple[str, str]]) -> None:
    rows = [("function a", "queue a-dead"), *other]
    assert collapsed(rows, ["a", "b"]) == sorted(rows)
