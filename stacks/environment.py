"""The Stage: wires the stacks of one environment."""

import aws_cdk as cdk
from constructs import Construct

from stacks.database import Database
from stacks.jobs import Jobs
from stacks.network import Network
from stacks.settings import EnvironmentSettings


class Environment(cdk.Stage):
    """One environment: its network, its database, its jobs."""

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings) -> None:
        """Add the environment that `settings` describes; its stacks are named <environment>-<stack>."""
        super().__init__(
            scope,
            settings.name,
            env=cdk.Environment(account=settings.account, region=settings.region),
        )
        self.settings = settings
        self.network = Network(self, "Network", settings=settings.network)
        self.database = Database(self, "Database", settings=settings.database, vpc=self.network.vpc)
        self.jobs = Jobs(
            self,
            "Jobs",
            environment=settings.name,
            settings=settings.jobs,
            network=self.network,
            database=self.database,
        )
        cdk.Tags.of(self).add("project", "mysql-jobs")
        cdk.Tags.of(self).add("environment", settings.name)
