"""Write a new job into a project: all of its files, or none."""

from __future__ import annotations

import keyword
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from string import Template

from settings.files import load_environments
from settings.placement import with_newcomer
from settings.project import Project
from settings.table_name import OWN_TABLES

TEMPLATES = Path(__file__).parent / "templates"
NAME = r"[a-z][a-z0-9_]{0,30}"
"""Of a job: see `Identifier` in settings/environment.py."""


class ScaffoldError(Exception):
    """The job can't be written, and nothing was; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """The files of a new job, with what they will say."""

    job: Path
    migration: Path
    test: Path
    environment: Path
    placement: Path
    """Says which stack each job of the environment is in, once there is more than one."""
    texts: dict[Path, str]
    next_steps: str

    def write(self) -> None:
        """Write the files; if one can't be written, none is there afterwards, and the environment's is as it was.

        Raises:
            ScaffoldError: one can't be written.
        """
        before = {file: file.read_text() if file.exists() else None for file in (self.environment, self.placement)}
        written: list[Path] = []
        try:
            for file in (self.job, self.migration, self.test):
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("x") as stream:  # never over one that has come meanwhile
                    written.append(file)
                    stream.write(self.texts[file])
            for file in before.keys() & self.texts.keys():
                file.write_text(self.texts[file])
        except BaseException as error:
            for file in written:
                file.unlink()
            for file, text in before.items():
                if text is None:
                    file.unlink(missing_ok=True)
                elif file.read_text() != text:
                    file.write_text(text)
            if isinstance(error, OSError):
                raise ScaffoldError(f"nothing was written: {error}") from error
            raise


def new_job(project: Project, name: str, environment: str | None = None) -> NewJob:
    """Plan the job `name`, scheduled in `environment`, or in the first one by name; nothing is written yet.

    Raises:
        ScaffoldError: the name is no name or is taken, or there is no such environment.
        SettingsError: the settings are wrong, before it or with it; each mistake is listed.
    """
    environments = [each.name for each in load_environments(project)]
    if environment is not None and environment not in environments:
        raise ScaffoldError(f"there is no environment {environment!r}: write one of {', '.join(environments)}")
    _check_name(name)
    table = _table(name)
    file = project.environments / f"{environment or environments[0]}.toml"
    number = 1 + max((int(each.name[:4]) for each in project.migrations.glob("[0-9]*.sql")), default=0)
    places = {
        "job": project.job_file(name),
        "migration": project.migrations / f"{number:04}_{name}.sql",
        "test": project.folder / "tests" / "jobs" / f"test_{name}.py",
        "environment": file,
    }
    words = {"name": name, "table": table, "archive": f"{table}_archive", "environment_name": file.stem}
    _check_free(project, name, places, (table, f"{table}_archive"))
    texts = {
        places["job"]: _rendered("job.py.txt", words),
        places["migration"]: _rendered("migration.sql", words),
        places["test"]: _rendered("test_job.py.txt", words),
        file: file.read_text().rstrip("\n") + "\n" + _rendered("environment.toml", words),
    }
    placement, text = with_newcomer(project, file.stem, name)
    if text is not None:
        texts[placement] = text
    _rehearse(project, texts)
    shown = {what: str(place.relative_to(project.folder)) for what, place in places.items()}
    next_steps = _rendered("next_steps.txt", {**words, **shown})
    if placement in texts:
        next_steps += f"\nWhich stack it is in says {placement.relative_to(project.folder)}: commit that, too.\n"
    return NewJob(**places, placement=placement, texts=texts, next_steps=next_steps)


def _check_name(name: str) -> None:
    if not re.fullmatch(NAME, name) or keyword.iskeyword(name):
        raise ScaffoldError(
            f"{name!r} is no name of a job: write at most 31 small letters, digits and underscores, a letter first, "
            "and no word of Python's, like archive_invoices"
        )


def _table(name: str) -> str:
    """What archive_invoices archives is invoices; any other job has a table of its own name."""
    table = name.removeprefix("archive_")
    return table if re.fullmatch(NAME, table) and table not in OWN_TABLES else f"{name}_row"


def _check_free(project: Project, name: str, places: dict[str, Path], tables: tuple[str, ...]) -> None:
    for what in ("job", "migration", "test"):
        if places[what].exists():
            where = places[what].relative_to(project.folder)
            raise ScaffoldError(f"{name} is taken: {where} exists; write another name, or remove that file")
    for file in sorted(project.migrations.glob("[!.]*.sql")):
        for table in tables:
            if re.search(rf"CREATE\s+TABLE\s+(IF\s+NOT\s+EXISTS\s+)?`?{table}\b", file.read_text(), re.IGNORECASE):
                raise ScaffoldError(f"the table {table} is taken: migrations/{file.name} makes it; write another name")


def _rendered(template: str, words: dict[str, str]) -> str:
    return Template((TEMPLATES / template).read_text()).substitute(words)


def _rehearse(project: Project, texts: dict[Path, str]) -> None:
    """Load the settings as they will be: what is wrong with them then, like too many connections, is known now."""
    with tempfile.TemporaryDirectory(prefix="scaffold-") as folder:
        copy = Project(Path(folder))
        for source, target in (
            (project.environments, copy.environments),
            (project.jobs, copy.jobs),
            (project.migrations, copy.migrations),
        ):
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True)  # an editor's may lead nowhere
        for file in project.jobs.parent.glob("requirements.*"):
            shutil.copy(file, copy.jobs.parent)
        for file, text in texts.items():
            place = copy.folder / file.relative_to(project.folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        load_environments(copy)
