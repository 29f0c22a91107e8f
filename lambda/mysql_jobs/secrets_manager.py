"""Secrets, read from Secrets Manager with the standard library: that of a login, and those that a job uses.

Its HTTP client takes 10 ms of a cold start to import: apart from the rest, for those who need it.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

from mysql_jobs.configuration import ConfigurationError
from mysql_jobs.credentials import Credentials, CredentialsError, access_key
from mysql_jobs.deadline import Deadline, Watchdog
from mysql_jobs.network import LOOPBACK, close_half_made, open_socket, public_tls
from mysql_jobs.signature import signed_headers

TRANSIENT_ERRORS = ("InternalServiceError", "ThrottlingException")
"""Errors of Secrets Manager that are worth a retry:
https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html"""


def read_secret(*, arn: str, region: str, deadline: Deadline) -> Credentials:
    """Return the user and the password in the secret `arn`.

    Raises:
        ConfigurationError: the function has no AWS credentials, or the endpoint is no https address.
        CredentialsError: Secrets Manager refused or could not be reached, or the secret has no password.
        DeadlineExceeded: no time is left for the request.
    """
    answer = _get_secret_value(arn=arn, region=region, deadline=deadline)
    try:
        secret = json.loads(answer["SecretString"])
        user, password = secret["username"], secret["password"]
        if isinstance(user, str) and isinstance(password, str):
            return Credentials(user=user, password=password)
    except (KeyError, TypeError, ValueError):
        pass  # and not the cause of what is raised: its message may quote the secret
    raise CredentialsError(f"secret {arn} is not a JSON object with username and password, both text")


def read_text(name: str, *, region: str, deadline: Deadline) -> str:
    """Return the text of the secret `name`, as it is.

    Raises:
        ConfigurationError: the function has no AWS credentials, or the endpoint is no https address.
        CredentialsError: Secrets Manager refused or could not be reached, or the secret is no text.
        DeadlineExceeded: no time is left for the request.
    """
    text = _get_secret_value(arn=name, region=region, deadline=deadline).get("SecretString")
    if not isinstance(text, str):
        raise CredentialsError(f"secret {name} is no text: write it as one")
    return text


def _get_secret_value(*, arn: str, region: str, deadline: Deadline) -> dict[str, str]:
    endpoint = _secrets_manager(region)
    body = json.dumps({"SecretId": arn}).encode()
    headers = signed_headers(
        host=endpoint.netloc,
        headers={
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": "secretsmanager.GetSecretValue",
        },
        body=body,
        service="secretsmanager",
        region=region,
        key=access_key(),
        now=datetime.now(UTC),
    )
    unreadable = ""
    try:
        status, answer = _post(endpoint, body, headers, deadline)
    except OSError as error:
        message = f"Secrets Manager at {endpoint.netloc} did not answer for {arn}: {error}"
        raise CredentialsError(message, transient=not isinstance(error, ssl.SSLCertVerificationError)) from error
    except (http.client.HTTPException, ValueError) as error:
        # Its type alone, and not as a cause: it may quote the answer, and the answer holds the secret.
        unreadable = type(error).__name__
    if unreadable:
        message = f"Secrets Manager at {endpoint.netloc} gave an unreadable answer for {arn}: {unreadable}"
        raise CredentialsError(message, transient=True)
    if status == http.client.OK:
        return answer
    kind = str(answer.get("__type", status)).rpartition("#")[2]
    raise CredentialsError(
        f"Secrets Manager refused {arn}: {kind}: {answer.get('message') or answer.get('Message')}",
        transient=status >= http.client.INTERNAL_SERVER_ERROR or kind in TRANSIENT_ERRORS,
    )


def _post(
    endpoint: SplitResult, body: bytes, headers: dict[str, str], deadline: Deadline
) -> tuple[int, dict[str, str]]:
    """Return the status and the JSON object of the endpoint's answer, received before the deadline."""
    secure = endpoint.scheme == "https"
    host, port = endpoint.hostname or "", endpoint.port or (443 if secure else 80)
    deadline.require("asking Secrets Manager")
    connected, _address = open_socket(host, port, deadline)
    connection = http.client.HTTPConnection(host, port)
    watchdog = None
    try:
        watchdog = Watchdog(connected, deadline)
        connection.sock = public_tls().wrap_socket(connected, server_hostname=host) if secure else connected
        connection.request("POST", "/", body=body, headers=headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except BaseException as error:
        close_half_made(error)
        raise
    finally:
        connection.close()
        connected.close()
        if watchdog is not None:
            watchdog.dismiss()
    if not isinstance(answer, dict):
        raise ValueError("the answer is not a JSON object")
    return response.status, answer


def _secrets_manager(region: str) -> SplitResult:
    # The environment variables of the AWS SDKs:
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    variable = os.environ.get("AWS_ENDPOINT_URL_SECRETS_MANAGER") or os.environ.get("AWS_ENDPOINT_URL")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    endpoint = urlsplit(variable or f"https://secretsmanager.{region}.{domain}")
    loopback = endpoint.scheme == "http" and endpoint.hostname in LOOPBACK
    if not (endpoint.scheme == "https" or loopback):
        raise ConfigurationError(
            f"AWS_ENDPOINT_URL is {variable!r}: write an https address; a password is never sent in plaintext"
        )
    return endpoint
