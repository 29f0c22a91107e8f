"""The Stage of one environment: its stacks, wired together."""

import aws_cdk as cdk
from constructs import Construct

from settings.environment import EnvironmentSettings, JobSettings
from settings.placement import places
from settings.project import Project
from stacks.database.database import Database
from stacks.jobs.jobs import Jobs, MoreJobs
from stacks.network.network import Network
from stacks.watching.watching import watch


class Environment(cdk.Stage):
    """One environment: its network, its database, its jobs.

    Attributes:
        settings: what its file says.
        network, database: its first two stacks.
        jobs: the third, with the migrations and the first jobs.
        more_jobs: one for each further stack of jobs.
        places: the names of the jobs in each of these, by the stack's name.
    """

    def __init__(self, scope: Construct, *, settings: EnvironmentSettings, project: Project) -> None:
        """Add the environment of `project` that `settings` describe; its stacks are named <environment>-<stack>.

        Raises:
            ValueError: it is not settled which stack each job is in.
        """
        super().__init__(
            scope,
            settings.name,
            env=cdk.Environment(account=settings.account, region=settings.region),
            permissions_boundary=_boundary(settings.permissions_boundary),
        )
        self.settings = settings
        self.network = Network(
            self,
            "Network",
            settings=settings.network,
            all_uses=[job.uses for job in settings.jobs],
            encryption_key=settings.encryption_key,
        )
        self.database = Database(self, "Database", settings=settings, network=self.network)
        self.places = places(project, settings.name, [job.name for job in settings.jobs])
        first, *others = self.places
        self.jobs = Jobs(
            self,
            first,
            settings=settings,
            jobs=self._jobs_in(first),
            project=project,
            network=self.network,
            database=self.database,
        )
        self.more_jobs = [
            MoreJobs(
                self,
                stack,
                settings=settings,
                number=number,
                jobs=self._jobs_in(stack),
                project=project,
                network=self.network,
                database=self.database,
                first=self.jobs,
            )
            for number, stack in enumerate(others, start=2)
        ]
        watch(settings=settings, jobs=self.jobs, more_jobs=self.more_jobs, database=self.database)
        for key, value in {**settings.tags, "project": "mysql-jobs", "environment": settings.name}.items():
            cdk.Tags.of(self).add(key, value)

    def _jobs_in(self, stack: str) -> list[JobSettings]:
        return [job for job in self.settings.jobs if job.name in self.places[stack]]


def _boundary(name: str | None) -> cdk.PermissionsBoundary | None:
    return cdk.PermissionsBoundary.from_name(name) if name else None
