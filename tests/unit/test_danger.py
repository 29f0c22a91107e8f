"""What of a change needs a yes: data that is lost, access that is widened; and what does not."""

from typing import Any

import pytest

from review.danger import dangers
from review.templates import Environment, read_templates


def _environment(resources: dict[str, Any], account: str = "111111111111") -> Environment:
    return read_templates("dev", account, "eu-central-1", {"Jobs": {"Resources": resources}}, {})


def found(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each.kind, each.resource, each.text) for each in dangers(_environment(before), _environment(after))]


def _instance(policy: str = "Snapshot", **properties: Any) -> dict[str, Any]:
    return {
        "Instance": {
            "Type": "AWS::RDS::DBInstance",
            "Properties": {"DBName": "jobs", **properties},
            "DeletionPolicy": policy,
            "UpdateReplacePolicy": policy,
        }
    }


def test_a_replacement_is_refused_where_the_name_is_fixed() -> None:
    name = "dev-mysql-jobs"
    before = _instance(DBInstanceIdentifier=name)
    assert found(before, _instance(DBInstanceIdentifier=name, DBName="work")) == [
        (
            "data",
            "Jobs/Instance",
            "would be replaced: `DBName` changes from `jobs` to `work`. CloudFormation will refuse, as it "
            "has a fixed name (`<environment>-mysql-jobs`): the deploy would fail",
        )
    ]


def test_a_replacement_goes_through_where_the_name_changes_with_it() -> None:
    [(_, _, text)] = found(_instance(DBInstanceIdentifier="one"), _instance(DBInstanceIdentifier="two"))
    assert text.endswith(
        "`DBInstanceIdentifier` changes from `one` to `two`. A last snapshot is all that stays of its data"
    )


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ("Delete", "would be deleted. Its data is lost"),
        ("Snapshot", "would be deleted. A last snapshot is all that stays of its data"),
    ],
)
def test_the_end_of_what_holds_data_says_what_becomes_of_the_data(policy: str, text: str) -> None:
    assert found(_instance(policy), {}) == [("data", "Jobs/Instance", text)]


def test_what_is_retained_is_not_lost() -> None:
    assert found(_instance("Retain"), {}) == []


@pytest.mark.parametrize("kind", ["AWS::SQS::Queue", "AWS::Logs::LogGroup", "AWS::SecretsManager::Secret"])
def test_queues_logs_and_secrets_hold_data(kind: str) -> None:
    [(danger, path, _)] = found({"Thing": {"Type": kind, "Properties": {}}}, {})
    assert (danger, path) == ("data", "Jobs/Thing")


def test_the_end_of_what_holds_no_data_is_no_danger() -> None:
    assert found({"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {}}}, {}) == []


def test_what_may_be_replaced_is_a_danger_unless_a_fixed_name_forbids_it() -> None:
    [(_, _, text)] = found(_instance(MultiAZ=False), _instance(MultiAZ=True))
    assert text.startswith("may be replaced: `MultiAZ` changes from `false` to `true`.")
    named = {"DBInstanceIdentifier": "dev-mysql-jobs"}
    assert found(_instance(MultiAZ=False, **named), _instance(MultiAZ=True, **named)) == []


def test_another_account_leaves_everything_behind() -> None:
    [danger] = dangers(_environment({}), _environment({}, account="222222222222"))
    assert danger.resource == "account"
    assert danger.text.startswith("moves from 111111111111, eu-central-1 to 222222222222, eu-central-1.")


def _group(*rules: dict[str, Any]) -> dict[str, Any]:
    properties = {"SecurityGroupIngress": list(rules), "SecurityGroupEgress": []}
    return {"Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": properties}}


def _rule(cidr: str, first: int, last: int, protocol: str = "tcp") -> dict[str, Any]:
    return {"CidrIp": cidr, "FromPort": first, "ToPort": last, "IpProtocol": protocol}


NARROW = _rule("10.0.0.0/16", 3306, 3306)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (_rule("0.0.0.0/0", 3306, 3306), "lets `0.0.0.0/0` in, on tcp `3306`"),
        (_rule("10.0.0.0/16", 3306, 3307), "lets `10.0.0.0/16` in, on tcp `3306` to `3307`"),
        (_rule("10.0.0.0/16", 3306, 3306, "udp"), "lets `10.0.0.0/16` in, on udp `3306`"),
        (_rule("10.0.0.0/16", 3306, 3306, "-1"), "lets `10.0.0.0/16` in, on every port and protocol"),
    ],
)
def test_a_rule_that_lets_more_in_widens_access(rule: dict[str, Any], text: str) -> None:
    assert found(_group(NARROW), _group(rule)) == [("access", "Jobs/Group", text)]


