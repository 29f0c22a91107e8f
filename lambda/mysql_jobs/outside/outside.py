"""All that a run reaches besides its database, as one: made with the run, and destroyed with it."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlsplit

from mysql_jobs import secrets_manager
from mysql_jobs.credentials import CredentialsError
from mysql_jobs.deadline import Deadline, DeadlineExceeded
from mysql_jobs.network import LOOPBACK
from mysql_jobs.outside.concealed import forms
from mysql_jobs.outside.sockets import CONNECT_SECONDS, Sockets
from mysql_jobs.outside.stated import Stated, UsesError

if TYPE_CHECKING:
    from mysql_jobs.outside.web import Web

SECRET_ATTEMPTS = 3


class Reached(NamedTuple):
    """What a run has done outside of its database, for its report."""

    places: tuple[str, ...]
    """Hosts and ports that it connected to."""
    secrets: tuple[str, ...]
    """What it has read of secrets, in each form, and nothing that is written may show: longer ones first."""

    def __repr__(self) -> str:
        """Return a text without the secrets."""
        return f"Reached(places={self.places!r})"


class Outside:
    """What the job states in USES, for one run."""

    def __init__(self, *, stated: Stated, deadline: Deadline) -> None:
        """Allow what is `stated` until `deadline`; nothing is opened yet."""
        self._stated = stated
        self._deadline = deadline
        self._sockets = Sockets(deadline)
        self._clients: dict[str, Any] = {}
        self._secrets: dict[str, str] = {}
        self._concealed: dict[str, str] = {}
        self._http: Web | None = None

    @classmethod
    def of(cls, job: ModuleType, parameters: Any, deadline: Deadline) -> Self:
        """Return that of a run of `job`."""
        return cls(stated=Stated.of(job, parameters), deadline=deadline)

    def client(self, service: str) -> Any:
        """Return the run's client of `service`; see `Run.client`."""
        self._stated.require_service(service)
        if service not in self._clients:
            with _brought_along("botocore", f'run.client("{service}")'):
                from mysql_jobs.outside import aws, web  # noqa: PLC0415 (the job's own packages)
            self._clients[service] = aws.make_client(service, web.Web(self._sockets, web.anywhere), self._deadline)
        return self._clients[service]

    @property
    def http(self) -> Web:
        """The run's HTTP client; see `Run.http`."""
        if self._http is None:
            with _brought_along("urllib3", "run.http"):
                from mysql_jobs.outside import web  # noqa: PLC0415 (the job's own package)
            self._http = web.Web(self._sockets, self._require_destination)
        return self._http

    def _require_destination(self, host: str, port: int) -> None:
        self._stated.require_destination(host, port)
        if _stand_in() and host not in LOOPBACK:
            raise UsesError(f"the AWS of this run is a stand-in on this machine: {host}:{port} is not called from it")

    def secret(self, name: str) -> str:
        """Return the text of the secret, read once in the run; see `Run.secret`."""
        self._stated.require_secret(name)
        self._sockets.require(f"reading the secret {name}")
        if name not in self._secrets:
            text = self._read_secret(name)
            self._concealed |= dict.fromkeys(forms(text), name)
            self._secrets[name] = text
        return self._secrets[name]

    def secret_in(self, text: str) -> str | None:
        """Return the name of a secret that the run has read and that `text`, which is JSON, shows something of."""
        shown = (name for form, name in self._concealed.items() if json.dumps(form, ensure_ascii=False)[1:-1] in text)
        return next(shown, None)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the run has read of secrets; see `Reached`."""
        return tuple(sorted(self._concealed, key=lambda each: (-len(each), each)))

    def destroy(self) -> Reached:
        """End all of it. Takes milliseconds, waits for nobody, never raises; what a job has kept is of no use then."""
        self._sockets.destroy()
        return Reached(places=tuple(self._sockets.reached), secrets=self.secrets)

    def _read_secret(self, name: str) -> str:
        for attempt in range(1, SECRET_ATTEMPTS):
            # An attempt has a share of the time: a silent endpoint is asked again.
            try:
                return self._ask_for(name, self._deadline.within(self._sockets.share(CONNECT_SECONDS)))
            except CredentialsError as error:
                if not error.transient:
                    raise
            time.sleep(min(random.uniform(0, 0.1 * 2**attempt), self._deadline.remaining()))  # noqa: S311 (jitter)
        return self._ask_for(name, self._deadline)

    def _ask_for(self, name: str, deadline: Deadline) -> str:
        try:
            return secrets_manager.read_text(name, region=os.environ["AWS_REGION"], deadline=deadline)
        except CredentialsError as error:
            if error.transient and not self._deadline.remaining():
                raise DeadlineExceeded(f"the run's time was used up while it waited for the secret {name}") from error
            raise


def _stand_in() -> bool:
    """Whether the run's AWS is on this machine, as in `make run`: nobody shall be billed from there."""
    return urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname in LOOPBACK


@contextmanager
def _brought_along(package: str, asked: str) -> Iterator[None]:
    """Say which package a job has to bring along."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsesError(
            f"{asked} is made by {package}, which is not in the zip ({error}): write {package} into "
            "lambda/jobs/<module>.txt, and make lock"
        ) from error
