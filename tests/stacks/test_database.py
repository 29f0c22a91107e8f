"""The database: private, kept, watched, and as the environment file says."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from settings.environment import ClientSettings, DatabaseSettings, EnvironmentSettings
from stacks.database.parameter_group import PARAMETERS
from tests.fixture import ENVIRONMENTS
from tests.stacks.templates import Resources, Stacks, Synthesize, of_type, the, ways

KEY = "arn:aws:kms:eu-central-1:333333333333:key/12345678-1234-1234-1234-123456789012"
SNAPSHOT = "arn:aws:rds:eu-central-1:333333333333:snapshot:before-the-mistake"
ANYWHERE = "0.0.0.0/0"
INHERITED = {"DBName", "MasterUsername", "StorageEncrypted"}
"""What a snapshot brings with it."""
CLIENTS = (
    ClientSettings(security_group="sg-0123456789abcdef0", connections=40, reason="The shop"),
    ClientSettings(prefix_list="pl-0123456789abcdef0", connections=2, reason="People: bastion hosts"),
    ClientSettings(cidr="10.200.4.0/22", connections=10, reason="Reports"),
)
CHANGES: dict[str, Any] = {
    "name": "other",
    "instance_class": "r8g.xlarge",
    "storage_gb": 500,
    "max_storage_gb": 2000,
    "storage_iops": 13_000,
    "storage_mbps": 600,
    "multi_az": False,
    "backup_days": 12,
    "backup_copy_key": KEY.replace("eu-central-1", "eu-west-1"),
    "backup_window": "01:00-01:30",
    "maintenance_window": "sun:02:00-sun:02:30",
    "deletion_protection": False,
    "snapshot": SNAPSHOT,
    "monitoring_seconds": 30,
    "insights": "advanced",
    "port": 14306,
    "auth": "secret",
    "clients": CLIENTS,
}
"""A change of each database setting of large."""


@pytest.fixture(params=ENVIRONMENTS)
def stated(request: pytest.FixtureRequest) -> EnvironmentSettings:
    return ENVIRONMENTS[request.param]


@pytest.fixture
def stacks(stated: EnvironmentSettings, templates: dict[str, Any]) -> Stacks:
    return {stack: template["Resources"] for stack, template in templates[stated.name].items()}


@pytest.fixture
def database(stacks: Stacks) -> Resources:
    return stacks["Database"]


@pytest.fixture(scope="session")
def large() -> EnvironmentSettings:
    """With one job, as each takes time and all are alike."""
    large = ENVIRONMENTS["large"]
    return large.model_copy(update={"jobs": large.jobs[:1]})


@pytest.fixture(scope="session")
def before(large: EnvironmentSettings, synthesize: Synthesize) -> Stacks:
    return synthesize(large)


@pytest.fixture(scope="session")
def changed(large: EnvironmentSettings, synthesize: Synthesize) -> Callable[[str], Stacks]:
    """Prod, with one of `CHANGES`; made once each."""
    made: dict[str, Stacks] = {}

    def change(setting: str) -> Stacks:
        if setting not in made:
            # Speed can be stated from 400 GB on.
            room = {"storage_gb": 500} if setting in {"storage_iops", "storage_mbps"} else {}
            made[setting] = synthesize(large, database={**room, setting: CHANGES[setting]})
        return made[setting]

    return change


# Who gets in


def test_the_database_is_private_and_encrypted_and_takes_iam_logins(database: Resources) -> None:
    instance = the(database, "AWS::RDS::DBInstance")
    assert instance["PubliclyAccessible"] is False
    assert instance["StorageEncrypted"] is True
    assert instance["EnableIAMDatabaseAuthentication"] is True


def test_the_server_refuses_plaintext(database: Resources) -> None:
    [(name, group)] = of_type(database, "AWS::RDS::DBParameterGroup").items()
    assert the(database, "AWS::RDS::DBInstance")["DBParameterGroupName"] == {"Ref": name}
    assert group["Properties"]["Parameters"]["require_secure_transport"] == "1"


def test_only_the_jobs_and_the_migrations_may_reach_the_database(stacks: Stacks) -> None:
    assert reaching(stacks, "The database") == ["The jobs", "The migrations"]


def test_no_security_group_lets_anyone_in_by_address(stacks: Stacks) -> None:
    for resources in stacks.values():
        for group in of_type(resources, "AWS::EC2::SecurityGroup").values():
            assert "SecurityGroupIngress" not in group["Properties"]
        for way in of_type(resources, "AWS::EC2::SecurityGroupIngress").values():
            assert not way["Properties"].keys() & {"CidrIp", "CidrIpv6", "SourcePrefixListId"}


def test_a_client_is_let_in_to_the_databases_port_with_its_reason_and_nothing_else_changes(
    large: EnvironmentSettings, synthesize: Synthesize, before: Stacks
) -> None:
    port = large.database.port
    stacks = synthesize(large, database={"clients": CLIENTS})
    [group] = of_type(stacks["Database"], "AWS::EC2::SecurityGroup").keys() & _groups_of_the_instance(stacks)
    common = {
        "GroupId": {"Fn::GetAtt": [group, "GroupId"]},
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
    }
    added = {name: each for name, each in stacks["Database"].items() if name not in before["Database"]}
    assert sorted((each["Properties"] for each in added.values()), key=str) == sorted(
        (
            {**common, "SourceSecurityGroupId": "sg-0123456789abcdef0", "Description": "The shop"},
            {**common, "SourcePrefixListId": "pl-0123456789abcdef0", "Description": "People: bastion hosts"},
            {**common, "CidrIp": "10.200.4.0/22", "Description": "Reports"},
        ),
        key=str,
    )
    assert {each["Type"] for each in added.values()} == {"AWS::EC2::SecurityGroupIngress"}
    assert {name: stacks["Database"][name] for name in before["Database"]} == before["Database"]
    assert without_code(stacks["Jobs"]) == without_code(before["Jobs"])


def test_with_a_proxy_clients_are_let_in_to_the_instance_not_to_the_proxy(
    large: EnvironmentSettings, synthesize: Synthesize
) -> None:
    stacks = synthesize(large, database={"clients": CLIENTS[2:]}, proxy={"enabled": True})
    [rule] = [
        each["Properties"]
        for resources in stacks.values()
        for each in of_type(resources, "AWS::EC2::SecurityGroupIngress").values()
        if "CidrIp" in each["Properties"]
    ]
    assert rule["GroupId"]["Fn::GetAtt"][0] in _groups_of_the_instance(stacks)
    assert rule["FromPort"] == large.database.port


def test_the_order_of_the_clients_and_one_more_change_no_rule_of_another(
    large: EnvironmentSettings, synthesize: Synthesize
) -> None:
    first, *others = CLIENTS
    some = synthesize(large, database={"clients": others})["Database"]
    more = synthesize(large, database={"clients": [*reversed(others), first]})["Database"]
    assert {name: more.get(name) for name in some} == some


def test_the_master_password_is_made_by_rds_and_in_no_template(database: Resources) -> None:
    instance = the(database, "AWS::RDS::DBInstance")
    assert instance["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in instance


# Secrets Manager


def test_the_endpoint_lets_nobody_read_any_other_secret(stated: EnvironmentSettings, database: Resources) -> None:
    [instance] = of_type(database, "AWS::RDS::DBInstance")
    secrets: list[Any] = [{"Fn::GetAtt": [instance, "MasterUserSecret.SecretArn"]}]
    if stated.database.auth == "secret":
        [shared] = [name for name in of_type(database, "AWS::SecretsManager::Secret") if name.startswith("JobsSecret")]
        pattern = f"arn:aws:secretsmanager:{stated.region}:{stated.account}:secret:{stated.name}-mysql-jobs/*"
        secrets = [pattern, *secrets, {"Ref": shared}]
    endpoint = the(database, "AWS::EC2::VPCEndpoint")
    assert endpoint["ServiceName"] == f"com.amazonaws.{stated.region}.secretsmanager"
    assert endpoint["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "secretsmanager:GetSecretValue",
            "Resource": secrets if len(secrets) > 1 else secrets[0],
            "Condition": {"StringEquals": {"aws:PrincipalAccount": stated.account}},
        }
    ]


def test_only_who_needs_a_secret_reaches_the_endpoint(stated: EnvironmentSettings, stacks: Stacks) -> None:
    needing = ["The jobs", "The migrations"] if stated.database.auth == "secret" else ["The migrations"]
    assert reaching(stacks, "Interface endpoint of Secrets Manager") == needing


def test_without_an_endpoint_of_ours_the_way_that_is_there_is_open(
    large: EnvironmentSettings, synthesize: Synthesize
) -> None:
    for auth, needing in (("iam", ["The migrations"]), ("secret", ["The jobs", "The migrations"])):
        stacks = synthesize(large, network={"secrets_endpoint": False}, database={"auth": auth})
        assert not of_type(stacks["Database"], "AWS::EC2::VPCEndpoint")
        groups = [each["Properties"] for each in of_type(stacks["Jobs"], "AWS::EC2::SecurityGroup").values()]
        leaving = {
            group["GroupDescription"]: [
                way for way in group.get("SecurityGroupEgress", []) if way["CidrIp"] == ANYWHERE
            ]
            for group in groups
        }
        assert sorted(group for group, ways in leaving.items() if ways) == needing
        ports = {(way["IpProtocol"], way["FromPort"], way["ToPort"]) for ways in leaving.values() for way in ways}
        assert ports == {("tcp", 443, 443)}


# What is kept


def test_deleting_the_stack_keeps_the_data_as_a_snapshot(database: Resources) -> None:
    [instance] = of_type(database, "AWS::RDS::DBInstance").values()
    assert (instance["DeletionPolicy"], instance["UpdateReplacePolicy"]) == ("Snapshot", "Snapshot")


def test_protection_from_deletion_is_of_the_instance_and_of_its_stack(
    stated: EnvironmentSettings, database: Resources, assembly: Any
) -> None:
    protected = stated.made_database.deletion_protection
    assert the(database, "AWS::RDS::DBInstance")["DeletionProtection"] is protected
    manifest = json.loads((assembly / f"assembly-{stated.name}" / "manifest.json").read_text())
    [stack] = [
        each["properties"]
        for each in manifest["artifacts"].values()
        if each.get("properties", {}).get("stackName") == f"{stated.name}-Database"
    ]
    assert stack.get("terminationProtection", False) is protected


def test_every_setting_of_the_database_has_a_change_in_these_tests() -> None:
    assert CHANGES.keys() == DatabaseSettings.model_fields.keys()


@pytest.mark.parametrize("setting", CHANGES)
def test_a_change_of_any_setting_cant_replace_the_instance(
    setting: str, changed: Callable[[str], Stacks], before: Stacks
) -> None:
    # CloudFormation refuses to replace a resource whose name stays the same.
    old, new = (of_type(stacks["Database"], "AWS::RDS::DBInstance") for stacks in (before, changed(setting)))
    assert old.keys() == new.keys()
    [name] = {each["Properties"]["DBInstanceIdentifier"] for each in (*old.values(), *new.values())}
    assert name == "large-mysql-jobs"


@pytest.mark.parametrize("setting", CHANGES)
def test_a_change_of_any_setting_reaches_the_template(
    setting: str, changed: Callable[[str], Stacks], before: Stacks
) -> None:
    assert without_code(before["Database"]) != without_code(changed(setting)["Database"])


def test_what_starts_from_a_snapshot_states_nothing_that_the_snapshot_brings(
    changed: Callable[[str], Stacks], before: Stacks
) -> None:
    plain, restored = (the(stacks["Database"], "AWS::RDS::DBInstance") for stacks in (before, changed("snapshot")))
    assert restored == {
        **{name: value for name, value in plain.items() if name not in INHERITED},
        "DBSnapshotIdentifier": SNAPSHOT,
    }


def test_restoring_from_a_snapshot_changes_no_job(changed: Callable[[str], Stacks], before: Stacks) -> None:
    assert changed("snapshot")["Jobs"] == before["Jobs"]


def test_a_restore_with_an_own_key_leaves_the_snapshots_key(large: EnvironmentSettings, synthesize: Synthesize) -> None:
    stacks = synthesize(large.model_copy(update={"encryption_key": KEY}), database={"snapshot": SNAPSHOT})
    assert "KmsKeyId" not in the(stacks["Database"], "AWS::RDS::DBInstance")


@pytest.mark.parametrize(("days", "deleted"), [(0, None), (6, None), (7, False), (35, False)])
def test_backups_that_matter_outlive_the_instance_protected_or_not(
    days: int, deleted: bool | None, large: EnvironmentSettings, synthesize: Synthesize
) -> None:
    stacks = synthesize(large, database={"backup_days": days, "deletion_protection": False})
    assert the(stacks["Database"], "AWS::RDS::DBInstance").get("DeleteAutomatedBackups") is deleted


def test_backups_are_copied_to_the_region_of_a_key(
    large: EnvironmentSettings, synthesize: Synthesize, before: Stacks
) -> None:
    copies = ("AutomaticBackupReplicationRegion", "AutomaticBackupReplicationKmsKeyId")
    key = KEY.replace("eu-central-1", "eu-west-1")
    stacks = synthesize(large, database={"backup_copy_key": key})
    instance = the(stacks["Database"], "AWS::RDS::DBInstance")
    assert [instance[name] for name in copies] == ["eu-west-1", key]
    assert not the(before["Database"], "AWS::RDS::DBInstance").keys() & set(copies)


def test_rds_chooses_the_windows_unless_the_file_does(
    large: EnvironmentSettings, synthesize: Synthesize, before: Stacks
) -> None:
    keys = ("PreferredBackupWindow", "PreferredMaintenanceWindow")
    plain = the(before["Database"], "AWS::RDS::DBInstance")
    assert not plain.keys() & set(keys)
    windows = {"backup_window": "01:00-01:30", "maintenance_window": "sun:02:00-sun:02:30"}
    stated = the(synthesize(large, database=windows)["Database"], "AWS::RDS::DBInstance")
    assert [stated[key] for key in keys] == list(windows.values())


# The customer's key


def test_an_own_key_encrypts_every_log(large: EnvironmentSettings, synthesize: Synthesize) -> None:
    for key in (KEY, None):
        stacks = synthesize(large.model_copy(update={"encryption_key": key}), proxy={"enabled": True})
        groups = {
            name: group["Properties"].get("KmsKeyId")
            for resources in stacks.values()
            for name, group in of_type(resources, "AWS::Logs::LogGroup").items()
        }
        # The flow logs', three of the database, the proxy's, and those of the migrations, the watcher and the jobs.
        assert (len(groups), set(groups.values())) == (7 + len(large.jobs), {key})


@pytest.mark.parametrize("auth", ["iam", "secret"])
def test_an_own_key_encrypts_everything_that_the_database_keeps(
    auth: str, large: EnvironmentSettings, synthesize: Synthesize
) -> None:
    stacks = synthesize(
        large.model_copy(update={"encryption_key": KEY}), database={"auth": auth, "insights": "standard"}
    )
    instance = the(stacks["Database"], "AWS::RDS::DBInstance")
    assert (instance["KmsKeyId"], instance["StorageEncrypted"]) == (KEY, True)
    assert instance["PerformanceInsightsKMSKeyId"] == KEY
    assert instance["MasterUserSecret"] == {"KmsKeyId": KEY}
    secrets = of_type(stacks["Database"], "AWS::SecretsManager::Secret").values()
    assert [secret["Properties"]["KmsKeyId"] for secret in secrets] == (
        [KEY] * (2 + len(large.jobs)) if auth == "secret" else []
    )


def test_who_may_read_a_secret_may_use_its_key_for_that(large: EnvironmentSettings, synthesize: Synthesize) -> None:
    stacks = synthesize(large.model_copy(update={"encryption_key": KEY}), database={"auth": "secret"})
    readers = [
        statements
        for policy in of_type(stacks["Jobs"], "AWS::IAM::Policy").values()
        if "GetSecretValue" in json.dumps(statements := policy["Properties"]["PolicyDocument"]["Statement"])
    ]
    assert len(readers) == 2 + len(large.jobs)  # the migrations and the watcher
    for statements in readers:
        [decrypt] = [statement for statement in statements if statement["Action"] == "kms:Decrypt"]
        assert decrypt["Resource"] == KEY
        assert decrypt["Condition"] == {"StringEquals": {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}}


# Speed and storage


def test_storage_grows_by_itself_up_to_what_the_file_says(stated: EnvironmentSettings, database: Resources) -> None:
    instance = the(database, "AWS::RDS::DBInstance")
    assert instance["StorageType"] == "gp3"
    assert int(instance["AllocatedStorage"]) == stated.made_database.storage_gb
    assert instance["MaxAllocatedStorage"] == stated.made_database.max_storage_gb


def test_stated_speed_is_asked_for_and_otherwise_gp3s_own(changed: Callable[[str], Stacks]) -> None:
    assert the(changed("storage_iops")["Database"], "AWS::RDS::DBInstance")["Iops"] == 13_000
    assert the(changed("storage_mbps")["Database"], "AWS::RDS::DBInstance")["StorageThroughput"] == 600
    assert not the(changed("port")["Database"], "AWS::RDS::DBInstance").keys() & {"Iops", "StorageThroughput"}


# What is watched


def test_the_errors_and_slow_statements_and_failed_logins_with_tokens_are_logged_for_three_months(
    stated: EnvironmentSettings, database: Resources
) -> None:
    [instance] = of_type(database, "AWS::RDS::DBInstance").values()
    exported = instance["Properties"]["EnableCloudwatchLogsExports"]
    assert exported == ["error", "slowquery", *(["iam-db-auth-error"] if stated.database.auth == "iam" else [])]
    groups = {
        each["Properties"]["LogGroupName"]: (name, each["Properties"]["RetentionInDays"])
        for name, each in of_type(database, "AWS::Logs::LogGroup").items()
    }
    for log in exported:
        name, days = groups[f"/aws/rds/instance/{stated.name}-mysql-jobs/{log}"]
        # Made before the instance: RDS would make it otherwise, and CloudFormation then fail as it is there already.
        assert (days, name in instance["DependsOn"]) == (90, True)
    assert (PARAMETERS["log_output"], PARAMETERS["slow_query_log"]) == ("FILE", "1")


@pytest.mark.parametrize(
    ("insights", "properties"),
    [
        ("off", (False, None, None)),
        ("standard", (True, "standard", 7)),
        ("advanced", (True, "advanced", 465)),
    ],
)
def test_insights_are_kept_as_long_as_their_mode_wants(
    insights: str, properties: tuple[object, ...], large: EnvironmentSettings, synthesize: Synthesize
) -> None:
    instance = the(synthesize(large, database={"insights": insights})["Database"], "AWS::RDS::DBInstance")
    names = ("EnablePerformanceInsights", "DatabaseInsightsMode", "PerformanceInsightsRetentionPeriod")
    assert tuple(instance.get(name) for name in names) == properties


def test_the_operating_system_is_looked_at_as_often_as_the_file_says(
    stated: EnvironmentSettings, database: Resources
) -> None:
    instance = the(database, "AWS::RDS::DBInstance")
    assert instance["MonitoringInterval"] == stated.made_database.monitoring_seconds
    if not stated.made_database.monitoring_seconds:
        assert "MonitoringRoleArn" not in instance
        return
    [trust] = database[instance["MonitoringRoleArn"]["Fn::GetAtt"][0]]["Properties"]["AssumeRolePolicyDocument"][
        "Statement"
    ]
    assert trust["Principal"] == {"Service": "monitoring.rds.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": stated.account}}


def test_a_person_is_told_what_rds_does_to_the_instance(database: Resources) -> None:
    [instance] = of_type(database, "AWS::RDS::DBInstance")
    [events] = of_type(database, "AWS::RDS::EventSubscription").values()
    [topic] = of_type(database, "AWS::SNS::Topic")
    [policy] = of_type(database, "AWS::SNS::TopicPolicy")
    assert events["Properties"]["SnsTopicArn"] == {"Ref": topic}
    assert events["Properties"]["SourceType"] == "db-instance"
    assert events["Properties"]["SourceIds"] == [{"Ref": instance}]
    assert {"failover", "failure", "low storage", "availability"} <= set(events["Properties"]["EventCategories"])
    # RDS tries to publish when the subscription is made.
    assert policy in events["DependsOn"]


def test_only_cloudwatch_and_rds_of_this_account_may_publish_alarms(
    stated: EnvironmentSettings, database: Resources
) -> None:
    [topic] = of_type(database, "AWS::SNS::Topic")
    policy = the(database, "AWS::SNS::TopicPolicy")
    assert policy["Topics"] == [{"Ref": topic}]
    [allowed] = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": ["cloudwatch.amazonaws.com", "events.rds.amazonaws.com"]}
    assert (allowed["Action"], allowed["Resource"]) == ("sns:Publish", {"Ref": topic})
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": stated.account}}
    [denied] = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Deny"]
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_alarms_go_to_the_address_in_the_file(large: EnvironmentSettings, synthesize: Synthesize) -> None:
    for email, subscribed in (("on-call@example.com", [("email", "on-call@example.com")]), (None, [])):
        database = synthesize(large, alarms={"email": email})["Database"]
        subscriptions = [each["Properties"] for each in of_type(database, "AWS::SNS::Subscription").values()]
        assert [(each["Protocol"], each["Endpoint"]) for each in subscriptions] == subscribed


# Helpers


def reaching(stacks: Stacks, group: str) -> list[str]:
    """The descriptions of the groups that a rule lets into `group`."""
    return sorted(source for source, target in ways(stacks) if target == group)


def _groups_of_the_instance(stacks: Stacks) -> set[str]:
    """The logical ids of the security groups that the instance is in."""
    return {each["Fn::GetAtt"][0] for each in the(stacks["Database"], "AWS::RDS::DBInstance")["VPCSecurityGroups"]}


def without_code(resources: Resources) -> Resources:
    """The resources without the keys of assets, which differ where nothing is bundled."""
    return {name: each for name, each in resources.items() if each["Type"] != "AWS::Lambda::Function"}
