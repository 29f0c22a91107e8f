"""Where files are: the engine's, and those that a team writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from packages.locks import PackageSet, packages_of
from packages.target import FUNCTION, Target

ROOT = Path(__file__).parents[1]
"""The folder of this checkout."""
ENGINE = ROOT / "lambda" / "mysql_jobs"
"""The part of the engine that is in every function's zip."""


@dataclass(frozen=True)
class Project:
    """What a team writes, in `folder`: environments, jobs and migrations. None of these files is the engine's.

    The commands work on `Project(ROOT)`; the engine's tests have a project of their own, in tests/project/.
    """

    folder: Path
    target: Target = FUNCTION
    """What its functions run on; on this machine, that is not what they are deployed for."""

    @property
    def environments(self) -> Path:
        """One TOML file per environment."""
        return self.folder / "environments"

    def environment_names(self) -> list[str]:
        """Return the names of the environments that have a file, in order; not of an editor's own, like .#dev.toml."""
        return sorted(file.stem for file in self.environments.glob("[!.]*.toml"))

    @property
    def jobs(self) -> Path:
        """One Python module per job."""
        return self.folder / "lambda" / "jobs"

    @property
    def migrations(self) -> Path:
        """The SQL files that create the jobs' tables."""
        return self.folder / "lambda" / "migrations"

    @property
    def existing_tables(self) -> Path:
        """An SQL file with the tables that the jobs' schema had before, for this machine; it need not be there."""
        return self.folder / "tests" / "jobs" / "existing.sql"

    @property
    def existing_schemas(self) -> Path:
        """One SQL file like it for each other schema; none need be there."""
        return self.folder / "tests" / "jobs" / "existing"

    @property
    def resources(self) -> Path:
        """A Python module that adds resources of the team's own to each environment; it need not be there."""
        return self.folder / "resources.py"

    def job_file(self, name: str) -> Path:
        """Return the module of the job `name`."""
        return self.jobs / f"{name}.py"

    def packages(self, module: str) -> PackageSet | None:
        """Return the packages of the job of this module; None if it has none.

        Raises:
            packages.requirements.PackagesError: they are not locked, or not for `target`.
        """
        return packages_of(self.job_file(module), self.target)
