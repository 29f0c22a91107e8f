"""Who the run is to the database: an IAM token signed here, or the password from Secrets Manager."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from urllib.parse import urlsplit

from configuration import ConfigurationError, Database, Login
from deadline import Deadline
from signature import AccessKey, presigned_query, signed_headers

TOKEN_SECONDS = 900
"""An IAM token's life; AWS allows no more.
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html"""


class CredentialsError(Exception):
    """The password could not be had; the message carries AWS's own error, never a secret."""


@dataclass(frozen=True)
class Credentials:
    """A database user and its password, or the token that takes its place."""

    user: str
    password: str = field(repr=False)


def get_credentials(*, login: Login, database: Database, deadline: Deadline) -> Credentials:
    """The credentials of `login`, never older than this call.

    Raises:
        ConfigurationError: the function has no AWS credentials.
        CredentialsError: Secrets Manager refused, could not be reached, or holds no password.
        DeadlineExceeded: no time is left to ask.
    """
    if login.auth == "iam":
        return Credentials(login.user, iam_token(user=login.user, database=database, now=datetime.now(UTC)))
    return _from_secret(arn=login.secret, region=database.region, deadline=deadline)


def iam_token(*, user: str, database: Database, now: datetime) -> str:
    """The token that lets `user` into `database` within the next 15 minutes. No network is needed to make it.

    Raises:
        ConfigurationError: the function has no AWS credentials.
    """
    host = f"{database.host}:{database.port}"
    query = presigned_query(
        host=host,
        parameters={"Action": "connect", "DBUser": user},
        service="rds-db",
        region=database.region,
        key=_access_key(),
        now=now,
        expires_seconds=TOKEN_SECONDS,
    )
    return f"{host}/?{query}"


def _from_secret(*, arn: str, region: str, deadline: Deadline) -> Credentials:
    answer = _get_secret_value(arn=arn, region=region, deadline=deadline)
    try:
        secret = json.loads(answer["SecretString"])
        return Credentials(user=secret["username"], password=secret["password"])
    except (KeyError, TypeError, ValueError):
        # The cause would quote the secret.
        raise CredentialsError(f"secret {arn} is not a JSON object with username and password") from None


def _get_secret_value(*, arn: str, region: str, deadline: Deadline) -> dict[str, str]:
    host, connection = _secrets_manager(region, timeout=deadline.require("asking Secrets Manager"))
    body = json.dumps({"SecretId": arn}).encode()
    headers = signed_headers(
        host=host,
        headers={
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": "secretsmanager.GetSecretValue",
        },
        body=body,
        service="secretsmanager",
        region=region,
        key=_access_key(),
        now=datetime.now(UTC),
    )
    try:
        connection.request("POST", "/", body=body, headers=headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CredentialsError(f"Secrets Manager at {host} did not answer for {arn}: {error!r}") from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        reason = f"{answer.get('__type', response.status)}: {answer.get('message') or answer.get('Message')}"
        raise CredentialsError(f"Secrets Manager refused {arn}: {reason}")
    return dict(answer)


def _secrets_manager(region: str, *, timeout: float) -> tuple[str, http.client.HTTPConnection]:
    # The variables are those of the AWS SDKs:
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    default = f"https://secretsmanager.{region}.{_domain(region)}"
    variable = os.environ.get("AWS_ENDPOINT_URL_SECRETS_MANAGER") or os.environ.get("AWS_ENDPOINT_URL")
    endpoint = urlsplit(variable or default)
    if endpoint.scheme == "https":
        return endpoint.netloc, http.client.HTTPSConnection(endpoint.netloc, timeout=timeout, context=_public())
    if endpoint.scheme == "http" and endpoint.hostname in ("127.0.0.1", "localhost"):
        return endpoint.netloc, http.client.HTTPConnection(endpoint.netloc, timeout=timeout)
    raise ConfigurationError(
        f"AWS_ENDPOINT_URL is {variable!r}: write an https address; a password does not travel in clear"
    )


@cache
def _public() -> ssl.SSLContext:
    return ssl.create_default_context()


def _domain(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _access_key() -> AccessKey:
    try:
        return AccessKey(
            id=os.environ["AWS_ACCESS_KEY_ID"],
            secret=os.environ["AWS_SECRET_ACCESS_KEY"],
            session_token=os.environ.get("AWS_SESSION_TOKEN", ""),
        )
    except KeyError as missing:
        name = missing.args[0]
        raise ConfigurationError(f"environment variable {name} is missing: Lambda sets it from the role") from None
