"""Projects that a test writes: the fixture's environment `basic`, with one job, its migration and nothing else."""

from pathlib import Path

from settings.environment import JobSettings
from settings.files import load_environment
from settings.project import Project
from tests.fixture import PROJECT

JOB = '''"""A job of a test."""

TABLES = {tables}


def run(run):
{body}
'''
PARCEL = "CREATE TABLE parcel (id INT AUTO_INCREMENT PRIMARY KEY, weight INT NOT NULL DEFAULT 1);\n"


def one_job(
    folder: Path, *statements: str, tables: object, body: str | None = None, migration: str = PARCEL
) -> tuple[Project, JobSettings]:
    """A project with the job `moving`, which executes `statements`, or whose function is `body`."""
    project = Project(folder)
    for needed in (project.environments, project.jobs, project.migrations):
        needed.mkdir(parents=True)
    lines = ["    cursor = run.cursor()", *(f"    cursor.execute({statement!r})" for statement in statements)]
    body = body or "\n".join(lines)
    (project.jobs / "moving.py").write_text(JOB.format(tables=tables, body=body))
    (project.migrations / "0001_parcel.sql").write_text(migration)
    settings = (PROJECT.environments / "basic.toml").read_text().partition("[[jobs]]")[0]
    entry = '[[jobs]]\nname = "moving"\nschedule = "rate(5 minutes)"\n'
    (project.environments / "basic.toml").write_text(settings + entry)
    return project, load_environment(project, "basic").jobs[0]
