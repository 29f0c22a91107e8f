"""The tables of access miss nothing and invent nothing."""

from pathlib import Path
from typing import Any

import pytest

from documents.access import NO_REASON, WIDE, tables
from review.templates import read_environments, read_templates

ACCOUNT = "111111111111"
NO_TRAFFIC = {"CidrIp": "255.255.255.255/32", "FromPort": 252, "IpProtocol": "icmp", "ToPort": 86}
READ = "secretsmanager:GetSecretValue"
Resources = dict[str, dict[str, Any]]


def rows(resources: Resources, title: str, **others: dict[str, Any]) -> list[tuple[str, ...]]:
    """The rows of one table, without the column of the environments."""
    stacks = {"Main": {"Resources": resources}, **others}
    text = tables([read_templates("basic", ACCOUNT, "eu-central-1", stacks, {})])
    table = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][2:]
    return [tuple(cell.strip() for cell in line.strip("|").replace("\\", "").split(" | "))[:-1] for line in lines]


def group(name: str, **properties: Any) -> dict[str, Any]:
    return {"Type": "AWS::EC2::SecurityGroup", "Properties": {"GroupDescription": name, **properties}}


def rule(side: str, group: Any, peer: Any, port: int = 3306) -> dict[str, Any]:
    kind, key = {
        "egress": ("AWS::EC2::SecurityGroupEgress", "DestinationSecurityGroupId"),
        "ingress": ("AWS::EC2::SecurityGroupIngress", "SourceSecurityGroupId"),
    }[side]
    way = {"GroupId": group, key: peer, "IpProtocol": "tcp", "FromPort": port, "ToPort": port}
    return {"Type": kind, "Properties": way}


def of(logical_id: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, "GroupId"]}


