"""What the job's module states that it uses; synth has checked its form."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, NamedTuple, Self


class UsesError(Exception):
    """A job reaches for what it does not state in USES, or for what belongs to another run; the message says which."""


class Stated(NamedTuple):
    """The services, secrets and destinations that a job may use, with its parameters."""

    services: frozenset[str]
    secrets: frozenset[str]
    internet: frozenset[str]
    """Each a host and a port: api.example.com:443."""

    @classmethod
    def of(cls, job: ModuleType, parameters: Any) -> Self:
        """Return what `job` states with these `parameters`."""
        stated: Mapping[str, Any] = job.uses(parameters) if hasattr(job, "uses") else job.USES
        return cls(
            services=frozenset(stated) - {"secret", "internet"},
            secrets=frozenset(stated.get("secret", ())),
            internet=frozenset(stated.get("internet", ())),
        )

    def require_service(self, name: str) -> None:
        """Raise UsesError unless the job states the service."""
        if name not in self.services:
            raise UsesError(f'USES names no {name}: write {{"{name}": {{…}}}} into it, with what the job does there')

    def require_secret(self, name: str) -> None:
        """Raise UsesError unless the job states the secret."""
        if name not in self.secrets:
            raise UsesError(f'USES names no secret {name}: write {{"secret": ("{name}",)}} into it')

    def require_destination(self, host: str, port: int) -> None:
        """Raise UsesError unless the job states the host with this port."""
        if f"{host}:{port}" not in self.internet:
            raise UsesError(
                f'USES names no destination {host}:{port}: write {{"internet": ("{host}:{port}",)}} into it'
            )
