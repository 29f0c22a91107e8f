"""`make run`: deploys the environment `local` on this machine, runs its jobs and shows what each run left open."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from local.cdk_cli import CommandFailed
from local.emulator import EmulatorError
from local.environment import NAME, JobFailed, LocalEnvironment, deployed, error_text
from local.mysql_installation import ToolMissing
from local.mysql_server import StartFailed
from local.scheduler import Delivery, delivery
from stacks.environment_files import SettingsError

JOB = "heartbeat"
RUNS_FROZEN = 3
FREEZE_SECONDS = 1.0
SETTLE_SECONDS = 5.0
"""How long the server may take to notice a goodbye: a generous bound, it takes milliseconds."""

NOT_PROVEN = """\
[bold]What this does not prove.[/bold] AWS was an emulator and RDS a MySQL server on this machine: nothing here \
shows that the network, its security groups, IAM permissions and IAM login, RDS itself, Lambda's own runtime \
(Python 3.14 on arm64) and quotas, or EventBridge Scheduler's timing, retries and dead letters work. Deploy the \
environment dev for that."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A row of the table: one run."""

    job: str
    where: str
    """emulator: where it was deployed. runtime: the same code in Lambda's own runtime client, frozen in between."""
    start: str
    """cold, warm (the environment kept running) or thawed (it was frozen)."""
    report: dict[str, Any]
    """What the run's log line says; of one that failed without a line: its event, `outcome` and `error`."""
    left_open: int
    """The jobs' connections on the server after the handler returned."""

    @property
    def good(self) -> bool:
        """The job's work is done, by this run or before, and the run left nothing."""
        return self.report["outcome"] in ("done", "duplicate") and self.left_open == 0


def main() -> int:
    """Run the program; returns its exit status: 0 if every run was good, 1 if not, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything up until Ctrl-C (make run KEEP=1)")
    arguments = parser.parse_args()
    console = Console(soft_wrap=True)
    # `kill` shall clean up as Ctrl-C does; a shell's background job starts with Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        return _main(console, keep=arguments.keep)
    except KeyboardInterrupt:
        console.print("Interrupted; everything was stopped and removed.")
        return 130
    except (CommandFailed, EmulatorError, SettingsError, StartFailed, ToolMissing) as error:
        console.print(f"[red]Failed:[/red] {type(error).__name__}", highlight=False)
        console.print(str(error), markup=False, highlight=False)
        return 1


def _main(console: Console, *, keep: bool) -> int:
    started = time.monotonic()

    def progress(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.1f} s[/dim]  {line}", highlight=False)

    with _temporary_folder() as folder, deployed(folder, progress=progress) as environment:
        shown = []
        first, *others = _scheduled_times(1 + RUNS_FROZEN)
        for run in chain(_in_emulator(environment, first), _frozen(environment, others)):
            progress(f"{run.start} run of {run.job} in the {run.where}: {run.report['outcome']}")
            shown.append(run)
        progress(f'cdk diff "{NAME}/*" …')
        environment.cli.diff(NAME)
        progress("cdk diff: no differences")
        console.print(_table(shown), soft_wrap=False)
        for run in shown:
            if "error" in run.report:
                where = f"{run.start} run of {run.job} in the {run.where}"
                console.print(f"{where}: {run.report['error']}", style="red", markup=False, highlight=False)
        console.print(NOT_PROVEN, soft_wrap=False, highlight=False)
        if keep:
            _wait(console, environment)
        progress("Stopping and removing everything …")
    progress("Done." if all(run.good for run in shown) else "A run was not good: see the table.")
    return 0 if all(run.good for run in shown) else 1


def _in_emulator(environment: LocalEnvironment, scheduled_time: datetime) -> Iterator[Shown]:
    """A run of each job where it was deployed, and a second delivery of the same scheduled time."""
    for job in environment.settings.jobs:
        sent = delivery(environment.emulator, environment.function_name(job.name), scheduled_time)
        for start in ("cold", "warm"):
            yield Shown(
                job=job.name,
                where="emulator",
                start=start,
                report=_report(environment, sent),
                left_open=_left_open(environment),
            )


def _frozen(environment: LocalEnvironment, times: list[datetime]) -> Iterator[Shown]:
    """Runs of the same code in Lambda's own runtime client, frozen in between."""
    with environment.execution_environment(environment.function_name(JOB)) as client:
        for scheduled_time in times:
            sent = delivery(environment.emulator, environment.function_name(JOB), scheduled_time)
            run = client.invoke(sent.event)
            report: Any = _failed(sent, error_text(run.error), run.log_lines) if run.error else run.result
            yield Shown(
                job=JOB,
                where="runtime",
                start="cold" if run.cold else "thawed",
                report=report,
                left_open=_left_open(environment),
            )
            time.sleep(FREEZE_SECONDS)


