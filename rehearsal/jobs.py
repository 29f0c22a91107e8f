"""Jobs on the tables of a change: those that are deployed, which meet them during the deploy, and those of the change.

While a deploy goes on, and after one that is rolled back, the code of before works on the tables of after. So a change
of tables goes in two: expand first, and contract once nothing that is deployed needs the old any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from local.mysql_server import MySQLServer
from rehearsal.finding import Finding
from settings.environment import JobSettings
from settings.files import SettingsError, load_environments
from settings.project import Project
from testkit.database import new_database
from testkit.dry_run import dry_run_mistake


def broken(server: MySQLServer, base: Project, change: Project) -> Iterator[Finding]:
    """Run the jobs of both dry on the tables of `change`; tell of those that fail there, and not on their own."""
    try:
        deployed, coming = _jobs(base), _jobs(change)
    except SettingsError as error:
        yield Finding(kind="unclassified", place="jobs", text=f"were not tried on the new tables: {error}")
        return
    with new_database(server, base) as old_tables, new_database(server, change) as new_tables:
        for job in deployed:
            mistake = dry_run_mistake(base, job, new_tables)
            if mistake and not dry_run_mistake(base, job, old_tables):
                text = f"as it is deployed, fails on the new tables, which it meets during the deploy: {mistake}"
                yield Finding(kind="breaks", place=f"jobs/{job.module_name}.py", text=text)
        for job in coming:
            if mistake := dry_run_mistake(change, job, new_tables):
                yield Finding(
                    kind="breaks", place=f"jobs/{job.module_name}.py", text=f"fails on the new tables: {mistake}"
                )


def _jobs(project: Project) -> list[JobSettings]:
    """The jobs of all environments, once for each way in which they are called."""
    found = {
        (job.module_name, json.dumps(job.parameters, sort_keys=True, default=str)): job
        for environment in load_environments(project)
        for job in environment.jobs
    }
    return list(found.values())
