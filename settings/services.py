"""The AWS services that a job may use, and how each is reached from a network without a way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service, by the name of its client in botocore."""

    prefix: str
    """Of its actions and ARNs, as in ses:SendEmail."""
    endpoint: str | None
    """What the name of its VPC endpoint ends in, as in com.amazonaws.eu-central-1.email; None where a job has rights
    only, as other services use it for the job.
    https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html"""
    kind: Literal["Gateway", "Interface"] = "Interface"
    """A gateway is free and routes all traffic of the subnets to it; an interface is billed by the hour and zone."""


SERVICES: Mapping[str, Service] = MappingProxyType(
    {
        "athena": Service(prefix="athena", endpoint="athena"),
        "bedrock-runtime": Service(prefix="bedrock", endpoint="bedrock-runtime"),
        "dynamodb": Service(prefix="dynamodb", endpoint="dynamodb", kind="Gateway"),
        "events": Service(prefix="events", endpoint="events"),
        "firehose": Service(prefix="firehose", endpoint="kinesis-firehose"),
        "glue": Service(prefix="glue", endpoint="glue"),
        "kinesis": Service(prefix="kinesis", endpoint="kinesis-streams"),
        "kms": Service(prefix="kms", endpoint=None),
        "lambda": Service(prefix="lambda", endpoint="lambda"),
        "s3": Service(prefix="s3", endpoint="s3", kind="Gateway"),
        "ses": Service(prefix="ses", endpoint="email"),
        "sesv2": Service(prefix="ses", endpoint="email"),
        "sns": Service(prefix="sns", endpoint="sns"),
        "sqs": Service(prefix="sqs", endpoint="sqs"),
        "ssm": Service(prefix="ssm", endpoint="ssm"),
        "stepfunctions": Service(prefix="states", endpoint="states"),
    }
)
"""The names are botocore's, so that of an endpoint or of actions may be another."""
GATEWAYS = frozenset(each.endpoint for each in SERVICES.values() if each.endpoint and each.kind == "Gateway")
"""The gateway endpoints."""
SECRETS = "secretsmanager"
"""The endpoint of Secrets Manager, and the prefix of its actions. USES calls it "secret": a job only reads them."""
