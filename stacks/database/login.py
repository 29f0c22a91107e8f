"""Login construct: how the jobs' database user is authenticated."""

import json
from collections.abc import Sequence
from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

MASTER_USER = "admin"
JOBS_USER = "jobs"
"""The migrations create this user; the jobs log in as it."""


class Login(Construct):
    """The login of the jobs' user: an IAM token, which needs nothing here, or a secret.

    Attributes:
        secret: its password with auth = "secret", else None.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        auth: Literal["iam", "secret"],
        encryption_key: kms.IKey | None,
    ) -> None:
        """Build what `auth` needs; `encryption_key` encrypts this environment's secrets, else AWS's own does."""
        super().__init__(scope, construct_id)
        self._key = encryption_key
        # Created in `scope`: the logical id of what holds data must never change.
        self.secret = self._secret(scope) if auth == "secret" else None

    def variables(self, prefix: str) -> dict[str, str]:
        """The environment variables <prefix>_… that tell a function how the jobs' user logs in."""
        if self.secret is None:
            return {f"{prefix}_USER": JOBS_USER, f"{prefix}_AUTH": "iam"}
        return {f"{prefix}_USER": JOBS_USER, f"{prefix}_AUTH": "secret", f"{prefix}_SECRET": self.secret.secret_arn}

    def grant_read(self, secret: secretsmanager.ISecret, role: iam.IRole) -> None:
        """Let `role` read `secret`, one of this environment's."""
        let_read(role, [secret.secret_arn], self._key)

    def _secret(self, scope: Construct) -> secretsmanager.Secret:
        return secretsmanager.Secret(
            scope,
            "JobsSecret",
            description="Login of the jobs' database user",
            encryption_key=self._key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": JOBS_USER}),
                generate_string_key="password",
                password_length=40,
                exclude_punctuation=True,
            ),
        )


def let_read(role: iam.IRole, secrets: Sequence[str], key: kms.IKey | None) -> None:
    """Let `role` read the secrets with these ARNs, which `key` encrypts, else AWS's own."""
    # Not the secret's own `grant_read`, which grants DescribeSecret, too: it is not needed.
    role.add_to_principal_policy(
        iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=list(secrets))
    )
    if key is not None:
        # The CDK would grant this in the key's own policy, which is the customer's.
        # https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
        service = f"secretsmanager.{cdk.Stack.of(role).region}.amazonaws.com"
        role.add_to_principal_policy(
            iam.PolicyStatement(
                actions=["kms:Decrypt"],
                resources=[key.key_arn],
                conditions={"StringEquals": {"kms:ViaService": service}},
            )
        )