def role(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyDocument": {"Statement": [*statements]}}]}}


def allow(action: str, resource: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


JOBS, DATABASE = (group(name, SecurityGroupEgress=[NO_TRAFFIC]) for name in ("The jobs", "The database"))
OUT, IN = rule("egress", of("Jobs"), of("Database")), rule("ingress", of("Database"), of("Jobs"))
WAYS, RIGHTS, READERS = "Who can connect to whom", "What each role may do", "Who may read which secret"


def test_what_the_engine_opens_wide_has_a_reason(assembly: Path) -> None:
    text = tables(read_environments(assembly).values())
    assert WIDE in text
    assert NO_REASON not in text


@pytest.mark.parametrize("environment", ["joined", "reaching"])
def test_what_jobs_use_is_opened_wide_for_a_reason(environment: str, variants: Path) -> None:
    text = tables([read_environments(variants)[environment]])
    assert WIDE in text
    assert [line for line in text.splitlines() if NO_REASON in line] == []


def test_each_way_that_a_job_uses_stands_in_the_table_with_what_it_leads_to(variants: Path) -> None:
    text = tables([read_environments(variants)["reaching"]])
    connections = text.partition(f"## {WAYS}\n")[2].partition("\n## ")[0]
    found = [line.split(" | ")[:3] for line in connections.splitlines() if line.startswith("| Jobs/Ways/")]
    assert [(way.removeprefix("| Jobs/Ways/"), to, port) for way, to, port in found] == [
        ("443", f"any address {WIDE}", "443/tcp"),
        ("8443", f"any address {WIDE}", "8443/tcp"),
        ("dynamodb", f"any address {WIDE}", "443/tcp"),
        ("email", "Jobs/Endpoint-email/SecurityGroup", "443/tcp"),
        ("s3", f"pl-0123456789abcdef0 {WIDE}", "443/tcp"),
        ("secretsmanager", "Database/SecretsEndpoint/SecurityGroup", "443/tcp"),
        ("sqs", "Jobs/Endpoint-sqs/SecurityGroup", "443/tcp"),
    ]


def test_a_way_is_open_when_both_sides_say_so() -> None:
    found = rows({"Jobs": JOBS, "Database": DATABASE, "Out": OUT, "In": IN}, WAYS)
    assert found == [("Main/Jobs", "Main/Database", "3306/tcp")]


@pytest.mark.parametrize("side", [OUT, IN])
def test_a_way_that_is_open_on_one_side_only_is_marked(side: dict[str, Any]) -> None:
    found = rows({"Jobs": JOBS, "Database": DATABASE, "Side": side}, WAYS)
    assert found == [("Main/Jobs", "Main/Database", f"3306/tcp; open on one side only {WIDE}")]


def test_a_group_without_a_rule_reaches_everything() -> None:
    assert rows({"Jobs": group("The jobs")}, WAYS) == [("Main/Jobs", f"any address {WIDE}", f"any {WIDE}")]


def test_every_address_is_marked() -> None:
    anyone = {"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    found = rows({"Jobs": group("The jobs", SecurityGroupEgress=[anyone])}, WAYS)
    assert found == [("Main/Jobs", f"any address {WIDE}", "443/tcp")]


def test_clients_are_named_and_those_by_their_addresses_are_marked_with_the_reason() -> None:
    clients = {
        "Group": {"SourceSecurityGroupId": "sg-0123456789abcdef0"},
        "List": {"SourcePrefixListId": "pl-0123456789abcdef0"},
        "Network": {"CidrIp": "10.200.4.0/22"},
    }
    into = {"GroupId": of("SecurityGroup"), "IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306}
    resources = {
        name: {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {**into, **peer}}
        for name, peer in clients.items()
    }
    resources["SecurityGroup"] = DATABASE
    text = tables([read_templates("basic", ACCOUNT, "eu-central-1", {"Database": {"Resources": resources}}, {})])
    connections = text.partition(f"## {WAYS}\n")[2].partition("\n## ")[0]
    assert [line.split(" | ")[0].removeprefix("| ") for line in connections.splitlines() if "3306" in line] == [
        f"10.200.4.0/22 {WIDE}",
        f"pl-0123456789abcdef0 {WIDE}",
        "sg-0123456789abcdef0",
    ]
    assert connections.count(f"- {WIDE} A client of the database") == 1
    assert NO_REASON not in connections


def test_the_output_of_another_stack_is_followed() -> None:
    output = {"Fn::GetStackOutput": {"StackName": "basic-Other", "OutputName": "Group"}}
    other = {"Resources": {"Database": DATABASE}, "Outputs": {"Group": {"Value": of("Database")}}}
    found = rows(
        {"Jobs": JOBS, "Out": rule("egress", of("Jobs"), output), "In": rule("ingress", output, of("Jobs"))},
        WAYS,
        Other=other,
    )
    assert found == [("Main/Jobs", "Other/Database", "3306/tcp")]


@pytest.mark.parametrize(
    ("action", "resource", "may", "on"),
    [
        ("sqs:SendMessage", "*", "sqs:SendMessage", f"any resource {WIDE}"),
        ("sqs:*", f"arn:aws:sqs:eu-central-1:{ACCOUNT}:q", f"sqs:* {WIDE}", "q"),
        ("a:b", f"arn:aws:rds-db:eu-central-1:{ACCOUNT}:dbuser:*/jobs", "a:b", f"dbuser:*/jobs {WIDE}"),
        ("a:b", "arn:aws:sqs:eu-central-1:222222222222:q", "a:b", "arn:aws:sqs:eu-central-1:222222222222:q"),
        ("a:b", {"Fn::ImportValue": "queue"}, "a:b", '{"Fn::ImportValue": "queue"}'),
    ],
)
def test_a_wildcard_is_marked_and_a_foreign_account_stays(action: str, resource: Any, may: str, on: str) -> None:
    assert rows({"Role": role(allow(action, resource))}, RIGHTS) == [("Main/Role", may, on, "")]


@pytest.mark.parametrize("key", ["NotAction", "NotResource"])
def test_all_but_something_is_marked(key: str) -> None:
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "q", key: "x"}
    statement.pop(key.removeprefix("Not"))
    [found] = rows({"Role": role(statement)}, RIGHTS)
    assert f'all but "x" {WIDE}' in found


def test_a_policy_that_is_made_elsewhere_is_marked() -> None:
    resource = role()
    resource["Properties"]["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/AdministratorAccess"]
    assert rows({"Role": resource}, RIGHTS) == [("Main/Role", f"AWS's policy AdministratorAccess {WIDE}", "", "")]


@pytest.mark.parametrize("action", [READ, "secretsmanager:Get*", "*"])
@pytest.mark.parametrize("resource", [{"Ref": "Secret"}, "*"])
def test_whoever_may_read_a_secret_is_found(action: str, resource: Any) -> None:
    found = rows({"Secret": {"Type": "AWS::SecretsManager::Secret"}, "Role": role(allow(action, resource))}, READERS)
    assert found == [("Main/Secret", "Main/Role", "no")]


def test_an_endpoint_without_a_policy_lets_everything_through() -> None:
    secret, endpoint = {"Type": "AWS::SecretsManager::Secret"}, {"Type": "AWS::EC2::VPCEndpoint"}
    found = rows({"Secret": secret, "Endpoint": endpoint, "Role": role(allow(READ, {"Ref": "Secret"}))}, READERS)
    assert found == [("Main/Secret", "Main/Role", "yes")]


@pytest.mark.parametrize(
    "resource",
    [
        {"Type": "AWS::RDS::DBInstance", "Properties": {"MasterUserPassword": "hunter2"}},
        {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "hunter2"}},
    ],
)
def test_a_password_in_a_template_is_marked_and_not_shown(resource: dict[str, Any]) -> None:
    [(_, made, _)] = rows({"It": resource}, "Where secrets come from")
    assert made == f"in the template {WIDE}"
    assert "hunter2" not in tables(
        [read_templates("basic", ACCOUNT, "r", {"Main": {"Resources": {"It": resource}}}, {})]
    )


def test_jobs_that_are_alike_share_their_rows(assembly: Path) -> None:
    large = read_environments(assembly)["large"]
    text = tables([large])
    assert "stands for every job of an environment: pulse, sweep, tally." in text
    assert "Job-pulse" not in text


def test_a_right_of_one_job_has_a_row_of_its_own(templates: dict[str, dict[str, Any]]) -> None:
    stacks = {name: dict(template) for name, template in templates["large"].items()}
    [own] = [
        name
        for name, each in stacks["Jobs"]["Resources"].items()
        if each["Type"] == "AWS::IAM::Role" and name.startswith("Jobtally") and "JobRole" in name
    ]
    policy = {"PolicyDocument": {"Statement": [allow("s3:GetObject", "b")]}, "Roles": [{"Ref": own}]}
    added = {"Type": "AWS::IAM::Policy", "Properties": policy}
    stacks["Jobs"] = {**stacks["Jobs"], "Resources": {**stacks["Jobs"]["Resources"], "AddedPolicy": added}}
    found = tables([read_templates("large", "333333333333", "eu-central-1", stacks, {})]).splitlines()
    assert [line for line in found if "s3:GetObject" in line] == [
        "| Jobs/Job-tally/Job/Role | s3:GetObject | b |  | all |"
    ]
    assert any(line.startswith(r"| Jobs/Job-\<job>/Job/Role | sqs:SendMessage |") for line in found)
