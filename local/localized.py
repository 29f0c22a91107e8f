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
    match settings.database:
        case DatabaseSettings() as made:
            database = made.model_copy(update={"auth": "secret", "deletion_protection": False, "snapshot": None})
        case adopted:
            database = stand_in(adopted)
    return settings.model_copy(
        update={
            "account": ACCOUNT,
            "network": NETWORK,
            "database": database,
            "alarms": settings.alarms.model_copy(update={"database": False}),
            "encryption_key": None,
            "permissions_boundary": None,
            "delivery": None,
        }
    )


def stand_in(adopted: AdoptedDatabaseSettings) -> DatabaseSettings:
    """Return what stands here for a database that is there in AWS: one that is made, with its schema."""
    return DatabaseSettings(
        name=adopted.name,
        auth="secret",
        instance_class="t4g.micro",
        multi_az=False,
        backup_days=0,
        deletion_protection=False,
    )
