"""A stand-in for AWS that jobs reach in their tests: S3, secrets, queues and the like, on this machine."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from local.emulator import Emulator, credentials


class Aws:
    """The stand-in, to prepare what a job finds there, and to see what it left."""

    def __init__(self, emulator: Emulator) -> None:
        """Take a running emulator; its contents are those of all tests of the session."""
        self._emulator = emulator

    def client(self, service: str) -> Any:
        """Return botocore's client of `service`, like s3, with all rights."""
        return self._emulator.client(service)

    def bucket(self) -> str:
        """Make a bucket of the test's own; return its name."""
        name = f"bucket-{secrets.token_hex(8)}"
        configuration = {"LocationConstraint": self._emulator.region}
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=configuration)
        return name

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Return what is in a bucket, by the key."""
        s3 = self.client("s3")
        listed = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {each["Key"]: s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in listed}

    def secret(self, name: str, text: str) -> None:
        """Let the secret `name` be `text`, from now on."""
        manager = self.client("secretsmanager")
        try:
            manager.create_secret(Name=name, SecretString=text)
        except manager.exceptions.ResourceExistsException:
            manager.put_secret_value(SecretId=name, SecretString=text)

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Within, this process's AWS is the stand-in."""
        theirs = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        ours = {**credentials(self._emulator.region), "AWS_ENDPOINT_URL": self._emulator.url}
        with mock.patch.dict(os.environ, {**theirs, **ours}, clear=True):
            yield


@contextmanager
def unreached() -> Iterator[None]:
    """Within, no run reaches AWS: neither the stand-in nor, with somebody's own credentials, the real one."""

    def refused(_outside: object, name: str) -> Any:
        raise AssertionError(
            f"the job asks for {name}, and this run has no AWS: let the test ask for the fixture `aws`, and give "
            "job(…, aws=aws). In a dry run, look at run.dry_run before you ask"
        )

    with (
        mock.patch("mysql_jobs.outside.outside.Outside.client", refused),
        mock.patch("mysql_jobs.outside.outside.Outside.secret", refused),
    ):
        yield
