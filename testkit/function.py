"""A Lambda function of the engine in this process: its environment variables, its secrets, its context."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

from mysql_jobs import secrets_manager
from mysql_jobs.credentials import Credentials
from mysql_jobs.deadline import MARGIN_SECONDS


@contextmanager
def configured(variables: Mapping[str, str], secrets: Mapping[str, Credentials]) -> Iterator[None]:
    """Within, this process has these environment variables, and Secrets Manager these secrets, by their ARN.

    Only the password's way differs from AWS: no network is needed for it, and no AWS credentials.
    """

    def read_secret(*, arn: str, region: str, deadline: object) -> Credentials:
        return secrets[arn]

    with mock.patch.dict(os.environ, variables), mock.patch.object(secrets_manager, "read_secret", read_secret):
        yield


@dataclass(kw_only=True)
class Context:
    """Lambda's context object, of a function whose run must end at `end` (on the monotonic clock)."""

    function_name: str
    aws_request_id: str
    end: float

    @classmethod
    def of(cls, function_name: str, request_id: str, *, seconds: float) -> Context:
        """The context of an invocation that has `seconds` for its run."""
        end = time.monotonic() + seconds + MARGIN_SECONDS
        return cls(function_name=function_name, aws_request_id=request_id, end=end)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda would kill the function."""
        return max(0, int((self.end - time.monotonic()) * 1000))
