"""MiniStack, the AWS emulator, on loopback; and a client for each of its services."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config

from local import processes

ACCOUNT = "000000000000"
_creating = threading.Lock()  # clients may be used by several threads, but not made by several at once
WITH_DESTINATIONS = Path(__file__).with_name("emulator_with_destinations.py")
START_SECONDS = 60
"""A generous bound; it takes about 2 s."""


class EmulatorError(Exception):
    """The emulator did not start; the message ends with its log."""


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """A running MiniStack."""

    port: int
    pid: int
    region: str

    @classmethod
    def start(cls, folder: Path, *, region: str, enforce_permissions: bool = False) -> Emulator:
        """Start it with all its files in `folder`.

        With `enforce_permissions`, a function may do what its role's policies allow; else, everything.

        Raises:
            EmulatorError: it ended at once or does not answer.
        """
        port = processes.free_port()
        temporary = folder / "tmp"
        temporary.mkdir(parents=True)
        log = folder / "emulator.log"
        environment = {
            **_without_aws(os.environ.copy()),
            **credentials(region),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": region,
            "AUTH": str(enforce_permissions).lower(),
            "TMPDIR": str(temporary),
            "STATE_DIR": str(temporary / "state"),
            "S3_DATA_DIR": str(temporary / "s3"),
            # Both would listen on every address of the machine.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }
        # -P: nothing of this project is to be found by what the emulator imports, or by the functions that it runs.
        command = [sys.executable, "-P", str(WITH_DESTINATIONS)]
        process = processes.start(command, log=log, environment=environment, cwd=folder)
        emulator = cls(port=port, pid=process.pid, region=region)
        try:
            emulator._wait(process, log)
        except BaseException:
            emulator.stop()
            raise
        return emulator

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return this process's environment variables, with the emulator for AWS."""
        return {
            **_without_aws(os.environ.copy()),
            **credentials(self.region),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_S3": self.url,
        }

    def client(self, service: str, *, read_timeout: float = 60) -> Any:
        """Return a botocore client of `service`: see the function of this name."""
        return client(service, url=self.url, region=self.region, read_timeout=read_timeout)

    def stop(self) -> None:
        """Stop it and the functions it runs."""
        processes.stop(self.pid)

    def _wait(self, process: subprocess.Popen[bytes], log: Path) -> None:
        end = time.monotonic() + START_SECONDS
        while not _answers(self.port):
            if process.poll() is not None or time.monotonic() > end:
                raise EmulatorError(f"MiniStack did not start on port {self.port}:\n{log.read_text()[-2000:]}")
            time.sleep(0.1)


def client(service: str, *, url: str, region: str, read_timeout: float = 60) -> Any:
    """Return a botocore client of `service` of the emulator at `url`, which waits `read_timeout` s and never retries.

    A call that is sent again after a timeout would run a function a second time.
    """
    keys = credentials(region)
    with _creating:
        return _session().create_client(
            service,
            endpoint_url=url,
            region_name=region,
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            config=Config(read_timeout=read_timeout, retries={"total_max_attempts": 1}),
        )


@cache
def _session() -> botocore.session.Session:
    """One for all clients: it has read the services' models, which takes twenty times as long as to make a client."""
    return botocore.session.Session()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def credentials(region: str) -> dict[str, str]:
    """Return keys that open nothing but the emulator.

    The CDK CLI remembers which account a key belongs to, so the key is this project's own.
    """
    return {
        "AWS_ACCESS_KEY_ID": "mysql-jobs-local",
        "AWS_SECRET_ACCESS_KEY": "mysql-jobs-local",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }


def _without_aws(environment: dict[str, str]) -> dict[str, str]:
    """Remove what names a real profile or the endpoint of another emulator."""
    return {name: value for name, value in environment.items() if not name.startswith("AWS_")}
