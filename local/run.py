"""`make run`: deploys an environment on this machine, runs its jobs and shows what each run left open."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local import run_report
from local.cdk_cli import CommandFailed
from local.chain import NoAnswer, answers
from local.emulator import EmulatorError
from local.ending import end_as_on_ctrl_c
from local.environment import JobFailed, LocalEnvironment, deployed
from local.guardian import guarded
from local.kept import kept
from local.mysql_installation import ToolMissing
from local.scheduler import Delivery, delivery
from local.server_start import StartFailed
from settings import names
from settings.environment import JobSettings
from settings.files import SettingsError
from settings.project import ROOT, Project
from settings.schedule import latest_times
from settings.spelling import did_you_mean

RUNS_FROZEN = 3
RUNS_CHAINED = 2
FREEZE_SECONDS = 1.0

NOT_PROVEN = """\
[bold]What this does not prove.[/bold] AWS was an emulator and RDS a MySQL server on this machine: nothing here \
shows that the network, its security groups, IAM permissions and IAM login, RDS itself, Lambda's own runtime \
(Python 3.14 on arm64), quotas and destinations, or EventBridge Scheduler's timing, retries and dead letters work. \
Deploy an environment for that."""

KEPT = """
Everything stays up until Ctrl-C. In another terminal, with the files as they are saved by then:

  run a job           make try JOB={job}
  and roll it back    make try JOB={job} EVENT='{{"dry_run": true}}'
  look at the ledger  .venv/bin/python -m local.sql 'SELECT * FROM ledger ORDER BY started_at DESC LIMIT 3'

The scheduled time of a run is now, or for instance AT={now:%Y-%m-%dT%H:%M:%SZ}, if no recorded run covers it yet.
Logs and templates are in {folder}.
"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table: one run."""

    job: str
    where: str
    """emulator: where it was deployed. runtime: the same code in Lambda's own runtime client, frozen in between."""
    start: str
    """cold, warm (the environment kept running), thawed (it was frozen) or next (the run before it asked for it)."""
    report: dict[str, Any]
    """What the run's log line says; of one that failed without a line: its event, `outcome` and `error`."""
    left_open: int
    """The connections of this run that are on the server after the handler returned."""

    @property
    def name(self) -> str:
        """Which run it is."""
        return f"{self.start} run of {self.job} in the {self.where}"

    @property
    def good(self) -> bool:
        """See `run_report.is_good`."""
        return run_report.is_good(self.report, self.left_open)

    @property
    def problems(self) -> Iterator[str]:
        """What is wrong with it, if anything is."""
        if "error" in self.report:
            yield str(self.report["error"])
        if self.report.get("leaked"):
            yield f"left in the function's process: {', '.join(self.report['leaked'])}"
        if self.left_open:
            yield f"left open on the server: {self.left_open} of the jobs' connections"


def main() -> int:
    """Run the program; returns its exit status: 0 if every run was good, 1 if not, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--environment", default="", help="a file in environments/, without .toml; else the first one")
    parser.add_argument("--keep", action="store_true", help="leave everything up until Ctrl-C (make run KEEP=1)")
    arguments = parser.parse_args()
    console = Console(soft_wrap=True)
    end_as_on_ctrl_c()
    try:
        return _main(console, name=arguments.environment, keep=arguments.keep)
    except KeyboardInterrupt:
        console.print("Interrupted; everything was stopped and removed.")
        return 130
    except (CommandFailed, EmulatorError, SettingsError, StartFailed, ToolMissing) as error:
        console.print(f"[red]Failed:[/red] {type(error).__name__}", highlight=False)
        console.print(str(error), markup=False, highlight=False)
        return 1


def _main(console: Console, *, name: str, keep: bool) -> int:
    started = time.monotonic()

    def progress(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.1f} s[/dim]  {escape(line)}", highlight=False)

    project = Project(ROOT)
    name = _choose(project, name)
    with guarded() as folder, deployed(folder, project=project, name=name, progress=progress) as environment:
        jobs = environment.settings.jobs
        rows = []
        for row in _rows(environment, jobs):
            progress(f"{row.name}: {row.report['outcome']}")
            rows.append(row)
        progress(f'cdk diff "{name}/*" …')
        environment.cli.diff(name)
        progress("cdk diff: no differences")
        _show(console, rows)
        if not jobs:
            console.print(f"environments/{name}.toml has no jobs: it was deployed and migrated, and nothing was run.")
        console.print(NOT_PROVEN, soft_wrap=False, highlight=False)
        if keep:
            _wait(console, environment)
        progress("Stopping and removing everything …")
    good = all(row.good for row in rows)
    progress("Done." if good else "A run was not good: see the table.")
    return 0 if good else 1


def _choose(project: Project, name: str) -> str:
    """Return the name of the environment to deploy: `name`, or the first.

    Raises:
        SettingsError: there is no such environment.
    """
    there = project.environment_names()
    if not there:
        raise SettingsError("environments/ is empty: write a file like dev.toml")
    if name and name not in there:
        hint = did_you_mean(name, there, otherwise=f"there are {', '.join(there)}")
        raise SettingsError(f"there is no environments/{name}.toml: {hint}")
    return name or there[0]


def _rows(environment: LocalEnvironment, jobs: tuple[JobSettings, ...]) -> Iterator[Row]:
    """Run the jobs, one run after the other; the first job in every way."""
    good = True
    for row in chain(_in_emulator(environment, jobs), _frozen(environment, jobs[:1])):
        yield row
        good = good and (row.job != jobs[0].name or row.good)
    if jobs and good and not jobs[0].uses.internet:
        yield from _chained(environment, jobs[0])


def _in_emulator(environment: LocalEnvironment, jobs: tuple[JobSettings, ...]) -> Iterator[Row]:
    """Run each job where it was deployed, and deliver the same scheduled time a second time."""
    for job in jobs:
        # Of the first job, later times are left for the other runs.
        first = _scheduled_times(job, 1 + RUNS_FROZEN + RUNS_CHAINED if job is jobs[0] else 1)[0]
        sent = _delivery(environment, job, first)
        for start in ("cold", "warm"):
            leftovers = environment.leftovers(job.name)
            yield Row(
                job=job.name,
                where="emulator",
                start=start,
                report=_report(environment, sent),
                left_open=leftovers.count(),
            )


def _frozen(environment: LocalEnvironment, jobs: tuple[JobSettings, ...]) -> Iterator[Row]:
    """Run the same code of each job in Lambda's own runtime client, frozen in between."""
    for job in jobs:
        function = environment.function_name(job.name)
        with environment.execution_environment(function) as client:
            for scheduled_time in _scheduled_times(job, RUNS_FROZEN + RUNS_CHAINED)[:RUNS_FROZEN]:
                sent = _delivery(environment, job, scheduled_time)
                leftovers = environment.leftovers(job.name)
                run = client.invoke(sent.event)
                yield Row(
                    job=job.name,
                    where="runtime",
                    start="cold" if run.cold else "thawed",
                    report=run_report.report(sent.event, run),
                    left_open=leftovers.count(),
                )
                time.sleep(FREEZE_SECONDS)