def test_a_rule_that_lets_less_in_does_not() -> None:
    assert found(_group(_rule("10.0.0.0/8", 1, 9999)), _group(NARROW)) == []
    assert found(_group(NARROW), _group()) == []


def test_a_rule_with_a_resource_of_its_own_widens_the_group_that_it_is_for() -> None:
    rule = {"GroupId": {"Fn::GetAtt": ["Group", "GroupId"]}, **NARROW}
    after = _group() | {"Way": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": rule}}
    assert found(_group(), after) == [("access", "Jobs/Group", "lets `10.0.0.0/16` in, on tcp `3306`")]


def test_a_group_without_egress_rules_reaches_everything() -> None:
    before, after = _group(), _group()
    del after["Group"]["Properties"]["SecurityGroupEgress"]
    assert found(before, after) == [("access", "Jobs/Group", "lets it reach `0.0.0.0/0`, on every port and protocol")]


def _role(*statements: dict[str, Any]) -> dict[str, Any]:
    policy = {"PolicyDocument": {"Statement": list(statements)}, "Roles": [{"Ref": "Role"}]}
    return {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {}},
        "Policy": {"Type": "AWS::IAM::Policy", "Properties": policy},
    }


def _allow(action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


IF: dict[str, Any] = {"Condition": {"Bool": {"aws:SecureTransport": "true"}}}


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (_allow("s3:GetObject", "a"), _allow("s3:*", "a"), "it may now `s3:*` on `a`"),
        (_allow("s3:GetObject", "a"), _allow("s3:GetObject"), "it may now `s3:GetObject` on `*`"),
        (_allow("s3:GetObject", **IF), _allow("s3:GetObject"), "it may now `s3:GetObject` on `*`"),
        ({**_allow("s3:*"), "Effect": "Deny"}, _allow("logs:a", "a"), "it is no longer denied `s3:*` on `*`"),
    ],
)
def test_a_statement_that_allows_more_or_denies_less_widens_access(
    before: dict[str, Any], after: dict[str, Any], text: str
) -> None:
    assert ("access", "Jobs/Role", text) in found(_role(before), _role(after))


def test_a_statement_that_allows_less_does_not() -> None:
    assert found(_role(_allow("s3:*")), _role(_allow("s3:GetObject", "a", **IF))) == []
    assert found(_role(), _role({**_allow("s3:*"), "Effect": "Deny"})) == []


def test_a_permission_that_moves_to_another_policy_is_no_new_one() -> None:
    both = _role(_allow("s3:GetObject"), _allow("logs:a"))
    split = _role(_allow("s3:GetObject"))
    split["Second"] = _role(_allow("logs:a"))["Policy"]
    assert found(both, split) == []


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ({}, {"ManagedPolicyArns": ["admin"]}, "it may now `all of admin` on `*`"),
        ({"PermissionsBoundary": "edge"}, {}, "it is no longer denied `anything beyond edge` on `*`"),
        (
            {},
            {
                "AssumeRolePolicyDocument": {
                    "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
                }
            },
            "`*` may now `sts:AssumeRole` on `Jobs/Role`",
        ),
    ],
)
def test_a_role_that_gets_more_by_other_means_widens_access(
    before: dict[str, Any], after: dict[str, Any], text: str
) -> None:
    old, new = ({"Role": {"Type": "AWS::IAM::Role", "Properties": each}} for each in (before, after))
    assert found(old, new) == [("access", "Jobs/Role", text)]


def test_a_function_that_somebody_else_may_call_widens_access() -> None:
    permission = {"Action": "lambda:InvokeFunction", "FunctionName": "dev-job", "Principal": "*"}
    after = {"Permission": {"Type": "AWS::Lambda::Permission", "Properties": permission}}
    assert found({}, after) == [
        ("access", "<environment>-job", "`*` may now `lambda:InvokeFunction` on `<environment>-job`")
    ]


def test_the_condition_of_a_statement_is_shown() -> None:
    text = 'it may now `s3:*` on `*`, if `{"Bool": {"aws:SecureTransport": "true"}}`'
    assert found(_role(), _role(_allow("s3:*", **IF))) == [("access", "Jobs/Role", text)]
