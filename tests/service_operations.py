"""Which operations of AWS's APIs make a resource, for the types that are used here, and which member each property is.

A property is the member of the same name, whatever its letters' case, of the first operation that has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Operations:
    """What is called for a resource, or for a part of one."""

    service: str
    """As botocore names it."""
    names: tuple[str, ...]
    """The operations, that which makes the resource first."""
    members: Mapping[str, str] = field(default_factory=dict)
    """By property, those of another name: "Place.Member", a list's place being the first in it."""
    parts: Mapping[str, Operations] = field(default_factory=dict)
    """By property, those with operations of their own, for each where there is a list of them."""
    supplied: frozenset[str] = frozenset()
    """Members that the first operation requires, and CloudFormation or its handler adds: a name above all."""
    outside: Mapping[str, str] = field(default_factory=dict)
    """By property, why no operation takes it."""


def _of(
    service: str,
    *names: str,
    members: Mapping[str, str] = {},
    parts: Mapping[str, Operations] = {},
    supplied: str = "",
    outside: Mapping[str, str] = {},
) -> Operations:
    return Operations(
        service=service,
        names=names,
        members=members,
        parts=parts,
        supplied=frozenset(supplied.split()),
        outside=outside,
    )


TAGGED = {"Tags": "TagSpecifications.Tags"}


def _rule(of_group: str) -> dict[str, str]:
    """The members of a security group's rule, whose other side the property `of_group` names."""
    ours = {each: f"IpPermissions.{each}" for each in ("IpProtocol", "FromPort", "ToPort")}
    other = {of_group: "GroupId", "Description": "Description"}
    return ours | {name: f"IpPermissions.UserIdGroupPairs.{member}" for name, member in other.items()}


EGRESS_TO_ADDRESSES = _of(
    "ec2",
    "AuthorizeSecurityGroupEgress",
    members={each: f"IpPermissions.{each}" for each in ("IpProtocol", "FromPort", "ToPort")}
    | {each: f"IpPermissions.IpRanges.{each}" for each in ("CidrIp", "Description")},
    supplied="GroupId",
)
INLINE_POLICY = _of("iam", "PutRolePolicy", members={"Roles": "RoleName"}, supplied="RoleName")
PASSWORD = _of(
    "secretsmanager",
    "GetRandomPassword",
    outside={
        "GenerateStringKey": "CloudFormation's own: where the password goes",
        "SecretStringTemplate": "CloudFormation's own: what it goes into",
    },
)

