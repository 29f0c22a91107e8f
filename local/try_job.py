"""Runs one job as it is saved now, in the environment that `make run KEEP=1` keeps up: python -m local.try_job NAME."""

from __future__ import annotations

import argparse
import json
import secrets
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pymysql
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from rich.console import Console
from rich.table import Table
from rich.text import Text

from local import emulator, kept, run_report, sql
from local.ending import end_as_on_ctrl_c
from local.execution_environment import ExecutionEnvironment, Invocation
from local.guardian import guarded
from local.leftovers import Leftovers
from packages.requirements import PackagesError
from packages.target import HERE
from settings import names
from settings.environment import JobSettings
from settings.files import SettingsError, load_environment
from settings.job_users import JobUser, job_user, rights_text, watcher_user
from settings.migrations import migration_mistakes
from settings.project import ROOT, Project
from stacks.jobs.bundle import bundle

MIGRATE_SECONDS = 600
TOLD_MIGRATIONS = {"CONNECTIONS_NEEDED", "DATABASE_ORIGIN", "JOBS_AUTH", "JOBS_SECRETS", "RIGHTS"}
"""The variables that only the migrate function has."""
TIMES = ("connect_ms", "work_ms", "destroy_ms", "duration_ms")
DETAILS = (
    "scheduled_time",
    "continued",
    "skipped_from",
    "window_start",
    "window_end",
    "result",
    "progress",
    "stuck",
    "killed",
    "leaked",
)
"""What is shown of the run's log line, besides its outcome and its times."""
HINTS = {
    "duplicate": "this scheduled time was recorded before: give another one, or none for now",
    "superseded": "a run that is recorded covers this scheduled time: give a later one, or none for now",
    "overlapping": "another run of this job is at work",
}


class CannotTry(Exception):
    """The job cannot be run as it is saved; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Functions:
    """The functions as they would be deployed now, with the kept environment's database and AWS."""

    environment: kept.Kept
    folder: Path
    """For the code and the logs."""

    @property
    def code(self) -> Path:
        """What would be in the zip."""
        return self.folder / "code"

    def migrate(self, rights: str) -> ExecutionEnvironment:
        """Return what applies new migrations, and makes the jobs' users with these `rights`."""
        return self._function(
            names.MIGRATE,
            handler="mysql_jobs.migrate.lambda_handler",
            variables={**self.environment.variables, "RIGHTS": rights},
            timeout_seconds=MIGRATE_SECONDS,
        )

    def job(self, settings: JobSettings) -> ExecutionEnvironment:
        """Return what runs the job, with the login of its user."""
        migrate = self.environment.variables
        common = {name: value for name, value in migrate.items() if name not in TOLD_MIGRATIONS}
        login = {
            "DATABASE_USER": names.database_user(self.environment.environment, settings.name),
            "DATABASE_AUTH": migrate["JOBS_AUTH"],
            "DATABASE_SECRET": migrate["JOBS_SECRETS"] + settings.name,
        }
        return self._function(
            settings.name,
            handler="mysql_jobs.handler.lambda_handler",
            variables={**common, **login, **settings.function_variables},
            timeout_seconds=settings.timeout_seconds,
        )

    def make_secrets(self, users: Iterable[JobUser]) -> None:
        """Make the secrets of jobs that are not deployed: those that are have theirs, which stay."""
        migrate = self.environment.variables
        aws = emulator.client("secretsmanager", url=migrate["AWS_ENDPOINT_URL"], region=migrate["AWS_REGION"])
        for each in users:
            value = json.dumps({"username": each.user, "password": secrets.token_urlsafe(30)})
            with suppress(aws.exceptions.ResourceExistsException):
                aws.create_secret(Name=migrate["JOBS_SECRETS"] + each.job, SecretString=value)

    def _function(
        self, name: str, *, handler: str, variables: Mapping[str, str], timeout_seconds: float
    ) -> ExecutionEnvironment:
        return ExecutionEnvironment(
            code=self.code,
            handler=handler,
            environment=variables,
            function_name=names.function(self.environment.environment, name),
            timeout_seconds=timeout_seconds,
            log=self.folder / f"{name}.log",
        )


def main() -> int:
    """Run the program; returns its exit status: 1 if the job failed or left something, or could not be run."""
    parser = argparse.ArgumentParser(prog="make try", description=__doc__)
    parser.add_argument("job", help="the name of a job in the environment, or of a module in lambda/jobs/")
    parser.add_argument("--at", default="", help="the scheduled time, like 2026-11-23T08:00Z; else now")
    parser.add_argument("--event", default="", help='more of the event, in JSON, like {"dry_run": true}')
    arguments = parser.parse_args()
    end_as_on_ctrl_c()
    try:
        return _try(Project(ROOT, target=HERE), arguments.job, _event(arguments.at, arguments.event))
    except KeyboardInterrupt:
        return 130
    except (CannotTry, SettingsError, PackagesError, kept.NothingKept, pymysql.MySQLError) as error:
        parser.exit(1, f"{error}\n")


