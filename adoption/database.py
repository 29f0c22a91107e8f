"""What RDS says of a database that is there: all that [database.existing] needs, by calls that only look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adoption.max_connections import least_connections
from delivery.aws import Aws
from delivery.refusal import Refused

ENGINES = ("mysql", "aurora-mysql")


@dataclass(frozen=True, kw_only=True)
class Database:
    """An RDS for MySQL instance, or an Aurora MySQL cluster."""

    identifier: str
    engine: str
    version: str
    endpoint: str
    port: int
    resource_id: str
    security_groups: tuple[str, ...]
    vpc: str
    schema: str | None
    """The one that was made with it; None if there was none."""
    iam: bool
    """Whether a login with a token is enabled."""
    login: str | None
    """The secret that RDS manages; None if there is none."""
    login_key: str | None
    """The key of that secret; None if it is AWS's own."""
    max_connections: int | None
    """None: nobody here knows, and the server has to be asked."""
    classes: tuple[str, ...]
    """Of the instance, or of each of the cluster's."""
    authorities: tuple[str, ...]
    """Who signed the certificates, as RDS calls them."""
    public: bool
    """Whether an instance has an address that the internet can reach."""


def find(aws: Aws, identifier: str) -> Database:
    """Return the database called `identifier`: an instance, a cluster, or the cluster that an instance is of.

    Raises:
        Refused: there is none, or none that jobs can work on.
    """
    rds = aws.client("rds")
    instance = aws.instance(identifier)
    cluster = _cluster(rds, instance.get("DBClusterIdentifier", "") if instance else identifier)
    found = cluster or instance
    if found is None:
        raise Refused(
            f"There is no instance and no cluster {identifier} in {aws.region}: `aws rds describe-db-instances` and "
            "`aws rds describe-db-clusters` list them; REGION=… is another region"
        )
    engine = found["Engine"]
    if engine not in ENGINES:
        raise Refused(f"{identifier} is {engine}: the jobs work on {' and '.join(ENGINES)}")
    if cluster and engine == "mysql":
        raise Refused(f"{identifier} is a Multi-AZ DB cluster: its failover is not that of an instance, nor of Aurora")
    members = [_member(aws, each) for each in cluster["DBClusterMembers"]] if cluster else [found]
    if not members:
        raise Refused(f"{identifier} has no instance, so nobody can connect to it")
    return _described(aws, found, members)


def _cluster(rds: Any, identifier: str) -> Mapping[str, Any] | None:
    if not identifier:
        return None
    try:
        [found] = rds.describe_db_clusters(DBClusterIdentifier=identifier)["DBClusters"]
    except rds.exceptions.DBClusterNotFoundFault:
        return None
    return dict(found)


def _member(aws: Aws, member: Mapping[str, Any]) -> Mapping[str, Any]:
    found = aws.instance(member["DBInstanceIdentifier"])
    if found is None:
        raise Refused(f"{member['DBInstanceIdentifier']} is of the cluster, and not there any more: try again")
    return found


def _described(aws: Aws, found: Mapping[str, Any], members: Sequence[Mapping[str, Any]]) -> Database:
    """What is the same of both is read from `found`; what only instances have, from its `members`."""
    cluster = "DBClusterIdentifier" in found and "DBClusterArn" in found
    secret = found.get("MasterUserSecret", {})
    groups = [each for each in found["VpcSecurityGroups"] if each["Status"] == "active"]
    return Database(
        identifier=found["DBClusterIdentifier"] if cluster else found["DBInstanceIdentifier"],
        engine=found["Engine"],
        version=found["EngineVersion"],
        endpoint=found["Endpoint"] if cluster else found["Endpoint"]["Address"],
        port=found["Port"] if cluster else found["Endpoint"]["Port"],
        resource_id=found["DbClusterResourceId"] if cluster else found["DbiResourceId"],
        security_groups=tuple(each["VpcSecurityGroupId"] for each in groups),
        vpc=members[0]["DBSubnetGroup"]["VpcId"],
        schema=found.get("DatabaseName" if cluster else "DBName"),
        iam=found.get("IAMDatabaseAuthenticationEnabled", False),
        login=secret.get("SecretArn"),
        login_key=_own_key(aws, secret.get("KmsKeyId")),
        max_connections=_least([*_limits(aws, members)]),
        classes=tuple(each["DBInstanceClass"] for each in members),
        authorities=tuple(sorted({each.get("CACertificateIdentifier", "unknown") for each in members})),
        public=any(each.get("PubliclyAccessible", False) for each in members),
    )


def _own_key(aws: Aws, key: str | None) -> str | None:
    """The ARN of a key of one's own: to AWS's, whoever may read the secret has access by itself."""
    if key is None:
        return None
    described = aws.client("kms").describe_key(KeyId=key)["KeyMetadata"]
    return str(described["Arn"]) if described["KeyManager"] == "CUSTOMER" else None


def _limits(aws: Aws, members: Sequence[Mapping[str, Any]]) -> Iterator[int | None]:
    """Each instance's max_connections: after a failover, another one is the writer."""
    parameters = aws.client("rds").get_paginator("describe_db_parameters")
    for member in members:
        [group, *_] = member["DBParameterGroups"]
        pages = parameters.paginate(DBParameterGroupName=group["DBParameterGroupName"])
        values = {each["ParameterName"]: each.get("ParameterValue") for page in pages for each in page["Parameters"]}
        yield least_connections(values.get("max_connections") or "", member["DBInstanceClass"].removeprefix("db."))


def _least(limits: Sequence[int | None]) -> int | None:
    known = [each for each in limits if each is not None]
    return min(known) if len(known) == len(limits) else None
