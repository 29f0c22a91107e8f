"""What a job uses besides its database: AWS services, secrets and the internet, as its module states it in USES."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from settings.services import SERVICES
from settings.spelling import did_you_mean

Grants = Mapping[str, Mapping[str, frozenset[str]]]
"""By the service, and by what of it, the actions: {"s3": {"my-exports/rollup/*": {"PutObject"}}}."""


@dataclass(frozen=True, kw_only=True)
class Uses:
    """What one job uses, with its parameters."""

    services: Grants = MappingProxyType({})
    """Actions on resources of AWS services. A resource is what stands in its ARN after the account, as in
    identity/example.com, or a whole ARN."""
    secrets: frozenset[str] = frozenset()
    """Names of secrets in Secrets Manager."""
    internet: frozenset[tuple[str, int]] = frozenset()
    """Hosts outside of AWS, and ports."""

    def __bool__(self) -> bool:
        """Whether the job uses anything."""
        return bool(self.services or self.secrets or self.internet)
