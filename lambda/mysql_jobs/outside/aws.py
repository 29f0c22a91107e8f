"""Clients of AWS services: botocore's, whose requests go through the run's own sockets.

botocore asks by its event `before-send` whether somebody else sends a request, and opens no socket itself then:
https://botocore.amazonaws.com/v1/documentation/api/latest/topics/events.html
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectionError,  # noqa: A004 (its own, of what was never connected)
    ConnectTimeoutError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from urllib3 import exceptions

from mysql_jobs.credentials import access_key
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.outside.web import Web

ATTEMPTS = 3
"""Of one request, as in botocore's mode `standard`.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""
OVERLOADED = (429, 500, 502, 503, 504)
AGAIN = re.compile(
    r"Throttl|SlowDown|TooManyRequests|Exceeded|RequestTimeout|NotComplete|TransactionInProgress"
    r"|ModelNotReady|ReplicatedWriteConflict"
)
"""In the codes of errors that botocore tries again."""


def make_client(service: str, web: Web, deadline: Deadline) -> Any:
    """Return a client of `service` with the function's own credentials, which sends by `web`.

    Raises:
        ConfigurationError: the function has no AWS credentials.
    """
    key = access_key()
    client = _session().create_client(
        service,
        region_name=os.environ["AWS_REGION"],
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        aws_session_token=key.session_token or None,
        config=Config(retries={"mode": "standard", "total_max_attempts": ATTEMPTS}),
    )
    client.meta.events.register("before-send", _Sender(web))
    client.meta.events.register_first("needs-retry", _Patience(service, deadline))
    return client


@cache
def _session() -> botocore.session.Session:
    """One for all runs: it has read the services' models, which takes longer than all else, and holds no socket."""
    # What a person's profile says on their machine is not what a function would do.
    nobodys = dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    return botocore.session.Session(session_vars={"profile": (None, None, None, None), **nobodys})


class _Sender:
    """Sends a signed request, as botocore's own session does: botocore.httpsession.URLLib3Session.send."""

    def __init__(self, web: Web) -> None:
        self._web = web

    def __call__(self, request: Any, **_event: Any) -> AWSResponse:
        url = request.url
        # Waiting for "100 Continue" takes botocore's own connections. It is not signed.
        request.headers.pop("Expect", None)
        try:
            return self._send(request)
        except exceptions.SSLError as error:
            raise SSLError(endpoint_url=url, error=error) from error
        except exceptions.ConnectTimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=url, error=error) from error
        except exceptions.ReadTimeoutError as error:
            raise ReadTimeoutError(endpoint_url=url, error=error) from error
        except exceptions.ProtocolError as error:
            raise ConnectionClosedError(endpoint_url=url, error=error, request=request) from error
        except exceptions.HTTPError as error:
            raise HTTPClientError(error=error) from error

    def _send(self, request: Any) -> AWSResponse:
        answer = self._web.connection_from_url(request.url).urlopen(
            method=request.method,
            url=_target(request.url),
            body=request.body,
            headers=request.headers,
            retries=False,  # botocore signs anew each time
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            chunked=request.headers.get("Transfer-Encoding") == "chunked",
        )
        response = AWSResponse(request.url, answer.status, answer.headers, answer)
        if not request.stream_output:
            response.content  # noqa: B018 (reads it)
        return response


class _Patience:
    """Ends the attempts where botocore would sleep past the deadline before the next one."""

    def __init__(self, service: str, deadline: Deadline) -> None:
        self._service = service
        self._deadline = deadline

    def __call__(self, attempts: int, response: Any, caught_exception: Exception | None, **_event: Any) -> None:
        longest = 2.0 ** (attempts - 1)  # botocore.retries.standard.ExponentialBackoff
        if (
            attempts < ATTEMPTS
            and self._deadline.remaining() <= longest
            and _may_be_tried_again(response, caught_exception)
        ):
            raise DeadlineExceeded(
                f"no time left to ask {self._service} again after {_what(response, caught_exception)}"
            ) from caught_exception


def _may_be_tried_again(response: Any, error: Exception | None) -> bool:
    if response is None:
        # botocore.retries.standard.TransientRetryableChecker
        return isinstance(error, (ConnectionError, HTTPClientError))
    answer, parsed = response
    return answer.status_code in OVERLOADED or AGAIN.search(_code(parsed)) is not None


def _what(response: Any, error: Exception | None) -> str:
    if response is None:
        return f"{type(error).__name__}: {error}"
    answer, parsed = response
    return f"HTTP {answer.status_code} {_code(parsed)}".rstrip()


def _code(parsed: Any) -> str:
    return str(parsed.get("Error", {}).get("Code", ""))


def _target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
