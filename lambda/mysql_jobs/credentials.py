"""Database credentials of a run: an IAM token signed here, or the password from Secrets Manager."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import NamedTuple

from mysql_jobs.configuration import ConfigurationError, Database, Login
from mysql_jobs.deadline import Deadline
from mysql_jobs.signature import AccessKey, presigned_query

TOKEN_SECONDS = 900
"""How long an IAM token is valid; AWS allows no more.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html"""


class CredentialsError(Exception):
    """The password could not be obtained; the message has the error of AWS, never a secret."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        """Take `message`, and whether the error is `transient`: another request may succeed."""
        super().__init__(message)
        self.transient = transient


class Credentials(NamedTuple):
    """A database user and its password, or the token that takes its place."""

    user: str
    password: str

    def __repr__(self) -> str:
        """Return a text without the password."""
        return f"Credentials(user={self.user!r})"


class Authentication:
    """The credentials of one login during one run; they are not kept for the next."""

    def __init__(self, *, login: Login, database: Database) -> None:
        """Prepare for `login` to `database`; nothing is requested yet."""
        self._login = login
        self._database = database
        self._secret: Credentials | None = None
        if login.auth == "secret":
            # Not above: it takes 10 ms of a cold start, which other logins need not wait for.
            from mysql_jobs import secrets_manager  # noqa: PLC0415

            self._secrets_manager = secrets_manager

    def credentials(self, deadline: Deadline) -> Credentials:
        """Return a token signed now, or the secret as it was when the run first read it.

        Raises:
            ConfigurationError: the function has no AWS credentials.
            CredentialsError: Secrets Manager refused or could not be reached, or the secret has no password.
            DeadlineExceeded: no time is left for the request.
        """
        if self._login.auth == "iam":
            token = iam_token(user=self._login.user, database=self._database, now=datetime.now(UTC))
            return Credentials(self._login.user, token)
        if self._secret is None:
            self._secret = self._secrets_manager.read_secret(
                arn=self._login.secret, region=self._database.region, deadline=deadline
            )
        return self._secret

    def forget(self) -> None:
        """Read the secret anew next time: the database refused it, so it may have been rotated."""
        self._secret = None


def iam_token(*, user: str, database: Database, now: datetime) -> str:
    """Return a token with which `user` can log in to `database` within the next 15 minutes. Makes no network call.

    Raises:
        ConfigurationError: the function has no AWS credentials.
    """
    host = f"{database.host}:{database.port}"
    query = presigned_query(
        host=host,
        parameters={"Action": "connect", "DBUser": user},
        service="rds-db",
        region=database.region,
        key=access_key(),
        now=now,
        expires_seconds=TOKEN_SECONDS,
    )
    return f"{host}/?{query}"


def access_key() -> AccessKey:
    """Return the function's own AWS credentials, as Lambda has set them.

    Raises:
        ConfigurationError: there are none.
    """
    try:
        return AccessKey(
            id=os.environ["AWS_ACCESS_KEY_ID"],
            secret=os.environ["AWS_SECRET_ACCESS_KEY"],
            session_token=os.environ.get("AWS_SESSION_TOKEN", ""),
        )
    except KeyError as missing:
        name = missing.args[0]
        raise ConfigurationError(
            f"environment variable {name} is missing: Lambda sets it, from the function's role"
        ) from None
