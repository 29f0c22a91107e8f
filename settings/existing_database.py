"""[database.existing]: an RDS for MySQL instance or an Aurora MySQL cluster that is there, and that others own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from settings.project import Project
from settings.values import KEY, Like, Settings

IDENTIFIER = r"[a-z](-?[a-z0-9]+)*"
"""RDS keeps them in small letters.
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html (DBInstanceIdentifier)"""
ENDPOINT = r"[a-z0-9-]+\.[a-z0-9-]+\.[a-z0-9-]+\.rds\.amazonaws\.com"
LOGIN = r"arn:aws:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[\w/+=.@!-]+-[A-Za-z0-9]{6}"
"""With the six characters that Secrets Manager adds to a name: without them, a policy fits no secret.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_iam-permissions.html"""


def _certificates(value: str, info: ValidationInfo) -> str:
    project: Project = info.context  # type: ignore[assignment]
    file = project.environments / value
    if not file.is_file():
        raise ValueError(f"{file.parent.name}/{value} does not exist: write it, or remove the key")
    if "-----BEGIN CERTIFICATE-----" not in file.read_text(errors="replace"):
        raise ValueError(f"{file.parent.name}/{value} has no certificate: write one in PEM")
    return value


class ExistingDatabase(Settings):
    """[database.existing]: where it is and how to log in, as `make adopt` finds it. Nothing of it is ever changed."""

    identifier: Annotated[
        str, Field(max_length=63), Like(IDENTIFIER, write="the name of the instance or the cluster, like orders")
    ]
    """The name of the instance or, with Aurora, of the cluster."""
    engine: Literal["mysql", "aurora-mysql"]
    """As RDS calls it."""
    endpoint: Annotated[str, Like(ENDPOINT, write="its host name, like orders.abc123.eu-central-1.rds.amazonaws.com")]
    """Its host name; with Aurora, the cluster's, which leads to the writer."""
    port: Annotated[int, Field(ge=1150, le=65535)] = 3306
    """Where it listens."""
    resource_id: Annotated[str, Like(r"(db|cluster)-[A-Z0-9]+", write="its resource id, like db-ABCDEFGHIJKL01234")]
    """db-… of the instance, or cluster-… of the cluster: for this one, IAM lets the jobs log in."""
    security_group: Annotated[str, Like("sg-[0-9a-f]{8,17}", write="a security group's id, like sg-0123456789abcdef0")]
    """One of its own: gets a rule for each of our groups."""
    login: Annotated[str, Like(LOGIN, write="the whole ARN of a secret, with the six characters at its end")]
    """The secret that the migrations log in with, RDS's own or one of yours: JSON with username and password."""
    login_key: Annotated[str, Like(KEY, write="a KMS key's ARN")] | None = None
    """The key that encrypts the secret, if it isn't AWS's own, aws/secretsmanager."""
    max_connections: Annotated[int, Field(ge=10, le=100_000)]
    """How many connections the server accepts: SELECT @@max_connections. The connection budget is held against it."""
    certificates: (
        Annotated[
            str,
            Like(r"[\w-][\w.-]*\.pem", write="the name of a PEM file beside this one, like company.pem"),
            AfterValidator(_certificates),
        ]
        | None
    ) = None
    """A file beside the environment's, with the authorities that its certificate is verified with, where they are not
    RDS's own."""
