"""The engine's own project: environments, jobs and migrations that no team ever edits.

Three environments that are deployed (basic, middle, large), one with a secret for its login (local); and three jobs:
one without parameters (pulse), one with two tables (tally), one whose rights depend on its parameters (sweep).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from settings.environment import EnvironmentSettings, JobSettings
from settings.files import load_environment, load_environments
from settings.project import ROOT, Project

PROJECT = Project(ROOT / "tests" / "project")
ENVIRONMENTS = {each.name: each for each in load_environments(PROJECT)}
"""Their settings, by name."""
VARIANTS = ROOT / "tests" / "variants"
"""Files of environments that nobody has, each with many settings that those of `PROJECT` leave at their defaults."""


def load(name: str) -> EnvironmentSettings:
    """The settings of one environment, read anew."""
    return load_environment(PROJECT, name)


@dataclass(frozen=True)
class FilesIn(Project):
    """Environment files that a test writes into `folder` itself; their jobs are in its `jobs`, or the fixture's."""

    @property
    def environments(self) -> Path:
        return self.folder

    @property
    def jobs(self) -> Path:
        own = self.folder / "jobs"
        return own if own.is_dir() else PROJECT.jobs

    @property
    def migrations(self) -> Path:
        return PROJECT.migrations


def load_file(file: Path) -> EnvironmentSettings:
    """The environment that `file` describes, wherever it is."""
    return load_environment(FilesIn(file.parent), file.stem)


def load_files(folder: Path) -> tuple[EnvironmentSettings, ...]:
    """The environments that the files in `folder` describe."""
    return load_environments(FilesIn(folder))


def a_job(**values: Any) -> JobSettings:
    """An entry in [[jobs]] of the fixture's project."""
    return JobSettings.model_validate(values, context=PROJECT)
