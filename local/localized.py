"""The settings of an environment for this machine: what only AWS has is set aside."""

from __future__ import annotations

from local.emulator import ACCOUNT
from settings.environment import AdoptedDatabaseSettings, DatabaseSettings, EnvironmentSettings, NetworkSettings

NETWORK = NetworkSettings(cidr="10.0.0.0/20", zones=("a", "b"))


def localized(settings: EnvironmentSettings) -> EnvironmentSettings:
    """Return `settings` without what is not on this machine.

    That is what names an account, a key, a snapshot or a network, the IAM login, which MySQL outside RDS does not
    have, and what protects from being deleted.
    """
    outwards = any(job.uses.internet for job in settings.jobs)
    database: DatabaseSettings | AdoptedDatabaseSettings
    match settings.database:
        case DatabaseSettings() as made:
            database = made.model_copy(update={"auth": "secret", "deletion_protection": False, "snapshot": None})
        case AdoptedDatabaseSettings() as adopted:
            existing = adopted.existing.model_copy(update={"login_key": None})
            database = adopted.model_copy(update={"auth": "secret", "existing": existing})
    return settings.model_copy(
        update={
            "account": ACCOUNT,
            "network": NETWORK.model_copy(update={"egress": "nat"}) if outwards else NETWORK,
            "database": database,
            "encryption_key": None,
            "permissions_boundary": None,
            "delivery": None,
        }
    )
