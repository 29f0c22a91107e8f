"""The RDS instance: its server settings, its logs, and who looks at its operating system.

A function, not a construct of its own: the logical ids of what holds data depend on the constructs around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds

from settings import names
from settings.environment import DatabaseSettings
from stacks.database.login import MASTER_USER
from stacks.database.parameter_group import parameter_group
from stacks.network.network import Network

ENGINE = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.of("8.4", "8.4"))
"""The major version alone: the minor one is RDS's to choose and to raise.

A new instance gets RDS's default minor version. A whole version would be refused where RDS is ahead of it:
CloudFormation restores a snapshot in the snapshot's own version, then modifies the instance to what is written here. To
RDS, a major version means "the default minor version, if the present one is lower". Drift is compared with "8.4.*".
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html (EngineVersion)
https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-rds (aws-rds-dbinstance: CreateHandler,
Translator.modifyDbInstanceAfterCreateRequest, propertyTransform)
"""

LOGS = ("error", "slowquery")
IAM_LOG = "iam-db-auth-error"
"""Says why a login with a token failed, which the client is never told; exported where the jobs log in so.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.Troubleshooting.html"""

INHERITED = ("DBName", "KmsKeyId", "MasterUsername", "StorageEncrypted")
"""A snapshot brings them with it, and CloudFormation refuses them beside one.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html"""


def add_instance(
    stack: cdk.Stack, *, environment: str, settings: DatabaseSettings, network: Network, encryption_key: kms.IKey | None
) -> rds.DatabaseInstance:
    """Add the private, encrypted instance that `settings` describe; RDS makes and rotates its master password.

    Without `encryption_key`, AWS's own encrypts.
    """
    exported = (*LOGS, IAM_LOG) if settings.auth == "iam" else LOGS
    instance = rds.DatabaseInstance(
        stack,
        "Instance",
        # CloudFormation can't replace what has a name of its own, as the new one can't be made beside the old one.
        # So a setting that asks for another instance fails to deploy, and takes no data with it.
        # https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html
        instance_identifier=names.database(environment),
        engine=ENGINE,
        parameter_group=parameter_group(stack, "Parameters", engine=ENGINE),
        vpc=network.vpc,
        vpc_subnets=network.subnets,
        security_groups=[
            ec2.SecurityGroup(
                stack, "SecurityGroup", vpc=network.vpc, description="The database", allow_all_outbound=False
            )
        ],
        port=settings.port,
        instance_type=ec2.InstanceType(settings.instance_class),
        multi_az=settings.multi_az,
        storage_type=rds.StorageType.GP3,
        allocated_storage=settings.storage_gb,
        max_allocated_storage=settings.max_storage_gb,
        iops=settings.storage_iops,
        storage_throughput=settings.storage_mbps,
        storage_encrypted=True,
        storage_encryption_key=encryption_key,
        database_name=settings.name,
        credentials=rds.Credentials.from_username(MASTER_USER, encryption_key=encryption_key),
        manage_master_user_password=True,
        iam_authentication=True,
        ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1,
        cloudwatch_logs_exports=list(exported),
        monitoring_interval=cdk.Duration.seconds(settings.monitoring_seconds),
        monitoring_role=_monitoring_role(stack) if settings.monitoring_seconds else None,
        **_insights(settings, encryption_key),
        backup_retention=cdk.Duration.days(settings.backup_days),
        # None: RDS chooses both, as it knows when the region's night is.
        preferred_backup_window=settings.backup_window,
        preferred_maintenance_window=settings.maintenance_window,
        # By default they are deleted with the instance: every moment but that of the final snapshot. It is not by
        # deletion_protection that this is decided: that is off whenever an instance is deleted.
        delete_automated_backups=False if settings.keeps_backups else None,
        copy_tags_to_snapshot=True,
        deletion_protection=settings.deletion_protection,
        removal_policy=cdk.RemovalPolicy.SNAPSHOT,
        auto_minor_version_upgrade=True,
        # 8.4 leaves standard support in 2029; staying longer shall be a decision, not a bill.
        engine_lifecycle_support=rds.EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED,
    )
    instance.node.add_dependency(*_log_groups(stack, environment, exported, encryption_key))
    resource = _resource(instance)
    # Without a number of days of their own, copies are kept for as long as what they are copies of.
    resource.automatic_backup_replication_region = settings.backup_copy_region
    resource.automatic_backup_replication_kms_key_id = settings.backup_copy_key
    if settings.snapshot is not None:
        _start_from(settings.snapshot, resource)
    return instance


def _insights(settings: DatabaseSettings, encryption_key: kms.IKey | None) -> dict[str, Any]:
    match settings.insights:
        case "off":
            return {"enable_performance_insights": False}
        case "standard":
            mode, retention = rds.DatabaseInsightsMode.STANDARD, rds.PerformanceInsightRetention.DEFAULT
        case "advanced":
            mode, retention = rds.DatabaseInsightsMode.ADVANCED, rds.PerformanceInsightRetention.MONTHS_15
    return {
        "enable_performance_insights": True,
        "database_insights_mode": mode,
        "performance_insight_retention": retention,
        "performance_insight_encryption_key": encryption_key,
    }


def _monitoring_role(stack: cdk.Stack) -> iam.Role:
    policy = iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AmazonRDSEnhancedMonitoringRole")
    return iam.Role(
        stack,
        "MonitoringRole",
        assumed_by=iam.ServicePrincipal(
            "monitoring.rds.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": stack.account}}
        ),
        managed_policies=[policy],
    )


def _log_groups(
    stack: cdk.Stack, environment: str, exported: Sequence[str], encryption_key: kms.IKey | None
) -> list[logs.LogGroup]:
    """Where RDS exports the logs to: without these it would make groups of its own, and keep them for ever."""
    return [
        logs.LogGroup(
            stack,
            f"{log.title().replace('-', '')}Log",
            log_group_name=names.database_log(environment, log),
            encryption_key=encryption_key,
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        for log in exported
    ]


def _resource(instance: rds.DatabaseInstance) -> rds.CfnDBInstance:
    resource = instance.node.default_child
    if not isinstance(resource, rds.CfnDBInstance):
        raise AssertionError("an instance is one resource")
    return resource


def _start_from(snapshot: str, resource: rds.CfnDBInstance) -> None:
    """Make the instance from `snapshot`: the same construct, so nothing else notices."""
    resource.db_snapshot_identifier = snapshot
    for name in INHERITED:
        resource.add_property_deletion_override(name)