def _report(environment: LocalEnvironment, sent: Delivery) -> dict[str, Any]:
    try:
        report: dict[str, Any] = environment.invoke(sent.function, sent.event)
    except JobFailed as failure:
        # The emulator writes no JSON log: of a run's line it keeps the one word "run", but also the traceback.
        return _failed(sent, f"{failure.error}\n{failure.log}".rstrip())
    return report


def _failed(sent: Delivery, error: str, log_lines: Iterable[str] = ()) -> dict[str, Any]:
    """The run's log line if it is among `log_lines`; it is not if the function was killed or could not start."""
    report = {"outcome": "failed", "error": error, **sent.event}
    for line in log_lines:
        with suppress(ValueError):  # what a job prints is in no form
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("message") == "run":
                report |= entry
    return report


def _scheduled_times(count: int) -> list[datetime]:
    """The last `count` times that rate(5 minutes) would have chosen."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    latest = now - timedelta(minutes=now.minute % 5)
    return [latest - timedelta(minutes=5 * back) for back in reversed(range(count))]


def _left_open(environment: LocalEnvironment) -> int:
    end = time.monotonic() + SETTLE_SECONDS
    while (count := environment.open_connections(JOB)) and time.monotonic() < end:
        time.sleep(0.02)
    return count


def _table(shown: list[Shown]) -> Table:
    first = datetime.fromisoformat(shown[0].report["scheduled_time"])
    table = Table(
        title=f"The runs, as their log lines and the server saw them, {first:%Y-%m-%d}",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),  # fits a terminal of 80 characters
    )
    for heading in ("UTC", "job", "ran in", "start", "outcome"):
        table.add_column(heading, no_wrap=True)
    for heading in ("connect\nms", "work\nms", "destroy\nms", "left\nopen"):
        table.add_column(heading, justify="right")
    for run in shown:
        report = run.report
        table.add_row(
            f"{datetime.fromisoformat(report['scheduled_time']):%H:%M}",
            run.job,
            run.where,
            run.start,
            report["outcome"],
            *(f"{report[key]:.1f}" if key in report else "-" for key in ("connect_ms", "work_ms", "destroy_ms")),
            str(run.left_open),
            style=None if run.good else "red",
        )
    return table


def _wait(console: Console, environment: LocalEnvironment) -> None:
    function, url = environment.function_name(JOB), environment.emulator.url
    event = '{"dry_run": true}'
    statement = "SELECT job, outcome, window_start, window_end FROM ledger"  # all columns are wider than a terminal
    console.print(
        f"""
Everything stays up until Ctrl-C. In another terminal:

  look at the ledger     .venv/bin/python -m local.sql {environment.folder} '{statement}'
  try the job            .venv/bin/python -m local.invoke {url} {function} '{event}'
  logs and templates     {environment.folder}

The function of another job is called {environment.function_name("<job>")}.
""",
        markup=False,
        highlight=False,
    )
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print()


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mysql-jobs-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
