"""The Stage of one environment: its stacks, wired together."""

import aws_cdk as cdk
from constructs import Construct

from settings.environment import EnvironmentSettings
from settings.project import Project
from stacks.database.database import Database
from stacks.jobs.jobs import Jobs
from stacks.network.network import Network
from stacks.watching.watching import watch


class Environment(cdk.Stage):
    """One environment: its network, its database, its jobs."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, project: Project) -> None:
        """Add the environment of `project` that `settings` describe; its stacks are named <environment>-<stack>."""
        super().__init__(
            scope,
            settings.name,
            env=cdk.Environment(account=settings.account, region=settings.region),
            permissions_boundary=_boundary(settings.permissions_boundary),
        )
        self.settings = settings
        self.network = Network(self, "Network", settings=settings.network, encryption_key=settings.encryption_key)
        self.database = Database(self, "Database", settings=settings, network=self.network)
        self.jobs = Jobs(self, "Jobs", settings=settings, project=project, network=self.network, database=self.database)
        watch(self.jobs, settings=settings, jobs=self.jobs, database=self.database)
        for key, value in {**settings.tags, "project": "mysql-jobs", "environment": settings.name}.items():
            cdk.Tags.of(self).add(key, value)


def _boundary(name: str | None) -> cdk.PermissionsBoundary | None:
    return cdk.PermissionsBoundary.from_name(name) if name else None
