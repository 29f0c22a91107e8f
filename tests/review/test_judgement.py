"""What of a change needs a yes: data that is lost, access that is widened, protection taken away; and what does not."""

from typing import Any

import pytest

from review.judgement import WIDER, dangers, left_behind
from review.templates import SynthesizedEnvironment, read_templates


def _environment(resources: dict[str, Any], account: str = "111111111111") -> SynthesizedEnvironment:
    return read_templates("basic", account, "eu-central-1", {"Jobs": {"Resources": resources}}, {})


def found(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The dangers: kind, resource, and what changes; with what happens then, but for what is said of all access."""
    return [
        (each.kind, each.resource, each.text if each.then in ("", *WIDER.values()) else f"{each.text}. {each.then}")
        for each in dangers(_environment(before), _environment(after))
    ]


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
    name = "basic-mysql-jobs"
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
        "`DBInstanceIdentifier` changes from `one` to `two`. Only a final snapshot of its data is kept"
    )


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        ("Delete", "would be deleted. Its data is lost"),
        ("Snapshot", "would be deleted. Only a final snapshot of its data is kept"),
    ],
)
def test_the_end_of_what_holds_data_says_what_becomes_of_the_data(policy: str, text: str) -> None:
    assert found(_instance(policy), {}) == [("data", "Jobs/Instance", text)]


def test_a_stack_with_data_that_leaves_the_app_is_left_behind() -> None:
    templates = {"Jobs": {"Resources": {}}, "Database": {"Resources": _instance()}}
    before = read_templates("basic", "111111111111", "eu-central-1", templates, {})
    [danger] = dangers(before, _environment({}))
    assert (danger.kind, danger.resource) == ("data", "Database")
    assert "stays deployed with its data" in danger.text


def test_an_environment_with_data_that_leaves_the_app_is_left_behind() -> None:
    [danger] = left_behind(_environment(_instance()))
    assert (danger.kind, danger.resource) == ("data", "basic")
    assert left_behind(_environment({"Role": {"Type": "AWS::IAM::Role", "Properties": {}}})) == []


def test_what_is_retained_is_not_lost_and_yet_nobody_manages_it_any_more() -> None:
    text = "would be deleted. It stays with its data, orphaned: no stack manages it"
    assert found(_instance("Retain"), {}) == [("data", "Jobs/Instance", text)]


@pytest.mark.parametrize("kind", ["AWS::SQS::Queue", "AWS::Logs::LogGroup", "AWS::SecretsManager::Secret"])
def test_queues_logs_and_secrets_hold_data(kind: str) -> None:
    [(danger, path, _)] = found({"Thing": {"Type": kind, "Properties": {}}}, {})
    assert (danger, path) == ("data", "Jobs/Thing")


def test_the_end_of_what_neither_holds_data_nor_protects_is_no_danger() -> None:
    assert found({"Board": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {}}}, {}) == []


def test_what_may_be_replaced_is_a_danger_unless_a_fixed_name_forbids_it() -> None:
    [(_, _, text)] = found(_instance(MultiAZ=False), _instance(MultiAZ=True))
    assert text.startswith("may be replaced: `MultiAZ` changes from `false` to `true`.")
    named = {"DBInstanceIdentifier": "basic-mysql-jobs"}
    assert found(_instance(MultiAZ=False, **named), _instance(MultiAZ=True, **named)) == []


def test_what_takes_a_fixed_name_over_cant_be_made_while_the_old_one_has_it() -> None:
    safe: dict[str, Any] = {"StorageEncrypted": True, "EnableIAMDatabaseAuthentication": True}
    named = _instance(DBInstanceIdentifier="basic-mysql-jobs", **safe)["Instance"]
    assert found({"Instance": named}, {"Server": named}) == [
        (
            "data",
            "Jobs/Instance",
            "would be replaced: `Jobs/Server` takes its place. CloudFormation will refuse, as it has a fixed name "
            "(`<environment>-mysql-jobs`): the deploy would fail",
        )
    ]
    other = {**named, "Properties": {"DBInstanceIdentifier": "basic-other", **safe}}
    assert found({"Instance": named}, {"Server": other}) == [
        ("data", "Jobs/Instance", "would be deleted. Only a final snapshot of its data is kept")
    ]


def test_another_account_leaves_everything_behind() -> None:
    [danger] = dangers(_environment({}), _environment({}, account="222222222222"))
    assert danger.resource == "account"
    assert danger.text == "moves from 111111111111, eu-central-1 to 222222222222, eu-central-1"


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
    before["Group"]["Properties"]["SecurityGroupEgress"] = [_rule("255.255.255.255/32", 252, 86, "icmp")]
    assert found(before, after) == [("access", "Jobs/Group", "lets it reach `0.0.0.0/0`, on every port and protocol")]


def _role(*statements: dict[str, Any]) -> dict[str, Any]:
    policy = {"PolicyDocument": {"Statement": list(statements)}, "Roles": [{"Ref": "Role"}]}
    return {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {}},
        "Policy": {"Type": "AWS::IAM::Policy", "Properties": policy},
    }


def _allow(action: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
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
    permission = {"Action": "lambda:InvokeFunction", "FunctionName": "basic-job", "Principal": "*"}
    after = {"Permission": {"Type": "AWS::Lambda::Permission", "Properties": permission}}
    assert found({}, after) == [
        ("access", "<environment>-job", "`*` may now `lambda:InvokeFunction` on `<environment>-job`")
    ]


def test_the_condition_of_a_statement_is_shown() -> None:
    text = 'it may now `s3:*` on `*`, if `{"Bool": {"aws:SecureTransport": "true"}}`'
    assert found(_role(), _role(_allow("s3:*", **IF))) == [("access", "Jobs/Role", text)]


def _at(path: str, kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties, "Metadata": {"aws:cdk:path": f"basic/Jobs/{path}/Resource"}}


def _job(name: str, *more: dict[str, Any], sealed: bool = True, ports: int = 3306) -> dict[str, Any]:
    """What is made with a job, as far as it has access: it may write to its own queue and log, and `more`."""
    place = f"Job-{name}"
    own = [
        _allow("sqs:SendMessage", {"Fn::GetAtt": [f"{name}Queue", "Arn"]}),
        _allow("logs:PutLogEvents", f"arn:aws:logs:eu-central-1:111111111111:log-group:/aws/lambda/basic-{name}"),
    ]
    plain = {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    refused = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*", **plain}
    group = {"GroupId": {"Fn::GetAtt": [f"{name}Group", "GroupId"]}}
    return {
        f"{name}Queue": _at(f"{place}/DeadLetters", "AWS::SQS::Queue", QueueName=f"basic-{name}-dead-letters"),
        f"{name}Seal": _at(
            f"{place}/DeadLetters/Policy",
            "AWS::SQS::QueuePolicy",
            Queues=[{"Ref": f"{name}Queue"}],
            PolicyDocument={"Statement": [refused] if sealed else []},
        ),
        f"{name}Role": _at(f"{place}/Role", "AWS::IAM::Role"),
        f"{name}Policy": _at(
            f"{place}/Role/DefaultPolicy",
            "AWS::IAM::Policy",
            Roles=[{"Ref": f"{name}Role"}],
            PolicyDocument={"Statement": [*own, *more]},
        ),
        f"{name}Group": _at(f"{place}/Group", "AWS::EC2::SecurityGroup", SecurityGroupEgress=[]),
        f"{name}Way": _at(
            f"{place}/Way", "AWS::EC2::SecurityGroupEgress", **group, **_rule("10.0.0.0/16", 3306, ports)
        ),
    }


def test_a_new_job_with_the_access_of_another_each_to_its_own_is_no_danger() -> None:
    assert found(_job("purge"), _job("purge") | _job("sweep")) == []


def test_the_first_job_is_a_danger_as_nothing_says_what_a_job_may() -> None:
    assert {kind for kind, _, _ in found({}, _job("purge"))} == {"access"}


def test_of_a_new_job_only_what_it_may_beyond_the_most_similar_job_is_shown() -> None:
    before = _job("purge") | _job("tally", _allow("s3:GetObject", "a"))
    new = _job("more", _allow("s3:GetObject", "a"), _allow("s3:PutObject", "a"))
    assert found(before, before | new) == [("access", "Jobs/Job-more/Role", "it may now `s3:PutObject` on `a`")]


def test_what_belongs_to_another_job_is_not_a_new_jobs_own() -> None:
    new = _job("more", _allow("sqs:SendMessage", {"Fn::GetAtt": ["purgeQueue", "Arn"]}))
    assert found(_job("purge"), _job("purge") | new) == [
        ("access", "Jobs/Job-more/Role", "it may now `sqs:SendMessage` on `{Jobs/Job-purge/DeadLetters.Arn}`")
    ]


def test_a_name_that_only_begins_like_a_jobs_is_not_its_own() -> None:
    before = _job("purge", _allow("sqs:SendMessage", "basic-purge_old"))
    new = _job("more", _allow("sqs:SendMessage", "basic-more_old"))
    assert found(before, before | new) == [
        ("access", "Jobs/Job-more/Role", "it may now `sqs:SendMessage` on `<environment>-more_old`")
    ]


def test_a_new_job_that_reaches_further_is_a_danger() -> None:
    assert found(_job("purge"), _job("purge") | _job("more", ports=3307)) == [
        ("access", "Jobs/Job-more/Group", "lets it reach `10.0.0.0/16`, on tcp `3306` to `3307`")
    ]


def test_a_new_job_that_is_denied_less_has_no_other_to_be_like() -> None:
    assert ("access", "Jobs/Job-more/Role") in {
        (kind, path) for kind, path, _ in found(_job("purge"), _job("purge") | _job("more", sealed=False))
    }


def test_a_change_that_gives_every_job_more_does_not_excuse_a_new_one() -> None:
    wide = _allow("s3:*")
    assert found(_job("purge"), _job("purge", wide) | _job("more", wide)) == [
        ("access", "Jobs/Job-more/Role", "it may now `s3:*` on `*`"),
        ("access", "Jobs/Job-purge/Role", "it may now `s3:*` on `*`"),
    ]


def test_the_dead_letters_of_a_job_that_is_taken_out_need_a_yes() -> None:
    assert found(_job("purge") | _job("more"), _job("purge")) == [
        (
            "data",
            "Jobs/Job-more",
            "its `DeadLetters/Policy` would be removed",
        ),
        ("data", "Jobs/Job-more", "its `DeadLetters` would be deleted. Its data is lost"),
    ]


@pytest.mark.parametrize(
    ("kind", "name", "before", "after"),
    [
        ("AWS::RDS::DBInstance", "DeletionProtection", True, False),
        ("AWS::RDS::DBInstance", "DeletionProtection", "true", None),
        ("AWS::RDS::DBInstance", "BackupRetentionPeriod", 7, 0),
        ("AWS::RDS::DBInstance", "AutomaticBackupReplicationRegion", "eu-west-1", None),
        ("AWS::RDS::DBInstance", "MultiAZ", True, False),
        ("AWS::RDS::DBInstance", "StorageEncrypted", True, None),
        ("AWS::RDS::DBProxy", "RequireTLS", True, False),
        (
            "AWS::RDS::DBParameterGroup",
            "Parameters",
            {"require_secure_transport": "1"},
            {"require_secure_transport": "0"},
        ),
        ("AWS::RDS::DBParameterGroup", "Parameters", {"require_secure_transport": "1"}, None),
    ],
)
def test_turning_a_protection_off_needs_a_yes_and_turning_it_on_does_not(
    kind: str, name: str, before: Any, after: Any
) -> None:
    one, other = (
        {"Thing": {"Type": kind, "Properties": {} if value is None else {name: value}}} for value in (before, after)
    )
    assert [path for kind, path, _ in found(one, other) if kind == "protection"] == ["Jobs/Thing"]
    assert [path for kind, path, _ in found(other, one) if kind == "protection"] == []
    assert [path for kind, path, _ in found(one, one) if kind == "protection"] == []


def test_a_protection_that_is_turned_off_says_what_it_was_for() -> None:
    assert found(_instance(DeletionProtection=True), _instance(DeletionProtection=False)) == [
        (
            "protection",
            "Jobs/Instance",
            "`DeletionProtection` changes from `true` to `false`. One command deletes the database",
        )
    ]


def test_what_is_kept_for_less_time_is_lost() -> None:
    named = {"DBInstanceIdentifier": "basic-mysql-jobs"}
    before, after = (_instance(BackupRetentionPeriod=days, **named) for days in (30, 7))
    text = (
        "`BackupRetentionPeriod` changes from `30` to `7`. "
        "Older backups are deleted, and no point in time before them can be restored"
    )
    assert found(before, after) == [("data", "Jobs/Instance", text)]
    assert found(after, before) == []


@pytest.mark.parametrize(
    ("kind", "before", "after", "text"),
    [
        (
            "AWS::Lambda::Function",
            {"Role": "arn:a", "VpcConfig": {}},
            {"Role": "arn:b", "VpcConfig": {}},
            "it may now `work in the role` on `arn:b`",
        ),
        (
            "AWS::RDS::DBInstance",
            {"PubliclyAccessible": False},
            {"PubliclyAccessible": True},
            "`PubliclyAccessible` changes from `false` to `true`. The database has an address on the internet",
        ),
        ("AWS::RDS::DBInstance", {}, {"VPCSecurityGroups": ["sg-1"]}, "it may now `be in the group` on `sg-1`"),
        (
            "AWS::Lambda::Function",
            {"VpcConfig": {}, "Environment": {"Variables": {"RIGHTS": '{"event":"SELECT"}'}}},
            {"VpcConfig": {}, "Environment": {"Variables": {"RIGHTS": '{"event":"DELETE, SELECT"}'}}},
            "the jobs' database user may now `DELETE` on the table `event`. "
            "Rows that no job changed until now may be gone",
        ),
        ("AWS::EC2::VPCEndpoint", {"PolicyDocument": {}}, {}, "`*` may now `*` on `*`"),
    ],
)
def test_what_takes_the_access_of_another_widens_it(
    kind: str, before: dict[str, Any], after: dict[str, Any], text: str
) -> None:
    one, other = ({"It": {"Type": kind, "Properties": each}} for each in (before, after))
    assert found(one, other) == [("access", "Jobs/It", text)]
    assert found(other, other) == []


def test_a_group_with_an_egress_rule_of_its_own_does_not_reach_everything() -> None:
    group = {"Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": {}}}
    rule = {"GroupId": {"Fn::GetAtt": ["Group", "GroupId"]}, **NARROW}
    before = group | {"Way": {"Type": "AWS::EC2::SecurityGroupEgress", "Properties": rule}}
    wider = {"SecurityGroupEgress": [_rule("0.0.0.0/0", 443, 443)]}
    after = before | {"Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": wider}}
    assert found(before, after) == [("access", "Jobs/Group", "lets it reach `0.0.0.0/0`, on tcp `443`")]


def test_a_database_that_would_leave_no_snapshot_any_more_needs_a_yes() -> None:
    assert found(_instance("Snapshot"), _instance("Delete")) == [
        (
            "protection",
            "Jobs/Instance",
            f"`{name}` changes from `Snapshot` to `Delete`. At a {event}: its data is lost",
        )
        for name, event in (("DeletionPolicy", "deletion"), ("UpdateReplacePolicy", "replacement"))
    ]


def test_a_stack_that_loses_its_protection_needs_a_yes() -> None:
    on, off = (
        read_templates("basic", "111111111111", "eu-central-1", {"Jobs": {}}, {"Jobs": protected})
        for protected in (True, False)
    )
    [danger] = dangers(on, off)
    assert (danger.kind, danger.resource) == ("protection", "Jobs")
    assert dangers(off, on) == []


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ("109", "RDS grows storage by 10 % or more: write 100, or 110 or more"),
        ("101", "RDS grows storage by 10 % or more: write 100, or 110 or more"),
        ("99", "RDS can't shrink storage: write 100, or 110 or more"),
        ("110", None),
        ("400", None),
    ],
)
def test_storage_that_rds_would_not_change_so_is_marked(after: str, why: str | None) -> None:
    refusals = [
        ("refused", "Jobs/Instance", f"`AllocatedStorage` changes from `100` to `{after}`. AWS will refuse, as {why}")
    ]
    assert found(_instance(AllocatedStorage="100"), _instance(AllocatedStorage=after)) == (refusals if why else [])