def _event(at: str, more: str) -> dict[str, Any]:
    """Return the event: for `at`, or for now, unless `more` asks for a window of its own.

    Raises:
        CannotTry: `more` is not a JSON object.
    """
    try:
        event = json.loads(more or "{}")
    except ValueError as error:
        raise CannotTry(f'the event is not JSON: {error}: write an object like {{"dry_run": true}}') from error
    if not isinstance(event, dict):
        raise CannotTry(f'the event is {more}: write an object like {{"dry_run": true}}')
    if at:
        event["scheduled_time"] = at
    elif not {"scheduled_time", "window"} & event.keys():
        event["scheduled_time"] = datetime.now(UTC).isoformat()  # to the microsecond: two tries in a second are two
    return event


def _try(project: Project, name: str, event: dict[str, Any]) -> int:
    console = Console(soft_wrap=True, highlight=False)
    environment = kept.find()
    if mistakes := list(migration_mistakes(project.migrations)):
        raise SettingsError("\n".join(mistakes))
    entered = {each.name: each for each in load_environment(project, environment.environment).jobs}
    job = entered.get(name) or _not_entered(project, name, environment.environment)
    if name not in entered:
        console.print(f"{name} is not in environments/{environment.environment}.toml: it gets its default parameters")
    with guarded() as folder:
        functions = Functions(environment=environment, folder=folder)
        bundle(
            functions.code,
            project=project,
            region=environment.variables["AWS_REGION"],
            packages=project.packages(job.module_name),
        )
        users = _users({**entered, name: job}.values(), environment.environment)
        functions.make_secrets(users)
        with functions.migrate(rights_text(users)) as function:
            migrated = function.invoke({})
        if migrated.error is not None:
            raise CannotTry(f"the migrations failed: {run_report.error_text(migrated.error)}")
        for applied in run_report.returned(migrated)["applied"]:
            console.print(f"applied {applied}", markup=False)
        user = names.database_user(environment.environment, name)
        leftovers = Leftovers(partial(sql.connect, Path(environment.folder)), user)
        with functions.job(job) as function:
            run = function.invoke(event)
            report, left_open = run_report.report(event, run), leftovers.count()
    _show(console, name, run, report, left_open=left_open, code=functions.code)
    return 0 if run_report.is_good(report, left_open) else 1


def _users(jobs: Iterable[JobSettings], environment: str) -> list[JobUser]:
    """Return the users that a deployment would make now: a connection goes through no proxy here."""
    return [
        *(job_user(each, environment=environment, proxy=False) for each in jobs),
        watcher_user(environment=environment, proxy=False),
    ]


def _not_entered(project: Project, name: str, environment: str) -> JobSettings:
    """Return the settings of a job that is in no [[jobs]] yet: its defaults.

    Raises:
        CannotTry: there is no such job, or it is wrong, or it has a parameter without a default.
    """
    try:
        # The schedule decides how far its first window goes back, which is a day.
        return JobSettings.model_validate({"name": name, "schedule": "rate(1 hour)"}, context=project)
    except ValidationError as error:
        mistakes = "; ".join(map(_mistake, error.errors(include_url=False)))
        raise CannotTry(
            f"{name} is not in environments/{environment}.toml, and cannot run with its defaults: {mistakes}"
        ) from error


def _mistake(detail: ErrorDetails) -> str:
    where = ".".join(map(str, detail["loc"])).removeprefix("name")  # which is in the message anyway
    return f"{where}: {detail['msg']}".removeprefix(": ").replace("Value error, ", "")


def _show(
    console: Console, name: str, run: Invocation, report: Mapping[str, Any], *, left_open: int, code: Path
) -> None:
    good = run_report.is_good(report, left_open)
    outcome = report["outcome"]
    hint = f": {HINTS[outcome]}" if outcome in HINTS else ""
    console.print(f"[bold {'green' if good else 'red'}]{name} {outcome}[/]{hint}")
    details = Table.grid(padding=(0, 2, 0, 2))
    for key in DETAILS:
        if report.get(key):
            value = report[key]
            details.add_row(key, Text(value if isinstance(value, str) else json.dumps(value), overflow="fold"))
    times = (f"{key.removesuffix('_ms')} {report[key]:.1f}" for key in TIMES if key in report)
    details.add_row("milliseconds", ", ".join(times))
    details.add_row("left open", f"{left_open} connections")
    console.print(details, soft_wrap=False)
    for line in _said(run):
        console.print(line, markup=False)
    if "next" in report:
        following = _command(report["next"])
        console.print(f"more is to be done: on AWS, another run would follow at once; here, {following}", markup=False)
    if run.error is not None:
        traceback = "".join(run.error.get("stackTrace") or ())
        console.print(traceback.replace(f"{code}/", "lambda/"), markup=False, end="")
        console.print(run_report.error_text(run.error), style="red", markup=False)


def _command(event: Mapping[str, Any]) -> str:
    """What to type for the run that `event` asks for."""
    return f"make try JOB={event['job']} EVENT={shlex.quote(json.dumps(event))}"


def _said(run: Invocation) -> Iterator[str]:
    """What the job printed and logged: neither the run's line nor its error, which are shown as what they are."""
    for line in run.log_lines:
        try:
            entry = json.loads(line)
        except ValueError:
            yield line
            continue
        if isinstance(entry, dict) and "errorType" in entry:
            continue
        if not isinstance(entry, dict) or "message" not in entry:
            yield line
        elif entry["message"] != "run":
            yield f"{entry.get('level', '')} {entry['message']}"


if __name__ == "__main__":
    sys.exit(main())