def _chained(environment: LocalEnvironment, job: JobSettings) -> Iterator[Row]:
    """Start a run as Scheduler does, where another one is due already: that one is started by the deployed rule."""
    scheduled_time = _scheduled_times(job, RUNS_CHAINED)[0]
    sent = delivery(environment.emulator, environment.function_name(job.name), scheduled_time)
    leftovers = environment.leftovers(job.name)

    def row(start: str, report: dict[str, Any]) -> Row:
        return Row(job=job.name, where="emulator", start=start, report=report, left_open=leftovers.count())

    start = "warm"
    try:
        for report in answers(environment.emulator, sent, seconds=job.timeout_seconds):
            yield row(start, report)
            start = "next"
    except NoAnswer as error:
        yield row(start, run_report.failed(sent.event, str(error)))


def _delivery(environment: LocalEnvironment, job: JobSettings, scheduled_time: datetime) -> Delivery:
    """What the job's schedule sends; of a job that uses the internet, a dry run: nobody is called from here."""
    sent = delivery(environment.emulator, environment.function_name(job.name), scheduled_time)
    return replace(sent, event={**sent.event, "dry_run": True}) if job.uses.internet else sent


def _report(environment: LocalEnvironment, sent: Delivery) -> dict[str, Any]:
    try:
        report: dict[str, Any] = environment.invoke(sent.function, sent.event)
    except JobFailed as failure:
        # The emulator writes no JSON log: of a run's line it keeps the one word "run", but also the traceback.
        return run_report.failed(sent.event, f"{failure.error}\n{failure.log}".rstrip())
    return report


def _scheduled_times(job: JobSettings, count: int) -> list[datetime]:
    """Return the last `count` times of the job's schedule, or, if it has not had so many, of the last minutes."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    times = latest_times(job.schedule, job.time_zone, now=now, count=count)
    return times if len(times) == count else [now - timedelta(minutes=back) for back in reversed(range(count))]


def _show(console: Console, rows: list[Row]) -> None:
    if rows:
        console.print(_table(rows), soft_wrap=False)
    for row in rows:
        for problem in row.problems:
            console.print(f"{row.name}: {problem}", style="red", markup=False, highlight=False)


def _table(rows: list[Row]) -> Table:
    table = Table(
        title="The runs, as their log lines and the server saw them",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),  # fits a terminal of 80 characters
    )
    table.add_column("UTC", no_wrap=True)
    table.add_column("job", overflow="fold")
    for heading in ("ran in", "start", "outcome"):
        table.add_column(heading, no_wrap=True)
    for heading in ("connect\nms", "work\nms", "destroy\nms", "left\nopen"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        report = row.report
        table.add_row(
            _short(datetime.fromisoformat(report["scheduled_time"])),
            row.job,
            row.where,
            row.start,
            report["outcome"],
            *(f"{report[key]:.1f}" if key in report else "-" for key in ("connect_ms", "work_ms", "destroy_ms")),
            str(row.left_open),
            style=None if row.good else "red",
        )
    return table


def _short(time: datetime) -> str:
    """Return the time of day, or, if that would be another day's, the date."""
    return f"{time:%H:%M}" if datetime.now(UTC) - time < timedelta(days=1) else f"{time:%m-%d}"


def _wait(console: Console, environment: LocalEnvironment) -> None:
    migrate = environment.variables(environment.function_name(names.MIGRATE))
    with kept(folder=environment.folder, environment=environment.settings.name, variables=migrate):
        job = next((each.name for each in environment.settings.jobs), "<job>")
        text = KEPT.format(job=job, now=datetime.now(UTC), folder=environment.folder)
        console.print(text, markup=False, highlight=False)
        try:
            signal.pause()
        except KeyboardInterrupt:
            console.print()


if __name__ == "__main__":
    sys.exit(main())
