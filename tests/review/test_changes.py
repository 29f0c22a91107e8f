"""What differs between two templates, and what CloudFormation replaces for it."""

from typing import Any

from review.changes import Change, compare
from review.templates import SynthesizedEnvironment, read_templates


def environment(name: str = "basic", /, *, protected: bool = False, **stacks: dict[str, Any]) -> SynthesizedEnvironment:
    """One with these resources, by stack and logical id; each is at the construct path <stack>/<logical id>."""
    templates = {
        stack: {
            "Resources": {
                logical_id: {"Metadata": {"aws:cdk:path": f"{name}/{stack}/{logical_id}/Resource"}, **resource}
                for logical_id, resource in resources.items()
            }
        }
        for stack, resources in stacks.items()
    }
    return read_templates(name, "111111111111", "eu-central-1", templates, dict.fromkeys(stacks, protected))


def resource(kind: str, /, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    return compare(environment(Jobs=before), environment(Jobs=after))


def test_the_same_templates_have_no_changes() -> None:
    queue = resource("AWS::SQS::Queue", QueueName="basic-letters")
    assert changes({"Queue": queue}, {"Queue": queue}) == []


def test_metadata_is_no_change_and_the_order_of_creation_is_one() -> None:
    queue = resource("AWS::SQS::Queue")
    [change] = changes({"Queue": queue}, {"Queue": queue | {"DependsOn": ["Other"]}})
    assert [each.place for each in change.differences] == [("DependsOn",)]


def test_a_changed_property_is_named_with_both_values() -> None:
    [change] = changes(
        {"Schedule": resource("AWS::Scheduler::Schedule", ScheduleExpression="rate(5 minutes)")},
        {"Schedule": resource("AWS::Scheduler::Schedule", ScheduleExpression="rate(10 minutes)")},
    )
    assert change.how == "changed"
    assert change.resource.path == "Jobs/Schedule"
    assert [each.text for each in change.differences] == [
        "`ScheduleExpression` changes from `rate(5 minutes)` to `rate(10 minutes)`"
    ]


def test_of_long_values_the_part_that_differs_is_shown() -> None:
    before, after = (
        resource("AWS::CloudWatch::Dashboard", DashboardBody=f"{'x' * 500}{word}{'y' * 500}") for word in ("one", "two")
    )
    [change] = changes({"Dashboard": before}, {"Dashboard": after})
    [difference] = change.differences
    x, y = "x" * 20, "y" * 20
    assert difference.text == f"`DashboardBody` changes from `…{x}one{y}…` to `…{x}two{y}…`"


def test_of_lists_what_came_and_what_went_is_shown() -> None:
    [change] = changes(
        {"Instance": resource("AWS::RDS::DBInstance", EnableCloudwatchLogsExports=["error", "slowquery"])},
        {"Instance": resource("AWS::RDS::DBInstance", EnableCloudwatchLogsExports=["error", "audit"])},
    )
    assert [each.text for each in change.differences] == [
        "`EnableCloudwatchLogsExports` changes from `slowquery` to `audit`"
    ]


def test_a_property_that_is_fixed_by_the_types_schema_replaces_the_resource() -> None:
    [change] = changes(
        {"Instance": resource("AWS::RDS::DBInstance", DBName="jobs", DBInstanceClass="db.t4g.micro")},
        {"Instance": resource("AWS::RDS::DBInstance", DBName="work", DBInstanceClass="db.t4g.small")},
    )
    assert (change.how, change.because) == ("replaced", ("`DBName` changes from `jobs` to `work`",))


def test_a_property_that_only_the_documentation_calls_fixed_replaces_the_resource_too() -> None:
    [change] = changes(
        {"Instance": resource("AWS::RDS::DBInstance", Port="13306")},
        {"Instance": resource("AWS::RDS::DBInstance", Port="3306")},
    )
    assert (change.how, change.because) == ("replaced", ("`Port` changes from `13306` to `3306`",))


def test_a_property_that_is_fixed_at_times_may_replace_the_resource() -> None:
    [change] = changes(
        {"Instance": resource("AWS::RDS::DBInstance", MultiAZ=False)},
        {"Instance": resource("AWS::RDS::DBInstance", MultiAZ=True)},
    )
    assert (change.how, change.perhaps) == ("changed", ("`MultiAZ` changes from `false` to `true`",))


def test_what_cant_follow_a_replaced_resource_is_replaced_as_well_in_other_stacks_too() -> None:
    def stacks(cidr: str) -> SynthesizedEnvironment:
        way = {"Fn::GetStackOutput": {"StackName": "basic-Network", "OutputName": "PublishOutputVpc"}}
        templates = {
            "Network": {
                "Resources": {"Vpc": resource("AWS::EC2::VPC", CidrBlock=cidr)},
                "Outputs": {"PublishOutputVpc": {"Value": {"Ref": "Vpc"}}},
            },
            "Database": {
                "Resources": {
                    "Group": resource("AWS::EC2::SecurityGroup", VpcId=way),
                    "Way": resource("AWS::EC2::SecurityGroupIngress", GroupId={"Fn::GetAtt": ["Group", "GroupId"]}),
                }
            },
        }
        return read_templates("basic", "111111111111", "eu-central-1", templates, {})

    group, rule, vpc = compare(stacks("10.0.0.0/20"), stacks("10.1.0.0/20"))
    assert (vpc.resource.path, vpc.how) == ("Network/Vpc", "replaced")
    assert (group.resource.path, group.how) == ("Database/Group", "replaced")
    assert group.because == ("its `VpcId` is of `Network/Vpc`, which is replaced",)
    assert rule.because == ("its `GroupId` is of `Database/Group`, which is replaced",)


def test_another_logical_id_at_the_same_place_is_a_replacement() -> None:
    queue = resource("AWS::SQS::Queue") | {"Metadata": {"aws:cdk:path": "basic/Jobs/Queue/Resource"}}
    [change] = changes({"QueueA1": queue}, {"QueueB2": queue})
    assert (change.how, change.because) == ("replaced", ("its logical id changes from `QueueA1` to `QueueB2`",))


def test_a_reference_that_means_the_same_is_no_change() -> None:
    version = {"Metadata": {"aws:cdk:path": "basic/Jobs/Version/Resource"}, **resource("AWS::Lambda::Version")}
    before, after = (
        {f"Version{number}": version, "Trigger": resource("Custom::Trigger", HandlerArn={"Ref": f"Version{number}"})}
        for number in (1, 2)
    )
    assert changes(before, after) == []


def test_the_same_change_reads_the_same_in_every_environment() -> None:
    def change(name: str) -> list[Change]:
        before, after = (
            environment(name, Jobs={"Queue": resource("AWS::SQS::Queue", QueueName=f"{name}-{word}")})
            for word in ("letters", "dead-letters")
        )
        return compare(before, after)

    assert change("basic") == change("large")
    assert change("basic")[0].because == (
        "`QueueName` changes from `<environment>-letters` to `<environment>-dead-letters`",
    )


def test_another_stage_of_an_environment_reads_the_same_in_every_environment_too() -> None:
    def change(name: str) -> list[Change]:
        before, after = (
            environment(
                f"{name}-delivery",
                Roles={"Role": resource("AWS::IAM::Role", RoleName=f"{name}-look", Description=f"{word} of {name}")},
            )
            for word in ("Workflows", "Jobs")
        )
        return compare(before, after)

    assert change("basic") == change("large")
    assert change("basic")[0].resource.properties["RoleName"] == "<environment>-look"


def test_a_stack_that_leaves_the_app_is_one_change_as_a_deploy_deletes_nothing_of_it() -> None:
    queue = {"Queue": resource("AWS::SQS::Queue")}
    [change] = compare(environment(Jobs=queue, Old=queue), environment(Jobs=queue))
    assert (change.resource.kind, change.resource.path, change.how) == ("Stack", "Old", "removed")


def test_a_stack_that_loses_its_protection_changes() -> None:
    [change] = compare(environment(protected=True, Jobs={}), environment(protected=False, Jobs={}))
    assert [each.text for each in change.differences] == ["`TerminationProtection` changes from `true` to `false`"]


def test_a_resource_of_another_type_in_the_same_place_is_another_resource() -> None:
    gone, come = sorted(
        changes({"Thing": resource("AWS::SQS::Queue")}, {"Thing": resource("AWS::SNS::Topic")}),
        key=lambda change: change.how,
        reverse=True,
    )
    assert (gone.how, gone.resource.kind) == ("removed", "AWS::SQS::Queue")
    assert (come.how, come.resource.kind) == ("added", "AWS::SNS::Topic")
