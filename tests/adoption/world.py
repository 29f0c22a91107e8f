"""An account with databases in it, as RDS, EC2 and KMS describe them: each call and answer fits the service's model."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from delivery.aws import Aws

Answer = dict[str, Any]
ACCOUNT, REGION, VPC = "222222222222", "eu-central-1", "vpc-0123456789abcdef0"
OWN_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/87654321-1234-1234-1234-123456789012"
AWS_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-1234-1234-1234-123456789012"
SECRET = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-12345678-abcdef"
INSTANCE = {
    "DBInstanceIdentifier": "shop",
    "DBInstanceClass": "db.m7g.large",
    "Engine": "mysql",
    "EngineVersion": "8.4.6",
    "DBName": "shop",
    "Endpoint": {"Address": f"shop.abc123def456.{REGION}.rds.amazonaws.com", "Port": 3306},
    "DbiResourceId": "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "VpcSecurityGroups": [
        {"VpcSecurityGroupId": "sg-00000000000000001", "Status": "active"},
        {"VpcSecurityGroupId": "sg-00000000000000002", "Status": "removing"},
    ],
    "DBSubnetGroup": {"VpcId": VPC},
    "DBParameterGroups": [{"DBParameterGroupName": "default.mysql8.4", "ParameterApplyStatus": "in-sync"}],
    "IAMDatabaseAuthenticationEnabled": True,
    "CACertificateIdentifier": "rds-ca-rsa2048-g1",
    "PubliclyAccessible": False,
    "MasterUserSecret": {"SecretArn": SECRET, "SecretStatus": "active", "KmsKeyId": AWS_KEY},
}
CLUSTER = {
    "DBClusterIdentifier": "orders",
    "DBClusterArn": f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:orders",
    "Engine": "aurora-mysql",
    "EngineVersion": "8.0.mysql_aurora.3.10.0",
    "DatabaseName": "orders",
    "Endpoint": f"orders.cluster-abc123def456.{REGION}.rds.amazonaws.com",
    "Port": 3307,
    "DbClusterResourceId": "cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-00000000000000003", "Status": "active"}],
    "IAMDatabaseAuthenticationEnabled": False,
    "DBClusterMembers": [
        {"DBInstanceIdentifier": "orders-1", "IsClusterWriter": True},
        {"DBInstanceIdentifier": "orders-2", "IsClusterWriter": False},
    ],
}
GREATEST = "GREATEST({log(DBInstanceClassMemory/805306368)*45},{log(DBInstanceClassMemory/8187281408)*1000})"
SUBNETS = [
    {
        "SubnetId": "subnet-b",
        "CidrBlock": "10.0.1.0/24",
        "AvailabilityZone": f"{REGION}b",
        "MapPublicIpOnLaunch": False,
    },
    {
        "SubnetId": "subnet-a",
        "CidrBlock": "10.0.0.0/24",
        "AvailabilityZone": f"{REGION}a",
        "MapPublicIpOnLaunch": False,
    },
    {
        "SubnetId": "subnet-p",
        "CidrBlock": "10.0.2.0/24",
        "AvailabilityZone": f"{REGION}a",
        "MapPublicIpOnLaunch": False,
    },
    {
        "SubnetId": "subnet-n",
        "CidrBlock": "10.0.3.0/24",
        "AvailabilityZone": f"{REGION}a",
        "MapPublicIpOnLaunch": False,
        "Tags": [{"Key": "aws-cdk:subnet-name", "Value": "Application"}],
    },
]
TABLES = [
    {"RouteTableId": "rtb-main", "Associations": [{"Main": True}], "Routes": []},
    {
        "RouteTableId": "rtb-public",
        "Associations": [{"Main": False, "SubnetId": "subnet-p"}],
        "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}],
    },
    {
        "RouteTableId": "rtb-nat",
        "Associations": [{"Main": False, "SubnetId": "subnet-n"}],
        "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"}],
    },
]


class World(Aws):
    """The account; a test changes what is in it.

    Attributes:
        calls: the operations that were called.
    """

    def __init__(self) -> None:
        super().__init__(REGION)
        self.calls: list[str] = []
        self.instances: dict[str, dict[str, Any]] = {"shop": copy.deepcopy(INSTANCE)}
        for name in ("orders-1", "orders-2"):
            one = {**INSTANCE, "DBInstanceIdentifier": name, "DBClusterIdentifier": "orders", "Engine": "aurora-mysql"}
            one["DBParameterGroups"] = [{"DBParameterGroupName": "default.aurora-mysql8.0"}]
            self.instances[name] = copy.deepcopy(one)
        self.clusters: dict[str, dict[str, Any]] = {"orders": copy.deepcopy(CLUSTER)}
        self.parameters = {"default.mysql8.4": "{DBInstanceClassMemory/12582880}", "default.aurora-mysql8.0": GREATEST}
        self.endpoints: list[dict[str, Any]] = []

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        client = botocore.session.Session().create_client(service, region_name=self.region, **keys)
        client.meta.events.register("before-parameter-build", self._note)
        client.meta.events.register("before-call", self._answer)
        return client

    @staticmethod
    def _note(params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["parameters"] = dict(params)

    def _answer(self, model: Any, context: Mapping[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        self.calls.append(model.name)
        answer = getattr(self, model.name)(context["parameters"])
        if answer is None:
            code = {"DescribeDBInstances": "DBInstanceNotFound", "DescribeDBClusters": "DBClusterNotFoundFault"}
            error = {"Code": code[model.name], "Message": "not found"}
            return SimpleNamespace(status_code=404), {"Error": error, "ResponseMetadata": {}}
        report = ParamValidator().validate(answer, model.output_shape)
        assert not report.has_errors(), f"{model.name}: {report.generate_report()}"
        return SimpleNamespace(status_code=200), answer

    def GetCallerIdentity(self, _: Any) -> Answer:  # noqa: N802
        return {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/somebody"}

    def DescribeDBInstances(self, asked: Any) -> Answer | None:  # noqa: N802
        found = self.instances.get(asked["DBInstanceIdentifier"])
        return {"DBInstances": [found]} if found else None

    def DescribeDBClusters(self, asked: Any) -> Answer | None:  # noqa: N802
        found = self.clusters.get(asked["DBClusterIdentifier"])
        return {"DBClusters": [found]} if found else None

    def DescribeDBParameters(self, asked: Any) -> Answer:  # noqa: N802
        pages: dict[str, Answer] = {
            "": {"Parameters": [{"ParameterName": "autocommit"}], "Marker": "more"},
            "more": {
                "Parameters": [
                    {
                        "ParameterName": "max_connections",
                        "ParameterValue": self.parameters[asked["DBParameterGroupName"]],
                    }
                ]
            },
        }
        return pages[asked.get("Marker", "")]

    def DescribeKey(self, asked: Any) -> Answer:  # noqa: N802
        manager = "CUSTOMER" if asked["KeyId"] == OWN_KEY else "AWS"
        return {"KeyMetadata": {"KeyId": "1", "Arn": asked["KeyId"], "KeyManager": manager}}

    def DescribeVpcs(self, _: Any) -> Answer:  # noqa: N802
        return {"Vpcs": [{"VpcId": VPC, "CidrBlock": "10.0.0.0/16", "OwnerId": ACCOUNT}]}

    def DescribeSubnets(self, _: Any) -> Answer:  # noqa: N802
        return {"Subnets": SUBNETS}

    def DescribeRouteTables(self, _: Any) -> Answer:  # noqa: N802
        return {"RouteTables": TABLES}

    def DescribeVpnGateways(self, _: Any) -> Answer:  # noqa: N802
        return {"VpnGateways": []}

    def DescribeVpcEndpoints(self, _: Any) -> Answer:  # noqa: N802
        return {"VpcEndpoints": self.endpoints}
