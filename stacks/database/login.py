"""Login construct: how the jobs' database users are authenticated."""

import json
from collections.abc import Sequence
from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from settings import names

MASTER_USER = "admin"


class Login(Construct):
    """The logins of the jobs' users: an IAM token, which needs nothing here, or a secret for each job.

    Attributes:
        auth: which of the two.
        secrets: their passwords with auth = "secret", by job; else empty.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        auth: Literal["iam", "secret"],
        jobs: Sequence[str],
        encryption_key: kms.IKey | None,
        shared: bool,
    ) -> None:
        """Build what `auth` needs; `encryption_key` encrypts this environment's secrets, else AWS's own does.

        `shared` keeps the login that all jobs had up to version 0.1, for its functions: they are updated after this.
        """
        super().__init__(scope, construct_id)
        self.auth = auth
        self._environment = environment
        self._key = encryption_key
        self.secrets = {job: self._secret(job) for job in jobs} if auth == "secret" else {}
        self._shared_users = [names.SHARED_USER] if shared else []
        self._shared = self._secret_of_all(scope) if auth == "secret" and shared else None

    def variables(self, job: str) -> dict[str, str]:
        """Return the environment variables that tell a job how to log in."""
        user = {"DATABASE_USER": self.user_of(job), "DATABASE_AUTH": self.auth}
        if self.auth == "iam":
            return user
        return {**user, "DATABASE_SECRET": names.job_secret(self._environment, job)}

    def migration_variables(self) -> dict[str, str]:
        """Return the environment variables that tell the migrations how the jobs' users log in."""
        if self.auth == "iam":
            return {"JOBS_AUTH": "iam"}
        return {"JOBS_AUTH": "secret", "JOBS_SECRETS": names.job_secrets(self._environment)}

    def user_of(self, job: str) -> str:
        """Return the name of a job's user."""
        return names.database_user(self._environment, job)

    def users_in_use(self) -> list[str]:
        """Return names, or patterns, of all users that functions log in as, that of the version before among them."""
        return [names.database_users(self._environment), *self._shared_users]

    def secret_of(self, job: str) -> str:
        """Return the ARN of a job's secret; its end is random.

        By name: a stack has 200 outputs at most, and may have more jobs than that.
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
        """
        return self._arn(f"{names.job_secret(self._environment, job)}-??????")

    def all_secrets(self) -> list[str]:
        """Return a pattern of the ARNs of all jobs' secrets: a list of them would outgrow a policy. None with IAM."""
        return [self._arn(f"{names.job_secrets(self._environment)}*")] if self.auth == "secret" else []

    def secrets_in_use(self) -> list[str]:
        """Return ARNs, or patterns, of all secrets that functions read, those of the version before among them."""
        return [*self.all_secrets(), *([self._shared.secret_arn] if self._shared else [])]

    def grant_read(self, role: iam.IRole, secrets: Sequence[str]) -> None:
        """Let `role` read the secrets with these ARNs, which are this environment's."""
        let_read(role, secrets, self._key)

    def _secret(self, job: str) -> secretsmanager.Secret:
        return self._made(
            self,
            f"Secret-{job}",
            user=self.user_of(job),
            name=names.job_secret(self._environment, job),
            description=f"Login of the database user of the job {job}",
        )

    def _secret_of_all(self, scope: Construct) -> secretsmanager.Secret:
        # Functions of version 0.1 read it until they are updated, which is after this stack is.
        return self._made(
            scope, "JobsSecret", user=names.SHARED_USER, description="Login of the jobs' database user, up to 0.1"
        )

    def _made(
        self, scope: Construct, construct_id: str, *, user: str, description: str, name: str | None = None
    ) -> secretsmanager.Secret:
        return secretsmanager.Secret(
            scope,
            construct_id,
            secret_name=name,
            description=description,
            encryption_key=self._key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": user}),
                generate_string_key="password",
                password_length=40,
                exclude_punctuation=True,
            ),
        )

    def _arn(self, secret: str) -> str:
        return cdk.Stack.of(self).format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=secret,
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
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
