"""The packages of the jobs, as `make synth` shows them: one row for each set, which is one zip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from rich.table import Table

from packages.checks import size
from packages.locks import PackageSet
from packages.tools.import_time import CannotImport, import_seconds
from settings.environment import EnvironmentSettings
from settings.job_source import imported
from settings.project import Project

CAPTION = (
    "One zip for each set. Zipped and unzipped are the packages alone. The import is that of what the jobs name, and "
    "of what run.client and run.http are made with, on this machine: a cold start takes longer with less memory."
)


def package_table(project: Project, environments: Iterable[EnvironmentSettings]) -> Table | None:
    """Return the table of what the jobs of all `environments` import besides the standard library; None if nothing."""
    sets: dict[PackageSet, set[str]] = defaultdict(set)
    for module in {job.module_name for settings in environments for job in settings.jobs}:
        if packages := project.packages(module):
            sets[packages].add(module)
    return _table(project, sets) if sets else None


def _table(project: Project, sets: Mapping[PackageSet, set[str]]) -> Table:
    table = Table(title="Packages", caption=CAPTION, title_justify="left", caption_justify="left")
    for heading in ("Jobs", "Packages", "Zipped", "Unzipped", "Import here"):
        table.add_column(heading, justify="left" if heading in ("Jobs", "Packages") else "right")
    for packages, modules in sorted(sets.items(), key=lambda each: sorted(each[1])):
        zipped, unzipped = size(packages)
        table.add_row(
            "\n".join(sorted(modules)),
            "\n".join(f"{name} {version}" for name, version in sorted(packages.versions.items())),
            f"{zipped / 1e6:.1f} MB",
            f"{unzipped / 1e6:.1f} MB",
            _import_time(project, packages, modules),
        )
    return table


def _import_time(project: Project, packages: PackageSet, modules: set[str]) -> str:
    named = {each for module in modules for each in imported(project.job_file(module)) if packages.provides(each)}
    try:
        return f"{import_seconds(named):.2f} s" if named else "none"
    except CannotImport as error:
        return f"fails: {error}"