BY_TYPE: Mapping[str, Operations] = {
    "AWS::CloudWatch::Alarm": _of("cloudwatch", "PutMetricAlarm", supplied="AlarmName"),
    "AWS::CloudWatch::Dashboard": _of("cloudwatch", "PutDashboard", supplied="DashboardName"),
    "AWS::EC2::EIP": _of("ec2", "AllocateAddress", members=TAGGED),
    "AWS::EC2::FlowLog": _of("ec2", "CreateFlowLogs", members={"ResourceId": "ResourceIds", **TAGGED}),
    "AWS::EC2::InternetGateway": _of("ec2", "CreateInternetGateway", members=TAGGED),
    "AWS::EC2::NatGateway": _of("ec2", "CreateNatGateway", members=TAGGED),
    "AWS::EC2::Route": _of("ec2", "CreateRoute"),
    "AWS::EC2::RouteTable": _of("ec2", "CreateRouteTable", members=TAGGED),
    "AWS::EC2::SecurityGroup": _of(
        "ec2",
        "CreateSecurityGroup",
        members={"GroupDescription": "Description", **TAGGED},
        parts={"SecurityGroupEgress": EGRESS_TO_ADDRESSES},
        supplied="GroupName",
    ),
    "AWS::EC2::SecurityGroupEgress": _of(
        "ec2",
        "AuthorizeSecurityGroupEgress",
        members=_rule("DestinationSecurityGroupId")
        | {"DestinationPrefixListId": "IpPermissions.PrefixListIds.PrefixListId"},
    ),
    "AWS::EC2::SecurityGroupIngress": _of(
        "ec2",
        "AuthorizeSecurityGroupIngress",
        members=_rule("SourceSecurityGroupId")
        | {
            "CidrIp": "IpPermissions.IpRanges.CidrIp",
            "SourcePrefixListId": "IpPermissions.PrefixListIds.PrefixListId",
        },
    ),
    "AWS::EC2::Subnet": _of(
        "ec2",
        "CreateSubnet",
        "ModifySubnetAttribute",
        members={"MapPublicIpOnLaunch": "MapPublicIpOnLaunch.Value", **TAGGED},
    ),
    "AWS::EC2::SubnetRouteTableAssociation": _of("ec2", "AssociateRouteTable"),
    "AWS::EC2::VPC": _of(
        "ec2",
        "CreateVpc",
        "ModifyVpcAttribute",
        members={
            "EnableDnsHostnames": "EnableDnsHostnames.Value",
            "EnableDnsSupport": "EnableDnsSupport.Value",
            **TAGGED,
        },
    ),
    "AWS::EC2::VPCEndpoint": _of("ec2", "CreateVpcEndpoint", members=TAGGED),
    "AWS::EC2::VPCGatewayAttachment": _of("ec2", "AttachInternetGateway"),
    "AWS::IAM::OIDCProvider": _of("iam", "CreateOpenIDConnectProvider"),
    "AWS::IAM::Policy": INLINE_POLICY,
    "AWS::IAM::Role": _of(
        "iam",
        "CreateRole",
        "AttachRolePolicy",
        members={"ManagedPolicyArns": "PolicyArn"},
        parts={"Policies": INLINE_POLICY},
        supplied="RoleName",
    ),
    "AWS::Events::EventBus": _of("events", "CreateEventBus"),
    "AWS::Events::Rule": _of("events", "PutRule", "PutTargets", supplied="Rule"),
    "AWS::Lambda::EventInvokeConfig": _of("lambda", "PutFunctionEventInvokeConfig"),
    "AWS::Lambda::Function": _of(
        "lambda", "CreateFunction", "PutFunctionConcurrency", "PutFunctionRecursionConfig", supplied="FunctionName"
    ),
    "AWS::Lambda::Permission": _of("lambda", "AddPermission", supplied="StatementId"),
    "AWS::Lambda::Version": _of("lambda", "PublishVersion"),
    "AWS::Logs::LogGroup": _of("logs", "CreateLogGroup", "PutRetentionPolicy", supplied="logGroupName"),
    "AWS::RDS::DBInstance": _of(
        "rds",
        "CreateDBInstance",
        "RestoreDBInstanceFromDBSnapshot",
        members={"VPCSecurityGroups": "VpcSecurityGroupIds"},
        parts={
            "MasterUserSecret": _of(
                "rds",
                "CreateDBInstance",
                members={"KmsKeyId": "MasterUserSecretKmsKeyId"},
                supplied="DBInstanceIdentifier DBInstanceClass Engine",
            )
        },
        supplied="DBInstanceIdentifier Engine",
        outside={
            "AutomaticBackupReplicationRegion": "where StartDBInstanceAutomatedBackupsReplication is called",
            "AutomaticBackupReplicationKmsKeyId": "KmsKeyId of that call, which takes any text",
            "DeleteAutomatedBackups": "of DeleteDBInstance, and of the type's own schema",
        },
    ),
    "AWS::RDS::DBParameterGroup": _of(
        "rds",
        "CreateDBParameterGroup",
        members={"Family": "DBParameterGroupFamily"},
        supplied="DBParameterGroupName",
        outside={"Parameters": "ModifyDBParameterGroup takes any text: MySQL knows its own parameters"},
    ),
    "AWS::RDS::DBProxy": _of("rds", "CreateDBProxy"),
    "AWS::RDS::DBProxyTargetGroup": _of(
        "rds",
        "ModifyDBProxyTargetGroup",
        "RegisterDBProxyTargets",
        members={"ConnectionPoolConfigurationInfo": "ConnectionPoolConfig"},
    ),
    "AWS::RDS::DBSubnetGroup": _of("rds", "CreateDBSubnetGroup", supplied="DBSubnetGroupName"),
    "AWS::RDS::EventSubscription": _of("rds", "CreateEventSubscription", supplied="SubscriptionName"),
    "AWS::SNS::Subscription": _of("sns", "Subscribe"),
    "AWS::SNS::Topic": _of(
        "sns",
        "CreateTopic",
        members={"TopicName": "Name", "KmsMasterKeyId": "Attributes.KmsMasterKeyId"},
        supplied="Name",
    ),
    "AWS::SNS::TopicPolicy": _of(
        "sns",
        "SetTopicAttributes",
        members={"Topics": "TopicArn", "PolicyDocument": "AttributeValue"},
        supplied="AttributeName",
    ),
    "AWS::SQS::Queue": _of(
        "sqs",
        "CreateQueue",
        members={
            name: f"Attributes.{name}" for name in ("KmsMasterKeyId", "MessageRetentionPeriod", "SqsManagedSseEnabled")
        },
        supplied="QueueName",
    ),
    "AWS::SQS::QueuePolicy": _of(
        "sqs", "SetQueueAttributes", members={"Queues": "QueueUrl", "PolicyDocument": "Attributes.Policy"}
    ),
    "AWS::Scheduler::Schedule": _of("scheduler", "CreateSchedule", supplied="Name"),
    "AWS::SecretsManager::Secret": _of(
        "secretsmanager", "CreateSecret", parts={"GenerateSecretString": PASSWORD}, supplied="Name"
    ),
}

WITHOUT = {
    "Custom::Trigger": "no API but a function of the CDK is called with it",
    "Custom::VpcRestrictDefaultSG": "no API but a function of the CDK is called with it",
}
"""Types without operations, and why."""
